"""The groups of keys of the configuration file, each key with its meaning in the docstring below it. Pure.

The reference, docs/reference/settings.md, is made from these docstrings: Markdown, with links relative to that page.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from pipelines.contradictions import SERVICE_RUNTIME
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
    RoleArn,
    Share,
    Text,
    Texts,
    Threshold,
    VpcId,
    Where,
    as_list,
)


class Frozen(BaseModel):
    """Base of all settings: immutable, strict about unknown keys, no NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=False)


class Pipeline(Frozen):
    """Name and description of the pipeline; the name prefixes every resource."""

    name: Annotated[Text, Field(pattern=r"^[A-Za-z0-9](-*[A-Za-z0-9])*$", max_length=40)] = "tabular"
    """prefix of every resource; letters, digits, single dashes"""
    description: Text = "Train one AutoGluon model per segment, gate on MAE, predict"
    """shown in Studio"""


class Aws(Frozen):
    """What only AWS needs; a role or bucket that is named here is used as it is instead of made."""

    role: RoleArn | None = None
    """existing role of the jobs; made unless given"""
    pipeline_role: RoleArn | None = None
    """existing role of the pipeline; made unless given"""
    lambda_role: RoleArn | None = None
    """existing role of the Lambda functions; made unless given"""
    bucket: BucketName | None = None
    """existing bucket for artifacts; made unless given"""
    raw_bucket: BucketName | None = None
    """existing bucket for raw files, with EventBridge notifications on; made unless given"""
    region: Annotated[Text, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] | None = None
    """where to deploy, the caller's unless given; other credentials are refused"""
    account: Annotated[Text, Field(pattern=r"^\d{12}$")] | None = None
    """where to deploy, the caller's unless given; other credentials are refused"""
    studio_domain: Annotated[Text, Field(pattern=r"^d-[a-z0-9\-]{1,61}$")] | None = None
    """domain id (`d-...`), so that mails and commands link to the execution in Studio"""
    trigger_concurrency: Count | None = None
    """reserved concurrency of the trigger function; new accounts have too little"""


class Cicd(Frozen):
    """The repository whose changes CodePipeline deploys: by a CodeConnections connection, else in CodeCommit."""

    repository: Annotated[Text, Field(pattern=r"^[\w.\-]+(/[\w.\-]+)*$")] | None = None
    """what CodePipeline deploys: `owner/name` over a CodeConnections ARN, or a CodeCommit repository"""
    branch: Annotated[Text, Field(pattern=r"^[\w./\-]+$")] = "main"
    """the branch that CodePipeline deploys"""
    connection: (
        Annotated[Text, Field(pattern=r"^arn:aws[a-z\-]*:(codeconnections|codestar-connections):.+$")] | None
    ) = None
    """the CodeConnections ARN; without it the repository is one of CodeCommit"""


class Images(Frozen):
    """Container images by digest; the deploy command fills them in, having built them upon `base`."""

    processing: ImageUri | None = None
    """existing container image of the prepare and postprocess steps, by digest; built unless given"""
    autogluon: ImageUri | None = None
    """existing container image of the train and infer steps, by digest; built unless given"""
    base: BaseImage | None = None
    """image to build those upon; give one with its digest (`...@sha256:...`), so that equal content is the same
    image. Unset: `public.ecr.aws/docker/library/python:3.11-slim-bookworm`"""


class Instance(Frozen):
    """The machine of one kind of step; `max_runtime` in seconds, None for as long as the step may need."""

    type: InstanceType = "ml.m5.xlarge"
    """machine"""
    volume_gb: Annotated[Count, Field(le=16384)] = 30
    """disk in GB"""
    max_runtime: Annotated[Count, Field(le=SERVICE_RUNTIME)] | None = None
    """seconds after which a step is stopped; unset: 4 h, or what a training may need"""


class SharedInstance(Instance):
    """The machine of a step whose work `count` of them can share; the service takes 100 at most."""

    count: Annotated[Count, Field(le=100)] = 1
    """instances that share the rows of each Infer job; the predictions are those of one
    ([Scaling](../scaling.md#what-to-turn))"""


class Instances(Frozen):
    """One machine setting per kind of processing step."""

    prepare: Instance = Instance()
    train: Instance = Instance()
    infer: SharedInstance = SharedInstance()
    postprocess: Instance = Instance()


class Holdout(Frozen):
    """How rows are held out to measure the MAE."""

    method: Literal["random", "time", "group"] = "random"
    """`random`, `time` (the last rows) or `group` (whole groups)"""
    fraction: Annotated[Number, Field(gt=0, lt=1)] = 0.2
    """share of a model's rows held out to measure its MAE"""
    group: Text | None = None
    """column whose values stay together"""


class Data(Frozen):
    """The raw files and the meaning of their columns."""

    raw: Text | None = None
    """raw folder when `--raw` is not given"""
    train: Globs = ("train*",)
    """globs (one or a list) of CSV or Parquet files below the raw folder"""
    predict: Globs = ("predict*",)
    """likewise, of the files to predict"""
    label: Text
    """column to predict; rows without it are dropped and counted"""
    id: Text
    """column that identifies a row; in predictions unchanged, never a feature"""
    time: Text | None = None
    """time column, for a holdout by time"""
    holdout: Holdout = Holdout()
    drop: Texts = ()
    """columns that are no features"""
    categories: Texts = ()
    """columns that are categories although they look like numbers"""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    """of CSV files"""
    max_null_label_fraction: Annotated[Number, Field(ge=0, le=1)] = 0.5
    """a larger share of rows without a label is an error"""


NULLABLE = ("hyperparameters", "infer_limit", "min_rows_per_second")
"""Keys that a model may set to null, against `training`; in the others null means: as in `training`."""


class Training(Frozen):
    """AutoGluon's training; `time_limit` in seconds per model."""

    presets: Text = "medium_quality"
    """AutoGluon's presets"""
    time_limit: Count = 600
    """seconds per model; the parameter `TrainTimeLimitSeconds`"""
    hyperparameters: dict[str, Any] | None = None
    """AutoGluon's hyperparameters; fixed rounds make training repeatable"""
    excluded_model_types: Texts = ("RF", "XT")
    """random forests exceed time limits fourfold"""
    seed: Annotated[int, Field(ge=0)] = 0
    """of split and training"""
    infer_limit: Annotated[Number, Field(gt=0)] | None = None
    """the same as `min_rows_per_second` in seconds per row; give one of the two"""
    min_rows_per_second: Annotated[Number, Field(gt=0)] | None = None
    """rows per second that the chosen model is to score at least, so that no ensemble serves that is a little
    better and far slower"""
    time_guard: Annotated[Number, Field(ge=1, le=100)] = 1.5
    """a training is stopped at the limit times this, plus 60 s"""
    on_transient_failure: Literal["fail", "isolate"] = "fail"
    """what follows where memory or time ran out twice in one model: the run fails, or `isolate` leaves the model to
    the fallback"""

    @property
    def longest(self) -> int:
        """Return the seconds after which two attempts, each fitted and measured under its guard, have ended."""
        return math.ceil(4 * (self.time_limit * self.time_guard + 60))


class TrainingOverride(Frozen):
    """What one model may set differently; an unset key follows `training`."""

    presets: Text | None = None
    """in place of `training.presets`"""
    hyperparameters: dict[str, Any] | None = None
    """in place of `training.hyperparameters`"""
    excluded_model_types: Texts | None = None
    """in place of `training.excluded_model_types`"""
    seed: Annotated[int, Field(ge=0)] | None = None
    """in place of `training.seed`"""
    infer_limit: Annotated[Number, Field(gt=0)] | None = None
    """in place of `training.infer_limit`"""
    min_rows_per_second: Annotated[Number, Field(gt=0)] | None = None
    """in place of `training.min_rows_per_second`"""


class GateOverride(Frozen):
    """A MAE threshold of a model's own."""

    mae: Threshold | None = None
    """in place of `gate.mae`"""


class ModelOverride(Frozen):
    """Settings of one model under `models.overrides`."""

    gate: GateOverride = GateOverride()
    training: TrainingOverride = TrainingOverride()


class Model(ModelOverride):
    """One model of an explicit list: which rows are its own."""

    name: Text
    """the name people see"""
    where: Where | None = None
    """its rows: `{column: value}` or `{column: [values]}`, taken literally"""
    train: Globs | None = None
    """or its files to train on: globs of its own"""
    predict: Globs | None = None
    """its files to predict: globs of its own"""


class Segments(Frozen):
    """One model per value of a column."""

    by: Text
    """one model per value of this column"""
    overrides: dict[Text, ModelOverride] = {}
    """what one of these models sets differently, by its name"""


def _form_of_models(value: Any) -> str:
    return "tuple[Model]" if isinstance(value, list | tuple) else "Segments"


Models = Annotated[
    Annotated[Segments, Tag("Segments")] | Annotated[tuple[Model, ...], Tag("tuple[Model]")],
    Discriminator(_form_of_models),
]


class Gate(Frozen):
    """When a fresh model is good enough to serve."""

    mae: Threshold | None = None
    """largest MAE; the parameter `MaeThreshold`. Unset: the relative rule alone decides"""
    max_baseline_ratio: Annotated[Number, Field(gt=0)] | None = 1.0
    """MAE over that of the median predictor; `null` switches the rule off (a constant label then passes)"""
    min_holdout_rows: Count = 5
    """fewer held-out rows are no measurement"""


class Fallback(Frozen):
    """Which model serves where the gate says no."""

    policy: Literal["all", "per_model"] = "all"
    """`all`: one rejected model sends every segment to its default; `per_model`: the rejected ones only. The
    parameter `FallbackPolicy`"""
    on_missing_default: Literal["fail", "skip"] = "fail"
    """`skip` delivers the other segments where a default is missing, `fail` none"""


class UnseenLimit(Frozen):
    """Shares of rows with an unseen category beyond which to warn or fail; None for never."""

    warn: Share | None = 0.01
    """share of rows with a category that training did not see, beyond which to warn"""
    fail: Share | None = None
    """likewise, to fail before anything is trained"""


class NullsLimit(Frozen):
    """Changes of a null rate beyond which to warn or fail; None for never."""

    warn: Share | None = 0.1
    """by how much a column's share of nulls changed, beyond which to warn"""
    fail: Share | None = None
    """likewise, to fail before anything is trained"""


class PsiLimit(Frozen):
    """Population stability indices beyond which to warn or fail; None for never."""

    warn: Index | None = 0.25
    """shift of a column between training rows and rows to predict (PSI, [Catch drift](../how-to/catch-drift.md)),
    beyond which to warn"""
    fail: Index | None = None
    """likewise, to fail before anything is trained"""


class Drift(Frozen):
    """What the rows to predict may differ by from the training rows, and from what the approved default takes."""

    unseen: UnseenLimit = UnseenLimit()
    nulls: NullsLimit = NullsLimit()
    psi: PsiLimit = PsiLimit()
    ignore: Texts = ()
    """columns that are not compared"""
    default: Literal["warn", "fail"] = "warn"
    """what follows where the approved default lacks a column, or has one of another type"""


class Registry(Frozen):
    """Registered models: how many unapproved versions are kept, and who approves."""

    keep: Count = 10
    """versions not approved that are kept; an older one goes with its artifact"""
    approval: Literal["manual", "auto"] = "manual"
    """`auto` approves what passed the gate, `manual` leaves it to people"""


class Notifications(Frozen):
    """Who gets the mails."""

    emails: Annotated[tuple[Annotated[Text, Field(pattern=r"^[^@\s]+@[^@\s]+$")], ...], BeforeValidator(as_list)] = ()
    """who gets the mails"""


class Output(Frozen):
    """Forms in which the predictions are published beside Parquet."""

    csv: Flag = False
    """predictions as CSV too. Text that a spreadsheet would run as a formula gets an apostrophe before it (`'=1+1`;
    numbers do not); Parquet keeps exact values"""


class Network(Frozen):
    """VPC settings of every job."""

    subnets: Annotated[tuple[VpcId, ...], BeforeValidator(as_list), Field(max_length=16)] = ()
    """VPC of every job"""
    security_groups: Annotated[tuple[VpcId, ...], BeforeValidator(as_list), Field(max_length=5)] = ()
    """VPC of every job"""
    isolation: Flag = False
    """no network inside jobs"""
    encrypt_traffic: Flag = False
    """encrypted traffic between jobs"""
