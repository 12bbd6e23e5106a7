"""Each role has what its actor does and nothing else: recorded requests against the policy, in both directions.

For the functions, for people who run executions, and for whoever deploys. Roles in whose name a service acts on its
own are compared with docs/roles.md by `test_service_roles`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import operator_calls
import pytest
from deploy_calls import THEIR_BUCKET, deploy_calls, destroy_calls
from fake_answers import NUMBER, REGION
from lambda_calls import lambda_calls
from permissions import Need, Role, needs_of
from rendered_template import ARNS, CONFIG, policies, render

KEY = f"arn:aws:kms:{REGION}:{NUMBER}:key/theirs"
OWN_KEY = ARNS["AWS::KMS::Key"]
DEPLOY_BUCKET = f"arn:aws:s3:::flights-deploy-{NUMBER}-{REGION}"
SMALL = {"PipelineName": "flights", "LowerName": "flights"}
PACKAGE = {"CodeBucket": "b", "CodeKey": f"lambda/{'0' * 64}.zip"}
FUNCTIONS = ("trigger", "status", "notify", "check", "judge", "decide", "register")
BY_EVENTS = ("trigger", "status")
MAILING = ("trigger", "status", "notify")
PUSHING = (
    *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages"),
    *("ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"),
)
"""What `docker push`, and building upon an image that was pushed, need of a repository
(https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html)."""


def statements(template: str, role: str, **parameters: str) -> tuple[Mapping[str, Any], ...]:
    rendered = render(CONFIG / template, {**SMALL, **(PACKAGE if template == "pipeline.yml" else {}), **parameters})
    (found,) = [document["Statement"] for name, document in policies(rendered) if name == role]
    return tuple({**s, "Action": [s["Action"]] if isinstance(s["Action"], str) else s["Action"]} for s in found)


def using(key: str) -> Iterator[Need]:
    """Yield what it takes to read and write what a key encrypts: objects, messages to topic and queue."""
    yield from (Need(action, key) for action in ("kms:Decrypt", "kms:GenerateDataKey"))


def writing_log(group: str) -> Iterator[Need]:
    arn = f"arn:aws:logs:{REGION}:{NUMBER}:log-group:{group}:log-stream:x"
    yield from (Need(action, arn) for action in ("logs:CreateLogStream", "logs:PutLogEvents"))


def by_lambda(name: str) -> Iterator[Need]:
    """Yield what Lambda itself does with a function's role: its log, and the queue of what it could not handle."""
    yield from writing_log(f"/aws/lambda/flights-{name}")
    if name in BY_EVENTS:
        yield Need("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{NUMBER}:flights-failed-events")


def giving_up(bucket: str, name: str) -> Need:
    """Return what boto3 does when an artifact that it copies in parts cannot be copied as a whole."""
    return Need("s3:AbortMultipartUpload", f"arn:aws:s3:::{bucket}/{name}/registry/EWR/0/model.tar.gz")


def registering() -> Iterator[Need]:
    """Yield what the Model Registry does in the name of who registers: it looks up the image's digest.

    https://docs.aws.amazon.com/sagemaker/latest/dg/security-iam-awsmanpol-model-registry.html
    """
    arn = f"arn:aws:ecr:{REGION}:{NUMBER}:repository/flights-autogluon"
    yield from (Need(action, arn) for action in ("ecr:BatchGetImage", "ecr:DescribeImages"))


@functools.cache
def function_role(name: str, key: str = "") -> Role:
    needs = [need for request in recorded()[name] for need in needs_of(request)]
    needs += by_lambda(name)
    if name == "register":
        needs += [giving_up(f"flights-artifacts-{NUMBER}-{REGION}", "flights"), *registering()]
    if key or name in MAILING:
        needs += using(key or OWN_KEY)
    given = {"ExistingKeyArn": key} if key else {}
    return Role(statements("pipeline.yml", f"flights-{name}", **given), tuple(needs))


@functools.cache
def recorded() -> dict[str, Any]:
    return lambda_calls()


@functools.cache
def operator_role() -> Role:
    """The managed policy for people, with buckets and a key that exist already."""
    own = {"PipelineName": "Flights", "ExistingRawBucket": operator_calls.RAW, "ExistingKeyArn": KEY}
    found = statements("pipeline.yml", "Flights-operator", **own, ExistingArtifactBucket=operator_calls.ARTIFACTS)
    needs = [need for request in operator_calls.operator_calls() for need in needs_of(request)]
    elsewhere = [need for need in needs if need.arn.startswith("arn:aws:s3:::elsewhere")]  # registered by --model-data
    assert elsewhere
    ours = [need for need in needs if need not in elsewhere]
    return Role(found, (*ours, giving_up(operator_calls.ARTIFACTS, "Flights"), *registering(), *using(KEY)))


@functools.cache
def deploy_role() -> Role:
    needs = [need for request in deploy_calls() for need in needs_of(request)]
    found = statements("cicd.yml", "flights-deploy", ExistingKeyArn=KEY, ExistingRawBucket=THEIR_BUCKET)
    return Role(found, (*needs, *by_codebuild()))


def by_codebuild() -> Iterator[Need]:
    """Yield what CodeBuild and the programs that buildspec.yml calls do with the deploy role."""
    yield from writing_log("/aws/codebuild/flights-deploy")
    yield from using(KEY)
    yield from (Need(action, DEPLOY_BUCKET) for action in ("s3:GetBucketAcl", "s3:GetBucketLocation"))
    for action in ("s3:GetObject", "s3:GetObjectVersion"):  # the source, as CodePipeline hands it over
        yield Need(action, f"{DEPLOY_BUCKET}/flights-cicd/Source/abc")
    yield Need("ecr:GetAuthorizationToken", "*")  # docker login
    for repository in ("flights-processing", "flights-autogluon"):
        yield from (Need(action, f"arn:aws:ecr:{REGION}:{NUMBER}:repository/{repository}") for action in PUSHING)
    reports = f"arn:aws:codebuild:{REGION}:{NUMBER}:report-group/flights-deploy-tests"
    for action in ("CreateReportGroup", "CreateReport", "UpdateReport", "BatchPutTestCases"):
        yield Need(f"codebuild:{action}", reports)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("key", ["", KEY])
def test_a_function_may_do_what_it_does_and_no_more(name: str, key: str) -> None:
    role = function_role(name, key)

    assert role.denied() == []
    assert role.unused() == []


def test_who_runs_executions_may_do_what_the_commands_do_and_no_more() -> None:
    assert operator_role().denied() == []
    assert operator_role().unused() == []


def test_who_deploys_may_do_what_the_command_does_and_no_more() -> None:
    assert deploy_role().denied() == []
    assert deploy_role().unused() == []


def test_who_deploys_may_not_destroy() -> None:
    """CodePipeline deploys whatever is merged; taking a deployment away stays with an administrator."""
    allowed = deploy_role().statements
    away = {need for request in destroy_calls() for need in needs_of(request) if ":Delete" in need.action}

    denied = Role(allowed, tuple(away)).denied()
    may = {(need.action, need.arn.split("/")[1]) for need in away if need not in denied}
    assert {need.action for need in away} >= {"s3:DeleteBucket", "sagemaker:DeletePipeline", "ecr:DeleteRepository"}
    assert may == {
        ("cloudformation:DeleteStack", "flights-pipeline")
    }  # of a stack whose making failed; buckets, key and images outlive any


def test_a_missing_permission_and_one_too_many_are_found() -> None:
    """The two checks above can fail."""
    role = function_role("judge")
    (first, *others) = role.statements
    more = {"Sid": "More", "Effect": "Allow", "Action": ["s3:DeleteObject"], "Resource": "*"}

    assert {need.action for need in Role(tuple(others), role.needs).denied()} >= {"s3:GetObject"}
    assert Role((*role.statements, more), role.needs).unused() == ["More: s3:DeleteObject"]
    assert first["Sid"] == "ReadEvaluations"
