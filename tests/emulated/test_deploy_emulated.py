"""`python -m pipelines.deploy` from an empty emulated account to a run, and again without changing anything."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from emulated_pipeline import CONFIG, NAME, Pipeline, first_start, parameters, upload
from emulators import ACCOUNT, REGION, ROOT, Server, client, ministack, moto
from operator_side import command
from recorder import Recorder, recording

from pipelines import deployment, image_tags
from pipelines.lambda_package import lambda_package
from steps import contract

pytestmark = pytest.mark.slow

ADDRESS = "team@example.com"
UNSIGNED = {"AUTH": "false"}
"""The recorder changes requests, so that their signatures are wrong; policies are judged in the other account."""
ONLY_LOOKS = re.compile("Describe|Get|List|BatchGet|BatchDescribe")


@dataclass(frozen=True)
class Account:
    """An account of its own, and the folder with the checkout that is deployed into it."""

    server: Server
    sagemaker: Recorder
    cloudformation: Recorder
    folder: Path

    def client(self, service: str) -> Any:
        return client(self.sagemaker.server if service == "sagemaker" else self.server, service)

    def deploy(self, *words: str, code: int = 0, **changes: Any) -> str:
        """Run the command with the config, changed where asked; return all that it said."""
        config = self.folder / "pipeline-config.yml"
        known = {**CONFIG, "notifications": {"emails": [ADDRESS]}, "tags": {"team": "delays"}}
        config.write_text(yaml.safe_dump({**known, **changes}), encoding="utf-8")
        endpoints = {
            "": self.server,
            "SAGEMAKER": self.sagemaker.server,
            "CLOUDFORMATION": self.cloudformation.server,
        }
        line = ("pipelines.deploy", "--config", str(config), "--build", "codebuild", *words)
        done = command(endpoints, self.folder, *line)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def outputs(self, stack: str) -> dict[str, str]:
        (found,) = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    folder = tmp_path_factory.mktemp("account")
    copy_checkout(folder)
    with (
        moto(folder) as behind,
        recording(behind) as sagemaker,
        ministack(folder, {"AWS_ENDPOINT_URL_SAGEMAKER": sagemaker.server.url, **UNSIGNED}) as server,
        recording(server, with_path_in_url) as cloudformation,
    ):
        yield Account(server, sagemaker, cloudformation, folder)


def copy_checkout(folder: Path) -> None:
    """Copy what is deployed, so that nobody who edits it meanwhile makes a second release of it."""
    for name in ("pipelines", "steps", "lambda_trigger", "containers", "config"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))


def with_path_in_url(body: bytes) -> bytes:
    """Return a request whose template's URL has the bucket in its path, the one form that ministack reads."""
    return re.sub(rb"https%3A%2F%2F([a-z0-9-]+)\.s3\.[a-z0-9-]+\.amazonaws\.com%2F", rb"http%3A%2F%2Fs3%2F\1%2F", body)


@pytest.fixture(scope="module")
def first(account: Account) -> str:
    """Deploy for the first time, the images being there already; return what the command said."""
    account.deploy("--cicd")
    for image, tag in image_tags.image_tags(account.folder).items():
        manifest = {"schemaVersion": 2, "config": {"digest": f"sha256:{tag * 4}"}, "layers": []}
        account.client("ecr").put_image(
            repositoryName=deployment.repository(NAME, image), imageManifest=json.dumps(manifest), imageTag=tag
        )
    return account.deploy()


@pytest.fixture(scope="module")
def pipeline(account: Account, first: str) -> Pipeline:
    """The pipeline as the command deployed it."""
    outputs = deployment.pipeline_outputs(account.outputs(deployment.pipeline_stack(NAME)))
    found = account.client("sagemaker").describe_pipeline(PipelineName=NAME)["PipelineDefinition"]
    return Pipeline(account.server, account.sagemaker, outputs, found, lambda_package(account.folder).key)


def test_an_account_without_the_cicd_stack_is_told_how_to_make_it(account: Account) -> None:
    said = account.deploy(code=2)

    assert "--cicd" in said
    assert NAME in said


def test_a_plan_before_the_first_deployment_makes_nothing(account: Account) -> None:
    account.deploy("--cicd", "--plan")
    stacks = account.client("cloudformation").describe_stacks()["Stacks"]

    assert [stack["StackName"] for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"] == []


def test_the_first_deployment_makes_stack_code_definition_groups_and_addresses(
    account: Account, pipeline: Pipeline
) -> None:
    made = account.client("sagemaker").describe_pipeline(PipelineName=NAME)
    groups = account.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
    mails = account.client("sns").list_subscriptions_by_topic(TopicArn=pipeline.outputs.TopicArn)["Subscriptions"]
    tags = account.client("sagemaker").list_tags(ResourceArn=made["PipelineArn"])["Tags"]

    assert made["RoleArn"] == pipeline.outputs.PipelineRoleArn
    assert {group["ModelPackageGroupName"] for group in groups} == {f"{NAME}-EWR", f"{NAME}-JFK"}
    assert [(mail["Protocol"], mail["Endpoint"]) for mail in mails] == [("email", ADDRESS)]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {
        "pipeline": NAME,
        "environment": "default",
        "team": "delays",
    }


def test_the_definition_names_images_by_digest_and_code_that_was_uploaded(account: Account, pipeline: Pipeline) -> None:
    repositories = "|".join(deployment.repository(NAME, image) for image in deployment.IMAGES)
    images = set(re.findall(rf"{ACCOUNT}\.dkr\.ecr\.{REGION}\.amazonaws\.com/[^\"]+", pipeline.definition))
    bundles = set(re.findall(rf"{NAME}/((?:code|settings)/[a-z0-9A-Z/-]+)", pipeline.definition))
    uploaded = pipeline.keys("")

    assert len(images) == 2
    assert [image for image in images if not re.search(rf"/(?:{repositories})@sha256:[0-9a-f]{{64}}$", image)] == []
    assert bundles
    assert [bundle for bundle in bundles if not any(key.startswith(f"{bundle}/") for key in uploaded)] == []


def test_images_in_use_are_marked_so_that_they_do_not_expire(account: Account, pipeline: Pipeline) -> None:
    for image, tag in image_tags.image_tags(account.folder).items():
        (found,) = account.client("ecr").describe_images(repositoryName=deployment.repository(NAME, image))[
            "imageDetails"
        ]

        assert set(found["imageTags"]) == {tag, "used-" + found["imageDigest"].removeprefix("sha256:")[:12]}


def test_a_second_apply_changes_nothing_and_says_so(account: Account, pipeline: Pipeline) -> None:
    before = everything(account)
    account.sagemaker.requests.clear()
    account.cloudformation.requests.clear()
    said = account.deploy()

    assert "nothing" in said.splitlines()[-1]
    assert everything(account) == before
    asked = [name for recorder in (account.sagemaker, account.cloudformation) for name, _ in recorder.requests]
    assert [name for name in asked if not ONLY_LOOKS.match(name)] == []
    assert asked


def test_a_second_apply_of_the_cicd_stack_changes_nothing_either(account: Account, pipeline: Pipeline) -> None:
    before = everything(account)
    said = account.deploy("--cicd")

    assert "nothing" in said.splitlines()[-1]
    assert everything(account) == before


def test_a_plan_shows_changes_and_makes_none_and_the_apply_makes_only_those(
    account: Account, pipeline: Pipeline
) -> None:
    before = everything(account)
    changes: dict[str, Any] = {"gate": {"mae": 25}, "log_retention_days": 365}
    planned = account.deploy("--plan", **changes)
    still = everything(account)
    account.sagemaker.requests.clear()
    account.deploy(**changes)
    after = everything(account)
    groups = account.client("logs").describe_log_groups(logGroupNamePrefix=f"/aws/lambda/{NAME}-")["logGroups"]

    assert "LogRetentionDays: 90 -> 365" in planned
    assert re.search(f"{contract.MAE_THRESHOLD}.*20.*25", planned)
    assert still == before
    assert [name for name, _ in account.sagemaker.requests if not ONLY_LOOKS.match(name)] == [
        "UpdatePipeline",  # both pipelines read the settings of the gate
        "UpdatePipeline",
    ]
    assert {group["retentionInDays"] for group in groups} == {365}
    assert [name for name in ("functions", "images", "groups", "subscriptions") if after[name] != before[name]] == []


def everything(account: Account) -> dict[str, Any]:
    """Return all that a deployment could change, with the times at which it was changed."""
    cloudformation, sagemaker = account.client("cloudformation"), account.client("sagemaker")
    described = sagemaker.describe_pipeline(PipelineName=NAME)
    stacks = [deployment.pipeline_stack(NAME), deployment.cicd_stack(NAME)]
    functions = account.client("lambda").list_functions()["Functions"]
    return {
        "definition": described["PipelineDefinition"],
        "pipeline": described["LastModifiedTime"],
        "groups": sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"],
        "stacks": [cloudformation.describe_stacks(StackName=name)["Stacks"] for name in stacks],
        "events": [cloudformation.describe_stack_events(StackName=name)["StackEvents"] for name in stacks],
        "change sets": [cloudformation.list_change_sets(StackName=name)["Summaries"] for name in stacks],
        "functions": [(f["FunctionName"], f["CodeSha256"], f["LastModified"]) for f in functions],
        "objects": list(objects(account.client("s3"))),
        "images": [list(images(account, image)) for image in deployment.IMAGES],
        "subscriptions": account.client("sns").list_subscriptions()["Subscriptions"],
    }


def objects(s3: Any) -> Iterator[tuple[str, str, str]]:
    """Yield every version of every object; uploading the same again would make one more."""
    for bucket in s3.list_buckets()["Buckets"]:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket["Name"]):
            for found in page.get("Versions", ()):
                yield bucket["Name"], found["Key"], found["VersionId"]


def images(account: Account, image: str) -> Iterator[tuple[str, list[str]]]:
    found = account.client("ecr").describe_images(repositoryName=deployment.repository(NAME, image))
    for details in found["imageDetails"]:
        yield details["imageDigest"], sorted(details["imageTags"])


def test_a_marker_starts_what_was_deployed(pipeline: Pipeline) -> None:
    uri = upload(pipeline, "daily")
    pipeline.put("daily/x.run")

    assert parameters(first_start(pipeline, uri))[contract.RAW_DATA_URI] == uri


def test_destroying_leaves_the_users_data_until_it_is_told_to_take_them(account: Account, pipeline: Pipeline) -> None:
    """The last test of this account."""
    pipeline.put("daily/train.csv", "1")
    told = account.deploy("--destroy", "--plan")
    before = everything(account)
    account.deploy("--destroy", code=2)
    unanswered = everything(account)
    account.deploy("--destroy", "--yes")
    kept = buckets(account)
    account.deploy("--destroy", "--yes", "--data")
    left = buckets(account)
    account.deploy("--destroy", "--cicd", "--images", "--yes")

    assert NAME in told
    assert unanswered == before
    assert pipeline.outputs.RawBucketName in kept
    assert pipeline.outputs.RawBucketName not in left
    assert account.client("lambda").list_functions()["Functions"] == []
    assert account.client("sagemaker").list_pipelines()["PipelineSummaries"] == []
    assert account.client("ecr").describe_repositories()["repositories"] == []
    assert buckets(account) == []


def buckets(account: Account) -> list[str]:
    return [bucket["Name"] for bucket in account.client("s3").list_buckets()["Buckets"]]
