"""What a workspace knows already about a run that is about to start: segments counted, and the definition compiled.

Both are functions of files that have digests, and cost seconds: the SageMaker SDK takes two to import. An answer is
kept under the sha256 of all that it is made from (docs/decisions/010), so that a run in which nothing changed asks
neither the SDK nor the data.
"""

from __future__ import annotations

import hashlib
import platform
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pipelines import compile as compiling
from pipelines import discovery, slices
from pipelines.blueprint import Blueprint
from pipelines.compile import Compiled
from pipelines.local.workspace import Workspace
from pipelines.memo import MEMO_DIR, Memo, Note, digest
from pipelines.models import Census, ModelSpec
from pipelines.settings import Settings
from steps import contract

DEFINITIONS, COUNTS = "definitions", "counts"
ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pipelines", "steps")
"""Whose sources decide what is compiled and counted; which of them is not asked: to compile once more is cheap."""
_FORM = 1
"""Form of what is kept: another form, another key."""


@dataclass(frozen=True)
class Recall:
    """What may be remembered of a workspace.

    `versions` are the data versions of the raw folder, where they are known; `uses` is off where everything is to be
    done again. `root` is the repository's; `roles` are what raw files are needed for.
    """

    workspace: Workspace
    versions: Mapping[str, str] | None = None
    uses: bool = True
    root: Path = ROOT
    roles: tuple[str, ...] = slices.ROLES

    def compile_pipeline(
        self,
        settings: Settings,
        models: tuple[ModelSpec, ...],
        compile_blueprint: Callable[[Blueprint, bool], tuple[str, tuple[str, ...]]] | None = None,
        mode: str = contract.FULL,
    ) -> Compiled:
        """Return what `compile.compile_pipeline` gives for an execution on this machine, the same bytes.

        Args:
            settings: the configuration.
            models: what `pipelines.models` chose.
            compile_blueprint: asks the SDK, where nothing is known.
            mode: which of the pipelines.

        Raises:
            DefinitionError: as when it is compiled; that is not kept.
        """
        memo = self._memo(DEFINITIONS)

        def compile_one(blueprint: Blueprint, local: bool) -> tuple[str, tuple[str, ...]]:
            key = self._key(_describe(blueprint))
            known = _as_compiled(memo.find(key) if self.uses else None)
            if known is None:
                known = (compile_blueprint or compiling.compile_blueprint)(blueprint, local)
                memo.keep(key, Note(_sha256(known[0]), known))
            return known

        return compiling.compile_pipeline(settings, models, local=True, compile_one=compile_one, mode=mode)

    def count_segments(
        self, settings: Settings, folder: Path, count: Callable[[Settings, Path], Mapping[str, Any]] | None = None
    ) -> Census:
        """Return the rows of each segment in the raw folder, of which `versions` are.

        Args:
            settings: the configuration.
            folder: the raw folder.
            count: reads the data, where nothing is known.

        Raises:
            DataError: as `discovery.count_segments`; that is not kept.
        """
        count = count or partial(discovery.read_counts, roles=self.roles)
        if self.versions is None:
            return Census.from_json(count(settings, folder))
        memo, key = self._memo(COUNTS), self._key([dict(self.versions), discovery.make_request(settings, self.roles)])
        found = memo.find(key) if self.uses else None
        if not isinstance(found, dict):
            found = count(settings, folder)
            memo.keep(key, Note(next(iter(self.versions.values())), found))
        return Census.from_json(found)

    def _memo(self, kind: str) -> Memo:
        return Memo(self.workspace.cache / MEMO_DIR / kind, self.workspace.scratch)

    def _key(self, asked: Any) -> str:
        return digest([_FORM, _surroundings(), sources_digest(self.root), asked])


def _as_compiled(found: Any) -> tuple[str, tuple[str, ...]] | None:
    return (found[0], tuple(found[1])) if found else None


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _describe(blueprint: Blueprint) -> list[Any]:
    """Return everything that a definition is made of; what is set and what is a default may compile differently."""
    settings = blueprint.settings
    return [
        [settings.model_dump(mode="json"), settings.model_dump(mode="json", exclude_unset=True)],
        [model.to_json() for model in blueprint.models],
        asdict(blueprint.account),
        dict(blueprint.code),
        dict(blueprint.slices),
        blueprint.mode,
    ]


def sources_digest(root: Path) -> str:
    """Return the sha256 over the files of the packages, names included."""
    total = hashlib.sha256()
    for path in sorted(path for package in PACKAGES for path in (root / package).rglob("*.*")):
        if path.is_file() and path.suffix != ".pyc":
            total.update(f"{path.relative_to(root).as_posix()}\0".encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _surroundings() -> list[str]:
    """Return interpreter and installed libraries with their versions, the SDK and its own among them."""
    return [platform.python_version(), platform.machine(), sys.platform, *sorted(set(_libraries()))]


def _libraries() -> Iterator[str]:
    """Yield `<name>-<version>.dist-info` of what is installed: their names say it, so that no file has to be read."""
    for place in map(Path, sys.path):
        if place.is_dir():
            yield from (path.name for path in place.iterdir() if path.suffix == ".dist-info")
