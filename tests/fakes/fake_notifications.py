"""SNS as far as the project uses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class FakeNotifications:
    """Messages that were published."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    def _on_publish(self, given: dict[str, Any]) -> dict[str, Any]:
        self.messages.append(given)
        return {"MessageId": str(len(self.messages))}
