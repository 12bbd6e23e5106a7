"""The SDK without account, network and noise gives what the SDK itself gives."""

from __future__ import annotations

import json
import logging
import os
import warnings

import boto3
import pytest

from pipelines import compile as compiling
from pipelines import models, sdk
from pipelines.settings import validate

CONFIG = {"data": {"label": "y", "id": "id"}, "models": [{"name": "A", "where": {"s": "a"}}], "rest": "skip"}


def test_the_quick_step_gives_the_same_definition_as_the_sdk_left_alone() -> None:
    settings = validate(CONFIG, "c.yml")
    chosen = models.choose_models(settings, None)
    blueprint, _ = compiling.draw(settings, chosen)
    with sdk.without_account(blueprint.account.region):
        from sagemaker.core.workflow.pipeline_context import PipelineSession

        from pipelines.definition import build

        session = PipelineSession(default_bucket=blueprint.account.bucket)
        untouched = json.loads(build(blueprint, session).definition())

    quick = json.loads(compiling.compile_pipeline(settings, chosen).text)
    assert {key: value for key, value in untouched.items() if value is not None} == quick


def test_the_sdk_is_left_as_it_was() -> None:
    with sdk.without_account("us-east-1"):
        from sagemaker.mlops.workflow import steps
    before = steps.LocalSagemakerClient

    with sdk.quick_and_quiet("us-east-1"):
        assert steps.LocalSagemakerClient is not before
    assert steps.LocalSagemakerClient is before


def test_the_environment_is_given_back_even_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_DEFAULT_PROFILE", "mine")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "my-key")
    monkeypatch.delenv("AWS_REGION", raising=False)
    before = dict(os.environ)

    def failing() -> None:
        with sdk.without_account("eu-west-1"):
            assert os.environ["AWS_REGION"] == "eu-west-1"
            assert os.environ["AWS_ACCESS_KEY_ID"] == "compile-only"
            assert not {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"} & set(os.environ)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        failing()
    assert dict(os.environ) == before


def test_the_sdks_advice_and_warnings_are_not_shown() -> None:
    with sdk.without_account("us-east-1"):
        warnings.warn("moved to elsewhere", DeprecationWarning, stacklevel=1)

    assert logging.getLogger("sagemaker").getEffectiveLevel() >= logging.ERROR


def test_no_session_with_the_inert_keys_is_left_for_later_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    compiling.compile_pipeline(validate(CONFIG, "c.yml"), models.choose_models(validate(CONFIG, "c.yml"), None))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "my-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "my-secret")
    credentials = boto3.Session().get_credentials()

    assert boto3.DEFAULT_SESSION is None
    assert credentials is not None
    assert credentials.access_key == "my-key"
