"""`python -m pipelines.run` on the emulated account, with the rights of the policy that the stack makes for people."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from botocore.exceptions import ClientError
from emulated_pipeline import CONFIG, NAME, Pipeline, first_start, parameters, upload
from emulators import ACCOUNT, Keys, client
from operator_side import command

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def operator(pipeline: Pipeline) -> Keys:
    """Somebody who has the operator's policy and no other right."""
    iam = pipeline.client("iam")
    iam.create_user(UserName="operator")
    iam.attach_user_policy(UserName="operator", PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/{NAME}-operator")
    made = iam.create_access_key(UserName="operator")["AccessKey"]
    return Keys(made["AccessKeyId"], made["SecretAccessKey"])


def run(pipeline: Pipeline, operator: Keys, folder: Path, *words: str) -> str:
    """Run the command with the pipeline's config; return what it printed on stdout."""
    config = folder / "pipeline-config.yml"
    config.write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    endpoints = {"": pipeline.server, "SAGEMAKER": pipeline.recorder.server}
    done = command(endpoints, folder, "pipelines.run", "--config", str(config), *words, keys=operator)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_starts_what_a_marker_in_the_same_folder_starts(
    pipeline: Pipeline, operator: Keys, tmp_path: Path
) -> None:
    uri = upload(pipeline, "both")
    pipeline.put("both/x.run", "MaeThreshold: 12.5\n")
    by_trigger = first_start(pipeline, uri)
    printed = run(pipeline, operator, tmp_path, "--raw", uri, "--set", "MaeThreshold=12.5")
    by_hand = pipeline.recorder.of("StartPipelineExecution")[-1]

    assert by_hand["PipelineName"] == NAME
    assert parameters(by_hand).items() >= parameters(by_trigger).items()
    assert by_hand["ClientRequestToken"] != by_trigger["ClientRequestToken"]
    assert "execution" in printed


def test_the_command_lists_what_the_trigger_started(pipeline: Pipeline, operator: Keys, tmp_path: Path) -> None:
    uri = upload(pipeline, "listed")
    pipeline.put("listed/friday.run")
    name = first_start(pipeline, uri)["PipelineExecutionDisplayName"]

    assert name in run(pipeline, operator, tmp_path, "--list")


def test_the_emulator_refuses_what_the_policy_does_not_grant(pipeline: Pipeline, operator: Keys) -> None:
    """Otherwise the other tests here would prove nothing about rights."""
    pipeline.put("kept/train.csv", "1")
    with pytest.raises(ClientError, match="AccessDenied"):
        client(pipeline.server, "s3", operator).delete_object(
            Bucket=pipeline.outputs.RawBucketName, Key="kept/train.csv"
        )
