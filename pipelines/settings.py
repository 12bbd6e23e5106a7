"""The configuration file as frozen, validated settings: first stage of the flow, pure but for reading the YAML files.

`load` merges `pipeline-config.yml` with the overlay of an environment and validates once. Every problem is reported
together, with its key path and the nearest legal key; nothing later in the flow has to doubt a setting again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from pipelines import custom_code
from pipelines import document_problems as problems
from pipelines.contradictions import SERVICE_RUNTIME, contradictions
from pipelines.errors import SettingsError
from pipelines.fields import Count, InstanceType, Language, Number, Parameters, TagKey, TagValue, Text, Timezone
from pipelines.sections import (
    NULLABLE,
    Aws,
    Cicd,
    Data,
    Drift,
    Fallback,
    Frozen,
    Gate,
    Images,
    Instance,
    Instances,
    Model,
    ModelOverride,
    Models,
    Network,
    Notifications,
    Output,
    Pipeline,
    Registry,
    Segments,
    Training,
)

__all__ = ["Images", "Instance", "Instances", "Model", "Segments", "Settings", "load", "validate"]
MAX_RUNTIME = 14_400
"""Seconds that a job gets when the config does not say; what a training may need can be more."""


class Settings(Frozen):
    """The whole configuration, validated."""

    pipeline: Pipeline = Pipeline()
    aws: Aws = Aws()
    cicd: Cicd = Cicd()
    images: Images = Images()
    instances: Instances = Instances()
    prices: dict[InstanceType, Annotated[Number, Field(ge=0)]] = Field(default={})
    """what one hour of an instance type costs, from AWS's price list for your region, jobs for processing:
    `{ml.m5.xlarge: 0.25}` (an example, not a price); `--plan` then shows money"""
    currency: Text = "USD"
    """of `prices`"""
    parallelism: Annotated[Count, Field(le=1000)] = 8
    """steps that run side by side (locally never more than cores)"""
    step_ceiling: Count = 50
    """steps that the account allows: 12 models get jobs of their own, more share jobs
    ([Scaling](../scaling.md#shards))"""
    data: Data
    models: Models
    min_rows: Count = 30
    """a discovered segment with fewer training rows gets no model of its own"""
    on_segment_failure: Literal["fail", "isolate"] = "fail"
    """`isolate`: a segment whose rows cannot be prepared or scored is left out, the others go on"""
    rest: Literal["pooled", "skip", "fail"] = "pooled"
    """rows of no model: served by one more model (`pooled`), left out (`skip`), or refused (`fail`)"""
    training: Training = Training()
    gate: Gate = Gate()
    fallback: Fallback = Fallback()
    drift: Drift = Drift()
    registry: Registry = Registry()
    notifications: Notifications = Notifications()
    output: Output = Output()
    parameters: Parameters = Field(default={})
    """the user's own pipeline parameters and their defaults ([how](../how-to/own-parameters.md))"""
    code: Path | None = None
    """Python file beside the config whose functions take part in the steps ([how](../how-to/customise-a-step.md))"""
    network: Network = Network()
    kms: Annotated[Text, Field(pattern=r"^[a-zA-Z0-9:/_-]+$", max_length=2048)] | None = None
    """key for volumes and outputs"""
    tags: dict[TagKey, TagValue] = Field(default={})
    """on every job and resource"""
    permissions_boundary: Annotated[Text, Field(pattern=r"^arn:aws[a-z\-]*:iam::(\d{12}|aws):policy/.+$")] | None = None
    """of every role that is made"""
    log_retention_days: Count = 90
    """of logs"""
    retention_days: Count = 90
    """of executions; not shorter than `cache_days`"""
    cache_days: Count = 30
    """how long a step's result may stand in for a run"""
    timezone: Timezone = "UTC"
    """of times in mails and reports"""
    language: Language = "en"
    """of mails and reports: English or Japanese ([how](../how-to/mails-and-report-in-japanese.md))"""
    concurrency: Literal["parallel", "refuse"] = "parallel"
    """`refuse`: a marker that arrives while a run is going starts none"""
    max_objects: Count = 10_000
    """files in a raw folder"""

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
    if isinstance(code := document.get("code"), str):
        document = {**document, "code": str(path.parent / code)}
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
        found += contradictions(settings) + custom_code.problems(settings.code)
    if found or settings is None:
        raise SettingsError(*(f"{source}: {problem}" for problem in dict.fromkeys(found)))
    return settings
