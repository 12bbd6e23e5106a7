"""Brings a job's inputs into its /opt/ml tree and its outputs into the object store.

An I/O seam. Inputs are linked, never copied where a link is possible; outputs appear by renaming, so that nobody
sees half of one, and a step that was killed while publishing can take back what it had published.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.errors import ExecutionError
from pipelines.local.durable import write_atomically
from pipelines.local.job import ROOT, Input, Job
from pipelines.local.workspace import StoredObject, Workspace, list_files

PUBLISHED_FILE = "published.json"
Objects = Mapping[str, Sequence[StoredObject]]
"""The objects of each input, by the input's name."""


def inside(root: Path, path: str) -> Path:
    """Return where a path below /opt/ml lies in the tree `root` that stands for /opt/ml."""
    return root.joinpath(*PurePosixPath(path).relative_to(ROOT).parts)


def put_objects(objects: Mapping[str, bytes], workspace: Workspace) -> None:
    """Write objects by URI, each as a whole; one that is there with this content is left alone."""
    for uri, content in objects.items():
        path = workspace.target(uri)
        if not path.exists() or path.read_bytes() != content:
            write_atomically(path, content, workspace.scratch)


def find_objects(job: Job, workspace: Workspace) -> dict[str, list[StoredObject]]:
    """Return what each input of a job holds.

    Raises:
        ExecutionError: an input holds nothing, as on SageMaker before the container starts, or a manifest is broken.
    """
    return {item.name: _objects(item, workspace) for item in job.inputs}


def _objects(item: Input, workspace: Workspace) -> list[StoredObject]:
    found = _manifest_objects(item, workspace) if item.manifest else workspace.objects(item.uri)
    if not found:
        raise ExecutionError(
            f'ClientError: No S3 objects found under S3 URL "{item.uri}" given in input data source "{item.name}".'
        )
    return found


def _manifest_objects(item: Input, workspace: Workspace) -> list[StoredObject]:
    prefix, keys = _read_manifest(item, workspace)
    base, found = workspace.path(prefix), []
    for key in keys:
        path = workspace.path(prefix.rstrip("/") + "/" + key)
        if not path.is_file():
            raise ExecutionError(
                f'ClientError: the manifest of input "{item.name}" names "{key}", which is not in {prefix}'
            )
        found.append(StoredObject(path.relative_to(base).as_posix(), path, workspace.is_foreign(prefix)))
    return sorted(found, key=lambda stored: stored.key)


def _read_manifest(item: Input, workspace: Workspace) -> tuple[str, list[str]]:
    """Return prefix and keys of a ManifestFile: `[{"prefix": "s3://bucket/"}, "key", ...]`."""
    content: Any = read_json(workspace, item.uri)
    head = content[0] if isinstance(content, list) and content else None
    prefix = head.get("prefix") if isinstance(head, Mapping) else None
    if not isinstance(prefix, str) or not all(isinstance(key, str) for key in content[1:]):
        raise ExecutionError(
            f'ClientError: {item.uri} of input "{item.name}" is no manifest: '
            'expected a list of {"prefix": "s3://..."} and keys'
        )
    return prefix, list(content[1:])


def read_json(workspace: Workspace, uri: str) -> Any:
    """Return the content of a JSON object.

    Raises:
        ExecutionError: there is no such object or it is no JSON.
    """
    try:
        return json.loads(workspace.path(uri).read_text(encoding="utf-8"))
    except OSError as error:
        raise ExecutionError(f"ClientError: cannot read {uri}: {error.strerror}") from error
    except ValueError as error:
        raise ExecutionError(f"ClientError: {uri} is no valid JSON") from error


def stage_inputs(job: Job, objects: Objects, root: Path, host: int = 0, copy: bool = False) -> None:
    """Link a host's share of every input below `root`, and make the folders of all inputs and outputs.

    With `copy` a step may do with its inputs what it likes: nothing that others read is reached through them.
    """
    for item in job.inputs:
        folder = inside(root, item.path)
        folder.mkdir(parents=True, exist_ok=True)
        share = objects[item.name][host :: job.instances] if item.sharded else objects[item.name]
        for stored in share:
            place = folder / stored.key
            _copy(stored.path, place) if copy else _link(stored.path, place, symbolic=stored.foreign)
    for output in job.outputs:
        inside(root, output.path).mkdir(parents=True, exist_ok=True)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _link(source: Path, target: Path, symbolic: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    for attempt in [target.symlink_to] if symbolic else [target.hardlink_to, target.symlink_to]:
        try:
            attempt(source)
        except OSError:  # across devices, or a file system without such links
            continue
        return
    shutil.copyfile(source, target)


def publish(job: Job, roots: Sequence[Path], folder: Path, workspace: Workspace) -> dict[str, Path]:
    """Make the outputs that a job's hosts left below `roots` visible; return the published files by URI.

    Several steps may publish below one URI: entries are merged. Of a key that two hosts wrote, the last one counts.
    """
    scratch, published = folder / "publish", dict[str, Path]()
    for output in job.outputs:
        prefix, target = str(output.uri).rstrip("/"), workspace.target(output.uri)
        for root in roots:
            for key, path in list_files(inside(root, output.path)):
                _keep(path, scratch / output.name / key)
                published[f"{prefix}/{key}"] = target / key
    _write_list(folder / PUBLISHED_FILE, published)
    with workspace.publishing:
        for output in job.outputs:
            if (scratch / output.name).is_dir():
                _move(scratch / output.name, workspace.target(output.uri))
    shutil.rmtree(scratch, ignore_errors=True)
    return published


def _keep(path: Path, target: Path) -> None:
    """Link an output file; what is itself a link may lead to the user's data and is copied."""
    if path.is_symlink():
        _copy(path, target)
    else:
        _link(path, target, symbolic=False)


def _write_list(path: Path, published: Iterable[str]) -> None:
    path.write_text(json.dumps(sorted(published), indent=1), encoding="utf-8")


def _move(source: Path, target: Path) -> None:
    """Rename into place, as high up in the tree as nothing is in the way; marker files (`_SUCCESS`) come last."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():  # the whole of an output that nobody shares appears at once
        source.rename(target)
    elif source.is_dir() and target.is_dir():
        for entry in sorted(source.iterdir(), key=lambda path: (path.name.startswith("_"), path.name)):
            _move(entry, target / entry.name)
    elif source.is_dir() or target.is_dir():
        raise ExecutionError(f"cannot publish {target.name!r}: a file and a folder of that name collide")
    else:
        source.replace(target)


def withdraw(folder: Path, workspace: Workspace) -> None:
    """Take back what an earlier attempt at this step published before it was cut off."""
    path = folder / PUBLISHED_FILE
    if not path.is_file():
        return
    try:
        uris = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # cut off while the list was written, so before anything was published
        return
    for uri in uris:
        workspace.target(uri).unlink(missing_ok=True)
