"""Objects and buckets of S3, over pages and versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_answers import FakeError
from fake_aws import FakeAws

from pipelines.aws import objects
from pipelines.aws.cloud import Cloud
from pipelines.errors import AwsError


@pytest.fixture
def aws() -> FakeAws:
    found = FakeAws()
    found.objects |= {("data", f"in/{n}.csv"): b"x" * n for n in range(5)}
    found.buckets["data"] = True
    return found


@pytest.fixture
def cloud(aws: FakeAws) -> Cloud:
    client = aws.client("s3")
    return Cloud("us-east-1", "123456789012", lambda service: client)


def test_a_listing_reads_every_page(cloud: Cloud) -> None:
    found = objects.list_objects(cloud, "data", "in/")

    assert [(item.key, item.size) for item in found] == [(f"in/{n}.csv", n) for n in range(5)]
    assert '"' not in found[0].etag


def test_a_listing_stops_at_its_limit(cloud: Cloud) -> None:
    with pytest.raises(AwsError, match="more than max_objects: 4"):
        objects.list_objects(cloud, "data", "in/", 4)


def test_only_what_is_missing_is_put(aws: FakeAws, cloud: Cloud) -> None:
    assert objects.put_missing(cloud, "data", {"in/0.csv": b"other", "new/a": b"1"}) == 1

    assert aws.objects["data", "in/0.csv"] == b""
    assert aws.objects["data", "new/a"] == b"1"
    assert objects.missing_keys(cloud, "data", ["in/1.csv", "in/9.csv", "new/a"]) == ("in/9.csv",)


def test_a_prefix_is_fetched_as_a_folder(cloud: Cloud, tmp_path: Path) -> None:
    found = objects.download_prefix(cloud, "data", "in/", tmp_path / "out")

    assert [path.name for path in found] == [f"{n}.csv" for n in range(5)]
    assert (tmp_path / "out" / "4.csv").read_bytes() == b"xxxx"


def test_a_key_that_would_leave_the_folder_is_refused(aws: FakeAws, cloud: Cloud, tmp_path: Path) -> None:
    aws.objects["data", "in/../../evil"] = b""

    with pytest.raises(AwsError, match="would be written outside"):
        objects.download_prefix(cloud, "data", "in/", tmp_path)


def test_an_object_is_read_or_missing(cloud: Cloud) -> None:
    assert objects.read_object(cloud, "data", "in/2.csv") == b"xx"
    assert objects.read_object(cloud, "data", "in/9.csv") is None
    assert objects.object_exists(cloud, "data", "in/2.csv")
    assert not objects.object_exists(cloud, "data", "in/9.csv")


def test_purging_removes_every_version_and_then_the_bucket_can_go(aws: FakeAws, cloud: Cloud) -> None:
    objects.put_missing(cloud, "data", {"in/a": b"1", "in/b": b"2"})
    assert objects.purge(cloud, "data", "in/") == 7

    assert objects.is_empty(cloud, "data")
    objects.delete_bucket(cloud, "data")
    assert not objects.bucket_exists(cloud, "data")


def test_a_bucket_says_whether_it_sends_events(aws: FakeAws, cloud: Cloud) -> None:
    aws.buckets["quiet"] = False

    assert objects.sends_events(cloud, "data")
    assert not objects.sends_events(cloud, "quiet")


class Busy(FakeAws):
    """An account in which somebody removes the same key just now."""

    conflicts: int = 1

    def _on_put_object(self, given: dict[str, object]) -> dict[str, object]:
        if self.conflicts:
            self.conflicts -= 1
            raise FakeError("ConditionalRequestConflict", "try again", 409)
        return super()._on_put_object(given)


@pytest.mark.parametrize(("conflicts", "there"), [(1, True), (9, False)])
def test_a_put_that_meets_another_is_tried_again_and_never_taken_for_done(conflicts: int, there: bool) -> None:
    aws = Busy()
    aws.conflicts = conflicts
    client = aws.client("s3")
    cloud = Cloud("us-east-1", "123456789012", lambda service: client)

    if there:
        assert objects.put_missing(cloud, "data", {"a": b"1"}) == 1
    else:
        with pytest.raises(AwsError, match="try again"):
            objects.put_missing(cloud, "data", {"a": b"1"})
    assert (("data", "a") in aws.objects) is there
