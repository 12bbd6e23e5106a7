"""ECR as far as the project uses it: repositories with immutable tags."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from fake_answers import NUMBER, REGION, FakeError, Paged

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass
class FakeRepositories(Paged):
    """Tags by digest, by repository; a digest is that of the image's manifest."""

    images: dict[str, dict[str, set[str]]] = field(default_factory=dict)

    def push_image(self, repository: str, tag: str) -> str:
        """Push an image whose content is its tag; return the digest."""
        digest = f"sha256:{hashlib.sha256(_manifest(repository, tag).encode()).hexdigest()}"
        self.images.setdefault(repository, {}).setdefault(digest, set()).add(tag)
        return digest

    def _on_describe_images(self, given: dict[str, Any]) -> dict[str, Any]:
        found = [{"imageDigest": d, "imageTags": sorted(t)} for d, t in self._repository(given).items()]
        page = self.paged({"NextToken": given.get("nextToken", 0)}, "imageDetails", found)
        return {
            "imageDetails": page["imageDetails"],
            **({"nextToken": page["NextToken"]} if "NextToken" in page else {}),
        }

    def _on_describe_repositories(self, given: dict[str, Any]) -> dict[str, Any]:
        for name in given["repositoryNames"]:
            self._repository({"repositoryName": name})
        return {"repositories": [{"repositoryName": name} for name in given["repositoryNames"]]}

    def _on_delete_repository(self, given: dict[str, Any]) -> dict[str, Any]:
        if self._repository(given) and not given.get("force"):
            raise FakeError("RepositoryNotEmptyException", "the repository holds images")
        del self.images[given["repositoryName"]]
        return {}

    def _on_batch_get_image(self, given: dict[str, Any]) -> dict[str, Any]:
        wanted = [item["imageDigest"] for item in given["imageIds"]]
        found = [digest for digest in wanted if digest in self._repository(given)]
        media = {"imageManifestMediaType": MANIFEST_TYPE}
        return {"images": [{"imageId": {"imageDigest": d}, "imageManifest": "{}", **media} for d in found]}

    def _on_put_image(self, given: dict[str, Any]) -> dict[str, Any]:
        tag, digest = given["imageTag"], given["imageDigest"]
        for other, tags in self._repository(given).items():
            if tag in tags:
                code = "ImageAlreadyExistsException" if other == digest else "ImageTagAlreadyExistsException"
                raise FakeError(code, f"tag {tag} is there already")
        self._repository(given)[digest].add(tag)
        return {"image": {"registryId": NUMBER}}

    def _on_batch_delete_image(self, given: dict[str, Any]) -> dict[str, Any]:
        """Take tags away, and images by digest; an image without a tag left goes with its last tag."""
        images = self._repository(given)
        for item in given["imageIds"]:
            if "imageDigest" in item:
                images.pop(item["imageDigest"], None)
            for tags in images.values():
                tags.discard(item.get("imageTag", ""))
        for digest in [digest for digest, tags in images.items() if not tags]:
            del images[digest]
        return {"imageIds": given["imageIds"]}

    def _repository(self, given: dict[str, Any]) -> dict[str, set[str]]:
        if given["repositoryName"] not in self.images:
            raise FakeError("RepositoryNotFoundException", f"The repository {given['repositoryName']} does not exist")
        return self.images[given["repositoryName"]]


def _manifest(repository: str, tag: str) -> str:
    return f"{NUMBER}.{REGION}/{repository}:{tag}"
