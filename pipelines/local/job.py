"""What a Processing step asks for: container, inputs, outputs and limits, as the definition writes them.

Pure. Values may still be expressions here (`Expression`); `values.resolve_job` returns the same job with plain ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pipelines.local.reader import Reader

Expression = Any
ROOT = PurePosixPath("/opt/ml")


@dataclass(frozen=True)
class Input:
    """One processing input; `manifest` says that the URI is a ManifestFile, else a key prefix."""

    name: str
    uri: Expression
    path: str
    manifest: bool = False
    sharded: bool = False


@dataclass(frozen=True)
class Output:
    """One processing output, uploaded when the job has succeeded."""

    name: str
    uri: Expression
    path: str


@dataclass(frozen=True)
class Job:
    """A processing job; `max_runtime` is in seconds."""

    image: Expression
    entrypoint: tuple[Expression, ...]
    arguments: tuple[Expression, ...]
    environment: Mapping[str, Expression]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    instances: Expression = 1
    max_runtime: Expression = None
    settings: Mapping[str, Any] | None = None

    def expressions(self) -> Iterator[tuple[str, Expression]]:
        """Yield every expression with the name it has in messages."""
        yield "ImageUri", self.image
        yield "InstanceCount", self.instances
        if self.max_runtime is not None:
            yield "MaxRuntimeInSeconds", self.max_runtime
        yield from self.texts()

    def texts(self) -> Iterator[tuple[str, Expression]]:
        """Yield the expressions that have to result in a text."""
        yield from ((f"ContainerEntrypoint[{n}]", value) for n, value in enumerate(self.entrypoint))
        yield from ((f"ContainerArguments[{n}]", value) for n, value in enumerate(self.arguments))
        yield from ((f"Environment {key}", value) for key, value in self.environment.items())
        yield from ((f"input {item.name!r}", item.uri) for item in self.inputs)
        yield from ((f"output {item.name!r}", item.uri) for item in self.outputs)


def parse_job(arguments: Reader) -> Job:
    """Read the Arguments of a Processing step; what is wrong with them is noted in the reader."""
    arguments.allow(
        *("ProcessingJobName", "ProcessingResources", "AppSpecification", "RoleArn", "ProcessingInputs"),
        *(
            "ProcessingOutputConfig",
            "Environment",
            "StoppingCondition",
            "Tags",
            "NetworkConfig",
            "ExperimentConfig",
        ),
    )
    app = arguments.child("AppSpecification")
    app.allow("ImageUri", "ContainerEntrypoint", "ContainerArguments")
    cluster = arguments.child("ProcessingResources").child("ClusterConfig")
    config = arguments.child("ProcessingOutputConfig")
    if not app.items("ContainerEntrypoint"):
        app.note("ContainerEntrypoint is empty; the local engine starts no image, so it has to name a command")
    inputs = tuple(_input(item) for item in arguments.children("ProcessingInputs"))
    outputs = tuple(_output(item) for item in config.children("Outputs"))
    _check_unique(arguments, [item.name for item in inputs], "input names")
    _check_unique(arguments, [item.name for item in outputs], "output names")
    _check_unique(arguments, [item.path for item in inputs] + [item.path for item in outputs], "LocalPaths")
    return Job(
        image=app.value.get("ImageUri", ""),
        entrypoint=tuple(app.items("ContainerEntrypoint")),
        arguments=tuple(app.items("ContainerArguments")),
        environment=arguments.child("Environment").value,
        inputs=inputs,
        outputs=outputs,
        instances=cluster.value.get("InstanceCount", 1),
        max_runtime=arguments.child("StoppingCondition").value.get("MaxRuntimeInSeconds"),
        settings=arguments.value,
    )


def _input(reader: Reader) -> Input:
    reader.allow("InputName", "AppManaged", "S3Input")
    _refuse_managed(reader)
    s3 = reader.child("S3Input")
    s3.allow(
        *("S3Uri", "LocalPath", "S3DataType", "S3InputMode"),
        *("S3DataDistributionType", "S3CompressionType"),
    )
    s3.expect("S3InputMode", ("File",), "File")
    s3.expect("S3CompressionType", ("None",), "None")
    kind = s3.expect("S3DataType", ("S3Prefix", "ManifestFile"), "S3Prefix")
    spread = s3.expect("S3DataDistributionType", ("FullyReplicated", "ShardedByS3Key"), "FullyReplicated")
    name = reader.text("InputName")
    return Input(name, s3.value.get("S3Uri"), _local_path(s3), kind == "ManifestFile", spread == "ShardedByS3Key")


def _output(reader: Reader) -> Output:
    reader.allow("OutputName", "AppManaged", "S3Output")
    _refuse_managed(reader)
    s3 = reader.child("S3Output")
    s3.allow("S3Uri", "LocalPath", "S3UploadMode")
    s3.expect("S3UploadMode", ("EndOfJob",), "EndOfJob")
    return Output(reader.text("OutputName"), s3.value.get("S3Uri"), _local_path(s3))


def _refuse_managed(reader: Reader) -> None:
    if reader.value.get("AppManaged"):
        reader.note("AppManaged is true; the local engine knows no inputs or outputs that the service manages")


def _local_path(reader: Reader) -> str:
    path = PurePosixPath(reader.text("LocalPath"))
    if ROOT not in path.parents or ".." in path.parts:
        reader.note(f"LocalPath is {str(path)!r}, expected a folder below {ROOT}")
        return ""
    return str(path)


def _check_unique(reader: Reader, names: list[str], what: str) -> None:
    double = sorted({name for name in names if name and names.count(name) > 1})
    if double:
        reader.note(f"{what} occur twice: {', '.join(double)}")
