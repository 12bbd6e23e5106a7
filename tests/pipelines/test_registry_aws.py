"""`pipelines.registry` over the Model Registry of a deployed pipeline."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from operator_calls import ARTIFACTS, Operator

from pipelines.settings import Images
from pipelines.versions import read_locked


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path).deploy()


def statuses(operator: Operator) -> dict[str, str]:
    return {p["ModelPackageArn"].rpartition("package/")[2]: p["ModelApprovalStatus"] for p in operator.aws.packages}


def test_the_list_shows_every_version_over_all_pages(operator: Operator) -> None:
    for _ in range(3):
        operator.version("EWR")

    code, out, _ = operator.registry("list", "--json")

    assert code == 0
    assert [(row["model"], row["version"]) for row in json.loads(out)] == [("EWR", 3), ("EWR", 2), ("EWR", 1)]


def test_the_list_compares_with_the_versions_of_the_deployed_image(operator: Operator) -> None:
    locked = read_locked(Images())
    assert locked is not None
    operator.version("EWR", autogluon_version=locked.autogluon, python_version=f"{locked.python}.5")
    operator.version("JFK", autogluon_version=locked.autogluon, python_version="3.99.1")

    rows = json.loads(operator.registry("list", "--json")[1])

    assert {row["model"]: row["loads_here"] for row in rows} == {"EWR": True, "JFK": False}


def test_a_version_is_approved_and_rejected(operator: Operator) -> None:
    operator.version("EWR")
    operator.version("EWR")

    approved = operator.registry("approve", "EWR")
    rejected = operator.registry("reject", "EWR", "1")

    assert approved[:2] == (0, "EWR: version 2 is approved\nit serves where the gate turns a fresh model down\n")
    assert rejected[0] == 0
    assert statuses(operator) == {"Flights-EWR/1": "Rejected", "Flights-EWR/2": "Approved"}


def test_an_artifact_of_this_machine_becomes_the_default_and_is_kept_below_the_registry(operator: Operator) -> None:
    path = operator.artifact()
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()

    code, out, _ = operator.registry("register", "EWR", str(path))

    key = f"Flights/registry/EWR/{sha256}/model.tar.gz"
    container = operator.aws.packages[0]["InferenceSpecification"]["Containers"][0]
    assert (code, out.splitlines()[0]) == (0, "EWR: version 1 is approved")
    assert operator.aws.objects[ARTIFACTS, key] == path.read_bytes()
    assert container["ModelDataUrl"] == f"s3://{ARTIFACTS}/{key}"


def test_an_artifact_in_s3_is_registered_by_its_uri_and_may_wait(operator: Operator) -> None:
    operator.aws.objects["elsewhere", "m/model.tar.gz"] = operator.artifact().read_bytes()

    code, _, _ = operator.registry("register", "EWR", "--model-data", "s3://elsewhere/m/model.tar.gz", "--pending")

    assert code == 0
    assert statuses(operator) == {"Flights-EWR/1": "PendingManualApproval"}


def test_commands_in_messages_are_for_this_environment_and_not_for_this_machine(operator: Operator) -> None:
    models = "models: [{name: EWR, where: {s: EWR}}]\n"
    (operator.root / "c.yml").write_text(f"pipeline: {{name: Flights}}\ndata: {{label: y, id: id}}\n{models}")
    (operator.root / "c.prod.yml").write_text("{}\n")

    code, _, err = operator.registry("--env", "prod", "approve", "EWR")

    assert code == 2
    assert f"python -m pipelines.registry --config {operator.root}/c.yml --env prod register MODEL" in err


def test_without_a_deployment_it_says_how_to_make_one(operator: Operator) -> None:
    operator.aws.stacks.clear()

    code, out, err = operator.registry("list")

    assert (code, out) == (2, "")
    assert "python -m pipelines.deploy" in err
    assert "--local" in err


def test_what_the_caller_may_not_do_exits_with_2(operator: Operator) -> None:
    operator.aws.broken.add("ListModelPackageGroups")

    assert operator.registry("list")[0] == 2


def test_a_workspace_is_for_this_machine(operator: Operator) -> None:
    code, _, err = operator.registry("list", "--workspace", "ws")

    assert code == 2
    assert "add --local" in err
