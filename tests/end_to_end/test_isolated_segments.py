"""A fault in one of three segments: the others get the predictions of a clean run, or the run fails, as configured."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import yaml
from user_project import SEGMENTS, Project, Run, make_rows

pytestmark = pytest.mark.slow

BROKEN, OTHERS = "JFK", ("EWR", "LGA")
SECRET = "tell-nobody"
SKIP = {"fallback": {"policy": "per_model", "on_missing_default": "skip"}}
Fault = Callable[["Bench"], AbstractContextManager[None]]


@dataclass
class Bench:
    """A project that has had one clean run; `clean` are the parts, `values` the predictions of the others then."""

    project: Project
    clean: dict[str, bytes] = field(default_factory=dict)
    values: list[tuple[int, float]] = field(default_factory=list)

    def configure(self, **changes: object) -> None:
        """Write the config: each segment has files of its own."""
        models = [{"name": name, "train": [f"train-{name}*"], "predict": [f"predict-{name}*"]} for name in SEGMENTS]
        self.project.configure(**{"models": models, "fallback": {"policy": "per_model"}, **changes})

    def train_differently(self, **training: object) -> None:
        """Give JFK a setting of its own under `training`."""
        path = self.project.folder / "config.yml"
        config = yaml.safe_load(path.read_text())
        next(model for model in config["models"] if model["name"] == BROKEN)["training"] = training
        path.write_text(yaml.safe_dump(config))

    def write(self) -> None:
        shutil.rmtree(self.project.raw, ignore_errors=True)
        train, predict = make_rows(600, 1), make_rows(90, 2, first=10_000).drop(columns="y")
        for name in SEGMENTS:
            self.project.write(f"train-{name}.csv", train[train["origin"] == name])
            self.project.write(f"predict-{name}.csv", predict[predict["origin"] == name])

    def parts(self, run: Run) -> dict[str, bytes]:
        """Return the parts that Infer wrote for the untouched segments."""
        assert run.result is not None, run.stderr
        folder = next((self.project.workspace / "s3").rglob(run.result["execution"]))
        found = {name: list(folder.rglob(f"{name}/part-*.parquet")) for name in OTHERS}
        return {f"{name}/{path.name}": path.read_bytes() for name in OTHERS for path in found[name]}

    def predictions(self, run: Run) -> list[tuple[int, float]]:
        """Return ids and predictions of the untouched segments as they were published."""
        found = run.predictions()
        return list(found.loc[found["model"].isin(OTHERS), ["id", "prediction"]].itertuples(index=False, name=None))


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """No default is approved."""
    bench = Bench(Project(tmp_path_factory.mktemp("fresh")))
    bench.configure()
    bench.write()
    run = bench.project.run()
    assert run.code == 0, run.stderr
    bench.clean, bench.values = bench.parts(run), bench.predictions(run)
    assert sorted(bench.clean) == ["EWR/part-00000.parquet", "LGA/part-00000.parquet"]
    return bench


@pytest.fixture(scope="module")
def approved(fresh: Bench, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Of JFK a model is approved."""
    folder = tmp_path_factory.mktemp("approved") / "project"
    shutil.copytree(fresh.project.folder, folder, symlinks=True)
    bench = Bench(Project(folder), fresh.clean, fresh.values)
    assert bench.project.registry("approve", BROKEN).returncode == 0
    return bench


def spoil(bench: Bench, name: str, old: str, new: str) -> None:
    path = bench.project.raw / f"{name}-{BROKEN}.csv"
    path.write_text(path.read_text().replace(old, new, 1))


@contextlib.contextmanager
def text_among_the_labels(bench: Bench) -> Iterator[None]:
    path = bench.project.raw / f"train-{BROKEN}.csv"
    header, first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([header, f"{first.rpartition(',')[0]},{SECRET}", *rest]) + "\n")
    yield


@contextlib.contextmanager
def a_column_less(bench: Bench) -> Iterator[None]:
    spoil(bench, "train", "x.1", "x.2")
    yield


@contextlib.contextmanager
def text_among_the_numbers_to_predict(bench: Bench) -> Iterator[None]:
    path = bench.project.raw / f"predict-{BROKEN}.csv"
    lines = path.read_text().splitlines()
    cells = lines[4].split(",")
    lines[4] = ",".join([*cells[:2], SECRET, *cells[3:]])
    path.write_text("\n".join(lines) + "\n")
    yield


@contextlib.contextmanager
def nothing_in_the_file_to_predict(bench: Bench) -> Iterator[None]:
    (bench.project.raw / f"predict-{BROKEN}.csv").write_text("")
    yield


@contextlib.contextmanager
def hyperparameters_that_raise(bench: Bench) -> Iterator[None]:
    bench.train_differently(hyperparameters={"GBM": {"num_leaves": "none"}})
    yield


@contextlib.contextmanager
def killed(bench: Bench, is_wanted: Callable[[psutil.Process], bool]) -> Iterator[None]:
    """Kill every process of the workspace that is wanted, as soon as it is there."""
    done, met = threading.Event(), set[int]()

    def watch() -> None:
        while not done.wait(0.05):
            for process in psutil.process_iter():
                with contextlib.suppress(psutil.Error, ProcessLookupError):
                    if str(bench.project.workspace) in process.environ().get("ML_ROOT", "") and is_wanted(process):
                        process.kill()
                        met.add(process.pid)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert met


def fit_killed(bench: Bench) -> AbstractContextManager[None]:
    """Kill what the step's own process has started: a fit, or that which forks it."""
    bench.train_differently(seed=3)  # what was trained before is not asked for

    def is_wanted(process: psutil.Process) -> bool:
        leads = os.getsid(process.pid) == process.pid
        return f"/Train-{BROKEN}/" in f"{process.environ()['ML_ROOT']}/" and not leads

    return killed(bench, is_wanted)


def scoring_killed(bench: Bench) -> AbstractContextManager[None]:
    """Kill the child, or that which forks it, where there is one, else the step's own process."""
    isolated = "isolate" in (bench.project.folder / "config.yml").read_text()

    def is_wanted(process: psutil.Process) -> bool:
        leads = os.getsid(process.pid) == process.pid
        return f"/Infer-{BROKEN}/" in f"{process.environ()['ML_ROOT']}/" and leads is not isolated

    return killed(bench, is_wanted)


ISOLATE = {"on_segment_failure": "isolate"}
TRANSIENT = {
    "training": {"hyperparameters": {"GBM": {"num_boost_round": 20}}, "on_transient_failure": "isolate"},
}


def run_with(bench: Bench, fault: Fault, **changes: object) -> Run:
    """Run once with a fault, on whole data otherwise."""
    bench.configure(**changes)
    bench.write()
    with fault(bench):
        done = bench.project.run()
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


DEGRADED: dict[Fault, tuple[dict[str, object], str, str]] = {
    text_among_the_labels: (ISOLATE, "label 'y' in 'train-JFK.csv': 1 of 200 non-empty cells are not numbers", ""),
    a_column_less: (ISOLATE, "file 'train-JFK.csv' differs from", ""),
    hyperparameters_that_raise: ({}, "no model could be trained on", ""),
    fit_killed: (TRANSIENT, "training was killed (SIGKILL)", ""),
    text_among_the_numbers_to_predict: (ISOLATE, "column 'x.1' in 'predict-JFK.csv': 1 non-empty cells", "failed"),
    nothing_in_the_file_to_predict: (ISOLATE, "file 'predict-JFK.csv' is empty", "failed"),
    scoring_killed: (ISOLATE, "inference was killed (SIGKILL)", "failed"),
}


@pytest.mark.parametrize("fault", DEGRADED, ids=lambda fault: fault.__name__)
def test_a_fault_of_one_segment_degrades_the_run_and_leaves_the_others_predictions_alone(
    fresh: Bench, fault: Fault
) -> None:
    changes, reason, failed = DEGRADED[fault]

    done = run_with(fresh, fault, **{**SKIP, **changes})

    assert done.code == 3, done.stderr
    assert done.result is not None
    assert done.served() == {"EWR": "fresh", "JFK": "skipped", "LGA": "fresh"}
    if fault is not nothing_in_the_file_to_predict:  # how many rows there were before the others' nobody can know
        assert fresh.parts(done) == fresh.clean
    assert fresh.predictions(done) == fresh.values
    folder = Path(done.result["report"]).parent
    assert {path.name for path in folder.glob("_*")} == {"_DEGRADED"}
    summary = json.loads((folder / "summary.json").read_text())
    assert reason in summary["models"][BROKEN]["why"]
    assert (summary["status"], bool(summary["models"][BROKEN]["failure"])) == ("Degraded", bool(failed))
    told = done.result["models"][BROKEN]
    assert reason in (told["failure"] or "; ".join(told["reasons"]))
    mail = next((fresh.project.workspace / "outbox" / done.result["execution"]).glob("*finished*")).read_text()
    assert "DEGRADED, 1 of 3 not served (JFK)" in mail
    for text in (mail, (folder / "report.html").read_text()):
        assert reason.partition(":")[0].partition("'")[0] in text
        assert SECRET not in text


@pytest.mark.parametrize("fault", [text_among_the_labels, hyperparameters_that_raise, fit_killed])
def test_a_segment_that_cannot_be_trained_is_served_by_its_approved_default(approved: Bench, fault: Fault) -> None:
    done = run_with(approved, fault, **DEGRADED[fault][0])

    assert done.code == 0, done.stderr
    assert done.served() == {"EWR": "fresh", "JFK": "default", "LGA": "fresh"}
    assert approved.parts(done) == approved.clean
    assert len(done.predictions()) == 90


def test_a_default_that_was_changed_is_refused_and_the_others_are_predicted_as_ever(approved: Bench) -> None:
    @contextlib.contextmanager
    def changed(bench: Bench) -> Iterator[None]:
        path = next((bench.project.workspace / "s3").rglob(f"registry/{BROKEN}/*/model.tar.gz"))
        whole = path.read_bytes()
        path.unlink()  # it may be linked elsewhere
        path.write_bytes(whole[:-1] + b"x")
        yield
        path.write_bytes(whole)

    @contextlib.contextmanager
    def both(bench: Bench) -> Iterator[None]:
        with hyperparameters_that_raise(bench), changed(bench):
            yield

    done = run_with(approved, both, **ISOLATE)

    assert done.code == 3, done.stderr
    assert done.result is not None
    assert "sha256" in done.result["models"][BROKEN]["failure"]
    assert approved.parts(done) == approved.clean


FAILS = [
    text_among_the_labels,
    hyperparameters_that_raise,
    fit_killed,
    text_among_the_numbers_to_predict,
    scoring_killed,
]


@pytest.mark.parametrize("fault", FAILS, ids=lambda fault: fault.__name__)
def test_a_fault_of_one_segment_fails_the_run_unless_the_settings_say_otherwise(fresh: Bench, fault: Fault) -> None:
    done = run_with(fresh, fault)

    assert done.code == 1, done.stderr
    assert done.result is not None
    assert done.result["predictions"] is None
    assert BROKEN in done.result["error"]


def test_a_training_that_was_killed_is_trained_again_in_the_next_run(fresh: Bench) -> None:
    killed_run = run_with(fresh, fit_killed, **{**SKIP, **TRANSIENT})
    next_run = fresh.project.run()

    assert (killed_run.code, next_run.code) == (3, 0), next_run.stderr
    assert next_run.served() == dict.fromkeys(SEGMENTS, "fresh")
    assert fresh.parts(next_run) == fresh.clean
