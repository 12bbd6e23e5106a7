"""Images of repositories, and builds that make them."""

from __future__ import annotations

import pytest
from fake_aws import FakeAws

from pipelines.aws import builds, repositories
from pipelines.aws.cloud import Cloud
from pipelines.aws.watch import Watch
from pipelines.errors import AwsError

REPOSITORY = "flights-processing"


@pytest.fixture
def aws() -> FakeAws:
    found = FakeAws()
    found.images[REPOSITORY] = {}
    found.projects.add("flights-images")
    return found


@pytest.fixture
def cloud(aws: FakeAws) -> Cloud:
    clients = {service: aws.client(service) for service in ("ecr", "codebuild")}
    return Cloud("us-east-1", "123456789012", clients.__getitem__)


def test_images_are_listed_over_all_pages(aws: FakeAws, cloud: Cloud) -> None:
    digests = {aws.push_image(REPOSITORY, f"tag-{n}") for n in range(5)}

    assert {image.digest for image in repositories.list_images(cloud, REPOSITORY)} == digests
    assert repositories.list_images(cloud, "flights-other") == ()


def test_a_tag_is_added_once_and_taken_away_alone(aws: FakeAws, cloud: Cloud) -> None:
    digest = aws.push_image(REPOSITORY, "content")
    repositories.add_tag(cloud, REPOSITORY, digest, "used-1")
    repositories.add_tag(cloud, REPOSITORY, digest, "used-1")
    assert aws.images[REPOSITORY][digest] == {"content", "used-1"}

    repositories.remove_tag(cloud, REPOSITORY, "used-1")
    assert aws.images[REPOSITORY][digest] == {"content"}


def test_an_image_that_went_away_cannot_be_tagged(cloud: Cloud) -> None:
    with pytest.raises(AwsError, match="not there any more"):
        repositories.add_tag(cloud, REPOSITORY, f"sha256:{'0' * 64}", "used-1")


def test_a_build_is_waited_for_and_told_by_phases(aws: FakeAws, cloud: Cloud) -> None:
    said: list[str] = []
    variables = {"IMAGE": "processing", "REPOSITORY_URI": f"registry/{REPOSITORY}", "TAG": "t"}
    number = builds.start_build(cloud, "flights-images", "bucket/source/1.zip", variables)
    (build,) = builds.wait_builds(cloud, [number], Watch(said.append, lambda seconds: None))

    assert build.status == "SUCCEEDED"
    assert [line.rpartition(": ")[2] for line in said] == ["build", "completed"]
    assert [image.tags for image in repositories.list_images(cloud, REPOSITORY)] == [("t",)]


def test_a_project_that_is_not_there_is_named(cloud: Cloud) -> None:
    with pytest.raises(AwsError, match="project nothing cannot be started"):
        builds.start_build(cloud, "nothing", "bucket/key", {"A": "b"})
