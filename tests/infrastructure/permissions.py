"""What a request needs of its caller's role: actions and ARNs, as the service authorization reference has them.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
`needs_of` knows every operation that the project calls; one that it does not know is an error, so that a new call
cannot pass unseen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fake_answers import NUMBER, REGION
from fake_aws import Request
from moto.iam.access_control import IAMPolicyStatement, PermissionResult

Given = Mapping[str, Any]
PASSED_TO = "iam:PassedToService"


@dataclass(frozen=True)
class Need:
    """An action on an ARN, with what a policy's conditions may ask about the request."""

    action: str
    arn: str
    context: tuple[tuple[str, str], ...] = ()


def needs_of(request: Request) -> list[Need]:
    """Return what a request needs."""
    return list(_RULES[request.service][request.operation](request.parameters))


def permits(statement: Mapping[str, Any], need: Need) -> bool:
    """Tell whether an allowing statement grants a need, its conditions included.

    moto takes a condition whose key the request does not have as met; `context` therefore names each key.
    """
    assert statement["Effect"] == "Allow"
    context = dict(need.context)
    asked = {key for test in statement.get("Condition", {}).values() for key in test}
    if not asked <= set(context):
        return False
    found = IAMPolicyStatement(statement).is_action_permitted(need.action, need.arn, None, context)
    return found is PermissionResult.PERMITTED


def _arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{NUMBER}:{rest}"


def _bucket(name: str) -> str:
    return f"arn:aws:s3:::{name}"


def _object(given: Given) -> str:
    return f"{_bucket(given['Bucket'])}/{given['Key']}"


def _read(given: Given) -> Iterator[Need]:
    """Reading an object; S3 says that one is missing only to who may list its bucket, and else denies access."""
    yield Need("s3:GetObjectVersion" if given.get("VersionId") else "s3:GetObject", _object(given))
    yield Need("s3:ListBucket", _bucket(given["Bucket"]))
    if given.get("VersionId"):
        yield Need("s3:ListBucketVersions", _bucket(given["Bucket"]))


def _copy(given: Given) -> Iterator[Need]:
    source = given["CopySource"]
    yield Need("s3:GetObject", f"{_bucket(source['Bucket'])}/{source['Key']}")
    yield Need("s3:PutObject", _object(given))


def _delete_objects(given: Given) -> Iterator[Need]:
    for item in given["Delete"]["Objects"]:
        action = "s3:DeleteObjectVersion" if item.get("VersionId") else "s3:DeleteObject"
        yield Need(action, f"{_bucket(given['Bucket'])}/{item['Key']}")


def _on_bucket(action: str) -> Callable[[Given], Iterator[Need]]:
    return lambda given: iter([Need(action, _bucket(given["Bucket"]))])


def _on_object(action: str) -> Callable[[Given], Iterator[Need]]:
    return lambda given: iter([Need(action, _object(given))])


_S3 = {
    "GetObject": _read,
    "HeadObject": _read,
    "PutObject": _on_object("s3:PutObject"),
    "DeleteObject": _on_object("s3:DeleteObject"),
    "CopyObject": _copy,
    "DeleteObjects": _delete_objects,
    "ListObjectsV2": _on_bucket("s3:ListBucket"),
    "ListObjectVersions": _on_bucket("s3:ListBucketVersions"),
    "HeadBucket": _on_bucket("s3:ListBucket"),
    "DeleteBucket": _on_bucket("s3:DeleteBucket"),
    "GetBucketNotificationConfiguration": _on_bucket("s3:GetBucketNotification"),
}


def _cased(name: str, pattern: str) -> Iterator[str]:
    """Yield an ARN with a name as it was given and in lower case: which one IAM compares is not documented."""
    yield from dict.fromkeys(_arn("sagemaker", pattern.format(form)) for form in (name, name.lower()))


def _pipeline(*actions: str) -> Callable[[Given], Iterator[Need]]:
    def rule(given: Given) -> Iterator[Need]:
        for arn in _cased(given["PipelineName"], "pipeline/{}"):
            yield from (Need(action, arn) for action in (*actions, *_tagging(given)))
        if "RoleArn" in given:
            yield _pass(given["RoleArn"], "sagemaker.amazonaws.com")

    return rule


def _tagging(given: Given) -> tuple[str, ...]:
    return ("sagemaker:AddTags",) if given.get("Tags") else ()


def _pass(role: str, service: str) -> Need:
    return Need("iam:PassRole", role, ((PASSED_TO, service),))


def _execution(action: str) -> Callable[[Given], Iterator[Need]]:
    return lambda given: iter([Need(action, given["PipelineExecutionArn"])])


def _group(*actions: str) -> Callable[[Given], Iterator[Need]]:
    def rule(given: Given) -> Iterator[Need]:
        for arn in _cased(given["ModelPackageGroupName"], "model-package-group/{}"):
            yield from (Need(action, arn) for action in (*actions, *_tagging(given)))

    return rule


def _group_and_versions(action: str) -> Callable[[Given], Iterator[Need]]:
    """An action for which the reference names the version, and the service's denials the group: both are needed."""

    def rule(given: Given) -> Iterator[Need]:
        for pattern in ("model-package-group/{}", "model-package/{}/1"):
            yield from (Need(action, arn) for arn in _cased(given["ModelPackageGroupName"], pattern))

    return rule


def _packages(action: str) -> Callable[[Given], Iterator[Need]]:
    def rule(given: Given) -> Iterator[Need]:
        names = given.get("ModelPackageArnList") or [given.get("ModelPackageArn") or given["ModelPackageName"]]
        yield from (Need(action, name) for name in names)

    return rule


def _job(action: str) -> Callable[[Given], Iterator[Need]]:
    return lambda given: iter([Need(action, _arn("sagemaker", f"processing-job/{given['ProcessingJobName']}"))])


_SAGEMAKER = {
    **{
        operation: _pipeline(f"sagemaker:{operation}")
        for operation in (
            *("CreatePipeline", "UpdatePipeline", "DescribePipeline", "DeletePipeline"),
            *("StartPipelineExecution", "ListPipelineExecutions"),
        )
    },
    **{
        operation: _execution(f"sagemaker:{operation}")
        for operation in (
            *("DescribePipelineExecution", "DescribePipelineDefinitionForExecution", "ListPipelineExecutionSteps"),
            *("ListPipelineParametersForExecution", "RetryPipelineExecution", "StopPipelineExecution"),
        )
    },
    **{
        operation: _group(f"sagemaker:{operation}")
        for operation in ("CreateModelPackageGroup", "DescribeModelPackageGroup")
    },
    **{
        operation: _group_and_versions(f"sagemaker:{operation}")
        for operation in ("CreateModelPackage", "ListModelPackages")
    },
    **{
        operation: _packages(f"sagemaker:{operation}")
        for operation in (
            *("DescribeModelPackage", "UpdateModelPackage", "DeleteModelPackage", "BatchDescribeModelPackage"),
        )
    },
    "ListModelPackageGroups": lambda given: iter([Need("sagemaker:ListModelPackageGroups", "*")]),
    "DescribeProcessingJob": _job("sagemaker:DescribeProcessingJob"),
    "AddTags": lambda given: iter([Need("sagemaker:AddTags", given["ResourceArn"])]),
    "ListTags": lambda given: iter([Need("sagemaker:ListTags", given["ResourceArn"])]),
}


def _on_topic(action: str) -> Callable[[Given], Iterator[Need]]:
    return lambda given: iter([Need(action, given["TopicArn"])])


def _unsubscribe(given: Given) -> Iterator[Need]:
    """The reference names the topic; the request has the subscription's ARN."""
    yield Need("sns:Unsubscribe", given["SubscriptionArn"].rpartition(":")[0])
    yield Need("sns:Unsubscribe", given["SubscriptionArn"])


_SNS = {
    "Publish": _on_topic("sns:Publish"),
    "Subscribe": _on_topic("sns:Subscribe"),
    "ListSubscriptionsByTopic": _on_topic("sns:ListSubscriptionsByTopic"),
    "Unsubscribe": _unsubscribe,
}


def _stack(action: str) -> Callable[[Given], Iterator[Need]]:
    def rule(given: Given) -> Iterator[Need]:
        name = given["StackName"]
        yield Need(action, name if name.startswith("arn:") else _arn("cloudformation", f"stack/{name}/0a1b2c3d"))
        if "RoleARN" in given:
            yield _pass(given["RoleARN"], "cloudformation.amazonaws.com")
        if "TemplateURL" in given:  # CloudFormation reads it with the caller's rights
            host, _, key = given["TemplateURL"].removeprefix("https://").partition("/")
            yield Need("s3:GetObject", f"{_bucket(host.partition('.')[0])}/{key}")

    return rule


_CLOUDFORMATION = {
    operation: _stack(f"cloudformation:{operation}")
    for operation in (
        *("CreateChangeSet", "DeleteChangeSet", "DescribeChangeSet", "ExecuteChangeSet"),
        *("DescribeStackEvents", "DescribeStacks", "GetTemplate", "DeleteStack"),
    )
}


def _repository(action: str) -> Callable[[Given], Iterator[Need]]:
    return lambda given: iter([Need(action, _arn("ecr", f"repository/{given['repositoryName']}"))])


def _repositories(given: Given) -> Iterator[Need]:
    for name in given["repositoryNames"]:
        yield Need("ecr:DescribeRepositories", _arn("ecr", f"repository/{name}"))


_ECR = {
    **{
        operation: _repository(f"ecr:{operation}")
        for operation in ("BatchDeleteImage", "BatchGetImage", "DeleteRepository", "DescribeImages", "PutImage")
    },
    "DescribeRepositories": _repositories,
}


def _builds(given: Given) -> Iterator[Need]:
    for number in given["ids"]:
        yield Need("codebuild:BatchGetBuilds", _arn("codebuild", f"project/{number.partition(':')[0]}"))


_CODEBUILD = {
    "StartBuild": lambda given: iter(
        [Need("codebuild:StartBuild", _arn("codebuild", f"project/{given['projectName']}"))]
    ),
    "BatchGetBuilds": _builds,
}
_RULES: Mapping[str, Mapping[str, Callable[[Given], Iterable[Need]]]] = {
    "s3": _S3,
    "sagemaker": _SAGEMAKER,
    "sns": _SNS,
    "cloudformation": _CLOUDFORMATION,
    "ecr": _ECR,
    "codebuild": _CODEBUILD,
}


@dataclass(frozen=True)
class Role:
    """A role's statements, and the needs of all that is done in its name."""

    statements: tuple[Mapping[str, Any], ...]
    needs: tuple[Need, ...]
    services: frozenset[str] = field(default=frozenset())

    def denied(self) -> list[Need]:
        """Return the needs that no statement grants."""
        wanted = dict.fromkeys(self.needs)
        return [need for need in wanted if not any(permits(statement, need) for statement in self.statements)]

    def unused(self) -> list[str]:
        """Return what is granted and never needed: Sid and action."""
        return [
            f"{statement['Sid']}: {action}"
            for statement in self.statements
            for action in statement["Action"]
            if not any(need.action == action and permits(statement, need) for need in self.needs)
        ]

    def __str__(self) -> str:
        """Return the statements for a failing test's message."""
        return json.dumps(self.statements, indent=1)
