"""What a model artifact says of itself: `metadata.json`, checked field by field before anybody believes it.

Standard library only; shared by Infer and by the operator's side, which registers artifacts of any origin.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from steps import contract, hooknames
from steps.archive import ArchiveError, Contents

PREDICTOR_DIR = "predictor"
FORMATS = (1, 2)
"""Formats that this code reads. A format once written is read for ever: defaults live for years.

2: as 1, with the user's own code (`custom/`) that the model is scored by; `code` in the metadata tells how.
"""
WITH_CODE = 2
KINDS = ("number", "bool", "datetime", "text")
MOST_PROBLEMS = 5
_VERSION = re.compile(r"[0-9][0-9A-Za-z.+!_-]{0,63}")
_MODULE = re.compile(r"[A-Za-z_]\w*\.py", re.ASCII)
_FORMS = {
    "model": re.compile(r".+", re.DOTALL),
    "slug": re.compile(r"[A-Za-z0-9](-*[A-Za-z0-9])*"),
    "autogluon_version": _VERSION,
    "python_version": _VERSION,
}
"""What becomes a part of messages, tables and commands; only the model's name may be any text."""


def read(contents: Contents) -> dict[str, Any]:
    """Return the metadata of an artifact that was inspected for its `metadata.json`.

    Raises:
        ArchiveError: there is none, it is no JSON object, of an unknown format, or has fields of another type; or there
            is no predictor beside it.
    """
    if contents.text is None:
        raise ArchiveError(f"has no {contract.METADATA_FILE}: it was not made by Train")
    if PREDICTOR_DIR not in contents.top:
        raise ArchiveError(f"has no {PREDICTOR_DIR}/: it was not made by Train")
    found = _parse(contents.text)
    _check_format(found)
    problems = [*_problems(found), *_about_code(found, contents)]
    if problems:
        more = f" and {len(problems) - MOST_PROBLEMS} more" if len(problems) > MOST_PROBLEMS else ""
        raise ArchiveError(f"has a {contract.METADATA_FILE} in which {'; '.join(problems[:MOST_PROBLEMS])}{more}")
    return found


def _parse(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()  # halves of a character can be written nowhere
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ArchiveError(f"has a {contract.METADATA_FILE} that is no JSON object: it was not made by Train")
    return found


def _check_format(found: dict[str, Any]) -> None:
    number = found.get("format")
    if not isinstance(number, int) or isinstance(number, bool):
        raise ArchiveError(f"has a {contract.METADATA_FILE} without a format number: it was not made by Train")
    if number not in FORMATS:
        known = ", ".join(map(str, FORMATS))
        raise ArchiveError(
            f"has format {str(number)[:20]}, this code reads {known}: use the code version that wrote it or a newer one"
        )


def _problems(found: dict[str, Any]) -> Iterator[str]:
    for key, form in _FORMS.items():
        if not isinstance(found.get(key), str) or not form.fullmatch(found[key]):
            yield f"{key} is no {'text' if key == 'model' else key.rpartition('_')[2]}"
    if not _is_names(found.get("categories", [])):
        yield "categories is no list of texts"
    schema = found.get("schema")
    columns = schema.get("columns") if isinstance(schema, dict) else None
    if not isinstance(columns, list):
        yield "schema.columns is no list"
        return
    for position, column in enumerate(columns):
        yield from (f"schema.columns[{position}] {problem}" for problem in _about_column(column))
    names = [column["name"] for column in columns if isinstance(column, dict) and isinstance(column.get("name"), str)]
    if len(set(names)) < len(names):
        yield "schema.columns has a name twice"


def _about_code(found: dict[str, Any], contents: Contents) -> Iterator[str]:
    """Yield what is wrong with the entry of the user's own code, which format 2 has."""
    code = found.get(hooknames.KEY)
    if found["format"] != WITH_CODE:
        if code is not None:
            yield f"{hooknames.KEY} stands although its format has none"
        return
    if not isinstance(code, dict):
        yield f"{hooknames.KEY} is no object"
        return
    file, seed = code.get(hooknames.KEY_FILE), code.get("seed")
    if not isinstance(file, str) or not _MODULE.fullmatch(file) or hooknames.FOLDER not in contents.top:
        yield f"{hooknames.KEY}.{hooknames.KEY_FILE} is no module of {hooknames.FOLDER}/"
    if not _is_names(code.get(hooknames.KEY_HOOKS)) or not isinstance(code.get("own_model"), bool):
        yield f"{hooknames.KEY} does not tell how it predicts"
    if not isinstance(seed, int) or isinstance(seed, bool):
        yield f"{hooknames.KEY}.seed is no number"
    for key in (hooknames.KEY_PARAMETERS, "libraries"):
        held = code.get(key)
        if not isinstance(held, dict) or not _is_names(list(held.values())):
            yield f"{hooknames.KEY}.{key} is no object of texts"


def _about_column(column: Any) -> Iterator[str]:
    if not isinstance(column, dict):
        yield "is no object"
        return
    if not isinstance(column.get("name"), str):
        yield "has a name that is no text"
    if column.get("kind") not in KINDS:
        yield f"has a kind that is none of {', '.join(KINDS)}"
    if not _is_share(column.get("null_rate")):
        yield "has a null_rate that is no number from 0 to 1"
    categories = column.get("categories")
    if categories is not None and not _is_names(categories):
        yield "has categories that are no list of texts"


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
