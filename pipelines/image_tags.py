"""What an image is called: a tag from the content it is built from, so that equal content is never built twice."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from pipelines.deployment import IMAGES
from pipelines.errors import PipelineError

CONTAINERS = "containers"
LIBRARIES = "config/libraries.txt"
"""The user's added libraries, which both images install."""
_TAG_CHARACTERS = 16


def image_tags(root: Path, base: str | None = None) -> dict[str, str]:
    """Return the tag of every image of the repository below `root`.

    Args:
        root: where `containers/` lies.
        base: the image to build upon, where it is not the Dockerfile's own.
    """
    return {image: _tag(image_files(root, image), base or "") for image in IMAGES}


def image_files(root: Path, image: str) -> dict[str, bytes]:
    """Return what one image is built from, by path below `root`.

    Raises:
        PipelineError: the image's folder holds no Dockerfile.
    """
    folder = root / CONTAINERS / image
    if not (folder / "Dockerfile").is_file():
        raise PipelineError(f"{folder}/Dockerfile: not found; the image {image} cannot be built without it")
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not _is_hidden(path.relative_to(folder))]
    libraries = root / LIBRARIES
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in [*paths, *([libraries] * libraries.is_file())]}


def build_sources(root: Path) -> dict[str, bytes]:
    """Return what a build elsewhere needs: the folders of all images, the script, the added libraries."""
    scripts = {f"{CONTAINERS}/{path.name}": path.read_bytes() for path in (root / CONTAINERS).glob("*.sh")}
    return {**scripts, **{name: content for image in IMAGES for name, content in image_files(root, image).items()}}


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def _tag(files: Mapping[str, bytes], base: str) -> str:
    """Return the first characters of a sha256 over names, contents and base; comments in the libraries do not count."""
    total = hashlib.sha256(f"{base}\n".encode())
    for name, content in sorted(files.items()):
        text = _without_comments(content) if name == LIBRARIES else content
        total.update(f"{name}\0{hashlib.sha256(text).hexdigest()}\n".encode())
    return total.hexdigest()[:_TAG_CHARACTERS]


def _without_comments(content: bytes) -> bytes:
    lines = (re.sub(rb"(^|\s)#.*", b"", line).strip() for line in content.splitlines())
    return b"\n".join(line for line in lines if line)
