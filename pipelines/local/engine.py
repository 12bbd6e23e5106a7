"""The loop of a local run: ready -> resolve -> run -> record, until nothing can start any more.

The loop's thread alone takes decisions, writes the event log and calls the watcher; every step works in a thread of
its own and reports through a queue. Steps, Lambda code and AWS are unknown here: only the definition's JSON is.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import signal
import threading
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import FrameType

from pipelines.errors import BrokenOffError, ExecutionError, PipelineError
from pipelines.local import values
from pipelines.local.admission import Admission
from pipelines.local.cache import Digests
from pipelines.local.cores import Cores
from pipelines.local.durable import lock_workspace, sweep
from pipelines.local.frontier import Frontier
from pipelines.local.history import History, load, lock_execution
from pipelines.local.launch import Exit, Launcher, ProcessLauncher, Task
from pipelines.local.load import Experience, core_weights
from pipelines.local.orphans import end_processes
from pipelines.local.processing import LOG_FILE, Site, run_processing
from pipelines.local.record import (
    CACHED,
    FAILED,
    SKIPPED,
    STARTED,
    STARTING,
    STOPPED,
    SUCCEEDED,
    Outcome,
    StepEvent,
    StepRecord,
)
from pipelines.local.request import Request, Watch, World
from pipelines.local.schedule import Graph, build_graph, core_shares, may_skip, skipped
from pipelines.local.staging import find_objects, put_objects, read_json
from pipelines.local.start import Start, begin, load_request, recall
from pipelines.local.step import CONDITION, FAIL, LAMBDA, PROCESSING, Step
from pipelines.local.workspace import EXECUTIONS_DIR

__all__ = [
    "Exit",
    "Launcher",
    "Outcome",
    "ProcessLauncher",
    "Request",
    "StepEvent",
    "StepRecord",
    "Task",
    "World",
    "execute",
    "load",
    "load_request",
]
log = logging.getLogger(__name__)
_PATIENCE = 30.0
"""Seconds that steps have to end after an interruption."""


def execute(request: Request, world: World, watch: Watch) -> Outcome:
    """Run an execution to its end and return how it ended; a failed step is an outcome, not an exception.

    Raises:
        ParameterError: the parameters do not fit the definition.
        ExecutionError: it cannot be started, or another engine runs it.
        BrokenOffError: the event log cannot be written any more; the execution can be resumed.
        KeyboardInterrupt: it was interrupted (also by TERM or HUP); its processes have ended and it can be resumed.
    """
    folder = world.workspace.execution(request.execution_id)
    request = replace(request, parameters=values.parameter_values(request.definition, request.parameters))
    holder, root = f"execution {request.execution_id}", world.workspace.root
    with lock_execution(folder), _interruptible(), lock_workspace(root, holder, world.say):
        sweep(world.workspace.scratch)
        end_processes(root / EXECUTIONS_DIR)  # of engines that were killed: under the lock there is none but us
        put_objects(request.objects, world.workspace)  # again under the lock: --gc may have worked until now
        request = recall(request, world.workspace)
        graph = build_graph(request.definition)
        start = begin(request, graph, world.workspace, world.clock())
        digests, history = Digests(world.workspace.cache / "digests.sqlite"), History(folder)
        try:
            return _Run(request, world, watch, graph, start, history, digests).run()
        finally:
            history.close()
            digests.close()


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let TERM and HUP interrupt like Ctrl-C: steps run in sessions of their own, which no signal reaches."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    seen: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        seen.append(number)
        if len(seen) == 1:  # a second one must not keep us from ending the steps' processes
            raise KeyboardInterrupt

    asked = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    numbers = [n for n in asked if signal.getsignal(n) not in (signal.SIG_IGN, None)]  # nohup stays nohup
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Run:
    """One execution while it runs."""

    def __init__(
        self,
        request: Request,
        world: World,
        watch: Watch,
        graph: Graph,
        start: Start,
        history: History,
        digests: Digests,
    ) -> None:
        self._request, self._world, self._watch, self._graph = request, world, watch, graph
        self._history, self._digests = history, digests
        self._kept, self._lost = start.kept, start.lost
        self._records: dict[str, StepRecord] = {}
        self._failed: list[str] = []
        self._may_skip = False
        self._frontier = Frontier(graph)
        self._admission = self._make_admission()
        self._experience = Experience(graph.steps, request.taken, world.machine_of)
        self._sizes: dict[str, int] = {}
        self._working: dict[str, tuple[int, ...]] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._starting: list[threading.Thread] = []
        self._untold: list[StepEvent] = []
        self._stop = threading.Event()
        self._inbox: queue.SimpleQueue[StepEvent | StepRecord | BaseException] = queue.SimpleQueue()
        self._variables = values.execution_variables(request.pipeline, request.execution_id, start.first_start)

    def _make_admission(self) -> Admission:
        request, world = self._request, self._world
        limit = request.parallelism or request.definition.parallelism
        weights = core_weights(self._graph.steps, world.machine_of)
        self._shares = core_shares(self._graph, max(1, request.cores), limit, weights)
        return Admission(self._shares, Cores(request.cores), limit, world.free_memory)

    def run(self) -> Outcome:
        """Run until nothing works and nothing can start."""
        began = self._world.clock()
        self._history.add_execution(STARTED, began, **self._details())
        try:
            self._keep()
            self._expect()
            while self._advance():
                self._receive(self._inbox.get())
                while not self._inbox.empty():  # what came meanwhile is brought to the disk with it
                    self._receive(self._inbox.get())
        except BaseException:
            self._abandon()
            raise
        failed = tuple(self._records[name] for name in self._failed)
        status, end = FAILED if failed else SUCCEEDED, self._world.clock()
        self._history.add_execution(status, end)
        ordered = {name: self._records[name] for name in self._graph.steps if name in self._records}
        return Outcome(self._request.execution_id, status, ordered, end - began, failed)

    def _details(self) -> dict[str, object]:
        """Return what a resumption needs to know."""
        selected = self._request.selected
        return {
            "parameters": dict(self._request.parameters),
            "pipeline": self._request.pipeline,
            "source": self._request.source,
            "selected": None if selected is None else sorted(selected),
            "parallelism": self._request.parallelism,
            "use_cache": self._request.use_cache,
        }

    def _keep(self) -> None:
        """Record what needs no work: steps of this execution that succeeded before, and those of the source."""
        for name in self._graph.steps:
            if name in self._kept:
                self._end(self._kept[name], "kept")

    def _expect(self) -> None:
        """Tell the world what is to come, so that it can get ready beside the first steps."""
        for name, step in self._graph.steps.items():
            if step.job and name not in self._records:
                bare = replace(step.job, image="", inputs=(), outputs=(), arguments=())
                with contextlib.suppress(KeyError):  # what another step will compute is not known yet
                    job = values.resolve_job(bare, self._scope(self._records))
                    threads = max(1, self._shares[name] // job.instances)
                    self._world.expect(job.entrypoint, job.environment, threads)

    def _advance(self) -> bool:
        """Skip what is lost, start what is ready, and tell whether there is anything to wait for."""
        if self._may_skip:
            for name, reason in skipped(self._graph, self._records).items():
                self._end(StepRecord(name, self._graph.steps[name].type, SKIPPED, reason=reason))
            self._may_skip = False
        if not self._failed:
            self._start_ready()
        self._commit()
        return bool(self._working)

    def _commit(self) -> None:
        """Bring what happened to the disk; only then show it, and act on it."""
        self._history.flush()
        told, self._untold = self._untold, []
        for event in told:
            self._watch(event)
        starting, self._starting = self._starting, []
        for thread in starting:
            thread.start()

    def _start_ready(self) -> None:
        """Start what is ready, in the order of the definition; Processing steps as far as the machine admits them."""
        steps = self._graph.steps
        for name in self._frontier.take(self._records):
            if steps[name].type == PROCESSING:
                self._sizes[name] = self._measure(steps[name])
                seconds = self._experience.seconds(steps[name], self._sizes[name])
                self._admission.add(name, seconds, self._frontier.positions[name])
            else:
                self._start(steps[name], ())
        for name, cores in self._admission.admit(lambda n: self._experience.memory_mb(steps[n], self._sizes[n])):
            expected = self._experience.memory_mb(steps[name], self._sizes[name])
            log.debug("%s: may start on cores %s, expected to take %.0f MB at most", name, cores, expected)
            self._start(steps[name], cores)

    def _measure(self, step: Step) -> int:
        """Return the bytes of a step's inputs; 0 where nobody asks, or where it will fail for want of them."""
        if step.job is None or self._experience.is_known(step):
            return 0
        with contextlib.suppress(PipelineError, OSError):
            found = find_objects(values.resolve_job(step.job, self._scope(self._records)), self._world.workspace)
            return sum(stored.path.stat().st_size for objects in found.values() for stored in objects)
        return 0

    def _start(self, step: Step, cores: tuple[int, ...]) -> None:
        self._note(StepEvent(step.name, step.type, STARTING, self._world.clock()))
        self._working[step.name] = cores
        needed = {name: self._records[name] for name in self._graph.needs[step.name]}
        thread = threading.Thread(target=self._work, args=(step, cores, needed), daemon=True)
        self._threads[step.name] = thread
        self._starting.append(thread)

    def _receive(self, item: StepEvent | StepRecord | BaseException) -> None:
        if isinstance(item, BaseException):
            raise item
        if isinstance(item, StepEvent):
            self._note(item)
            return
        del self._working[item.name], self._threads[item.name]
        self._admission.release(item.name)
        self._experience.learn(item)
        self._end(item)

    def _end(self, record: StepRecord, message: str = "") -> None:
        self._records[record.name] = record
        self._frontier.end(record, self._records)
        self._failed += [record.name] if record.status == FAILED else []
        self._may_skip = self._may_skip or may_skip(record)
        status = CACHED if record.cached and record.status == SUCCEEDED else record.status
        at = self._world.clock()
        self._note(StepEvent(record.name, record.type, status, at, record.reason, message), record)

    def _note(self, event: StepEvent, record: StepRecord | None = None) -> None:
        self._history.add_step(event, record)
        self._untold.append(event)

    def _abandon(self) -> None:
        """End every process, so that the execution can be resumed."""
        self._stop.set()
        for name, cores in self._working.items():
            if cores and self._threads[name].ident:  # one that never started has no process, nor has a Lambda step
                self._threads[name].join(_PATIENCE)
        with contextlib.suppress(BrokenOffError):
            self._history.add_execution(STOPPED, self._world.clock())

    # What follows runs in the threads of the steps.

    def _work(self, step: Step, cores: tuple[int, ...], records: Mapping[str, StepRecord]) -> None:
        """Run one step and put its record, or the bug that it met, into the inbox."""
        began = self._world.clock()
        try:
            try:
                record = self._run_step(step, cores, records)
            except (PipelineError, OSError) as error:
                record = StepRecord(step.name, step.type, FAILED, reason=str(error), log=self._log_of(step))
            self._inbox.put(replace(record, started=began, seconds=self._world.clock() - began))
        except BaseException as error:  # noqa: BLE001 - handed to the loop, which stops the run and raises it
            self._inbox.put(error)

    def _run_step(self, step: Step, cores: tuple[int, ...], records: Mapping[str, StepRecord]) -> StepRecord:
        scope = self._scope(records)
        if step.type == CONDITION:
            outcome = values.evaluate_all(step.arguments["Conditions"], scope)
            return StepRecord(step.name, CONDITION, SUCCEEDED, results={"Outcome": outcome})
        if step.type == FAIL:
            raise ExecutionError(values.as_text(values.resolve(step.arguments.get("ErrorMessage", ""), scope)))
        if step.type == LAMBDA:
            return self._run_lambda(step, scope)
        assert step.job is not None  # noqa: S101 - a Processing step that was parsed has a job
        return run_processing(step, values.resolve_job(step.job, scope), self._site(step, cores))

    def _scope(self, records: Mapping[str, StepRecord]) -> values.Scope:
        workspace = self._world.workspace
        return values.Scope(
            parameters=self._request.parameters,
            execution=self._variables,
            steps=self._graph.steps,
            records=records,
            read_json=lambda uri: read_json(workspace, uri),
        )

    def _run_lambda(self, step: Step, scope: values.Scope) -> StepRecord:
        event = {key: values.resolve(value, scope) for key, value in step.arguments.items()}
        try:
            returned = self._world.call_lambda(step.function, event)
        except Exception as error:
            log = self._world.workspace.step(self._request.execution_id, step.name) / LOG_FILE
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_text(traceback.format_exc(), encoding="utf-8")
            raise ExecutionError(str(error) or type(error).__name__) from error
        return StepRecord(step.name, LAMBDA, SUCCEEDED, results=values.lambda_results(step, returned or {}))

    def _site(self, step: Step, cores: tuple[int, ...]) -> Site:
        def report(status: str, message: str, reason: str) -> None:
            self._inbox.put(StepEvent(step.name, step.type, status, self._world.clock(), reason, message))

        return Site(
            execution_id=self._request.execution_id,
            pipeline=self._request.pipeline,
            world=self._world,
            digests=self._digests,
            cores=cores,
            use_cache=self._request.use_cache,
            stopped=self._stop.is_set,
            report=report,
            why=self._lost.get(step.name, ""),
        )

    def _log_of(self, step: Step) -> str | None:
        """Return the log of a step that failed, where it got as far as having one."""
        log = self._world.workspace.step(self._request.execution_id, step.name) / LOG_FILE
        return log.relative_to(self._world.workspace.root).as_posix() if log.is_file() else None
