"""CodeBuild builds: start one from a source in S3, wait, and say where its log is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.aws.cloud import Cloud, translated
from pipelines.aws.watch import Watch
from pipelines.errors import AwsError

_POLL, _LONGEST = 10.0, 4 * 3600.0


@dataclass(frozen=True)
class Build:
    """A build as it is; `log` is a link for people."""

    number: str
    phase: str
    status: str
    reason: str
    log: str


def start_build(cloud: Cloud, project: str, source: str, variables: Mapping[str, str]) -> str:
    """Start a build of a project and return its ID.

    Args:
        cloud: where.
        project: the project's name.
        source: `bucket/key` of the zipped source.
        variables: environment variables of the build.
    """
    given = [{"name": name, "value": value, "type": "PLAINTEXT"} for name, value in sorted(variables.items())]
    with translated(f"build of project {project} cannot be started"):
        started = cloud.client("codebuild").start_build(
            projectName=project,
            sourceTypeOverride="S3",
            sourceLocationOverride=source,
            environmentVariablesOverride=given,
        )
    return str(started["build"]["id"])


def wait_builds(cloud: Cloud, numbers: Sequence[str], watch: Watch) -> tuple[Build, ...]:
    """Tell phases until every build has ended; return them in the order in which they were named."""
    told: dict[str, str] = {}
    for _ in watch.polls("builds of images", _POLL, _LONGEST):
        builds = _describe(cloud, numbers)
        for build in builds:
            if told.get(build.number) != build.phase:
                told[build.number] = build.phase
                watch.say(f"  build {build.number}: {build.phase.lower()}")
        if all(build.status != "IN_PROGRESS" for build in builds):
            break
    return builds


def _describe(cloud: Cloud, numbers: Sequence[str]) -> tuple[Build, ...]:
    with translated("builds cannot be described"):
        found = cloud.client("codebuild").batch_get_builds(ids=list(numbers))
    by_number = {item["id"]: _build(item) for item in found["builds"]}
    missing = [number for number in numbers if number not in by_number]
    if missing:
        raise AwsError(f"build {', '.join(missing)}: CodeBuild does not know it any more; deploy again")
    return tuple(by_number[number] for number in numbers)


def _build(found: Mapping[str, Any]) -> Build:
    failed = [
        phase for phase in found.get("phases", ()) if phase.get("phaseStatus") in ("FAILED", "FAULT", "TIMED_OUT")
    ]
    words = [context.get("message", "") for phase in failed[:1] for context in phase.get("contexts", ())]
    place = f"{failed[0]['phaseType'].lower()}: " if failed else ""
    return Build(
        number=found["id"],
        phase=found.get("currentPhase", "QUEUED"),
        status=found["buildStatus"],
        reason=f"{place}{'; '.join(word for word in words if word)}".rstrip(": "),
        log=found.get("logs", {}).get("deepLink", ""),
    )
