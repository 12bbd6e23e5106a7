"""What every adapter of a port does alike: folders on one machine, boto3 on AWS."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

import pytest
from fake_aws import FakeAws
from lambda_cases import Desk

from lambda_trigger.aws import S3Objects
from lambda_trigger.aws_registry import SageMakerRegistry
from lambda_trigger.ports import (
    APPROVED,
    PENDING,
    REJECTED,
    ModelGroup,
    ModelRegistry,
    NewPackage,
    ObjectStore,
    Status,
    StoreError,
)

EWR = ModelGroup("flights-EWR", "flights", "EWR")
TEXT = "s3://local/a folder/東京.json"


@pytest.fixture(params=["folders", "aws"])
def objects(request: pytest.FixtureRequest, desk: Desk) -> ObjectStore:
    return desk.ports.objects if request.param == "folders" else S3Objects(FakeAws().client("s3"))


@pytest.fixture(params=["folders", "aws"])
def registry(request: pytest.FixtureRequest, desk: Desk) -> ModelRegistry:
    if request.param == "folders":
        return desk.ports.registry
    return SageMakerRegistry(FakeAws().client("sagemaker"))


def package(number: int, status: Status = PENDING, **metadata: str) -> NewPackage:
    return NewPackage(
        group=EWR.name,
        status=status,
        artifact_uri=f"s3://local/flights/registry/EWR/{number}/model.tar.gz",
        image_uri="image:1",
        token=f"{number:064d}",
        metadata={"sha256": f"{number:064x}", "mae": "12.5", **metadata},
        evaluation_uri="s3://local/evaluation.json",
    )


def test_what_is_written_is_read_back(objects: ObjectStore) -> None:
    objects.write_text(TEXT, "first")
    objects.write_text(TEXT, "ありがとう")

    assert objects.read_text(TEXT) == "ありがとう"
    assert objects.exists(TEXT)


def test_a_missing_object_is_none_or_an_error_that_names_it(objects: ObjectStore) -> None:
    assert objects.read_tagged(TEXT) is None
    assert not objects.exists(TEXT)
    with pytest.raises(StoreError, match=r"東京[.]json: no such object"):
        objects.read_text(TEXT)


def test_a_conditional_put_writes_only_what_is_unchanged(objects: ObjectStore) -> None:
    assert objects.replace(TEXT, "1", None)
    assert not objects.replace(TEXT, "2", None)
    found = objects.read_tagged(TEXT)
    assert found is not None
    assert objects.replace(TEXT, "3", found.etag)
    assert not objects.replace(TEXT, "4", found.etag)
    assert objects.read_text(TEXT) == "3"


def test_a_conditional_put_on_an_object_that_has_gone_does_not_write(objects: ObjectStore) -> None:
    objects.write_text(TEXT, "1")
    found = objects.read_tagged(TEXT)
    assert found is not None

    assert not objects.replace("s3://local/other.json", "2", found.etag)


def test_the_start_of_an_object_is_read_and_no_more(objects: ObjectStore) -> None:
    objects.write_text(TEXT, "0123456789")

    assert objects.read_start(TEXT, 4) == b"0123"
    assert objects.read_start(TEXT, 100) == b"0123456789"
    assert objects.read_start("s3://local/none", 4) is None


def test_a_folders_files_are_listed_whole_by_key_below_it(objects: ObjectStore) -> None:
    for name in ("day/c.csv", "day/a b/東京.csv", "day/b.csv", "day2/d.csv", "e.csv"):
        objects.write_text(f"s3://local/{name}", name)

    found = list(objects.files("s3://local/day/"))

    assert [(file.key, file.size) for file in found] == [("a b/東京.csv", 18), ("b.csv", 9), ("c.csv", 9)]
    assert len({file.etag for file in found}) == 3
    assert not any('"' in file.etag for file in found)


def test_a_folder_that_is_not_there_has_no_files(objects: ObjectStore) -> None:
    assert list(objects.files("s3://local/none/")) == []


def test_a_copy_has_the_same_bytes(objects: ObjectStore) -> None:
    objects.write_text(TEXT, "x")
    objects.copy(TEXT, "s3://local/registry/copy.json")

    assert objects.read_text("s3://local/registry/copy.json") == "x"


def test_copying_what_is_not_there_is_an_error(objects: ObjectStore) -> None:
    with pytest.raises(StoreError):
        objects.copy(TEXT, "s3://local/copy.json")


def test_a_deleted_object_is_gone_and_deleting_it_again_is_no_error(objects: ObjectStore) -> None:
    objects.write_text(TEXT, "x")
    objects.write_text(f"{TEXT}.other", "y")
    objects.delete(TEXT)
    objects.delete(TEXT)

    assert not objects.exists(TEXT)
    assert objects.exists(f"{TEXT}.other")


def test_files_go_up_and_come_down_whole(objects: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(b"\x00\xff" * 1000)
    objects.upload(tmp_path / "up", "s3://local/model.tar.gz")
    objects.download("s3://local/model.tar.gz", tmp_path / "down")

    assert (tmp_path / "down").read_bytes() == b"\x00\xff" * 1000


def test_downloading_what_is_not_there_is_an_error(objects: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        objects.download("s3://local/none", tmp_path / "down")


def test_a_group_is_made_once_and_keeps_the_models_name(registry: ModelRegistry) -> None:
    group = ModelGroup("flights-C-all-1a2b3c4d", "flights", "C (all)、東京")
    for _ in range(2):
        registry.ensure_group(group)

    assert registry.groups("flights") == (group,)


def test_groups_of_another_pipeline_with_a_similar_name_are_left_out(registry: ModelRegistry) -> None:
    registry.ensure_group(EWR)
    registry.ensure_group(ModelGroup("flights-2-EWR", "flights-2", "EWR"))

    assert registry.groups("flights") == (EWR,)


def test_a_group_that_does_not_exist_has_no_packages(registry: ModelRegistry) -> None:
    assert list(registry.packages("flights-none")) == []


def test_a_package_is_read_back_as_it_was_registered(registry: ModelRegistry) -> None:
    registry.ensure_group(EWR)
    registry.register(package(7, APPROVED, model='C (all) "x" 100% = 東京'))

    (found,) = registry.packages(EWR.name)

    assert (found.group, found.version, found.status) == (EWR.name, 1, APPROVED)
    assert found.artifact_uri == "s3://local/flights/registry/EWR/7/model.tar.gz"
    assert (found.image_uri, found.sha256) == ("image:1", f"{7:064x}")
    assert found.metadata["model"] == 'C (all) "x" 100% = 東京'
    assert found.metadata["token"] == f"{7:064d}"
    assert found.created.tzinfo is UTC
    assert found.arn.endswith("flights-EWR/1")


def test_packages_come_newest_first_and_by_status(registry: ModelRegistry) -> None:
    registry.ensure_group(EWR)
    statuses: list[Status] = [APPROVED, PENDING, APPROVED, REJECTED, PENDING]
    for number, status in enumerate(statuses):
        registry.register(package(number, status))

    assert [found.version for found in registry.packages(EWR.name)] == [5, 4, 3, 2, 1]
    assert [found.version for found in registry.packages(EWR.name, APPROVED)] == [3, 1]


def test_the_same_token_registers_once(registry: ModelRegistry) -> None:
    registry.ensure_group(EWR)

    made = [registry.register(package(1)).version for _ in range(2)]

    assert made == [1, 1]
    assert len(list(registry.packages(EWR.name))) == 1


def test_setting_a_status_changes_that_version_and_the_given_metadata_only(registry: ModelRegistry) -> None:
    registry.ensure_group(EWR)
    first, second = registry.register(package(1, auto_approved="true")), registry.register(package(2))

    registry.set_status(first, APPROVED, {"auto_approved": "false"})
    registry.set_status(second, REJECTED, {})

    found = {each.version: each for each in registry.packages(EWR.name)}
    assert (found[1].status, found[2].status) == (APPROVED, REJECTED)
    assert (found[1].metadata["auto_approved"], found[1].metadata["mae"]) == ("false", "12.5")


def test_a_deleted_version_is_gone_and_its_number_is_not_used_again(registry: ModelRegistry) -> None:
    registry.ensure_group(EWR)
    made = registry.register(package(1))
    registry.delete(made)
    registry.delete(made)

    assert list(registry.packages(EWR.name)) == []
    assert registry.register(package(2)).version == 2


def test_the_newest_package_costs_one_description_however_many_there_are() -> None:
    aws = FakeAws()
    registry = SageMakerRegistry(aws.client("sagemaker"))
    registry.ensure_group(EWR)
    for number in range(5):
        registry.register(package(number))
    aws.requests.clear()

    next(registry.packages(EWR.name))

    assert [name for name, _ in aws.calls] == ["ListModelPackages", "DescribeModelPackage"]
