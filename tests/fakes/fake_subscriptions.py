"""Subscriptions of SNS topics as far as the project uses them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fake_answers import NUMBER, Paged

PENDING = "PendingConfirmation"


@dataclass
class FakeSubscriptions(Paged):
    """Subscriptions in the order in which they were asked for."""

    subscriptions: list[dict[str, str]] = field(default_factory=list)

    def confirm(self, address: str) -> None:
        """Confirm a subscription, as its owner does from the mail."""
        for found in self.subscriptions:
            if found["Endpoint"] == address:
                found["SubscriptionArn"] = f"{found['TopicArn']}:{address.partition('@')[0]}"

    def _on_subscribe(self, given: dict[str, Any]) -> dict[str, Any]:
        known = [
            s for s in self.subscriptions if (s["TopicArn"], s["Endpoint"]) == (given["TopicArn"], given["Endpoint"])
        ]
        if not known:
            self.subscriptions.append({**given, "Owner": NUMBER, "SubscriptionArn": PENDING})
        return {"SubscriptionArn": "pending confirmation"}

    def _on_unsubscribe(self, given: dict[str, Any]) -> None:
        self.subscriptions = [s for s in self.subscriptions if s["SubscriptionArn"] != given["SubscriptionArn"]]

    def _on_list_subscriptions_by_topic(self, given: dict[str, Any]) -> dict[str, Any]:
        found: list[dict[str, Any]] = [dict(s) for s in self.subscriptions if s["TopicArn"] == given["TopicArn"]]
        return self.paged(given, "Subscriptions", found)
