"""How long work on AWS is watched: what is told meanwhile, and how time passes; a value, so that tests never wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipelines.errors import DeployError


def _silent(line: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Watch:
    """Says a line of progress, and pauses for some seconds."""

    say: Callable[[str], None] = _silent
    pause: Callable[[float], None] = time.sleep

    def polls(self, doing: str, every: float, longest: float) -> Iterator[None]:
        """Yield at once and then after each pause, until the caller stops looking.

        Raises:
            DeployError: the longest time has passed.
        """
        for _ in range(max(1, int(longest / every))):
            yield
            self.pause(every)
        raise DeployError(
            f"{doing}: no end after {longest / 60:.0f} minutes; look at it in the console, then deploy again"
        )
