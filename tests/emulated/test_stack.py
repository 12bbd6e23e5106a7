"""The real template in an emulated account: each resource is asked of its own service, not of CloudFormation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from emulated_pipeline import NAME, TEMPLATE, Pipeline, make_stack, remove_stack, stack_parameters
from emulators import ACCOUNT, REGION, Server, client

from pipelines import deployment
from pipelines import template as templates
from pipelines.lambda_package import RUNTIME
from steps import contract

pytestmark = pytest.mark.slow

FUNCTIONS = (*contract.LAMBDAS, *deployment.EVENT_LAMBDAS)
UNKNOWN = "AWS::SageMaker::Pipeline"
"""A type of CloudFormation that ministack lacks."""
Reader = Callable[[Pipeline, str], Any]


def asked(service: str, operation: str, parameter: str, **more: Any) -> Reader:
    """Return what asks a service for a resource by its physical ID; the service refuses one that is not there."""
    return lambda pipeline, physical: getattr(pipeline.client(service), operation)(**{parameter: physical}, **more)


READERS: dict[str, Reader] = {
    "AWS::S3::Bucket": asked("s3", "head_bucket", "Bucket"),
    "AWS::KMS::Key": asked("kms", "describe_key", "KeyId"),
    "AWS::SNS::Topic": asked("sns", "get_topic_attributes", "TopicArn"),
    "AWS::SQS::Queue": asked("sqs", "get_queue_attributes", "QueueUrl"),
    "AWS::IAM::Role": asked("iam", "get_role", "RoleName"),
    "AWS::IAM::ManagedPolicy": asked("iam", "get_policy", "PolicyArn"),
    "AWS::Lambda::Function": asked("lambda", "get_function", "FunctionName"),
    "AWS::Events::Rule": asked("events", "describe_rule", "Name"),
}
OF_THEIR_OWN = {
    "AWS::S3::BucketPolicy": "test_buckets_are_private_versioned_and_refuse_what_is_not_encrypted_on_its_way",
    "AWS::Lambda::EventInvokeConfig": "test_what_an_event_function_cannot_handle_goes_to_a_queue",
    "AWS::Lambda::Permission": "test_each_rule_may_call_its_function_and_keeps_what_it_cannot_deliver",
    "AWS::Logs::LogGroup": "test_every_function_has_an_encrypted_log_that_expires",
    "AWS::CloudWatch::Alarm": "test_every_alarm_mails",
    "AWS::SNS::TopicPolicy": "test_only_alarms_of_this_pipeline_may_publish_by_the_policies_of_topic_and_queue",
    "AWS::SQS::QueuePolicy": "test_only_alarms_of_this_pipeline_may_publish_by_the_policies_of_topic_and_queue",
}
"""Types that have no request by physical ID, with the test that asks for them."""


def test_the_emulator_makes_every_type_of_the_template_and_refuses_what_it_does_not_know(aws: Server) -> None:
    """So nothing is left out: the fixture deploys the file as it is, and a type that is not made could not hide."""
    types = set(templates.resources(TEMPLATE.read_text(encoding="utf-8")).values())
    body = json.dumps({"Resources": {"Other": {"Type": UNKNOWN, "Properties": {}}}})

    assert types == {*READERS, *OF_THEIR_OWN}
    assert [name for name in OF_THEIR_OWN.values() if name not in globals()] == []
    with pytest.raises(ClientError, match=UNKNOWN):
        client(aws, "cloudformation").create_stack(StackName="other", TemplateBody=body)


def test_every_resource_is_there_when_its_own_service_is_asked(pipeline: Pipeline) -> None:
    made = {name: (kind, physical) for name, kind, physical in resources(pipeline)}
    for kind, physical in made.values():
        if kind in READERS:
            READERS[kind](pipeline, physical)

    assert set(made) == set(templates.resources(TEMPLATE.read_text(encoding="utf-8")))


def resources(pipeline: Pipeline, name: str = NAME) -> Iterator[tuple[str, str, str]]:
    """Yield logical name, type and physical ID of what the stack made."""
    pages = pipeline.client("cloudformation").get_paginator("list_stack_resources")
    for page in pages.paginate(StackName=deployment.pipeline_stack(name)):
        for found in page["StackResourceSummaries"]:
            yield found["LogicalResourceId"], found["ResourceType"], found["PhysicalResourceId"]


def physical(pipeline: Pipeline, kind: str) -> dict[str, str]:
    return {name: found for name, made, found in resources(pipeline) if made == kind}


def test_buckets_are_private_versioned_and_refuse_what_is_not_encrypted_on_its_way(pipeline: Pipeline) -> None:
    s3, outputs = pipeline.client("s3"), pipeline.outputs
    for bucket in (outputs.RawBucketName, outputs.ArtifactBucketName):
        blocked = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        owner = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
        (statement,) = json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
        encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]

        assert len(blocked) == 4
        assert set(blocked.values()) == {True}
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
        assert owner == [{"ObjectOwnership": "BucketOwnerEnforced"}]
        assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
        assert statement["Resource"] == [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert encryption[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_the_raw_bucket_alone_tells_the_bus_of_its_objects(pipeline: Pipeline) -> None:
    s3, outputs = pipeline.client("s3"), pipeline.outputs
    told = {
        bucket: "EventBridgeConfiguration" in s3.get_bucket_notification_configuration(Bucket=bucket)
        for bucket in (outputs.RawBucketName, outputs.ArtifactBucketName)
    }

    assert told == {outputs.RawBucketName: True, outputs.ArtifactBucketName: False}


def test_each_rule_may_call_its_function_and_keeps_what_it_cannot_deliver(pipeline: Pipeline) -> None:
    bus = pipeline.client("events")
    queue = queue_arn(pipeline, "undelivered-events")
    for rule, name in (("marker", "trigger"), ("status", "status")):
        found = bus.describe_rule(Name=f"{NAME}-{rule}")
        (target,) = bus.list_targets_by_rule(Rule=found["Name"])["Targets"]
        (allowed,) = policy(pipeline, name)["Statement"]

        assert found["State"] == "ENABLED"
        assert target["Arn"] == configuration(pipeline, name)["FunctionArn"]
        assert target["DeadLetterConfig"] == {"Arn": queue}
        assert target["RetryPolicy"]["MaximumRetryAttempts"] > 0
        assert (allowed["Principal"], allowed["Action"]) == (
            {"Service": "events.amazonaws.com"},
            "lambda:InvokeFunction",
        )
        assert allowed["Condition"]["ArnLike"]["AWS:SourceArn"] == found["Arn"]


def queue_arn(pipeline: Pipeline, name: str) -> str:
    """Return the ARN of one of the pipeline's queues, after asking SQS for it."""
    url = pipeline.client("sqs").get_queue_url(QueueName=f"{NAME}-{name}")["QueueUrl"]
    asked_for = pipeline.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(asked_for["Attributes"]["QueueArn"])


def policy(pipeline: Pipeline, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        pipeline.client("lambda").get_policy(FunctionName=contract.function_name(NAME, name))["Policy"]
    )
    return found


def configuration(pipeline: Pipeline, name: str) -> dict[str, Any]:
    found: dict[str, Any] = pipeline.client("lambda").get_function_configuration(
        FunctionName=contract.function_name(NAME, name)
    )
    return found


def test_what_an_event_function_cannot_handle_goes_to_a_queue(pipeline: Pipeline) -> None:
    for name in deployment.EVENT_LAMBDAS:
        found = pipeline.client("lambda").get_function_event_invoke_config(
            FunctionName=contract.function_name(NAME, name), Qualifier="$LATEST"
        )

        assert found["MaximumRetryAttempts"] == 2
        assert found["DestinationConfig"]["OnFailure"]["Destination"] == queue_arn(pipeline, "failed-events")


def test_every_function_runs_the_uploaded_package_in_its_own_role(pipeline: Pipeline) -> None:
    found = {name: configuration(pipeline, name) for name in FUNCTIONS}

    assert {name: f["Handler"] for name, f in found.items()} == {n: f"lambda_trigger.{n}.handler" for n in FUNCTIONS}
    assert {f["Runtime"] for f in found.values()} == {RUNTIME}
    assert {name: f["Role"] for name, f in found.items()} == {
        name: f"arn:aws:iam::{ACCOUNT}:role/{NAME}-{name}" for name in FUNCTIONS
    }
    assert len({f["CodeSha256"] for f in found.values()}) == 1


def test_the_functions_learn_where_they_are_from_their_environment(pipeline: Pipeline) -> None:
    outputs = pipeline.outputs
    known = {
        "TOPIC_ARN": outputs.TopicArn,
        "COMMAND_FLAGS": "--env test",
        "PIPELINE_NAME": NAME,
        "ARTIFACT_PREFIX": f"s3://{outputs.ArtifactBucketName}/{NAME}",
        "RAW_BUCKET": outputs.RawBucketName,
        "STUDIO_DOMAIN": "",
    }
    given = {name: configuration(pipeline, name).get("Environment", {}).get("Variables", {}) for name in FUNCTIONS}

    assert {"TOPIC_ARN", "PIPELINE_NAME", "ARTIFACT_PREFIX", "RAW_BUCKET"} <= set(given["trigger"])
    assert {"TOPIC_ARN", "PIPELINE_NAME", "ARTIFACT_PREFIX", "COMMAND_FLAGS", "STUDIO_DOMAIN"} <= set(given["status"])
    for variables in given.values():
        assert variables == {name: known[name] for name in variables}


def test_every_function_has_an_encrypted_log_that_expires(pipeline: Pipeline) -> None:
    found = pipeline.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{NAME}-")["logGroups"]
    kept = {group["logGroupName"]: (group["retentionInDays"], group["kmsKeyId"]) for group in found}

    assert kept == {f"/aws/lambda/{NAME}-{name}": (30, pipeline.outputs.KeyArn) for name in FUNCTIONS}


def test_every_alarm_mails(pipeline: Pipeline) -> None:
    found = pipeline.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{NAME}-")["MetricAlarms"]
    watched = {d["Value"] for alarm in found for d in alarm["Dimensions"]}

    assert {tuple(alarm["AlarmActions"]) for alarm in found} == {(pipeline.outputs.TopicArn,)}
    assert {alarm["AlarmName"] for alarm in found} == set(physical(pipeline, "AWS::CloudWatch::Alarm").values())
    assert {contract.function_name(NAME, name) for name in FUNCTIONS} <= watched
    assert {f"{NAME}-undelivered-events", f"{NAME}-failed-events"} <= watched


def test_only_alarms_of_this_pipeline_may_publish_by_the_policies_of_topic_and_queue(pipeline: Pipeline) -> None:
    outputs, sqs = pipeline.outputs, pipeline.client("sqs")
    topic = pipeline.client("sns").get_topic_attributes(TopicArn=outputs.TopicArn)["Attributes"]
    url = sqs.get_queue_url(QueueName=f"{NAME}-undelivered-events")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    (publishes,) = allowing(topic["Policy"])
    (sends,) = allowing(queue["Policy"])

    assert publishes["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert publishes["Resource"] == outputs.TopicArn
    assert publishes["Condition"]["ArnLike"]["aws:SourceArn"].endswith(f":{ACCOUNT}:alarm:{NAME}-*")
    assert sends["Condition"]["ArnEquals"]["aws:SourceArn"] == [
        f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{NAME}-{rule}" for rule in ("marker", "status")
    ]
    assert queue["KmsMasterKeyId"] == outputs.KeyArn


def allowing(document: str) -> list[dict[str, Any]]:
    return [statement for statement in json.loads(document)["Statement"] if statement["Effect"] == "Allow"]


def test_the_key_turns_every_year(pipeline: Pipeline) -> None:
    found = pipeline.client("kms").get_key_rotation_status(KeyId=pipeline.outputs.KeyArn)

    assert found["KeyRotationEnabled"] is True


def test_policies_name_what_the_stack_made(pipeline: Pipeline) -> None:
    """Rendered by a CloudFormation, not by our own reading of the template: nothing is left to resolve."""
    iam, outputs = pipeline.client("iam"), pipeline.outputs
    documents = {}
    for role in physical(pipeline, "AWS::IAM::Role").values():
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
            documents[role] = json.dumps(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"])

    assert set(documents) == {f"{NAME}-{actor}" for actor in (*FUNCTIONS, "job", "pipeline")}
    assert [role for role, text in documents.items() if "${" in text or "AWS::" in text or "Fn::" in text] == []
    assert f"arn:aws:s3:::{outputs.RawBucketName}/*.run" in documents[f"{NAME}-trigger"]
    assert outputs.JobRoleArn in documents[f"{NAME}-pipeline"]


def test_the_tags_of_the_stack_reach_what_takes_tags(pipeline: Pipeline) -> None:
    wanted = {"pipeline": NAME, "environment": "test"}
    arn = configuration(pipeline, "trigger")["FunctionArn"]
    role = pipeline.client("iam").list_role_tags(RoleName=f"{NAME}-job")["Tags"]
    topic = pipeline.client("sns").list_tags_for_resource(ResourceArn=pipeline.outputs.TopicArn)["Tags"]
    found = [
        pipeline.client("lambda").list_tags(Resource=arn)["Tags"],
        *({tag["Key"]: tag["Value"] for tag in tags} for tags in (role, topic)),
    ]

    assert [{key: tags.get(key) for key in wanted} for tags in found] == [wanted] * 3


def test_what_the_emulator_accepts_but_does_not_apply_is_known(pipeline: Pipeline) -> None:
    """These properties are proven by tests of the template alone. When the emulator learns one, assert it here."""
    s3, raw = pipeline.client("s3"), pipeline.outputs.RawBucketName
    topic = pipeline.client("sns").get_topic_attributes(TopicArn=pipeline.outputs.TopicArn)["Attributes"]

    assert "KmsMasterKeyId" not in topic
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        s3.get_bucket_lifecycle_configuration(Bucket=raw)
    with pytest.raises(ClientError, match="NoSuchTagSet"):
        s3.get_bucket_tagging(Bucket=raw)


def test_a_stack_with_everything_given_makes_none_of_it_and_can_be_removed(aws: Server, pipeline: Pipeline) -> None:
    """The other side of each condition."""
    code = configuration(pipeline, "trigger")["CodeSha256"]
    given = {
        **stack_parameters(pipeline.code),
        "PipelineName": "Other",
        "LowerName": "other",
        "ExistingRawBucket": "their-raw",
        "ExistingArtifactBucket": "their-artifacts",
        "ExistingJobRoleArn": f"arn:aws:iam::{ACCOUNT}:role/their-job",
        "ExistingPipelineRoleArn": f"arn:aws:iam::{ACCOUNT}:role/their-pipeline",
        "ExistingLambdaRoleArn": f"arn:aws:iam::{ACCOUNT}:role/their-functions",
        "ExistingKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000",
    }
    outputs = make_stack(aws, "Other", given)
    function = client(aws, "lambda").get_function_configuration(FunctionName="Other-trigger")
    types = {kind for _, kind, _ in resources(pipeline, "Other")}
    remove_stack(aws, "Other")

    assert types.isdisjoint({"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::IAM::Role", "AWS::KMS::Key"})
    assert (outputs["RawBucketName"], outputs["JobRoleArn"]) == ("their-raw", given["ExistingJobRoleArn"])
    assert (function["Role"], function["CodeSha256"]) == (given["ExistingLambdaRoleArn"], code)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client(aws, "lambda").get_function_configuration(FunctionName="Other-trigger")
