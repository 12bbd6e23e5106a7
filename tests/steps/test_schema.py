from __future__ import annotations

import json

from steps import contract
from steps.schema import Column, ModelColumn, ModelSchema, Schema


def test_the_global_schema_survives_json():
    schema = Schema((Column("a.b", "number"), Column("日", "text")), "y", "id", None, {"x": True})

    assert Schema.from_json(json.loads(contract.to_json(schema.to_json()))) == schema


def test_a_models_schema_survives_json():
    columns = (ModelColumn("a", "text", 0.5, ("x", "y")), ModelColumn("b", "number", 0.0, None))
    schema = ModelSchema("Very Good", "very-good", "y", "id", "seg", columns, ("void",))

    assert ModelSchema.from_json(json.loads(contract.to_json(schema.to_json()))) == schema
