"""The page of all keys of the configuration, from the JSON schema of `Settings` and the docstrings of its fields."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines import sections, settings

HEAD = """# Settings

The keys of `config/pipeline-config.yml`, or of the file that `--config` names. An overlay `<stem>.<NAME>.yml` beside
it, chosen by `--env NAME`, says what an environment has differently. Only `data.label`, `data.id` and `models` have no
default. All mistakes of a file are reported at once, with the nearest legal key.

```yaml
data: {label: price, id: item_id}      # raw files: train*.csv and predict*.csv (or .parquet)
models: {by: store}
```"""
OF_MODELS = """One model per value of a column, `models: {by: COLUMN}`, or a list of models,
`models: [{name: ..., where: ...}, ...]`."""
TABLE = "| key | value | default | meaning |\n|---|---|---|---|"
Schema = Mapping[str, Any]


def page() -> str:
    """Return the page: keys without a group first, then a section per group."""
    whole = settings.Settings.model_json_schema()
    definitions = whole["$defs"]
    plain = {k: v for k, v in whole["properties"].items() if "$ref" not in v and k != "models"}
    parts = [
        HEAD,
        "## Keys without a group",
        TABLE + "\n" + "\n".join(rows({"properties": plain}, "Settings", "", definitions)),
    ]
    for key, schema in whole["properties"].items():
        if key == "models":
            parts += ["## models", OF_MODELS, "\n".join([TABLE, *models_rows(schema, definitions)])]
        elif "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            parts += [f"## {key}", definitions[name].get("description", "")]
            parts.append("\n".join([TABLE, *rows(definitions[name], name, f"{key}.", definitions)]))
    return "\n\n".join(parts)


def models_rows(schema: Schema, definitions: Schema) -> Iterator[str]:
    yield from rows(definitions["Segments"], "Segments", "models.", definitions)
    yield from rows(definitions["Model"], "Model", "models[].", definitions)


def rows(schema: Schema, owner: str, prefix: str, definitions: Schema) -> Iterator[str]:
    """Yield a line for every key of a group, those of its groups after it."""
    for key, value in sorted(schema["properties"].items(), key=lambda item: bool(reference(item[1]))):
        inner = reference(value)
        free = (
            reference(value.get("additionalProperties", {}))
            if isinstance(value.get("additionalProperties"), dict)
            else None
        )
        if inner:
            yield from rows(definitions[inner], inner, f"{prefix}{key}.", definitions)
            continue
        required = key in schema.get("required", ())
        cells = (
            f"`{prefix}{key}`",
            kind(value),
            "required" if required else default_of(value),
            MEANINGS.get((owner, key), ""),
        )
        yield f"| {' | '.join(cells)} |"
        if free:
            yield from rows(definitions[free], free, f"{prefix}{key}.NAME.", definitions)


def reference(schema: Any) -> str | None:
    return schema["$ref"].rpartition("/")[2] if isinstance(schema, dict) and "$ref" in schema else None


def default_of(schema: Schema) -> str:
    """Return a default as one writes it in YAML, or nothing where unset is the default."""
    default = schema.get("default")
    if default in (None, [], {}):
        return ""
    if isinstance(default, list):
        return f"`{', '.join(default)}`" if len(default) == 1 else f"`[{', '.join(default)}]`"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def kind(schema: Schema) -> str:
    """Return what a key takes, in words."""
    for branch in schema.get("anyOf", ()):
        if branch.get("type") != "null" and len(schema["anyOf"]) == 2:
            return kind(branch)
    if "enum" in schema:
        return " or ".join(f"`{choice}`" for choice in schema["enum"])
    if schema.get("type") == "array":
        return f"{kind(schema['items'])}, or a list"
    if schema.get("type") == "object":
        return "mapping"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true` or `false`"}
    return words.get(schema.get("type", ""), "value") + bounds(schema)


def bounds(schema: Schema) -> str:
    """Return the limits of a number in words; pydantic leaves some of ours in the schema by its own names."""
    names = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
    found = {short: schema.get(short, schema.get(long)) for short, long in names.items()}
    words = {"ge": "{:g} or more", "gt": "above {:g}", "le": "{:g} or less", "lt": "below {:g}"}
    if found["ge"] is not None and found["le"] is not None:
        return f", {found['ge']:,} to {found['le']:,}"
    told = [words[short].format(value) for short, value in found.items() if value is not None]
    return f", {' and '.join(told)}" if told else ""


def meanings() -> dict[tuple[str, str], str]:
    """Return the docstring below each field, by class and field; a subclass has those of its bases."""
    found: dict[tuple[str, str], str] = {}
    for module in (sections, settings):
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.ClassDef):
                for base in (b.id for b in node.bases if isinstance(b, ast.Name)):
                    found |= {(node.name, key): text for (owner, key), text in list(found.items()) if owner == base}
                found |= {(node.name, key): text for key, text in docstrings(node)}
    return found


def docstrings(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield the fields of a class that have a docstring, each with it."""
    for field, after in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            assert isinstance(field.target, ast.Name)
            yield field.target.id, " ".join(str(after.value.value).split()).replace("|", "\\|")


MEANINGS = meanings()
