"""Runs one Processing step: find the inputs, look into the cache, stage, launch on every host, publish, remember.

It knows nothing of other steps: `engine` hands it a computed job and cores, and gets a record back.
"""

from __future__ import annotations

import logging
import shlex
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.errors import LaunchError
from pipelines.local.cache import Digests, Miss, look_up, record_files, store_entry, use_entry
from pipelines.local.cachekey import compute_components
from pipelines.local.entry import Entry
from pipelines.local.failure import explain_exit
from pipelines.local.job import Job
from pipelines.local.jobconfig import write_config
from pipelines.local.launch import Exit, Task
from pipelines.local.orphans import end_processes
from pipelines.local.record import EXECUTING, FAILED, SUCCEEDED, StepRecord
from pipelines.local.request import World
from pipelines.local.staging import Objects, find_objects, publish, stage_inputs, withdraw
from pipelines.local.step import RetryPolicy, Step

log = logging.getLogger(__name__)
LOG_FILE = "log.txt"
NO_CACHE_FILE = "output/no-cache"
"""A step that leaves this file below /opt/ml has succeeded in a way that must not be repeated from the cache."""


@dataclass(frozen=True)
class Site:
    """Where and how a step runs.

    `report` takes a status, a message and the reason why the step runs, `stopped` says when to give up, `why` is a
    reason that is known before the cache is asked.
    """

    execution_id: str
    pipeline: str
    world: World
    digests: Digests
    cores: tuple[int, ...]
    use_cache: bool
    stopped: Callable[[], bool]
    report: Callable[[str, str, str], None]
    why: str = ""


def run_processing(step: Step, job: Job, site: Site) -> StepRecord:
    """Run a Processing step to its end and return its record.

    Raises:
        PipelineError: it failed before its command ran or while its outputs were published.
    """
    workspace = site.world.workspace
    blank = StepRecord(step.name, step.type, SUCCEEDED)
    for output in job.outputs:
        workspace.target(output.uri)
    objects = find_objects(job, workspace)
    if not step.cache:
        return _work(step, job, objects, site)[0]
    components = compute_components(job, objects, site.digests.of, site.world.fingerprint)
    uris = {item.name: item.uri for item in job.inputs}
    found = look_up(site.pipeline, step.name, components, uris, workspace) if site.use_cache else Miss()
    if isinstance(found, Entry):
        log.debug("%s: cache key %s: outputs of execution %s", step.name, components.key[:12], found.execution)
        return use_entry(found, blank)
    why = found.say(step.name, site.world.explain)
    log.debug("%s: cache key %s: %s", step.name, components.key[:12], why if site.use_cache else "not looked up")
    record, cacheable = _work(step, job, objects, replace(site, why=site.why or ("" if found.is_first else why)))
    if record.status == SUCCEEDED and cacheable:
        made = (record.outputs, record.files)
        store_entry(Entry(site.pipeline, step.name, site.execution_id, components, uris, *made), workspace)
    return replace(record, reason=record.reason or why)


def _work(step: Step, job: Job, objects: Objects, site: Site) -> tuple[StepRecord, bool]:
    """Run the job itself; also tell whether its result may be used again."""
    workspace = site.world.workspace
    folder = workspace.step(site.execution_id, step.name)
    hosts = [f"algo-{n + 1}" for n in range(job.instances)]
    homes = [folder / host if len(hosts) > 1 else folder for host in hosts]
    _clear(folder, homes, site)
    tasks = [_prepare(step, job, objects, site, home, hosts, n) for n, home in enumerate(homes)]
    exits = _retry(lambda: _launch(tasks, site), step.retry_policies, site)
    peaks = [end.peak_memory_mb for end in exits if end.peak_memory_mb is not None]
    failed = _first_failure(exits, tasks)
    record = StepRecord(
        step.name,
        step.type,
        FAILED if failed else SUCCEEDED,
        reason=explain_exit(*failed) if failed else site.why,
        peak_memory_mb=max(peaks, default=None),
        log=(failed[1] if failed else tasks[0]).log.relative_to(workspace.root).as_posix(),
    )
    if failed:
        return record, False
    roots = [task.root for task in tasks]
    files = record_files(publish(job, roots, folder, workspace), site.digests)
    outputs = {output.name: output.uri for output in job.outputs}
    cacheable = not any((root / NO_CACHE_FILE).exists() for root in roots)
    return replace(record, outputs=outputs, files=files), cacheable


def _clear(folder: Path, homes: Sequence[Path], site: Site) -> None:
    """Remove what an earlier attempt at this step left behind, its processes included."""
    for home in homes:
        end_processes(home / "opt" / "ml")
    withdraw(folder, site.world.workspace)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)


def _prepare(step: Step, job: Job, objects: Objects, site: Site, home: Path, hosts: Sequence[str], number: int) -> Task:
    """Build one host's /opt/ml tree and the task that runs in it."""
    root = home / "opt" / "ml"
    stage_inputs(job, objects, root, number)
    write_config(job, root, f"{site.execution_id}-{step.name}", hosts, number)
    return Task(
        step=step.name,
        host=hosts[number],
        image=job.image,
        command=(*job.entrypoint, *job.arguments),
        environment=job.environment,
        root=root,
        log=home / LOG_FILE,
        cores=site.cores,
        threads=max(1, len(site.cores) // len(hosts)),
        timeout=job.max_runtime,
        stopped=site.stopped,
    )


def _launch(tasks: Sequence[Task], site: Site) -> list[Exit]:
    """Run all hosts side by side; the first that fails ends the others, as the service does."""
    failed: list[str] = []

    def stopped() -> bool:
        return bool(failed) or site.stopped()

    def run(task: Task) -> Exit:
        log.debug("%s: %d core(s), %s, in %s", task.step, task.threads, shlex.join(task.command), task.home)
        try:
            end = site.world.launcher.run(replace(task, stopped=stopped))
        except BaseException:
            failed.append(task.host)
            raise
        if end.code:
            failed.append(task.host)
        return end

    site.report(EXECUTING, f"{len(site.cores)} core(s)", site.why)
    if len(tasks) == 1:
        return [run(tasks[0])]
    with ThreadPoolExecutor(len(tasks)) as pool:
        return list(pool.map(run, tasks))


def _retry(launch: Callable[[], list[Exit]], policies: Sequence[RetryPolicy], site: Site) -> list[Exit]:
    """Launch again after faults that a retry policy names; a job that ran and failed is never repeated."""
    began, retries = site.world.clock(), 0
    while True:
        try:
            return launch()
        except LaunchError as error:
            wait = retry_delay(policies, error.kind, retries, site.world.clock() - began)
            if wait is None or site.stopped():
                raise
            site.report(EXECUTING, f"{error}; trying again in {wait:g} s", "")
            site.world.sleep(wait)
            retries += 1


def retry_delay(policies: Sequence[RetryPolicy], kind: str, retries: int, elapsed: float) -> float | None:
    """Return the seconds to wait before the next attempt, or None where no policy allows another."""
    policy = next((policy for policy in policies if kind in policy.kinds), None)
    if policy is None or (policy.attempts is not None and retries >= policy.attempts):
        return None
    if policy.expire_minutes is not None and elapsed >= policy.expire_minutes * 60:
        return None
    return policy.interval * policy.backoff**retries


def _first_failure(exits: Sequence[Exit], tasks: Sequence[Task]) -> tuple[Exit, Task] | None:
    """Return the host that failed of itself; hosts that were ended because of it come last."""
    pairs = [(end, task) for end, task in zip(exits, tasks, strict=True) if end.code or end.timed_out or end.stopped]
    return min(pairs, key=lambda pair: pair[0].stopped, default=None)
