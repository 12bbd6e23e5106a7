"""Building the images that no repository holds: with this machine's Docker engine, or in CodeBuild."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines import image_tags
from pipelines.aws import builds, objects
from pipelines.aws.cloud import Cloud
from pipelines.bundles import Bundle
from pipelines.deploy_plan import ImagePlan
from pipelines.deployment import CicdStack
from pipelines.errors import DeployError
from pipelines.lambda_package import pack
from pipelines.outside import Outside
from pipelines.release import Release

DOCKER, CODEBUILD = "docker", "codebuild"
SCRIPT = f"{image_tags.CONTAINERS}/build_and_push.sh"
BASE_VARIABLE = "BASE"
"""Environment variable with the image to build upon."""


def build_images(
    cloud: Cloud,
    cicd: CicdStack,
    images: Sequence[ImagePlan],
    release: Release,
    way: str | None,
    outside: Outside,
) -> None:
    """Build and push images; without a `way` Docker where an engine answers, else CodeBuild.

    Raises:
        DeployError: an image was not built; names each, and where its log is.
    """
    if not images:
        return
    chosen = way or (DOCKER if has_engine(outside) else CODEBUILD)
    outside.watch.say(f"building {', '.join(f'{i.image}:{i.tag}' for i in images)} with {chosen}; this takes minutes")
    if chosen == DOCKER:
        _build_here(images, release.base, outside)
    else:
        _build_there(cloud, cicd, images, release, outside)


def has_engine(outside: Outside) -> bool:
    """Tell whether a Docker engine answers on this machine."""
    return outside.run(["docker", "version"]) == 0


def _build_here(images: Sequence[ImagePlan], base: str | None, outside: Outside) -> None:
    for image in images:
        outside.watch.say(f"  {image.image}: {image.reference}")
        upon = ["env", f"{BASE_VARIABLE}={base}"] if base else ["env", "-u", BASE_VARIABLE]
        code = outside.run([*upon, "bash", SCRIPT, image.image, image.uri, image.tag])
        if code != 0:
            raise DeployError(
                f"image {image.image}: {SCRIPT} ended with exit code {code}; its output is above. Without a Docker "
                "engine, build in the account with --build codebuild"
            )


def _build_there(
    cloud: Cloud, cicd: CicdStack, images: Sequence[ImagePlan], release: Release, outside: Outside
) -> None:
    sources = dict(release.image_sources)
    key = f"{Bundle('source', sources).uri}.zip"
    if not objects.object_exists(cloud, cicd.DeployBucketName, key):
        objects.put_missing(cloud, cicd.DeployBucketName, {key: pack(sources)})
    source = f"{cicd.DeployBucketName}/{key}"
    upon = {BASE_VARIABLE: release.base} if release.base else {}
    numbers = [
        builds.start_build(cloud, cicd.ImageProjectName, source, {**_variables(image), **upon}) for image in images
    ]
    ended = builds.wait_builds(cloud, numbers, outside.watch)
    problems = [
        f"image {image.image}: build {build.number} {build.status.lower()}: {build.reason or 'no reason given'}; "
        f"its log: {build.log}"
        for image, build in zip(images, ended, strict=True)
        if build.status != "SUCCEEDED"
    ]
    if problems:
        error = DeployError(problems[0])
        error.problems = tuple(problems)
        raise error


def _variables(image: ImagePlan) -> dict[str, str]:
    return {"IMAGE": image.image, "REPOSITORY_URI": image.uri, "TAG": image.tag}
