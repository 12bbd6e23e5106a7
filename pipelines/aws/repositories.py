"""ECR repositories: which images they hold, and the `used-*` tags that spare an image from expiry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from pipelines.aws.cloud import Cloud, error_code, translated
from pipelines.errors import AwsError

_THERE = frozenset({"ImageAlreadyExistsException", "ImageTagAlreadyExistsException"})
_GONE = frozenset({"RepositoryNotFoundException"})


@dataclass(frozen=True)
class Image:
    """An image of a repository: its digest (`sha256:...`) and its tags."""

    digest: str
    tags: tuple[str, ...]


def repository_name(uri: str) -> str:
    """Return the repository of an ECR URI without tag."""
    return uri.partition("/")[2]


def list_images(cloud: Cloud, repository: str) -> tuple[Image, ...]:
    """Return the images of a repository; none if there is no such repository."""
    client = cloud.client("ecr")
    with translated(f"images of {repository} cannot be listed"):
        try:
            pages = client.get_paginator("describe_images").paginate(repositoryName=repository)
            found = [item for page in pages for item in page["imageDetails"]]
        except ClientError as error:
            if error_code(error) in _GONE:
                return ()
            raise
    return tuple(Image(item["imageDigest"], tuple(sorted(item.get("imageTags", ())))) for item in found)


def add_tag(cloud: Cloud, repository: str, digest: str, tag: str) -> None:
    """Give an image one more tag."""
    client = cloud.client("ecr")
    with translated(f"image {repository}@{digest} cannot be tagged {tag}"):
        found = client.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])["images"]
        if not found:
            raise AwsError(f"image {repository}@{digest} is not there any more; deploy again to build it")
        manifest: dict[str, Any] = {"imageManifest": found[0]["imageManifest"], "imageDigest": digest}
        if "imageManifestMediaType" in found[0]:
            manifest["imageManifestMediaType"] = found[0]["imageManifestMediaType"]
        try:
            client.put_image(repositoryName=repository, imageTag=tag, **manifest)
        except ClientError as error:
            if error_code(error) not in _THERE:
                raise


def remove_tag(cloud: Cloud, repository: str, tag: str) -> None:
    """Take a tag from an image, which keeps its others."""
    with translated(f"tag {tag} of {repository} cannot be removed"):
        answer = cloud.client("ecr").batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": tag}])
    for failure in answer.get("failures", ()):
        raise AwsError(
            f"tag {tag} of {repository} cannot be removed: {failure.get('failureReason', 'no reason given')}"
        )


def repository_exists(cloud: Cloud, repository: str) -> bool:
    """Tell whether there is such a repository."""
    with translated(f"repository {repository} cannot be looked up"):
        try:
            cloud.client("ecr").describe_repositories(repositoryNames=[repository])
        except ClientError as error:
            if error_code(error) in _GONE:
                return False
            raise
    return True


def delete_repository(cloud: Cloud, repository: str) -> None:
    """Remove a repository with all its images."""
    with translated(f"repository {repository} cannot be removed"):
        cloud.client("ecr").delete_repository(repositoryName=repository, force=True)
