"""URIs and folders, inputs and outputs, and the event log."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import pytest
from local_definitions import Lab, processing

from pipelines.errors import ExecutionError, WorkspaceError
from pipelines.local.cores import Cores
from pipelines.local.engine import load
from pipelines.local.history import read_past
from pipelines.local.launch import Task, build_environment, map_path, map_paths
from pipelines.local.memory import free_memory
from pipelines.local.workspace import Workspace

READ = """
keys = sorted(str(p.relative_to(source('in'))) for p in source('in').rglob('*') if p.is_file())
write('out/x', '|'.join(keys))
"""


def read_keys(lab: Lab, **source: str) -> str:
    outcome = lab.run([processing("Read", READ, {"in": source}, ["out"])])
    return outcome.failed[0].reason if outcome.failed else lab.get(outcome.steps["Read"].outputs["out"] + "/x")


def test_a_uri_and_its_path_belong_together(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, {"raw": Path("/"), "data": tmp_path / "data"})
    assert workspace.path("s3://bucket/a/b c/日本") == tmp_path / "s3/bucket/a/b c/日本"
    assert workspace.uri(tmp_path / "s3/bucket/a") == "s3://bucket/a"
    assert workspace.path("s3://bucket/a/") == workspace.path("s3://bucket/a")
    assert workspace.uri(tmp_path / "data/x/../y") == "s3://data/y"
    assert workspace.uri(Path("/")) == "s3://raw/"
    assert workspace.path("s3://raw/etc/hosts") == Path("/etc/hosts")


@pytest.mark.parametrize(
    "uri", ["", "s3://", "s3:///a", "s3://b/../a", "s3://b/./a", "s3://b//a", "http://b/a", "s3://B/a", "s3://../a",
            "s3://b/a\0b"],
)  # fmt: skip
def test_an_unsafe_uri_is_refused(tmp_path: Path, uri: str) -> None:
    with pytest.raises(WorkspaceError):
        Workspace(tmp_path).path(uri)


def test_a_path_outside_has_no_uri_and_a_mount_is_not_written(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "ws", {"raw": tmp_path / "raw"})
    with pytest.raises(WorkspaceError, match="neither in"):
        workspace.uri(tmp_path / "else")
    with pytest.raises(WorkspaceError, match="for reading only"):
        workspace.target("s3://raw/x")


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a b"])
def test_an_execution_id_that_is_no_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WorkspaceError):
        Workspace(tmp_path).execution(name)


def test_a_prefix_ends_where_a_folder_ends(lab: Lab) -> None:
    lab.put("s3://bucket/m1/x", "")
    lab.put("s3://bucket/m1/sub/y", "")
    lab.put("s3://bucket/m10/z", "")
    assert read_keys(lab, S3Uri="s3://bucket/m1") == "sub/y|x"


def test_a_prefix_that_is_one_object_lands_under_its_base_name(lab: Lab) -> None:
    lab.put("s3://bucket/a/settings.json", "{}")
    assert read_keys(lab, S3Uri="s3://bucket/a/settings.json") == "settings.json"


def manifest(lab: Lab, content: object) -> str:
    lab.put("s3://bucket/list.json", content if isinstance(content, str) else json.dumps(content))
    return read_keys(lab, S3Uri="s3://bucket/list.json", S3DataType="ManifestFile")


def test_a_manifest_brings_exactly_the_objects_it_lists(lab: Lab) -> None:
    for name in ("a.csv", "sub/b.csv", "c.csv"):
        lab.put(f"s3://bucket/raw/{name}", "")
    assert manifest(lab, [{"prefix": "s3://bucket/raw/"}, "sub/b.csv", "a.csv"]) == "a.csv|sub/b.csv"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([{"prefix": "s3://bucket/raw/"}, "none.csv"], '"none.csv", which is not in s3://bucket/raw/'),
        ([{"prefix": "s3://bucket/raw/"}], "No S3 objects found"),
        ([{"prefix": "s3://bucket/raw/"}, "../list.json"], "empty part"),
        ({"prefix": "x"}, "is no manifest"),
        ([{"prefix": "s3://bucket/raw/"}, 5], "is no manifest"),
        ("{", "is no valid JSON"),
    ],
)
def test_a_broken_manifest_fails_the_step_before_it_starts(lab: Lab, content: object, reason: str) -> None:
    assert reason in manifest(lab, content)


def test_inputs_are_linked_and_outputs_too(lab: Lab) -> None:
    lab.put("s3://bucket/in/x", "1")
    lab.run([processing("A", "write('out/y', '1')", {"in": "s3://bucket/in"}, ["out"])])
    home = lab.workspace.step("run-1", "A") / "opt/ml/processing"
    assert (home / "input/in/x").samefile(lab.workspace.path("s3://bucket/in/x"))
    assert (home / "output/out/y").samefile(lab.workspace.path("s3://bucket/runs/run-1/A/out/y"))


def test_an_output_that_is_a_link_is_published_as_a_file_of_its_own(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("user's")
    code = f"write('out/a', ''); os.symlink({str(tmp_path / 'secret')!r}, root / 'processing/output/out/b')"
    lab.run([processing("A", code, outputs=["out"])])
    published = lab.workspace.path("s3://bucket/runs/run-1/A/out/b")
    assert published.read_text() == "user's"
    assert not published.is_symlink()
    assert not published.samefile(tmp_path / "secret")


def test_an_empty_output_is_fine(lab: Lab) -> None:
    outcome = lab.run([processing("A", outputs=["out"])])
    assert outcome.steps["A"].outputs == {"out": "s3://bucket/runs/run-1/A/out"}


def test_a_file_and_a_folder_of_one_name_do_not_merge(lab: Lab) -> None:
    steps = [
        processing("A", "write('o/x', '1')", outputs={"o": "s3://bucket/out"}),
        processing("B", "write('o/x/y', '1')", outputs={"o": "s3://bucket/out"}, DependsOn=["A"]),
    ]
    assert "collide" in lab.run(steps).failed[0].reason


def test_a_torn_last_line_of_the_log_is_cut_off_and_written_again(lab: Lab) -> None:
    steps = [processing("A"), processing("B", DependsOn=["A"])]
    lab.run(steps)
    log = lab.workspace.execution("run-1") / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    last = next(n for n, line in enumerate(lines) if b'"B"' in line and b'"Succeeded"' in line)
    log.write_bytes(b"".join(lines[:last]) + lines[last][:20])
    assert load(lab.workspace, "run-1").status == "Stopped"
    outcome = lab.run(steps, execution_id="run-1", resume=True)
    assert (outcome.status, lab.started()) == ("Succeeded", ["B"])
    assert all(json.loads(line) for line in log.read_text().splitlines())


def test_a_log_that_is_damaged_earlier_is_refused(lab: Lab) -> None:
    lab.run([processing("A")])
    log = lab.workspace.execution("run-1") / "events.jsonl"
    log.write_bytes(log.read_bytes().replace(b"{", b"[", 1))
    with pytest.raises(ExecutionError, match="damaged in line 1"):
        read_past(log.parent)


def test_a_missing_execution_is_told_with_those_there_are(lab: Lab) -> None:
    with pytest.raises(ExecutionError, match="nothing has run here"):
        load(lab.workspace, "x")
    lab.run([processing("A")])
    with pytest.raises(ExecutionError, match="the newest are run-1"):
        load(lab.workspace, "x")


def test_only_values_that_are_paths_below_opt_ml_are_mapped(tmp_path: Path) -> None:
    assert map_path("/opt/ml", tmp_path) == str(tmp_path)
    assert map_path("/opt/ml/x", tmp_path) == f"{tmp_path}/x"
    assert map_path("/opt/mlx", tmp_path) == "/opt/mlx"
    assert map_path("see /opt/ml/x", tmp_path) == "see /opt/ml/x"
    assert map_paths("/opt/ml/a:b:/opt/ml/c", tmp_path) == f"{tmp_path}/a:b:{tmp_path}/c"


def test_the_environment_is_the_bare_minimum_and_the_definition_wins(tmp_path: Path) -> None:
    given = {"OMP_NUM_THREADS": "9", "ML_ROOT": "/x"}
    task = Task("A", "algo-1", "i", ("x",), given, tmp_path, tmp_path / "log", (0,), 3, None, lambda: False)
    found = build_environment(task, {"PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "s", "PYTHONPATH": "/repo"})
    assert found["PATH"] == "/bin"
    assert not {"AWS_SECRET_ACCESS_KEY", "PYTHONPATH"} & set(found)
    assert (found["OMP_NUM_THREADS"], found["CORES"], found["ML_ROOT"]) == ("9", "3", str(tmp_path))


def test_cores_are_handed_out_once() -> None:
    cores = Cores(3)
    first = cores.take(2)
    assert first is not None
    assert cores.take(2) is None
    cores.give(first)
    assert cores.take(3) is not None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows a child its parent's peak")
def test_peak_memory_is_the_childs_own_even_below_the_parents(lab: Lab) -> None:
    big = "import time; block = bytearray(300_000_000); time.sleep(0.2)"
    outcome = lab.run([processing("Small", "import time; time.sleep(0.2)"), processing("Big", big)])
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    assert outcome.steps["Small"].peak_memory_mb < min(own, 40)
    assert 300 < outcome.steps["Big"].peak_memory_mb < 340


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """A /proc and control groups that give 900 MB of 1,000, and our own group 300 of which 100 are copies of files."""
    files = {
        "proc/meminfo": "MemTotal: 1000000 kB\nMemAvailable: 900000 kB\n",
        "proc/self/cgroup": "1:cpu:/\n0::/outer/own\n",
        "groups/outer/memory.max": "max\n",
        "groups/outer/own/memory.max": "300000000\n",
        "groups/outer/own/memory.current": "250000000\n",
        "groups/outer/own/memory.stat": "anon 5\ninactive_file 100000000\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_free_memory_is_the_least_that_machine_and_control_groups_leave(system: Path) -> None:
    assert free_memory(system / "proc", system / "groups") == 150.0
    (system / "groups/outer/own/memory.max").write_text("max\n")
    assert free_memory(system / "proc", system / "groups") == 921.6
    (system / "groups/outer/memory.max").write_text("50000000\n")
    (system / "groups/outer/memory.current").write_text("60000000\n")
    assert free_memory(system / "proc", system / "groups") == 0.0


def test_free_memory_is_unknown_where_the_system_does_not_tell(tmp_path: Path) -> None:
    assert free_memory(tmp_path, tmp_path) is None
