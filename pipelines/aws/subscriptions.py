"""E-mail subscriptions of an SNS topic."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.aws.cloud import Cloud, translated

EMAIL = "email"
_DELETED = "Deleted"
"""What SNS shows for some days in place of the ARN of a subscription that is gone."""


@dataclass(frozen=True)
class Subscription:
    """An address that gets a topic's mails; `arn` is None until its owner has confirmed."""

    address: str
    arn: str | None


def list_addresses(cloud: Cloud, topic: str) -> tuple[Subscription, ...]:
    """Return a topic's e-mail subscriptions, unconfirmed ones included."""
    with translated(f"subscriptions of {topic} cannot be listed"):
        pages = cloud.client("sns").get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        listed = [item for page in pages for item in page["Subscriptions"] if item.get("Protocol") == EMAIL]
    found = [item for item in listed if item["SubscriptionArn"] != _DELETED]
    return tuple(
        Subscription(item["Endpoint"], item["SubscriptionArn"] if item["SubscriptionArn"].startswith("arn:") else None)
        for item in found
    )


def subscribe(cloud: Cloud, topic: str, address: str) -> None:
    """Ask an address to confirm that it wants a topic's mails."""
    with translated(f"{address} cannot be subscribed"):
        cloud.client("sns").subscribe(TopicArn=topic, Protocol=EMAIL, Endpoint=address)


def unsubscribe(cloud: Cloud, subscription: Subscription) -> None:
    """Send an address no more mails; one that was never confirmed goes away by itself."""
    if subscription.arn is None:
        return
    with translated(f"{subscription.address} cannot be unsubscribed"):
        cloud.client("sns").unsubscribe(SubscriptionArn=subscription.arn)
