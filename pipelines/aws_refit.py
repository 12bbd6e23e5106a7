"""Trains a registered model again on AWS: its Train step alone, as a selective execution of the deployed pipeline.

What the step reads is what the execution that trained the version prepared; image, code and settings are those that
are deployed. It is followed to its end, because what it leaves is registered afterwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pipelines import following, parameters, refresh
from pipelines.aws import executions, jobs
from pipelines.aws.executions import Deployed, Execution, Start
from pipelines.catalog import Catalog
from pipelines.desk import Desk, open_pipeline
from pipelines.errors import RegistryError, nearest
from pipelines.following import POLL
from pipelines.local import document
from pipelines.local.step import Definition
from pipelines.local.values import as_text
from pipelines.progress import open_progress
from pipelines.refresh import Place, Refitted, Wanted
from steps import contract


@dataclass(frozen=True)
class AwsRefit:
    """Refit over the deployed pipeline; `done` are its trainings so far: one of a shard is that of all its models."""

    catalog: Catalog
    desk: Desk
    done: dict[tuple[str | None, str], tuple[str, Mapping[str, str]]] = field(default_factory=dict)

    def __call__(self, wanted: Wanted) -> Refitted:
        """Run the Train step of a version again, as deployed now.

        Raises:
            RegistryError: its data cannot be had again, the pipeline has no such step, or it did not train.
            AwsError: the service refuses.
        """
        pipeline = open_pipeline(self.desk)
        definition = document.parse(pipeline.definition)
        uri = refresh.settings_of(definition)
        known = self.desk.read_json(uri) if uri else None
        place = refresh.find_place(known["models"] if known else (), wanted.slug)
        step, image = place.step, _image_of(definition, place.step)
        key = (wanted.execution, step)
        if key not in self.done:
            arn = self._start(definition, self._read_source(wanted, pipeline, place), step)
            self.done[key] = arn, self._follow(definition, arn, step)
        arn, outputs = self.done[key]
        return Refitted(
            execution=arn.rpartition("/")[2],
            evaluation_uri=f"{outputs[contract.OUT_EVALUATION].rstrip('/')}/{wanted.slug}/{contract.EVALUATION_FILE}",
            artifact_uri=f"{outputs[contract.OUT_MODEL].rstrip('/')}/{wanted.slug}/{contract.MODEL_FILE}",
            image_uri=image,
        )

    def _read_source(self, wanted: Wanted, pipeline: Deployed, place: Place) -> Execution:
        name, cloud = wanted.execution, self.desk.cloud
        if name is None:
            raise refresh.unrecorded(self.catalog, wanted, "it was registered by hand, without an execution")
        found = executions.read_execution(cloud, f"{pipeline.arn}/execution/{name}")
        if found is None:
            raise refresh.unrecorded(self.catalog, wanted, f"execution {name} is not known any more")
        prepared = read_outputs(self.desk, found.arn, contract.PREPARE_TRAINING).get(contract.OUT_TRAIN)
        needed = (
            [f"{prepared.rstrip('/')}/{folder}/{contract.STATUS_FILE}" for folder in place.needed] if prepared else []
        )
        if not needed or not all(map(self.desk.has, needed)):
            gone = f"what {contract.PREPARE_TRAINING} made in execution {name} is gone"
            gone += ", or its models shared jobs otherwise" if len(place.needed) > 1 else ""
            raise refresh.unrecorded(self.catalog, wanted, gone)
        return found

    def _start(self, definition: Definition, source: Execution, step: str) -> str:
        desk = self.desk
        declared = {parameter.name for parameter in definition.parameters}
        known = executions.read_parameters(desk.cloud, source.arn)
        kept = {name: value for name, value in known.items() if name in declared}
        values = parameters.check(definition, kept, desk.settings)
        moment = datetime.fromtimestamp(desk.outside.clock(), UTC)
        start = Start(
            pipeline=desk.pipeline,
            parameters={name: as_text(value) for name, value in values.items()},
            token=desk.outside.make_token(),
            name=f"refresh-{moment:%Y%m%d-%H%M%S}",
            description=f"{step} again, on the data of {source.id}",
            parallelism=desk.settings.parallelism,
            source=source.arn,
            selected=(step,),
        )
        return executions.start_execution(desk.cloud, start)

    def _follow(self, definition: Definition, arn: str, step: str) -> Mapping[str, str]:
        """Return the outputs of the step once its execution is over."""
        execution = arn.rpartition("/")[2]
        look = self.desk.say_run(f"--status {execution}")
        self.desk.outside.sleep(POLL)  # what was just asked for may not show yet
        with open_progress(definition, execution) as progress:
            try:
                ended = following.follow(self.desk, arn, [step], progress)
            except KeyboardInterrupt:
                progress.say(f"no longer followed: it goes on, but nothing of it will be registered; see {look}")
                raise
        if ended.execution.status != executions.SUCCEEDED:
            raise RegistryError(
                f"could not be trained again: execution {execution} is {ended.execution.status}; see {look}"
            )
        outputs = read_outputs(self.desk, arn, step)
        if not {contract.OUT_MODEL, contract.OUT_EVALUATION} <= set(outputs):
            raise RegistryError(f"execution {execution} does not tell where {step} has written; see {look}")
        return outputs


def _image_of(definition: Definition, step: str) -> str:
    images = {
        one.name: one.arguments.get("AppSpecification", {}).get("ImageUri", "") for one in definition.every_step()
    }
    if step not in images:
        raise RegistryError(f"the deployed pipeline has no step {step}{nearest(step, images)}; deploy one that has it")
    return str(images[step])


def read_outputs(desk: Desk, arn: str, step: str) -> Mapping[str, str]:
    """Return where a step of an execution has written, by output; nothing for one that did not succeed.

    What was taken from another execution lies where that one wrote it.
    """
    found = next((s for s in executions.list_steps(desk.cloud, arn) if s.name == step), None)
    if found is None or found.status != executions.SUCCEEDED:
        return {}
    if found.job is None:
        return read_outputs(desk, found.source, step) if found.source else {}
    return jobs.read_job(desk.cloud, found.job).outputs
