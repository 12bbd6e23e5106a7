"""The ports on one machine: objects are files, the registry and the outbox are folders of a workspace.

Layout: `<workspace>/registry/<group>/<version>.json` (and `group.json`) and
`<workspace>/outbox/<execution>/<nn>-<kind>.txt`.
Writes are atomic, and a lock on the folder (which leaves no file behind) orders processes that change the
same one.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from lambda_trigger.ports import (
    APPROVED,
    PENDING,
    REJECTED,
    ModelGroup,
    ModelPackage,
    NewPackage,
    NotifyError,
    Ports,
    RegistryError,
    Status,
    StoreError,
    TaggedText,
)
from steps import contract
from steps.contract import escape_controls

REGISTRY_DIR = "registry"
OUTBOX_DIR = "outbox"
SCRATCH_DIR = "tmp"
"""Where files lie while they are written: what a killed process leaves there is no object, and is swept up."""
GROUP_FILE = "group.json"


@dataclass(frozen=True)
class LocalContext:
    """What a handler gets as its context on one machine."""

    ports: Ports


def local_ports(
    workspace: Path,
    resolve: Callable[[str], Path],
    console: TextIO,
    config_hint: str = "",
    here: contract.Versions | None = None,
) -> Ports:
    """Return the ports of a workspace.

    Args:
        workspace: its folder.
        resolve: turns an `s3://` URI into the path that stands for it.
        console: where messages are shown.
        config_hint: options beside `--local` that a command in a message needs, such as `--config F`.
        here: the versions with which steps run, None where they are not known.
    """
    scratch = workspace / SCRATCH_DIR
    return Ports(
        objects=FolderObjects(resolve, scratch),
        registry=FolderRegistry(workspace / REGISTRY_DIR, read_clock, scratch),
        notifier=FolderNotifier(workspace / OUTBOX_DIR, console, scratch),
        clock=read_clock,
        flags=f"--local {config_hint}".strip(),
        here=here,
    )


def read_clock() -> datetime:
    """Return the time now, aware and in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class FolderObjects:
    """ObjectStore over the files that `resolve` names; `scratch` is where they lie while they are written."""

    resolve: Callable[[str], Path]
    scratch: Path

    def read_text(self, uri: str) -> str:
        """Return an object's text."""
        found = self.read_tagged(uri)
        if found is None:
            raise StoreError(f"{uri}: no such object")
        return found.text

    def read_tagged(self, uri: str) -> TaggedText | None:
        """Return an object's text and the sha256 of its bytes, or None."""
        with _as_store_error(f"{uri}: cannot be read"):
            try:
                content = self.resolve(uri).read_bytes()
            except FileNotFoundError:
                return None
            return TaggedText(content.decode("utf-8"), hashlib.sha256(content).hexdigest())

    def write_text(self, uri: str, text: str) -> None:
        """Write an object as a whole."""
        with _as_store_error(f"{uri}: cannot be written"):
            write_atomically(self.resolve(uri), text, self.scratch)

    def replace(self, uri: str, text: str, etag: str | None) -> bool:
        """Write an object if it still has `etag`, under the lock of its folder."""
        with _as_store_error(f"{uri}: cannot be written"):
            path = self.resolve(uri)
            with lock_folder(path.parent):
                known = self.read_tagged(uri)
                if (known.etag if known else None) != etag:
                    return False
                write_atomically(path, text, self.scratch)
                return True

    def read_start(self, uri: str, count: int, version: str = "") -> bytes | None:  # noqa: ARG002 - files have none
        """Return the first bytes of a file, or None."""
        with _as_store_error(f"{uri}: cannot be read"):
            try:
                with self.resolve(uri).open("rb") as file:
                    return file.read(count)
            except FileNotFoundError:
                return None

    def files(self, prefix: str) -> Iterator[contract.DataFile]:
        """Yield the files below a folder, in the order of their keys, with sha256 as etag."""
        with _as_store_error(f"{prefix}: cannot be listed"):
            folder = self.resolve(prefix)
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                yield contract.DataFile(path.relative_to(folder).as_posix(), digest, path.stat().st_size)

    def exists(self, uri: str) -> bool:
        """Tell whether there is such an object."""
        return self.resolve(uri).is_file()

    def copy(self, source: str, target: str) -> None:
        """Copy an object; a copy, not a link, because the registry outlives the execution."""
        self.upload(self.resolve(source), target)

    def delete(self, uri: str) -> None:
        """Delete an object's file."""
        with _as_store_error(f"{uri}: cannot be deleted"):
            self.resolve(uri).unlink(missing_ok=True)

    def upload(self, source: Path, uri: str) -> None:
        """Write a file's bytes to an object."""
        with _as_store_error(f"{uri}: cannot be written"), _new_file(self.resolve(uri), self.scratch) as written:
            shutil.copyfile(source, written)

    def download(self, uri: str, target: Path) -> None:
        """Write an object's bytes to a file."""
        with _as_store_error(f"{uri}: cannot be read"):
            shutil.copyfile(self.resolve(uri), target)

    def locate(self, uri: str) -> str:
        """Return the path on this machine."""
        return str(self.resolve(uri))


@dataclass(frozen=True)
class FolderRegistry:
    """ModelRegistry over one folder per group and one JSON file per version."""

    root: Path
    clock: Callable[[], datetime]
    scratch: Path

    def ensure_group(self, group: ModelGroup) -> None:
        """Make a group's folder and `group.json` unless they are there."""
        with _as_registry_error(group.name), lock_folder(self.root / group.name) as folder:
            if not (folder / GROUP_FILE).exists():
                document = {"pipeline": group.pipeline, "model": group.model, "last_version": 0}
                write_atomically(folder / GROUP_FILE, contract.to_json(document), self.scratch)

    def groups(self, pipeline: str) -> tuple[ModelGroup, ...]:
        """Return the groups of a pipeline, by name."""
        with _as_registry_error(str(self.root)):
            found = {path.parent.name: _read_group(path) for path in sorted(self.root.glob(f"*/{GROUP_FILE}"))}
        return tuple(
            ModelGroup(name, pipeline, group["model"]) for name, group in found.items() if group["pipeline"] == pipeline
        )

    def packages(self, group: str, status: Status | None = None) -> Iterator[ModelPackage]:
        """Yield a group's packages, newest first."""
        with _as_registry_error(group):
            files = [path for path in (self.root / group).glob("*.json") if path.stem.isdecimal()]
            found = [_read_package(path) for path in files]
        newest_first = sorted(found, key=lambda package: (package.created, package.version), reverse=True)
        yield from (package for package in newest_first if status in (None, package.status))

    def register(self, package: NewPackage) -> ModelPackage:
        """Write the next version's file, or return the package that has the same token."""
        with _as_registry_error(package.group), lock_folder(self.root / package.group) as folder:
            if not (folder / GROUP_FILE).exists():
                raise RegistryError(f"{package.group}: no such group; make it first")
            for known in self.packages(package.group):
                if known.metadata.get("token") == package.token:
                    return known
            return self._write_version(folder, package)

    def set_status(self, package: ModelPackage, status: Status, metadata: Mapping[str, str]) -> None:
        """Write a version's file again with another status."""
        with _as_registry_error(package.group), lock_folder(self.root / package.group) as folder:
            known = _read_package(folder / f"{package.version}.json")
            changed = replace(known, status=status, metadata={**known.metadata, **metadata})
            _write_package(folder, changed, self.scratch)

    def delete(self, package: ModelPackage) -> None:
        """Delete a version's file; its number is never used again."""
        with _as_registry_error(package.group), lock_folder(self.root / package.group) as folder:
            (folder / f"{package.version}.json").unlink(missing_ok=True)

    def _write_version(self, folder: Path, package: NewPackage) -> ModelPackage:
        group = _read_group(folder / GROUP_FILE)
        there = (int(path.stem) for path in folder.glob("*.json") if path.stem.isdecimal())
        version = max(group["last_version"], *there, 0) + 1  # a damaged count must write over no version
        write_atomically(folder / GROUP_FILE, contract.to_json({**group, "last_version": version}), self.scratch)
        made = ModelPackage(
            group=package.group,
            version=version,
            status=package.status,
            artifact_uri=package.artifact_uri,
            image_uri=package.image_uri,
            sha256=package.metadata.get("sha256", ""),
            created=self.clock(),
            arn=f"local:model-package/{package.group}/{version}",
            metadata={**package.metadata, "token": package.token},
        )
        _write_package(folder, made, self.scratch)
        return made


def _plain_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", text):
        raise ValueError(f"{text!r} is no name of a folder")
    return text


@dataclass(frozen=True)
class FolderNotifier:
    """Notifier that shows a message on the console and keeps it in the outbox."""

    outbox: Path
    console: TextIO
    scratch: Path

    def publish(self, subject: str, body: str, context: Mapping[str, str]) -> None:
        """Show and keep a message under the next number of its execution."""
        try:
            with lock_folder(self.outbox / _plain_name(context["execution"])) as folder:
                numbers = [int(found[1]) for path in folder.iterdir() if (found := re.match(r"(\d+)-", path.name))]
                name = f"{max(numbers, default=0) + 1:02d}-{context['kind']}.txt"
                plain = escape_controls(body, keep="\n")
                text = f"Subject: {escape_controls(subject)}\n\n{plain}"
                write_atomically(folder / name, text, self.scratch)
            self.console.write(f"\n{plain.rstrip()}\n\n")
            self.console.flush()
        except (OSError, ValueError) as error:
            raise NotifyError(f"message {context['kind']!r} cannot be kept: {error}") from error


def write_atomically(path: Path, text: str, scratch: Path) -> None:
    """Write a file so that others see it whole or not at all; `scratch` lies on the same file system."""
    with _new_file(path, scratch) as written:
        written.write_bytes(text.encode("utf-8"))


@contextmanager
def lock_folder(folder: Path) -> Iterator[Path]:
    """Hold the lock on a folder, made where needed; other processes that want it wait."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(handle)


@contextmanager
def _new_file(path: Path, scratch: Path) -> Iterator[Path]:
    """Give a scratch file that becomes `path` when the block ends well; its name begins with our process id."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=scratch, prefix=f"{os.getpid()}-")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _as_store_error(doing: str) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError) as error:
        raise StoreError(f"{doing}: {error}") from error


@contextmanager
def _as_registry_error(group: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise RegistryError(f"registry group {group}: {type(error).__name__}: {error}") from error


def _read_group(path: Path) -> Mapping[str, Any]:
    """Return the content of a `group.json`.

    Raises:
        RegistryError: it is damaged.
    """
    with _as_damage(path):
        found = json.loads(path.read_text(encoding="utf-8"))
        return {
            "pipeline": str(found["pipeline"]),
            "model": str(found["model"]),
            "last_version": int(found["last_version"]),
        }


@contextmanager
def _as_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ArithmeticError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RegistryError(
            f"registry group {path.parent.name}: {path} is damaged ({type(error).__name__}); bring it back from a "
            "backup, or move it away to go on without it"
        ) from error


def _write_package(folder: Path, package: ModelPackage, scratch: Path) -> None:
    document = {**asdict(package), "created": package.created.isoformat()}
    write_atomically(folder / f"{package.version}.json", contract.to_json(document), scratch)


def _read_package(path: Path) -> ModelPackage:
    """Return the package in a version's file.

    Raises:
        RegistryError: it is damaged.
    """
    with _as_damage(path):
        found = json.loads(path.read_text(encoding="utf-8"))
        package = ModelPackage(**{**found, "created": datetime.fromisoformat(found["created"])})
        texts = (package.artifact_uri, package.image_uri, package.sha256, package.arn, *package.metadata.values())
        place = (package.group, f"{package.version}.json")
        if not all(isinstance(text, str) for text in texts) or place != (path.parent.name, path.name):
            raise TypeError("values of other types, or of another version")
        if package.status not in (PENDING, APPROVED, REJECTED) or package.created.tzinfo is None:
            raise ValueError("no such status, or no time zone")
        return package
