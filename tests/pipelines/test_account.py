"""AWS values of a definition, and their placeholders."""

from __future__ import annotations

from typing import Any

from pipelines.account import Account, resolve_account
from pipelines.settings import validate

ROLE = "arn:aws:iam::123456789012:role/sagemaker"


def account(**changes: Any) -> Account:
    return resolve_account(
        validate(
            {"data": {"label": "y", "id": "id"}, "models": {"by": "r"}, "pipeline": {"name": "Fl"}, **changes}, "c"
        )
    )


def test_what_is_not_set_has_a_fixed_placeholder_that_says_so() -> None:
    found = account()

    assert found.role == "arn:aws:iam::000000000000:role/not-set"
    assert found.bucket == "fl-artifacts-not-set"
    assert found.processing_image.endswith("/Fl-processing:not-set")
    assert found.prefix == "s3://fl-artifacts-not-set/Fl"


def test_what_is_set_is_taken_as_it_stands() -> None:
    found = account(
        aws={"role": ROLE, "bucket": "my-bucket", "region": "ap-northeast-1"},
        images={"autogluon": "registry/autogluon@sha256:1"},
    )

    assert (found.role, found.bucket, found.autogluon_image) == (ROLE, "my-bucket", "registry/autogluon@sha256:1")


def test_the_account_number_comes_from_the_role_unless_it_is_set() -> None:
    assert account(aws={"role": ROLE}).number == "123456789012"
    assert account(aws={"role": ROLE, "account": "999999999999"}).number == "999999999999"


def test_a_function_lies_in_the_region_and_account_of_the_pipeline() -> None:
    found = account(aws={"role": ROLE, "region": "ap-northeast-1"})

    assert found.function_arn("Fl-judge") == "arn:aws:lambda:ap-northeast-1:123456789012:function:Fl-judge"


def test_other_partitions_have_arns_and_registries_of_their_own() -> None:
    china = account(aws={"region": "cn-north-1"})

    assert china.role.startswith("arn:aws-cn:iam::")
    assert china.function_arn("f").startswith("arn:aws-cn:lambda:cn-north-1:")
    assert ".amazonaws.com.cn/" in china.processing_image
    assert account(aws={"region": "us-gov-west-1"}).function_arn("f").startswith("arn:aws-us-gov:")
