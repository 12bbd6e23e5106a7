"""Refreshing over the ports of a workspace, with a training of ours in place of the engine's."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import model_archives
import pytest
from lambda_world import evaluation

from lambda_trigger.folders import local_ports
from lambda_trigger.ports import ModelGroup, ModelPackage, NewPackage, Ports, Status
from pipelines.catalog import Catalog
from pipelines.errors import ExecutionError, RegistryError
from pipelines.local.workspace import Workspace
from pipelines.refresh import Refitted, Refreshed, Rules, Wanted, approval, choose, refresh
from steps.contract import Versions

HERE = Versions("1.6.3", "3.11.7")
OLD = {"autogluon_version": "1.2.0", "python_version": "3.10.1"}
RUN = "s3://b/flights/executions/again"


@dataclass
class Shop:
    """A workspace with registered versions, and what training again would give."""

    root: Path
    maes: dict[str, float] = field(default_factory=dict)
    failing: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def ports(self) -> Ports:
        return local_ports(self.root, Workspace(self.root, {}).path, io.StringIO())

    @property
    def catalog(self) -> Catalog:
        return Catalog(self.ports, "flights", "s3://b/flights/registry", (), False, "UTC", HERE)

    def version(self, slug: str, status: Status = "Approved", **metadata: str) -> ModelPackage:
        group = ModelGroup(f"flights-{slug}", "flights", slug)
        self.ports.registry.ensure_group(group)
        number = len(list(self.ports.registry.packages(group.name)))
        values = {"sha256": f"{slug}{number}", "mae": "10.0", "execution": "run-1", "data_version": "d1", **metadata}
        return self.ports.registry.register(NewPackage(group.name, status, "s3://b/m", "i", f"{slug} {number}", values))

    def versions(self, slug: str) -> dict[int, str]:
        return {found.version: found.status for found in self.ports.registry.packages(f"flights-{slug}")}

    def train(self, wanted: Wanted) -> Refitted:
        """Leave what a Train step would."""
        slug = wanted.slug
        self.asked.append(slug)
        if slug in self.failing:
            raise ExecutionError(self.failing[slug])
        content = model_archives.packed(text=model_archives.metadata(model=slug, slug=slug))
        artifact = self.root / "made.tar.gz"
        artifact.write_bytes(content)
        self.ports.objects.upload(artifact, f"{RUN}/model/{slug}/model.tar.gz")
        digest = hashlib.sha256(content).hexdigest()
        found = evaluation(mae=self.maes.get(slug, 10.0), artifact={"sha256": digest}, **self.changes)
        self.ports.objects.write_text(f"{RUN}/evaluation/{slug}/evaluation.json", json.dumps(found))
        places = (f"{RUN}/evaluation/{slug}/evaluation.json", f"{RUN}/model/{slug}/model.tar.gz")
        return Refitted("again", *places, "image:today")

    def refresh(self, model: str | None = None, tolerance: float = 0.05, pending: bool = False) -> list[Refreshed]:
        return list(refresh(self.catalog, choose(self.catalog, model), self.train, Rules(tolerance, pending)))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_a_refreshed_version_takes_the_place_of_the_old_one(shop: Shop) -> None:
    shop.version("EWR", **OLD)
    shop.maes["EWR"] = 9.0

    (row,) = shop.refresh("EWR")

    made = next(shop.ports.registry.packages("flights-EWR", "Approved"))
    assert row == Refreshed("EWR", "EWR", 1, 10.0, 2, 9.0, "Approved", loads_here=True)
    assert row.difference == pytest.approx(-0.1)
    assert (made.version, made.image_uri, made.metadata["refreshed_from"]) == (2, "image:today", "1")
    assert made.metadata.items() >= {"execution": "again", "data_version": "d1", "mae": "9.0"}.items()
    assert made.metadata.items() >= {"autogluon_version": "1.6.3", "python_version": "3.11.9"}.items()
    assert made.artifact_uri == f"s3://b/flights/registry/EWR/{made.sha256}/model.tar.gz"
    assert shop.ports.objects.exists(f"s3://b/flights/registry/EWR/{made.sha256}/evaluation.json")


def test_the_version_that_is_trained_again_is_the_one_that_decide_would_choose(shop: Shop) -> None:
    shop.version("EWR", **OLD)
    shop.version("EWR", **{**OLD, "sha256": ""})

    assert [wanted.package.version for wanted in choose(shop.catalog, "EWR")] == [1]


@pytest.mark.parametrize(
    ("mae", "tolerance", "status"),
    [
        (10.5, 0.05, "Approved"),
        (10.51, 0.05, "PendingManualApproval"),
        (10.0, 0.0, "Approved"),
        (10.01, 0.0, "PendingManualApproval"),
        (40.0, 3.0, "Approved"),
    ],
)
def test_a_model_that_is_worse_than_the_tolerance_allows_waits(
    shop: Shop, mae: float, tolerance: float, status: str
) -> None:
    shop.version("EWR", **OLD)
    shop.maes["EWR"] = mae

    (row,) = shop.refresh("EWR", tolerance)

    assert (row.status, shop.versions("EWR")) == (status, {2: status, 1: "Approved"})
    assert (row.problem is None) == (status == "Approved")


def test_a_model_that_waits_says_why_and_how_it_is_approved(shop: Shop) -> None:
    shop.version("EWR", **OLD)
    shop.maes["EWR"] = 12.0

    (row,) = shop.refresh("EWR")

    assert row.problem == "its MAE is 20.0% above that of version 1 (tolerance 5.0%)"
    assert approval(shop.catalog, row) == "python -m pipelines.registry --local approve EWR 2"


def test_one_who_asks_for_it_gets_no_approval(shop: Shop) -> None:
    shop.version("EWR", **OLD)

    (row,) = shop.refresh("EWR", pending=True)

    assert (row.status, row.problem) == ("PendingManualApproval", "it waits, as --pending asked for")


@pytest.mark.parametrize("recorded", ["nan", "unknown", "-1"])
def test_a_recorded_mae_that_is_none_is_no_reason_to_approve(shop: Shop, recorded: str) -> None:
    shop.version("EWR", mae=recorded)

    (row,) = shop.refresh("EWR")

    assert (row.status, row.problem) == ("PendingManualApproval", "there are no two MAEs to compare")
    json.dumps(row.to_json(), allow_nan=False)


def test_all_are_the_defaults_that_do_not_load_here_and_one_that_fails_stops_no_other(shop: Shop) -> None:
    for slug in ("A", "B", "C"):
        shop.version(slug, **OLD)
    shop.version("D", autogluon_version="1.6.3", python_version="3.11.1")
    shop.version("E", "PendingManualApproval", **OLD)
    shop.version("F")
    shop.failing["B"] = "step Train-B failed:\nno memory"

    rows = shop.refresh()

    assert shop.asked == ["A", "B", "C"]
    assert [(row.model, row.version, row.loads_here) for row in rows] == [
        ("A", 2, True),
        ("B", None, False),
        ("C", 2, True),
    ]
    assert rows[1].problem == "step Train-B failed: no memory"
    assert approval(shop.catalog, rows[1]) is None


def test_a_model_is_refreshed_though_it_loads_here_when_it_is_named(shop: Shop) -> None:
    shop.version("D", autogluon_version="1.6.3", python_version="3.11.1")

    assert [row.version for row in shop.refresh("D")] == [2]
    assert shop.refresh() == []


def test_training_that_gives_the_same_artifact_again_makes_no_version_twice(shop: Shop) -> None:
    shop.version("EWR", **OLD)
    shop.maes["EWR"] = 12.0
    shop.refresh("EWR")

    (row,) = shop.refresh("EWR", tolerance=0.5)

    assert (row.version, row.status) == (2, "Approved")
    assert shop.versions("EWR") == {2: "Approved", 1: "Approved"}


def test_a_version_that_somebody_rejected_is_not_approved_by_training_it_again(shop: Shop) -> None:
    shop.version("EWR", **OLD)
    shop.refresh("EWR", pending=True)
    rejected = next(shop.ports.registry.packages("flights-EWR"))
    shop.ports.registry.set_status(rejected, "Rejected", {})

    (row,) = shop.refresh("EWR")

    assert (row.version, row.status, row.problem) == (2, "Rejected", "version 2 is Rejected")


def test_a_model_without_an_approved_version_is_refused(shop: Shop) -> None:
    shop.version("EWR", "PendingManualApproval")

    with pytest.raises(
        RegistryError, match="EWR: no version is approved, so none is to be refreshed; see them with: p"
    ):
        choose(shop.catalog, "EWR")
    with pytest.raises(RegistryError, match="did you mean 'EWR'"):
        choose(shop.catalog, "EWT")


def test_a_training_that_ended_without_a_model_is_told_with_its_reason(shop: Shop) -> None:
    shop.version("EWR", **OLD)
    shop.changes = {"status": "failed", "reason": "too few rows"}

    (row,) = shop.refresh("EWR")

    assert (row.version, row.problem) == (None, "could not be trained again in execution again: too few rows")
    assert shop.versions("EWR") == {1: "Approved"}


def test_an_artifact_that_is_not_the_one_that_was_trained_is_not_registered(shop: Shop) -> None:
    shop.version("EWR", **OLD)

    def swap(wanted: Wanted) -> Refitted:
        made = shop.train(wanted)
        (shop.root / "made.tar.gz").write_bytes(model_archives.packed(model_archives.member("predictor/more")))
        shop.ports.objects.upload(shop.root / "made.tar.gz", made.artifact_uri)
        return made

    (row,) = refresh(shop.catalog, choose(shop.catalog, "EWR"), swap, Rules(0.05))

    assert row.version is None
    assert "it is not registered; refresh the model again" in str(row.problem)
    assert shop.versions("EWR") == {1: "Approved"}
    assert not (shop.root / "s3/b/flights/registry").exists()
