"""Which models share a job: more than the definition has room for are packed into shards, balanced by rows. Pure.

A model has a Train step and two Infer steps of its own while they fit. Otherwise every model belongs to a shard, whose
steps serve its models side by side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipelines.instances import machine_of
from pipelines.models import LEAST_ROWS, ModelSpec
from pipelines.settings import Settings
from steps import contract

FIXED_STEPS = 13
"""Steps that a definition has besides those of its models: see the graph in `definition`."""
STEPS_OF_A_JOB = 3
"""Train, Infer and InferFallback."""


@dataclass(frozen=True)
class Shard:
    """The models that one Train step and one Infer step of each branch serve; `alone` means one model, unsharded."""

    name: str
    models: tuple[ModelSpec, ...]
    alone: bool = False

    def __str__(self) -> str:
        return self.models[0].name if self.alone else f"each of {len(self.models)} models"


def count_steps(jobs: int) -> int:
    """Return the number of steps of a definition with so many Train steps."""
    return FIXED_STEPS + STEPS_OF_A_JOB * jobs + math.ceil(jobs / contract.DECIDE_WIDTH)


def most_jobs(step_ceiling: int) -> int:
    """Return how many Train steps fit a step ceiling; 1 where not even that does, so that a definition can say so."""
    jobs = max(1, (step_ceiling - FIXED_STEPS) // STEPS_OF_A_JOB)
    while jobs > 1 and count_steps(jobs) > step_ceiling:
        jobs -= 1
    return jobs


def fewer_jobs(models: Sequence[ModelSpec], characters: int, most: int) -> int:
    """Return how many jobs may make a definition that is too large small enough; as many as there are if it is not.

    The steps of jobs are nearly all of a definition, so that its size follows their number.
    """
    jobs = len({model.unit for model in models})
    return jobs if characters <= most else max(1, min(jobs - 1, int(jobs * most / characters)))


def jobs_for_steps(models: Sequence[ModelSpec], steps: int, step_ceiling: int) -> int:
    """Return how many jobs may make a definition of so many steps fit the ceiling; as many as there are if it does.

    Whoever has added steps to the graph has fewer left for jobs than `most_jobs` counts on.
    """
    jobs = len({model.unit for model in models})
    return jobs if steps <= step_ceiling else max(1, jobs - math.ceil((steps - step_ceiling) / STEPS_OF_A_JOB))


def pack(models: Sequence[ModelSpec], jobs: int) -> tuple[ModelSpec, ...]:
    """Return the models in their order, with their shards where there are more of them than `jobs`.

    The largest model first, each goes to the shard with the fewest rows (Graham, "Bounds on multiprocessing timing
    anomalies", 1969: at most 4/3 of the shortest makespan). Models that have shards keep them: what an earlier
    execution prepared lies in their folders.
    """
    if len(models) <= jobs or any(model.shard for model in models):
        return tuple(models)
    loads, places = [0] * jobs, dict[str, int]()
    for model in sorted(models, key=_largest_first):
        lightest = loads.index(min(loads))
        loads[lightest] += _weight(model)
        places[model.slug] = lightest
    digits = max(2, len(str(jobs)))
    return tuple(replace(model, shard=f"{contract.SHARD}-{places[model.slug] + 1:0{digits}d}") for model in models)


def group(models: Sequence[ModelSpec]) -> tuple[Shard, ...]:
    """Return the shards of packed models by name, the largest model of each first; unsharded models in their order."""
    found: dict[str, list[ModelSpec]] = {}
    for model in models:
        found.setdefault(model.unit, []).append(model)
    if not any(model.shard for model in models):
        return tuple(Shard(model.unit, (model,), alone=True) for model in models)
    return tuple(Shard(name, tuple(sorted(found[name], key=_largest_first))) for name in sorted(found))


def count_waves(shard: Shard, instance_type: str) -> int:
    """Return how many fits follow one another in the Train job of a shard, which runs one on each core.

    Of a type of which nothing is known, all of them.
    """
    machine = machine_of(instance_type)
    return math.ceil(len(shard.models) / (machine.cores if machine else 1))


def most_waves(settings: Settings, models: Sequence[ModelSpec]) -> int:
    """Return how many fits follow one another in the Train job of which that is most true."""
    return max((count_waves(shard, settings.instances.train.type) for shard in group(models)), default=1)


def check_runtime(settings: Settings, models: Sequence[ModelSpec]) -> list[str]:
    """Return what is wrong with the time that the trainings of a shard may take, one after another on each core."""
    instance = settings.instances.train
    waves = most_waves(settings, models)
    needed, allowed = waves * settings.training.longest, settings.max_runtime_of(instance, waves)
    if waves == 1 or needed <= allowed:
        return []
    return [
        f"instances.train: {waves} trainings follow one another in a job and may take {needed} s, a job ends after "
        f"{allowed} s; raise instances.train.max_runtime (to 777600 s at most), take an instances.train.type with more "
        "cores, lower training.time_limit, or raise step_ceiling"
    ]


def _largest_first(model: ModelSpec) -> tuple[int, str]:
    return (-_weight(model), model.slug)


def _weight(model: ModelSpec) -> int:
    return max(LEAST_ROWS, model.rows)
