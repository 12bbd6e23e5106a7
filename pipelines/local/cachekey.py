"""The content key of a step: equal keys mean that running it again would do the same work on the same bytes.

Pure. URIs of inputs are replaced by what lies there, so neither an execution id nor a folder's name is in the key.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.local.job import Input, Job
from pipelines.local.workspace import StoredObject

FORMAT = 1
"""Raised when the meaning of the key changes, so that old entries are not found any more."""


def content_key(
    job: Job,
    objects: Mapping[str, Sequence[StoredObject]],
    digest: Callable[[Path], str],
    fingerprint: str,
) -> str:
    """Return the key of a computed job; `digest` gives a file's sha256, `fingerprint` stands for the dependencies."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "fingerprint": fingerprint,
        "image": job.image,
        "entrypoint": job.entrypoint,
        "arguments": job.arguments,
        "environment": dict(job.environment),
        "instances": job.instances,
        "inputs": sorted(_input(item, objects[item.name], digest) for item in job.inputs),
        "outputs": sorted([output.name, output.path] for output in job.outputs),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _input(item: Input, objects: Sequence[StoredObject], digest: Callable[[Path], str]) -> list[Any]:
    files = sorted([stored.key, digest(stored.path)] for stored in objects)
    return [item.name, item.path, item.manifest, item.sharded, files]
