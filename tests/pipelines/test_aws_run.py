"""`pipelines.run` on AWS: what each action asks of the service, what it refuses, and what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from operator_calls import ARTIFACTS, CONFIG, RAW, Operator, operator_calls

from pipelines.desk import Outside
from pipelines.errors import AwsError
from pipelines.run import main
from steps import contract

FOLDER = f"s3://{RAW}/day/"
VERSIONS = (contract.TRAIN_DATA_VERSION, contract.PREDICT_DATA_VERSION)


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path).deploy()


def asked(operator: Operator, operation: str) -> list[dict[str, Any]]:
    return [parameters for name, parameters in operator.aws.calls if name == operation]


def values(given: dict[str, Any]) -> dict[str, str]:
    return {item["Name"]: item["Value"] for item in given["PipelineParameters"]}


def refused(operator: Operator, *arguments: str) -> str:
    """Return the message of a command that exits with 2 and starts nothing."""
    code, out, err = operator.cli(*arguments)

    assert (code, out) == (2, "")
    assert not asked(operator, "StartPipelineExecution")
    return err


def test_a_start_gives_both_versions_a_token_and_the_configs_parallelism(operator: Operator) -> None:
    code, out, _ = operator.cli("--raw", FOLDER, "--set", "MaeThreshold=12")

    (given,) = asked(operator, "StartPipelineExecution")
    found = values(given)
    assert code == 0
    assert found[contract.RAW_DATA_URI] == FOLDER
    assert found[contract.MAE_THRESHOLD] == "12.0"
    assert given["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 5}
    assert len(given["ClientRequestToken"]) == 32
    assert all(f"{name}={found[name]}" in out for name in VERSIONS)
    assert "execution 000000000001 has been started" in out
    assert "console.aws.amazon.com" in out
    assert f"pipelines.run --config {operator.root}/c.yml --status 000000000001 --follow" in out


def test_a_start_writes_the_manifests_before_it_starts(operator: Operator) -> None:
    operator.cli("--raw", FOLDER)

    names = [request.operation for request in operator.aws.requests]
    found = values(asked(operator, "StartPipelineExecution")[0])
    key = f"Flights/manifests/{found[contract.TRAIN_DATA_VERSION]}/manifest.json"
    manifest = json.loads(operator.aws.objects[ARTIFACTS, key])
    assert names.index("PutObject") < names.index("StartPipelineExecution")
    assert [file["key"] for file in manifest["files"]] == ["train_1.csv", "train_2.csv"]
    assert manifest["raw"] == FOLDER


def test_equal_files_in_another_folder_get_manifests_of_that_folder(operator: Operator) -> None:
    """Their versions are equal, and a step reads where its manifest says."""
    operator.cli("--print-version", "--raw", FOLDER)
    for name in ("train_1.csv", "train_2.csv", "predict.csv"):
        operator.aws.objects[RAW, f"copy/{name}"] = name.encode()

    operator.cli("--raw", f"s3://{RAW}/copy")

    manifests = [json.loads(v) for (_, k), v in operator.aws.objects.items() if k.endswith("/manifest.json")]
    assert {manifest["raw"] for manifest in manifests} == {f"s3://{RAW}/copy/"}


def test_print_version_says_what_a_start_would_give(operator: Operator) -> None:
    code, out, _ = operator.cli("--print-version", "--raw", FOLDER)
    operator.cli("--raw", FOLDER)

    found = values(asked(operator, "StartPipelineExecution")[0])
    assert (code, out.split()) == (0, [f"{name}={found[name]}" for name in VERSIONS])
    assert len(asked(operator, "PutObject")) == 8
    assert len([key for bucket, key in operator.aws.objects if bucket == ARTIFACTS]) == 4


def test_the_raw_folder_of_the_config_may_lie_in_s3(operator: Operator) -> None:
    operator.deploy(config=CONFIG.replace("id: id", f"id: id, raw: '{FOLDER}'"))

    assert operator.cli()[0] == 0


def test_a_raw_folder_in_another_bucket_is_taken_with_a_warning(operator: Operator) -> None:
    """The role that the stack makes may read its raw bucket only."""
    for name in ("train.csv", "predict.csv"):
        operator.aws.objects["lake", name] = b"x"

    code, _, err = operator.cli("--raw", "s3://lake")

    assert code == 0
    assert err.startswith(f"warning: lake is not the raw bucket {RAW}")


def test_a_start_as_json_is_one_object(operator: Operator) -> None:
    code, out, _ = operator.cli("--raw", FOLDER, "--json")

    found = json.loads(out)
    assert (code, found["execution"], found["status"]) == (0, "000000000001", "Executing")
    assert found["parameters"][contract.RAW_DATA_URI] == FOLDER


@pytest.mark.parametrize(
    ("changes", "arguments", "expected"),
    [
        ("", (), f"data.raw is not set; copy the files to the raw bucket and give the folder with --raw s3://{RAW}/"),
        (", raw: data", (), "data is a folder on this machine; copy the files to the raw bucket"),
        ("", ("--raw", f"s3://{RAW}/night/"), "no file matches data.train (train*); the folder is empty"),
        ("", ("--raw", FOLDER, "--set", "MaeTreshold=1"), "'MaeTreshold' is not declared; did you mean 'MaeThreshold'"),
        ("", ("--raw", FOLDER, "--set", "TrainDataVersion=1"), "is computed from the raw folder"),
        (", train: 'day*'", ("--raw", FOLDER), "no file matches data.train (day*)"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    operator: Operator, changes: str, arguments: tuple[str, ...], expected: str
) -> None:
    operator.deploy(config=CONFIG.replace("id: id", f"id: id{changes}"))

    assert expected in refused(operator, *arguments)
    assert not asked(operator, "PutObject")


def test_a_raw_folder_with_more_than_max_objects_is_refused(operator: Operator) -> None:
    operator.deploy(config=f"{CONFIG}max_objects: 2\n")

    assert "max_objects: 2" in refused(operator, "--raw", FOLDER)


@pytest.mark.parametrize("arguments", [("--raw", FOLDER), ("--rerun", "--last"), ("--retry", "--last")])
def test_no_run_is_started_beside_another_where_the_config_refuses_it(
    operator: Operator, arguments: tuple[str, ...]
) -> None:
    running = operator.deploy(config=f"{CONFIG}concurrency: refuse\n").start()
    if arguments[0] != "--raw":
        operator.end(operator.start(), "Failed")

    err = refused(operator, *arguments)

    assert f"execution {running.rpartition('/')[2]} is Executing" in err
    assert "concurrency: refuse" in err


def test_without_a_deployment_it_says_how_to_make_one(tmp_path: Path) -> None:
    operator = Operator(tmp_path).deploy()
    operator.aws.stacks.clear()

    err = refused(operator, "--raw", FOLDER)

    assert f"python -m pipelines.deploy --config {tmp_path}/c.yml" in err
    assert "--local" in err


def test_a_stack_without_its_pipeline_is_no_deployment(operator: Operator) -> None:
    operator.aws.pipelines.clear()

    assert "there is no pipeline Flights in us-east-1" in refused(operator, "--list")


def test_commands_in_messages_name_the_environment(operator: Operator) -> None:
    (operator.root / "c.production.yml").write_text("parallelism: 3\n")

    out = operator.cli("--env", "production", "--raw", FOLDER)[1]

    assert "--env production --status 000000000001 --follow" in out
    assert "--local" not in out


def test_without_credentials_it_says_that_a_run_on_this_machine_needs_none(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    def connect(*_: object) -> Any:
        raise AwsError("no region is set")

    assert main(["--config", str(operator.root / "c.yml")], Outside(connect)) == 2
    assert capsys.readouterr().err == "error: no region is set; or work on this machine with --local\n"


def test_a_failed_execution_is_retried_under_a_token_of_its_own(operator: Operator) -> None:
    arn = operator.start()
    operator.end(arn, "Failed")

    code, out, _ = operator.cli("--retry", arn.rpartition("/")[2])

    (given,) = asked(operator, "RetryPipelineExecution")
    assert (code, given["PipelineExecutionArn"], len(given["ClientRequestToken"])) == (0, arn, 32)
    assert "execution 000000000001 goes on" in out


@pytest.mark.parametrize(("status", "expected"), [("Succeeded", "--rerun"), ("Executing", "--follow")])
def test_what_has_not_failed_is_not_retried(operator: Operator, status: str, expected: str) -> None:
    arn = operator.start()
    operator.aws.end_execution(arn, status)

    assert expected in refused(operator, "--retry", arn)


def test_a_rerun_has_the_parameters_and_versions_of_its_source(operator: Operator) -> None:
    operator.end(operator.start())

    operator.cli("--rerun", "--last", "--set", "MaeThreshold=7")

    found = values(asked(operator, "StartPipelineExecution")[0])
    assert found == {
        contract.RAW_DATA_URI: FOLDER,
        contract.TRAIN_DATA_VERSION: "1" * 64,
        contract.PREDICT_DATA_VERSION: "2" * 64,
        contract.MAE_THRESHOLD: "7.0",
    }


def test_from_a_step_selects_it_and_all_after_it(operator: Operator) -> None:
    source = operator.start()
    operator.end(source, "Failed")

    code, _, _ = operator.cli("--from", "Train-0", "--of", source.rpartition("/")[2])

    (given,) = asked(operator, "StartPipelineExecution")
    selected = given["SelectiveExecutionConfig"]
    assert code == 0
    assert selected["SourcePipelineExecutionArn"] == source
    assert [step["StepName"] for step in selected["SelectedSteps"]] == ["Train-0", "PostProcess"]
    assert values(given)[contract.TRAIN_DATA_VERSION] == "1" * 64


def test_more_steps_than_the_service_selects_are_refused(operator: Operator) -> None:
    operator.deploy(models=50)
    operator.end(operator.start())

    err = refused(operator, "--from", "PrepareTraining", "--of", "--last")

    assert "52 steps would run again, the service takes 50" in err
    assert "--rerun 000000000001" in err


def test_a_step_that_is_not_there_is_refused_with_the_nearest(operator: Operator) -> None:
    operator.end(operator.start())

    assert "did you mean PostProcess?" in refused(operator, "--from", "PostProces", "--last")


def test_a_source_that_still_runs_is_refused(operator: Operator) -> None:
    operator.start()

    assert "is Executing; wait for its end" in refused(operator, "--from", "PostProcess", "--last")


def test_a_running_execution_is_stopped_and_one_that_is_over_is_not(operator: Operator) -> None:
    arn = operator.start()

    code, out, _ = operator.cli("--stop", "--last")
    operator.aws.end_execution(arn, "Stopped")

    assert code == 0
    assert "is being stopped" in out
    assert len(asked(operator, "StopPipelineExecution")) == 1
    assert "is Stopped already" in refused(operator, "--stop", "--last")


def test_the_list_shows_the_newest_first_over_all_pages(operator: Operator) -> None:
    for _ in range(5):
        operator.start()

    text, found = operator.cli("--list")[1], json.loads(operator.cli("--list", "--json")[1])

    assert [line.split()[0] for line in text.splitlines()[1:]] == [f"{n:012d}" for n in (5, 4, 3, 2, 1)]
    assert [line["execution"] for line in found] == [f"{n:012d}" for n in (5, 4, 3, 2, 1)]
    assert found[0]["status"] == "Executing"


def test_a_pipeline_that_never_ran_has_an_empty_list_and_no_last(operator: Operator) -> None:
    assert operator.cli("--list")[1] == "nothing has run yet\n"
    assert "has no execution yet; start one with: python -m pipelines.run" in refused(operator, "--retry", "--last")


@pytest.mark.parametrize("given", ["000000000009", "20261122-101500-3f9a", "arn:aws:x:execution/000000000001"])
def test_an_unknown_execution_is_answered_with_those_that_may_be_meant(operator: Operator, given: str) -> None:
    operator.start()

    err = refused(operator, "--status", given)

    assert f"{given}: pipeline Flights has no such execution" in err
    assert "000000000001" in err


def test_an_execution_is_found_by_its_arn(operator: Operator) -> None:
    arn = operator.start()

    assert operator.cli("--status", arn)[0] == 0


def test_fetch_copies_what_was_published_into_a_folder_of_its_own(operator: Operator) -> None:
    operator.end(operator.start())

    code, out, err = operator.cli("--fetch", "--last", "--to", str(operator.root / "got"))

    folder = operator.root / "got/Flights-000000000001"
    assert (code, out) == (0, f"{folder}\n")
    assert (folder / "report.html").read_text() == "<html>"
    assert (folder / "predictions/part-0.parquet").read_text() == "rows"
    assert "fetching 4 files" in err
    assert [path.name for path in (operator.root / "got").iterdir()] == [folder.name]


def test_fetch_leaves_nothing_behind_when_a_file_goes_away(operator: Operator) -> None:
    operator.end(operator.start())
    operator.aws.failing["GetObject"] = ["NoSuchKey"]

    assert "_SUCCESS cannot be read" in refused(operator, "--fetch", "--last", "--to", str(operator.root / "got"))
    assert list((operator.root / "got").iterdir()) == []


def test_fetch_never_overwrites(operator: Operator) -> None:
    operator.end(operator.start())
    operator.cli("--fetch", "--last", "--to", str(operator.root))

    assert "is there already" in refused(operator, "--fetch", "--last", "--to", str(operator.root))


def test_predictions_that_are_not_whole_are_not_fetched(operator: Operator) -> None:
    operator.end(operator.start())
    del operator.aws.objects[ARTIFACTS, "Flights/executions/000000000001/predictions/_SUCCESS"]

    assert "nothing is published whole" in refused(operator, "--fetch", "--last", "--to", str(operator.root))


def test_what_published_nothing_cannot_be_fetched(operator: Operator) -> None:
    operator.end(operator.start(), "Failed")

    assert "is Failed and has published no predictions" in refused(operator, "--fetch", "--last")


def test_predictions_that_a_selective_execution_took_over_are_found_at_their_source(operator: Operator) -> None:
    source, later = operator.start(), operator.start()
    operator.end(source)
    operator.aws.add_step(later, contract.POSTPROCESS, SelectiveExecutionResult={"SourcePipelineExecutionArn": source})
    operator.aws.end_execution(later)

    assert operator.cli("--fetch", "--last", "--to", str(operator.root))[0] == 0


def test_what_the_caller_may_not_do_is_said_with_the_page_that_helps(operator: Operator) -> None:
    operator.aws.broken.add("StartPipelineExecution")

    code, _, err = operator.cli("--raw", FOLDER)

    assert code == 2
    assert "pipeline Flights cannot be started: not authorized" in err
    assert "docs/aws.md" in err


def test_the_recorded_calls_hold_every_action() -> None:
    found = {f"{request.service}:{request.operation}" for request in operator_calls()}

    assert found == {
        "cloudformation:DescribeStacks",
        "s3:CopyObject",
        "s3:GetObject",
        "s3:HeadObject",
        "s3:ListObjectsV2",
        "s3:PutObject",
        "sagemaker:CreateModelPackage",
        "sagemaker:CreateModelPackageGroup",
        "sagemaker:DescribeModelPackage",
        "sagemaker:DescribeModelPackageGroup",
        "sagemaker:DescribePipeline",
        "sagemaker:DescribePipelineDefinitionForExecution",
        "sagemaker:DescribePipelineExecution",
        "sagemaker:DescribeProcessingJob",
        "sagemaker:ListModelPackageGroups",
        "sagemaker:ListModelPackages",
        "sagemaker:ListPipelineExecutions",
        "sagemaker:ListPipelineExecutionSteps",
        "sagemaker:ListPipelineParametersForExecution",
        "sagemaker:RetryPipelineExecution",
        "sagemaker:StartPipelineExecution",
        "sagemaker:StopPipelineExecution",
        "sagemaker:UpdateModelPackage",
    }


def score(operator: Operator) -> str:
    """Start an execution that scores only; return its ID."""
    assert operator.cli("--mode", "predict", "--raw", FOLDER)[0] == 0
    return str(operator.aws.executions[-1]["PipelineExecutionArn"].rpartition("/")[2])


def test_scoring_only_starts_the_other_pipeline_and_needs_no_files_to_train_on(operator: Operator) -> None:
    for name in ("train_1.csv", "train_2.csv"):
        del operator.aws.objects[RAW, f"day/{name}"]

    execution = score(operator)

    (given,) = asked(operator, "StartPipelineExecution")
    assert given["PipelineName"] == "Flights-predict"
    assert sorted(values(given)) == [contract.PREDICT_DATA_VERSION, contract.RAW_DATA_URI]
    assert {key for bucket, key in operator.aws.objects if bucket == ARTIFACTS} == {
        f"Flights/manifests/{values(given)[contract.PREDICT_DATA_VERSION]}/{name}"
        for name in ("files.json", "manifest.json")
    }
    assert "no such execution" not in operator.cli("--status", execution)[2]


def test_the_version_of_the_files_to_predict_is_printed_alone(operator: Operator) -> None:
    _, out, _ = operator.cli("--print-version", "--mode", "predict", "--raw", FOLDER)

    assert out.startswith(f"{contract.PREDICT_DATA_VERSION}=")
    assert len(out.splitlines()) == 1


@pytest.mark.parametrize("action", ["--status", "--retry", "--rerun"])
def test_an_execution_that_scores_only_is_found_by_its_id_without_its_mode(operator: Operator, action: str) -> None:
    execution = score(operator)
    operator.aws.end_execution(operator.aws.executions[-1]["PipelineExecutionArn"], "Failed")

    code, out, err = operator.cli(action, execution)

    assert code in (0, 1), err
    assert "flights-predict" in operator.aws.executions[-1]["PipelineExecutionArn"]
    assert execution in out or "has been started" in out


def test_an_id_of_neither_pipeline_is_refused_as_ever(operator: Operator) -> None:
    assert "pipeline Flights has no such execution" in refused(operator, "--status", "999999999999")


def test_the_list_has_the_executions_of_both_pipelines_with_their_mode(operator: Operator) -> None:
    operator.start()
    execution = score(operator)

    _, table, _ = operator.cli("--list")
    _, text, _ = operator.cli("--list", "--json")

    lines = table.splitlines()
    assert lines[0].split()[5] == "mode"
    assert (lines[1].split()[0], lines[1].split()[5]) == (execution, "predict")
    assert [line["mode"] for line in json.loads(text)] == ["predict", "full"]


def test_a_list_of_executions_of_one_mode_has_no_column_for_it(operator: Operator) -> None:
    operator.start()

    assert "mode" not in operator.cli("--list")[1]


def test_a_pipeline_that_scores_only_and_is_not_deployed_yet_is_named_with_the_command(operator: Operator) -> None:
    del operator.aws.pipelines["Flights-predict"]

    assert "there is no pipeline Flights-predict" in refused(operator, "--mode", "predict", "--raw", FOLDER)
