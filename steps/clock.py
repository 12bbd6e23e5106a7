"""When a step's work began and how long it took, in the form in which every step records it. Standard library only.

Seconds come from a clock that nobody sets; the start is UTC, so that the report can lay steps beside each other.
These figures go into JSON that is never promised equal between runs, and into no cached step's input.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Watch:
    """Runs from when it is made."""

    started: datetime = field(default_factory=_now)
    _from: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Return the seconds since then, to the millisecond."""
        return round(time.monotonic() - self._from, 3)

    def to_json(self) -> dict[str, Any]:
        """Return `started` and `seconds` up to now."""
        return {"started": self.started.isoformat(timespec="milliseconds"), "seconds": self.seconds}


def parse(text: Any) -> datetime | None:
    """Return the time that a step or the service has written, in UTC; None for anything else."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def span(timing: Mapping[str, Any] | None) -> tuple[datetime, datetime] | None:
    """Return when a recorded work began and ended, or None where nothing was recorded."""
    started = parse((timing or {}).get("started"))
    if started is None or timing is None:
        return None
    return started, started + timedelta(seconds=float(timing.get("seconds") or 0.0))


def merge(timings: Iterable[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """Return the timing of works that ran side by side, from the first start to the last end; None without any."""
    spans = [found for found in map(span, timings) if found is not None]
    if not spans:
        return None
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    return {"started": first.isoformat(timespec="milliseconds"), "seconds": round((last - first).total_seconds(), 3)}
