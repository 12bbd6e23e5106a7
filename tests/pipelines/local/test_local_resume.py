"""Failure, resumption, selective execution and retry policies."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from local_definitions import (
    Lab,
    compare,
    condition,
    definition_text,
    lambda_step,
    output_of,
    parameter_ref,
    processing,
    statuses,
)

from pipelines.errors import ExecutionError, LaunchError
from pipelines.local import document
from pipelines.local.engine import Exit, Request, StepEvent, Task, execute, load, load_request
from pipelines.local.history import History, read_past
from pipelines.local.processing import retry_delay
from pipelines.local.start import recall
from pipelines.local.step import RetryPolicy

WRITE = "write('out/file.txt', sys.argv[1])"
PASS_ON = "write('out/file.txt', text('in') + sys.argv[1])"


def chain(tmp_path: Path) -> list[dict]:
    """First -> Second (fails until the file `go` exists) -> Third."""
    fragile = f"pathlib.Path({str(tmp_path / 'go')!r}).exists() or sys.exit(1)\n" + PASS_ON
    return [
        processing("First", WRITE, outputs=["out"], arguments=["a"]),
        processing("Second", fragile, {"in": output_of("First", "out")}, ["out"], ["b"]),
        processing("Third", PASS_ON, {"in": output_of("Second", "out")}, ["out"], ["c"]),
    ]


def test_a_failed_execution_goes_on_where_it_failed(lab: Lab, tmp_path: Path) -> None:
    assert lab.run(chain(tmp_path)).status == "Failed"
    (tmp_path / "go").touch()
    outcome = lab.run(chain(tmp_path), execution_id="run-1", resume=True)
    assert outcome.status == "Succeeded"
    assert lab.started() == ["Second", "Third"]
    assert lab.get("s3://bucket/runs/run-1/Third/out/file.txt") == "abc"


def test_an_execution_is_resumed_with_what_its_folder_says(lab: Lab, tmp_path: Path) -> None:
    lab.run(chain(tmp_path))
    (tmp_path / "go").touch()
    request = load_request(lab.workspace, "run-1", cores=1)
    assert execute(request, lab.world, lab.events.append).status == "Succeeded"


def test_a_kept_step_whose_output_is_gone_runs_again(lab: Lab, tmp_path: Path) -> None:
    lab.run(chain(tmp_path))
    lab.workspace.path("s3://bucket/runs/run-1/First/out/file.txt").unlink()
    lab.run(chain(tmp_path), execution_id="run-1", resume=True)
    assert lab.started() == ["First", "Second"]


def test_a_kept_step_whose_output_was_altered_without_another_size_runs_again_and_says_so(
    lab: Lab, tmp_path: Path
) -> None:
    lab.run(chain(tmp_path))
    lab.put("s3://bucket/runs/run-1/First/out/file.txt", "x")
    (tmp_path / "go").touch()

    outcome = lab.run(chain(tmp_path), execution_id="run-1", resume=True)

    assert lab.started() == ["First", "Second", "Third"]
    assert outcome.steps["First"].reason == "outputs of execution run-1 are damaged (out/file.txt)"
    assert next(event.reason for event in lab.events if event.status == "Executing") == outcome.steps["First"].reason
    assert lab.get("s3://bucket/runs/run-1/Third/out/file.txt") == "abc"


def test_outputs_of_the_source_that_are_not_what_it_made_are_refused(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    lab.run(chain(tmp_path))
    lab.put("s3://bucket/runs/run-1/Second/out/file.txt", "xx")

    with pytest.raises(
        ExecutionError, match=r"'Second': outputs of execution run-1 are damaged \(out/file.txt\); select"
    ):
        lab.run(chain(tmp_path), source="run-1", selected=frozenset({"Third"}))
    outcome = lab.run(chain(tmp_path), source="run-1", selected=frozenset({"Second", "Third"}))
    assert lab.get(f"{outcome.steps['Third'].outputs['out']}/file.txt") == "abc"


def test_what_was_built_on_a_damaged_output_is_made_again_too_and_nothing_else(lab: Lab) -> None:
    """A step that is made again may give other bytes; what was computed from the old ones must go."""
    steps = [
        processing("First", WRITE, outputs=["out"], arguments=["a"]),
        processing("Second", PASS_ON, {"in": output_of("First", "out")}, ["out"], ["b"]),
        processing("Third", "sys.exit(1)", {"in": output_of("Second", "out")}, ["out"], ["c"]),
        processing("Other", WRITE, outputs=["out"], arguments=["d"]),
    ]
    assert lab.run(steps).status == "Failed"
    lab.workspace.path("s3://bucket/runs/run-1/First/out/file.txt").write_text("x")
    outcome = lab.run(steps, execution_id="run-1", resume=True)

    assert lab.started() == ["First", "Second", "Third"]
    assert outcome.steps["Second"].reason == "First is made again"
    assert lab.get("s3://bucket/runs/run-1/Second/out/file.txt") == "ab"


def test_a_step_that_runs_again_takes_back_what_it_had_published(lab: Lab) -> None:
    steps = [processing("Only", "write('out/new', '1')", outputs={"out": "s3://bucket/out"})]
    folder = lab.workspace.step("run-1", "Only")
    lab.put("s3://bucket/out/stale", "half")
    folder.mkdir(parents=True)
    (folder / "published.json").write_text('["s3://bucket/out/stale"]')
    lab.run(steps)
    assert lab.keys("s3://bucket/out") == ["new"]


def test_an_id_that_is_taken_is_refused(lab: Lab) -> None:
    lab.run([processing("A")])
    with pytest.raises(ExecutionError, match="exists already"):
        lab.run([processing("A")], execution_id="run-1")


def test_an_execution_that_never_was_cannot_be_resumed(lab: Lab) -> None:
    with pytest.raises(ExecutionError, match="never started"):
        lab.run([processing("A")], execution_id="other", resume=True)
    with pytest.raises(ExecutionError, match="there is no execution 'other'"):
        load_request(lab.workspace, "other")


def test_a_resumed_execution_keeps_its_definition_and_parameters(lab: Lab) -> None:
    declared = [{"Name": "Limit", "Type": "Integer", "DefaultValue": 1}]
    lab.run([processing("A")], declared)
    with pytest.raises(ExecutionError, match="with another definition"):
        lab.run([processing("B")], declared, execution_id="run-1", resume=True)
    with pytest.raises(ExecutionError, match="with other parameters"):
        lab.run([processing("A")], declared, execution_id="run-1", resume=True, parameters={"Limit": 2})


def test_an_outcome_is_rebuilt_from_the_log(lab: Lab, tmp_path: Path) -> None:
    outcome = lab.run(chain(tmp_path))
    rebuilt = load(lab.workspace, "run-1")
    assert (rebuilt.status, rebuilt.steps, rebuilt.failed) == (outcome.status, outcome.steps, outcome.failed)
    assert rebuilt.seconds == pytest.approx(outcome.seconds)


def test_only_selected_steps_run_and_the_others_come_from_the_source(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    lab.run(chain(tmp_path))
    outcome = lab.run(chain(tmp_path), source="run-1", selected=frozenset({"Third"}))
    assert statuses(outcome) == {"First": "Cached", "Second": "Cached", "Third": "Succeeded"}
    assert lab.started() == ["Third"]
    assert lab.get("s3://bucket/runs/run-2/Third/out/file.txt") == "abc"
    assert outcome.steps["Second"].outputs == {"out": "s3://bucket/runs/run-1/Second/out"}


def test_a_selected_step_without_its_needs_is_refused(lab: Lab, tmp_path: Path) -> None:
    lab.run(chain(tmp_path))
    with pytest.raises(ExecutionError, match="depends on 'Second', which is not selected and did not succeed"):
        lab.run(chain(tmp_path), source="run-1", selected=frozenset({"Third"}))
    with pytest.raises(ExecutionError, match="no step 'Thrd'; did you mean 'Third'"):
        lab.run(chain(tmp_path), source="run-1", selected=frozenset({"Thrd"}))


def test_a_condition_that_is_not_selected_keeps_the_outcome_of_the_source(lab: Lab) -> None:
    declared = [{"Name": "Limit", "Type": "Integer", "DefaultValue": 1}]
    test = compare("Equals", parameter_ref("Limit"), 1)
    steps = [condition("Gate", [test], [processing("Yes")], [processing("No")])]
    lab.run(steps, declared)
    outcome = lab.run(steps, declared, parameters={"Limit": 2}, source="run-1", selected=frozenset({"Yes"}))
    assert statuses(outcome) == {"Gate": "Cached", "Yes": "Succeeded", "No": "Skipped"}
    with pytest.raises(ExecutionError, match="did not take; select 'Gate' too"):
        lab.run(steps, declared, parameters={"Limit": 2}, source="run-1", selected=frozenset({"No"}))
    again = lab.run(steps, declared, parameters={"Limit": 2}, source="run-1", selected=frozenset({"Gate", "No"}))
    assert statuses(again)["No"] == "Succeeded"


def test_a_resumed_selective_execution_stays_selective(lab: Lab, tmp_path: Path) -> None:
    lab.run(chain(tmp_path))
    selected = frozenset({"Second"})
    assert lab.run(chain(tmp_path), source="run-1", selected=selected).status == "Failed"
    (tmp_path / "go").touch()
    outcome = execute(load_request(lab.workspace, "run-2"), lab.world, lab.events.append)
    assert statuses(outcome) == {"First": "Cached", "Second": "Succeeded", "Third": "Skipped"}


def test_a_resumed_execution_that_was_to_run_without_the_cache_goes_on_without_it(lab: Lab, tmp_path: Path) -> None:
    go = tmp_path / "go"
    fragile = processing("First", f"pathlib.Path({str(go)!r}).exists() or sys.exit(1)")
    steps = [fragile, processing("Second", WRITE, outputs=["out"], arguments=["a"], cache=True, DependsOn=["First"])]
    go.touch()
    lab.run(steps)
    go.unlink()
    lab.run(steps, use_cache=False)
    go.touch()

    outcome = lab.run(steps, execution_id="run-2", resume=True)

    assert statuses(outcome) == {"First": "Succeeded", "Second": "Succeeded"}


def test_a_resumed_execution_keeps_its_parallelism_unless_told_otherwise(lab: Lab) -> None:
    lab.run([processing("A")], parallelism=3)
    request = load_request(lab.workspace, "run-1")
    assert recall(request, lab.workspace).parallelism == 3
    assert recall(replace(request, parallelism=1), lab.workspace).parallelism == 1


class Unreliable:
    """Cannot start a job as often as told, then starts it and ends it with a code."""

    def __init__(self, kind: str, times: int, code: int = 0) -> None:
        self.kind, self.times, self.code, self.calls = kind, times, code, 0

    def run(self, task: Task) -> Exit:
        self.calls += 1
        if self.calls <= self.times:
            raise LaunchError("no capacity", self.kind)
        return Exit(self.code)


POLICY = {
    "ExceptionType": ["SageMaker.CAPACITY_ERROR"],
    "MaxAttempts": 3,
    "IntervalSeconds": 5,
    "BackoffRate": 2.0,
}


@pytest.mark.parametrize(
    ("kind", "times", "status", "waits"),
    [
        ("SageMaker.CAPACITY_ERROR", 2, "Succeeded", [5.0, 10.0]),
        ("SageMaker.CAPACITY_ERROR", 9, "Failed", [5.0, 10.0, 20.0]),
        ("SageMaker.JOB_INTERNAL_ERROR", 1, "Failed", []),
    ],
)
def test_a_job_that_cannot_be_started_is_retried_as_its_policy_says(
    lab: Lab, kind: str, times: int, status: str, waits: list[float]
) -> None:
    lab.launcher = Unreliable(kind, times)
    outcome = lab.run([processing("Train", RetryPolicies=[POLICY])])
    assert (outcome.status, lab.waits) == (status, waits)


def test_a_job_that_ran_and_failed_is_never_retried(lab: Lab) -> None:
    launcher = lab.launcher = Unreliable("SageMaker.CAPACITY_ERROR", 0, code=1)
    assert lab.run([processing("Train", RetryPolicies=[POLICY])]).status == "Failed"
    assert launcher.calls == 1


def test_a_policy_may_expire_instead_of_counting() -> None:
    policy = RetryPolicy(("Step.THROTTLING",), None, 1.0, 2.0, expire_minutes=1)
    assert retry_delay([policy], "Step.THROTTLING", 30, elapsed=59) is not None
    assert retry_delay([policy], "Step.THROTTLING", 0, elapsed=60) is None


def test_an_execution_cut_off_before_its_first_event_is_resumed_from_its_definition(lab: Lab) -> None:
    folder = lab.workspace.execution("run-1")
    folder.mkdir(parents=True)
    (folder / "definition.json").write_text(definition_text([processing("A")]))
    assert lab.run([processing("A")], execution_id="run-1", resume=True).status == "Succeeded"


def lines_of(lab: Lab) -> str:
    return (lab.workspace.execution("run-1") / "events.jsonl").read_text()


def test_every_transition_is_in_the_log_before_it_is_shown_or_acted_on(lab: Lab) -> None:
    seen: list[bool] = []

    class Looking:
        def run(self, task: Task) -> Exit:
            seen.append(f'"Starting", "step": "{task.step}"' in lines_of(lab))
            return Exit(0)

    def watch(event: StepEvent) -> None:
        seen.append(f'"{event.status}", "step": "{event.step}"' in lines_of(lab))

    lab.launcher = Looking()
    steps = [processing("A"), processing("B"), lambda_step("C", "c"), processing("D", DependsOn=["A", "B", "C"])]
    lab.functions["c"] = lambda event: {}
    text = definition_text(steps)
    execute(Request("run-1", document.parse(text), {}), lab.world, watch)

    assert len(seen) == 4 * 3 - 1 + 3
    assert all(seen)


def test_transitions_that_were_gathered_are_in_the_log_when_they_are_flushed_or_it_is_closed(tmp_path: Path) -> None:
    log = History(tmp_path)
    log.add_execution("Started", 1.0)
    log.add_step(StepEvent("A", "Processing", "Starting", 2.0))
    log.add_step(StepEvent("B", "Processing", "Starting", 2.0))
    assert (tmp_path / "events.jsonl").read_bytes().count(b"\n") == 1
    log.flush()
    assert (tmp_path / "events.jsonl").read_bytes().count(b"\n") == 3
    log.add_step(StepEvent("C", "Processing", "Starting", 2.0))
    log.close()
    assert (tmp_path / "events.jsonl").read_bytes().count(b"\n") == 4


def test_what_an_interruption_left_of_a_line_is_gone_when_the_next_is_written(tmp_path: Path) -> None:
    log, path = History(tmp_path), tmp_path / "events.jsonl"
    log.add_execution("Started", 1.0)
    path.write_bytes(path.read_bytes() + b'{"at": 2')
    log.add_execution("Stopped", 3.0)
    log.close()

    past = read_past(tmp_path)
    assert past is not None
    assert (past.status, past.end) == ("Stopped", 3.0)


LIMITED = """
import itertools, resource, sys
from pathlib import Path
from pipelines.errors import BrokenOffError
from pipelines.local import document
from pipelines.local.engine import ProcessLauncher, Request, World, execute
from pipelines.local.workspace import Workspace
log, seen = Path(sys.argv[1]) / "executions/run-1/events.jsonl", itertools.count(1)
def watch(event):
    if next(seen) == int(sys.argv[3]):
        print(log.read_bytes().count(b"\\n"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + 40, resource.RLIM_INFINITY))
world = World(Workspace(Path(sys.argv[1])), ProcessLauncher(grace=0.5), lambda arn, event: {})
try:
    execute(Request("run-1", document.parse(Path(sys.argv[2]).read_text()), {}), world, watch)
except BrokenOffError as error:
    print(error)
"""


@pytest.mark.parametrize("event", [1, 2, 3, 5, 8])
def test_a_log_that_finds_no_room_breaks_the_run_off_and_keeps_whole_lines(
    lab: Lab, tmp_path: Path, event: int
) -> None:
    """A limit on the size of files stands for a disk that fills up: the kernel takes a part of a line, then no more.

    What was in the log then is in it afterwards: transitions of one moment are written together or not at all.
    """
    (tmp_path / "go").touch()
    (tmp_path / "d.json").write_text(definition_text(chain(tmp_path)))
    command = [sys.executable, "-c", LIMITED, str(lab.root), str(tmp_path / "d.json"), str(event)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "the event log cannot be written (File too large); make room" in done.stdout, done.stderr
    log = (lab.workspace.execution("run-1") / "events.jsonl").read_bytes()
    assert log.endswith(b"\n")
    assert log.count(b"\n") == int(done.stdout.split()[0]) > event
    outcome = lab.run(chain(tmp_path), execution_id="run-1", resume=True)
    assert outcome.status == "Succeeded"
    assert lab.get("s3://bucket/runs/run-1/Third/out/file.txt") == "abc"
