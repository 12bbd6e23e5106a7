"""What a command line of `pipelines.run` asks for: one action, on one execution, with options that it heeds. Pure."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.errors import SettingsError
from pipelines.options import DEFAULT_WORKSPACE
from steps import contract

START, PLAN, VERSION, RETRY, FROM = "start", "--plan", "--print-version", "--retry", "--from"
RERUN, STATUS, LIST, STOP, FETCH, GC = "--rerun", "--status", "--list", "--stop", "--fetch", "--gc"
ONLY, FETCH_INPUTS = "--only", "--fetch ID --only"
WATCH = "--watch"
COMPARE = "--compare"
NEWEST = ""
"""Value of an option for an ID that was given without one."""

_OPTIONS = (
    *("--raw", "--set", "--workspace", "--definition", "--json", "--no-cache", "--follow", "--to", "--launcher"),
    *("--explain", "--debug", "--code", "--settle", "--once", "--keep", "--yes", "--mode"),
)
_LOCAL = {
    START: ("--raw", "--mode", "--set", "--definition", "--json", "--no-cache", "--follow", "--launcher"),
    PLAN: ("--raw", "--mode", "--set", "--json", "--explain"),
    VERSION: ("--raw", "--mode"),
    RETRY: ("--raw", "--set", "--json", "--follow", "--launcher"),
    FROM: ("--raw", "--set", "--json", "--follow", "--launcher"),
    RERUN: ("--set", "--json", "--no-cache", "--follow", "--launcher"),
    STATUS: ("--json",),
    LIST: ("--json",),
    STOP: (),
    FETCH: ("--to",),
    ONLY: ("--debug", "--code", "--launcher"),
    WATCH: ("--set", "--json", "--no-cache", "--follow", "--launcher", "--settle", "--once"),
    GC: ("--keep", "--yes", "--json"),
    COMPARE: ("--json",),
}
_AWS = {
    START: ("--raw", "--mode", "--set", "--json", "--follow"),
    VERSION: ("--raw", "--mode"),
    RETRY: ("--mode", "--json", "--follow"),
    FROM: ("--mode", "--set", "--json", "--follow"),
    RERUN: ("--mode", "--set", "--json", "--follow"),
    STATUS: ("--mode", "--json", "--follow"),
    LIST: ("--json",),
    STOP: ("--mode",),
    FETCH: ("--to", "--mode"),
    FETCH_INPUTS: ("--workspace", "--mode"),
}
_GOES_WITH = {
    **{"--explain": PLAN, "--debug": ONLY, "--code": ONLY, "--settle": WATCH, "--once": WATCH},
    **{"--keep": GC, "--yes": GC},
}
"""Options of one action alone."""
_ELSEWHERE = {
    ONLY: "runs a step on this machine; bring its inputs here with --fetch ID --only STEP, then add --local",
    FETCH_INPUTS: "brings a step's inputs from AWS; with --local they are here, run it with --only STEP --of ID",
    WATCH: "works on this machine only; add --local, or drop markers into the raw bucket, which deploying watches",
    COMPARE: "works on this machine only; add --local",
    GC: "works on this machine only; add --local; on AWS retention_days in the config removes executions",
}
_NEWEST_UNLESS_NAMED = (STATUS, ONLY)


@dataclass(frozen=True)
class Asked:
    """An action; `execution` is the one that it concerns, or None for the newest; `other` the second of two."""

    action: str
    execution: str | None = None
    other: str | None = None


def read(arguments: argparse.Namespace) -> Asked:
    """Return what a command line asks for.

    Raises:
        SettingsError: several actions, an ID that is missing or too much, or options that the action would ignore.
    """
    ids = _ids(arguments)
    given = [*(flag for flag in (PLAN, VERSION, LIST, WATCH, GC, COMPARE) if _value(arguments, flag)), *ids]
    if len(given) > 1:
        raise SettingsError(f"{' and '.join(given)}: give one of them only")
    action = given[0] if given else START
    problems = [*_about_execution(arguments, action, ids), *_about_options(arguments, action)]
    if problems:
        raise SettingsError(*problems)
    if action == COMPARE:
        return Asked(action, *arguments.compare)
    return Asked(action, ids.get(action) or None)


def _ids(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the actions on an execution that were asked for, with the ID that was given, or NEWEST."""
    step, of = arguments.from_step, arguments.of
    if (step and of is None and not arguments.last) or (of is not None and not step and not arguments.only):
        raise SettingsError("--from STEP and --of ID belong together; give both")
    values = {flag: _value(arguments, flag) for flag in (RETRY, RERUN, STATUS, STOP, FETCH)}
    found = {flag: str(value) for flag, value in values.items() if value is not None}
    if arguments.only and FETCH in found and of is None:
        found[FETCH_INPUTS] = found.pop(FETCH)
    elif arguments.only:
        found[ONLY] = of or NEWEST
    return {**found, FROM: of or NEWEST} if step else found


def _about_execution(arguments: argparse.Namespace, action: str, ids: Mapping[str, str]) -> Iterator[str]:
    if action == COMPARE:
        if len(arguments.compare) + arguments.last != 2:
            yield "--compare: give the IDs of two executions, or one and --last for the newest"
    elif action not in ids:
        if arguments.last:
            yield "--last: stands in place of an ID, such as --retry --last; add what to do with it"
    elif ids[action] != NEWEST and arguments.last:
        yield f"{action} {ids[action]} and --last: give one of them only"
    elif ids[action] == NEWEST and not arguments.last and action not in _NEWEST_UNLESS_NAMED:
        yield f"{'--of' if action == FROM else action}: give the ID of an execution, or --last for the newest"


def _about_options(arguments: argparse.Namespace, action: str) -> Iterator[str]:
    """Refuse options that the action would ignore."""
    takes = _LOCAL if arguments.local else _AWS
    if action not in takes:
        only_here = "works on this machine only; add --local, or see python -m pipelines.deploy --plan"
        yield f"{action}: {_ELSEWHERE.get(action, only_here)}"
        return
    ignored = [flag for flag in _OPTIONS if _is_given(arguments, flag) and flag not in takes[action]]
    if arguments.local:
        ignored = [flag for flag in ignored if flag != "--workspace"]
    yield from (f"{flag}: goes with {_GOES_WITH[flag]}; leave it out" for flag in ignored if flag in _GOES_WITH)
    ignored = [flag for flag in ignored if flag not in _GOES_WITH]
    local = [flag for flag in ignored if not arguments.local and flag in ("--workspace", *_LOCAL.get(action, ()))]
    if local:
        yield f"{', '.join(local)}: is for runs on this machine; leave it out, or add --local"
    other = [flag for flag in ignored if flag not in local]
    if other and action == WATCH:
        yield f"{', '.join(other)}: would be ignored with {action}, where every marker's own folder is the raw folder"
    elif other:
        what = "a new execution" if action == START else action
        yield f"{', '.join(other)}: would be ignored with {what}; leave it out, or start a new execution with it"


def _is_given(arguments: argparse.Namespace, flag: str) -> bool:
    value = _value(arguments, flag)
    if flag == "--mode":
        return value != contract.FULL
    return value != DEFAULT_WORKSPACE if flag == "--workspace" else bool(value) or (value == 0 and value is not False)


def _value(arguments: argparse.Namespace, flag: str) -> object:
    name = {"--set": "overrides"}.get(flag, flag.removeprefix("--").replace("-", "_"))
    return getattr(arguments, name)


def heeded(local: bool) -> Mapping[str, tuple[str, ...]]:
    """Return the options that each action takes into account, on this machine or on AWS; the others it refuses."""
    return _LOCAL if local else _AWS
