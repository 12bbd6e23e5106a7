"""What can be wrong with a config document, as sentences with key paths: YAML reading, merging and error texts.

Used by `settings` alone; holds no setting itself.
"""

from __future__ import annotations

import difflib
import inspect
import math
import typing
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from pipelines.errors import SettingsError
from steps import contract

DEEPEST = 50
"""Levels of a config document; what is deeper cannot be meant."""
MOST_VALUES = 100_000
"""Values of a document with its aliases written out; nine lines of aliases can stand for a billion of them."""
MOST_BYTES = 4 * 1024**2
"""Bytes of a config or lock file; a larger one is a data file given by mistake, which YAML reads for minutes."""
LARGEST = 2**53
"""Largest whole number that every reader of JSON keeps exactly."""
PLAIN_WORDS = {
    "missing": "missing; this setting has no default",
    "model_type": "expected a mapping of settings",
    "model_attributes_type": "expected a mapping of settings",
    "dict_type": "expected a mapping",
    "tuple_type": "expected a list",
    "string_type": "expected text",
    "bool_type": "expected true or false",
    "too_short": "is empty; give a value",
    "string_too_short": "is empty; give a value",
}
"""Our words for pydantic's findings that name Python types."""


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses a mapping with the same key twice, and aliases that stand for far too much."""

    def construct_document(self, node: yaml.Node) -> Any:
        if _count_values(node, {}) > MOST_VALUES:
            problem = f"its aliases (*name) stand for more than {MOST_VALUES} values; write out what is meant"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return super().construct_document(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        merge = "tag:yaml.org,2002:merge"  # `<<: *anchor` names no key of its own
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if key.tag != merge]
        twice = [key for key, count in Counter(map(str, keys)).items() if count > 1]
        if twice:
            marks = [key.start_mark for key, _ in node.value if key.value == twice[0]] or [node.start_mark]
            raise yaml.constructor.ConstructorError(
                None, None, f"key {twice[0]!r} stands twice in one mapping", marks[-1]
            )
        return super().construct_mapping(node, deep)


def _count_values(node: yaml.Node, known: dict[int, int]) -> int:
    """Return how many values a node stands for, without writing them out; `known` counts each node once."""
    if id(node) not in known:
        known[id(node)] = 1  # a node inside itself is refused when the document is cleaned
        pairs = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else []
        inside = node.value if isinstance(node, yaml.SequenceNode) else pairs
        known[id(node)] = 1 + sum(_count_values(part, known) for part in inside)
    return known[id(node)]


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        SettingsError: the file is missing, not YAML, or not a mapping.
    """
    try:
        document = yaml.load(_read_text(path), Loader=_UniqueKeyLoader)  # noqa: S506 - a safe loader
    except FileNotFoundError:
        raise SettingsError(_missing_file(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path}: cannot be read ({error.__class__.__name__}); expected a UTF-8 YAML file"
        ) from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: {_describe_yaml(error)}") from error
    except RecursionError as error:
        raise SettingsError(f"{path}: not valid YAML: nested too deeply; write it with fewer levels") from error
    except ValueError as error:  # of values that YAML reads as a date or a number
        raise SettingsError(f"{path}: not valid YAML: {_describe_value(error)}") from error
    if not isinstance(document, dict):
        found = "is empty" if document is None else f"holds a {type(document).__name__}"
        raise SettingsError(f"{path}: {found}; expected a mapping of settings such as 'data: {{label: y, id: id}}'")
    return document


def _read_text(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise SettingsError(f"{path}: has more than {MOST_BYTES} bytes; expected a config file, which is far smaller")
    return content.decode("utf-8")


def _missing_file(path: Path) -> str:
    there = sorted(str(p) for p in path.parent.glob("*.yml")) if path.parent.is_dir() else []
    near = difflib.get_close_matches(str(path), there, 1, 0.5)
    return f"{path}: no such config file" + (f"; did you mean {near[0]}?" if near else "; give one with --config")


def _describe_yaml(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        return f"not valid YAML: it holds the character {chr(error.character)!r}, which YAML does not allow"
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}not valid YAML: {_plain_yaml(str(getattr(error, 'problem', None) or 'cannot be parsed'))}"


def _plain_yaml(problem: str) -> str:
    """Return what PyYAML says without the words of its inside."""
    tag = problem.removeprefix("could not determine a constructor for the tag ")
    return problem if tag == problem else f"the tag {tag} is not read; leave it out"


def _describe_value(error: ValueError) -> str:
    digits = "integer string conversion" in str(error)
    return "a number has far too many digits; put it in quotes if it is text" if digits else str(error)


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the overlay's keys put over it, mapping by mapping."""
    merged = dict(base)
    for key, value in overlay.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def clean(document: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the document without what is not plain JSON, and by key path what was taken out."""
    found: dict[str, str] = {}
    return _clean(document, (), (), found), found


def _clean(value: Any, location: tuple[str | int, ...], above: tuple[int, ...], found: dict[str, str]) -> Any:
    """Return a value with `None` in place of every part that is not plain; `above` are the containers it lies in."""
    problem = _not_plain(value, above)
    if problem:
        found[_path(location)] = problem
        return None
    inside = (*above, id(value))
    if isinstance(value, Mapping):
        odd = [key for key in value if not isinstance(key, str) or _not_plain(key, ())]
        found.update({_path((*location, ascii(key))): "expected text as key; put it in quotes" for key in odd})
        return {k: _clean(v, (*location, k), inside, found) for k, v in value.items() if k not in odd}
    if isinstance(value, list | tuple):
        return [_clean(item, (*location, i), inside, found) for i, item in enumerate(value)]
    return value


def _not_plain(value: Any, above: tuple[int, ...]) -> str | None:
    """Return what keeps a value out of JSON, or None."""
    if id(value) in above or len(above) > DEEPEST:
        return "refers to itself or is nested too deeply; write it out"
    if isinstance(value, float) and not math.isfinite(value):
        return "expected a finite number"
    if isinstance(value, int) and abs(value) > LARGEST:
        return f"the number is larger than {LARGEST}"
    if isinstance(value, str) and not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        return "holds half a character (a lone surrogate); write it in UTF-8"
    if value is not None and not isinstance(value, str | int | float | list | tuple | Mapping):
        return f"expected text or a number, found {type(value).__name__}; put it in quotes"
    return None


def resolve_models(document: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the document with `models` in one of its two forms, and what is wrong with that form."""
    models = document.get("models")
    if "models" not in document or isinstance(models, list) or (isinstance(models, Mapping) and "by" in models):
        return dict(document), []
    hint = "models: expected {by: COLUMN} or a list of {name, where} or {name, train, predict}"
    return {**document, "models": {"by": "?"}}, [hint]


def structural_problems(document: Mapping[str, Any]) -> list[str]:
    """Return problems of the models list that need more than one of its items."""
    models = document.get("models")
    if not isinstance(models, list):
        return []
    if not models:
        return ["models: the list is empty; expected at least one model, or {by: COLUMN}"]
    items = [(i, item) for i, item in enumerate(models) if isinstance(item, Mapping)]
    return [*_duplicate_names(items), *_missing_rows(items), *_equal_filters(items)]


def _duplicate_names(items: list[tuple[int, Mapping[str, Any]]]) -> Iterator[str]:
    count = Counter(str(item.get("name")) for _, item in items if item.get("name") is not None)
    for name, n in count.items():
        if n > 1:
            yield f"models: the name {name!r} stands {n} times; each model needs a name of its own"
    for i, item in items:
        text = item.get("name")
        if isinstance(text, str) and (not text.strip() or contract.escape_controls(text) != text):
            yield f"models[{i}].name: expected readable text without control characters"
        if text == contract.POOLED_NAME:
            yield f"models[{i}].name: {text!r} is the name of the pooled model; choose another"


def _missing_rows(items: list[tuple[int, Mapping[str, Any]]]) -> Iterator[str]:
    for i, item in items:
        if not any(item.get(key) for key in ("where", "train", "predict")):
            yield f"models[{i}]: has no rows; give where: {{column: value}}, or train: and predict: globs"
        if bool(item.get("train")) != bool(item.get("predict")):
            yield f"models[{i}]: has only one of train: and predict:; give both globs or neither"


def _equal_filters(items: list[tuple[int, Mapping[str, Any]]]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for i, item in items:
        key = repr((item.get("where"), item.get("train"), item.get("predict")))
        if any(item.get(k) for k in ("where", "train")) and key in seen:
            yield f"models[{i}]: selects the same rows as models[{seen[key]}]; a row may belong to one model only"
        seen.setdefault(key, i)


def schema_problems(error: ValidationError, model: type[BaseModel], known: Iterable[str]) -> list[str]:
    """Return pydantic's findings as sentences with key paths and the nearest legal key; none for a `known` path."""
    legal = sorted(legal_keys(model))
    found = []
    for item in error.errors(include_url=False, include_input=False):
        location = _location(item)
        path = _path(location)
        if path not in known:
            found.append(f"{path}: {_sentence(item, location, legal)}")
    return found


def _location(item: Any) -> tuple[str | int, ...]:
    """Return where a finding lies, without what pydantic inserts for its own forms; an unknown key is the user's."""
    parts = item["loc"]
    own = len(parts) - 1 if item["type"] == "extra_forbidden" else -1
    return tuple(part for i, part in enumerate(parts) if i == own or not _is_union_branch(part))


def _is_union_branch(part: str | int) -> bool:
    return isinstance(part, str) and (part in ("Segments", "[key]") or part.startswith(("tuple[", "function-")))


def _path(location: tuple[str | int, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.lstrip(".")


def _sentence(item: Any, location: tuple[str | int, ...], legal: list[str]) -> str:
    kind, context = item["type"], item.get("ctx", {})
    if kind in ("string_too_long", "too_long"):
        return f"longer than the {context.get('max_length')} characters or items allowed"
    if kind == "extra_forbidden":
        return f"unknown key{_nearest(location, legal)}"
    if kind in PLAIN_WORDS:
        return PLAIN_WORDS[kind]
    if kind == "literal_error":
        return f"expected one of {context.get('expected')}"
    if kind == "string_pattern_mismatch":
        return f"does not have the form {context.get('pattern')}"
    return str(item["msg"]).removeprefix("Value error, ").replace("Input should be", "expected")


def _nearest(location: tuple[str | int, ...], legal: list[str]) -> str:
    """Suggest a key of the same mapping, else one that has its place elsewhere, else list what is legal here."""
    key, parent = str(location[-1]), location[:-1]
    siblings = [path.rpartition(".")[2] for path in legal if _is_inside(path, parent)]
    close = difflib.get_close_matches(key, siblings, 1, 0.6)
    if close:
        return f"; did you mean {_path((*parent, close[0]))}?"
    elsewhere = {path.rpartition(".")[2]: path for path in reversed(legal)}
    far = difflib.get_close_matches(key, elsewhere, 1, 0.75)
    if far:
        return f"; did you mean {elsewhere[far[0]]}?"
    return f"; legal here: {', '.join(siblings)}" if siblings else ""


def _is_inside(path: str, parent: tuple[str | int, ...]) -> bool:
    """Tell whether the legal key `path` lies directly in the mapping at `parent`."""
    parts = path.replace("[*]", ".*").split(".")[:-1]
    return len(parts) == len(parent) and all(p in ("*", str(k)) for p, k in zip(parts, parent, strict=True))


def legal_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the path of every key of a settings model, list items and free names as `*`."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        yield path
        for inner, step in _models_in(field.annotation):
            yield from legal_keys(inner, f"{path}{step}.")


def _models_in(annotation: Any) -> Iterator[tuple[type[BaseModel], str]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation, ""
        return
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    many = origin in (tuple, list, dict)
    for argument in arguments:
        for inner, step in _models_in(argument):
            yield inner, ".*" + step if many and origin is dict else ("[*]" + step if many else step)
