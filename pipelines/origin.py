"""What a local execution was started from, kept beside its event log for `--retry`, `--rerun` and `--from`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from steps import contract

REQUEST_FILE = "request.json"


@dataclass(frozen=True)
class Origin:
    """What an execution was started from; kept beside its event log."""

    execution: str
    pipeline: str
    bucket: str
    config: str
    environment: str | None
    raw: str
    started: str
    parameters: Mapping[str, Any]
    threshold: float | None

    def save(self, folder: Path) -> None:
        """Write it into the folder of the execution."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REQUEST_FILE).write_text(contract.to_json(self.__dict__), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Origin:
        """Return the origin of the execution in a folder; OSError, ValueError and TypeError tell that there is none."""
        return cls(**json.loads((folder / REQUEST_FILE).read_text(encoding="utf-8")))

    def again(self, execution: str, started: str, parameters: Mapping[str, Any], threshold: float | None) -> Origin:
        """Return the origin of another execution of the same configuration and data."""
        return replace(self, execution=execution, started=started, parameters=parameters, threshold=threshold)
