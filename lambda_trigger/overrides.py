"""The body of a run marker: values of pipeline parameters and the files that must be there. Pure.

YAML or JSON, one mapping. Only declared parameters can be set, in their declared types; everything that is wrong is
reported at once, each with what to write instead.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from lambda_trigger.definition import Parameter
from lambda_trigger.ports import Scalar
from steps import contract

BODY_LIMIT = 256 * 1024
"""Bytes of a marker that are read; 10,000 files with their sizes take about as much."""
VALUE_LIMIT = 1024
"""Characters of a parameter's value
(https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Parameter.html)."""
VARIABLE_LIMIT = 256
"""Characters of the environment variable in which the steps get a parameter of the user's own."""
FILES, MODE = "files", "mode"
COMPUTED = (contract.RAW_DATA_URI, contract.TRAIN_DATA_VERSION, contract.PREDICT_DATA_VERSION)
EXAMPLE = "expected lines such as 'MaeThreshold: 12', or nothing at all"
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_HUGE = 10**18
_SAY_TWICE = "{!r} stands twice, keep one"
_FILES_FORM = "expected names of files, each with its size in bytes: 'files: {train.csv: 1024, predict.csv: 96}'"


_DECIMAL = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]+)?")
_NUMBERS = {
    "tag:yaml.org,2002:int": re.compile(r"[-+]?[0-9]+$"),
    "tag:yaml.org,2002:float": re.compile(f"{_DECIMAL.pattern}$"),
}
"""What is a number: decimals only. YAML 1.1 would read 0600 as 384 and 1:30 as 90."""


class _StrictLoader(yaml.SafeLoader):
    """A safe loader that refuses what a marker never needs and what could surprise.

    The same key twice; tags, which force a type upon a text that may not have it; and aliases, by which a small text
    can become a huge document. Numbers are decimal.
    """

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="aliases are not read")
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]  # its types lack this one
        if getattr(event, "tag", None) is not None:
            raise yaml.MarkedYAMLError(problem="tags are not read", problem_mark=event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        counts = Counter(str(key.value) for key, _ in node.value)
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise yaml.MarkedYAMLError(problem="merge keys are not read", problem_mark=key.start_mark)
            if counts[str(key.value)] > 1:
                raise yaml.MarkedYAMLError(problem=_SAY_TWICE.format(_cut(str(key.value))), problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag not in _NUMBERS]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern in _NUMBERS.items():
    _StrictLoader.add_implicit_resolver(_tag, _pattern, list("-+.0123456789"))
_StrictLoader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))
_StrictLoader.add_constructor("tag:yaml.org,2002:float", lambda _, node: float(node.value))


@dataclass(frozen=True)
class Body:
    """What a marker says: values by name as they were written, and files with their sizes (None: any).

    `mode` says whether all of the pipeline runs, or scores only.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, int | None] = field(default_factory=dict)
    mode: str = contract.FULL


@dataclass(frozen=True)
class Limits:
    """What a start is checked against: the declared parameters and the longest training time a job allows."""

    parameters: tuple[Parameter, ...]
    max_time_limit: int


def read(content: bytes) -> tuple[Body, list[str]]:
    """Return what a marker's content says, and what is wrong with its form."""
    if len(content) > BODY_LIMIT:
        return Body(), [f"the marker has more than {BODY_LIMIT} bytes; {EXAMPLE}"]
    try:
        text = content.decode("utf-8-sig")
        found = _load(text) if text.strip() else None
        json.dumps(found, ensure_ascii=False, default=str, skipkeys=True).encode()  # half a letter cannot be mailed
    except UnicodeDecodeError:
        return Body(), ["the marker is no UTF-8 text; save it as UTF-8"]
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        return Body(), [f"the marker is neither YAML nor JSON ({_say_yaml(error)}); {EXAMPLE}"]
    if found is None:
        return Body(), []
    if not isinstance(found, dict):
        return Body(), [f"the marker is no mapping of names to values; {EXAMPLE}"]
    files, problems = _read_files(found.get(FILES))
    mode = found.get(MODE, contract.FULL)
    if mode not in contract.MODES:
        problems, mode = [*problems, _say_mode(mode)], contract.FULL
    return Body({str(name): value for name, value in found.items() if name not in (FILES, MODE)}, files, mode), problems


def check(values: Mapping[str, Any], limits: Limits) -> tuple[dict[str, str], list[str]]:
    """Return the values as texts for the service, and what is wrong with them."""
    declared = {parameter.name: parameter for parameter in limits.parameters}
    problems = [_say_unknown(name, declared) for name in values if name not in declared]
    problems += [
        f"{name}: is computed from the files of the raw folder; leave it out, and drop the marker beside other files"
        for name in values
        if name in declared and name in COMPUTED
    ]
    own = {name: value for name, value in values.items() if name in declared and name not in COMPUTED}
    converted = {name: _convert(value, declared[name].type) for name, value in own.items()}
    for name, value in own.items():
        problems += _check_value(declared[name], value, converted[name], limits)
    problems += [
        f"{name}: has no default; give it a value in the marker"
        for name, parameter in declared.items()
        if parameter.default is None and name not in COMPUTED and name not in values
    ]
    return {name: as_text(value) for name, value in converted.items() if value is not None}, problems


def as_text(value: Scalar) -> str:
    """Return a value as the service takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _load(text: str) -> Any:
    """Return what a text says as JSON, else as YAML, which reads most JSON but not its tabs and escapes."""
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError:
        pass
    loader = _StrictLoader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise yaml.MarkedYAMLError(problem=_SAY_TWICE.format(_cut(name)))
    return dict(pairs)


def _read_files(found: Any) -> tuple[dict[str, int | None], list[str]]:
    """Return the promised files, from a mapping of names to sizes or a list of names or of keys with sizes."""
    if found is None:
        return {}, []
    pairs = list(found.items()) if isinstance(found, dict) else [_pair(item) for item in _as_list(found)]
    if not all(isinstance(name, str) and name and _is_size(size) for name, size in pairs):
        return {}, [f"{FILES}: is not a list of files; {_FILES_FORM}"]
    files = {name.removeprefix("./"): size for name, size in pairs}
    wrong = [f"{FILES}: {_cut(ascii(name))} {problem}" for name in files if (problem := contract.key_problem(name))]
    return ({}, wrong) if wrong else (files, [])


def _as_list(found: Any) -> Iterable[Any]:
    return found if isinstance(found, list) else [found]


def _pair(item: Any) -> tuple[Any, Any]:
    """Return name and size of an entry: a name, `{key: NAME, size: BYTES}` or `{NAME: BYTES}`."""
    if not isinstance(item, dict):
        return item, None
    if set(item) <= {"key", "size"} and "key" in item:
        return item["key"], item.get("size")
    return next(iter(item.items())) if len(item) == 1 else (None, None)


def _is_size(size: Any) -> bool:
    return size is None or (isinstance(size, int) and not isinstance(size, bool) and size >= 0)


def _say_mode(found: Any) -> str:
    return f"{MODE}: is {_cut(_say(found))}, expected {_say_choices(contract.MODES, str(found))}"


def _say_unknown(name: str, declared: Iterable[str]) -> str:
    settable = [known for known in declared if known not in COMPUTED]
    close = difflib.get_close_matches(name, [*settable, MODE, FILES], 1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join([*sorted(settable), MODE])} and {FILES}"
    return f"{_cut(contract.escape_controls(name))}: is no parameter of this pipeline; {hint}"


def _convert(value: Any, kind: str) -> Scalar | None:
    """Return a value as its declared type, or None where it is of another."""
    if kind == "String":
        return value if isinstance(value, str) else None
    if kind == "Boolean":
        return {"true": True, "false": False}.get(str(value).lower())
    if kind == "Integer":
        return _whole(value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _DECIMAL.fullmatch(value):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _whole(value: Any) -> int | None:
    """Return a whole number of at most 18 digits, from a number or its text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value) if isinstance(value, str) or abs(value) < _HUGE else ""
    return int(text) if _INTEGER.fullmatch(text) else None


def _check_value(parameter: Parameter, given: Any, value: Scalar | None, limits: Limits) -> Iterator[str]:
    name = parameter.name
    most = VALUE_LIMIT if name in contract.RESERVED_PARAMETERS else VARIABLE_LIMIT
    if value is None:
        quotes = "; put it in quotes" if parameter.type == "String" and not isinstance(given, dict | list) else ""
        yield f"{name}: is {_cut(_say(given))}, expected {_SAY_TYPE.get(parameter.type, parameter.type)}{quotes}"
    elif isinstance(value, str) and contract.escape_controls(value) != value:
        yield f"{name}: holds a line break or another control character; leave it out"
    elif parameter.choices and as_text(value) not in parameter.choices:
        yield f"{name}: is {_cut(_say(given))}, expected {_say_choices(parameter.choices, as_text(value))}"
    elif len(as_text(value)) > most:
        yield f"{name}: has {len(as_text(value))} characters, at most {most} are allowed; shorten it"
    elif name == contract.MAE_THRESHOLD and not 0 < float(value) < contract.FAILED_MAE:
        yield f"{name}: {value} is no MAE; expected a number above 0 and below 1e12"
    elif name == contract.TRAIN_TIME_LIMIT and not 0 < int(value) <= limits.max_time_limit:
        yield (
            f"{name}: {value} is too long or no time; expected 1 to {limits.max_time_limit} seconds, so that a "
            "training ends before its job is stopped, or raise instances.train.max_runtime in the config and deploy"
        )


_SAY_TYPE = {
    "String": "text",
    "Boolean": "true or false",
    "Integer": "a whole number",
    "Float": "a number, such as 12.5",
}


def _say_choices(choices: Sequence[str], value: str) -> str:
    close = difflib.get_close_matches(value, choices, 1)
    return f"{' or '.join(choices)}" + (f"; did you mean {close[0]}?" if close else "")


def _say(value: Any) -> str:
    """Return a value for people; of what is nested, or no number or text, only the kind."""
    if value is None:
        return "empty"
    if isinstance(value, int) and abs(value) >= _HUGE:
        return "a huge number"
    return repr(value) if isinstance(value, str | int | float | bool) else f"a {type(value).__name__}"


def _cut(text: str, limit: int = 100) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."


_SAY_ERROR = {
    RecursionError: "nested too deeply",
    UnicodeEncodeError: "half a character, a lone surrogate",
    OverflowError: "an escape of no character",
}


def _say_yaml(error: Exception) -> str:
    if "integer string conversion" in str(error):
        return "a number with far too many digits"
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}: " if mark else ""
    plain = _SAY_ERROR.get(type(error)) or error.__class__.__name__
    return _cut(where + str(getattr(error, "problem", None) or plain))
