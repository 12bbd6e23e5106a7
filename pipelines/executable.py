"""The definition that an execution on this machine is of: compiled for its data, or read from a file and checked."""

from __future__ import annotations

import contextlib
import json
import logging
from pathlib import Path

from pipelines import approved, limits, models, shards
from pipelines import compile as compiling
from pipelines.bundles import Bundle
from pipelines.errors import DefinitionError, PipelineError, SettingsError
from pipelines.local import document
from pipelines.local.step import Definition
from pipelines.options import say_options
from pipelines.recall import Recall
from pipelines.settings import Settings
from steps import contract

log = logging.getLogger(__name__)


def choose_definition(
    config: Settings,
    path: Path,
    folder: Path,
    file: Path | None,
    recall: Recall,
    mode: str = contract.FULL,
    environment: str | None = None,
) -> tuple[Definition, tuple[Bundle, ...]]:
    """Return the definition to execute, compiled or from a file, and the bundles it may refer to.

    Args:
        config: the configuration.
        path: its file, beside which the lock file lies.
        folder: the raw folder.
        file: a definition that was compiled before.
        recall: what the workspace knows already.
        mode: which of the pipelines; the models of one that scores only are those of the workspace's registry.
        environment: whose overlay is in the configuration, for the commands that a refusal advises.

    Raises:
        PipelineError: it cannot be compiled or read, or does not fit this config and code.
    """
    given = None if file is None else _read_definition(file)
    chosen = choose_models(config, path, folder, recall, mode, environment)
    if file is None or given is None:
        compiled = recall.compile_pipeline(config, chosen, mode=mode)
        for warning in compiled.warnings:
            log.warning(warning)
        return document.parse(compiled.text), compiled.bundles
    kind = contract.TRAIN if mode == contract.FULL else contract.INFER
    jobs = sum(step.name.startswith(f"{kind}-") for step in given.every_step())
    forms = _all_forms(config, path, folder, chosen, recall)
    bundles = tuple(
        bundle for form in forms for bundle in compiling.draw(config, shards.pack(form, jobs or len(form)))[1]
    )
    _check_bundles(given, bundles, file)
    return given, bundles


def choose_models(
    config: Settings, path: Path, folder: Path, recall: Recall, mode: str, environment: str | None
) -> tuple[models.ModelSpec, ...]:
    """Return the models of an execution of a mode on these data."""
    if mode == contract.FULL:
        return compiling.choose(config, path, str(folder), frozen=False, count=recall.count_segments)
    hint = say_options(path, environment, recall.workspace.root)
    registered = approved.read_registered(config, recall.workspace)
    return approved.choose_models(config, recall.count_segments(config, folder), registered, hint)


def _read_definition(file: Path) -> Definition:
    """Return the definition in a file, before the data are looked at: what is wrong with it shows at once."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read; give a file that pipelines.compile wrote") from error
    definition = document.parse(text)
    problems = limits.check(json.loads(text))  # what the service would refuse has no meaning here either
    if problems:
        raise DefinitionError(*problems)
    return definition


def _check_bundles(definition: Definition, bundles: tuple[Bundle, ...], file: Path) -> None:
    """Refuse a definition that refers to other code or settings than this repository and config make."""
    known = {bundle.uri for bundle in bundles}
    for step in definition.every_step():
        for given in step.arguments.get("ProcessingInputs") or []:
            uri = given["S3Input"]["S3Uri"]
            if given["InputName"] in (contract.IN_CODE, contract.IN_SETTINGS) and str(uri) not in known:
                raise SettingsError(
                    f"{file}: step {step.name} refers to {given['InputName']} that this config and code do not make; "
                    "compile it again with the same --config"
                )


def _all_forms(
    config: Settings, path: Path, folder: Path, chosen: tuple[models.ModelSpec, ...], recall: Recall
) -> list[tuple[models.ModelSpec, ...]]:
    """Return the models of every form in which this config compiles: with these data, frozen, and as locked.

    Rows to predict alone, of which those that score only are chosen, need not have a form that trains.
    """
    forms = [chosen]
    for raw in (str(folder), None):
        with contextlib.suppress(PipelineError):
            forms.append(compiling.choose(config, path, raw, frozen=True, count=recall.count_segments))
    return forms
