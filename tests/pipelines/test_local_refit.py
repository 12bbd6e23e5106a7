"""Training a version of a workspace again: what is run, and what is said where that cannot be. It trains nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from local_outcomes import definition, origin, ping

from lambda_trigger.folders import FolderRegistry, read_clock
from lambda_trigger.ports import ModelGroup, NewPackage
from pipelines import registry
from pipelines.errors import RegistryError
from pipelines.local.engine import Outcome
from pipelines.local.history import History
from pipelines.local.record import StepEvent, StepRecord
from pipelines.local_refit import select

CONFIG = "data: {label: y, id: id}\nmodels: {by: s}\npipeline: {name: flights}\n"


class Shop:
    """A workspace with one approved version, and the command run over it."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.capsys, self.workspace = root, capsys, root / "ws"
        (root / "c.yml").write_text(CONFIG)

    def version(self, **metadata: str) -> None:
        port = FolderRegistry(self.workspace / "registry", read_clock, self.workspace / "tmp")
        port.ensure_group(ModelGroup("flights-EWR", "flights", "EWR"))
        values = {"sha256": "a", "mae": "1.5", "autogluon_version": "0.1", "python_version": "3.1", **metadata}
        port.register(NewPackage("flights-EWR", "Approved", "s3://b/m", "", "t", values))

    def execution(self, *steps: StepRecord) -> None:
        """Leave an execution with these steps."""
        folder = self.workspace / "executions" / "e1"
        folder.mkdir(parents=True)
        (folder / "request.json").write_text(origin().to_json())
        (folder / "definition.json").write_text(definition(ping("Ping")).text)
        history = History(folder)
        history.add_execution("Started", 100.0)
        for step in steps:
            history.add_step(StepEvent(step.name, step.type, step.status, 101.0), step)
        history.add_execution("Succeeded", 102.0)
        history.close()

    def cli(self, *arguments: str) -> tuple[int, str, str]:
        options = ["--local", "--config", str(self.root / "c.yml"), "--workspace", str(self.workspace)]
        code = registry.main(["refresh", *options, *arguments])
        shown = self.capsys.readouterr()
        return code, shown.out, shown.err


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Shop:
    return Shop(tmp_path, capsys)


def prepared(uri: str = "s3://b/prepared", status: str = "Succeeded") -> StepRecord:
    return StepRecord("PrepareTraining", "Processing", status, outputs={"train": uri})


def test_a_version_registered_by_hand_has_no_data_to_train_on_again(shop: Shop) -> None:
    shop.version()

    code, out, err = shop.cli("EWR")

    lines = out.splitlines()
    assert (code, err) == (1, "")
    assert lines[0].split() == ["MODEL", "VERSION", "OLD", "MAE", "NEW", "MAE", "DIFFERENCE", "LOADS", "HERE", "STATUS"]
    assert lines[1].split() == ["EWR", "1", "->", "-", "1.5", "-", "-", "no", "not", "refreshed"]
    assert lines[2].startswith("EWR: the data that version 1 was trained on cannot be had again (it was registered by")
    assert f"train on today's with: python -m pipelines.run --local --config {shop.root}/c.yml" in lines[2]
    assert len(lines) == 3


def test_an_execution_that_is_gone_is_told_with_the_command_that_trains_anew(shop: Shop) -> None:
    shop.version(execution="e1")

    code, out, _ = shop.cli("--all", "--json")

    (row,) = json.loads(out)
    assert (code, row["version"], row["refreshed_from"], row["loads_here"]) == (1, None, 1, False)
    assert "(execution e1 is not in this workspace any more); train on today's with: python -m" in row["problem"]


@pytest.mark.parametrize("steps", [(), (prepared(status="Failed"),), (prepared(),)])
def test_prepared_data_that_are_gone_are_told(shop: Shop, steps: tuple[StepRecord, ...]) -> None:
    shop.version(execution="e1")
    shop.execution(*steps)

    code, out, _ = shop.cli("EWR")

    assert code == 1
    assert "(what PrepareTraining made in execution e1 is gone); train on today's with" in out


@pytest.mark.parametrize("arguments", [(), ("EWR", "--all")])
def test_one_model_or_all_are_to_be_named(shop: Shop, arguments: tuple[str, ...]) -> None:
    code, out, err = shop.cli(*arguments)

    assert (code, out) == (2, "")
    assert err == "refresh: give a MODEL, or --all for every default that does not load here\n"


@pytest.mark.parametrize("share", ["-0.1", "nan", "inf", "much"])
def test_a_tolerance_is_a_share(shop: Shop, share: str) -> None:
    with pytest.raises(SystemExit) as raised:
        shop.cli("EWR", f"--tolerance={share}")

    assert raised.value.code == 2


def test_nothing_to_refresh_is_said(shop: Shop) -> None:
    assert shop.cli("--all") == (0, "every default model loads here: there is nothing to refresh\n", "")


def test_only_the_training_and_functions_that_its_source_did_not_have_run_again() -> None:
    steps = [
        ping("PrepareTraining"),
        ping("Check", DependsOn=["PrepareTraining"]),
        ping("Train-EWR", DependsOn=["Check"]),
        ping("Train-JFK", DependsOn=["Check"]),
        ping("Judge", DependsOn=["Train-EWR", "Train-JFK"]),
    ]
    done = {name: StepRecord(name, "Lambda", "Succeeded") for name in ("PrepareTraining", "Check", "Judge")}

    def selected(*names: str) -> frozenset[str]:
        return select(definition(*steps), "Train-EWR", Outcome("e1", "Succeeded", {n: done[n] for n in names}, 1.0, ()))

    assert selected("PrepareTraining", "Check", "Judge") == {"Train-EWR"}
    assert selected("PrepareTraining") == {"Train-EWR", "Check"}
    with pytest.raises(RegistryError, match="today's definition has no step Train-LGA"):
        select(definition(*steps), "Train-LGA", Outcome("e1", "Succeeded", {}, 1.0, ()))
