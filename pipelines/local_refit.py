"""Trains a registered model again on this machine: its Train step alone, as a selective execution of the one it is of.

What the step reads is what that execution prepared; code, settings and libraries are those of today. The graph is
compiled for the models of that execution, so that neither raw files nor segments need to be as they were.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines import local_executions, parameters, refresh, results, runs_page, shards, surroundings
from pipelines.bundles import Bundle
from pipelines.catalog import Catalog
from pipelines.errors import ExecutionError, RegistryError
from pipelines.local import document, history
from pipelines.local.durable import write_atomically
from pipelines.local.engine import Request, execute
from pipelines.local.record import SUCCEEDED, Outcome
from pipelines.local.schedule import build_graph
from pipelines.local.step import LAMBDA, Definition
from pipelines.local.workspace import Workspace
from pipelines.models import ModelSpec
from pipelines.origin import REQUEST_FILE, Origin
from pipelines.progress import open_progress
from pipelines.recall import Recall
from pipelines.refresh import Place, Refitted, Wanted
from pipelines.settings import Settings
from steps import contract


@dataclass(frozen=True)
class _Source:
    """The execution that trained a version: what it was started from, its models, where it trained, how it ended."""

    origin: Origin
    models: tuple[Mapping[str, Any], ...]
    place: Place
    outcome: Outcome


@dataclass(frozen=True)
class LocalRefit:
    """Refit over the local engine; `hint` are the options that a command in a message needs.

    `done` are the trainings that it has run: one of a shard is that of all its models.
    """

    catalog: Catalog
    settings: Settings
    workspace: Workspace
    hint: str
    done: dict[tuple[str | None, str], tuple[Definition, Outcome]] = field(default_factory=dict)

    def __call__(self, wanted: Wanted) -> Refitted:
        """Run the Train step of a version again.

        Raises:
            RegistryError: its data cannot be had again, or it did not train.
        """
        source = self._read_source(wanted)
        step, key = source.place.step, (wanted.execution, source.place.step)
        if key not in self.done:
            definition = self._compile(source)
            request, origin = self._request(source, definition, step)
            self.done[key] = definition, self._execute(request, origin)
        return self._refitted(wanted, *self.done[key], step)

    def _read_source(self, wanted: Wanted) -> _Source:
        if wanted.execution is None:
            raise refresh.unrecorded(self.catalog, wanted, "it was registered by hand, without an execution")
        try:
            origin, definition = local_executions.read(self.workspace.root, wanted.execution)
            outcome = history.load(self.workspace, wanted.execution)
        except ExecutionError:
            gone = f"execution {wanted.execution} is not in this workspace any more"
            raise refresh.unrecorded(self.catalog, wanted, gone) from None
        models = self._read_models(origin, definition)
        place = refresh.find_place(models, wanted.slug)
        record = outcome.steps.get(contract.PREPARE_TRAINING)
        prepared = record.outputs.get(contract.OUT_TRAIN) if record and record.status == SUCCEEDED else None
        status = self.workspace.path(prepared) / place.prepared / contract.STATUS_FILE if prepared else None
        if status is None or not status.is_file():
            gone = f"what {contract.PREPARE_TRAINING} made in execution {wanted.execution} is gone"
            raise refresh.unrecorded(self.catalog, wanted, gone)
        return _Source(origin, models, place, outcome)

    def _compile(self, source: _Source) -> Definition:
        """Return today's definition of the models that the source had, with its files in place."""
        specs = tuple(ModelSpec.from_json(found) for found in source.models)
        apart = max(self.settings.step_ceiling, shards.count_steps(len(specs)))  # no other jobs than the source had
        settings = self.settings.model_copy(update={"step_ceiling": apart})
        compiled = Recall(self.workspace).compile_pipeline(settings, specs)
        for bundle in compiled.bundles:
            self._store(bundle)
        return document.parse(compiled.text)

    def _read_models(self, origin: Origin, definition: Definition) -> tuple[Mapping[str, Any], ...]:
        """Return the models of an execution as its PrepareTraining step was given them."""
        uri = refresh.settings_of(definition)
        if uri is None:
            return ()
        path = self.workspace.path(uri)
        try:
            return tuple(json.loads(path.read_text(encoding="utf-8"))["models"])
        except (OSError, ValueError, KeyError) as error:
            raise RegistryError(
                f"the settings of execution {origin.execution} are gone ({path}); start a new run"
            ) from error

    def _store(self, bundle: Bundle) -> None:
        for name, content in bundle.files.items():
            uri = f"{bundle.uri}/{name}"
            if not self.catalog.ports.objects.exists(uri):
                self.catalog.ports.objects.write_text(uri, content.decode("utf-8"))

    def _request(self, source: _Source, definition: Definition, step: str) -> tuple[Request, Origin]:
        declared = {parameter.name for parameter in definition.parameters}
        kept = {name: value for name, value in source.origin.parameters.items() if name in declared}
        values = parameters.check(definition, kept, self.settings)
        now = datetime.now(UTC)
        execution = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        origin = source.origin.again(execution, now.isoformat(timespec="seconds"), values, results.threshold_of(values))
        selected = select(definition, step, source.outcome)
        origin = replace(
            origin, source=source.origin.execution, selected=tuple(sorted(selected)), cause="registry refresh"
        )
        request = Request(
            execution,
            definition,
            values,
            source=origin.source,
            selected=selected,
            cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            use_cache=False,
            pipeline=origin.pipeline,
        )
        return request, origin

    def _execute(self, request: Request, origin: Origin) -> Outcome:
        folder, scratch = self.workspace.execution(origin.execution), self.workspace.scratch
        write_atomically(folder / history.DEFINITION_FILE, request.definition.text, scratch)
        write_atomically(folder / REQUEST_FILE, origin.to_json(), scratch)
        with (
            open_progress(request.definition, origin.execution) as progress,
            runs_page.keep(self.workspace, origin, request.definition, progress) as page,
            surroundings.open_world(self.workspace, origin.pipeline, progress, self.hint) as world,
        ):
            return execute(request, world, page.watch)

    def _refitted(self, wanted: Wanted, definition: Definition, outcome: Outcome, step: str) -> Refitted:
        if outcome.failed:
            reason = "; ".join(f"{record.name}: {record.reason}" for record in outcome.failed)
            raise RegistryError(f"could not be trained again in execution {outcome.execution_id}: {reason}")
        outputs = outcome.steps[step].outputs
        image = next(one for one in definition.every_step() if one.name == step).arguments["AppSpecification"]
        return Refitted(
            execution=outcome.execution_id,
            evaluation_uri=f"{outputs[contract.OUT_EVALUATION]}/{wanted.slug}/{contract.EVALUATION_FILE}",
            artifact_uri=f"{outputs[contract.OUT_MODEL]}/{wanted.slug}/{contract.MODEL_FILE}",
            image_uri=str(image["ImageUri"]),
        )


def select(definition: Definition, step: str, outcome: Outcome) -> frozenset[str]:
    """Return the steps to run: the one that trains, and functions before it that the source did not have yet.

    Raises:
        RegistryError: today's definition has no such step.
    """
    graph = build_graph(definition)
    if step not in graph.steps:
        raise RegistryError(f"today's definition has no step {step}; start a new run")
    before, waiting = set[str](), [step]
    while waiting:
        needs = graph.needs[waiting.pop()] - before
        before |= needs
        waiting += needs
    done = {name for name, record in outcome.steps.items() if record.status == SUCCEEDED}
    return frozenset({step, *(name for name in before - done if graph.steps[name].type == LAMBDA)})


def make(catalog: Catalog, settings: Settings, workspace: Path, hint: str) -> LocalRefit:
    """Return the refit of a workspace."""
    return LocalRefit(catalog, settings, local_executions.open_workspace(workspace), hint)
