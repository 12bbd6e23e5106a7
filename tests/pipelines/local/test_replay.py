"""One step of an execution runs again as it was, and nothing but its own folder changes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from local_definitions import Lab, below, compare, condition, lambda_step, output_of, processing

from pipelines.errors import ExecutionError
from pipelines.local import document, foreground, replay
from pipelines.local.workspace import list_files

WRITE = "write('out/file.txt', sys.argv[1])"
PASS_ON = "write('out/file.txt', text('in') + sys.argv[1] + os.environ['MARK'] + os.environ['CORES'])"


def chain(second: str = PASS_ON) -> list[dict]:
    """First -> Second and a third beside it, so that both have half of the cores."""
    return [
        processing("First", WRITE, outputs=["out"], arguments=["a"]),
        processing("Second", second, {"in": output_of("First", "out")}, ["out"], ["b"], {"MARK": "m"}),
        processing("Beside", "pass", {"in": output_of("First", "out")}),
    ]


def replayed(lab: Lab, step: str, execution: str = "run-1") -> replay.Replayed:
    text = (lab.workspace.execution(execution) / "definition.json").read_text()
    recorded = replay.recall(lab.workspace, execution, document.parse(text), step, cores=2)
    return replay.replay(lab.workspace, recorded, foreground.run)


def everything(lab: Lab) -> dict[str, bytes]:
    """Return the files of a workspace without those of debugging."""
    return {key: path.read_bytes() for key, path in list_files(lab.root) if not key.startswith("debug/")}


def test_a_step_has_its_inputs_arguments_environment_and_cores_again_and_changes_nothing(lab: Lab) -> None:
    lab.run(chain(), cores=2)
    before = everything(lab)

    done = replayed(lab, "Second")

    assert (done.exit.code, done.files, done.differing) == (0, 1, ())
    assert done.folder == lab.root / "debug/run-1/Second"
    assert (done.folder / "opt/ml/processing/output/out/file.txt").read_text() == "abm1"
    assert (done.folder / "opt/ml/config/processingjobconfig.json").is_file()
    assert everything(lab) == before


def test_a_step_may_write_into_its_inputs_without_harm(lab: Lab, tmp_path: Path) -> None:
    spoil = "pathlib.Path(sys.argv[1] + '/armed').exists() and [p.write_text('!') for p in source('in').iterdir()]"
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "mine.csv").write_text("mine")
    lab.mounts["raw"] = Path("/")
    first = processing("First", WRITE, outputs=["out"], arguments=["a"])
    place = [str(tmp_path)]
    second = processing("Second", spoil, {"in": output_of("First", "out")}, arguments=place)
    third = processing("Third", spoil, {"in": f"s3://raw{raw}"}, arguments=place)
    lab.run([first, second, third])
    (tmp_path / "armed").touch()

    for step in ("Second", "Third"):
        assert replayed(lab, step).exit.code == 0

    assert (lab.root / "debug/run-1/Third/opt/ml/processing/input/in/mine.csv").read_text() == "!"
    assert lab.get("s3://bucket/runs/run-1/First/out/file.txt") == "a"
    assert (raw / "mine.csv").read_text() == "mine"


def test_outputs_that_differ_are_named_those_that_only_one_of_the_two_has_too(lab: Lab, tmp_path: Path) -> None:
    code = f"there = pathlib.Path({str(tmp_path / 'later')!r}).exists()\n" + (
        "write('out/same', 'x'); write('out/other', str(there)); write('out/new' if there else 'out/old', 'x')"
    )
    lab.run([processing("Only", code, outputs=["out"])])
    (tmp_path / "later").touch()

    done = replayed(lab, "Only")

    assert done.differing == ("out/new", "out/old", "out/other")


def test_a_failed_step_fails_with_the_same_reason_and_compares_nothing(lab: Lab) -> None:
    fails = "(root / 'output').mkdir(exist_ok=True); (root / 'output/message').write_text('3 rows'); sys.exit(1)"
    outcome = lab.run(chain(fails))

    done = replayed(lab, "Second")

    assert outcome.failed[0].reason == "3 rows"
    assert (done.exit.code, done.reason, done.differing) == (1, "3 rows", None)


def test_a_step_whose_result_came_from_the_cache_or_from_another_execution_can_be_run_again(lab: Lab) -> None:
    steps = chain()
    steps[1]["CacheConfig"] = {"Enabled": True, "ExpireAfter": "P30D"}
    lab.run(steps, cores=2)
    second = lab.run(steps, cores=2)
    lab.run(steps, cores=2, source="run-1", selected=frozenset({"Beside"}))

    assert second.steps["Second"].cached
    assert replayed(lab, "Second", "run-2").differing == ()
    assert replayed(lab, "Second", "run-3").differing == ()


def test_an_earlier_attempt_is_replaced(lab: Lab) -> None:
    lab.run(chain())
    stale = lab.root / "debug/run-1/Second/opt/ml/processing/output/out/stale"
    stale.parent.mkdir(parents=True)
    stale.touch()

    assert replayed(lab, "Second").differing == ()
    assert not stale.exists()


def test_the_hosts_of_a_job_run_one_after_another_each_with_its_share(lab: Lab) -> None:
    code = "write('out/' + json.load(open(root / 'config/resourceconfig.json'))['current_host'], text('in'))"
    for name in "abc":
        lab.put(f"s3://bucket/in/{name}", name)
    sharded = {"S3Uri": "s3://bucket/in", "S3DataDistributionType": "ShardedByS3Key"}
    lab.run([processing("Spread", code, {"in": sharded}, ["out"], instances=2)])

    done = replayed(lab, "Spread")

    assert (done.files, done.differing) == (2, ())
    assert (done.folder / "algo-2/opt/ml/processing/output/out/algo-2").read_text() == "b"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("Secnd", "--only Secnd: there is no such step; did you mean 'Second'?"),
        ("Quite-another", "no such step; the Processing steps of the execution are First, Second, Beside, Else"),
        ("Call", "--only Call: is a Lambda step, which is no job to run alone; the Processing steps"),
        ("Gate", "--only Gate: is a Condition step"),
        ("Else", "--only Else: it has no inputs in execution run-1, because Asked did not succeed there"),
    ],
)
def test_what_cannot_be_run_alone_is_refused_with_what_can(lab: Lab, step: str, expected: str) -> None:
    lab.functions["call"] = lambda event: {}
    lab.functions["ask"] = lambda event: {"Answer": "s3://bucket/x"}
    asked = lambda_step("Asked", "ask", outputs={"Answer": "String"})
    wanted = processing("Else", "pass", DependsOn=["Asked"])
    gate = condition("Gate", [compare("Equals", 1, 1)], [], [asked, wanted])
    lab.run([*chain(), lambda_step("Call", "call"), gate])

    with pytest.raises(ExecutionError) as caught:
        replayed(lab, step)

    assert expected in str(caught.value)


def test_a_step_whose_inputs_are_gone_says_so(lab: Lab) -> None:
    lab.run(chain())
    lab.workspace.path("s3://bucket/runs/run-1/First/out/file.txt").unlink()

    with pytest.raises(ExecutionError, match="No S3 objects found"):
        replayed(lab, "Second")


def test_inputs_that_the_disk_has_no_room_for_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ExecutionError, match=r"1,000,000,000,000 MB are to be copied, [\d,]+ MB are free; make room"):
        replay.check_room(tmp_path, 10**18)


def test_a_step_that_is_being_run_in_another_terminal_is_left_alone(lab: Lab) -> None:
    lab.run(chain())
    replayed(lab, "Second")
    root = lab.root / "debug/run-1/Second/opt/ml"
    command = [sys.executable, "-c", "input()"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, env={"ML_ROOT": str(root)}, stderr=subprocess.DEVNULL),
        pytest.raises(ExecutionError, match="is being run there in another terminal"),
    ):
        replayed(lab, "Second")

    assert root.is_dir()


def test_an_output_uri_of_the_execution_itself_is_computed_as_it_was(lab: Lab) -> None:
    """The id in it is the execution's, not that of a new one."""
    lab.run([processing("Only", WRITE, {}, {"out": below("Only", "mine")}, ["a"])])

    assert replayed(lab, "Only").differing == ()
