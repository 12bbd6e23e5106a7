"""S3 objects and buckets as the operator's commands use them: list, read, put what is missing, fetch, remove."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from pipelines.aws.cloud import Cloud, error_code, translated
from pipelines.errors import AwsError

_MISSING = frozenset({"404", "NoSuchKey", "NoSuchBucket", "NotFound"})
_THERE = frozenset({"PreconditionFailed", "412"})
_CONFLICT = frozenset({"ConditionalRequestConflict", "409"})
"""Somebody else writes or removes the same key right now; S3 asks to try again."""
_TRIES = 3
_PIECE = 1 << 20
"""Bytes of a download that are in memory at once."""
_AT_ONCE = 1000
"""Objects that one request removes."""


@dataclass(frozen=True)
class Listed:
    """An object of a listing; the etag without its quotes."""

    key: str
    size: int
    etag: str


def list_objects(cloud: Cloud, bucket: str, prefix: str, limit: int | None = None) -> tuple[Listed, ...]:
    """Return the objects whose keys begin with `prefix`, in the order of their keys.

    Raises:
        AwsError: there are more than `limit`, or the bucket cannot be read.
    """
    found: list[Listed] = []
    with translated(f"s3://{bucket}/{prefix} cannot be listed"):
        for page in cloud.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            found += [Listed(item["Key"], item["Size"], item["ETag"].strip('"')) for item in page.get("Contents", ())]
            if limit is not None and len(found) > limit:
                raise AwsError(
                    f"s3://{bucket}/{prefix} holds more than max_objects: {limit} objects; name a smaller folder or "
                    "raise max_objects"
                )
    return tuple(found)


def missing_keys(cloud: Cloud, bucket: str, keys: Sequence[str]) -> tuple[str, ...]:
    """Return those of the keys that a bucket does not hold: one listing per folder among them."""
    folders = sorted({key.rpartition("/")[0] + "/" for key in keys})
    tops = [f for f in folders if not any(f != other and f.startswith(other) for other in folders)]
    there = {item.key for folder in tops for item in list_objects(cloud, bucket, folder)}
    return tuple(key for key in keys if key not in there)


def object_exists(cloud: Cloud, bucket: str, key: str) -> bool:
    """Tell whether there is such an object."""
    with translated(f"s3://{bucket}/{key} cannot be looked up"):
        try:
            cloud.client("s3").head_object(Bucket=bucket, Key=key)
        except ClientError as error:
            if error_code(error) in _MISSING:
                return False
            raise
    return True


def read_object(cloud: Cloud, bucket: str, key: str) -> bytes | None:
    """Return an object's bytes, or None."""
    with translated(f"s3://{bucket}/{key} cannot be read"):
        try:
            body: bytes = cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error_code(error) in _MISSING:
                return None
            raise
    return body


def put_missing(cloud: Cloud, bucket: str, files: Mapping[str, bytes]) -> int:
    """Put each of the files (key to content) that is not there yet; return how many were put.

    The condition is S3's own, so that of two who put the same key the later one changes nothing.
    """
    return sum(_put_once(cloud, bucket, key, content) for key, content in sorted(files.items()))


def _put_once(cloud: Cloud, bucket: str, key: str, content: bytes) -> bool:
    with translated(f"s3://{bucket}/{key} cannot be written"):
        for tries_left in reversed(range(_TRIES)):
            try:
                cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=content, IfNoneMatch="*")
            except ClientError as error:
                if error_code(error) in _THERE:
                    return False
                if error_code(error) not in _CONFLICT or not tries_left:
                    raise
            else:
                break
    return True


def download_prefix(cloud: Cloud, bucket: str, prefix: str, folder: Path) -> tuple[Path, ...]:
    """Write every object below `prefix` into a folder, by its key's rest; return the files.

    Raises:
        AwsError: a key would leave the folder.
    """
    files = []
    for item in list_objects(cloud, bucket, prefix):
        name = item.key.removeprefix(prefix).lstrip("/")
        if not name or item.key.endswith("/"):
            continue
        if ".." in Path(name).parts:
            raise AwsError(f"s3://{bucket}/{item.key}: the key would be written outside {folder}; rename it")
        files.append(download_object(cloud, bucket, item.key, folder / name))
    return tuple(files)


def download_object(cloud: Cloud, bucket: str, key: str, target: Path, report: Callable[[int], object] = int) -> Path:
    """Stream an object into a file, which appears when it is whole; `report` gets the bytes of every piece."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with translated(f"s3://{bucket}/{key} cannot be read"), part.open("wb") as file:
        body = cloud.client("s3").get_object(Bucket=bucket, Key=key)["Body"]
        while piece := body.read(_PIECE):
            file.write(piece)
            report(len(piece))
    return part.replace(target)


def object_url(cloud: Cloud, bucket: str, key: str) -> str:
    """Return the address by which another service reads an object with its caller's rights."""
    return f"https://{bucket}.s3.{cloud.region}.amazonaws.com{'.cn' if cloud.partition == 'aws-cn' else ''}/{key}"


def bucket_exists(cloud: Cloud, bucket: str) -> bool:
    """Tell whether there is such a bucket that the caller may look at."""
    with translated(f"bucket {bucket} cannot be looked up"):
        try:
            cloud.client("s3").head_bucket(Bucket=bucket, ExpectedBucketOwner=cloud.account)
        except ClientError as error:
            if error_code(error) in _MISSING:
                return False
            raise
    return True


def sends_events(cloud: Cloud, bucket: str) -> bool:
    """Tell whether a bucket sends its events to EventBridge."""
    with translated(f"notifications of bucket {bucket} cannot be read"):
        found = cloud.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    return "EventBridgeConfiguration" in found


def is_empty(cloud: Cloud, bucket: str) -> bool:
    """Tell whether a bucket holds nothing, old versions included."""
    with translated(f"bucket {bucket} cannot be listed"):
        found = cloud.client("s3").list_object_versions(Bucket=bucket, MaxKeys=1)
    return not (found.get("Versions") or found.get("DeleteMarkers"))


def versioned_keys(cloud: Cloud, bucket: str) -> Iterator[str]:
    """Yield the key of every version in a bucket, those that were deleted included."""
    with translated(f"bucket {bucket} cannot be listed"):
        for page in cloud.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket):
            yield from (item["Key"] for item in _versions(page))


def purge(cloud: Cloud, bucket: str, prefix: str = "") -> int:
    """Remove every version of every object below `prefix`; return how many were removed."""
    client, removed = cloud.client("s3"), 0
    with translated(f"s3://{bucket}/{prefix} cannot be removed"):
        pages = client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix)
        for page in [list(_versions(page)) for page in pages]:  # read all first: pages of a shrinking list skip
            for first in range(0, len(page), _AT_ONCE):
                part = page[first : first + _AT_ONCE]
                answer = client.delete_objects(Bucket=bucket, Delete={"Objects": part, "Quiet": True})
                _check_removed(bucket, answer)
                removed += len(part)
    return removed


def _versions(page: Mapping[str, Any]) -> list[dict[str, str]]:
    found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    return [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]


def _check_removed(bucket: str, answer: Mapping[str, Any]) -> None:
    errors = answer.get("Errors", ())
    if errors:
        first = errors[0]
        raise AwsError(
            f"s3://{bucket}/{first.get('Key', '')} cannot be removed: {first.get('Message', first.get('Code', ''))}"
        )


def delete_bucket(cloud: Cloud, bucket: str) -> None:
    """Remove an empty bucket."""
    with translated(f"bucket {bucket} cannot be removed"):
        cloud.client("s3").delete_bucket(Bucket=bucket)
