"""What a local execution was started from, kept beside its event log for `--retry`, `--rerun` and `--from`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from steps import contract

REQUEST_FILE = "request.json"


@dataclass(frozen=True)
class Origin:
    """What an execution was started from; kept beside its event log.

    One that was to run a part of the pipeline only has the `selected` steps and the `source` of all others.
    `cause` says what started it where that was no plain command, `mode` which of the pipelines it is of.
    """

    execution: str
    pipeline: str
    bucket: str
    config: str
    environment: str | None
    raw: str
    started: str
    parameters: Mapping[str, Any]
    threshold: float | None
    source: str | None = None
    selected: Sequence[str] | None = None
    cause: str = ""
    mode: str = contract.FULL

    def to_json(self) -> str:
        """Return the content of the execution's `request.json`."""
        return contract.to_json(self.__dict__)

    @classmethod
    def read(cls, folder: Path) -> Origin:
        """Return the origin of the execution in a folder; OSError, ValueError and TypeError tell that there is none."""
        try:
            found = cls(**json.loads((folder / REQUEST_FILE).read_text(encoding="utf-8")))
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        texts = (
            found.execution,
            found.pipeline,
            found.bucket,
            found.config,
            found.raw,
            found.cause,
            found.mode,
            found.environment or "",
        )
        if not all(isinstance(text, str) for text in texts) or not isinstance(found.parameters, dict):
            raise TypeError("values of other types")
        datetime.fromisoformat(found.started)
        return found

    def again(self, execution: str, started: str, parameters: Mapping[str, Any], threshold: float | None) -> Origin:
        """Return the origin of another execution of the same configuration and data."""
        return replace(
            self,
            execution=execution,
            started=started,
            parameters=parameters,
            threshold=threshold,
            source=None,
            selected=None,
            cause="",
        )
