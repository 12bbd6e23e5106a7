"""Models that share a job behind the gate: its image, and the manifest of their artifacts. Pure.

An Infer job runs in one image and takes one model input. A model of its own gets its artifact as that input; a shard
gets a ManifestFile of all its artifacts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lambda_trigger.ports import ModelPackage
from lambda_trigger.settings import Model
from steps import contract

Loads = contract.Versions | str
"""What tells whether two predictors load in one image: the versions they were trained with, else their image's URI."""


@dataclass(frozen=True)
class Job:
    """The models that one Infer step serves."""

    name: str
    models: tuple[Model, ...]
    is_shard: bool


def jobs_of(models: Iterable[Model]) -> tuple[Job, ...]:
    """Return the jobs of all models as the definition has them: shards by name, else a job per model in their order."""
    found: dict[str, list[Model]] = {}
    for model in models:
        found.setdefault(model.unit, []).append(model)
    jobs = [Job(name, tuple(members), members[0].shard is not None) for name, members in found.items()]
    return tuple(sorted(jobs, key=lambda job: job.name) if any(job.is_shard for job in jobs) else jobs)


def loads_in(package: ModelPackage, today: str) -> Loads:
    """Return what an image must have for a default to load; `today` is the image of one that recorded none."""
    return contract.Versions.of(package.metadata) or package.image_uri or today


def find_strangers(
    jobs: Iterable[Job], defaults: Mapping[str, ModelPackage], fresh: Callable[[Job], Loads | None], today: str
) -> dict[str, str]:
    """Return by slug why a default cannot serve in the job of its shard: the others of it load in another image.

    Without fresh models the newest default decides: the older ones can be refreshed to what it needs.

    Args:
        jobs: all jobs.
        defaults: the approved defaults by slug.
        fresh: what the fresh models that a job serves load in, or None if it serves none.
        today: the image of today's trainings.
    """
    found: dict[str, str] = {}
    for job in jobs:
        here = {m.slug: loads_in(defaults[m.slug], today) for m in job.models if m.slug in defaults}
        if not job.is_shard or not here:
            continue
        newest = max(here, key=lambda slug: defaults[slug].created)
        shared = fresh(job) or here[newest]
        found |= {slug: _why(defaults[slug], job, needs, shared) for slug, needs in here.items() if needs != shared}
    return found


def _why(package: ModelPackage, job: Job, needs: Loads, shared: Loads) -> str:
    return f"default v{package.version} needs {needs}, the other models of {job.name} need {shared}; refresh it"


def write_manifest(prefix: str, uris: Sequence[str]) -> str:
    """Return the ManifestFile of objects below a prefix.

    Its form is SageMaker's (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProcessingS3Input.html).
    """
    return contract.to_json([{"prefix": prefix}, *(uri.removeprefix(prefix) for uri in uris)])


def is_below(prefix: str, uri: str) -> bool:
    """Tell whether a manifest of this prefix can name an object."""
    return uri.startswith(prefix) and contract.key_problem(uri.removeprefix(prefix)) is None
