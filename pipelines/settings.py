"""The configuration file as frozen, validated settings: first stage of the flow, pure but for reading the YAML files.

`load` merges `pipeline-config.yml` with the overlay of an environment and validates once. Every problem is reported
together, with its key path and the nearest legal key; nothing later in the flow has to doubt a setting again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError

from pipelines import document_problems as problems
from pipelines.contradictions import SERVICE_RUNTIME, contradictions
from pipelines.errors import SettingsError
from pipelines.fields import (
    BaseImage,
    BucketName,
    Count,
    Flag,
    Globs,
    ImageUri,
    Index,
    InstanceType,
    Number,
    Parameters,
    RoleArn,
    Share,
    TagKey,
    TagValue,
    Text,
    Texts,
    Threshold,
    Timezone,
    VpcId,
    Where,
    as_list,
)

MAX_RUNTIME = 14_400
"""Seconds that a job gets when the config does not say; what a training may need can be more."""


class Frozen(BaseModel):
    """Base of all settings: immutable, strict about unknown keys, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)


class Pipeline(Frozen):
    """Name and description of the pipeline; the name prefixes every resource."""

    name: Annotated[Text, Field(pattern=r"^[A-Za-z0-9](-*[A-Za-z0-9])*$", max_length=40)] = "tabular"
    description: Text = "Train one AutoGluon model per segment, gate on MAE, predict"


class Aws(Frozen):
    """What only AWS needs; a role or bucket that is named here is used as it is instead of made."""

    role: RoleArn | None = None
    pipeline_role: RoleArn | None = None
    lambda_role: RoleArn | None = None
    bucket: BucketName | None = None
    raw_bucket: BucketName | None = None
    region: Annotated[Text, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] | None = None
    account: Annotated[Text, Field(pattern=r"^\d{12}$")] | None = None
    studio_domain: Annotated[Text, Field(pattern=r"^d-[a-z0-9\-]{1,61}$")] | None = None
    trigger_concurrency: Count | None = None


class Cicd(Frozen):
    """The repository whose changes CodePipeline deploys: by a CodeConnections connection, else in CodeCommit."""

    repository: Annotated[Text, Field(pattern=r"^[\w.\-]+(/[\w.\-]+)*$")] | None = None
    branch: Annotated[Text, Field(pattern=r"^[\w./\-]+$")] = "main"
    connection: (
        Annotated[Text, Field(pattern=r"^arn:aws[a-z\-]*:(codeconnections|codestar-connections):.+$")] | None
    ) = None


class Images(Frozen):
    """Container images by digest; the deploy command fills them in, having built them upon `base`."""

    processing: ImageUri | None = None
    autogluon: ImageUri | None = None
    base: BaseImage | None = None


class Instance(Frozen):
    """The machine of one kind of step; `max_runtime` in seconds, None for as long as the step may need."""

    type: InstanceType = "ml.m5.xlarge"
    volume_gb: Annotated[Count, Field(le=16384)] = 30
    max_runtime: Annotated[Count, Field(le=SERVICE_RUNTIME)] | None = None


class SharedInstance(Instance):
    """The machine of a step whose work `count` of them can share; the service takes 100 at most."""

    count: Annotated[Count, Field(le=100)] = 1


class Instances(Frozen):
    """One machine setting per kind of processing step."""

    prepare: Instance = Instance()
    train: Instance = Instance()
    infer: SharedInstance = SharedInstance()
    postprocess: Instance = Instance()


class Holdout(Frozen):
    """How rows are held out to measure the MAE."""

    method: Literal["random", "time", "group"] = "random"
    fraction: Annotated[Number, Field(gt=0, lt=1)] = 0.2
    group: Text | None = None


class Data(Frozen):
    """The raw files and the meaning of their columns."""

    raw: Text | None = None
    train: Globs = ("train*",)
    predict: Globs = ("predict*",)
    label: Text
    id: Text
    time: Text | None = None
    holdout: Holdout = Holdout()
    drop: Texts = ()
    categories: Texts = ()
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    max_null_label_fraction: Annotated[Number, Field(ge=0, le=1)] = 0.5


NULLABLE = ("hyperparameters", "infer_limit", "min_rows_per_second")
"""Keys that a model may set to null, against `training`; in the others null means: as in `training`."""


class Training(Frozen):
    """AutoGluon's training; `time_limit` in seconds per model."""

    presets: Text = "medium_quality"
    time_limit: Count = 600
    hyperparameters: dict[str, Any] | None = None
    excluded_model_types: Texts = ("RF", "XT")
    seed: Annotated[int, Field(ge=0)] = 0
    infer_limit: Annotated[Number, Field(gt=0)] | None = None
    min_rows_per_second: Annotated[Number, Field(gt=0)] | None = None
    time_guard: Annotated[Number, Field(ge=1, le=100)] = 1.5
    on_transient_failure: Literal["fail", "isolate"] = "fail"

    @property
    def longest(self) -> int:
        """Return the seconds after which two attempts, each fitted and measured under its guard, have ended."""
        return math.ceil(4 * (self.time_limit * self.time_guard + 60))


class TrainingOverride(Frozen):
    """What one model may set differently; an unset key follows `training`."""

    presets: Text | None = None
    hyperparameters: dict[str, Any] | None = None
    excluded_model_types: Texts | None = None
    seed: Annotated[int, Field(ge=0)] | None = None
    infer_limit: Annotated[Number, Field(gt=0)] | None = None
    min_rows_per_second: Annotated[Number, Field(gt=0)] | None = None


class GateOverride(Frozen):
    """A MAE threshold of a model's own."""

    mae: Threshold | None = None


class ModelOverride(Frozen):
    """Settings of one model under `models.overrides`."""

    gate: GateOverride = GateOverride()
    training: TrainingOverride = TrainingOverride()


class Model(ModelOverride):
    """One model of an explicit list: which rows are its own."""

    name: Text
    where: Where | None = None
    train: Globs | None = None
    predict: Globs | None = None


class Segments(Frozen):
    """One model per value of a column."""

    by: Text
    overrides: dict[Text, ModelOverride] = {}


def _form_of_models(value: Any) -> str:
    return "tuple[Model]" if isinstance(value, list | tuple) else "Segments"


Models = Annotated[
    Annotated[Segments, Tag("Segments")] | Annotated[tuple[Model, ...], Tag("tuple[Model]")],
    Discriminator(_form_of_models),
]


class Gate(Frozen):
    """When a fresh model is good enough to serve."""

    mae: Threshold | None = None
    max_baseline_ratio: Annotated[Number, Field(gt=0)] | None = 1.0
    min_holdout_rows: Count = 5


class Fallback(Frozen):
    """Which model serves where the gate says no."""

    policy: Literal["all", "per_model"] = "all"
    on_missing_default: Literal["fail", "skip"] = "fail"


class UnseenLimit(Frozen):
    """Shares of rows with an unseen category beyond which to warn or fail; None for never."""

    warn: Share | None = 0.01
    fail: Share | None = None


class NullsLimit(Frozen):
    """Changes of a null rate beyond which to warn or fail; None for never."""

    warn: Share | None = 0.1
    fail: Share | None = None


class PsiLimit(Frozen):
    """Population stability indices beyond which to warn or fail; None for never."""

    warn: Index | None = 0.25
    fail: Index | None = None


class Drift(Frozen):
    """What the rows to predict may differ by from the training rows, and from what the approved default takes."""

    unseen: UnseenLimit = UnseenLimit()
    nulls: NullsLimit = NullsLimit()
    psi: PsiLimit = PsiLimit()
    ignore: Texts = ()
    default: Literal["warn", "fail"] = "warn"


class Registry(Frozen):
    """Registered models: how many unapproved versions are kept, and who approves."""

    keep: Count = 10
    approval: Literal["manual", "auto"] = "manual"


class Notifications(Frozen):
    """Who gets the mails."""

    emails: Annotated[tuple[Annotated[Text, Field(pattern=r"^[^@\s]+@[^@\s]+$")], ...], BeforeValidator(as_list)] = ()


class Output(Frozen):
    """Forms in which the predictions are published beside Parquet."""

    csv: Flag = False


class Network(Frozen):
    """VPC settings of every job."""

    subnets: Annotated[tuple[VpcId, ...], BeforeValidator(as_list), Field(max_length=16)] = ()
    security_groups: Annotated[tuple[VpcId, ...], BeforeValidator(as_list), Field(max_length=5)] = ()
    isolation: Flag = False
    encrypt_traffic: Flag = False


class Settings(Frozen):
    """The whole configuration, validated."""

    pipeline: Pipeline = Pipeline()
    aws: Aws = Aws()
    cicd: Cicd = Cicd()
    images: Images = Images()
    instances: Instances = Instances()
    prices: dict[InstanceType, Annotated[Number, Field(ge=0)]] = {}
    currency: Text = "USD"
    parallelism: Annotated[Count, Field(le=1000)] = 8
    step_ceiling: Count = 50
    data: Data
    models: Models
    min_rows: Count = 30
    on_segment_failure: Literal["fail", "isolate"] = "fail"
    rest: Literal["pooled", "skip", "fail"] = "pooled"
    training: Training = Training()
    gate: Gate = Gate()
    fallback: Fallback = Fallback()
    drift: Drift = Drift()
    registry: Registry = Registry()
    notifications: Notifications = Notifications()
    output: Output = Output()
    parameters: Parameters = {}
    network: Network = Network()
    kms: Annotated[Text, Field(pattern=r"^[a-zA-Z0-9:/_-]+$", max_length=2048)] | None = None
    tags: dict[TagKey, TagValue] = {}
    permissions_boundary: Annotated[Text, Field(pattern=r"^arn:aws[a-z\-]*:iam::(\d{12}|aws):policy/.+$")] | None = None
    log_retention_days: Count = 90
    retention_days: Count = 90
    cache_days: Count = 30
    timezone: Timezone = "UTC"
    concurrency: Literal["parallel", "refuse"] = "parallel"
    max_objects: Count = 10_000

    def threshold_of(self, name: str) -> float | None:
        """Return the MAE threshold of a model's own, or None where it follows the parameter."""
        override = self.override_of(name)
        return override.gate.mae if override else None

    def training_of(self, name: str) -> Training:
        """Return how a model is trained: `training`, with what the model sets differently."""
        override = self.override_of(name)
        given = override.training.model_dump(exclude_unset=True) if override else {}
        own = {key: value for key, value in given.items() if value is not None or key in NULLABLE}
        return self.training.model_copy(update=own)

    def max_runtime_of(self, instance: Instance, waves: int = 1) -> int:
        """Return the seconds after which a job on this instance setting is stopped.

        `waves` tells how many trainings follow one another in it.
        """
        if instance.max_runtime is not None:
            return instance.max_runtime
        longest = self.training.longest if instance is self.instances.train else 0
        return min(SERVICE_RUNTIME, waves * max(MAX_RUNTIME, longest))

    def override_of(self, name: str) -> ModelOverride | None:
        """Return what a model sets differently, or None."""
        if isinstance(self.models, Segments):
            return self.models.overrides.get(name)
        return next((model for model in self.models if model.name == name), None)


def load(path: Path, environment: str | None = None) -> Settings:
    """Read the config file (and the overlay `<stem>.<environment>.yml` beside it) into Settings.

    Raises:
        SettingsError: a file is missing or not YAML, or any setting is wrong; all problems at once.
    """
    document, source = problems.read_yaml(path), str(path)
    if environment:
        overlay = path.with_name(f"{path.stem}.{environment}{path.suffix}")
        document, source = problems.merge(document, problems.read_yaml(overlay)), f"{path} with {overlay.name}"
    return validate(document, source)


def validate(document: Mapping[str, Any], source: str) -> Settings:
    """Return the Settings of a parsed config document.

    Raises:
        SettingsError: with every problem found, each with its key path.
    """
    document, removed = problems.clean(document)
    document, forms = problems.resolve_models(document)
    found = [f"{path}: {problem}" for path, problem in removed.items()]
    found += [*forms, *problems.structural_problems(document)]
    settings = None
    try:
        settings = Settings.model_validate(document)
    except ValidationError as error:
        found += problems.schema_problems(error, Settings, removed)
    if settings is not None:
        found += contradictions(settings)
    if found or settings is None:
        raise SettingsError(*(f"{source}: {problem}" for problem in dict.fromkeys(found)))
    return settings
