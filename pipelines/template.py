"""A CloudFormation template as far as a plan shows it: its resources and parameters, by name. Pure."""

from __future__ import annotations

import functools
from typing import Any

import yaml

from pipelines.errors import PipelineError

_FAST: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader of libyaml where PyYAML was built with it: ten times as fast on a template of a thousand lines."""


class _Loader(_FAST):  # type: ignore[misc]  # which of the two is known only when it runs
    """Reads YAML whose short functions (`!Sub x`) become mappings (`{Sub: x}`)."""


def _function(loader: _Loader, name: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _function)


def resources(text: str) -> dict[str, str]:
    """Return the type of every resource by its name, in the template's order."""
    return {name: str(item.get("Type", "")) for name, item in _section(text, "Resources").items()}


def parameters(text: str) -> frozenset[str]:
    """Return the names of the parameters that the template takes."""
    return frozenset(_section(text, "Parameters"))


def functions(text: str, pipeline: str) -> frozenset[str]:
    """Return the names of the Lambda functions that the template makes for a pipeline."""
    made = (r["Properties"] for r in _section(text, "Resources").values() if r.get("Type") == "AWS::Lambda::Function")
    names = (str(properties.get("FunctionName", {}).get("Sub", "")) for properties in made)
    return frozenset(name.replace("${PipelineName}", pipeline) for name in names)


def says_the_same(one: str, other: str) -> bool:
    """Tell whether two templates differ in nothing but comments and layout."""
    return one == other or _parsed(one) == _parsed(other)


def _section(text: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = _parsed(text).get(name) or {}
    return found


@functools.lru_cache(maxsize=8)  # the same few large texts are asked several things
def _parsed(text: str) -> dict[str, Any]:
    try:
        return yaml.load(text, Loader=_Loader) or {}  # noqa: S506  # the loader is a SafeLoader
    except yaml.YAMLError as error:
        raise PipelineError(f"the template is not YAML: {error}") from error
