"""What the result of a step depends on, and its key: equal keys mean the same work on the same bytes.

Pure. URIs of inputs are replaced by what lies there, so neither an execution id nor a folder's name is in the key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.local.job import Input, Job
from pipelines.local.workspace import StoredObject

FORMAT = 2
"""Raised when the meaning of the key changes, so that old entries are not found any more."""


@dataclass(frozen=True)
class Content:
    """What one input holds: `files` is key to sha256, the rest is how they are handed to the job."""

    path: str
    manifest: bool
    sharded: bool
    files: Mapping[str, str]


@dataclass(frozen=True)
class Components:
    """Everything that the result of a step depends on; `libraries` are lines such as `lightgbm 4.5.0`."""

    image: str
    entrypoint: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    instances: int
    libraries: tuple[str, ...]
    inputs: Mapping[str, Content]
    outputs: Mapping[str, str]

    @property
    def key(self) -> str:
        """Return the content key, the sha256 of all this."""
        content = {"format": FORMAT, **asdict(self)}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def compute_components(
    job: Job,
    objects: Mapping[str, Sequence[StoredObject]],
    digest: Callable[[Path], str],
    fingerprint: str,
) -> Components:
    """Return what a computed job depends on.

    Args:
        job: without open expressions.
        objects: what each input holds.
        digest: gives a file's sha256.
        fingerprint: the libraries, one a line.
    """
    return Components(
        image=job.image,
        entrypoint=tuple(job.entrypoint),
        arguments=tuple(job.arguments),
        environment=dict(job.environment),
        instances=job.instances,
        libraries=tuple(fingerprint.splitlines()),
        inputs={item.name: _content(item, objects[item.name], digest) for item in job.inputs},
        outputs={output.name: output.path for output in job.outputs},
    )


def _content(item: Input, objects: Sequence[StoredObject], digest: Callable[[Path], str]) -> Content:
    files = {stored.key: digest(stored.path) for stored in objects}
    return Content(item.path, item.manifest, item.sharded, files)
