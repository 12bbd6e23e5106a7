"""What a smoke check is and what it finds. Inert values; the checks are in the modules beside this one."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipelines.desk import Desk


@dataclass(frozen=True)
class Finding:
    """What one look at the real account told; `held` is None where it could not be checked, with the reason."""

    held: bool | None
    evidence: str


@dataclass(frozen=True)
class Check:
    """An assumption of docs/aws.md by its number, and the function that decides it."""

    number: int
    claim: str
    look: Callable[[World], Finding]
    spends: str = ""


@dataclass(frozen=True)
class World:
    """The deployed pipeline, and how time passes; `raw` is the folder whose marker starts the executions.

    `seen` keeps what one check leaves for another: the executions that several of them read.
    """

    desk: Desk
    raw: str
    pause: Callable[[float], None] = time.sleep
    say: Callable[[str], None] = print
    token: str = field(default_factory=lambda: secrets.token_hex(4))
    seen: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service."""
        return self.desk.cloud.client(service)

    @property
    def scratch(self) -> str:
        """Return the name of what a check makes and removes again."""
        return f"{self.desk.pipeline}-smoke-{self.token}"


def held(true: bool, evidence: str) -> Finding:
    """Return a finding that decides."""
    return Finding(true, evidence)


def unknown(reason: str) -> Finding:
    """Return a finding that decides nothing."""
    return Finding(None, reason)
