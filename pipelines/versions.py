"""Which versions load a predictor: those installed on this machine, and those that the images are locked to."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from pathlib import Path

from pipelines.image_tags import CONTAINERS
from pipelines.settings import Images
from steps.contract import Versions

ROOT = Path(__file__).resolve().parent.parent
AUTOGLUON = "autogluon.tabular"
_IMAGE = "autogluon"
_PYTHON = re.compile(r"python:(\d+\.\d+)")
"""The Python of a base image, where its name tells it; a bare Debian's does not."""


def read_installed() -> Versions | None:
    """Return the versions with which steps run as processes on this machine, or None where AutoGluon is not there."""
    try:
        return Versions(importlib.metadata.version(AUTOGLUON), platform.python_version())
    except importlib.metadata.PackageNotFoundError:
        return None


def read_locked(images: Images, root: Path = ROOT) -> Versions | None:
    """Return the versions that the deployed training image has, or None where an image of the user's own hides them."""
    if images.autogluon is not None:
        return None
    folder = root / CONTAINERS / _IMAGE
    lock, dockerfile = ((folder / name).read_text(encoding="utf-8") for name in ("requirements.txt", "Dockerfile"))
    autogluon = re.search(rf"^{re.escape(AUTOGLUON)}==(\S+)", lock, re.MULTILINE)
    base = images.base or next(iter(re.findall(r"^ARG BASE=(\S+)", dockerfile, re.MULTILINE)), "")
    python = _PYTHON.search(base)
    return Versions(autogluon[1], python[1]) if autogluon and python else None
