"""Malformed `--set` options: refused by the definition's own types and limits before anything starts."""

from __future__ import annotations

from pathlib import Path

from corpus_case import Answer, Case, check, each_case

from pipelines import parameters
from pipelines.errors import PipelineError
from pipelines.local import document
from pipelines.settings import validate
from steps import contract

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "flights.definition.json"
CONFIG = validate({"data": {"label": "y", "id": "id"}, "models": {"by": "region"}}, "config.yml")
COMPUTED = {contract.RAW_DATA_URI: "s3://b/raw/", **dict.fromkeys(parameters.VERSIONS, "0" * 64)}


@each_case("parameters")
def test_a_malformed_parameter_is_refused(case: Case) -> None:
    check(case, give(case))


def give(case: Case) -> Answer:
    definition = document.parse(GOLDEN.read_text(encoding="utf-8"))
    try:
        given = {**parameters.read_own(case.given["set"]), **COMPUTED}
        return Answer(0, str(parameters.check(definition, given, CONFIG)))
    except PipelineError as error:
        return Answer(2, str(error))
