"""The models of a run that scores only come from the registry."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from test_models import census, config, listed, names

from lambda_trigger.folders import FolderRegistry, read_clock
from lambda_trigger.ports import APPROVED, PENDING, ModelGroup, NewPackage, Status
from pipelines.approved import Serving, choose_models, describe, say_served
from pipelines.errors import DataError, RegistryError
from pipelines.local.workspace import Workspace
from pipelines.settings import Settings
from steps import contract

V1 = Serving(1, 2.5)
POOLED = contract.POOLED_NAME


def chosen(settings: Settings, registered: Mapping[str, Serving | None], *segments: tuple[str, int]) -> list[str]:
    found = census(*((value, 0, rows) for value, rows in segments))
    return names(choose_models(settings, found, registered))


def test_each_segment_with_an_approved_default_has_a_model_of_its_own_with_or_without_rows() -> None:
    assert chosen(config(), {"a": V1, "b": V1}, ("a", 5)) == ["a", "b"]


def test_rows_of_an_unknown_segment_go_to_the_pooled_model() -> None:
    assert chosen(config(), {"a": V1, POOLED: V1}, ("a", 5), ("new", 3)) == ["a", POOLED]


def test_a_segment_whose_versions_wait_for_approval_goes_to_the_pooled_default_where_there_is_one() -> None:
    assert chosen(config(), {"a": V1, "b": None, POOLED: V1}, ("a", 5), ("b", 3)) == ["a", POOLED]


@pytest.mark.parametrize("rest", ["pooled", "skip", "fail"])
def test_without_a_pooled_default_such_a_segment_is_a_model_so_that_decide_can_name_the_command(rest: str) -> None:
    assert chosen(config(rest=rest), {"a": V1, "b": None}, ("a", 5), ("b", 3)) == ["a", "b"]


def test_listed_models_are_all_there() -> None:
    assert chosen(listed("a", "b", "c"), {"a": V1}, ("a", 5)) == ["a", "b", "c"]


def test_rows_of_no_model_are_refused_where_the_rest_must_not_be() -> None:
    with pytest.raises(DataError, match="3 rows to predict belong to no model"):
        chosen(config(rest="fail"), {"a": V1}, ("a", 5), ("new", 3))


def test_where_nothing_is_approved_the_message_names_the_command() -> None:
    with pytest.raises(RegistryError, match=r"pipelines.registry --local approve MODEL"):
        chosen(config(), {"a": None}, ("a", 5))
    with pytest.raises(RegistryError, match=r"run the whole pipeline first \(python -m pipelines.run --local\)"):
        chosen(config(), {}, ("a", 5))


def test_an_override_may_name_a_segment_that_nobody_approved_yet() -> None:
    settings = config(models={"by": "region", "overrides": {"late": {"gate": {"mae": 3}}}})

    assert chosen(settings, {"a": V1}, ("a", 5)) == ["a"]


def register(root: Path, model: str, status: Status, mae: str = "2.5") -> None:
    registry = FolderRegistry(root / "registry", read_clock, root / "tmp")
    group = ModelGroup(f"p-{model}", "p", model)
    registry.ensure_group(group)
    metadata = {"sha256": "a" * 64, "mae": mae}
    registry.register(NewPackage(group.name, status, "s3://b/m.tar.gz", "", f"{model}-{status}", metadata))


def test_the_newest_approved_version_serves_with_its_recorded_mae(tmp_path: Path) -> None:
    register(tmp_path, "a", APPROVED)
    register(tmp_path, "a", PENDING)
    register(tmp_path, "b", PENDING)
    FolderRegistry(tmp_path / "registry", read_clock, tmp_path / "tmp").ensure_group(ModelGroup("p-c", "p", "c"))
    settings = config(pipeline={"name": "p"})

    found = describe(settings, FolderRegistry(tmp_path / "registry", read_clock, tmp_path / "tmp"))
    models = choose_models(settings, census(("b", 0, 1)), found)

    assert found == {"a": Serving(1, 2.5), "b": None}
    assert say_served(settings, Workspace(tmp_path, {}), models) == {
        "a": "default v1, MAE 2.5",
        "b": "no approved default",
    }
