"""What a workspace knows already is what would be computed, and only while nothing that decides it has changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipelines.blueprint import Blueprint
from pipelines.compile import Compiled, compile_blueprint, compile_pipeline
from pipelines.errors import DataError, DefinitionError
from pipelines.local.workspace import Workspace
from pipelines.models import Census, Segment, choose_models
from pipelines.recall import PACKAGES, ROOT, Recall, sources_digest
from pipelines.settings import Settings, load, validate

VERSIONS = {"TrainDataVersion": "t1", "PredictDataVersion": "p1"}
COUNTED = {"segments": [{"value": "a", "train_rows": 3, "predict_rows": 1}], "null": {}, "absent": []}


def config(**changes: Any) -> Settings:
    listing = [{"name": name, "where": {"s": name}} for name in ("A", "B")]
    return validate({"data": {"label": "y", "id": "id"}, "models": listing, "rest": "skip", **changes}, "c.yml")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "ws")


class Compiling:
    """Stands in for the SDK: counts how often it is asked."""

    def __init__(self, text: str = "", *warnings: str) -> None:
        self.asked, self._text, self._warnings = 0, text, warnings

    def __call__(self, blueprint: Blueprint, local: bool) -> tuple[str, tuple[str, ...]]:
        self.asked += 1
        return json.dumps({"Steps": [], "text": self._text, "asked": self.asked}), self._warnings


def compiled(recall: Recall, compiling: Callable[..., Any], settings: Settings | None = None) -> Compiled:
    chosen = settings or config()
    return recall.compile_pipeline(chosen, choose_models(chosen, None), compiling)


def test_a_definition_that_is_known_is_byte_for_byte_what_a_compile_gives(workspace: Workspace) -> None:
    settings = config(step_ceiling=10)
    models = choose_models(settings, None)
    fresh = compile_pipeline(settings, models, local=True)
    first = Recall(workspace).compile_pipeline(settings, models)
    known = Recall(workspace).compile_pipeline(settings, models, Compiling())

    assert first == known == fresh
    assert len(fresh.warnings) == 1


def test_a_hit_asks_nothing_of_the_sdk_and_keeps_the_warnings(workspace: Workspace) -> None:
    compiling = Compiling("x", "a warning")

    assert compiled(Recall(workspace), compiling) == compiled(Recall(workspace), compiling)
    assert compiling.asked == 1
    assert compiled(Recall(workspace), compiling).warnings == ("a warning",)


@pytest.mark.parametrize(
    "changes",
    [
        {"pipeline": {"name": "other"}},
        {"step_ceiling": 60},
        {"gate": {"mae": 7}},
        {"tags": {"team": "x"}},
        {"training": {"seed": 1}},
        {"aws": {"region": "eu-west-1"}},
        {"models": [{"name": "A", "where": {"s": "A"}}]},
        {"models": [{"name": "A", "where": {"s": "A"}}, {"name": "B", "where": {"s": "C"}}]},
    ],
)
def test_other_settings_or_models_are_another_definition(workspace: Workspace, changes: Mapping[str, Any]) -> None:
    compiling = Compiling()
    compiled(Recall(workspace), compiling)
    compiled(Recall(workspace), compiling, config(**changes))

    assert compiling.asked == 2


def test_other_code_of_the_pipeline_or_of_a_step_is_another_definition(workspace: Workspace, tmp_path: Path) -> None:
    root = tmp_path / "repository"
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    compiling = Compiling()
    for name in ("pipelines/definition.py", "pipelines/no-sdk-defaults.yml", "steps/contract.py"):
        compiled(Recall(workspace, root=root), compiling)
        compiled(Recall(workspace, root=root), compiling)
        with (root / name).open("a", encoding="utf-8") as file:
            file.write("# changed\n")

    assert compiling.asked == 3
    assert sources_digest(root) != sources_digest(ROOT)


def test_a_library_that_is_installed_or_replaced_is_another_definition(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiling = Compiling()
    compiled(Recall(workspace), compiling)
    (tmp_path / "site" / "sagemaker-9.9.9.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "site")
    compiled(Recall(workspace), compiling)

    assert compiling.asked == 2


def test_a_damaged_definition_is_compiled_again_and_kept(workspace: Workspace) -> None:
    compiling = Compiling()
    compiled(Recall(workspace), compiling)
    [path] = (workspace.cache / "memo/definitions").iterdir()
    path.write_bytes(path.read_bytes().replace(b"asked", b"ASKED"))

    assert compiled(Recall(workspace), compiling).text == '{"Steps": [], "text": "", "asked": 2}'
    assert compiled(Recall(workspace), compiling).text == '{"Steps": [], "text": "", "asked": 2}'


def test_everything_is_done_again_where_nothing_may_be_used_and_kept_for_the_next(workspace: Workspace) -> None:
    compiling = Compiling()
    compiled(Recall(workspace), compiling)
    compiled(Recall(workspace, uses=False), compiling)

    assert compiled(Recall(workspace), compiling).text == '{"Steps": [], "text": "", "asked": 2}'


def test_a_definition_that_is_refused_is_refused_each_time(workspace: Workspace) -> None:
    def refuse(blueprint: Blueprint, local: bool) -> tuple[str, tuple[str, ...]]:
        raise DefinitionError("too many")

    for _ in range(2):
        with pytest.raises(DefinitionError, match="too many"):
            compiled(Recall(workspace), refuse)


class Counting:
    """Stands in for the process that reads the data."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, settings: Settings, folder: Path) -> Mapping[str, Any]:
        self.asked += 1
        return COUNTED


def test_segments_are_counted_once_for_the_same_files(workspace: Workspace, tmp_path: Path) -> None:
    counting, settings = Counting(), config(models={"by": "s"})
    expected = Census((Segment("a", 3, 1),), Segment("", 0, 0))

    assert Recall(workspace, VERSIONS).count_segments(settings, tmp_path, counting) == expected
    assert Recall(workspace, VERSIONS).count_segments(settings, tmp_path / "moved", counting) == expected
    assert counting.asked == 1


def test_other_files_or_another_column_are_counted(workspace: Workspace, tmp_path: Path) -> None:
    counting, settings = Counting(), config(models={"by": "s"})
    Recall(workspace, VERSIONS).count_segments(settings, tmp_path, counting)
    Recall(workspace, {**VERSIONS, "PredictDataVersion": "p2"}).count_segments(settings, tmp_path, counting)
    Recall(workspace, VERSIONS).count_segments(config(models={"by": "z"}), tmp_path, counting)
    Recall(workspace, VERSIONS, uses=False).count_segments(settings, tmp_path, counting)

    assert counting.asked == 4


def test_without_data_versions_the_data_are_read_each_time(workspace: Workspace, tmp_path: Path) -> None:
    counting = Counting()
    for _ in range(2):
        Recall(workspace).count_segments(config(), tmp_path, counting)

    assert counting.asked == 2


def test_what_is_wrong_with_the_data_is_said_each_time(workspace: Workspace, tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(DataError, match="no such raw folder"):
            Recall(workspace, VERSIONS).count_segments(config(), tmp_path / "nowhere")


SECOND = """
import sys
from pathlib import Path
from pipelines.local.workspace import Workspace
from pipelines.models import choose_models
from pipelines.recall import Recall
from pipelines.settings import load
settings = load(Path(sys.argv[2]))
print(Recall(Workspace(Path(sys.argv[1]))).compile_pipeline(settings, choose_models(settings, None)).sha256)
sys.exit(str(found) if (found := {"sagemaker", "boto3", "pandas"} & set(sys.modules)) else 0)
"""


def test_a_second_run_does_not_import_the_sdk(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "c.yml"
    path.write_text("data: {label: y, id: id}\nmodels: [{name: A, where: {s: a}}]\nrest: skip\n", encoding="utf-8")
    settings = load(path)
    first = Recall(workspace).compile_pipeline(settings, choose_models(settings, None))
    command = [sys.executable, "-c", SECOND, str(workspace.root), str(path)]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert (second.returncode, second.stdout.strip()) == (0, first.sha256), second.stderr


def test_a_blueprint_compiles_to_the_same_whoever_asks(workspace: Workspace) -> None:
    blueprints: list[Blueprint] = []

    def watch(blueprint: Blueprint, local: bool) -> tuple[str, tuple[str, ...]]:
        blueprints.append(blueprint)
        return compile_blueprint(blueprint, local)

    found = compiled(Recall(workspace), watch)

    assert compile_blueprint(blueprints[0], local=False) == (found.text, found.warnings)
