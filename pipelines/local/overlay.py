"""A workspace as it would be after some more objects were put into it. Nothing of it is ever written below `root`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.local.workspace import Workspace


@dataclass(frozen=True)
class Overlay(Workspace):
    """The workspace at `root` with the objects of another one in front of its own."""

    front: Workspace | None = None

    def path(self, uri: str) -> Path:
        """Return the file or folder of an s3:// URI: that in front where there is one."""
        ahead = self.front.path(uri) if self.front and not self.is_foreign(uri) else None
        return ahead if ahead is not None and ahead.exists() else super().path(uri)
