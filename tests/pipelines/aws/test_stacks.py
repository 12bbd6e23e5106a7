"""Stacks by their outputs, change sets and events."""

from __future__ import annotations

import pytest
from fake_answers import FakeError
from fake_aws import FakeAws

from pipelines.aws import stacks
from pipelines.aws.cloud import Cloud
from pipelines.aws.stacks import StackRequest
from pipelines.aws.watch import Watch
from pipelines.errors import AwsError, DeployError

ONE = "Parameters: {Days: {Type: Number}}\nResources: {Topic: {Type: 'AWS::SNS::Topic'}}\n"
MANY = "Parameters: {Days: {Type: Number}}\nResources:\n" + "".join(
    f"  Topic{n}: {{Type: 'AWS::SNS::Topic'}}\n" for n in range(5)
)


def request(text: str = ONE, days: str = "9") -> StackRequest:
    return StackRequest("flights-pipeline", text, {"Days": days}, {"pipeline": "flights"}, "arn:aws:iam::1:role/made")


@pytest.fixture
def aws() -> FakeAws:
    found = FakeAws()
    found.on_stack = lambda name, parameters: {"Name": name, **parameters}
    return found


@pytest.fixture
def cloud(aws: FakeAws) -> Cloud:
    client = aws.client("cloudformation")
    return Cloud("us-east-1", "123456789012", lambda service: client)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def watch(said: list[str]) -> Watch:
    return Watch(said.append, lambda seconds: None)


def made(cloud: Cloud, watch: Watch, text: str = ONE) -> stacks.Stack:
    change_set = stacks.propose(cloud, request(text), True, watch)
    assert change_set is not None
    return stacks.execute(cloud, change_set, watch)


def test_a_stack_that_is_not_there_has_no_outputs(cloud: Cloud) -> None:
    assert stacks.read_outputs(cloud, "flights-pipeline") is None


def test_outputs_are_those_of_the_stack_as_a_whole(aws: FakeAws, cloud: Cloud, watch: Watch) -> None:
    made(cloud, watch)

    assert stacks.read_outputs(cloud, "flights-pipeline") == {"Name": "flights-pipeline", "Days": "9"}
    aws.stacks["flights-pipeline"]["StackStatus"] = "ROLLBACK_COMPLETE"
    assert stacks.read_outputs(cloud, "flights-pipeline") is None


def test_making_a_stack_waits_and_tells_each_event_once(cloud: Cloud, watch: Watch, said: list[str]) -> None:
    stack = made(cloud, watch, MANY)

    assert stack.status == "CREATE_COMPLETE"
    assert len(said) == len(set(said)) == 10
    assert "Topic4" in said[-1]
    assert "CREATE_COMPLETE" in said[-1]


def test_a_change_set_shows_all_pages_of_changes(cloud: Cloud, watch: Watch) -> None:
    made(cloud, watch)
    found = stacks.propose(cloud, request(MANY), False, watch)

    assert found is not None
    assert [(c.action, c.resource) for c in found.changes][-1] == ("Remove", "Topic")
    assert len(found.changes) == 6


def test_a_change_set_without_changes_is_removed_at_once(aws: FakeAws, cloud: Cloud, watch: Watch) -> None:
    made(cloud, watch)

    assert stacks.propose(cloud, request(), False, watch) is None
    assert aws.change_sets == {}


def test_a_change_of_outputs_alone_waits_to_be_carried_out(aws: FakeAws, cloud: Cloud, watch: Watch) -> None:
    made(cloud, watch)
    text = ONE + "Outputs: {Topic: {Value: !Ref Topic}}\n"
    found = stacks.propose(cloud, request(text), False, watch)

    assert found is not None
    assert found.changes == ()
    assert stacks.execute(cloud, found, watch).status == "UPDATE_COMPLETE"
    assert stacks.read_template(cloud, "flights-pipeline") == text


def test_a_failed_stack_names_the_resource_and_its_reason(aws: FakeAws, cloud: Cloud, watch: Watch) -> None:
    aws.stack_failures["Topic"] = "no right to make topics"

    with pytest.raises(DeployError, match=r"ROLLBACK_COMPLETE: Topic \(AWS::SNS::Topic\): no right to make topics"):
        made(cloud, watch)


def test_an_unknown_parameter_is_an_error_in_cloudformations_words(cloud: Cloud, watch: Watch) -> None:
    wrong = StackRequest("flights-pipeline", ONE, {"Weeks": "1"}, {})

    with pytest.raises(AwsError, match=r"the change set cannot be made.*Weeks"):
        stacks.propose(cloud, wrong, True, watch)


def test_a_removed_stack_is_gone(cloud: Cloud, watch: Watch) -> None:
    stacks.delete(cloud, made(cloud, watch), watch)

    assert stacks.read_stack(cloud, "flights-pipeline") is None


def test_a_stack_that_never_ends_is_given_up(aws: FakeAws, cloud: Cloud, watch: Watch) -> None:
    aws.stack_looks = 10**6

    with pytest.raises(DeployError, match="no end after 60 minutes"):
        made(cloud, watch)


def test_a_denied_call_says_what_was_done(aws: FakeAws, cloud: Cloud) -> None:
    aws.broken.add("DescribeStacks")

    with pytest.raises(AwsError, match="stack flights-pipeline cannot be described: not authorized"):
        stacks.read_outputs(cloud, "flights-pipeline")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), FakeError("AccessDenied", "not allowed", 403)])
def test_a_review_that_is_broken_off_leaves_no_change_set(
    aws: FakeAws, cloud: Cloud, watch: Watch, error: BaseException
) -> None:
    """CloudFormation lets none go that it is working out: it is asked again until it does."""
    made(cloud, watch)
    describe, answers = aws._on_describe_change_set, [error, "CREATE_IN_PROGRESS", "CREATE_IN_PROGRESS"]

    def interrupted(given: dict[str, object]) -> dict[str, object]:
        answer = answers.pop(0) if answers else None
        if isinstance(answer, BaseException):
            raise answer
        return {**describe(given), **({"Status": answer} if answer else {})}

    aws._on_describe_change_set = interrupted  # type: ignore[method-assign]
    with pytest.raises((KeyboardInterrupt, AwsError)):
        stacks.propose(cloud, request(days="10"), False, watch)
    assert aws.change_sets == {}
    assert answers == []
