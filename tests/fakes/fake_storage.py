"""S3 as far as the project uses it."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from typing import Any

from botocore.response import StreamingBody
from fake_answers import FakeError


@dataclass
class FakeStorage:
    """Objects by bucket and key."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def _on_get_object(self, given: dict[str, Any]) -> dict[str, Any]:
        content = self._object(given, "NoSuchKey")
        body = StreamingBody(io.BytesIO(content), len(content))
        return {"Body": body, "ETag": _etag(content), "ContentLength": len(content)}

    def _on_head_object(self, given: dict[str, Any]) -> dict[str, Any]:
        content = self._object(given, "404")
        return {"ContentLength": len(content), "ETag": _etag(content)}

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
        self.objects[place] = body if isinstance(body, bytes) else body.read()
        return {"ETag": _etag(self.objects[place])}

    def _on_copy_object(self, given: dict[str, Any]) -> dict[str, Any]:
        source = given["CopySource"]
        self.objects[given["Bucket"], given["Key"]] = self._object(source, "NoSuchKey")
        return {}

    def _on_delete_object(self, given: dict[str, Any]) -> None:
        self.objects.pop((given["Bucket"], given["Key"]), None)

    def _object(self, given: dict[str, Any], code: str) -> bytes:
        if (given["Bucket"], given["Key"]) not in self.objects:
            raise FakeError(code, "The specified key does not exist.", 404)
        return self.objects[given["Bucket"], given["Key"]]


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
