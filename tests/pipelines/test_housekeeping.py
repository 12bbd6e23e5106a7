"""`--gc` on workspaces as the engine leaves them: it lists, asks, removes what nothing needs, and never more."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from local_outcomes import origin

from pipelines import housekeeping
from pipelines.collection import ENTRY, EXECUTION, Item, Removal
from pipelines.disposal import dispose
from pipelines.errors import WorkspaceError
from pipelines.local import cache, document
from pipelines.local.durable import lock_workspace
from pipelines.local.engine import Request, World, execute
from pipelines.local.history import lock_execution
from pipelines.local.launch import Exit, Task
from pipelines.local.replay import save_fetched
from pipelines.local.workspace import Workspace
from pipelines.memo import MEMO_DIR, Memo, Note
from pipelines.run import main
from pipelines.watch.ledger import Ledger
from pipelines.watch.markers import Stamp

PREFIX = "s3://b/p"
TEXT = "a" * 64
"""Digest of the code that every execution here has."""


class Copying:
    """Stands in for a process: writes the host's arguments as its output."""

    def run(self, task: Task) -> Exit:
        folder = task.root / "processing/output/out"
        (folder / "file.txt").write_text(" ".join(task.command))
        return Exit(1 if "fail" in task.command else 0)


def step(name: str, argument: str, cache: bool) -> dict[str, Any]:
    code = {"S3Uri": f"{PREFIX}/code/train/{TEXT}", "LocalPath": "/opt/ml/processing/input/code"}
    out = {"Std:Join": {"On": "/", "Values": [PREFIX, "executions", {"Get": "Execution.PipelineExecutionId"}, name]}}
    arguments = {
        "ProcessingResources": {"ClusterConfig": {"InstanceCount": 1}},
        "AppSpecification": {"ImageUri": "i", "ContainerEntrypoint": ["x"], "ContainerArguments": [argument]},
        "ProcessingInputs": [{"InputName": "code", "S3Input": {**code, "S3DataType": "S3Prefix"}}],
        "ProcessingOutputConfig": {
            "Outputs": [{"OutputName": "out", "S3Output": {"S3Uri": out, "LocalPath": "/opt/ml/processing/output/out"}}]
        },
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, "CacheConfig": {"Enabled": cache}}


class Yard:
    """A workspace in which executions of one cached and one uncached step were run."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.capsys, self.now = root, capsys, 1.8e9
        self.workspace = Workspace(root)

    def run(self, name: str, argument: str = "a", last: str = "b", **request: Any) -> dict[str, bool]:
        """Run an execution; return which of its steps came from the cache."""
        self.now += 1_000
        steps = [step("Train", argument, cache=True), step("Infer", last, cache=False)]
        text = json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": steps})
        folder = self.root / "executions" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "request.json").write_text(origin(execution=name, bucket="b", pipeline="p").to_json())
        objects = {f"{PREFIX}/code/train/{TEXT}/train.py": b"code"}
        world = World(self.workspace, Copying(), lambda *_: {}, clock=lambda: self.now)
        request = {"pipeline": "p", "objects": objects, **request}
        outcome = execute(Request(name, document.parse(text), {}, **request), world, lambda _: None)
        (self.root / "outbox" / name).mkdir(parents=True, exist_ok=True)
        (self.root / "outbox" / name / "01-started.txt").write_text("mail")
        return {key: record.cached for key, record in outcome.steps.items()}

    def gc(self, *arguments: str) -> tuple[int, str, str]:
        code = main(["--local", "--workspace", str(self.root), "--gc", *arguments])
        shown = self.capsys.readouterr()
        return code, shown.out, shown.err

    def removed(self, *arguments: str) -> dict[str, Any]:
        code, out, err = self.gc("--yes", "--json", *arguments)
        assert code == 0, err
        found: dict[str, Any] = json.loads(out)
        return found

    def executions(self) -> list[str]:
        return sorted(path.name for path in (self.root / "executions").iterdir())

    def data(self) -> list[str]:
        return sorted(path.name for path in (self.root / "s3/b/p/executions").iterdir())


@pytest.fixture
def yard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Yard:
    return Yard(tmp_path / "ws", capsys)


def snapshot(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_older_executions_go_with_all_that_belongs_to_them(yard: Yard) -> None:
    for number in (1, 2, 3):
        yard.run(f"e{number}", argument=str(number))

    found = yard.removed("--keep", "1")

    assert found["removed"] is True
    assert found["kept"] == {"e3": "is one of the newest 1"}
    assert {item["kind"] for item in found["items"]} == {"cache entry", "execution", "data", "outbox"}
    assert (yard.executions(), yard.data()) == (["e3"], ["e3"])
    assert [path.name for path in (yard.root / "outbox").iterdir()] == ["e3"]
    assert len(list(cache.read_entries(yard.workspace))) == 1
    assert not (yard.root / "trash").exists()
    assert yard.run("e4", argument="3") == {"Train": True, "Infer": False}
    assert yard.run("e5", argument="1") == {"Train": False, "Infer": False}


def test_an_old_execution_whose_outputs_a_kept_one_uses_stays(yard: Yard) -> None:
    yard.run("e1")
    yard.run("e2", argument="other")
    assert yard.run("e3")["Train"]

    found = yard.removed("--keep", "1")

    assert found["kept"] == {"e3": "is one of the newest 1", "e1": "e3 uses its outputs"}
    assert (yard.executions(), yard.data()) == (["e1", "e3"], ["e1", "e3"])
    assert yard.run("e4")["Train"]


def test_the_source_of_a_partial_execution_stays_with_it(yard: Yard) -> None:
    yard.run("e1")
    yard.run("e2", source="e1", selected=frozenset({"Infer"}))

    assert yard.removed("--keep", "1")["kept"]["e1"] == "e2 uses its outputs"


def test_bundles_go_when_no_kept_definition_names_them(yard: Yard) -> None:
    yard.run("e1")
    folders = [f"s3/b/p/{name}/{'b' * 64}" for name in ("code/train", "settings/train", "manifests")]
    for folder in folders:
        (yard.root / folder).mkdir(parents=True)
        (yard.root / folder / "x").write_text("x")

    found = yard.removed()

    assert {item["path"] for item in found["items"]} == {str(yard.root / folder) for folder in folders}
    assert yard.run("e2")["Train"]


def test_a_memo_goes_with_the_last_execution_that_it_was_of(yard: Yard) -> None:
    yard.run("e1")
    text = (yard.root / "executions/e1/definition.json").read_bytes()
    memo = Memo(yard.workspace.cache / MEMO_DIR / "definitions", yard.workspace.scratch)
    memo.keep("a" * 64, Note(hashlib.sha256(text).hexdigest(), ["stays"]))
    memo.keep("b" * 64, Note("c" * 64, ["goes"]))
    (memo.folder / f"{'d' * 64}.json").write_text("cut")

    assert {Path(item["path"]).name[0] for item in yard.removed()["items"]} == {"b", "d"}
    assert memo.find("a" * 64) == ["stays"]
    yard.run("e2", argument="other")
    assert "memo" in {item["kind"] for item in yard.removed("--keep", "1")["items"]}
    assert list(memo.folder.iterdir()) == []


def test_what_was_brought_here_from_aws_to_run_a_step_alone_stays_with_its_execution(yard: Yard) -> None:
    yard.run("e1")
    places = [f"aws/p/{name}" for name in ("executions/e9/Train/out", f"code/train/{'b' * 64}", "manifests/v1")]
    for place in places:
        (yard.root / "s3" / place).mkdir(parents=True)
        (yard.root / "s3" / place / "x").write_text("x")
    job = json.dumps({"Inputs": [f"s3://{places[0]}", f"s3://{places[1]}/"], "Arguments": ["--version", "v1"]})
    save_fetched(yard.workspace, "e7", "Train", job)

    assert yard.removed()["items"] == []
    os.utime(yard.root / "executions/e7", (1, 1))
    yard.run("e2")
    gone = {item["path"] for item in yard.removed("--keep", "1")["items"]}

    assert gone >= {str(yard.root / "s3" / place.removesuffix("/Train/out")) for place in places}


@pytest.mark.parametrize("place", ["s3/b/p/executions", "s3/b", "outbox", "trash"])
def test_nothing_behind_a_link_is_removed_and_then_nothing_at_all(yard: Yard, tmp_path: Path, place: str) -> None:
    yard.run("e1")
    yard.run("e2", argument="c")
    away = tmp_path / "away"
    if (yard.root / place).exists():
        (yard.root / place).rename(away)
    else:
        away.mkdir()
    (yard.root / place).symlink_to(away)
    (away / "precious").mkdir()
    before = (snapshot(yard.root), snapshot(away))

    code, _, err = yard.gc("--yes", "--keep", "1")

    assert (code, "is reached through a link" in " ".join(err.split())) == (2, True)
    assert (snapshot(yard.root), snapshot(away)) == before


def test_nothing_else_is_touched(yard: Yard) -> None:
    yard.run("e1")
    others = [
        "registry/p-a/1.json",
        "s3/b/p/registry/a/model.tar.gz",
        "s3/b/p/predictions/latest.json",
        "s3/b/p/other/x",
        "s3/raw/data/executions/2025/x.csv",
        "raw/flights/train.csv",
        "watch/folder/ledger.jsonl",
    ]
    for name in others:
        (yard.root / name).parent.mkdir(parents=True, exist_ok=True)
        (yard.root / name).write_text("{}")
    yard.run("e2", argument="c")

    yard.removed("--keep", "1")

    assert [name for name in others if not (yard.root / name).exists()] == []


@pytest.mark.parametrize("place", ["registry/p-a/1.json", "s3/b/p/predictions/latest.json"])
def test_an_execution_that_the_registry_or_the_newest_predictions_refer_to_stays(yard: Yard, place: str) -> None:
    yard.run("e1")
    yard.run("e2", argument="c")
    (yard.root / place).parent.mkdir(parents=True, exist_ok=True)
    (yard.root / place).write_text(json.dumps({"predictions": f"{PREFIX}/executions/e1/Infer"}))

    assert "e1" in yard.removed("--keep", "1")["kept"]
    assert yard.data() == ["e1", "e2"]


def test_an_execution_in_the_queue_of_a_watcher_stays_so_that_it_is_not_run_twice(yard: Yard) -> None:
    ledger = Ledger(yard.root / "watch/inbox")
    entry = ledger.add("x.run", Stamp(1, 1, 1, 1), b"", 1.0)
    assert entry is not None
    ledger.start(entry, 2.0)
    yard.run(entry.execution)
    yard.run("e2", argument="c")

    assert yard.removed("--keep", "1")["kept"][entry.execution] == "the queue of --watch refers to it"
    ledger.end(entry, 3.0, "Succeeded", 1.0, "")
    ledger.close()
    assert entry.execution not in yard.removed("--keep", "1")["kept"]


def test_the_execution_that_trained_a_default_model_stays_so_that_it_can_be_trained_again(yard: Yard) -> None:
    for number in (1, 2, 3, 4, 5):
        yard.run(f"e{number}", argument=str(number))
    group = yard.root / "registry/p-a"
    group.mkdir(parents=True)
    (group / "group.json").write_text("{}")
    versions = {1: ("e1", "Approved"), 2: ("e2", "Approved"), 3: ("e3", "Rejected"), 10: ("gone", "PendingApproval")}
    for version, (name, status) in versions.items():
        (group / f"{version}.json").write_text(json.dumps({"status": status, "metadata": {"execution": name}}))
    (group / "11.json").write_text("[")

    found = yard.removed("--keep", "1")

    assert found["kept"] == {"e5": "is one of the newest 1", "e2": "the default model of p-a refers to it"}


def test_what_failed_since_can_still_go_on(yard: Yard) -> None:
    yard.run("e1", argument="c")
    yard.run("e2", argument="d", last="fail")
    yard.run("e3", last="fail")
    yard.run("e4")

    found = yard.removed("--keep", "2")

    assert yard.executions() == ["e1", "e2", "e3", "e4"]
    assert found["kept"]["e2"] == "is Failed, and can go on"
    assert yard.run("e2", argument="d", last="fail", resume=True) == {"Train": False, "Infer": False}
    assert "e2" not in yard.removed("--keep", "1")["kept"]


def test_an_execution_that_waits_for_its_turn_stays(yard: Yard) -> None:
    yard.run("e1")
    yard.run("e2", argument="c")

    with lock_execution(yard.root / "executions/e1"):
        assert yard.removed("--keep", "1")["kept"]["e1"] == "is running"


def test_while_an_engine_is_at_work_nothing_is_looked_at(yard: Yard) -> None:
    yard.run("e1")

    with lock_workspace(yard.root, "execution e1"):
        code, _, err = yard.gc("--yes")

    assert (code, "execution e1 is at work in the workspace" in err) == (2, True)


def test_an_execution_that_left_no_log_or_a_damaged_one_goes_when_it_is_old(yard: Yard) -> None:
    yard.run("e1")
    (yard.root / "executions/e1/events.jsonl").write_text("{\n{}\n")
    empty = yard.root / "executions/e0"
    empty.mkdir()
    os.utime(empty, (1, 1))
    yard.run("e2", argument="c")

    yard.removed("--keep", "1")

    assert "e2" in yard.executions()
    assert "e0" not in yard.executions()


def test_entries_that_cannot_be_used_go(yard: Yard) -> None:
    yard.run("e1")
    entry = next(yard.workspace.cache.glob("*.json"))
    (yard.workspace.cache / f"{'0' * 64}.json").write_text("{")
    (yard.workspace.cache / "raw-digests.json").write_text("{}")
    assert [item["reason"] for item in yard.removed()["items"]] == ["it cannot be read"]

    (yard.root / "s3/b/p/executions/e1/Train/file.txt").unlink()
    assert [item["reason"] for item in yard.removed()["items"]] == ["its outputs are gone"]
    assert not entry.exists()
    assert (yard.workspace.cache / "raw-digests.json").exists()


def test_without_a_terminal_it_lists_only(yard: Yard) -> None:
    yard.run("e1")
    yard.run("e2", argument="c")
    before = snapshot(yard.root)

    code, out, _ = yard.gc("--keep", "1")

    assert code == 0
    assert "executions that go: e1" in out
    assert out.endswith("nothing was removed; to remove it without being asked, add --yes\n")
    assert snapshot(yard.root) == before


def test_as_json_without_yes_it_lists_only(yard: Yard) -> None:
    yard.run("e1")
    yard.run("e2", argument="c")

    code, out, _ = yard.gc("--keep", "1", "--json")

    found = json.loads(out)
    assert (code, found["removed"], yard.executions()) == (0, False, ["e1", "e2"])
    assert found["bytes"] > 0
    assert {"kind", "path", "files", "bytes", "reason"} == set(found["items"][0])


@pytest.mark.parametrize(
    ("answer", "left"), [("y\n", ["e2"]), ("Yes\n", ["e2"]), ("\n", ["e1", "e2"]), ("n", ["e1", "e2"])]
)
def test_a_person_is_asked_once_it_was_listed(yard: Yard, answer: str, left: list[str]) -> None:
    yard.run("e1")
    yard.run("e2", argument="c")
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        assert "executions that go: e1" in yard.capsys.readouterr().out
        return answer

    arguments = argparse.Namespace(workspace=yard.root, keep=1, yes=False, json=False)

    assert housekeeping.collect(arguments, ask) == 0
    assert (asked, yard.executions()) == (["remove it? [y/N] "], left)


def test_where_nothing_goes_nobody_is_asked(yard: Yard) -> None:
    yard.run("e1")

    assert yard.gc() == (0, "1 executions stay; there is nothing to remove\n", "")


def test_a_number_below_one_and_a_workspace_that_is_not_there_are_refused(yard: Yard) -> None:
    assert "there is no such workspace" in yard.gc()[2]
    yard.run("e1")
    assert "--keep 0: give the number of executions that stay" in yard.gc("--keep", "0")[2]


def test_a_removal_that_was_cut_off_is_finished_by_the_next(yard: Yard) -> None:
    """Cut off behind the first two removals: entries are gone, and no execution or output is found by half."""
    yard.run("e1")
    yard.run("e2", argument="c")
    (yard.root / "trash").mkdir()
    (yard.root / "executions/e1").rename(yard.root / "trash/e1-x")

    found = yard.removed("--keep", "1")

    assert {item["kind"] for item in found["items"]} == {"cache entry", "data", "outbox", "trash"}
    assert not (yard.root / "trash").exists()
    assert yard.run("e3", argument="c")["Train"]


def test_a_start_that_waited_for_the_removal_finds_its_code(yard: Yard) -> None:
    """Whoever starts has stored its bundles before it waits for the lock; the engine stores them again under it."""
    yard.run("e1")
    bundle = yard.root / f"s3/b/p/code/train/{TEXT}/train.py"
    bundle.unlink()

    assert yard.run("e2", argument="c") == {"Train": False, "Infer": False}
    assert bundle.read_bytes() == b"code"


@pytest.mark.parametrize(
    "place",
    ["registry/x", "s3/b/p/registry/x", "s3/b/p/predictions/latest.json", "raw", "executions", "../ws2/executions/x"],
)
def test_what_may_not_be_removed_is_refused_before_anything_goes(tmp_path: Path, place: str) -> None:
    root = tmp_path / "ws"
    (root / "executions/e1").mkdir(parents=True)
    items = [Item(EXECUTION, root / "executions/e1"), Item(ENTRY, Path(os.path.normpath(root / place)))]

    with pytest.raises(WorkspaceError, match="nothing may be removed there"):
        dispose([Removal(item, "x") for item in items], root)
    assert (root / "executions/e1").is_dir()


def test_what_cannot_be_removed_is_said(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"cannot be removed \(No such file or directory\); run --gc again"):
        dispose([Removal(Item(EXECUTION, tmp_path / "executions/gone"), "x")], tmp_path)
