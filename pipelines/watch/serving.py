"""Serves one marker: starts its execution, or goes on with it, or says why there is none.

The execution's ID is the marker's, so that its own folder tells after a crash how far it came: never two executions
for one marker, never none.
"""

from __future__ import annotations

import argparse
import errno
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from pipelines import failure, local_executions, local_run, results, surroundings, usage
from pipelines.board import Known
from pipelines.errors import BrokenOffError, PipelineError
from pipelines.local import history, record
from pipelines.local.step import Definition
from pipelines.local.workspace import Workspace
from pipelines.options import say_options
from pipelines.progress import NOTHING, Progress
from pipelines.results import Result
from pipelines.settings import Settings
from pipelines.usage import Asked
from pipelines.watch import rules
from pipelines.watch.console import Announced, Console, Silence
from pipelines.watch.ledger import Entry
from pipelines.watch.markers import parent
from pipelines.watch.watcher import REFUSED, Ended
from steps import contract

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class Executions(Protocol):
    """The executions of a workspace, by their IDs."""

    def status(self, execution: str) -> str | None:
        """Return how far an execution is: None for one that never started."""

    def start(self, entry: Entry) -> Result:
        """Start the execution of an entry and follow it to its end.

        Raises:
            PipelineError: it cannot be started.
        """

    def resume(self, execution: str) -> Result:
        """Go on with an execution that was cut off and follow it to its end."""

    def conclude(self, execution: str) -> Result:
        """Return the result of an execution that has ended, and mail a failure that nobody was told of."""


@dataclass(frozen=True)
class LocalExecutions:
    """Executions in a workspace, run by the local engine; `root` is the folder that is watched."""

    arguments: argparse.Namespace
    workspace: Workspace
    root: Path
    console: Console

    def status(self, execution: str) -> str | None:
        """Return how far an execution is, from its event log."""
        if history.read_past(self.workspace.execution(execution)) is None:
            return None
        return history.load(self.workspace, execution).status

    def start(self, entry: Entry) -> Result:
        """Start an execution with the configuration as it is now; the marker's folder is the raw folder."""
        own = {
            "raw": str(self.root / parent(entry.path)),
            "cause": f"marker {entry.path}",
            "mode": rules.mode_of(entry.body),
        }
        given = argparse.Namespace(**{**vars(self.arguments), **own})
        return local_run.start_execution(
            given,
            entry.execution,
            lambda definition, config: rules.choose(entry.body, definition, config),
            partial(self.display_start, entry.path),
        )

    @contextmanager
    def display_start(
        self, path: str, definition: Definition, execution: str, known: Known = NOTHING
    ) -> Iterator[Progress]:
        """Show an execution, and say that a marker starts it once it is sure that nothing refuses it any more."""
        with self.console.display(definition, execution, known) as shown:
            yield Announced(shown, lambda: self.console.say(f"{path}: starts execution {execution}"))

    def resume(self, execution: str) -> Result:
        """Go on as --retry does."""
        given = argparse.Namespace(**{**vars(self.arguments), "raw": None, "overrides": []})
        return local_run.resume_execution(given, Asked(usage.RETRY, execution), self.console.display)

    def conclude(self, execution: str) -> Result:
        """Return the result as --status has it."""
        origin, definition = local_executions.read(self.workspace.root, execution)
        hint = say_options(Path(origin.config), origin.environment, self.arguments.workspace)
        outcome = history.load(self.workspace, execution)
        if outcome.status == record.FAILED and not rules.is_mailed(
            self.workspace.root, execution, contract.FAILED_MAIL
        ):
            silent = Silence(self.console.say)
            with surroundings.open_world(self.workspace, origin.pipeline, silent, hint) as world:
                failure.mail_failure(world, definition, origin, outcome, hint)
        return results.collect(self.workspace, origin, outcome, hint)


@dataclass(frozen=True)
class MarkerServer:
    """Serves entries by executions of this workspace; `trace` gets the traceback of a bug."""

    executions: Executions
    workspace: Path
    config: Settings
    root: Path
    hint: str
    say: Callable[[str], None]
    trace: Callable[[str], object]

    def serve(self, entry: Entry) -> Ended | None:
        """Run the entry's execution to its end; None if another process is running it.

        Raises:
            BrokenOffError: nothing can be written any more; no other marker would fare better.
            OSError: likewise.
        """
        problems = (*_unreadable(entry.path), *rules.misread(entry.body))
        if problems:
            return self.refuse(entry, problems)
        try:
            result = self._run(entry)
        except BrokenOffError:
            raise
        except PipelineError as error:
            return self._give_up(entry, error.problems)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in NO_ROOM:
                raise
            self.trace(traceback.format_exc())
            return self._give_up(entry, (f"{type(error).__name__}; see the traceback where the watcher runs",))
        return None if result is None else _ended(entry, result)

    def refuse(self, entry: Entry, problems: tuple[str, ...]) -> Ended:
        """Mail that nothing is started for an entry, and why."""
        marker = str(self.root / entry.path).encode(errors="backslashreplace").decode()
        unsent = rules.mail_refusal(self.workspace, self.config, entry.execution, marker, problems)
        if unsent:
            self.say(f"{entry.path}: {unsent}")
        return Ended(REFUSED, 0.0, "; ".join(problems), _document(entry, REFUSED, problems, None))

    def _run(self, entry: Entry) -> Result | None:
        match self.executions.status(entry.execution):
            case None:
                return self.executions.start(entry)
            case record.STARTED:
                return None
            case record.STOPPED:
                self.say(f"{entry.path}: goes on with execution {entry.execution}")
                return self.executions.resume(entry.execution)
            case _:
                return self.executions.conclude(entry.execution)

    def _give_up(self, entry: Entry, problems: tuple[str, ...]) -> Ended:
        """Refuse an entry whose execution did not start; one that did has failed, and can be gone on with."""
        if not self._has_started(entry.execution):
            return self.refuse(entry, problems)
        advice = results.retry_command(entry.execution, self.hint)
        document = {**_document(entry, results.FAILED, problems, entry.execution), "next": advice}
        return Ended(results.FAILED, 0.0, "; ".join(problems), document, advice)

    def _has_started(self, execution: str) -> bool:
        try:
            return self.executions.status(execution) is not None
        except PipelineError:
            return True  # its log is damaged, so there is one


def _unreadable(path: str) -> tuple[str, ...]:
    """Return what is wrong with a path whose bytes are no text: no manifest can name what lies there."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return ("the marker's path is no UTF-8 text; rename the folder or the marker",)
    return ()


def _ended(entry: Entry, result: Result) -> Ended:
    facts = {**result.__dict__, "logs": list(result.logs)}
    advice = result.next if result.next and result.next not in (result.error or "") else ""
    document = {"marker": entry.path, "version": entry.token, **facts}
    return Ended(result.status, result.seconds, result.error or "", document, advice or "")


def _document(entry: Entry, status: str, problems: tuple[str, ...], execution: str | None) -> Mapping[str, Any]:
    return {
        "marker": entry.path,
        "version": entry.token,
        "execution": execution,
        "status": status,
        "seconds": 0.0,
        "error": "; ".join(problems),
    }
