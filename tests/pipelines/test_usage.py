"""A command line asks for one action on one execution, with options that it heeds."""

from __future__ import annotations

import pytest

from pipelines import usage
from pipelines.errors import SettingsError
from pipelines.run import parser
from pipelines.usage import Asked


def read(line: str) -> Asked:
    return usage.read(parser().parse_args(line.split()))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", Asked("start")),
        ("--local --no-cache --definition d.json --follow", Asked("start")),
        ("--raw s3://b/ --set A=1 --json --follow", Asked("start")),
        ("--local --plan --set A=1", Asked("--plan")),
        ("--local --plan --explain --json", Asked("--plan")),
        ("--local --mode predict", Asked("start")),
        ("--mode full --raw s3://b/", Asked("start")),
        ("--local --plan --mode predict", Asked("--plan")),
        ("--local --print-version --mode predict", Asked("--print-version")),
        ("--local --gc --keep 3 --yes --json", Asked("--gc")),
        ("--local --gc --keep 0", Asked("--gc")),
        ("--local --compare A B --json", Asked("--compare", "A", "B")),
        ("--local --compare A --last", Asked("--compare", "A")),
        ("--print-version --raw s3://b/", Asked("--print-version")),
        ("--retry ID --follow", Asked("--retry", "ID")),
        ("--retry --last", Asked("--retry")),
        ("--from S --of ID", Asked("--from", "ID")),
        ("--from S --last", Asked("--from")),
        ("--from S --of --last", Asked("--from")),
        ("--rerun ID --set A=1", Asked("--rerun", "ID")),
        ("--status", Asked("--status")),
        ("--status --last --follow", Asked("--status")),
        ("--local --status ID --json", Asked("--status", "ID")),
        ("--list --json", Asked("--list")),
        ("--stop ID", Asked("--stop", "ID")),
        ("--local --fetch ID --to d", Asked("--fetch", "ID")),
        ("--local --list --workspace w", Asked("--list")),
        ("--local --only S", Asked("--only")),
        ("--local --only S --last --debug", Asked("--only")),
        ("--local --only S --of ID --code --workspace w", Asked("--only", "ID")),
        ("--fetch ID --only S --workspace w", Asked("--fetch ID --only", "ID")),
        ("--fetch --last --only S", Asked("--fetch ID --only")),
        ("--local --watch d --settle 0 --once --json --set A=1 --no-cache --follow", Asked("--watch")),
    ],
)
def test_what_is_asked_for(line: str, expected: Asked) -> None:
    assert read(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--local --retry A --mode predict", "--mode: would be ignored with --retry; leave it out"),
        ("--local --watch d --mode predict", "--mode: would be ignored with --watch"),
        ("--retry A --stop B", "--retry and --stop: give one of them only"),
        ("--list --status", "--list and --status: give one of them only"),
        ("--local --compare A", "give the IDs of two executions, or one and --last for the newest"),
        ("--local --compare A B --last", "give the IDs of two executions"),
        ("--local --compare A B C", "give the IDs of two executions"),
        ("--local --compare A B --retry C", "--compare and --retry: give one of them only"),
        ("--local --compare A B --no-cache", "--no-cache: would be ignored with --compare"),
        ("--compare A B", "--compare: works on this machine only; add --local"),
        ("--from S", "--from STEP and --of ID belong together"),
        ("--of ID", "--from STEP and --of ID belong together"),
        ("--retry", "--retry: give the ID of an execution, or --last for the newest"),
        ("--from S --of", "--of: give the ID of an execution, or --last for the newest"),
        ("--retry ID --last", "--retry ID and --last: give one of them only"),
        ("--last", "--last: stands in place of an ID"),
        ("--list --last", "--last: stands in place of an ID"),
        ("--local --keep 0", "--keep: goes with --gc"),
        ("--local --list --yes", "--yes: goes with --gc"),
        ("--gc", "--gc: works on this machine only; add --local; on AWS retention_days"),
        ("--local --gc --plan", "give one of them only"),
        ("--local --explain", "--explain: goes with --plan"),
        ("--explain --status", "--explain: goes with --plan"),
        ("--plan", "--plan: works on this machine only; add --local"),
        ("--workspace w", "--workspace: is for runs on this machine"),
        ("--no-cache --definition d", "--definition, --no-cache: is for runs on this machine"),
        ("--list --follow", "--follow: would be ignored with --list"),
        ("--stop ID --raw s3://b/", "--raw: would be ignored with --stop"),
        ("--retry ID --set A=1", "is for runs on this machine"),
        ("--to d", "--to: would be ignored with a new execution"),
        ("--local --status --follow", "--follow: would be ignored with --status"),
        ("--local --retry ID --no-cache", "--no-cache: would be ignored with --retry"),
        ("--local --from S --of ID --definition d", "--definition: would be ignored with --from"),
        ("--watch d", "--watch: works on this machine only; add --local, or drop markers into the raw bucket"),
        ("--local --watch d --list", "--list and --watch: give one of them only"),
        ("--local --watch d --raw r", "--raw: would be ignored with --watch, where every marker's own folder"),
        ("--local --watch d --last", "--last: stands in place of an ID"),
        ("--local --settle 0", "--settle: goes with --watch; leave it out"),
        ("--local --list --once", "--once: goes with --watch; leave it out"),
        ("--local --plan --no-cache", "--no-cache: would be ignored with --plan"),
        ("--local --only S --from S --of ID", "--only and --from: give one of them only"),
        ("--local --only S --of ID --last", "--only ID and --last: give one of them only"),
        ("--local --only S --retry ID", "--retry and --only: give one of them only"),
        ("--local --only S --json", "--json: would be ignored with --only"),
        ("--local --debug", "--debug: goes with --only; leave it out"),
        ("--local --retry ID --code", "--code: goes with --only; leave it out"),
        ("--only S --of ID", "bring its inputs here with --fetch ID --only STEP, then add --local"),
        ("--local --fetch ID --only S", "with --local they are here, run it with --only STEP --of ID"),
        ("--fetch ID --only S --of ID", "--fetch and --only: give one of them only"),
        ("--fetch --only S", "--fetch ID --only: give the ID of an execution, or --last for the newest"),
        ("--fetch ID --only S --to d", "--to: would be ignored with --fetch ID --only"),
    ],
)
def test_what_contradicts_itself_or_would_be_ignored_is_refused(line: str, expected: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(line)

    assert expected in str(caught.value)
