"""Check on a real account what the project believes about AWS and could not prove without one (docs/aws.md).

Needs credentials, a deployed pipeline and a raw folder in its raw bucket with training and prediction files. Prints one
line per assumption and exits with 0 only if none that could be checked failed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import smoke_executions as runs
import smoke_service as service
from smoke_findings import Check, Finding, World, unknown

from pipelines.aws.cloud import translated
from pipelines.catalog import catalog_of
from pipelines.desk import Outside, open_desk, open_pipeline, open_ports
from pipelines.errors import PipelineError
from pipelines.options import DEFAULT_CONFIG

CHECKS = (
    Check(1, "a pipeline has at most 50 steps", service.step_ceiling),
    Check(4, "an empty input prefix fails the job before its code runs", service.empty_prefix, "a job of minutes"),
    Check(5, "the message file becomes the ExitMessage, cut at 1 KB", service.exit_message, "a job of minutes"),
    Check(6, "a repeated ClientRequestToken starts nothing new", service.repeated_token),
    Check(19, "an execution is listed right after its start", service.listed_at_once),
    Check(10, "a model package group with versions cannot be deleted", service.group_with_versions),
    Check(13, "a new account runs at most 10 functions at once", service.lambda_concurrency),
    Check(15, "IAM decides as the policies read", service.trigger_rights),
    Check(16, "every mail address has confirmed", service.confirmed_subscriptions),
    Check(17, "CodePipeline deploys a change of the repository", service.codepipeline),
    Check(
        18, "a marker's event reaches the trigger, whose role and runtime suffice", runs.events_start, "an execution"
    ),
    Check(7, "keys in EventBridge events are not URL-encoded", runs.literal_keys),
    Check(9, "a retry goes on after a failed Lambda step", runs.retry_after_lambda),
    Check(2, "a step takes its image from a Lambda output", runs.fallback_images),
    Check(3, "a branch refers to steps before the condition", runs.earlier_outputs),
    Check(11, "numbers of JsonGet, parameters and Lambda outputs compare", runs.integer_condition),
    Check(8, "references to a cached step lead to the outputs it reused", runs.cached_outputs, "an execution, cached"),
    Check(12, "selective execution may select steps inside a branch", runs.selective_branch, "inference once more"),
    Check(14, "the Studio link leads to the execution", service.studio_link),
)
"""In the order in which they run: what is cheap first, and what others read before those."""


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    line = argparse.ArgumentParser(
        prog="make smoke-aws ENV=NAME RAW=s3://BUCKET/FOLDER/",
        description=__doc__,
        epilog="Exit codes: 0 nothing failed, 1 an assumption does not hold, 2 bad usage or credentials.",
    )
    line.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="F", help="config file (%(default)s)")
    line.add_argument("--env", metavar="NAME", help="overlay of the config")
    line.add_argument(
        "--raw", required=True, metavar="S3URI", help="raw folder with data, in the pipeline's raw bucket"
    )
    line.add_argument("--only", type=int, nargs="*", metavar="N", help="check these assumptions only")
    line.add_argument("--yes", action="store_true", help="do not ask before jobs and executions are started")
    return line


def main(argv: Sequence[str] | None = None, outside: Outside | None = None, answers: TextIO | None = None) -> int:
    """Run the checks; return the exit code. Answers to questions are read from stdin unless given."""
    arguments = parser().parse_args(argv)
    try:
        world = open_world(arguments, outside or Outside())
        chosen = [check for check in CHECKS if not arguments.only or check.number in arguments.only]
        if not arguments.yes and not agree(chosen, answers or sys.stdin):
            return 2
        try:
            findings = [carry_out(check, world) for check in chosen]
        finally:
            runs.clean(world)
        return report(chosen, findings)
    except PipelineError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2


def open_world(arguments: argparse.Namespace, outside: Outside) -> World:
    """Return the deployed pipeline with what the checks share."""
    desk = open_desk(arguments.config, arguments.env, outside)
    raw = arguments.raw if arguments.raw.endswith("/") else f"{arguments.raw}/"
    if not raw.startswith(f"s3://{desk.stack.RawBucketName}/"):
        raise PipelineError(f"--raw {raw}: lies in another bucket than the pipeline's, {desk.stack.RawBucketName}")
    world = World(desk, raw, outside.sleep)
    world.seen["image"] = image_of(open_pipeline(desk).definition)
    world.seen["catalog"] = catalog_of(desk.settings, open_ports(desk), desk.prefix)
    return world


def image_of(definition: str) -> str:
    """Return the image of the first prepare step of a definition."""
    steps = json.loads(definition)["Steps"]
    return next(str(s["Arguments"]["AppSpecification"]["ImageUri"]) for s in steps if s["Type"] == "Processing")


def agree(chosen: Sequence[Check], answers: TextIO) -> bool:
    """Tell what will be spent, and ask."""
    costs = [f"  {check.number}: {check.spends}" for check in chosen if check.spends]
    if not costs:
        return True
    sys.stdout.write("These start jobs that cost money:\n" + "\n".join(costs) + "\nGo on? [y/N] ")
    sys.stdout.flush()
    return answers.readline().strip().lower() in ("y", "yes")


def carry_out(check: Check, world: World) -> Finding:
    """Decide one assumption; what AWS refuses leaves it undecided, and says so."""
    world.say(f"{check.number}: {check.claim} ...")
    try:
        with translated(f"assumption {check.number}"):
            return check.look(world)
    except PipelineError as error:
        return unknown(f"could not be checked: {error}")


def report(chosen: Sequence[Check], findings: Sequence[Finding]) -> int:
    """Print the table; return 1 if an assumption does not hold."""
    words = {True: "held", False: "DID NOT HOLD", None: "not checked"}
    for check, found in zip(chosen, findings, strict=True):
        sys.stdout.write(f"{check.number:>3}  {words[found.held]:<13} {check.claim}\n     {found.evidence}\n")
    broken = sum(found.held is False for found in findings)
    sys.stdout.write(f"{sum(f.held is True for f in findings)} held, {broken} did not, of {len(findings)}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
