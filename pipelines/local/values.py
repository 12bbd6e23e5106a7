"""Computes what a definition leaves open: parameter values, Get, Std:Join, Std:JsonGet and conditions.

Pure: whatever has to be read from files comes in through `Scope`.
"""

from __future__ import annotations

import json
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pipelines.errors import ExecutionError, ParameterError, nearest
from pipelines.local.expression import (
    GET,
    JOIN,
    JSON_GET,
    Reference,
    function_of,
    parse_path,
    parse_reference,
)
from pipelines.local.job import Job
from pipelines.local.record import Scalar, StepRecord
from pipelines.local.step import Definition, Parameter, Step

VALUE_LIMIT = 1024
"""Characters of a parameter's value or a Lambda output
(https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Parameter.html)."""
_ARN = "arn:aws:sagemaker:local:000000000000:pipeline/"
_WHOLE = re.compile(r"[-+]?[0-9]+")
_DECIMAL = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
"""What is a number in a text, as a marker has it too: Python would also read `1_000`, blanks and other digits."""
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}


@dataclass(frozen=True)
class Scope:
    """What expressions may name; `read_json` returns the content of a JSON object by its URI."""

    parameters: Mapping[str, Scalar]
    execution: Mapping[str, str]
    steps: Mapping[str, Step]
    records: Mapping[str, StepRecord]
    read_json: Callable[[str], Any]


def execution_variables(pipeline: str, execution_id: str, first_start: float) -> dict[str, str]:
    """Return what `Execution.*` stands for in an execution, whenever it is asked for."""
    arn, day = _ARN + pipeline, datetime.fromtimestamp(first_start, UTC)
    return {
        "PipelineExecutionId": execution_id,
        "PipelineExecutionArn": f"{arn}/execution/{execution_id}",
        "PipelineName": pipeline,
        "PipelineArn": arn,
        "StartDateTime": day.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def parameter_values(definition: Definition, given: Mapping[str, object]) -> dict[str, Scalar]:
    """Return the value of every declared parameter; texts are converted to the declared type.

    Raises:
        ParameterError: undeclared names, missing values and wrong types, all at once.
    """
    declared = {parameter.name: parameter for parameter in definition.parameters}
    problems = [
        f"parameter {name!r} is not declared{nearest(name, declared)}" for name in sorted(set(given) - set(declared))
    ]
    values: dict[str, Scalar] = {}
    for name, parameter in declared.items():
        value = given.get(name, parameter.default)
        if value is None:
            problems.append(f"parameter {name!r} has no default; give it a value, such as --set {name}=...")
            continue
        converted = _convert(value, parameter.type)
        problems += _check_value(parameter, value, converted)
        values |= {name: converted} if converted is not None else {}
    if problems:
        raise ParameterError(*problems)
    return values


def _check_value(parameter: Parameter, value: object, converted: Scalar | None) -> list[str]:
    where = f"parameter {parameter.name!r}"
    if converted is None:
        return [f"{where} is {_cut(repr(value))}, expected {parameter.type}"]
    if parameter.choices and converted not in parameter.choices:
        return [f"{where} is {_cut(repr(value))}, expected one of {', '.join(map(str, parameter.choices))}"]
    if len(as_text(converted)) > VALUE_LIMIT:
        return [f"{where} has {len(as_text(converted))} characters, at most {VALUE_LIMIT} are allowed"]
    return []


def _cut(text: str, limit: int = 100) -> str:
    return text if len(text) <= limit else f"{text[:limit]}..."


def _convert(value: object, kind: str) -> Scalar | None:
    """Return a value as its declared type, or None where it is of another."""
    if kind == "String":
        return value if isinstance(value, str) else None
    if kind == "Boolean":
        return {"true": True, "false": False}.get(str(value).lower())
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    return _number(value, whole=kind == "Integer")


def _number(value: int | float | str, whole: bool) -> int | float | None:
    if isinstance(value, str) and not (_WHOLE if whole else _DECIMAL).fullmatch(value):
        return None
    try:
        if whole:
            return int(value) if not isinstance(value, float) else None
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def resolve(value: Any, scope: Scope) -> Scalar:
    """Return the value of an expression.

    Raises:
        ExecutionError: a property file is missing, is no JSON or lacks the path.
    """
    name = function_of(value)
    if name == GET:
        return _get(value[GET], scope)
    if name == JOIN:
        on = str(value[JOIN].get("On", ""))
        return on.join(as_text(resolve(part, scope)) for part in value[JOIN]["Values"])
    if name == JSON_GET:
        return _json_get(value[JSON_GET], scope)
    if isinstance(value, str | int | float):
        return value
    raise ExecutionError(f"cannot compute {value!r}; a definition that was parsed holds no such value")


def _get(text: str, scope: Scope) -> Scalar:
    found = parse_reference(text)
    if found is None:
        raise ExecutionError(f"cannot compute Get {text!r}; a definition that was parsed holds no such reference")
    if found.kind == "parameter":
        return scope.parameters[found.name]
    if found.kind == "execution":
        return scope.execution[found.name]
    return _of_step(found, scope)


def _of_step(found: Reference, scope: Scope) -> Scalar:
    record = scope.records[found.step]
    values: Mapping[str, Scalar] = record.outputs if found.kind == "output" else record.results
    if found.name not in values:
        raise ExecutionError(f"step {found.step!r} left no {found.kind} {found.name!r}; run it again")
    return values[found.name]


def _json_get(body: Mapping[str, Any], scope: Scope) -> Scalar:
    uri = str(resolve(body["S3Uri"], scope)) if "S3Uri" in body else _property_uri(body["PropertyFile"][GET], scope)
    value = scope.read_json(uri)
    for part in parse_path(body["Path"]) or ():
        try:
            value = _item(value, part)
        except (KeyError, IndexError, TypeError):
            raise ExecutionError(f"{uri} has nothing at the path {body['Path']!r}") from None
    if not isinstance(value, str | int | float):
        raise ExecutionError(f"{uri} has no text, number or boolean at the path {body['Path']!r}")
    if isinstance(value, float) and not math.isfinite(value):  # json reads NaN, which JSON does not have
        raise ExecutionError(f"{uri} has {value} at the path {body['Path']!r}, expected a finite number")
    return value


def _item(value: Any, part: str | int) -> Any:
    if isinstance(value, str):
        raise TypeError("a text has letters, but no items")
    return value[part]


def _property_uri(text: str, scope: Scope) -> str:
    found = parse_reference(text)
    assert found is not None  # noqa: S101 - parse refused everything else
    file = next(item for item in scope.steps[found.step].property_files if item.name == found.name)
    folder = _of_step(Reference("output", found.step, file.output), scope)
    return f"{str(folder).rstrip('/')}/{file.path}"


def evaluate_all(conditions: list[Any], scope: Scope) -> bool:
    """Tell whether every condition of a list holds; all are computed, so that an error in one is never hidden."""
    return all([evaluate(condition, scope) for condition in conditions])


def evaluate(condition: Mapping[str, Any], scope: Scope) -> bool:
    """Tell whether a condition holds.

    Raises:
        ExecutionError: its values cannot be computed or compared.
    """
    kind = condition["Type"]
    if kind == "Not":
        return not evaluate(condition["Condition"], scope)
    if kind == "Or":
        return any([evaluate(part, scope) for part in condition["Conditions"]])
    if kind == "In":
        query = resolve(condition["QueryValue"], scope)
        return any([_compare("Equals", query, resolve(value, scope)) for value in condition["Values"]])
    return _compare(kind, resolve(condition["LeftValue"], scope), resolve(condition["RightValue"], scope))


def _compare(kind: str, left: Scalar, right: Scalar) -> bool:
    if _family(left) != _family(right):
        raise ExecutionError(f"{kind} cannot compare {_family(left)} with {_family(right)}")
    return _COMPARE[kind](left, right)


def _family(value: Scalar) -> str:
    return "a text" if isinstance(value, str) else "a boolean" if isinstance(value, bool) else "a number"


def as_text(value: Scalar) -> str:
    """Return a value as Std:Join writes it; numbers and booleans in their JSON form."""
    return value if isinstance(value, str) else json.dumps(value)


def resolve_text(value: Any, scope: Scope, where: str) -> str:
    """Return the value of an expression that has to be a text, as the service demands it.

    Raises:
        ExecutionError: it is a number or a boolean.
    """
    found = resolve(value, scope)
    if not isinstance(found, str):
        raise ExecutionError(f"ClientError: {where} is {_family(found)}, expected a text; use to_string()")
    return found


def resolve_job(job: Job, scope: Scope) -> Job:
    """Return a job with every expression computed."""

    def text(value: Any, where: str) -> str:
        return resolve_text(value, scope, where)

    runtime = None if job.max_runtime is None else _whole(resolve(job.max_runtime, scope), "MaxRuntimeInSeconds")
    return replace(
        job,
        image=text(job.image, "ImageUri"),
        entrypoint=tuple(text(value, "ContainerEntrypoint") for value in job.entrypoint),
        arguments=tuple(text(value, "ContainerArguments") for value in job.arguments),
        environment={key: text(value, f"Environment {key}") for key, value in sorted(job.environment.items())},
        inputs=tuple(replace(item, uri=text(item.uri, f"input {item.name!r}")) for item in job.inputs),
        outputs=tuple(replace(item, uri=text(item.uri, f"output {item.name!r}")) for item in job.outputs),
        instances=_whole(resolve(job.instances, scope), "InstanceCount"),
        max_runtime=runtime,
    )


def _whole(value: Scalar, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ExecutionError(f"ClientError: {where} is {value!r}, expected a whole number above 0")
    return value


def lambda_results(step: Step, returned: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the declared outputs of a Lambda step from what its function returned.

    Raises:
        ExecutionError: an output is missing, of another type, or longer than the service takes.
    """
    found: dict[str, Scalar] = {}
    for name, kind in step.results.items():
        if name not in returned:
            raise ExecutionError(
                f"the function returned no {name!r}{nearest(name, returned)}; it is declared as {kind}"
            )
        value = None if kind != "String" and isinstance(returned[name], str) else _convert(returned[name], kind)
        if value is None:
            raise ExecutionError(f"the function returned {name!r} as {type(returned[name]).__name__}, expected {kind}")
        if len(as_text(value)) > VALUE_LIMIT:
            raise ExecutionError(f"the function returned {name!r} with more than {VALUE_LIMIT} characters")
        found[name] = value
    return found
