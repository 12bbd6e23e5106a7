"""Deploying into an account that stands in: plan, first and second apply, failures, destroy, and the offline plan."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from deploy_calls import (
    ARTIFACT_BUCKET,
    AUTOGLUON,
    DEPLOY_BUCKET,
    MAILS,
    RAW_BUCKET,
    REGISTRY,
    TOPIC,
    Operator,
    copied,
    new_account,
)
from fake_aws import FakeAws
from fake_stacks import NO_CHANGES

from lambda_trigger.aws_registry import SageMakerRegistry
from pipelines import release

ROOT = Path(__file__).resolve().parent.parent.parent
READING = ("Describe", "List", "Get", "Head", "BatchGet", "BatchDescribe")
REVIEWING = {"CreateChangeSet", "DeleteChangeSet"}


def mutations(aws: FakeAws) -> list[str]:
    return [request.operation for request in aws.requests if not request.operation.startswith(READING)]


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> FakeAws:
    """An account into which the flights config was deployed by a machine with Docker."""
    operator = Operator(new_account(), tmp_path_factory.mktemp("operator"))
    operator.configure(MAILS)
    assert operator.deploy("--cicd") == 0
    assert operator.deploy() == 0
    return operator.aws


@pytest.fixture
def operator(deployed: FakeAws, tmp_path: Path) -> Operator:
    """An operator of an account of the test's own, in which everything is deployed."""
    found = Operator(copied(deployed), tmp_path)
    found.configure(MAILS)
    return found


@pytest.fixture
def newcomer(tmp_path: Path) -> Operator:
    """An operator of an empty account."""
    return Operator(new_account(), tmp_path)


def test_the_first_deployment_makes_what_later_things_need_before_them(deployed: FakeAws) -> None:
    made = [name for name in dict.fromkeys(mutations(deployed)) if name not in REVIEWING]

    assert made == [
        "ExecuteChangeSet",
        "PutObject",
        "CreateModelPackageGroup",
        "Subscribe",
        "CreatePipeline",
        "PutImage",
    ]
    pipeline = deployed.pipelines["flights"]
    digests = {name: next(iter(images)) for name, images in deployed.images.items()}
    assert all(f"{REGISTRY}/{name}@{digest}" in pipeline["PipelineDefinition"] for name, digest in digests.items())
    assert "not-set" not in pipeline["PipelineDefinition"]
    assert deployed.stacks["flights-pipeline"]["Tags"] == [
        {"Key": "environment", "Value": "default"},
        {"Key": "pipeline", "Value": "flights"},
    ]
    assert pipeline["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 8}
    assert {s["Endpoint"] for s in deployed.subscriptions} == {"ann@example.com", "bob@example.com"}
    assert any(
        tag.startswith("used-") for images in deployed.images.values() for tags in images.values() for tag in tags
    )


def test_every_bundle_that_the_definition_names_is_in_the_artifact_bucket(deployed: FakeAws) -> None:
    text = deployed.pipelines["flights"]["PipelineDefinition"]
    folders = {key.split("/")[3] for bucket, key in deployed.objects if bucket == ARTIFACT_BUCKET}

    assert folders
    assert all(folder in text for folder in folders)


def test_the_trigger_finds_the_groups_by_the_names_of_their_models(deployed: FakeAws) -> None:
    groups = SageMakerRegistry(copied(deployed).client("sagemaker")).groups("flights")

    assert [group.model for group in groups] == ["EWR", "JFK", "LGA", "(pooled)"]


def test_a_second_deployment_changes_nothing_and_says_so(operator: Operator) -> None:
    assert operator.deploy("--json") == 0

    assert mutations(operator.aws) == []
    assert operator.said == ["nothing to change"]
    found = json.loads(operator.shown[0])
    assert found["empty"] is True
    assert found["stack"]["action"] == "none"
    assert found["raw_bucket"] == RAW_BUCKET


def test_a_deployment_says_where_raw_files_go(operator: Operator) -> None:
    assert operator.deploy() == 0

    assert f"raw files: s3://{RAW_BUCKET}/FOLDER/" in operator.shown[0]


def test_a_plan_changes_nothing_but_its_own_change_set(operator: Operator) -> None:
    operator.configure("\nretention_days: 120\nparallelism: 3\n")
    assert operator.deploy("--plan") == 0

    # 55 kB of template do not fit into a request, so the plan may put it where CloudFormation reads it
    assert set(mutations(operator.aws)) <= REVIEWING | {"PutObject"}
    assert all(
        r.parameters["Key"].startswith("templates/") for r in operator.aws.requests if r.operation == "PutObject"
    )
    assert operator.aws.change_sets == {}
    shown = operator.shown[0]
    assert "parameter RetentionDays: 90 -> 120" in shown
    assert "parallelism 8 -> 3" in shown


def test_the_plan_of_a_new_stack_makes_no_change_set(newcomer: Operator) -> None:
    assert newcomer.deploy("--cicd") == 0
    newcomer.aws.requests.clear()
    assert newcomer.deploy("--plan") == 0

    assert mutations(newcomer.aws) == []
    assert "stack flights-pipeline: new" in newcomer.shown[-1]
    assert "to build" in newcomer.shown[-1]


def test_a_changed_setting_changes_the_pipeline_and_nothing_else(operator: Operator) -> None:
    before = dict(operator.aws.objects)
    operator.configure("\ngate: {mae: 25}\ninstances: {train: {type: ml.m5.2xlarge}}\n")
    operator.config.write_text(operator.config.read_text().replace("gate: {mae: 20}", "", 1), encoding="utf-8")
    assert operator.deploy("--verbose") == 0

    assert set(mutations(operator.aws)) <= {"PutObject", "UpdatePipeline"}
    assert "Train-EWR, Train-JFK, Train-LGA, Train-pooled: instance ml.m5.xlarge -> ml.m5.2xlarge" in operator.shown[0]
    assert "parameter MaeThreshold: Float = 20.0 -> Float = 25.0" in operator.shown[0]
    assert "+++ compiled" in operator.shown[0]
    assert all(operator.aws.objects[place] == content for place, content in before.items())


def test_an_image_keeps_its_mark_only_while_something_names_it(operator: Operator) -> None:
    stale, wanted = (operator.aws.push_image(AUTOGLUON, tag) for tag in ("0123456789abcdef", "fedcba9876543210"))
    marks = {digest: f"used-{digest.removeprefix('sha256:')[:12]}" for digest in (stale, wanted)}
    for digest, tag in marks.items():
        operator.aws.images[AUTOGLUON][digest].add(tag)
    operator.aws.packages.append(
        {
            "ModelPackageGroupName": "flights-EWR",
            "ModelPackageArn": "arn:aws:sagemaker:us-east-1:123456789012:model-package/flights-EWR/1",
            "CreationTime": operator.aws.now,
            "ModelPackageStatus": "Completed",
            "ModelApprovalStatus": "Approved",
            "InferenceSpecification": {"Containers": [{"Image": f"{REGISTRY}/{AUTOGLUON}@{wanted}"}]},
        }
    )
    assert operator.deploy() == 0

    assert operator.aws.images[AUTOGLUON][stale] == {"0123456789abcdef"}
    assert marks[wanted] in operator.aws.images[AUTOGLUON][wanted]
    assert set(mutations(operator.aws)) == {"BatchDeleteImage"}


def test_a_confirmed_address_that_the_config_does_not_name_is_unsubscribed(operator: Operator) -> None:
    operator.aws.subscriptions.append(
        {"TopicArn": TOPIC, "Protocol": "email", "Endpoint": "eve@example.com", "Owner": "1", "SubscriptionArn": ""}
    )
    operator.aws.confirm("eve@example.com")
    assert operator.deploy() == 0

    assert {s["Endpoint"] for s in operator.aws.subscriptions} == {"ann@example.com", "bob@example.com"}


def test_deploying_without_the_stack_of_the_admin_says_how_to_make_it(newcomer: Operator, capsys) -> None:
    assert newcomer.deploy() == 2

    error = capsys.readouterr().err
    assert "there is no stack flights-cicd in us-east-1" in error
    assert "python -m pipelines.deploy --cicd" in error


def test_a_failed_stack_ends_the_deployment_with_the_resource_and_its_reason(newcomer: Operator, capsys) -> None:
    assert newcomer.deploy("--cicd") == 0
    newcomer.aws.stack_failures["Topic"] = "Limit exceeded for topics"
    assert newcomer.deploy() == 1

    assert "Topic (AWS::SNS::Topic): Limit exceeded for topics" in capsys.readouterr().err
    assert newcomer.aws.pipelines == {}

    newcomer.aws.stack_failures.clear()
    assert newcomer.deploy() == 0
    assert "flights" in newcomer.aws.pipelines


def test_without_an_engine_images_are_built_in_the_account_and_a_failure_names_its_log(
    newcomer: Operator, capsys
) -> None:
    newcomer.engine = False
    newcomer.aws.failing_builds.add("autogluon")
    assert newcomer.deploy("--cicd") == 0
    assert newcomer.deploy() == 1

    error = capsys.readouterr().err
    assert "image autogluon" in error
    assert "exit status 1; its log: https://us-east-1.console" in error
    assert "image processing" not in error

    newcomer.aws.failing_builds.clear()
    assert newcomer.deploy() == 0
    built = [build["variables"]["IMAGE"] for build in newcomer.aws.builds.values()]
    assert built == ["processing", "autogluon", "autogluon"]


def test_an_image_that_docker_cannot_build_ends_the_deployment(newcomer: Operator, capsys) -> None:
    newcomer.failing_images.add("processing")
    assert newcomer.deploy("--cicd") == 0
    assert newcomer.deploy("--build", "docker") == 1

    assert "containers/build_and_push.sh ended with exit code 1" in capsys.readouterr().err


@pytest.mark.parametrize("engine", [True, False])
def test_images_are_built_upon_the_base_of_the_config(newcomer: Operator, engine: bool) -> None:
    """Wherever they are built; and another base is another image."""
    newcomer.engine = engine
    assert newcomer.deploy("--cicd") == 0
    assert newcomer.deploy() == 0
    base = f"registry.example.com:5000/python:3.11@sha256:{'a' * 64}"
    newcomer.configure(f"\nimages: {{base: '{base}'}}\n")
    newcomer.commands.clear()
    known = len(newcomer.aws.builds)
    assert newcomer.deploy() == 0

    scripts = [command for command in newcomer.commands if "containers/build_and_push.sh" in command]
    builds = list(newcomer.aws.builds.values())[known:]
    assert [command[:3] for command in scripts] == [["env", f"BASE={base}", "bash"]] * (2 if engine else 0)
    assert [build["variables"]["BASE"] for build in builds] == [base] * (0 if engine else 2)


def test_a_base_without_its_digest_is_refused(newcomer: Operator, capsys) -> None:
    newcomer.configure("\nimages: {base: python:3.11-slim-bookworm}\n")

    assert newcomer.deploy("--plan", "--offline") == 2
    assert "images.base" in capsys.readouterr().err


def test_a_deployment_in_progress_is_not_disturbed(operator: Operator, capsys) -> None:
    operator.aws.stacks["flights-pipeline"] |= {
        "StackStatus": "UPDATE_IN_PROGRESS",
        "looks": 9,
        "wanted": ("UPDATE", {}),
    }
    assert operator.deploy() == 2

    assert "somebody deploys right now" in capsys.readouterr().err
    assert mutations(operator.aws) == []


def test_another_environment_does_not_take_over_the_stack(operator: Operator, capsys) -> None:
    overlay = operator.config.with_name("pipeline-config.production.yml")
    overlay.write_text("parallelism: 2\n", encoding="utf-8")
    assert operator.deploy("--env", "production") == 2

    assert "belongs to the environment 'default', not to 'production'" in capsys.readouterr().err
    assert mutations(operator.aws) == []


def test_an_existing_raw_bucket_without_events_is_refused_with_the_command(operator: Operator, capsys) -> None:
    operator.aws.buckets["our-data"] = False
    operator.configure("\naws: {raw_bucket: our-data}\n")
    assert operator.deploy() == 2

    assert "aws s3api put-bucket-notification-configuration --bucket our-data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--offline"], "--offline needs --plan"),
        (["--yes"], "belong to --destroy"),
        (["--destroy", "--images"], "--images belongs to --destroy --cicd"),
        (["--destroy", "--plan", "--offline"], "known to the account only"),
    ],
)
def test_options_that_do_not_fit_are_refused(newcomer: Operator, capsys, options: list[str], words: str) -> None:
    assert newcomer.deploy(*options) == 2

    assert words in capsys.readouterr().err
    assert newcomer.aws.requests == []


def test_settings_that_aws_would_refuse_are_refused_before_any_call(newcomer: Operator, capsys) -> None:
    newcomer.configure("\nlog_retention_days: 100\nkms: alias/ours\n")
    assert newcomer.deploy() == 2

    error = capsys.readouterr().err
    assert "log_retention_days: 100: CloudWatch keeps logs for certain numbers of days only; use 90" in error
    assert "kms: alias/ours" in error
    assert newcomer.aws.requests == []


def rename(operator: Operator, name: str) -> None:
    """Call the pipeline otherwise, as its config and its segments' lock file have it."""
    for path in (operator.config, operator.folder / f"{name}.segments.lock.yml"):
        known = operator.config if path == operator.config else operator.folder / "flights.segments.lock.yml"
        path.write_text(known.read_text(encoding="utf-8").replace("flights", name), encoding="utf-8")


@pytest.mark.parametrize(("region", "longest"), [("us-east-1", 30), ("ap-northeast-1", 25)])
def test_a_name_too_long_for_a_bucket_of_the_region_is_refused(
    newcomer: Operator, capsys, region: str, longest: int
) -> None:
    newcomer.configure(f"\naws: {{region: {region}}}\n")
    rename(newcomer, "p" * (longest + 1))

    assert newcomer.deploy("--plan", "--offline") == 2
    assert f"so at most {longest}; shorten it" in capsys.readouterr().err


def test_a_name_too_long_for_the_callers_region_is_refused_before_anything_is_made(newcomer: Operator, capsys) -> None:
    rename(newcomer, "p" * 31)

    assert newcomer.deploy("--cicd") == 2
    assert "us-east-1 a bucket's name may have 63" in capsys.readouterr().err
    assert newcomer.aws.requests == []


def test_a_failed_apply_leaves_no_change_set(operator: Operator) -> None:
    operator.configure("\nretention_days: 120\n")
    operator.aws.broken.add("ExecuteChangeSet")

    assert operator.deploy() == 2
    assert operator.aws.change_sets == {}


def test_a_stack_that_could_not_be_removed_is_named(operator: Operator, capsys) -> None:
    operator.aws.stacks["flights-pipeline"] |= {"StackStatus": "DELETE_FAILED", "StackStatusReason": "Topic is in use"}

    assert operator.deploy() == 2
    assert "is DELETE_FAILED: Topic is in use; mend that, then run --destroy again" in capsys.readouterr().err


def test_a_stack_that_could_not_be_removed_can_be_removed_again(operator: Operator) -> None:
    operator.aws.stacks["flights-pipeline"] |= {"StackStatus": "DELETE_FAILED", "StackStatusReason": "Topic was in use"}

    assert operator.deploy("--destroy", "--yes") == 0
    assert "flights-pipeline" not in operator.aws.stacks


def test_buckets_that_an_earlier_stack_left_are_named_before_anything_is_made(operator: Operator, capsys) -> None:
    operator.aws.objects[RAW_BUCKET, "in/train.csv"] = b"data"
    assert operator.deploy("--destroy", "--yes") == 0
    operator.aws.requests.clear()

    assert operator.deploy() == 2
    assert f"aws.raw_bucket: {RAW_BUCKET} in the config" in capsys.readouterr().err
    assert mutations(operator.aws) == []

    operator.configure(f"\naws: {{raw_bucket: {RAW_BUCKET}}}\n")
    assert operator.deploy() == 0


def test_repositories_that_an_earlier_stack_left_are_named_with_the_command_that_removes_them(
    operator: Operator, capsys
) -> None:
    assert operator.deploy("--destroy", "--yes", "--data") == 0
    assert operator.deploy("--destroy", "--cicd", "--yes") == 0

    assert operator.deploy("--cicd") == 2
    error = capsys.readouterr().err
    assert "repository flights-processing, repository flights-autogluon: there already" in error
    assert "--destroy --cicd --images" in error

    assert operator.deploy("--destroy", "--cicd", "--images", "--yes") == 0
    assert operator.deploy("--cicd") == 0


def test_images_of_a_pipeline_that_is_there_are_never_removed(operator: Operator, capsys) -> None:
    """Even where somebody has removed the stack that made their repositories."""
    del operator.aws.stacks["flights-cicd"]

    assert operator.deploy("--destroy", "--cicd", "--images", "--yes") == 2
    assert "remove it first" in capsys.readouterr().err
    assert operator.aws.images


def without_outputs(operator: Operator) -> dict[str, Any]:
    """Let the account's stack be one of a release that had no outputs yet."""
    stack: dict[str, Any] = operator.aws.stacks["flights-pipeline"]
    stack["TemplateBody"] = stack["TemplateBody"].partition("\nOutputs:")[0]
    return stack


def test_a_plan_of_outputs_alone_says_so_and_leaves_no_change_set(operator: Operator) -> None:
    """A change of outputs alone is none of resources, though CloudFormation makes a change set of it."""
    old = without_outputs(operator)["TemplateBody"]

    assert operator.deploy("--plan") == 0
    assert "stack flights-pipeline: outputs or tags alone change" in operator.shown[0]
    assert operator.aws.change_sets == {}
    assert operator.aws.stacks["flights-pipeline"]["TemplateBody"] == old


def test_outputs_alone_are_deployed_too(operator: Operator) -> None:
    without_outputs(operator)

    assert operator.deploy("--json") == 0
    assert json.loads(operator.shown[0])["stack"] | {"name": ""} == {
        "name": "",
        "action": "update",
        "changes": [],
        "resources": {},
    }
    assert "\nOutputs:" in operator.aws.stacks["flights-pipeline"]["TemplateBody"]
    assert operator.aws.change_sets == {}
    assert operator.deploy() == 0
    assert operator.said[-1] == "nothing to change"


def test_a_template_that_cloudformation_finds_the_same_is_no_change(operator: Operator) -> None:
    operator.aws._on_describe_change_set = lambda given: {"Status": "FAILED", "StatusReason": NO_CHANGES}
    without_outputs(operator)

    assert operator.deploy() == 0
    assert operator.said == ["nothing to change"]
    assert operator.aws.change_sets == {}


def test_codepipeline_needs_a_config_of_the_repository(newcomer: Operator, capsys) -> None:
    newcomer.configure("\ncicd: {repository: owner/name}\n")

    assert newcomer.deploy("--cicd") == 2
    assert "CodePipeline deploys a config of the repository" in capsys.readouterr().err


def test_a_given_bucket_needs_a_lifecycle_rule_of_its_own_and_the_plan_says_so(operator: Operator) -> None:
    operator.configure("\naws: {bucket: ours}\n")

    assert operator.deploy("--plan", "--offline") == 0
    assert "aws.bucket: nothing expires in a given bucket" in operator.shown[0]


def test_a_plan_says_what_an_execution_may_cost(operator: Operator) -> None:
    operator.configure("\nprices: {ml.m5.xlarge: 0.5}\n")

    assert operator.deploy("--plan", "--offline", "--json") == 0
    assert operator.deploy("--plan", "--json") == 0
    offline, online = (json.loads(text)["cost"] for text in operator.shown)
    assert offline == online
    assert offline["all"]["money_at_most"] == offline["all"]["hours_at_most"] / 2 > 0
    assert offline["all"]["hours_expected"] is None


def test_codepipeline_deploys_the_config_of_the_repository_that_the_admin_named(newcomer: Operator) -> None:
    usual = release.read_release(ROOT, ROOT / "config" / "pipeline-config.yml", None)
    other = release.read_release(ROOT, ROOT / "tests" / "golden" / "flights.yml", None)
    parameters = {
        name: release.cicd_request(found, "123456789012", "us-east-1", "aws").parameters
        for name, found in (("usual", usual), ("other", other))
    }

    assert parameters["usual"]["ConfigFile"] == ""
    assert parameters["other"]["ConfigFile"] == "tests/golden/flights.yml"
    assert parameters["usual"]["CommitFolder"] == "flights-cicd"


def test_an_image_of_an_existing_repository_may_be_pulled() -> None:
    uri = "210987654321.dkr.ecr.eu-west-1.amazonaws.com/team/processing@sha256:0"

    assert release.repository_arn(uri, "aws") == "arn:aws:ecr:eu-west-1:210987654321:repository/team/processing"
    assert release.repository_arn("docker.io/library/python:3.11", "aws") is None
    assert release.repository_arn(None, "aws") is None


def test_what_outlives_a_removal_is_listed(operator: Operator) -> None:
    operator.aws.objects[RAW_BUCKET, "in/train.csv"] = b"data"
    assert operator.deploy("--destroy", "--plan", "--json") == 0

    found = json.loads(operator.shown[0])
    assert not any("kept" in text for text in found["remove"])
    assert any(text.startswith("key arn:aws:kms:") for text in found["kept"])
    assert any(text.startswith(f"bucket {RAW_BUCKET}, which holds data") for text in found["kept"])


def test_destroying_lists_and_asks_and_removes_nothing_without_a_yes(operator: Operator, capsys) -> None:
    assert operator.deploy("--destroy") == 2

    assert "- stack flights-pipeline" in operator.shown[0]
    assert "nobody said yes" in capsys.readouterr().err
    assert mutations(operator.aws) == []


def test_destroying_keeps_data_and_groups_and_a_second_time_finds_nothing(operator: Operator) -> None:
    operator.aws.objects[RAW_BUCKET, "in/train.csv"] = b"data"
    operator.answer = "yes"
    assert operator.deploy("--destroy") == 0

    assert operator.aws.pipelines == {}
    assert list(operator.aws.stacks) == ["flights-cicd"]
    assert sorted(operator.aws.buckets) == [DEPLOY_BUCKET, RAW_BUCKET]
    assert len(operator.aws.groups) == 4
    assert "4 model package groups" in operator.shown[0]
    assert {bucket for bucket, _ in operator.aws.objects} == {RAW_BUCKET}

    assert operator.deploy("--destroy") == 0
    assert operator.said[-1] == "there is nothing to remove"
    assert f"bucket {RAW_BUCKET}, which holds data" in operator.shown[-1]


def test_destroying_with_data_and_then_the_admins_stack_leaves_only_the_groups(operator: Operator, capsys) -> None:
    operator.aws.objects[RAW_BUCKET, "in/train.csv"] = b"data"
    assert operator.deploy("--destroy", "--cicd", "--yes") == 2
    assert "remove it first" in capsys.readouterr().err

    assert operator.deploy("--destroy", "--yes", "--data") == 0
    assert operator.deploy("--destroy", "--cicd", "--yes", "--images") == 0

    assert operator.aws.stacks == operator.aws.buckets == operator.aws.objects == operator.aws.pipelines == {}
    assert operator.aws.images == {}


NO_NETWORK = """
import sys
def watch(event, arguments):
    if event.startswith(("socket.connect", "socket.getaddrinfo")):
        raise SystemExit(f"{event} {arguments[1:]}")
sys.addaudithook(watch)
from pipelines.deploy import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def bare() -> dict[str, str]:
    """Surroundings in which nothing names an account."""
    return {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | {"AWS_EC2_METADATA_DISABLED": "true"}


@pytest.mark.slow
def test_an_offline_plan_needs_neither_account_nor_network(bare: dict[str, str]) -> None:
    command = [sys.executable, "-W", "ignore", "-c", NO_NETWORK, "--plan", "--offline", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["definition"]["steps"][0] == "NotifyStarted"
    assert "ChooseDefaults" in found["scoring"]["steps"]
    assert set(found["images"]) == {"processing", "autogluon"}
    assert found["package"]["key"].startswith("lambda/")
    assert "AWS::SNS::Topic" in found["stacks"]["flights-pipeline"].values()


def test_an_offline_plan_without_a_lock_file_says_how_to_write_one(newcomer: Operator, capsys) -> None:
    (newcomer.folder / "flights.segments.lock.yml").unlink()
    assert newcomer.deploy("--plan", "--offline") == 2

    assert "no lock file; write it with" in capsys.readouterr().err


SCORING = "flights-predict"


def test_both_pipelines_are_deployed_from_the_same_bundles(deployed: FakeAws) -> None:
    whole, scoring = (deployed.pipelines[name] for name in ("flights", SCORING))
    folders = {key.split("/")[3] for bucket, key in deployed.objects if bucket == ARTIFACT_BUCKET}

    named = re.findall(r"/(?:code|settings)/[^/]+/([0-9a-f]{64})", scoring["PipelineDefinition"])
    assert set(named) <= folders
    assert all(folder in whole["PipelineDefinition"] for folder in named)
    assert "not-set" not in scoring["PipelineDefinition"]
    assert scoring["RoleArn"] == whole["RoleArn"]


def test_a_plan_shows_what_changes_of_both_pipelines(operator: Operator) -> None:
    operator.configure("\ninstances: {infer: {type: ml.m5.2xlarge}}\n")

    assert operator.deploy("--plan") == 0
    assert operator.deploy("--plan", "--json") == 0

    shown, found = operator.shown[0], json.loads(operator.shown[1])
    assert "pipeline flights: changed" in shown
    assert f"pipeline {SCORING}: changed" in shown
    assert (found["pipeline"]["name"], found["scoring"]["name"]) == ("flights", SCORING)
    assert "Infer-EWR" in found["scoring"]["changed"]


def test_a_pipeline_that_scores_only_and_has_gone_is_made_again(operator: Operator) -> None:
    """So is one that an earlier version of this project did not deploy."""
    del operator.aws.pipelines[SCORING]

    assert operator.deploy() == 0

    assert mutations(operator.aws) == ["CreatePipeline"]
    assert SCORING in operator.aws.pipelines


@pytest.mark.parametrize(("name", "owner"), [(SCORING, SCORING), ("flights", "fli")])
def test_a_pipeline_that_is_another_deployments_is_never_touched(
    operator: Operator, capsys, name: str, owner: str
) -> None:
    """A config called like another one's scoring pipeline finds that one under its own name."""
    operator.aws.sagemaker_tags[operator.aws.pipelines[name]["PipelineArn"]] = {"pipeline": owner}
    operator.configure("\nparallelism: 3\n")
    operator.answer = "yes"

    assert operator.deploy() == 2
    assert f"pipeline {name} is there and belongs to '{owner}'" in capsys.readouterr().err
    assert operator.aws.pipelines[name]["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 8}
    assert operator.deploy("--destroy") == 0
    assert list(operator.aws.pipelines) == [name]


@pytest.mark.parametrize("name", ["flights", SCORING])
def test_a_pipeline_without_tags_is_its_owners_still(operator: Operator, name: str) -> None:
    operator.aws.sagemaker_tags[operator.aws.pipelines[name]["PipelineArn"]] = {}
    operator.configure("\nparallelism: 3\n")

    assert operator.deploy() == 0
    assert operator.aws.pipelines[name]["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 3}
