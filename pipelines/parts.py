"""What every step of a definition is made with: inputs, outputs, and the two kinds of step. No graph here.

`processing_step` and `lambda_step` are what a new step in `definition.py` calls; images, network, keys, tags, retries
and environment come from the blueprint, so that no step can forget them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sagemaker.core.lambda_helper import Lambda
from sagemaker.core.network import NetworkConfig
from sagemaker.core.processing import Processor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput, ProcessingS3Input, ProcessingS3Output
from sagemaker.core.workflow.execution_variables import ExecutionVariables
from sagemaker.core.workflow.functions import Join
from sagemaker.core.workflow.parameters import (
    ParameterBoolean,
    ParameterFloat,
    ParameterInteger,
    ParameterString,
)
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.mlops.workflow.lambda_step import LambdaOutput, LambdaOutputTypeEnum, LambdaStep
from sagemaker.mlops.workflow.retry import (
    SageMakerJobExceptionTypeEnum,
    SageMakerJobStepRetryPolicy,
    StepExceptionTypeEnum,
    StepRetryPolicy,
)
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep

from pipelines import slices
from pipelines.blueprint import Blueprint
from pipelines.errors import DefinitionError
from pipelines.settings import Instance, Settings
from pipelines.shards import Shard
from steps import contract as c

Value = Any
"""A string, number or pipeline variable of the SDK."""


@dataclass(frozen=True)
class Bench:
    """A blueprint with the SDK objects that every step shares."""

    blueprint: Blueprint
    session: PipelineSession
    parameters: Mapping[str, Value]

    @property
    def settings(self) -> Settings:
        """Return the settings of the blueprint."""
        return self.blueprint.settings


def parameters(settings: Settings, mode: str) -> dict[str, Value]:
    """Return the pipeline parameters of a mode by name: those of its data, of what it decides, and the user's own."""
    mae = settings.gate.mae if settings.gate.mae is not None else c.UNLIMITED_MAE
    scoring = [ParameterString(c.RAW_DATA_URI), ParameterString(c.PREDICT_DATA_VERSION)]
    training = [
        ParameterString(c.TRAIN_DATA_VERSION),
        ParameterFloat(c.MAE_THRESHOLD, default_value=mae),
        ParameterString(c.FALLBACK_POLICY, default_value=settings.fallback.policy, enum_values=["all", "per_model"]),
        ParameterInteger(c.TRAIN_TIME_LIMIT, default_value=settings.training.time_limit),
    ]
    users = [_user_parameter(name, value) for name, value in sorted(settings.parameters.items())]
    own = [scoring[0], training[0], scoring[1], *training[1:]] if mode == c.FULL else scoring
    return {parameter.name: parameter for parameter in [*own, *users]}


def _user_parameter(name: str, value: str | float | bool) -> Value:
    kinds = {bool: ParameterBoolean, int: ParameterInteger, float: ParameterFloat, str: ParameterString}
    return kinds[type(value)](name, default_value=value)


def join(*parts: Value) -> Join:
    """Return the parts of a URI joined by slashes."""
    return Join(on="/", values=list(parts))


def text(variable: Value) -> Value:
    """Return a pipeline variable of any type as the string that arguments and environment need."""
    return Join(on="", values=[variable])


def uri_of(step: ProcessingStep, output: str) -> Value:
    """Return the reference to where a processing step's output lies, cached or not."""
    return step.properties.ProcessingOutputConfig.Outputs[output].S3Output.S3Uri


def given(name: str, uri: Value, *below: str, manifest: bool = False, shared: bool = False) -> ProcessingInput:
    """Return a processing input, mounted at `/opt/ml/processing/input/<name>/...`.

    The instances of a job share out the objects of a `shared` one; of any other, each gets all.
    """
    source = ProcessingS3Input(
        s3_uri=uri,
        local_path="/".join([c.INPUT_ROOT, name, *below]),
        s3_data_type="ManifestFile" if manifest else "S3Prefix",
        s3_input_mode="File",
        s3_data_distribution_type="ShardedByS3Key" if shared else "FullyReplicated",
    )
    return ProcessingInput(input_name=name, s3_input=source)


def prepared(name: str, uri: Value, shard: Shard, shared: bool = False) -> ProcessingInput:
    """Return the input of what was prepared of a job's models, each in a folder of its own."""
    return given(name, join(uri, shard.name, ""), *([shard.name] if shard.alone else []), shared=shared)


def made(name: str, uri: Value) -> ProcessingOutput:
    """Return a processing output, written at `/opt/ml/processing/output/<name>` and uploaded when the job succeeded."""
    target = ProcessingS3Output(s3_uri=uri, local_path=f"{c.OUTPUT_ROOT}/{name}", s3_upload_mode="EndOfJob")
    return ProcessingOutput(output_name=name, s3_output=target)


@dataclass(frozen=True)
class Job:
    """What a processing step runs and on what: `python3 -m steps.<module>` in an image on an instance.

    `segment` is the tag of its model or shard; `waves` how many trainings follow one another in it; `count` how many
    instances share its work.
    """

    module: str
    image: Value
    instance: Instance
    slice: str | None = None
    arguments: tuple[Value, ...] = ()
    segment: str | None = None
    waves: int = 1
    count: int = 1


def processing_step(
    bench: Bench,
    name: str,
    job: Job,
    inputs: Sequence[ProcessingInput],
    outputs: Sequence[ProcessingOutput],
    **more: Any,
) -> ProcessingStep:
    """Return a processing step; `more` goes to the SDK's ProcessingStep (description, depends_on, cache_config ...)."""
    blueprint = bench.blueprint
    base = [given(c.IN_CODE, _code_uri(blueprint, job.module))]
    if job.slice is not None:
        base.append(given(c.IN_SETTINGS, blueprint.slices[job.slice]))
    arguments = list(job.arguments) or None
    step_args = _processor(bench, job).run(inputs=[*base, *inputs], outputs=list(outputs), arguments=arguments)
    return ProcessingStep(name, step_args=step_args, display_name=name, retry_policies=_retries(), **more)


def _code_uri(blueprint: Blueprint, module: str) -> str:
    if module not in blueprint.code:
        raise DefinitionError(
            f"steps/{module}.py: not found, or not a step; write it with main(argv) and end it with "
            '`if __name__ == "__main__": job.run(main)`'
        )
    return blueprint.code[module]


def _processor(bench: Bench, job: Job) -> Processor:
    settings, account = bench.settings, bench.blueprint.account
    return Processor(
        role=account.role,
        image_uri=job.image,
        instance_count=job.count,
        instance_type=job.instance.type,
        entrypoint=["python3", "-m", f"steps.{job.module}"],
        volume_size_in_gb=job.instance.volume_gb,
        volume_kms_key=settings.kms,
        output_kms_key=settings.kms,
        max_runtime_in_seconds=settings.max_runtime_of(job.instance, job.waves),
        env=_environment(bench),
        tags=_tags(settings, job.segment),
        network_config=_network(settings),
        sagemaker_session=bench.session,
    )


def _environment(bench: Bench) -> dict[str, Value]:
    users = {name: bench.parameters[name] for name in sorted(bench.settings.parameters)}
    own = {"PYTHONPATH": f"{c.INPUT_ROOT}/{c.IN_CODE}", "PYTHONHASHSEED": "0"}
    return {**own, **{f"{c.PARAMETER_PREFIX}{name}": text(variable) for name, variable in users.items()}}


def _tags(settings: Settings, segment: str | None) -> list[dict[str, str]]:
    tags = {"pipeline": settings.pipeline.name, **settings.tags, **({"segment": segment} if segment else {})}
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _network(settings: Settings) -> NetworkConfig | None:
    network = settings.network
    if network == type(network)():
        return None
    return NetworkConfig(
        enable_network_isolation=network.isolation,
        security_group_ids=list(network.security_groups) or None,
        subnets=list(network.subnets) or None,
        encrypt_inter_container_traffic=network.encrypt_traffic,
    )


def _retries() -> list[Any]:
    """Try again what the data do not cause: throttling, service faults, missing capacity, quota."""
    service = StepRetryPolicy(
        exception_types=[StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING],
        interval_seconds=10,
        max_attempts=5,
    )
    jobs = [
        SageMakerJobStepRetryPolicy(failure_reason_types=[kind], interval_seconds=30, max_attempts=attempts)
        for kind, attempts in (
            (SageMakerJobExceptionTypeEnum.INTERNAL_ERROR, 3),
            (SageMakerJobExceptionTypeEnum.CAPACITY_ERROR, 8),
        )
    ]
    quota = SageMakerJobStepRetryPolicy(
        exception_types=[SageMakerJobExceptionTypeEnum.RESOURCE_LIMIT], interval_seconds=120, max_attempts=8
    )
    return [service, *jobs, quota]


def cached(settings: Settings) -> CacheConfig:
    """Return the cache policy of a step whose result depends on nothing but its inputs."""
    return CacheConfig(enable_caching=True, expire_after=f"P{settings.cache_days}D")


def lambda_step(bench: Bench, name: str, function: str, inputs: Mapping[str, Value], **more: Any) -> LambdaStep:
    """Return a step that calls `lambda_trigger.<function>:handler`; `more` goes to the SDK's LambdaStep."""
    arn = bench.blueprint.account.function_arn(c.function_name(bench.settings.pipeline.name, function))
    common = {
        c.KEY_EXECUTION: ExecutionVariables.PIPELINE_EXECUTION_ID,
        c.KEY_SETTINGS: join(bench.blueprint.slices[slices.LAMBDA], c.SETTINGS_FILE),
    }
    return LambdaStep(
        name,
        lambda_func=Lambda(function_arn=arn, session=bench.session),
        display_name=name,
        inputs={**common, **inputs},
        **more,
    )


def text_outputs(*names: str) -> list[LambdaOutput]:
    """Return declarations of string outputs of a Lambda step."""
    return [LambdaOutput(name, LambdaOutputTypeEnum.String) for name in names]
