"""Values of the pipeline parameters of an execution: `--set` pairs read, converted and checked beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.errors import ParameterError, SettingsError
from pipelines.local import values
from pipelines.local.step import Definition
from pipelines.settings import Settings
from steps import contract

Scalar = str | int | float | bool

VERSIONS = (contract.TRAIN_DATA_VERSION, contract.PREDICT_DATA_VERSION)


def read_pairs(pairs: list[str]) -> dict[str, str]:
    """Return `Name=Value` pairs as a mapping.

    Raises:
        SettingsError: a pair has no `=`.
    """
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise SettingsError(*(f"--set {pair}: expected Name=Value, such as MaeThreshold=12" for pair in wrong))
    return dict(pair.split("=", 1) for pair in pairs)


def read_own(pairs: list[str]) -> dict[str, str]:
    """Return `Name=Value` pairs of parameters that a run on this machine may set.

    Raises:
        SettingsError: a pair has no `=`, or names what is computed from the raw folder.
    """
    found = read_pairs(pairs)
    computed = [name for name in (contract.RAW_DATA_URI, *VERSIONS) if name in found]
    if computed:
        raise SettingsError(
            *(f"--set {name}: is computed from the raw folder; give another with --raw" for name in computed)
        )
    return found


def check_same(definition: Definition, known: Mapping[str, Scalar], asked: Mapping[str, str]) -> None:
    """Refuse values that differ from those an execution was started with.

    Raises:
        ParameterError: a value differs, is unknown or of the wrong type.
    """
    found = values.parameter_values(definition, {**known, **asked})
    differing = [name for name in asked if found[name] != known.get(name)]
    if differing:
        raise ParameterError(
            *(f"--set {name}: the execution was started with {known.get(name)}; start a new one" for name in differing)
        )


def check(definition: Definition, given: Mapping[str, object], config: Settings) -> dict[str, Scalar]:
    """Return a value for every declared parameter.

    Raises:
        ParameterError: a parameter is unknown, missing or of the wrong type, or its value cannot work.
    """
    found = values.parameter_values(definition, given)
    problems = [*_controls(found), *_threshold(found), *_time_limit(found, config)]
    if problems:
        raise ParameterError(*problems)
    return found


def _controls(found: Mapping[str, Any]) -> Iterator[str]:
    for name, value in found.items():
        if isinstance(value, str) and contract.escape_controls(value) != value:
            yield f"{name}: holds a line break or another control character; leave it out"


def _threshold(found: Mapping[str, Any]) -> Iterator[str]:
    threshold = found.get(contract.MAE_THRESHOLD)
    if threshold is not None and not 0 < float(threshold) < contract.FAILED_MAE:
        yield f"{contract.MAE_THRESHOLD}: {threshold} is not a MAE; expected a number above 0 and below 1e12"


def _time_limit(found: Mapping[str, Any], config: Settings) -> Iterator[str]:
    """A training must end by its own guards before the service ends the job, or nobody learns why it ended."""
    limit = found.get(contract.TRAIN_TIME_LIMIT)
    if limit is None:
        return
    if not limit > 0:
        yield f"{contract.TRAIN_TIME_LIMIT}: {limit} is not a time; expected seconds above 0"
        return
    needed = config.training.model_copy(update={"time_limit": limit}).longest
    allowed = config.max_runtime_of(config.instances.train)
    if needed > allowed:
        yield (
            f"{contract.TRAIN_TIME_LIMIT}: {limit} s may take {needed} s with its guards, and the job is stopped after "
            f"{allowed} s; lower it, or raise instances.train.max_runtime"
        )
