"""Checks of the service itself that cost next to nothing: no execution of the pipeline, at most one small job each."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError
from smoke_findings import Finding, World, held, unknown

from pipelines.aws.cloud import error_code, error_message
from pipelines.aws.subscriptions import list_addresses

POLL = 15.0
LONGEST = 1800.0
CEILING = 50
LETTER, LETTERS = "é", 800
"""1,600 bytes of UTF-8: more than the 1,024 that may become an ExitMessage."""
FAIL = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "smoke test"}}


def definition(*steps: dict[str, Any]) -> str:
    """Return a pipeline definition of these steps."""
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": list(steps)})


def make_pipeline(world: World, text: str) -> str:
    """Create a pipeline for one check; return its name."""
    name = world.scratch
    world.client("sagemaker").create_pipeline(
        PipelineName=name,
        PipelineDefinition=text,
        RoleArn=world.desk.stack.PipelineRoleArn,
        ClientRequestToken=name.rjust(32, "0"),
    )
    return name


def remove_pipeline(world: World) -> None:
    """Remove the pipeline of a check if it is there."""
    try:
        world.client("sagemaker").delete_pipeline(
            PipelineName=world.scratch, ClientRequestToken=world.scratch.rjust(32, "0")
        )
    except ClientError as error:
        if error_code(error) != "ResourceNotFound":
            raise


def step_ceiling(world: World) -> Finding:
    """Create a pipeline of 51 steps, which nobody starts."""
    steps = [{**FAIL, "Name": f"Stop{number}"} for number in range(CEILING + 1)]
    try:
        make_pipeline(world, definition(*steps))
    except ClientError as error:
        return held("step" in error_message(error).lower(), f"51 steps are refused: {error_message(error)}")
    remove_pipeline(world)
    return held(False, "51 steps are accepted; raise step_ceiling in the config")


def repeated_token(world: World) -> Finding:
    """Start a pipeline of one Fail step twice with one token."""
    name = make_pipeline(world, definition(FAIL))
    try:
        found = {
            world.client("sagemaker").start_pipeline_execution(
                PipelineName=name, ClientRequestToken=world.scratch.rjust(32, "0")
            )["PipelineExecutionArn"]
            for _ in range(2)
        }
    finally:
        remove_pipeline(world)
    return held(len(found) == 1, f"two starts with one token gave {len(found)} execution(s)")


def listed_at_once(world: World) -> Finding:
    """Start a pipeline of one Fail step, and list its executions without waiting."""
    sagemaker, name = world.client("sagemaker"), make_pipeline(world, definition(FAIL))
    try:
        token = f"{world.scratch}-listed".rjust(32, "0")
        made = sagemaker.start_pipeline_execution(PipelineName=name, ClientRequestToken=token)["PipelineExecutionArn"]
        found = sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]
    finally:
        remove_pipeline(world)
    right = made in [summary["PipelineExecutionArn"] for summary in found]
    return held(right, f"the list right after the start has {len(found)} execution(s)")


def job_arguments(world: World, name: str, code: str) -> dict[str, Any]:
    """Return the request of a processing job that runs a line of Python in the processing image."""
    return {
        "ProcessingJobName": f"pipelines-{name}",
        "RoleArn": world.desk.stack.JobRoleArn,
        "AppSpecification": {"ImageUri": world.seen["image"], "ContainerEntrypoint": ["python3", "-c", code]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 10}
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 900},
    }


def run_job(world: World, arguments: dict[str, Any]) -> dict[str, Any]:
    """Run a processing job to its end; return its description."""
    sagemaker, name = world.client("sagemaker"), arguments["ProcessingJobName"]
    sagemaker.create_processing_job(**arguments)
    for _ in range(int(LONGEST / POLL)):
        found: dict[str, Any] = sagemaker.describe_processing_job(ProcessingJobName=name)
        if found["ProcessingJobStatus"] in ("Completed", "Failed", "Stopped"):
            return found
        world.pause(POLL)
    sagemaker.stop_processing_job(ProcessingJobName=name)
    return found


def empty_prefix(world: World) -> Finding:
    """Give a job an input prefix that holds nothing; its code would write a message if it ran."""
    arguments = job_arguments(world, f"{world.token}-empty", "open('/opt/ml/output/message','w').write('started')")
    bucket = world.desk.stack.ArtifactBucketName
    source = {
        "S3Uri": f"s3://{bucket}/{world.desk.pipeline}/executions/{world.scratch}/nothing/",
        "LocalPath": "/opt/ml/processing/input/nothing",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    found = run_job(world, {**arguments, "ProcessingInputs": [{"InputName": "nothing", "S3Input": source}]})
    failed = found["ProcessingJobStatus"] == "Failed" and found.get("ExitMessage") != "started"
    return held(failed, f"the job is {found['ProcessingJobStatus']}: {found.get('FailureReason', '')[:200]}")


def exit_message(world: World) -> Finding:
    """Let a job fail with a message longer than the limit, in UTF-8."""
    text = f"'{LETTER}'*{LETTERS}"  # written out it would exceed the 256 characters of an argument
    code = f"open('/opt/ml/output/message','w',encoding='utf-8').write({text}); raise SystemExit(1)"
    found = run_job(world, job_arguments(world, f"{world.token}-message", code))
    text = found.get("ExitMessage", "")
    right = bool(text) and (LETTER * LETTERS).startswith(text.rstrip("\ufffd")) and len(text.encode()) <= 1027
    return held(right, f"ExitMessage has {len(text)} characters, {len(text.encode())} bytes")


def group_with_versions(world: World) -> Finding:
    """Try to delete a group that holds a version; the group is the check's own."""
    sagemaker, name = world.client("sagemaker"), world.scratch
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    container = {"Image": world.seen["image"]}
    arn = ""
    try:
        arn = sagemaker.create_model_package(
            ModelPackageGroupName=name,
            ClientToken=world.token,
            ModelApprovalStatus="PendingManualApproval",
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )["ModelPackageArn"]
        sagemaker.delete_model_package_group(ModelPackageGroupName=name)
    except ClientError as error:
        return held(bool(arn), f"deleting a group with a version: {error_message(error)}")
    finally:
        if arn:
            sagemaker.delete_model_package(ModelPackageName=arn)
        _delete_group(world, name)
    return held(False, "a group with a version was deleted")


def _delete_group(world: World, name: str) -> None:
    try:
        world.client("sagemaker").delete_model_package_group(ModelPackageGroupName=name)
    except ClientError as error:
        world.say(f"model package group {name} is left: {error_message(error)}")


def lambda_concurrency(world: World) -> Finding:
    """Read how many functions may run at once in the account."""
    limit = world.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    if limit >= 100:
        return unknown(f"this account may run {limit} at once; it is no new one, reserved concurrency works here")
    return held(limit <= 10, f"this account may run {limit} at once")


def trigger_rights(world: World) -> Finding:
    """Simulate what the trigger's role may do: what it needs, and what it must not."""
    stack, name = world.desk.stack, world.desk.pipeline
    role = f"arn:{world.desk.cloud.partition}:iam::{world.desk.cloud.account}:role/{name}-trigger"
    bucket = f"arn:{world.desk.cloud.partition}:s3:::{stack.RawBucketName}"
    wanted = {
        ("s3:GetObject", f"{bucket}/a/x.run"): True,
        ("s3:GetObject", f"{bucket}/a/train.csv"): False,
        ("s3:DeleteObject", f"{bucket}/a/x.run"): False,
        ("sns:Publish", stack.TopicArn): True,
    }
    wrong = [
        f"{action} on {arn}"
        for (action, arn), allowed in wanted.items()
        if _may(world, role, action, arn) is not allowed
    ]
    return held(not wrong, "; ".join(wrong) or f"{len(wanted)} questions answered as the policy says")


def _may(world: World, role: str, action: str, arn: str) -> bool:
    found = world.client("iam").simulate_principal_policy(
        PolicySourceArn=role, ActionNames=[action], ResourceArns=[arn]
    )
    return bool(found["EvaluationResults"][0]["EvalDecision"] == "allowed")


def confirmed_subscriptions(world: World) -> Finding:
    """Read who has confirmed to get mails."""
    found = list_addresses(world.desk.cloud, world.desk.stack.TopicArn)
    waiting = [item.address for item in found if item.arn is None]
    if not found:
        return unknown("nobody is subscribed; set notifications.emails and deploy")
    return held(not waiting, f"{len(found) - len(waiting)} of {len(found)} addresses have confirmed")


def codepipeline(world: World) -> Finding:
    """Read how the last deployment of the repository ended."""
    name = f"{world.desk.pipeline}-cicd"
    try:
        stages = world.client("codepipeline").get_pipeline_state(name=name)["stageStates"]
    except ClientError as error:
        return unknown(f"there is no CodePipeline {name} ({error_code(error)}); set cicd.repository")
    states = {stage["stageName"]: stage.get("latestExecution", {}).get("status", "none") for stage in stages}
    return held(set(states.values()) == {"Succeeded"}, ", ".join(f"{k} {v}" for k, v in states.items()))


def studio_link(world: World) -> Finding:
    """Show the link, which only a person in a browser can try."""
    return unknown(f"open it: {world.desk.execution_link(str(world.seen.get('first', 'ID')))}")
