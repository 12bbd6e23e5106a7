from __future__ import annotations

from typing import Any

import pytest
from lambda_cases import BASE, RUN, Desk

from lambda_trigger import judge, register
from lambda_trigger.ports import RegistryError

AUTO = {"keep": 2, "approval": "auto"}


def run(desk: Desk, names: list[str], execution: str = "run-1", threshold: float = 20.0) -> int:
    """Judge and register the models."""
    judge.handler(desk.event(names, Threshold=threshold, Output=f"{RUN}/judge"), desk.context)
    more: dict[str, Any] = {
        "Verdicts": f"{RUN}/judge/verdicts.json",
        "Registry": f"{BASE}/registry",
        "Image": "image:now",
        "TrainDataVersion": "v1",
        "Execution": execution,
    }
    return int(register.handler(desk.event(names, **more), desk.context)["Registered"])


def packages(desk: Desk, slug: str) -> list[Any]:
    return list(desk.ports.registry.packages(f"flights-{slug}"))


def test_every_trained_model_is_registered_pending_with_its_figures_as_text(desk: Desk) -> None:
    desk.configure(names=["EWR", "JFK"])
    desk.train("EWR", mae=31.5)
    desk.train("JFK", mae=10.0)

    assert run(desk, ["EWR", "JFK"]) == 2

    (package,) = packages(desk, "EWR")
    assert (package.status, package.version, package.image_uri) == ("PendingManualApproval", 1, "image:now")
    expected = {
        "model": "EWR",
        "mae": "31.5",
        "baseline_mae": "30.0",
        "autogluon_version": "1.6.3",
        "python_version": "3.11.9",
        "data_version": "v1",
        "execution": "run-1",
        "accepted": "false",
        "auto_approved": "false",
    }
    assert expected.items() <= package.metadata.items()
    assert package.sha256 == package.metadata["sha256"]


@pytest.mark.parametrize("sha256", ["../../../../x", "a/b", "..", "a\nb", "", "e" * 200])
def test_a_digest_that_would_lead_elsewhere_registers_nothing(desk: Desk, sha256: str) -> None:
    desk.configure(names=["EWR"])
    desk.train("EWR", sha256=sha256)

    with pytest.raises(RegistryError, match="without the sha256 of its artifact"):
        run(desk, ["EWR"])

    assert packages(desk, "EWR") == []


def test_the_artifact_is_copied_to_the_registry_under_its_sha256(desk: Desk) -> None:
    desk.configure(names=["EWR"])
    desk.train("EWR", sha256="e" * 64)

    run(desk, ["EWR"])

    (package,) = packages(desk, "EWR")
    assert package.artifact_uri == f"{BASE}/registry/EWR/{'e' * 64}/model.tar.gz"
    assert desk.ports.objects.read_text(package.artifact_uri) == "artifact of EWR"
    assert desk.ports.objects.exists(f"{BASE}/registry/EWR/{'e' * 64}/evaluation.json")
    assert desk.read(f"{BASE}/registry/EWR/{'e' * 64}/schema.json") == {"columns": []}


def test_registering_again_in_the_same_or_a_later_execution_makes_nothing_new(desk: Desk) -> None:
    desk.configure(names=["EWR"])
    desk.train("EWR")

    assert [run(desk, ["EWR"]), run(desk, ["EWR"]), run(desk, ["EWR"], "run-2")] == [1, 0, 0]
    assert len(packages(desk, "EWR")) == 1


def test_untrained_models_are_not_registered_but_get_their_group_with_their_name(desk: Desk) -> None:
    desk.configure(names=["C (all)"])
    slug = desk.ports and next(iter(desk.read(f"{BASE}/settings/lambda/settings.json")["models"]))["slug"]
    desk.train(slug, mae=1e12, status="failed", reason="too few rows", artifact=None)

    assert run(desk, [slug]) == 0
    assert [group.model for group in desk.ports.registry.groups("flights")] == ["C (all)"]


def test_automatic_approval_approves_what_passed_the_gate_and_nothing_else(desk: Desk) -> None:
    desk.configure(names=["EWR", "JFK"], registry=AUTO)
    desk.train("EWR", mae=31.0)
    desk.train("JFK", mae=10.0)

    run(desk, ["EWR", "JFK"])

    assert [packages(desk, slug)[0].status for slug in ("EWR", "JFK")] == ["PendingManualApproval", "Approved"]
    assert packages(desk, "JFK")[0].metadata["auto_approved"] == "true"


def test_automatic_approval_reaches_a_pending_version_that_passes_a_later_gate(desk: Desk) -> None:
    desk.configure(names=["EWR"], registry=AUTO)
    desk.train("EWR", mae=25.0)
    run(desk, ["EWR"], "run-1", threshold=20.0)

    run(desk, ["EWR"], "run-2", threshold=28.0)

    (package,) = packages(desk, "EWR")
    assert (package.status, package.metadata["auto_approved"]) == ("Approved", "true")
    assert package.metadata["execution"] == "run-2"


def test_automatic_approval_never_overrules_a_person(desk: Desk) -> None:
    desk.configure(names=["EWR"], registry=AUTO)
    desk.train("EWR", mae=25.0)
    run(desk, ["EWR"], threshold=20.0)
    desk.ports.registry.set_status(packages(desk, "EWR")[0], "Rejected", {})

    run(desk, ["EWR"], "run-2", threshold=28.0)

    assert packages(desk, "EWR")[0].status == "Rejected"


def test_old_unapproved_versions_beyond_keep_are_deleted_but_never_approved_ones(desk: Desk) -> None:
    desk.configure(names=["EWR"])
    desk.default("EWR")
    for number in range(4):
        desk.train("EWR", sha256=str(number) * 64)
        run(desk, ["EWR"], f"run-{number}")

    kept = [(package.version, package.status) for package in packages(desk, "EWR")]

    assert kept == [(5, "PendingManualApproval"), (4, "PendingManualApproval"), (1, "Approved")]


def stored(desk: Desk, sha256: str, name: str = "model.tar.gz") -> bool:
    return desk.ports.objects.exists(f"{BASE}/registry/EWR/{sha256}/{name}")


def test_the_artifact_of_a_deleted_version_goes_with_it_and_no_other(desk: Desk) -> None:
    desk.configure(names=["EWR"])
    digests = [str(number) * 64 for number in range(4)]
    for number, digest in enumerate(digests):
        desk.train("EWR", sha256=digest)
        run(desk, ["EWR"], f"run-{number}")

    assert [stored(desk, digest) for digest in digests] == [False, False, True, True]
    for name in ("evaluation.json", "schema.json"):
        assert [stored(desk, digest, name) for digest in digests] == [False, False, True, True]


def test_an_artifact_that_another_version_has_too_is_kept(desk: Desk) -> None:
    desk.configure(names=["EWR"])
    shared = {"sha256": "0" * 64}
    artifact = f"{BASE}/registry/EWR/{'0' * 64}/model.tar.gz"
    desk.write(artifact, "shared")
    desk.default("EWR", "Approved", shared, artifact)
    desk.default("EWR", "Rejected", shared, artifact)
    for number in range(1, 3):
        desk.train("EWR", sha256=str(number) * 64)
        run(desk, ["EWR"], f"run-{number}")

    assert [package.version for package in packages(desk, "EWR")] == [4, 3, 1]
    assert stored(desk, "0" * 64)


def test_an_artifact_that_lies_elsewhere_is_not_ours_to_delete(desk: Desk) -> None:
    desk.configure(names=["EWR"])
    elsewhere = desk.write(f"{BASE}/somewhere/model.tar.gz", "theirs")
    desk.default("EWR", "Rejected", {"sha256": "0" * 64}, elsewhere)
    for number in range(1, 3):
        desk.train("EWR", sha256=str(number) * 64)
        run(desk, ["EWR"], f"run-{number}")

    assert [package.version for package in packages(desk, "EWR")] == [3, 2]
    assert desk.ports.objects.exists(elsewhere)


def test_long_values_are_cut_to_what_the_registry_takes() -> None:
    assert register.as_metadata({"model": "x" * 300, "mae": None, "empty": ""}) == {"model": "x" * 256}


def test_a_trained_model_without_a_recorded_sha256_is_refused(desk: Desk) -> None:
    desk.configure(names=["EWR"])
    desk.train("EWR", artifact=None)

    with pytest.raises(RegistryError, match="without the sha256"):
        run(desk, ["EWR"])
