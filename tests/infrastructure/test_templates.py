"""What the templates promise, read off them as CloudFormation would render them, in every variant.

The emulator does not apply all of it (docs/decisions/004), and an account is not at hand: so it is asserted here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from rendered_template import ACCOUNT, BASIC, CONFIG, GIVEN, policies, render, resource_policies, variants

from lambda_trigger.turns import OVERDUE
from pipelines import deployment
from pipelines.deploy_plan import USED
from pipelines.lambda_package import RUNTIME
from steps import contract

PIPELINE = "pipeline.yml"
TEMPLATES = tuple(BASIC)
FUNCTIONS = (*contract.LAMBDAS, *deployment.EVENT_LAMBDAS)
ROLE_LIMIT, POLICY_LIMIT = 10_240, 6_144
"""Characters of a role's inline policies and of a managed policy, white space aside
(https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)."""


def of_type(rendered: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    found = {name: r for name, r in rendered["Resources"].items() if r["Type"] == f"AWS::{kind}"}
    return {name: resource["Properties"] for name, resource in found.items()}


def every(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every resource of a type in every variant of both templates."""
    for name in TEMPLATES:
        for title, rendered in variants(name).items():
            yield from ((f"{name} {title} {key}", found) for key, found in of_type(rendered, kind).items())


def made() -> dict[str, Any]:
    return variants(PIPELINE)["made"]


def given(name: str = PIPELINE, **parameters: str) -> dict[str, Any]:
    return render(CONFIG / name, {**BASIC[name], **parameters})


def test_buckets_are_encrypted_versioned_private_and_owned() -> None:
    found = dict(every("S3::Bucket"))

    assert {name.rpartition(" ")[2] for name in found} == {"RawBucket", "ArtifactBucket", "DeployBucket"}
    for name, bucket in found.items():
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] in ("AES256", "aws:kms"), name
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert len(bucket["PublicAccessBlockConfiguration"]) == 4, name
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}, name
        assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}], name


def test_buckets_with_their_policies_images_and_key_outlive_their_stack_but_not_a_making_that_failed() -> None:
    kept = {"AWS::S3::Bucket", "AWS::S3::BucketPolicy", "AWS::ECR::Repository", "AWS::KMS::Key"}
    for name in TEMPLATES:
        for resource in variants(name)["made"]["Resources"].values():
            if resource["Type"] in kept:
                assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == (
                    "RetainExceptOnCreate",
                    "Retain",
                )


def test_every_bucket_refuses_what_is_not_encrypted_on_its_way() -> None:
    for name in TEMPLATES:
        rendered = variants(name)["made"]
        guarded = {p["Bucket"]: p["PolicyDocument"] for p in of_type(rendered, "S3::BucketPolicy").values()}
        assert set(guarded) == {bucket["BucketName"] for bucket in of_type(rendered, "S3::Bucket").values()}
        for bucket, document in guarded.items():
            (statement,) = document["Statement"]
            assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
            assert statement["Resource"] == [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
            assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_a_given_key_encrypts_the_buckets() -> None:
    for name in TEMPLATES:
        for bucket in of_type(given(name, ExistingKeyArn="arn:k"), "S3::Bucket").values():
            (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
            assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "arn:k"}


def test_objects_of_executions_expire_and_nothing_that_others_need() -> None:
    """Registry, code, settings, manifests and the newest predictions stay; claims outlive every retry of an event."""
    rules = of_type(given(RetentionDays="120"), "S3::Bucket")["ArtifactBucket"]["LifecycleConfiguration"]["Rules"]
    expiring = {rule["Prefix"]: int(rule["ExpirationInDays"]) for rule in rules if "ExpirationInDays" in rule}

    assert expiring == {"Flights/executions/": 120, "Flights/claims/": 400}
    for name, bucket in every("S3::Bucket"):
        for rule in bucket["LifecycleConfiguration"]["Rules"]:
            assert rule["Status"] == "Enabled", name
            assert "Prefix" in rule or "ExpirationInDays" not in rule, name


def test_raw_files_never_expire() -> None:
    rules = of_type(made(), "S3::Bucket")["RawBucket"]["LifecycleConfiguration"]["Rules"]

    assert [rule for rule in rules if "ExpirationInDays" in rule] == []


def test_images_in_use_are_out_of_reach_of_the_rule_that_expires_images() -> None:
    repositories = of_type(variants("cicd.yml")["made"], "ECR::Repository")
    assert len(repositories) == len(deployment.IMAGES)
    for repository in repositories.values():
        first, second = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
        assert first["rulePriority"] < second["rulePriority"]
        assert first["selection"]["tagPrefixList"] == [USED]
        assert first["selection"]["countType"] == "imageCountMoreThan"
        assert second["selection"]["tagStatus"] == "any"
        assert repository["ImageTagMutability"] == "IMMUTABLE"
        assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}


def test_mails_queues_and_logs_are_encrypted_with_the_customers_key() -> None:
    for rendered, key in ((made(), None), (given(ExistingKeyArn="arn:k"), "arn:k")):
        own = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012"
        wanted = {key or own}
        topics, queues = of_type(rendered, "SNS::Topic"), of_type(rendered, "SQS::Queue")
        assert {x["KmsMasterKeyId"] for x in (*topics.values(), *queues.values())} == wanted
        assert {x["KmsKeyId"] for x in of_type(rendered, "Logs::LogGroup").values()} == wanted
        assert bool(of_type(rendered, "KMS::Key")) is (key is None)


def test_the_key_admits_whoever_publishes_without_a_role_of_this_account() -> None:
    policy = dict(resource_policies(made()))["Key"]
    services = {s["Principal"].get("Service"): s for s in policy["Statement"]}

    assert set(services) == {None, "cloudwatch.amazonaws.com", "events.amazonaws.com", "logs.us-east-1.amazonaws.com"}
    for service in ("cloudwatch.amazonaws.com", "events.amazonaws.com"):
        assert set(services[service]["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey"}
    assert services["cloudwatch.amazonaws.com"]["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    assert "Condition" not in services["events.amazonaws.com"]
    assert of_type(made(), "KMS::Key")["Key"]["EnableKeyRotation"] is True


def test_the_two_rules_catch_markers_and_executions_that_did_not_succeed() -> None:
    rules = of_type(made(), "Events::Rule")
    assert contract.is_marker("day/x.run")
    marker, status = rules["MarkerRule"]["EventPattern"], rules["StatusRule"]["EventPattern"]

    assert marker["detail"]["object"] == {"key": [{"suffix": ".run"}]}
    assert marker["detail"]["bucket"] == {"name": [of_type(made(), "S3::Bucket")["RawBucket"]["BucketName"]]}
    assert status["detail"]["currentPipelineExecutionStatus"] == ["Failed", "Stopped", "CompletedWithFailures"]
    names = {contract.pipeline_name(name, mode) for name in ("Flights", "flights") for mode in contract.MODES}
    assert {arn.rpartition("/")[2] for arn in status["detail"]["pipelineArn"]} == names
    for rule in rules.values():
        (target,) = rule["Targets"]
        assert target["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400}
        assert target["DeadLetterConfig"]["Arn"].endswith(":Flights-undelivered-events")


def test_functions_are_what_the_definition_and_the_events_call() -> None:
    found = {f["FunctionName"]: f for f in of_type(made(), "Lambda::Function").values()}

    assert set(found) == {contract.function_name("Flights", name) for name in FUNCTIONS}
    for name in FUNCTIONS:
        function = found[contract.function_name("Flights", name)]
        assert function["Handler"] == f"lambda_trigger.{name}.handler"
        assert function["Role"] == f"arn:aws:iam::{ACCOUNT}:role/Flights-{name}"
        assert function["Runtime"] == RUNTIME
        assert function["Timeout"] <= (OVERDUE.total_seconds() if name == "trigger" else 600)  # a step waits no longer
        assert "ReservedConcurrentExecutions" not in function


def test_concurrency_is_reserved_only_where_it_is_set() -> None:
    functions = of_type(given(TriggerConcurrency="1"), "Lambda::Function")

    assert {
        n: f["ReservedConcurrentExecutions"] for n, f in functions.items() if "ReservedConcurrentExecutions" in f
    } == {"TriggerFunction": "1"}


def test_logs_are_kept_as_long_as_the_config_says() -> None:
    for name in TEMPLATES:
        groups = of_type(given(name, LogRetentionDays="30"), "Logs::LogGroup")
        assert {group["RetentionInDays"] for group in groups.values()} == {"30"}
    functions = {g["LogGroupName"].rpartition("/")[2] for g in of_type(made(), "Logs::LogGroup").values()}
    assert functions == {contract.function_name("Flights", name) for name in FUNCTIONS}


def test_everything_that_can_fail_unseen_has_an_alarm_that_mails() -> None:
    alarms = of_type(made(), "CloudWatch::Alarm").values()
    watched = {(alarm["MetricName"], dimension["Value"]) for alarm in alarms for dimension in alarm["Dimensions"]}

    assert watched == {
        *(("Errors", contract.function_name("Flights", name)) for name in FUNCTIONS),
        ("ApproximateNumberOfMessagesVisible", "Flights-undelivered-events"),
        ("ApproximateNumberOfMessagesVisible", "Flights-failed-events"),
        ("MailsNotSent", "Flights"),
    }
    for alarm in alarms:
        assert [arn.rpartition(":")[2] for arn in alarm["AlarmActions"]] == ["Flights-mails"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_role_is_bounded_where_a_boundary_is_given(name: str) -> None:
    roles = of_type(given(name, PermissionsBoundary="arn:b"), "IAM::Role")

    assert roles
    assert {role["PermissionsBoundary"] for role in roles.values()} == {"arn:b"}
    assert all("PermissionsBoundary" not in role for role in of_type(variants(name)["made"], "IAM::Role").values())


def test_roles_are_assumed_by_one_service_each_and_by_sagemaker_for_this_account_only() -> None:
    for name, role in every("IAM::Role"):
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        (kind,) = statement["Principal"]
        assert (kind, statement["Action"]) == ("Service", "sts:AssumeRole"), name
        bound = statement.get("Condition") == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
        assert bound is (statement["Principal"]["Service"] == "sagemaker.amazonaws.com"), name


def test_no_role_has_a_managed_policy_of_aws_or_every_action_of_a_service() -> None:
    for name, role in every("IAM::Role"):
        assert "ManagedPolicyArns" not in role, name
    for template_name in TEMPLATES:
        for rendered in variants(template_name).values():
            for name, document in policies(rendered):
                actions = [a for s in document["Statement"] for a in s["Action"]]
                assert [a for a in actions if a.endswith(":*") or a == "*"] == [], name


def test_policies_fit_their_limits_with_the_longest_names() -> None:
    longest = {
        PIPELINE: {"ExistingRawBucket": "r" * 63, "ExistingArtifactBucket": "a" * 63},
        "cicd.yml": {"ExistingArtifactBucket": "a" * 63},
    }
    for name in TEMPLATES:
        names = {"PipelineName": "P" * 40, "LowerName": "p" * 40, "ExistingKeyArn": GIVEN[name]["ExistingKeyArn"]}
        rendered = render(CONFIG / name, {**BASIC[name], **longest[name], **names})
        managed = {p["ManagedPolicyName"] for p in of_type(rendered, "IAM::ManagedPolicy").values()}
        for title, document in policies(rendered):
            size = len(json.dumps(document, separators=(",", ":")))
            assert size <= (POLICY_LIMIT if title in managed else ROLE_LIMIT), title


def test_what_exists_already_is_not_made() -> None:
    rendered = variants(PIPELINE)["given"]

    assert of_type(rendered, "S3::Bucket") == of_type(rendered, "IAM::Role") == of_type(rendered, "KMS::Key") == {}
    assert rendered["Outputs"]["RawBucketName"] == "our-raw"
    assert rendered["Outputs"]["JobRoleArn"].endswith(":role/our-job")


def test_outputs_are_those_that_the_commands_fill_into_the_settings() -> None:
    deployment.pipeline_outputs(made()["Outputs"])
    deployment.cicd_outputs(variants("cicd.yml")["made"]["Outputs"])

    assert set(made()["Outputs"]) == set(deployment.PipelineStack.__annotations__)
    assert set(variants("cicd.yml")["made"]["Outputs"]) == set(deployment.CicdStack.__annotations__)


def test_codepipeline_comes_with_a_repository_and_reads_it_either_way() -> None:
    connected = of_type(variants("cicd.yml")["given"], "CodePipeline::Pipeline")["CodePipeline"]
    committed = of_type(given("cicd.yml", Repository="project"), "CodePipeline::Pipeline")["CodePipeline"]

    assert of_type(variants("cicd.yml")["made"], "CodePipeline::Pipeline") == {}
    assert source(connected)["Provider"] == "CodeStarSourceConnection"
    assert source(committed)["Provider"] == "CodeCommit"


def source(pipeline: Mapping[str, Any]) -> dict[str, Any]:
    (action,) = pipeline["Stages"][0]["Actions"]
    found: dict[str, Any] = action["ActionTypeId"]
    return found
