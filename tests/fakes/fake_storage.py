"""S3 as far as the project uses it."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from botocore.response import StreamingBody
from fake_answers import FakeError, Paged


@dataclass
class FakeStorage(Paged):
    """Objects by bucket and key; what was put is kept by bucket, key and version as well.

    An object that a test sets in `objects` itself has the version `null`, as before versioning was turned on.
    """

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    versions: dict[tuple[str, str, str], bytes] = field(default_factory=dict)

    def version_of(self, bucket: str, key: str) -> str:
        """Return the version of an object as it is now."""
        content = self.objects[bucket, key]
        known = [v for (b, k, v), kept in self.versions.items() if (b, k) == (bucket, key) and kept is content]
        return known[-1] if known else "null"

    def _on_get_object(self, given: dict[str, Any]) -> dict[str, Any]:
        content, version = self._object(given, "NoSuchKey")
        body = StreamingBody(io.BytesIO(content), len(content))
        return {"Body": body, "ETag": _etag(content), "ContentLength": len(content), "VersionId": version}

    def _on_head_object(self, given: dict[str, Any]) -> dict[str, Any]:
        content, version = self._object(given, "404")
        return {"ContentLength": len(content), "ETag": _etag(content), "VersionId": version}

    def _on_list_objects_v2(self, given: dict[str, Any]) -> dict[str, Any]:
        """Answer by small pages, in the order of the keys' bytes."""
        prefix, after = given.get("Prefix", ""), given.get("ContinuationToken", given.get("StartAfter", ""))
        keys = sorted((k for b, k in self.objects if b == given["Bucket"] and k.startswith(prefix)), key=str.encode)
        left = [key for key in keys if key.encode() > after.encode()]
        page = left[: min(self.page, given.get("MaxKeys", 1000))]
        more = {"NextContinuationToken": page[-1]} if len(page) < len(left) else {}
        contents = [self._summary(given["Bucket"], key) for key in page]
        return {
            "Name": given["Bucket"],
            "Prefix": prefix,
            "KeyCount": len(page),
            "IsTruncated": bool(more),
            **({"Contents": contents} if contents else {}),
            **more,
        }

    def _summary(self, bucket: str, key: str) -> dict[str, Any]:
        content = self.objects[bucket, key]
        moment = datetime(2026, 11, 22, tzinfo=UTC)
        return {"Key": key, "ETag": _etag(content), "Size": len(content), "LastModified": moment}

    def _on_put_object(self, given: dict[str, Any]) -> dict[str, Any]:
        place, body = (given["Bucket"], given["Key"]), given["Body"]
        known = self.objects.get(place)
        if "IfNoneMatch" in given and known is not None:
            raise FakeError("PreconditionFailed", "At least one of the pre-conditions did not hold", 412)
        if "IfMatch" in given:
            if known is None:
                raise FakeError("NoSuchKey", "The specified key does not exist.", 404)
            if _etag(known) != given["IfMatch"]:
                raise FakeError("PreconditionFailed", "At least one of the pre-conditions did not hold", 412)
        content = bytes(
            bytearray(body if isinstance(body, bytes) else body.read())
        )  # an object of its own, to be known
        self.objects[place] = content
        version = f"version-{len(self.versions) + 1}"
        self.versions[(*place, version)] = content
        return {"ETag": _etag(content), "VersionId": version}

    def _on_copy_object(self, given: dict[str, Any]) -> dict[str, Any]:
        self.objects[given["Bucket"], given["Key"]] = self._object(given["CopySource"], "NoSuchKey")[0]
        return {}

    def _on_delete_object(self, given: dict[str, Any]) -> None:
        self.objects.pop((given["Bucket"], given["Key"]), None)

    def _object(self, given: dict[str, Any], code: str) -> tuple[bytes, str]:
        """Return an object's bytes and version: the one that was asked for, else the present one."""
        bucket, key, version = given["Bucket"], given["Key"], given.get("VersionId")
        if version and (bucket, key, version) in self.versions:
            return self.versions[bucket, key, version], version
        if (bucket, key) not in self.objects or (version and version != self.version_of(bucket, key)):
            missing = "NoSuchVersion" if version and code == "NoSuchKey" else code
            raise FakeError(missing, "The specified key does not exist.", 404)
        return self.objects[bucket, key], self.version_of(bucket, key)


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
