"""Comparing a release with an account, where a whole deployment would be too long a way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines import template
from pipelines.aws.repositories import Image
from pipelines.aws.stacks import Stack, StackRequest
from pipelines.deploy_plan import (
    ImagePlan,
    Mark,
    check_account,
    check_functions,
    plan_marks,
    plan_stack,
    stack_problems,
)
from pipelines.errors import PipelineError
from pipelines.release import read_release
from pipelines.settings import validate

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "pipeline: {name: f}\ndata: {label: y, id: id}\nmodels: [{name: A, where: {s: a}}]\nrest: skip\n"
TEXT = "Parameters: {Days: {Type: Number}}\nResources: {Topic: {Type: 'AWS::SNS::Topic', Name: !Sub 'x'}}\n"
TAGS = {"environment": "test"}
REQUEST = StackRequest("flights-pipeline", TEXT, {"Days": "9"}, TAGS, "role")
STACK = Stack("flights-pipeline", "arn", "CREATE_COMPLETE", "", {}, {"Days": "9", "Other": "1"}, TAGS)
URI = "1.dkr.ecr.us-east-1.amazonaws.com/flights-processing"
OLD, NEW = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def test_a_stack_with_the_same_template_parameters_and_tags_is_left_alone() -> None:
    commented = f"# a comment\n{TEXT}"

    assert plan_stack(REQUEST, STACK, commented).same
    assert not plan_stack(REQUEST, STACK, TEXT.replace("!Sub", "!Ref")).same
    assert not plan_stack(replace(REQUEST, parameters={"Days": "10"}), STACK, TEXT).same
    assert not plan_stack(replace(REQUEST, tags={}), STACK, TEXT).same


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_did_not_end_well_is_not_taken_for_the_same(status: str) -> None:
    assert not plan_stack(REQUEST, replace(STACK, status=status), TEXT).same


def test_a_stack_whose_making_failed_counts_as_new() -> None:
    assert plan_stack(REQUEST, replace(STACK, status="ROLLBACK_COMPLETE"), TEXT).new
    assert plan_stack(REQUEST, None, "").new
    assert not plan_stack(REQUEST, STACK, TEXT).new


def test_a_stack_that_cannot_be_changed_is_told_with_every_reason() -> None:
    stack = replace(STACK, status="UPDATE_ROLLBACK_FAILED", reason="Topic is gone", tags={"environment": "production"})
    problems = stack_problems(stack, "flights-pipeline", TAGS)

    assert len(problems) == 2
    assert "'production', not to 'test'" in problems[0]
    assert "Topic is gone" in problems[1]


def marks(there: list[Image], kept: frozenset[str] | None) -> tuple[Mark, ...]:
    image = ImagePlan("processing", URI, "t", NEW)
    return plan_marks(f'"{URI}@{NEW}"', [image], {"processing": there}, kept)


def test_the_image_in_use_is_marked_once() -> None:
    assert marks([Image(NEW, ("t",))], None) == (Mark("flights-processing", f"used-{'2' * 12}", NEW),)
    assert marks([Image(NEW, ("t", f"used-{'2' * 12}"))], None) == ()


def test_a_mark_goes_only_where_all_that_could_use_the_image_are_known() -> None:
    there = [Image(NEW, (f"used-{'2' * 12}",)), Image(OLD, ("s", f"used-{'1' * 12}"))]

    assert marks(there, None) == ()
    assert marks(there, frozenset({f"{URI}@{OLD}"})) == ()
    assert marks(there, frozenset()) == (Mark("flights-processing", f"used-{'1' * 12}", None),)


def test_a_function_that_the_stack_does_not_make_is_named_before_anything_is_deployed(tmp_path: Path) -> None:
    (tmp_path / "c.yml").write_text(CONFIG)
    release = read_release(ROOT, tmp_path / "c.yml", None)
    ping = {"Name": "Ping", "Type": "Lambda", "FunctionArn": "arn:aws:lambda:r:1:function:f-ping", "Arguments": {}}
    judge = {**ping, "FunctionArn": "arn:aws:lambda:r:1:function:f-judge"}
    gate = {"Name": "Gate", "Type": "Condition", "Arguments": {"IfSteps": [ping], "ElseSteps": []}}

    check_functions(json.dumps({"Steps": [judge]}), release)
    with pytest.raises(PipelineError, match="function f-ping: the definition calls it"):
        check_functions(json.dumps({"Steps": [judge, gate]}), release)


def test_placeholders_are_refused_one_by_one() -> None:
    settings = validate({"data": {"label": "y", "id": "i"}, "models": {"by": "s"}}, "config")
    with pytest.raises(PipelineError) as caught:
        check_account(settings)

    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "aws.role",
        "aws.bucket",
        "aws.account",
        "images.processing",
        "images.autogluon",
    ]


def test_a_template_names_its_resources_and_parameters() -> None:
    assert template.resources(TEXT) == {"Topic": "AWS::SNS::Topic"}
    assert template.parameters(TEXT) == {"Days"}
    with pytest.raises(PipelineError, match="not YAML"):
        template.resources("a: [")
