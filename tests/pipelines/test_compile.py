"""`python -m pipelines.compile`: exit codes, where the definition goes, the lock, and that it needs no AWS."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipelines.compile import canonical, compile_pipeline, main
from pipelines.errors import DefinitionError
from pipelines.models import choose_models
from pipelines.settings import Settings, load, validate

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
OFFLINE = """
import runpy, sys, os
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        os.write(2, f"network: {event} {arguments}".encode())
        os._exit(9)
sys.addaudithook(watch)
sys.argv[0] = "pipelines.compile"
runpy.run_module("pipelines.compile", run_name="__main__", alter_sys=True)
"""


def listed(models: int, **changes: Any) -> Settings:
    names = [f"M{i}" for i in range(models)]
    listing = [{"name": name, "where": {"s": name}} for name in names]
    return validate({"data": {"label": "y", "id": "id"}, "models": listing, "rest": "skip", **changes}, "c.yml")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A config with discovered segments and a raw folder with one large and one small segment."""
    (tmp_path / "raw").mkdir()
    rows = [f"{i},{'big' if i else 'small'},{i},{i % 7}" for i in range(40)]
    (tmp_path / "raw" / "train.csv").write_text("\n".join(["id,s,y,x", *rows, ""]))
    (tmp_path / "raw" / "predict.csv").write_text("id,s,x\n1,big,3\n")
    (tmp_path / "c.yml").write_text("data: {label: y, id: id}\nmodels: {by: s}\n")
    return tmp_path


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


@pytest.mark.slow
def test_compiling_needs_no_credentials_no_network_and_no_region(tmp_path: Path) -> None:
    """Run in a process with an empty home and environment that ends at the first connection, on another hash seed."""
    command = [sys.executable, "-c", OFFLINE, "--config", str(GOLDEN / "flights.yml"), "--output", "d.json"]
    environment = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    settings = load(GOLDEN / "flights.yml")
    census_free = compile_pipeline(settings, _locked(settings))

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "d.json").read_text(encoding="utf-8") == census_free.text
    assert done.stdout == ""
    assert done.stderr == f"d.json: sha256 {census_free.sha256}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.json"]


def _locked(settings: Settings) -> Any:
    from pipelines.models import read_lock

    return read_lock(settings, GOLDEN / "flights.segments.lock.yml")


def test_the_definition_goes_to_stdout_unless_a_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--config", GOLDEN / "flights.yml") == 0

    found = capsys.readouterr()
    assert found.out == canonical(json.loads(found.out))
    assert found.err == ""


def test_segments_are_frozen_by_the_lock_and_compiled_from_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = project / "tabular.segments.lock.yml"

    assert run("--config", project / "c.yml", "--raw", project / "raw", "--lock") == 0
    assert capsys.readouterr().err == f"wrote {lock}; commit it\n"
    assert "segments:\n- big\npooled: true\n" in lock.read_text()

    assert run("--config", project / "c.yml", "--output", project / "locked.json") == 0
    assert run("--config", project / "c.yml", "--raw", project / "raw", "--output", project / "raw.json") == 0
    assert (project / "locked.json").read_bytes() == (project / "raw.json").read_bytes()


def test_discovered_segments_without_lock_or_data_are_an_error(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--config", project / "c.yml") == 2

    found = capsys.readouterr()
    assert found.out == ""
    assert "no lock file; write it with: python -m pipelines.compile --raw FOLDER --lock" in found.err


def test_the_lock_needs_the_data(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--config", project / "c.yml", "--lock") == 2
    assert capsys.readouterr().err == "error: --lock: needs the data; give the raw folder with --raw FOLDER\n"


def test_listed_models_need_no_lock(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = project / "list.yml"
    config.write_text("data: {label: y, id: id}\nmodels: [{name: A, where: {s: big}}]\n")

    assert run("--config", config, "--lock", "--raw", project / "raw") == 2
    assert "the config lists its models, so there is nothing to discover" in capsys.readouterr().err
    assert run("--config", config, "--output", project / "d.json") == 0


def test_a_missing_raw_folder_is_an_error(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--config", project / "c.yml", "--raw", project / "nowhere") == 2
    assert "nowhere: no such raw folder" in capsys.readouterr().err


def test_every_problem_of_a_config_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "c.yml"
    config.write_text("data: {lable: y, id: 3}\nmodels: {by: s}\n")

    assert run("--config", config) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"error: {config}: data.") for line in lines)


def test_a_missing_config_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--config", tmp_path / "c.yml") == 2
    assert "no such config file" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "no" / "d.json"

    assert run("--config", GOLDEN / "flights.yml", "--output", output) == 2
    assert f"--output: {output} cannot be written (No such file or directory)" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--confg", "x"], ["x"], ["--output"]])
def test_bad_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m pipelines.compile" in capsys.readouterr().err


def test_more_steps_than_the_ceiling_are_an_error_for_aws_and_a_warning_locally() -> None:
    settings = listed(3, step_ceiling=16)
    chosen = choose_models(settings, None)

    with pytest.raises(DefinitionError, match="17 steps, more than step_ceiling: 16"):
        compile_pipeline(settings, chosen)
    compiled = compile_pipeline(settings, chosen, local=True)
    assert len(compiled.warnings) == 1
    assert compile_pipeline(listed(3, step_ceiling=17), chosen).warnings == ()


def test_a_limit_of_the_service_is_an_error_locally_too() -> None:
    parameters = {f"P{i}": "x" for i in range(99)}
    settings = listed(1, parameters=parameters)

    with pytest.raises(DefinitionError, match="101 environment entries, a job takes 100"):
        compile_pipeline(settings, choose_models(settings, None), local=True)


def test_equal_settings_compile_to_equal_bytes_and_others_do_not() -> None:
    one, same, other = listed(1), listed(1), listed(1, gate={"mae": 3})
    texts = [compile_pipeline(settings, choose_models(settings, None)).text for settings in (one, same, other)]

    assert texts[0] == texts[1] != texts[2]


def test_help_is_shown_without_loading_the_sdk() -> None:
    code = "import sys; from pipelines.compile import parser; parser().format_help(); print('sagemaker' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
