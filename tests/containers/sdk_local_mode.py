"""Runs the flights pipeline's Processing and Condition steps in the SDK's own local mode; a process of its own.

What that mode cannot do is taken away, by name, and asserted: Lambda steps, and whatever needs their outputs. Reads a
request as JSON on stdin, prints the outcome as the last line on stdout. The environment names an S3 endpoint.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import boto3

from pipelines import compile as compiling
from pipelines import sdk, settings
from pipelines.models import ModelSpec
from pipelines.rawdata import RawData, read_listing
from pipelines.settings import Images, Instance, Instances, Settings
from steps import contract as c

REGION, BUCKET, RAW_BUCKET = "us-east-1", "artifacts", "raw"
NEED_A_LAMBDA = frozenset(
    {
        *("NotifyStarted", "CheckData", "Judge", "NotifyTrained"),
        *("PostProcess", "NotifyFinished", "RegisterModels"),
        *("RegisterModelsFallback", "Decide", "PostProcessFallback", "NotifyFinishedFallback"),
    }
)
"""Steps that are Lambda functions, or read what one returned; the Infer steps of the fallback branch come besides."""


def main() -> None:
    """Run the pipeline; print which steps ended how."""
    request = json.loads(sys.stdin.read())
    config = _local(settings.load(Path(request["config"])), request["images"])
    chosen = compiling.choose(config, Path(request["config"]), request["raw"], frozen=False)
    raw = _upload_raw(config, Path(request["raw"]))
    blueprint, bundles = compiling.draw(config, chosen)
    files = {f"{bundle.uri}/{name}": content for bundle in bundles for name, content in bundle.files.items()}
    for version, texts in raw.manifests.items():
        folder = f"{blueprint.account.prefix}/{c.MANIFESTS_DIR}/{version}"
        files |= {f"{folder}/{name}": text.encode() for name, text in texts.items()}
    _put(files)
    given = {c.RAW_DATA_URI: raw.uri, **raw.versions, **request["parameters"]}
    print(json.dumps(_execute(_pipeline(blueprint, chosen, raw.uri), given)))


def _local(config: Settings, images: dict[str, str]) -> Settings:
    """Return the settings with local instances, which no config may name, and the images of this machine."""
    kinds = ("prepare", "train", "infer", "postprocess")
    local = Instance().model_copy(update={"type": "local"})
    instances = Instances().model_copy(update=dict.fromkeys(kinds, local))
    aws = config.aws.model_copy(update={"bucket": BUCKET})
    return config.model_copy(update={"instances": instances, "images": Images(**images), "aws": aws})


def _upload_raw(config: Settings, folder: Path) -> RawData:
    s3 = boto3.client("s3")
    for bucket in (BUCKET, RAW_BUCKET):
        s3.create_bucket(Bucket=bucket)
    listed = []
    for path in sorted(folder.glob("*.*")):
        s3.upload_file(str(path), RAW_BUCKET, f"flights/{path.name}")
        etag = s3.head_object(Bucket=RAW_BUCKET, Key=f"flights/{path.name}")["ETag"].strip('"')
        listed.append(c.DataFile(path.name, etag, path.stat().st_size))
    return read_listing(config, f"s3://{RAW_BUCKET}/flights/", listed)


def _put(files: dict[str, bytes]) -> None:
    s3 = boto3.client("s3")
    for uri, content in files.items():
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        s3.put_object(Bucket=bucket, Key=key, Body=content)


def _pipeline(blueprint: Any, models: tuple[ModelSpec, ...], raw_uri: str) -> Any:
    """Return the SDK's pipeline without what its local mode cannot run."""
    from sagemaker.core.workflow.functions import JsonGet
    from sagemaker.core.workflow.pipeline_context import LocalPipelineSession

    from pipelines.definition import build

    pipeline = build(blueprint, LocalPipelineSession(default_bucket=BUCKET))
    gate = next(step for step in pipeline.steps if step.name == c.GATE)
    fallback = {f"{c.INFER}{c.FALLBACK}-{model.slug}" for model in models}
    removed = set()

    def kept(steps: list[Any]) -> list[Any]:
        away = [step for step in steps if step.name in NEED_A_LAMBDA | fallback]
        removed.update(step.name for step in away)
        return [step for step in steps if step not in away]

    gate.if_steps, gate.else_steps = kept(gate.if_steps), kept(gate.else_steps)
    judged = [condition for condition in gate.conditions if not isinstance(condition.left, JsonGet)]
    assert len(judged) == 1, "one condition reads a Lambda step: that Judge rejected nothing"
    gate.conditions = [condition for condition in gate.conditions if condition not in judged]
    pipeline.steps = kept(pipeline.steps)
    assert removed == NEED_A_LAMBDA | fallback, (
        f"the list of removed steps is wrong: {removed ^ (NEED_A_LAMBDA | fallback)}"
    )
    for step in pipeline.steps:
        step.depends_on = [other for other in step.depends_on or () if other.name not in removed] or None
        if step.name in (c.PREPARE_TRAINING, c.PREPARE_PREDICTION):
            _mount_folder(step, raw_uri)
    return pipeline


def _mount_folder(step: Any, raw_uri: str) -> None:
    """Mount the raw folder itself: local mode does not know manifests, and would mount the list of files."""
    (raw,) = [i for i in step.step_args.func_kwargs["inputs"] if i.input_name == c.IN_RAW]
    raw.s3_input.s3_uri, raw.s3_input.s3_data_type = raw_uri, "S3Prefix"


def _execute(pipeline: Any, parameters: dict[str, Any]) -> dict[str, Any]:
    from sagemaker.mlops.local import LocalPipelineSession

    runner = LocalPipelineSession(default_bucket=BUCKET)
    runner.create_pipeline(pipeline, "flights")
    execution = runner.start_pipeline_execution(pipeline.name, PipelineParameters=parameters)
    steps = {step["StepName"]: step["StepStatus"] for step in execution.list_steps()["PipelineExecutionSteps"]}
    described = execution.describe()
    return {
        "status": described["PipelineExecutionStatus"],
        "reason": described.get("FailureReason", ""),
        "id": execution.pipeline_execution_name,
        "steps": steps,
    }


if __name__ == "__main__":
    with sdk.quick_and_quiet(REGION):
        main()
