"""`--fetch ID --only STEP`: the inputs of a job on AWS lie here afterwards, and the step runs on them."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from operator_calls import ARTIFACTS, RAW, Operator, job_input

from pipelines import step_inputs
from pipelines.errors import ExecutionError
from pipelines.run import main

ID = "000000000001"
RUN = f"Flights/executions/{ID}"


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    made = Operator(tmp_path).deploy()
    made.start()
    return made


@pytest.fixture
def arn(operator: Operator) -> str:
    return str(operator.aws.executions[-1]["PipelineExecutionArn"])


def fetch(operator: Operator, *arguments: str, step: str = "Train-0") -> tuple[int, str, str]:
    return operator.cli("--fetch", *arguments, "--only", step, "--workspace", str(operator.root / "ws"))


def refused(operator: Operator, step: str = "Train-0") -> str:
    """Return the message of a fetch that leaves nothing behind."""
    code, out, err = fetch(operator, ID, step=step)

    assert (code, out) == (2, "")
    assert not (operator.root / "ws/executions").exists()
    return err


def test_the_inputs_of_a_failed_job_are_brought_and_the_printed_command_runs_it_here(
    operator: Operator, arn: str, capfd: pytest.CaptureFixture[str]
) -> None:
    operator.fail_job(arn)

    code, out, err = fetch(operator, arn)
    (line,) = re.findall(r"^debug with: python -m pipelines\.run (.*)$", out, re.MULTILINE)
    ran = main(shlex.split(line))

    store = operator.root / "ws/s3"
    assert (code, ran) == (0, 0), err
    assert (store / RAW / "day/train_1.csv").read_text() == "train_1.csv"
    assert not (store / RAW / "day/train_2.csv").exists()
    assert (store / ARTIFACTS / RUN / "decide/decision.json").read_text() == "{}"
    assert f"Train-0 of {ID}: 6 files are here" in out
    assert f"fetching 6 files, 0.0 MB, into {store}" in err
    shown = capfd.readouterr().out
    given = ["code/steps/train.py", "decision/decision.json", "prepared/part-0.parquet", "raw/train_1.csv"]
    assert f"{[*given, 'settings/settings.json']}\nwinter\n" in shown
    assert f"Train-0 of {ID}: succeeded, exit code 0" in shown


def test_a_step_whose_results_were_taken_over_has_the_inputs_of_the_job_that_made_them(
    operator: Operator, arn: str
) -> None:
    operator.fail_job(arn)
    operator.start()
    second = operator.aws.executions[-1]["PipelineExecutionArn"]
    operator.aws.add_step(second, "Train-0", CacheHitResult={"SourcePipelineExecutionArn": arn})

    code, out, _ = fetch(operator, "--last")

    assert (code, "Train-0 of 000000000002: 6 files are here" in out) == (0, True)


def test_a_second_fetch_brings_what_has_changed_meanwhile(operator: Operator, arn: str) -> None:
    operator.fail_job(arn)
    fetch(operator, ID)
    operator.aws.objects[RAW, "day/train_1.csv"] = b"other"

    assert fetch(operator, ID)[0] == 0
    assert (operator.root / "ws/s3" / RAW / "day/train_1.csv").read_bytes() == b"other"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        ("Train-9", "--only Train-9: the execution has started no such step; did you mean 'Train-0'?"),
        ("Qwertz", "the execution has started no such step; its jobs are Train-0"),
        ("Judge", "--only Judge: is no processing job, and has no inputs to bring; its jobs are Train-0"),
    ],
)
def test_a_step_without_a_job_is_refused(operator: Operator, arn: str, step: str, expected: str) -> None:
    operator.fail_job(arn)
    operator.judge(arn, {})

    assert expected in refused(operator, step)


@pytest.mark.parametrize(
    ("gone", "expected"),
    [
        ((ARTIFACTS, f"{RUN}/train/0/part-0.parquet"), "of input 'prepared' holds nothing any more"),
        ((RAW, "day/train_1.csv"), f"s3://{RAW}/day/train_1.csv: is named by the manifest"),
    ],
)
def test_inputs_that_are_gone_are_named(operator: Operator, arn: str, gone: tuple[str, str], expected: str) -> None:
    operator.fail_job(arn)
    del operator.aws.objects[gone]

    assert expected in refused(operator)


def test_a_key_that_would_leave_the_workspace_is_refused_before_anything_is_written(
    operator: Operator, arn: str
) -> None:
    operator.fail_job(arn)
    operator.aws.objects[ARTIFACTS, "Flights/code/train/1/../../../../../../out"] = b"x"

    assert "'.' or '..'" in refused(operator)
    assert not (operator.root / "ws/s3").exists()


def test_a_job_that_this_engine_cannot_run_is_refused(operator: Operator, arn: str) -> None:
    piped = job_input("code", f"s3://{ARTIFACTS}/Flights/code/train/1")
    piped["S3Input"]["S3InputMode"] = "Pipe"
    operator.fail_job(arn, ProcessingInputs=[piped])

    assert "S3InputMode" in refused(operator)


@pytest.mark.parametrize("content", [None, {}, [], ["key"], [{"prefix": 1}], [{"prefix": "s3://b/"}, 7]])
def test_what_is_no_manifest_is_refused(content: Any) -> None:
    with pytest.raises(ExecutionError, match=r"s3://b/files\.json: is no manifest"):
        step_inputs.read_manifest("s3://b/files.json", content)


def test_another_step_of_a_fetched_execution_is_to_be_fetched_first(
    operator: Operator, arn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    operator.fail_job(arn)
    fetch(operator, ID)
    local = ["--local", "--workspace", str(operator.root / "ws")]

    assert main([*local, "--only", "Train-1", "--of", ID]) == 2
    assert "only Train-0 have been brought here" in (told := capsys.readouterr().err)
    assert f"bring it with --fetch {ID} --only Train-1" in told
    assert main([*local, "--list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_failed_execution_names_the_command_that_brings_its_inputs(operator: Operator, arn: str) -> None:
    operator.fail_job(arn)
    operator.aws.end_execution(arn, "Failed")
    command = f"python -m pipelines.run --config {operator.root}/c.yml --fetch {ID} --only Train-0"

    table, result = operator.cli("--status")[1], json.loads(operator.cli("--status", "--json")[1])
    plain = operator.cli("--fetch", ID)

    assert f"debug with: {command}\n" in table
    assert result["debug"] == command
    assert plain[0] == 2
    assert f"has published no predictions; bring the inputs of the step that failed here with: {command}" in plain[2]


def test_a_large_download_says_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    large, small = step_inputs.Progress(100_000_000), step_inputs.Progress(100)
    for size in (4_000_000, 7_000_000, 1_000_000, 88_000_000):
        large.add(size)
    small.add(100)

    assert capsys.readouterr().err == "  10 %\n  100 %\n"
