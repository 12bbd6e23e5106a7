"""The seam to AutoGluon: what is asked of it, and what becomes of what it raises."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import prepared_rows
import pytest

from steps import failure, fitting, job, learning, trial


def request(**training: Any) -> fitting.Request:
    tree = prepared_rows.Tree(Path())
    model = {"name": "EWR", "slug": "EWR", "training": {**tree.training, **training}}
    return fitting.Request.of(model, {"label": "y", "id": "id"}, "", 12.0, 3)


def test_autogluon_gets_limit_presets_and_cores_and_nothing_that_is_unset() -> None:
    assert learning.fit_arguments(request(hyperparameters=None)) == {
        "presets": "medium_quality",
        "time_limit": 12.0,
        "num_cpus": 3,
        "num_gpus": 0,
        "raise_on_no_models_fitted": False,
    }


def test_hyperparameters_exclusions_and_infer_limit_are_passed_on() -> None:
    found = learning.fit_arguments(request(hyperparameters={"GBM": {}}, excluded_model_types=["RF"], infer_limit=0.01))
    assert found["hyperparameters"] == {"GBM": {}}
    assert found["excluded_model_types"] == ["RF"]
    assert found["infer_limit"] == 0.01


def test_a_floor_of_rows_per_second_is_passed_on_as_seconds_per_row() -> None:
    found = learning.fit_arguments(request(min_rows_per_second=20_000))
    assert (found["infer_limit"], found["infer_limit_batch_size"]) == (1 / 20_000, 10_000)


@pytest.mark.parametrize("error", [ValueError, ZeroDivisionError, RuntimeError, AssertionError, KeyError])
def test_what_autogluon_raises_on_the_data_is_failed_by_type_only(
    error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.INFO),
        pytest.raises(trial.Ended) as caught,
        learning.on_data("AutoGluon could not train on 1 row"),
    ):
        raise error("cell 'secret'")
    outcome = caught.value.outcome
    assert outcome == trial.Outcome(trial.FAILED, f"AutoGluon could not train on 1 row ({error.__name__})")
    assert "test_learning.py" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("error", [MemoryError(), OSError(28, "disk"), trial.Ended(trial.REFUSED, "x")])
def test_memory_files_and_settled_outcomes_are_not_the_datas_fault(error: Exception) -> None:
    with pytest.raises(type(error)), learning.on_data("no"):
        raise error


def test_our_own_message_is_kept_as_the_reason() -> None:
    with pytest.raises(trial.Ended) as caught, learning.on_data("no"):
        raise job.StepError("2 of 7 predictions of a batch are null")
    assert caught.value.outcome == trial.Outcome(trial.FAILED, "2 of 7 predictions of a batch are null")


class NothingFitted:
    """A predictor without a model, and why."""

    def __init__(self, *failures: tuple[str, str]) -> None:
        self.failures = pd.DataFrame(list(failures), columns=["model", "exc_type"])

    def model_names(self) -> list[str]:
        return []

    def model_failures(self) -> pd.DataFrame:
        return self.failures


@pytest.mark.parametrize(
    ("failures", "status", "tail"),
    [
        (
            [("LightGBM", "TimeLimitExceeded"), ("CatBoost", "TimeLimitExceeded")],
            trial.TRANSIENT,
            " within 12 s of TrainTimeLimitSeconds (LightGBM: TimeLimitExceeded, CatBoost: TimeLimitExceeded)",
        ),
        (
            [("LightGBM", "TimeLimitExceeded"), ("CatBoost", "ValueError")],
            trial.FAILED,
            " within 12 s of TrainTimeLimitSeconds (LightGBM: TimeLimitExceeded, CatBoost: ValueError)",
        ),
        ([("LightGBM", "TimeLimitExceeded"), ("CatBoost", "MemoryError")], trial.TRANSIENT, "CatBoost: MemoryError)"),
        ([("LightGBM", "ValueError")], trial.FAILED, " within 12 s (LightGBM: ValueError)"),
        ([("LightGBM", "ValueError"), ("CatBoost", "NotEnoughMemoryError")], trial.TRANSIENT, "NotEnoughMemoryError)"),
        ([], trial.FAILED, "no model could be trained on 1,000 rows within 12 s"),
    ],
)
def test_a_fit_without_a_model_tells_what_stopped_each(failures: list[tuple[str, str]], status: str, tail: str) -> None:
    with pytest.raises(trial.Ended) as caught:
        learning.require_a_model(NothingFitted(*failures), request(), 1000)
    assert caught.value.outcome.status == status
    assert caught.value.outcome.reason.endswith(tail)


def test_an_exception_is_described_without_its_text() -> None:
    with pytest.raises(ValueError, match="secret") as caught:
        _ = int("secret")
    assert failure.name(caught.value) == "ValueError"
    assert failure.place(caught.value).startswith("test_learning.py:")
    assert "secret" not in failure.frames(caught.value)
    assert failure.place(ValueError("never raised")) == ""


@pytest.mark.slow
def test_names_that_autogluon_does_not_know_are_refused_together_with_the_nearest() -> None:
    unknown = request(presets="medium_qualty", hyperparameters={"GBMM": {}}, excluded_model_types=["CATT"])
    with pytest.raises(trial.Ended) as caught:
        learning.check_names(unknown.training)
    assert caught.value.outcome.status == trial.REFUSED
    assert caught.value.outcome.reason == (
        "training.presets: AutoGluon does not know 'medium_qualty'; did you mean 'medium_quality'?; "
        "training.hyperparameters: AutoGluon does not know 'GBMM'; did you mean 'GBM'?; "
        "training.excluded_model_types: AutoGluon does not know 'CATT'; did you mean 'CAT'?"
    )
    learning.check_names(request().training)
