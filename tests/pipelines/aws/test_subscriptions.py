"""Addresses of a topic: those that have confirmed, those that have not, and those that are gone."""

from __future__ import annotations

from fake_aws import FakeAws

from pipelines.aws import subscriptions
from pipelines.aws.cloud import Cloud

TOPIC = "arn:aws:sns:us-east-1:123456789012:flights-mails"


def test_an_address_that_was_removed_lately_is_none_any_more() -> None:
    aws = FakeAws()
    client = aws.client("sns")
    cloud = Cloud("us-east-1", "123456789012", lambda service: client)
    for address in ("ann@example.com", "bob@example.com", "eve@example.com"):
        subscriptions.subscribe(cloud, TOPIC, address)
    aws.confirm("ann@example.com")
    aws.subscriptions[2]["SubscriptionArn"] = "Deleted"

    found = {item.address: bool(item.arn) for item in subscriptions.list_addresses(cloud, TOPIC)}

    assert found == {"ann@example.com": True, "bob@example.com": False}
