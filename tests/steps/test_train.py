"""Train without AutoGluon: what each ending of a fit does to the step and to its outputs."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import prepared_rows
import pytest

from steps import clock, fitting, job, train, trial
from steps.contract import ML_ROOT_VARIABLE

Ending = Callable[[Path, int], trial.Outcome]


class FakeLaunch:
    """Stands for the child: calls `ending` with the folder and the number of the attempt on its model."""

    def __init__(self, ending: Ending) -> None:
        self.ending = ending
        self.requests: list[fitting.Request] = []
        self.guards: list[trial.Guard] = []
        self.environments: list[Mapping[str, str]] = []

    def __call__(self, folder: Path, guard: trial.Guard, environment: Mapping[str, str]) -> trial.Outcome:
        request = fitting.read_request(folder)
        self.requests.append(request)
        self.guards.append(guard)
        self.environments.append(environment)
        return self.ending(folder, sum(found.slug == request.slug for found in self.requests))


def trained(folder: Path, attempt: int) -> trial.Outcome:
    prepared_rows.write_json(fitting.result_dir(folder, "evaluation") / "evaluation.json", {"attempt": attempt})
    model = fitting.result_dir(folder, "model")
    model.mkdir(parents=True)
    (model / "model.tar.gz").write_bytes(b"artifact")
    return trial.Outcome(trial.TRAINED)


def ends(status: str, reason: str = "because") -> Ending:
    return lambda folder, attempt: trial.Outcome(status, reason)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> prepared_rows.Tree:
    monkeypatch.setenv(ML_ROOT_VARIABLE, str(tmp_path / "ml"))
    found = prepared_rows.Tree(tmp_path / "ml")
    found.train_settings(["EWR"])
    found.prepared("EWR", prepared_rows.table(8), prepared_rows.table(4))
    return found


def run(tree: prepared_rows.Tree, ending: Ending, cores: int = 2) -> FakeLaunch:
    launch = FakeLaunch(ending)
    train.train(train.Job(job.read_settings(), 10.0, cores, tree.root / "work", (launch, launch)))
    return launch


def evaluation(tree: prepared_rows.Tree, slug: str = "EWR") -> dict[str, Any]:
    found: dict[str, Any] = prepared_rows.read_json(tree.output("evaluation", slug, "evaluation.json"))
    return found


def test_a_trained_model_is_published_and_nothing_of_the_work_is_left(tree: prepared_rows.Tree) -> None:
    launch = run(tree, trained)
    found = evaluation(tree)
    assert found["attempt"] == 1
    assert clock.span(found["timing"]) is not None
    assert tree.output("model", "EWR", "model.tar.gz").read_bytes() == b"artifact"
    assert list((tree.root / "work").iterdir()) == []
    assert launch.requests[0].name == "<EWR>"
    assert launch.requests[0].categories == ("code",)
    assert launch.environments[0]["OMP_NUM_THREADS"] == "2"


def test_the_guard_grows_with_limit_factor_and_holdout(tree: prepared_rows.Tree) -> None:
    assert run(tree, trained).guards == [train.guard_of(10.0, 1.5, 4)]
    assert train.guard_of(100.0, 2.0, 0) == trial.Guard(260.0, 260.0)
    assert train.guard_of(100.0, 2.0, 1_000_000).measure > 5000


def test_a_failure_of_the_data_leaves_a_failed_evaluation_and_the_step_succeeds(tree: prepared_rows.Tree) -> None:
    launch = run(tree, ends(trial.FAILED, "AutoGluon could not train on 8 rows (ValueError)"))
    found = evaluation(tree)
    assert (found["status"], found["transient"], found["artifact"]) == ("failed", False, None)
    assert found["reason"] == "AutoGluon could not train on 8 rows (ValueError)"
    assert found["regression_metrics"]["mae"]["value"] == 1e12
    assert (found["train_rows"], found["holdout_rows"]) == (8, 4)
    assert len(launch.requests) == 1
    assert tree.output("evaluation", "EWR", "schema.json").is_file()
    assert prepared_rows.read_json(tree.output("model", "EWR", "status.json"))["status"] == "failed"


def test_a_transient_failure_is_tried_once_more(tree: prepared_rows.Tree) -> None:
    def second_time(folder: Path, attempt: int) -> trial.Outcome:
        return trained(folder, attempt) if attempt == 2 else trial.Outcome(trial.TRANSIENT, "killed")

    run(tree, second_time)
    assert evaluation(tree)["attempt"] == 2


def test_two_transient_failures_fail_the_step_and_publish_nothing(tree: prepared_rows.Tree) -> None:
    with pytest.raises(job.StepError, match=r"model <EWR>: killed, 2 times\. Retry the run"):
        run(tree, ends(trial.TRANSIENT, "killed"))
    assert not tree.output("evaluation", "EWR").exists()


def test_isolated_transient_failures_are_told_apart_from_those_of_the_data(tree: prepared_rows.Tree) -> None:
    tree.train_settings(["EWR"], on_transient_failure="isolate")
    launch = run(tree, ends(trial.TRANSIENT, "killed"))
    found = evaluation(tree)
    assert (found["status"], found["transient"], found["reason"]) == ("failed", True, "killed")
    assert len(launch.requests) == 2
    assert (tree.root / "output" / "no-cache").is_file()


def test_a_failure_of_the_data_may_be_cached(tree: prepared_rows.Tree) -> None:
    tree.train_settings(["EWR"], on_transient_failure="isolate")
    run(tree, ends(trial.FAILED))
    assert not (tree.root / "output" / "no-cache").exists()


def test_rows_that_could_not_be_prepared_are_a_failure_with_that_reason_and_cost_no_child(
    tree: prepared_rows.Tree,
) -> None:
    folder = tree.prepared("EWR", prepared_rows.table(0), prepared_rows.table(0), "failed")
    reason = "label 'y' in 'a.csv': 3 of 9 non-empty cells are not numbers"
    prepared_rows.write_json(
        folder / "status.json", {**prepared_rows.read_json(folder / "status.json"), "reason": reason}
    )
    launch = run(tree, trained)
    found = evaluation(tree)
    assert (found["status"], found["transient"], found["reason"]) == ("failed", False, reason)
    assert launch.requests == []


@pytest.mark.parametrize("policy", ["fail", "isolate"])
def test_settings_that_cannot_work_fail_the_step_under_every_policy(tree: prepared_rows.Tree, policy: str) -> None:
    tree.train_settings(["EWR"], on_transient_failure=policy)
    with pytest.raises(job.StepError, match="unknown preset"):
        run(tree, ends(trial.REFUSED, "unknown preset"))


def test_our_own_mistake_is_no_failure_of_the_data(tree: prepared_rows.Tree) -> None:
    with pytest.raises(job.StepError, match="model <EWR>: training met a KeyError"):
        run(tree, ends(trial.BROKEN, "training met a KeyError at learning.py:1"))


def test_a_skipped_segment_gets_an_evaluation_that_no_condition_stops_at(tree: prepared_rows.Tree) -> None:
    tree.prepared("EWR", prepared_rows.table(0), prepared_rows.table(0), status="skipped")
    assert run(tree, trained).requests == []
    found = evaluation(tree)
    assert (found["status"], found["regression_metrics"]["mae"]["value"]) == ("skipped", 0.0)
    assert found["reason"] == "no training rows"
    assert [path.name for path in tree.output("model", "EWR").iterdir()] == ["status.json"]


@pytest.mark.parametrize(
    ("rows", "held", "reason"),
    [
        (1, 0, "no holdout rows to measure a model on (1 row for training, 0 rows held out)"),
        (0, 0, "no training rows (0 rows for training, 0 rows held out)"),
    ],
)
def test_rows_that_cannot_be_trained_or_measured_cost_no_child(
    tree: prepared_rows.Tree, rows: int, held: int, reason: str
) -> None:
    tree.prepared("EWR", prepared_rows.table(rows), prepared_rows.table(held))
    assert run(tree, trained).requests == []
    assert (evaluation(tree)["status"], evaluation(tree)["reason"]) == ("failed", reason)


def test_models_of_a_shard_share_the_cores_and_all_end_before_the_step_fails(tree: prepared_rows.Tree) -> None:
    slugs = ["a", "b", "c"]
    tree.train_settings(slugs)
    for slug in slugs:
        tree.prepared(slug, prepared_rows.table(8), prepared_rows.table(4))

    def one_breaks(folder: Path, attempt: int) -> trial.Outcome:
        good = fitting.read_request(folder).slug != "b"
        return trained(folder, attempt) if good else trial.Outcome(trial.TRANSIENT, "killed")

    with pytest.raises(job.StepError, match="model <b>: killed"):
        run(tree, one_breaks, cores=4)
    assert tree.output("model", "a", "model.tar.gz").is_file()
    assert tree.output("model", "c", "model.tar.gz").is_file()
    assert run(tree, trained, cores=6).environments[0]["OMP_NUM_THREADS"] == "2"


def test_the_same_mistake_of_many_models_is_told_once(tree: prepared_rows.Tree) -> None:
    tree.train_settings(["EWR", "JFK"])
    tree.prepared("JFK", prepared_rows.table(8), prepared_rows.table(4))
    with pytest.raises(job.StepError) as caught:
        run(tree, ends(trial.REFUSED, "unknown preset"))
    assert str(caught.value) == "unknown preset"


def test_a_model_without_prepared_folder_is_named(tree: prepared_rows.Tree) -> None:
    tree.train_settings(["LGA"])
    with pytest.raises(job.StepError, match=re.escape("model <LGA> has no prepared folder LGA/ with status.json")):
        run(tree, trained)


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "nan", "soon"])
def test_a_time_limit_that_is_none_is_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        train.main([f"--time-limit={seconds}"])
    assert "--time-limit" in capsys.readouterr().err
