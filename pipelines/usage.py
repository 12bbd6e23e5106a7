"""What a command line of `pipelines.run` asks for: one action, on one execution, with options that it heeds. Pure."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.errors import SettingsError
from pipelines.options import DEFAULT_WORKSPACE

START, PLAN, VERSION, RETRY, FROM = "start", "--plan", "--print-version", "--retry", "--from"
RERUN, STATUS, LIST, STOP, FETCH = "--rerun", "--status", "--list", "--stop", "--fetch"
NEWEST = ""
"""Value of an option for an ID that was given without one."""

_OPTIONS = (
    *("--raw", "--set", "--workspace", "--definition", "--json", "--no-cache", "--follow", "--to", "--launcher"),
    "--explain",
)
_LOCAL = {
    START: ("--raw", "--set", "--definition", "--json", "--no-cache", "--follow", "--launcher"),
    PLAN: ("--raw", "--set", "--json", "--explain"),
    VERSION: ("--raw",),
    RETRY: ("--raw", "--set", "--json", "--follow", "--launcher"),
    FROM: ("--raw", "--set", "--json", "--follow", "--launcher"),
    RERUN: ("--set", "--json", "--no-cache", "--follow", "--launcher"),
    STATUS: ("--json",),
    LIST: ("--json",),
    STOP: (),
    FETCH: ("--to",),
}
_AWS = {
    START: ("--raw", "--set", "--json", "--follow"),
    VERSION: ("--raw",),
    RETRY: ("--json", "--follow"),
    FROM: ("--set", "--json", "--follow"),
    RERUN: ("--set", "--json", "--follow"),
    STATUS: ("--json", "--follow"),
    LIST: ("--json",),
    STOP: (),
    FETCH: ("--to",),
}
_GOES_WITH = {"--explain": PLAN}
"""Options of one action alone."""


@dataclass(frozen=True)
class Asked:
    """An action; `execution` is the one that it concerns, or None for the newest."""

    action: str
    execution: str | None = None


def read(arguments: argparse.Namespace) -> Asked:
    """Return what a command line asks for.

    Raises:
        SettingsError: several actions, an ID that is missing or too much, or options that the action would ignore.
    """
    ids = _ids(arguments)
    given = [*(flag for flag in (PLAN, VERSION, LIST) if _value(arguments, flag)), *ids]
    if len(given) > 1:
        raise SettingsError(f"{' and '.join(given)}: give one of them only")
    action = given[0] if given else START
    problems = [*_about_execution(arguments, action, ids), *_about_options(arguments, action)]
    if problems:
        raise SettingsError(*problems)
    return Asked(action, ids.get(action) or None)


def _ids(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the actions on an execution that were asked for, with the ID that was given, or NEWEST."""
    if bool(arguments.from_step) != (arguments.of is not None) and not (arguments.from_step and arguments.last):
        raise SettingsError("--from STEP and --of ID belong together; give both")
    values = {flag: _value(arguments, flag) for flag in (RETRY, RERUN, STATUS, STOP, FETCH)}
    found = {flag: str(value) for flag, value in values.items() if value is not None}
    return {**found, FROM: arguments.of or NEWEST} if arguments.from_step else found


def _about_execution(arguments: argparse.Namespace, action: str, ids: Mapping[str, str]) -> Iterator[str]:
    if action not in ids:
        if arguments.last:
            yield "--last: stands in place of an ID, such as --retry --last; add what to do with it"
    elif ids[action] != NEWEST and arguments.last:
        yield f"{action} {ids[action]} and --last: give one of them only"
    elif ids[action] == NEWEST and not arguments.last and action != STATUS:
        yield f"{'--of' if action == FROM else action}: give the ID of an execution, or --last for the newest"


def _about_options(arguments: argparse.Namespace, action: str) -> Iterator[str]:
    """Refuse options that the action would ignore."""
    takes = _LOCAL if arguments.local else _AWS
    if action not in takes:
        yield f"{action}: works on this machine only; add --local, or see python -m pipelines.deploy --plan"
        return
    ignored = [flag for flag in _OPTIONS if _is_given(arguments, flag) and flag not in takes[action]]
    if arguments.local:
        ignored = [flag for flag in ignored if flag != "--workspace"]
    yield from (f"{flag}: goes with {_GOES_WITH[flag]}; leave it out" for flag in ignored if flag in _GOES_WITH)
    ignored = [flag for flag in ignored if flag not in _GOES_WITH]
    local = [flag for flag in ignored if not arguments.local and flag in ("--workspace", *_LOCAL[action])]
    if local:
        yield f"{', '.join(local)}: is for runs on this machine; leave it out, or add --local"
    other = [flag for flag in ignored if flag not in local]
    if other:
        what = "a new execution" if action == START else action
        yield f"{', '.join(other)}: would be ignored with {what}; leave it out, or start a new execution with it"


def _is_given(arguments: argparse.Namespace, flag: str) -> bool:
    value = _value(arguments, flag)
    return value != DEFAULT_WORKSPACE if flag == "--workspace" else bool(value)


def _value(arguments: argparse.Namespace, flag: str) -> object:
    name = {"--set": "overrides"}.get(flag, flag.removeprefix("--").replace("-", "_"))
    return getattr(arguments, name)
