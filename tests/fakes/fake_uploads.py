"""S3 buckets, and the versions of objects, as far as deploying uses them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fake_answers import FakeError
from fake_storage import FakeStorage


@dataclass
class FakeUploads(FakeStorage):
    """Buckets by name; the value tells whether the bucket sends its events to EventBridge."""

    buckets: dict[str, bool] = field(default_factory=dict)

    def _on_head_bucket(self, given: dict[str, Any]) -> dict[str, Any]:
        if given["Bucket"] not in self.buckets:
            raise FakeError("404", "Not Found", 404)
        return {}

    def _on_get_bucket_notification_configuration(self, given: dict[str, Any]) -> dict[str, Any]:
        self._on_head_bucket(given)
        return {"EventBridgeConfiguration": {}} if self.buckets[given["Bucket"]] else {}

    def _on_list_object_versions(self, given: dict[str, Any]) -> dict[str, Any]:
        """Answer by small pages; a version that a test set without putting it is called `null`."""
        found = self._versions_of(given["Bucket"], given.get("Prefix", ""))
        after = (given.get("KeyMarker", ""), given.get("VersionIdMarker", ""))
        left = [place for place in found if place > after]
        page = left[: min(self.page, given.get("MaxKeys", 1000))]
        more: dict[str, Any] = {"IsTruncated": len(page) < len(left)}
        if more["IsTruncated"]:
            more |= {"NextKeyMarker": page[-1][0], "NextVersionIdMarker": page[-1][1]}
        return {"Versions": [{"Key": key, "VersionId": version} for key, version in page], **more}

    def _versions_of(self, bucket: str, prefix: str) -> list[tuple[str, str]]:
        kept = {(key, version) for b, key, version in self.versions if b == bucket}
        plain = {(key, self.version_of(b, key)) for b, key in self.objects if b == bucket}
        return sorted(place for place in kept | plain if place[0].startswith(prefix))

    def _on_delete_objects(self, given: dict[str, Any]) -> dict[str, Any]:
        bucket = given["Bucket"]
        for item in given["Delete"]["Objects"]:
            key, version = item["Key"], item["VersionId"]
            if (bucket, key) in self.objects and self.version_of(bucket, key) == version:
                del self.objects[bucket, key]
            self.versions.pop((bucket, key, version), None)
        return {}

    def _on_delete_bucket(self, given: dict[str, Any]) -> None:
        self._on_head_bucket(given)
        if self._versions_of(given["Bucket"], ""):
            raise FakeError("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
        del self.buckets[given["Bucket"]]
