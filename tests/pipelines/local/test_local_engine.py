"""Whole executions with tiny real processes: order, branches, failures, limits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from local_definitions import (
    EXECUTION_ID,
    Lab,
    compare,
    condition,
    definition_text,
    join,
    json_get,
    lambda_step,
    output_of,
    parameter_ref,
    processing,
    result_of,
    statuses,
)

from pipelines.errors import ExecutionError, ParameterError
from pipelines.local import document
from pipelines.local.engine import Exit, Request, Task, execute
from pipelines.local.history import lock_execution
from pipelines.local.orphans import find_processes

WRITE = "write('out/file.txt', sys.argv[1])"
PASS_ON = "write('out/file.txt', text('in') + sys.argv[1])"
FILE = {"PropertyFileName": "E", "OutputName": "ev", "FilePath": "m/e.json"}
FLOAT = [{"Name": "Limit", "Type": "Float", "DefaultValue": 10.0}]


def gate(conditions: list[dict], **keys: object) -> dict:
    return condition(
        "Gate", conditions, [processing("Yes", WRITE, arguments=["y"], outputs=["out"])], [processing("No")], **keys
    )


def test_a_step_reads_what_the_step_before_it_wrote(lab: Lab) -> None:
    first = processing("First", WRITE, outputs=["out"], arguments=["a"])
    second = processing("Second", PASS_ON, {"in": output_of("First", "out")}, ["out"], ["b"])
    outcome = lab.run([second, first])
    assert outcome.status == "Succeeded"
    assert lab.get("s3://bucket/runs/run-1/Second/out/file.txt") == "ab"
    assert outcome.steps["Second"].outputs == {"out": "s3://bucket/runs/run-1/Second/out"}
    assert outcome.steps["Second"].peak_memory_mb > 1
    assert lab.started() == ["First", "Second"]


def test_ready_steps_start_in_the_order_of_the_definition(lab: Lab) -> None:
    lab.run([processing(name) for name in ("C", "A", "B")], cores=1)
    assert lab.started() == ["C", "A", "B"]


def test_transitions_of_a_step_are_watched_in_order(lab: Lab) -> None:
    lab.run([processing("Only")])
    assert [(event.type, event.status) for event in lab.events] == [
        ("Processing", "Starting"),
        ("Processing", "Executing"),
        ("Processing", "Succeeded"),
    ]


@pytest.mark.parametrize(("limit", "ran", "lost"), [(10.0, "Yes", "No"), (3.0, "No", "Yes")])
def test_only_the_chosen_branch_runs(lab: Lab, limit: float, ran: str, lost: str) -> None:
    train = processing(
        "Train", "write('ev/m/e.json', json.dumps({'mae': {'value': 4.5}}))", outputs=["ev"], PropertyFiles=[FILE]
    )
    test = compare("LessThanOrEqualTo", json_get("Train", "E", "mae.value"), parameter_ref("Limit"))
    outcome = lab.run([train, gate([test])], FLOAT, parameters={"Limit": limit})
    assert statuses(outcome) == {"Train": "Succeeded", "Gate": "Succeeded", ran: "Succeeded", lost: "Skipped"}
    assert outcome.steps["Gate"].results == {"Outcome": ran == "Yes"}


def test_a_list_of_conditions_means_and(lab: Lab) -> None:
    outcome = lab.run([gate([compare("Equals", 1, 1), compare("Equals", 1, 2)])])
    assert statuses(outcome)["No"] == "Succeeded"


def test_a_step_that_depends_on_a_skipped_step_never_runs(lab: Lab) -> None:
    after = processing("After", DependsOn=["No"])
    outcome = lab.run([gate([compare("Equals", 1, 1)]), after])
    assert outcome.status == "Succeeded"
    assert statuses(outcome)["After"] == "Skipped"
    assert outcome.steps["After"].reason == "depends on No, which was not run"


def test_several_steps_publish_below_one_uri_and_one_reads_them_all(lab: Lab) -> None:
    shared = join("s3://bucket/runs", EXECUTION_ID, "infer")
    steps = [processing(f"Infer-{n}", f"write('p/{n}/part', '{n}')", outputs={"p": shared}) for n in "abc"]
    reader = processing(
        "Read",
        "write('out/all', text('in'))",
        {"in": output_of("Infer-a", "p")},
        ["out"],
        DependsOn=["Infer-a", "Infer-b", "Infer-c"],
    )
    lab.run([*steps, reader])
    assert lab.get("s3://bucket/runs/run-1/Read/out/all") == "a,b,c"


def test_a_lambda_gets_resolved_inputs_and_its_outputs_reach_other_steps(lab: Lab) -> None:
    seen: list[dict] = []

    def judge(event: dict) -> dict:
        seen.append(event)
        return {"Rejected": 2, "Uri": "s3://bucket/data", "more": [1]}

    lab.functions["judge"] = judge
    lab.put("s3://bucket/data/x", "data")
    step = lambda_step(
        "Judge", "judge", {"Id": EXECUTION_ID, "T": parameter_ref("Limit")}, {"Rejected": "Integer", "Uri": "String"}
    )
    reader = processing("Read", PASS_ON, {"in": result_of("Judge", "Uri")}, ["out"], ["!"])
    outcome = lab.run([step, reader, gate([compare("LessThanOrEqualTo", result_of("Judge", "Rejected"), 0)])], FLOAT)
    assert seen == [{"Id": "run-1", "T": 10.0}]
    assert outcome.steps["Judge"].results == {"Rejected": 2, "Uri": "s3://bucket/data"}
    assert lab.get("s3://bucket/runs/run-1/Read/out/file.txt") == "data!"
    assert statuses(outcome)["No"] == "Succeeded"


def test_a_lambda_that_raises_fails_its_step_with_its_message_and_leaves_a_traceback(lab: Lab) -> None:
    def decide(event: dict) -> dict:
        raise ValueError("no approved model for EWR")

    lab.functions["decide"] = decide
    outcome = lab.run([lambda_step("Decide", "decide")])
    assert (outcome.status, outcome.failed[0].reason) == ("Failed", "no approved model for EWR")
    assert "Traceback" in (lab.root / str(outcome.failed[0].log)).read_text()


def test_a_lambda_that_returns_the_wrong_type_fails_its_step(lab: Lab) -> None:
    lab.functions["judge"] = lambda event: {"Rejected": "2"}
    outcome = lab.run([lambda_step("Judge", "judge", outputs={"Rejected": "Integer"})])
    assert outcome.failed[0].reason == "the function returned 'Rejected' as str, expected Integer"


def test_a_fail_step_fails_the_execution_with_its_message(lab: Lab) -> None:
    fail = {
        "Name": "Stop",
        "Type": "Fail",
        "Arguments": {"ErrorMessage": join("limit", parameter_ref("Limit"), on=" ")},
    }
    outcome = lab.run([fail], FLOAT)
    assert (outcome.status, outcome.failed[0].reason) == ("Failed", "limit 10.0")


def test_after_a_failure_running_steps_finish_and_nothing_new_starts(lab: Lab) -> None:
    slow = processing("Slow", "import time; time.sleep(0.4); write('out/x', '1')", outputs=["out"])
    steps = [processing("Broken", "sys.exit(3)"), slow, processing("After", DependsOn=["Slow"])]
    outcome = lab.run(steps, cores=2)
    assert statuses(outcome) == {"Broken": "Failed", "Slow": "Succeeded"}
    assert outcome.failed[0].reason == "AlgorithmError: exit code 3"


def test_the_reason_of_a_failure_is_the_message_that_the_step_wrote(lab: Lab) -> None:
    code = "(root / 'output/message').write_text('column label\\nis missing'); print('noise'); sys.exit(1)"
    outcome = lab.run([processing("Prep", code)])
    assert outcome.failed[0].reason == "column label is missing"


def test_without_a_message_the_last_log_line_tells_the_reason(lab: Lab) -> None:
    outcome = lab.run([processing("Prep", "raise KeyError('label')")])
    assert outcome.failed[0].reason == "AlgorithmError: exit code 1: KeyError: 'label'"
    assert "Traceback" in (lab.root / str(outcome.failed[0].log)).read_text()


def test_a_step_that_is_killed_names_the_signal(lab: Lab) -> None:
    outcome = lab.run([processing("Prep", "import signal; os.kill(os.getpid(), signal.SIGKILL)")])
    assert "killed by SIGKILL" in outcome.failed[0].reason


def test_a_step_that_runs_too_long_is_ended_with_its_children(lab: Lab) -> None:
    code = "import subprocess, time; c = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
    code += "print(c.pid, flush=True); time.sleep(60)"
    outcome = lab.run([processing("Slow", code, max_runtime=1)])
    assert "MaxRuntimeExceeded" in outcome.failed[0].reason
    child = int((lab.root / str(outcome.failed[0].log)).read_text().split()[0])
    assert not is_alive(child)


def is_alive(pid: int) -> bool:
    for _ in range(50):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state == "Z":
            return False
        time.sleep(0.02)
    return True


def test_a_failed_step_publishes_nothing(lab: Lab) -> None:
    lab.run([processing("Half", "write('out/x', '1'); sys.exit(1)", outputs=["out"])])
    assert lab.keys("s3://bucket/runs/run-1") == []


def test_an_input_without_objects_fails_the_step_before_it_starts(lab: Lab) -> None:
    outcome = lab.run([processing("Prep", inputs={"raw": "s3://bucket/none"})])
    assert outcome.failed[0].reason == (
        'ClientError: No S3 objects found under S3 URL "s3://bucket/none" given in input data source "raw".'
    )
    assert [event.status for event in lab.events] == ["Starting", "Failed"]


@pytest.mark.parametrize(
    "uri", ["s3://bucket/../../etc", "/etc/passwd", "s3://bucket//etc", "file:///etc", "s3://../x"]
)
def test_a_uri_that_leaves_its_bucket_fails_the_step(lab: Lab, uri: str) -> None:
    outcome = lab.run([processing("Prep", inputs={"raw": uri})])
    assert outcome.status == "Failed"
    assert uri in outcome.failed[0].reason


def test_a_mount_is_read_through_links_and_never_written(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw/a.csv").write_text("1")
    lab.mounts["local-raw"] = tmp_path / "raw"
    reader = processing("Read", "write('out/x', text('in'))", {"in": "s3://local-raw/"}, ["out"])
    assert lab.run([reader]).status == "Succeeded"
    link = lab.workspace.step("run-1", "Read") / "opt/ml/processing/input/in/a.csv"
    assert link.is_symlink()
    outcome = lab.run([processing("Write", "write('out/x', '1')", outputs={"out": "s3://local-raw/out"})])
    assert "mounted for reading only" in outcome.failed[0].reason


def test_each_instance_gets_its_shard_and_its_own_config(lab: Lab) -> None:
    for name in "abc":
        lab.put(f"s3://bucket/in/{name}", name)
    code = "c = json.loads((root / 'config/resourceconfig.json').read_text()); h = c['current_host']\n"
    code += "write(f'out/{h}.txt', f\"{text('in')} {','.join(c['hosts'])} {text('all')}\")"
    sharded = {"S3Uri": "s3://bucket/in", "S3DataDistributionType": "ShardedByS3Key"}
    step = processing("Shards", code, {"in": sharded, "all": "s3://bucket/in"}, ["out"], instances=2)
    lab.run([step])
    assert lab.get("s3://bucket/runs/run-1/Shards/out/algo-1.txt") == "a,c algo-1,algo-2 a,b,c"
    assert lab.get("s3://bucket/runs/run-1/Shards/out/algo-2.txt") == "b algo-1,algo-2 a,b,c"


def test_one_failing_instance_ends_the_others(lab: Lab) -> None:
    code = "h = json.loads((root / 'config/resourceconfig.json').read_text())['current_host']\n"
    code += "import time; sys.exit('bad shard') if h == 'algo-2' else time.sleep(60)"
    outcome = lab.run([processing("Shards", code, instances=2)])
    assert outcome.failed[0].reason == "algo-2: AlgorithmError: exit code 1: bad shard"
    assert outcome.failed[0].log == "executions/run-1/steps/Shards/algo-2/log.txt"


def test_paths_below_opt_ml_and_parameters_reach_the_process(lab: Lab) -> None:
    code = "write('out/x', '|'.join([*sys.argv[1:], os.environ['A'], os.environ['P'], str('SECRET' in os.environ)]))"
    step = processing(
        "Env",
        code,
        outputs=["out"],
        arguments=["/opt/ml/x", parameter_ref("Name")],
        environment={"A": "/opt/ml/a:/opt/ml/b", "P": join(parameter_ref("Limit"), on="")},
    )
    os.environ["SECRET"] = "x"
    try:
        lab.run([step], [*FLOAT, {"Name": "Name", "Type": "String"}], parameters={"Name": "winter"})
    finally:
        del os.environ["SECRET"]
    root = lab.workspace.step("run-1", "Env") / "opt/ml"
    expected = f"{root}/x|winter|{root}/a:{root}/b|10.0|False"
    assert lab.get("s3://bucket/runs/run-1/Env/out/x") == expected


def test_the_job_config_holds_the_computed_request(lab: Lab) -> None:
    lab.put("s3://bucket/in/a", "1")
    lab.run([processing("Prep", inputs={"raw": join("s3://bucket", "in")}, outputs=["out"])])
    path = lab.workspace.step("run-1", "Prep") / "opt/ml/config/processingjobconfig.json"
    config = json.loads(path.read_text())
    assert config["ProcessingInputs"][0]["S3Input"]["S3Uri"] == "s3://bucket/in"
    assert config["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] == "s3://bucket/runs/run-1/Prep/out"


def test_steps_side_by_side_share_the_cores_and_never_claim_the_same(lab: Lab) -> None:
    lab.launcher = Recorder()
    lab.run([processing(name) for name in "ABC"] + [processing("Alone", DependsOn=["A", "B", "C"])], cores=2)
    tasks = {task.step: task for task in lab.launcher.tasks}
    assert {name: task.threads for name, task in tasks.items()} == {"A": 2, "B": 1, "C": 1, "Alone": 2}
    assert lab.launcher.most == 2
    assert not lab.launcher.clash


def test_the_world_is_told_first_of_the_commands_to_come_with_their_threads(lab: Lab) -> None:
    """Not of a step that is kept, nor of one whose environment another step computes."""
    lab.launcher = Recorder()
    lab.functions["name"] = lambda event: {"Name": "n"}
    last = processing("Last", environment={"NAME": result_of("Ask", "Name")}, DependsOn=["A"])
    steps = [*(processing(name, environment={"COLOUR": name}) for name in "ABC"), last]
    steps.append(lambda_step("Ask", "name", outputs={"Name": "String"}))
    lab.run(steps, cores=2)

    assert [(environment["COLOUR"], threads) for _, environment, threads in lab.expected] == [
        ("A", 2),
        ("B", 1),
        ("C", 1),
    ]
    assert {command[:2] for command, _, _ in lab.expected} == {("python3", "-c")}

    lab.expected.clear()
    lab.run(steps, cores=2, source="run-1", selected=frozenset({"B"}))
    assert [environment["COLOUR"] for _, environment, _ in lab.expected] == ["B"]


def test_parallelism_bounds_the_steps_at_work(lab: Lab) -> None:
    lab.launcher = Recorder()
    lab.run([processing(name) for name in "ABCD"], cores=4, parallelism=2)
    assert lab.launcher.most == 2
    assert {task.threads for task in lab.launcher.tasks} == {2}


class Recorder:
    """A launcher that starts nothing; it notes what ran side by side, and fails as often as told."""

    def __init__(self, errors: list[Exception] | None = None) -> None:
        self.tasks: list[Task] = []
        self.errors = list(errors or [])
        self.most = 0
        self.clash = False
        self._now: list[Task] = []
        self._lock = threading.Lock()

    def run(self, task: Task) -> Exit:
        with self._lock:
            if self.errors:
                raise self.errors.pop(0)
            self.clash |= any(set(task.cores) & set(other.cores) for other in self._now)
            self._now.append(task)
            self.tasks.append(task)
            self.most = max(self.most, len(self._now))
        time.sleep(0.05)
        with self._lock:
            self._now.remove(task)
        return Exit(0)


def test_the_threads_of_a_process_match_its_cores(lab: Lab) -> None:
    code = "write('out/x', os.environ['OMP_NUM_THREADS'] + str(len(os.sched_getaffinity(0))))"
    code = code if sys.platform == "linux" else "write('out/x', os.environ['OMP_NUM_THREADS'] + '1')"
    lab.run([processing("One", code, outputs=["out"])], cores=1)
    assert lab.get("s3://bucket/runs/run-1/One/out/x") == "11"


def test_wrong_parameters_are_refused_together_before_anything_runs(lab: Lab) -> None:
    with pytest.raises(ParameterError) as caught:
        lab.run([processing("A")], FLOAT, parameters={"Limt": 1, "Limit": "abc"})
    assert len(caught.value.problems) == 2
    assert "did you mean 'Limit'?" in str(caught.value)
    assert lab.events == []


def test_a_second_engine_on_one_execution_is_refused(lab: Lab) -> None:
    with (
        lock_execution(lab.workspace.execution("run-1")),
        pytest.raises(ExecutionError, match="being run by another process"),
    ):
        lab.run([processing("A")])


def test_a_bug_in_the_watcher_ends_the_processes_and_is_raised(lab: Lab) -> None:
    def watch(event: object) -> None:
        if getattr(event, "status", "") == "Executing":
            raise RuntimeError("bug")

    definition = document.parse(definition_text([processing("Slow", "import time; time.sleep(60)")]))
    began = time.monotonic()
    with pytest.raises(RuntimeError, match="bug"):
        execute(Request("run-1", definition, {}), lab.world, watch)
    assert time.monotonic() - began < 20
    assert find_processes(lab.workspace.step("run-1", "Slow") / "opt" / "ml") == []


def test_a_bug_in_the_watcher_at_a_steps_start_is_raised_as_it_is(lab: Lab) -> None:
    def watch(event: object) -> None:
        if getattr(event, "status", "") == "Starting":
            raise RuntimeError("bug")

    definition = document.parse(definition_text([processing("A")]))
    with pytest.raises(RuntimeError, match="bug"):
        execute(Request("run-1", definition, {}), lab.world, watch)


DRIVER = """
import sys
from pathlib import Path
from pipelines.local import document
from pipelines.local.engine import ProcessLauncher, Request, World, execute
from pipelines.local.workspace import Workspace
world = World(Workspace(Path(sys.argv[1])), ProcessLauncher(grace=0.5), lambda arn, event: {})
definition = document.parse(Path(sys.argv[2]).read_text())
execute(Request("run-1", definition, {}), world, lambda event: print(event.status, flush=True))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_leaves_no_process_and_is_resumed_where_it_was(
    lab: Lab, tmp_path: Path, number: signal.Signals
) -> None:
    slow = "import time; print(os.getpid(), flush=True)\n"
    slow += f"time.sleep(0 if pathlib.Path({str(tmp_path / 'go')!r}).exists() else 60)"
    steps = [
        processing("First", WRITE, outputs=["out"], arguments=["a"]),
        processing("Slow", slow, DependsOn=["First"]),
    ]
    (tmp_path / "d.json").write_text(definition_text(steps))
    command = [sys.executable, "-c", DRIVER, str(lab.root), str(tmp_path / "d.json")]
    engine = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
    log = lab.workspace.step("run-1", "Slow") / "log.txt"
    while not (log.is_file() and log.read_text().strip()):
        time.sleep(0.02)
    pid = int(log.read_text())
    engine.send_signal(number)
    engine.wait(20)
    (tmp_path / "go").touch()
    outcome = lab.run(steps, execution_id="run-1", resume=True)
    assert outcome.status == "Succeeded"
    assert lab.started() == ["Slow"]
    assert not is_alive(pid)
