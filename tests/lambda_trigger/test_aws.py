from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from fake_answers import FakeError
from fake_aws import FakeAws
from hypothesis import given
from hypothesis import strategies as st
from request_shapes import violations

from lambda_trigger.aws import S3Objects, SnsNotifier, _client, ports_from, split_uri
from lambda_trigger.aws_registry import SageMakerRegistry, decode_metadata, encode_metadata, parse_package
from lambda_trigger.ports import (
    PENDING,
    ModelGroup,
    NewPackage,
    NotifyError,
    RegistryError,
    StoreError,
    ports_for,
)

TOPIC = "arn:aws:sns:us-east-1:123456789012:flights"
GROUP = ModelGroup("flights-EWR", "flights", "EWR")


def new_package(image: str = "image:1", **metadata: str) -> NewPackage:
    return NewPackage(GROUP.name, PENDING, "s3://b/k/model.tar.gz", image, "t" * 64, {"sha256": "ab", **metadata})


def test_a_request_that_the_service_would_refuse_is_refused_by_the_stand_in() -> None:
    aws = FakeAws()

    with pytest.raises(Exception, match="does not match"):
        aws.client("sagemaker").create_model_package_group(ModelPackageGroupName="C (all)")


def test_the_stand_in_knows_which_metadata_the_service_refuses() -> None:
    model = FakeAws().client("sagemaker").meta.service_model
    shape = model.operation_model("CreateModelPackage").input_shape

    assert list(violations(shape, {"CustomerMetadataProperties": {"model": "C (all)"}}))
    assert not list(violations(shape, {"CustomerMetadataProperties": {"model": "東京 =28"}}))


@given(st.dictionaries(st.sampled_from(["model", "mae"]), st.text(min_size=1, max_size=20)))
def test_metadata_survive_the_letters_that_the_service_allows(metadata: dict[str, str]) -> None:
    assert decode_metadata(encode_metadata(metadata)) == metadata


def test_metadata_are_cut_to_256_characters_but_not_inside_an_escape() -> None:
    found = encode_metadata({"model": "x" + "(" * 200})["model"]

    assert len(found) <= 256
    assert decode_metadata({"model": found})["model"] == "x" + "(" * 85


def test_a_package_without_an_image_is_registered_without_one() -> None:
    aws = FakeAws()
    registry = SageMakerRegistry(aws.client("sagemaker"))
    registry.ensure_group(GROUP)

    made = registry.register(new_package(image=""))

    assert made.image_uri == ""
    (call,) = [given for name, given in aws.calls if name == "CreateModelPackage"]
    assert call["InferenceSpecification"]["Containers"] == [{"ModelDataUrl": "s3://b/k/model.tar.gz"}]
    assert len(call["ClientToken"]) == 36


def test_an_evaluation_is_shown_as_the_packages_model_quality() -> None:
    aws = FakeAws()
    registry = SageMakerRegistry(aws.client("sagemaker"))
    registry.ensure_group(GROUP)
    uri = "s3://b/registry/EWR/ab/evaluation.json"

    registry.register(NewPackage(GROUP.name, PENDING, "s3://b/k", "i:1", "t", {"sha256": "ab"}, uri))

    quality = aws.packages[0]["ModelMetrics"]["ModelQuality"]["Statistics"]
    assert quality == {"ContentType": "application/json", "S3Uri": uri}


def described(container: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "ModelPackageGroupName": "flights-EWR",
        "ModelPackageVersion": 3,
        "ModelPackageArn": "arn:3",
        "CreationTime": datetime(2026, 11, 22, 9, tzinfo=timezone(timedelta(hours=9))),
        "ModelApprovalStatus": "Approved",
        "InferenceSpecification": {"Containers": [container]},
        **more,
    }


@pytest.mark.parametrize(
    "container",
    [
        {"ModelDataUrl": "s3://b/model.tar.gz"},
        {"ModelDataSource": {"S3DataSource": {"S3Uri": "s3://b/model.tar.gz"}}},
    ],
)
def test_an_artifact_is_found_by_url_or_by_data_source(container: dict[str, Any]) -> None:
    assert parse_package(described(container)).artifact_uri == "s3://b/model.tar.gz"


def test_creation_times_are_read_in_utc() -> None:
    assert parse_package(described({})).created == datetime(2026, 11, 22, tzinfo=UTC)


def test_a_group_that_somebody_else_makes_meanwhile_is_fine() -> None:
    class Racing(FakeAws):
        def _on_create_model_package_group(self, given: dict[str, Any]) -> dict[str, Any]:
            super()._on_create_model_package_group(given)
            raise FakeError("ValidationException", "Model Package Group already exists.")

    aws = Racing()

    SageMakerRegistry(aws.client("sagemaker")).ensure_group(GROUP)

    assert list(aws.groups) == ["flights-EWR"]


@pytest.mark.parametrize(
    "operation", ["DescribeModelPackageGroup", "ListModelPackages", "CreateModelPackage", "ListModelPackageGroups"]
)
def test_errors_of_the_registry_say_what_was_being_done(operation: str) -> None:
    aws = FakeAws()
    registry = SageMakerRegistry(aws.client("sagemaker"))
    registry.ensure_group(GROUP)
    aws.broken.add(operation)
    calls = {
        "DescribeModelPackageGroup": lambda: registry.ensure_group(GROUP),
        "ListModelPackages": lambda: list(registry.packages("flights-EWR")),
        "CreateModelPackage": lambda: registry.register(new_package()),
        "ListModelPackageGroups": lambda: registry.groups("flights"),
    }

    with pytest.raises(RegistryError, match=f"flights.*not authorized to perform {operation}"):
        calls[operation]()


def test_changes_that_the_registry_refuses_are_errors() -> None:
    aws = FakeAws()
    registry = SageMakerRegistry(aws.client("sagemaker"))
    registry.ensure_group(GROUP)
    made = registry.register(new_package())
    aws.broken |= {"UpdateModelPackage", "DeleteModelPackage"}

    with pytest.raises(RegistryError, match="cannot be set to Approved"):
        registry.set_status(made, "Approved", {})
    with pytest.raises(RegistryError, match="cannot be deleted"):
        registry.delete(made)


def test_a_version_of_an_object_is_read_as_it_was() -> None:
    aws = FakeAws()
    objects = S3Objects(aws.client("s3"))
    objects.write_text("s3://b/k", "first")
    first = aws.version_of("b", "k")
    objects.write_text("s3://b/k", "second")

    assert objects.read_start("s3://b/k", 10, first) == b"first"
    assert objects.read_start("s3://b/k", 10, aws.version_of("b", "k")) == b"second"
    assert objects.read_start("s3://b/k", 10, "version-9") is None


def test_a_transfer_that_fails_is_an_error_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    objects = S3Objects(FakeAws(broken={"PutObject", "ListObjectsV2"}).client("s3"))

    with pytest.raises(StoreError, match="s3://b/k: cannot be written"):
        objects.upload(tmp_path / "x", "s3://b/k")
    with pytest.raises(StoreError, match="s3://b/day/: cannot be listed"):
        list(objects.files("s3://b/day/"))


def test_errors_of_the_store_name_the_object() -> None:
    aws = FakeAws(broken={"GetObject", "PutObject", "HeadObject"})
    objects = S3Objects(aws.client("s3"))

    with pytest.raises(StoreError, match="s3://b/k: cannot be read"):
        objects.read_text("s3://b/k")
    with pytest.raises(StoreError, match="s3://b/k: cannot be written"):
        objects.replace("s3://b/k", "x", None)
    with pytest.raises(StoreError, match="s3://b/k: cannot be looked up"):
        objects.exists("s3://b/k")


@pytest.mark.parametrize("uri", ["", "/tmp/x", "s3://", "s3://bucket", "s3://bucket/", "https://b/k"])
def test_what_is_no_objects_uri_is_refused(uri: str) -> None:
    with pytest.raises(StoreError, match="expected s3://BUCKET/KEY"):
        split_uri(uri)


def test_a_message_is_published_within_the_limits_of_sns() -> None:
    aws = FakeAws()

    SnsNotifier(aws.client("sns"), TOPIC).publish("東京: " + "x" * 200, "東" * 200_000, {"kind": "started"})

    (message,) = aws.messages
    assert message["TopicArn"] == TOPIC
    assert len(message["Subject"]) < 100
    assert message["Subject"].isascii()
    assert len(message["Message"].encode()) <= 256 * 1024


def test_a_message_that_cannot_be_published_is_a_notify_error() -> None:
    aws = FakeAws(broken={"Publish"})

    with pytest.raises(NotifyError, match="not authorized"):
        SnsNotifier(aws.client("sns"), TOPIC).publish("s", "b", {"kind": "started"})
    with pytest.raises(NotifyError, match="TOPIC_ARN is not set"):
        SnsNotifier(aws.client("sns"), "").publish("s", "b", {"kind": "started"})


def test_a_context_without_ports_gets_those_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("COMMAND_FLAGS", "--env production")

    ports = ports_for(object())

    assert isinstance(ports.objects, S3Objects)
    assert ports.command("run", "--last") == "python -m pipelines.run --env production --last"
    assert ports.clock().tzinfo is UTC
    assert ports_from({}).flags == ""


def test_a_package_deleted_while_the_others_are_listed_hides_none_of_them() -> None:
    aws = FakeAws(page=10)
    port = SageMakerRegistry(aws.client("sagemaker"))
    port.ensure_group(ModelGroup("flights-EWR", "flights", "EWR"))
    for number in range(5):
        port.register(
            NewPackage("flights-EWR", "Approved", f"s3://b/{number}", "image", f"token {number}", {"sha256": "x"})
        )
    found = port.packages("flights-EWR")
    newest = next(found)
    del aws.packages[3], aws.packages[1]

    assert [newest.version, *(package.version for package in found)] == [5, 3, 1]


def test_clients_give_up_before_the_function_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that never answers must not use up the time in which the failure could be told."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for service in ("sns", "sagemaker"):
        config = _client(service).meta.config
        assert config.retries["total_max_attempts"] * (config.read_timeout + config.connect_timeout) < 120
