"""`runs.html` in the workspace: all executions at a glance, and the steps of one that runs as they turn green.

Static files, opened from `file://`, where a page may not `fetch`. It may insert scripts, though: `runs-index.js` and
each execution's `run.js` hand one JSON text to the page, which inserts them anew while something runs. A reload by
`<meta refresh>` would take focus, scroll position and search with it. The data are a JSON text inside a string, so
that no name, column or reason is ever code, and the policy of the page lets no script but these run.

A thread of its own writes, about once a second and only what changed, so that the engine waits for nothing; what goes
wrong here is said once and fails no run. A page cannot see whether a process lives: while one does, it signs `run.js`
every few seconds, and the page calls an execution interrupted whose last sign is old.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import local_executions, runs_data
from pipelines.errors import ExecutionError
from pipelines.local import document, history
from pipelines.local.durable import write_atomically
from pipelines.local.record import StepEvent, StepRecord
from pipelines.local.step import Definition
from pipelines.local.workspace import Workspace, is_execution_id
from pipelines.options import say_options
from pipelines.origin import Origin
from pipelines.progress import Progress
from pipelines.results import EXECUTING
from pipelines.runs_data import Json, Live, Outline

PAGE_FILE, INDEX_FILE, RUN_FILE = "runs.html", "runs-index.js", "run.js"
PAUSE = 1.0
"""Seconds between two writings of a running execution."""
BEAT = 5.0
"""Seconds after which it is written though nothing happened; the page waits for four of these."""
_FORMAT = 1
_HEAD = 'runsPage("'


@dataclass(frozen=True)
class Amount:
    """How many executions the page lists, and how many are read, and their steps written, at one time.

    An older workspace may hold many that no page has shown yet, and a run that has just begun must not wait for them.
    """

    lines: int = 2_000
    read: int = 500
    steps: int = 50


def refresh(workspace: Workspace, own: Json | None = None, amount: Amount = Amount()) -> None:
    """Write page and index anew from what the workspace holds; `own` is the line of an execution that runs.

    Raises:
        OSError: they cannot be written.
    """
    known = _known(workspace.root / INDEX_FILE)
    origins = sorted(local_executions.read_origins(workspace.root), key=lambda origin: origin.started, reverse=True)
    lines, new = [], 0
    for origin in origins[: amount.lines]:
        if own and origin.execution == own["id"]:
            lines.append(own)
        elif line := _line(workspace, origin, known, new, amount):
            new += line is not known.get(origin.execution)
            lines.append(line)
    content = {"format": _FORMAT, "total": len(origins), "runs": lines}
    _write(workspace.root / INDEX_FILE, "index", content, workspace.scratch)
    page, path = _page(), workspace.root / PAGE_FILE  # last: whoever can open it finds what it reads
    if not path.is_file() or path.read_text(encoding="utf-8") != page:
        write_atomically(path, page, workspace.scratch)


def _known(path: Path) -> dict[str, Json]:
    """Return the lines of the index as it is, by execution; nothing of one that cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(json.loads('"' + text.split(_HEAD, 1)[1].rstrip().removesuffix(");")))
        return {line["id"]: line for line in content["runs"]} if content["format"] == _FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return {}


def _line(workspace: Workspace, origin: Origin, known: Mapping[str, Json], read: int, amount: Amount) -> Json | None:
    """Return the line of an execution, from the index where its log is as it was then; None where it has none.

    `read` is how many were read anew before it: when they are many, this one waits for another time.
    """
    folder = workspace.root / local_executions.FOLDER / origin.execution
    if not is_execution_id(origin.execution) or not (folder / history.EVENTS_FILE).is_file():
        return None
    stamp, before = _stamp(folder), known.get(origin.execution)
    if before and before.get("stamp") == stamp and runs_data.is_over(before["status"]):
        return before
    if read >= amount.read:
        return None
    try:
        outcome = history.load(workspace, origin.execution)
        found = runs_data.line(workspace, origin, outcome, _hint(workspace, origin))
        line = {**found, "since": runs_data.since(outcome), "stamp": stamp}
        if read < amount.steps and runs_data.is_over(line["status"]):
            definition = document.parse((folder / history.DEFINITION_FILE).read_text(encoding="utf-8"))
            outlines = runs_data.outline(definition)
            write_run(workspace, line, outlines, runs_data.rows(outlines, outcome.steps, workspace.root))
        line["steps"] = (folder / RUN_FILE).is_file()
    except (ExecutionError, OSError, ValueError, KeyError, TypeError):
        return None  # damaged; its own commands say so
    return line


def _stamp(folder: Path) -> str:
    found = (folder / history.EVENTS_FILE).stat()
    return f"{found.st_mtime_ns} {found.st_size}"


def _hint(workspace: Workspace, origin: Origin) -> str:
    root, default = workspace.root, Path(".local")
    return say_options(Path(origin.config), origin.environment, default if root == default.resolve() else root)


def write_run(workspace: Workspace, line: Json, outlines: Sequence[Outline], rows: list[list[Any]]) -> None:
    """Write the steps of an execution, signed with the time."""
    content = {
        "beat": round(time.time(), 1),
        "line": line,
        "steps": rows,
        "needs": [step.needs for step in outlines],
        "about": [step.about for step in outlines],
    }
    _write(workspace.execution(line["id"]) / RUN_FILE, "run", content, workspace.scratch)


def _write(path: Path, kind: str, content: Json, scratch: Path) -> None:
    """Write a script that hands one text to the page: ASCII, every quote and every `<` of it escaped."""
    text = json.dumps(json.dumps({"kind": kind, **content}, allow_nan=False, separators=(",", ":")))
    write_atomically(path, f"{_HEAD}{text[1:]});\n".replace("<", "\\u003c"), scratch)


def _page() -> str:
    """Return the page: our own markup, style and script, without data."""
    html, style, graph, list_ = (
        Path(__file__).with_name(name).read_text(encoding="utf-8")
        for name in ("runs.html", "runs.css", "runs_graph.js", "runs.js")
    )
    script = graph + list_
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return html.replace("{{ style }}", style).replace("{{ digest }}", digest).replace("{{ script }}", script)


class Recorder:
    """Keeps the page up to date with one execution; a thread of its own writes."""

    def __init__(
        self, workspace: Workspace, origin: Origin, definition: Definition, progress: Progress, pause: float
    ) -> None:
        self._workspace, self._origin, self._definition, self._progress = workspace, origin, definition, progress
        self._pause, self._events = pause, list[StepEvent]()
        self._stop, self._said, self._shown = threading.Event(), False, False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def watch(self, event: StepEvent) -> None:
        """Take note of a step's transition, and show it in the terminal."""
        self._events.append(event)
        self._progress.watch(event)

    def close(self) -> None:
        """Write how the execution ended; nothing of one that was refused before anything happened."""
        self._stop.set()
        self._thread.join()
        if self._events or self._shown:
            self._guard(lambda: refresh(self._workspace))

    def _work(self) -> None:
        self._guard(self._follow)

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no reason to fail a run
            if not self._said:
                self._said = True
                self._progress.say(f"{PAGE_FILE} is not kept up to date ({type(error).__name__}: {error})")

    def _follow(self) -> None:
        """Write until the execution ends: the index when it begins to wait and to run, the steps as they go on."""
        if self._stop.wait(self._pause):
            return
        self._shown = True
        began = runs_data.waiting(self._origin)
        outlines = runs_data.outline(self._definition)
        folder = self._workspace.execution(self._origin.execution)
        live = Live(outlines, self._before(), self._workspace.root, folder)
        write_run(self._workspace, began, outlines, live.rows())
        refresh(self._workspace, began)
        line, taken, written, took = began, 0, 0.0, 0.0
        while not self._stop.wait(max(self._pause, 20 * took)):  # a large one is written less often
            start, new = time.monotonic(), len(self._events)
            for event in self._events[taken:new]:
                live.take(event)
            if live.began and line is began:
                line = {**began, "status": EXECUTING, "since": self._events[0].at}
                refresh(self._workspace, line)
            if new > taken or start - written > BEAT:
                write_run(self._workspace, line, outlines, live.rows())
                written = start
            taken, took = new, time.monotonic() - start

    def _before(self) -> dict[str, StepRecord]:
        """Return the records of steps that this execution, or its source, may keep."""
        found: dict[str, StepRecord] = {}
        for execution in (self._origin.source, self._origin.execution):
            if execution:
                with contextlib.suppress(ExecutionError, OSError):
                    past = history.read_past(self._workspace.execution(execution))
                    found |= past.records if past else {}
        return found


@contextlib.contextmanager
def keep(
    workspace: Workspace, origin: Origin, definition: Definition, progress: Progress, pause: float = PAUSE
) -> Iterator[Recorder]:
    """Keep `runs.html` up to date with an execution; `progress` is told once if it cannot be."""
    recorder = Recorder(workspace, origin, definition, progress, pause)
    try:
        yield recorder
    finally:
        recorder.close()
