"""The mail of a failed local execution, which on AWS a rule sends when the execution's status changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipelines import results
from pipelines.local.engine import Outcome, World
from pipelines.local.step import Definition
from pipelines.origin import Origin
from steps import contract

Scalar = str | int | float | bool


def mail_failure(world: World, definition: Definition, origin: Origin, outcome: Outcome, hint: str) -> None:
    """Mail the first failed step's reason and the command to go on with.

    A definition without any Lambda step knows no settings to mail with; then the console alone says it.
    """
    settings = _settings_uri(definition)
    if settings and outcome.failed:
        event = _event(definition, origin, outcome, hint) | {contract.KEY_SETTINGS: settings}
        world.call_lambda(contract.function_name(origin.pipeline, contract.LAMBDA_NOTIFY), event)


def _event(definition: Definition, origin: Origin, outcome: Outcome, hint: str) -> dict[str, Scalar]:
    failed = outcome.failed[0]
    keys = (contract.RAW_DATA_URI, contract.TRAIN_DATA_VERSION, contract.PREDICT_DATA_VERSION)
    return {
        **{key: str(origin.parameters.get(key, "")) for key in keys},
        contract.KEY_KIND: contract.FAILED_MAIL,
        contract.KEY_MODE: origin.mode,
        contract.KEY_EXECUTION: origin.execution,
        contract.KEY_STEP: failed.name,
        contract.KEY_MODEL: _segment(definition, failed.name),
        contract.KEY_REASON: failed.reason or "no reason was given",
        contract.KEY_COMMAND: results.next_command(failed.name, origin, hint),
        contract.KEY_DEBUG: results.debug_command(outcome, hint) or "",
    }


def _settings_uri(definition: Definition) -> str:
    """Return the URI of the Lambda code's settings, which is constant in every Lambda step."""
    for step in definition.every_step():
        value = step.arguments.get(contract.KEY_SETTINGS)
        parts = value["Std:Join"]["Values"] if isinstance(value, Mapping) and "Std:Join" in value else ()
        if parts and all(isinstance(part, str) for part in parts):
            return "/".join(parts)
    return ""


def _segment(definition: Definition, name: str) -> str:
    """Return the segment that a step's tags name, or nothing."""
    step = next(step for step in definition.every_step() if step.name == name)
    tags: list[dict[str, Any]] = list(step.arguments.get("Tags") or [])
    return next((str(tag["Value"]) for tag in tags if tag["Key"] == "segment"), "")
