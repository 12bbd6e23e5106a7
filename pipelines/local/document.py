"""A compiled definition as frozen dataclasses. Parsing refuses everything that the engine could not run as written.

Pure. The first stage of a local run: JSON text -> `Definition` -> `schedule`, `values`, `engine`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from pipelines.errors import DefinitionError, nearest
from pipelines.local.consistency import check_definition
from pipelines.local.job import parse_job
from pipelines.local.reader import Reader
from pipelines.local.step import (
    CONDITION,
    FAIL,
    LAMBDA,
    PARAMETER_TYPES,
    PROCESSING,
    STEP_TYPES,
    Definition,
    Parameter,
    PropertyFile,
    RetryPolicy,
    Step,
)

__all__ = ["CONDITION", "FAIL", "LAMBDA", "PROCESSING", "Definition", "Parameter", "Step", "parse"]

VERSION = "2020-12-01"
DEEPEST = 60
"""Levels of a definition's JSON; what the SDK writes has about twenty."""
_STEP_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_STEP_KEYS = ("Name", "Type", "Arguments", "DependsOn", "DisplayName", "Description", "CacheConfig", "RetryPolicies")
_OWN_KEYS = {PROCESSING: ("PropertyFiles",), LAMBDA: ("FunctionArn", "OutputParameters")}


def parse(text: str) -> Definition:
    """Read a compiled definition.

    Raises:
        DefinitionError: it is no JSON, or holds something that the engine does not know; all problems at once.
    """
    problems: list[str] = []
    top = Reader(_load(text), "definition", problems)
    top.allow(
        *("Version", "Metadata", "Parameters", "Steps", "PipelineExperimentConfig"),
        *("ParallelismConfiguration", "MlflowConfig"),
    )
    top.expect("Version", (VERSION,), VERSION)
    limit = top.child("ParallelismConfiguration").number("MaxParallelExecutionSteps")
    definition = Definition(
        parameters=tuple(_parameter(item) for item in top.children("Parameters")),
        steps=tuple(_step(item, nested=False) for item in _named(top, "Steps")),
        parallelism=int(limit) if limit else None,
        text=text,
    )
    problems += check_definition(definition) if not problems else []
    if problems:
        raise DefinitionError(*problems)
    return definition


def _load(text: str) -> Any:
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise DefinitionError(f"definition: no valid JSON ({error}); compile it again") from error
    except RecursionError:
        found = None
    if found is None or _is_deep(found):
        raise DefinitionError(f"definition: found nothing, or more than {DEEPEST} levels of JSON; compile it again")
    return found


def _is_deep(value: Any) -> bool:
    """Tell whether a value has more levels than any definition: what reads it goes as deep as it does."""
    level = [value]
    for _ in range(DEEPEST):
        level = [part for whole in level for part in _parts(whole)]
    return bool(level)


def _parts(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")


def _named(reader: Reader, key: str) -> list[Reader]:
    """Return readers for a list of steps that name the step instead of its position."""
    readers = reader.children(key)
    for item in readers:
        item.where = f"step {item.value['Name']!r}" if item.value.get("Name") else item.where
    return readers


def _parameter(reader: Reader) -> Parameter:
    reader.allow("Name", "Type", "DefaultValue", "EnumValues")
    kind = reader.expect("Type", PARAMETER_TYPES, "String")
    return Parameter(reader.text("Name"), kind, reader.value.get("DefaultValue"), tuple(reader.items("EnumValues")))


def _step(reader: Reader, nested: bool) -> Step:
    kind, name = reader.text("Type"), reader.text("Name")
    _check_step(reader, kind, name, nested)
    arguments = reader.child("Arguments")
    branching = kind == CONDITION and not nested
    if branching:
        arguments.allow("Conditions", "IfSteps", "ElseSteps")
    return Step(
        name=name,
        type=kind,
        arguments=arguments.value,
        display_name=reader.text("DisplayName", ""),
        description=reader.text("Description", ""),
        depends_on=_depends_on(reader),
        cache=reader.child("CacheConfig").value.get("Enabled") is True,
        property_files=tuple(_property_file(item) for item in reader.children("PropertyFiles")),
        retry_policies=tuple(_retry_policy(item) for item in reader.children("RetryPolicies")),
        job=parse_job(arguments) if kind == PROCESSING else None,
        function=reader.text("FunctionArn") if kind == LAMBDA else "",
        results=_results(reader) if kind == LAMBDA else {},
        if_steps=_branch(arguments, "IfSteps") if branching else (),
        else_steps=_branch(arguments, "ElseSteps") if branching else (),
    )


def _check_step(reader: Reader, kind: str, name: str, nested: bool) -> None:
    if kind not in STEP_TYPES:
        known = ", ".join(STEP_TYPES)
        reader.note(f"unknown step type {kind!r}{nearest(kind, STEP_TYPES)}; the local engine runs {known}")
    elif kind == CONDITION and nested:
        reader.note("a condition inside a branch of another condition; SageMaker Pipelines does not nest them")
    else:
        reader.allow(*_STEP_KEYS, *_OWN_KEYS.get(kind, ()))
    if not _STEP_NAME.fullmatch(name):
        reader.note("the name of a step is 1 to 64 letters, digits, '-' and '_'")


def _branch(arguments: Reader, key: str) -> tuple[Step, ...]:
    return tuple(_step(item, nested=True) for item in _named(arguments, key))


def _depends_on(reader: Reader) -> tuple[str, ...]:
    found = reader.items("DependsOn")
    if not all(isinstance(item, str) for item in found):
        reader.note("DependsOn holds a trigger; the local engine knows names of steps only (all have to succeed)")
    return tuple(item for item in found if isinstance(item, str))


def _property_file(reader: Reader) -> PropertyFile:
    reader.allow("PropertyFileName", "OutputName", "FilePath")
    return PropertyFile(reader.text("PropertyFileName"), reader.text("OutputName"), reader.text("FilePath"))


def _retry_policy(reader: Reader) -> RetryPolicy:
    reader.allow("ExceptionType", "IntervalSeconds", "BackoffRate", "MaxAttempts", "ExpireAfterMin")
    attempts = reader.number("MaxAttempts")
    return RetryPolicy(
        kinds=tuple(str(kind) for kind in reader.items("ExceptionType")),
        attempts=int(attempts) if attempts else None,
        interval=reader.number("IntervalSeconds", 1.0) or 0.0,
        backoff=reader.number("BackoffRate", 2.0) or 1.0,
        expire_minutes=reader.number("ExpireAfterMin"),
    )


def _results(reader: Reader) -> dict[str, str]:
    found = {}
    for item in reader.children("OutputParameters"):
        item.allow("OutputName", "OutputType")
        found[item.text("OutputName")] = item.expect("OutputType", PARAMETER_TYPES, "String")
    return found
