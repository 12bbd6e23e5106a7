"""`python -m pipelines.run --local --watch FOLDER`: connects the watcher to a folder, a workspace and the signals."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from pipelines import local_run, parameters, settings
from pipelines.errors import SettingsError
from pipelines.local.workspace import Workspace
from pipelines.options import say_options
from pipelines.settings import Settings
from pipelines.watch import rules
from pipelines.watch.console import Console
from pipelines.watch.detector import Detector
from pipelines.watch.ledger import Ledger, ledger_folder, locked
from pipelines.watch.markers import DiskFolder, parent
from pipelines.watch.readiness import Readies
from pipelines.watch.serving import LocalExecutions, MarkerServer
from pipelines.watch.watcher import Watcher

SETTLE = 2.0
"""Seconds that raw files must not change before a run starts."""


def watch(arguments: argparse.Namespace) -> int:
    """Serve the markers of a folder until a signal comes, or with --once those that are there; return the exit code.

    Raises:
        PipelineError: the folder, the configuration or the workspace cannot be used, or another watcher uses them.
    """
    root, settle = _folder(arguments.watch), _settle(arguments.settle)
    config = settings.load(arguments.config, arguments.env)
    parameters.read_own(arguments.overrides)
    workspace = local_run.open_beside(arguments.workspace, root)
    place, console = ledger_folder(workspace.root, root), Console(sys.stderr)
    with locked(place, root), contextlib.closing(Ledger(place)) as ledger:
        watcher = _connect(arguments, config, workspace, root, ledger, console, settle)
        console.say(f"watches {root}; {len(ledger.waiting())} in the queue from before")
        return _run(watcher, console, once=arguments.once)


def _folder(given: str) -> Path:
    folder = Path(given)
    if not folder.is_dir():
        raise SettingsError(f"--watch {given}: no such folder; make it, or name the one that markers are dropped into")
    return folder.resolve()


def _settle(given: float | None) -> float:
    if given is None:
        return SETTLE
    if not (math.isfinite(given) and given >= 0):
        raise SettingsError(f"--settle {given}: is no time; expected seconds, such as --settle 2")
    return given


def _connect(
    arguments: argparse.Namespace,
    config: Settings,
    workspace: Workspace,
    root: Path,
    ledger: Ledger,
    console: Console,
    settle: float,
) -> Watcher:
    hint = say_options(arguments.config, arguments.env, arguments.workspace)
    executions = LocalExecutions(arguments, workspace, root, console)
    folder = DiskFolder(root)
    return Watcher(
        detector=Detector(folder, ledger, time.time, console.say, settle, rules.READ),
        ledger=ledger,
        readies=Readies(
            folder,
            lambda entry, files: rules.missing(entry.body, str(root / parent(entry.path)), files),
            time.time,
            settle,
        ),
        server=MarkerServer(executions, workspace.root, config, root, hint, console.say, sys.stderr.write),
        say=console.say,
        show=_print if arguments.json else _ignore,
    )


def _run(watcher: Watcher, console: Console, *, once: bool) -> int:
    with _interruptible() as seen:
        try:
            try:
                if once:
                    return watcher.run_once()
                watcher.run()
            finally:
                seen.append(0)  # whatever signal comes now, ending goes on
        except KeyboardInterrupt:
            left = len(watcher.ledger.waiting())
            console.say(f"stopped; {left} in the queue" + (", served when the watcher starts again" if left else ""))
    return 0


@contextlib.contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Let TERM and HUP interrupt like Ctrl-C, once: yields the signals that have come, the first of which interrupts.

    While an execution runs its engine has handlers of its own, which end its processes first.
    """
    seen: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        seen.append(number)
        if len(seen) == 1:
            raise KeyboardInterrupt

    asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    numbers = [n for n in asked if signal.getsignal(n) not in (signal.SIG_IGN, None)]  # nohup stays nohup
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _print(document: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def _ignore(document: Mapping[str, Any]) -> None:
    """Print nothing: stdout is for programs."""
