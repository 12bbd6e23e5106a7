"""Checks that the parts of a definition fit together: names, references, expressions, conditions, cycles.

Pure. `document.parse` calls it once the structure is sound; it returns sentences and raises nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from pipelines.errors import nearest
from pipelines.local.expression import GET, Reference, check, function_of, parse_reference, references
from pipelines.local.schedule import dependencies
from pipelines.local.step import CONDITION, FAIL, LAMBDA, Definition, Parameter, Step

COMPARISONS = ("Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo")
CONDITION_TYPES = (*COMPARISONS, "In", "Not", "Or")


def check_definition(definition: Definition) -> list[str]:
    """Return every problem that shows only when steps are seen together."""
    steps = definition.every_step()
    parameters = {parameter.name: parameter for parameter in definition.parameters}
    problems = list(_doubles("parameter", [parameter.name for parameter in definition.parameters]))
    problems += _doubles("step", [step.name for step in steps])
    names = {step.name: step for step in steps}
    for step in steps:
        found = [*_check_expressions(step), *_check_names(step, names, parameters), *_check_texts(step, parameters)]
        problems += [f"step {step.name!r}: {problem}" for problem in dict.fromkeys(found)]
    return problems or list(_check_cycles(definition))


def _doubles(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in sorted(Counter(names).items()):
        if count > 1:
            yield f"definition: {count} {what}s are called {name!r}; names have to be unique"


def _check_expressions(step: Step) -> Iterator[str]:
    if step.job:
        for where, value in step.job.expressions():
            yield from (f"{where}: {problem}" for problem in check(value))
    elif step.type == CONDITION:
        yield from _check_conditions(step.arguments.get("Conditions"))
    elif step.type == FAIL:
        yield from check(step.arguments.get("ErrorMessage", ""))
    elif step.type == LAMBDA:
        for key, value in step.arguments.items():
            yield from (f"input {key!r}: {problem}" for problem in check(value))


def _check_conditions(conditions: Any) -> Iterator[str]:
    if not isinstance(conditions, list) or not conditions:
        yield "found no list of conditions"
        return
    for condition in conditions:
        yield from _check_condition(condition)


def _check_condition(condition: Any) -> Iterator[str]:
    kind = condition.get("Type") if isinstance(condition, Mapping) else None
    if kind in COMPARISONS:
        yield from check(condition.get("LeftValue"))
        yield from check(condition.get("RightValue"))
    elif kind == "In":
        values = condition.get("Values")
        for value in [condition.get("QueryValue"), *(values if isinstance(values, list) else [None])]:
            yield from check(value)
    elif kind == "Not":
        yield from _check_condition(condition.get("Condition"))
    elif kind == "Or":
        yield from _check_conditions(condition.get("Conditions"))
    else:
        known = ", ".join(CONDITION_TYPES)
        yield f"unknown condition {kind!r}{nearest(str(kind), CONDITION_TYPES)}; the local engine knows {known}"


def _check_names(step: Step, steps: Mapping[str, Step], parameters: Mapping[str, Parameter]) -> Iterator[str]:
    for name in step.depends_on:
        if name not in steps:
            yield f"DependsOn names {name!r}, which is no step{nearest(name, steps)}"
    for found in references(_own_values(step)):
        if found.kind == "parameter" and found.name not in parameters:
            yield f"Get names the parameter {found.name!r}, which is not declared{nearest(found.name, parameters)}"
        elif found.step and found.step not in steps:
            yield f"Get names {found.step!r}, which is no step{nearest(found.step, steps)}"
        elif found.step:
            yield from _check_target(found, steps[found.step])
    outputs = [output.name for output in step.job.outputs] if step.job else []
    for file in step.property_files:
        if file.output not in outputs:
            yield f"property file {file.name!r} names the output {file.output!r}{nearest(file.output, outputs)}"


def _check_target(found: Reference, target: Step) -> Iterator[str]:
    names = {
        "output": [output.name for output in target.job.outputs] if target.job else [],
        "result": list(target.results),
        "property file": [file.name for file in target.property_files],
        "outcome": ["Outcome"] if target.type == CONDITION else [],
    }[found.kind]
    if found.name not in names:
        hint = nearest(found.name, names)
        yield f"Get names the {found.kind} {found.name!r}, which {target.name!r} does not have{hint}"


def _check_texts(step: Step, parameters: Mapping[str, Parameter]) -> Iterator[str]:
    """Yield numbers where the service takes texts only."""
    for where, value in step.job.texts() if step.job else ():
        found = parse_reference(value[GET]) if function_of(value) == GET else None
        parameter = parameters.get(found.name) if found and found.kind == "parameter" else None
        if parameter and parameter.type != "String":
            yield f"{where} is the {parameter.type} parameter {parameter.name!r}, expected a text; use to_string()"
        elif not isinstance(value, str | Mapping):
            yield f"{where} is {value!r}, expected a text"


def _own_values(step: Step) -> list[Any]:
    """Return the step's arguments without the steps of its branches."""
    return [value for key, value in step.arguments.items() if key not in ("IfSteps", "ElseSteps")]


def _check_cycles(definition: Definition) -> Iterator[str]:
    try:
        TopologicalSorter(dependencies(definition)).prepare()
    except CycleError as error:
        circle = " -> ".join(repr(name) for name in error.args[1])
        yield f"definition: steps wait for each other: {circle}"
