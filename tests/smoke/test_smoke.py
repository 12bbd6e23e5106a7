"""The smoke test over an account that stands in: what it says where AWS is as we believe, and where it is not.

The real account is what it is for; here only the script is proven: every check runs, decides, and removes what it made.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import smoke_aws
from fake_answers import NUMBER, REGION, FakeError
from operator_calls import ARTIFACTS, OUTPUTS, RAW, Account, Operator

from lambda_trigger.markers import Marker
from steps import contract

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = "Flights"
CEILING = 50
DAY = f"s3://{RAW}/day/"


@dataclass
class Believed(Account):
    """An account in which every assumption holds; `broken_beliefs` names those that do not."""

    broken_beliefs: set[int] = field(default_factory=set)
    job_requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)

    def _on_create_pipeline(self, given: dict[str, Any]) -> dict[str, Any]:
        steps = json.loads(given["PipelineDefinition"])["Steps"]
        if len(steps) > CEILING and 1 not in self.broken_beliefs:
            raise FakeError("ValidationException", f"Pipeline has {len(steps)} steps, the limit is {CEILING}")
        return super()._on_create_pipeline(given)

    def _on_start_pipeline_execution(self, given: dict[str, Any]) -> dict[str, Any]:
        if 6 in self.broken_beliefs:
            self.forget_tokens()
        return super()._on_start_pipeline_execution(given)

    def _on_list_pipeline_executions(self, given: dict[str, Any]) -> dict[str, Any]:
        if 19 in self.broken_beliefs:
            return {"PipelineExecutionSummaries": []}
        return super()._on_list_pipeline_executions(given)

    def _on_create_processing_job(self, given: dict[str, Any]) -> dict[str, Any]:
        self.job_requests[given["ProcessingJobName"]] = given
        return {"ProcessingJobArn": f"arn:aws:sagemaker:{REGION}:{NUMBER}:processing-job/{given['ProcessingJobName']}"}

    def _on_describe_processing_job(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given["ProcessingJobName"]
        request = self.job_requests[name]
        code = request["AppSpecification"]["ContainerEntrypoint"][-1]
        ran = "ProcessingInputs" not in request or 4 in self.broken_beliefs
        text, times = re.search(r"write\('(.+?)'(?:\*(\d+))?\)", code).groups()
        written = text * int(times or 1) if ran else ""
        limit = 4000 if 5 in self.broken_beliefs else 1024
        message = written.encode()[:limit].decode(errors="ignore")
        return {
            "ProcessingJobName": name,
            "ProcessingJobArn": f"arn:aws:sagemaker:{REGION}:{NUMBER}:processing-job/{name}",
            "ProcessingJobStatus": "Failed",
            "FailureReason": "ClientError: no data" if not ran else "AlgorithmError",
            "ProcessingResources": request["ProcessingResources"],
            "AppSpecification": request["AppSpecification"],
            "CreationTime": self.now,
            **({"ExitMessage": message} if message else {}),
        }

    def _on_delete_model_package_group(self, given: dict[str, Any]) -> None:
        name = given["ModelPackageGroupName"]
        if any(p["ModelPackageGroupName"] == name for p in self.packages) and 10 not in self.broken_beliefs:
            raise FakeError("ConflictException", "the group has model packages")
        self.groups.pop(name, None)

    def _on_get_account_settings(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"AccountLimit": {"ConcurrentExecutions": 50 if 13 in self.broken_beliefs else 10}}

    def _on_simulate_principal_policy(self, given: dict[str, Any]) -> dict[str, Any]:
        (action,), (arn,) = given["ActionNames"], given["ResourceArns"]
        allowed = (action == "s3:GetObject" and arn.endswith(".run")) or action == "sns:Publish"
        decision = "allowed" if allowed or 15 in self.broken_beliefs else "implicitDeny"
        return {"EvaluationResults": [{"EvalActionName": action, "EvalDecision": decision}]}

    def _on_get_pipeline_state(self, given: dict[str, Any]) -> dict[str, Any]:
        status = "Failed" if 17 in self.broken_beliefs else "Succeeded"
        execution = {"pipelineExecutionId": "x", "status": status}
        return {"stageStates": [{"stageName": stage, "latestExecution": execution} for stage in ("Source", "Deploy")]}

    def go_on(self) -> None:
        """Let what goes on in the account come to its end: markers that wait, executions that run."""
        waiting = [k for b, k in self.objects if b == RAW and "smoke" in k and k not in self.claimed]
        for key in [] if 18 in self.broken_beliefs else waiting:
            self.claimed.add(key)
            self._claim(key)
        for execution in self.executions:
            if execution["PipelineExecutionStatus"] == "Executing":
                self._end(execution)

    def _claim(self, key: str) -> None:
        """Do as the trigger does: a claim under the key as the event has it, and a start where there are data."""
        version = self.version_of(RAW, key)
        shown = key.replace(" ", "+") if 7 in self.broken_beliefs else key
        token = Marker(RAW, (shown,), "", version, "").token(PIPELINE, shown)
        result = {"refused": "no data"}
        if key.rpartition("/")[0] == "day":
            names = (contract.RAW_DATA_URI, contract.TRAIN_DATA_VERSION, contract.PREDICT_DATA_VERSION)
            given = [{"Name": name, "Value": "x"} for name in names]
            started = super()._on_start_pipeline_execution(
                {"PipelineName": PIPELINE, "ClientRequestToken": token, "PipelineParameters": given}
            )
            result = {"execution": started["PipelineExecutionArn"]}
        claim = {"owner": "x", "at": self.now.isoformat(), "result": result}
        self.objects[ARTIFACTS, f"{PIPELINE}/claims/start/{token}.json"] = json.dumps(claim).encode()

    def _end(self, execution: dict[str, Any]) -> None:
        arn, name = execution["PipelineExecutionArn"], execution.get("PipelineExecutionDisplayName", "first")
        if "smoke-second" in name:
            hit = {"CacheHitResult": {"SourcePipelineExecutionArn": self.executions[0]["PipelineExecutionArn"]}}
            self.add_step(arn, "Train-EWR", **hit)
            self.add_step(arn, contract.JUDGE, "Failed" if 8 in self.broken_beliefs else "Succeeded")
        elif execution["steps"]:
            self._finish_fallback(execution)
            return
        elif "smoke-third" in name:
            self.add_step(arn, "InferFallback-EWR")
        else:
            self._fail_in_decide(arn)
            return
        self.end_execution(arn, "Failed" if 12 in self.broken_beliefs else "Succeeded")

    def _fail_in_decide(self, arn: str) -> None:
        for name in ("Train-EWR", contract.JUDGE, contract.GATE, "RegisterModelsFallback"):
            self.add_step(arn, name)
        self.add_step(arn, contract.DECIDE, "Failed", FailureReason="no approved default for EWR")
        self.end_execution(arn, "Failed")

    def _finish_fallback(self, execution: dict[str, Any]) -> None:
        """Go on after a retry: only where the newest versions were approved."""
        arn = execution["PipelineExecutionArn"]
        approved = any(p["ModelApprovalStatus"] == "Approved" for p in self.packages)
        execution["steps"] = [s for s in execution["steps"] if s["StepName"] != contract.DECIDE]
        self.add_step(arn, contract.DECIDE, "Succeeded" if approved else "Failed")
        for name, number in (("InferFallback-EWR", 2), ("PostProcessFallback", 3)):
            self.add_step(arn, name, "Failed" if number in self.broken_beliefs else "Succeeded")
        self.end_execution(arn, "Failed" if 9 in self.broken_beliefs or not approved else "Succeeded")


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    """A deployed pipeline with one registered, unapproved version, and an address that has confirmed."""
    made = Operator(tmp_path, Believed()).deploy()
    made.version("EWR")
    topic = OUTPUTS["TopicArn"]
    made.aws._on_subscribe({"TopicArn": topic, "Protocol": "email", "Endpoint": "ann@example.com"})
    made.aws.confirm("ann@example.com")
    return made


def smoke(operator: Operator, *options: str) -> int:
    aws = operator.aws
    assert isinstance(aws, Believed)
    operator.while_asleep.extend([aws.go_on] * 100)
    return smoke_aws.main(["--config", str(operator.root / "c.yml"), "--raw", DAY, *options], operator.outside)


def rows(text: str) -> dict[int, str]:
    """Return the word of each assumption from what was printed."""
    words = {"held": "held", "DID NOT": "did not", "not che": "unknown"}
    lines = [line for line in text.splitlines() if line[:3].strip().isdigit() and line[5:12].strip() in words]
    return {int(line[:3]): words[line[5:12].strip()] for line in lines}


def test_every_assumption_of_the_page_has_a_check_and_holds_where_aws_is_as_believed(operator, capsys) -> None:
    assert smoke(operator, "--yes") == 0

    found = rows(capsys.readouterr().out)
    listed = [line for line in (ROOT / "docs/aws.md").read_text().splitlines() if line[:3].strip("| ").isdigit()]
    assert sorted(found) == [int(line.split("|")[1]) for line in listed]
    assert {number for number, word in found.items() if word != "held"} == {14}  # only a person can try the link


def test_nothing_that_a_check_made_is_left(operator, capsys) -> None:
    aws = operator.aws

    def things() -> tuple[set[str], ...]:
        for stack in list(aws.stacks):
            aws._on_describe_stacks({"StackName": stack})  # a removal that was asked for comes to its end
        raw = {key for bucket, key in aws.objects if bucket == RAW}
        return set(aws.pipelines), set(aws.groups), set(aws.stacks), raw

    aws.stack_looks = 1
    before = things()
    smoke(operator, "--yes")

    assert things() == before
    assert {package["ModelApprovalStatus"] for package in aws.packages} == {"Rejected"}


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 15, 17, 18, 19])
def test_an_assumption_that_does_not_hold_is_named_and_fails_the_command(operator, capsys, number: int) -> None:
    operator.aws.broken_beliefs = {number}

    assert smoke(operator, "--yes") == 1
    assert rows(capsys.readouterr().out)[number] == "did not"


def test_an_address_that_has_not_confirmed_is_named(operator, capsys) -> None:
    operator.aws._on_subscribe({"TopicArn": OUTPUTS["TopicArn"], "Protocol": "email", "Endpoint": "bob@example.com"})

    assert smoke(operator, "--only", "16") == 1
    assert "1 of 2 addresses have confirmed" in capsys.readouterr().out


def test_what_aws_refuses_is_not_checked_and_does_not_end_the_others(operator, capsys) -> None:
    operator.aws.broken.add("GetAccountSettings")

    assert smoke(operator, "--only", "13", "16") == 0
    assert rows(capsys.readouterr().out) == {13: "unknown", 16: "held"}


def test_nothing_that_costs_money_starts_unasked(operator, capsys) -> None:
    line = ["--config", str(operator.root / "c.yml"), "--raw", DAY]

    assert smoke_aws.main(line, operator.outside, io.StringIO("\n")) == 2
    assert "5: a job of minutes" in capsys.readouterr().out
    assert operator.aws.job_requests == {}


def test_a_raw_folder_elsewhere_is_refused(operator, capsys) -> None:
    assert smoke_aws.main(["--config", str(operator.root / "c.yml"), "--raw", "s3://other/x/"], operator.outside) == 2
    assert "lies in another bucket" in capsys.readouterr().err


def test_help_names_the_command() -> None:
    assert "make smoke-aws" in smoke_aws.parser().format_help()
