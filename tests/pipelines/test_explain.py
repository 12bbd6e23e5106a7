"""Changes are said in the words of the data, the config and the repository."""

from __future__ import annotations

import pytest

from pipelines.explain import as_json, as_table, reason, say_changes
from pipelines.local.cache import Miss
from pipelines.local.difference import Change
from pipelines.local.forecast import ALWAYS, HIT, LATER, RUNS, Forecast
from pipelines.local.record import StepRecord


@pytest.mark.parametrize(
    ("step", "changes", "expected"),
    [
        (
            "PrepareTraining",
            [
                Change("argument", "--version", ("a -> b",)),
                Change("input", "manifest", ("manifest.json",)),
                Change("input", "raw", ("north.csv", "south.csv")),
            ],
            "train data changed: north.csv, south.csv",
        ),
        ("PreparePrediction", [Change("input", "raw", ("new.csv",))], "prediction data changed: new.csv"),
        ("PrepareTraining", [Change("input", "manifest", ("files.json",))], "list of raw files changed"),
        (
            "PrepareTraining",
            [Change("argument", "--raw", ("a -> b",)), Change("input", "manifest", ("files.json",))],
            "raw folder changed",
        ),
        (
            "Train-a",
            [Change("input", "code", ("steps/fitting.py", "steps/train.py"))],
            "code changed: steps/fitting.py, steps/train.py",
        ),
        (
            "Train-a",
            [Change("input", "settings", ("settings.json",), ("models.Very Good.training.seed (0 -> 1)",))],
            "settings changed: training.seed (0 -> 1)",
        ),
        ("Train-a", [Change("input", "settings", ("settings.json",))], "settings changed"),
        ("PrepareTraining", [Change("input", "settings", (), ("time (t -> u)",))], "settings changed: time (t -> u)"),
        ("Train-a", [Change("input", "prepared", ("train/part-0.parquet",))], "rows of the segment changed"),
        ("Custom", [Change("input", "predict", ("part-0.parquet",))], "rows to predict changed"),
        ("Custom", [Change("input", "own", ("x",))], "input 'own' changed"),
        ("PreparePrediction", [Change("input", "schema", ("s",))], "schema of the training data changed"),
        (
            "Train-a",
            [
                Change("argument", "--time-limit", ("600 -> 300",)),
                Change("library", "lightgbm", ("4.5.0 -> 4.6.0",)),
                Change("library", "numpy", ("1 -> 2",)),
                Change("input", "prepared", ("x",)),
            ],
            "rows of the segment changed; argument changed: --time-limit (600 -> 300); "
            "libraries changed: lightgbm 4.5.0 -> 4.6.0, numpy 1 -> 2",
        ),
        ("Train-a", [Change("environment", "PARAMETER_Season", ("a -> b",))], "parameter changed: Season (a -> b)"),
        ("Train-a", [Change("environment", "OTHER", ("a -> b",))], "environment changed: OTHER"),
        ("Train-a", [Change("image", "image"), Change("command", "command")], "image changed; command changed"),
        (
            "PrepareTraining",
            [Change("input", "raw", tuple(f"{n}.csv" for n in range(9)))],
            "train data changed: 0.csv, 1.csv, 2.csv, 3.csv and 5 more",
        ),
    ],
)
def test_a_change_is_said_in_words(step: str, changes: list[Change], expected: str) -> None:
    assert say_changes(step, changes) == expected


HELD = Forecast(
    "PrepareTraining", "Processing", HIT, StepRecord("P", "Processing", "Succeeded", reason="outputs of e1")
)
CHANGED = Forecast("Train-a", "Processing", RUNS, miss=Miss(changes=(Change("image", "image"),)))
NEW = Forecast("Train-b", "Processing", RUNS, miss=Miss(is_first=True))
DAMAGED = Forecast("Train-c", "Processing", RUNS, miss=Miss(damage="outputs of execution e1 are gone (x)"))
OPEN = Forecast("Train-d", "Processing", LATER, waits_for=("PrepareTraining",), open_inputs=("prepared",))
WAITING = Forecast("Custom", "Processing", LATER, waits_for=("A", "B"))
PLAIN = Forecast("Audit", "Processing", ALWAYS)
BRANCH = Forecast("Infer-a", "Processing", ALWAYS, branch_of="MaeGate")
JUDGE = Forecast("Judge", "Lambda", ALWAYS)
GATE = Forecast("MaeGate", "Condition", ALWAYS)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (HELD, "outputs of e1"),
        (CHANGED, "image changed"),
        (NEW, "not run before in this workspace"),
        (DAMAGED, "outputs of execution e1 are gone (x)"),
        (OPEN, "decided once PrepareTraining has run: runs only if the rows of the segment changed"),
        (WAITING, "decided once A, B have run"),
        (PLAIN, "always runs: caching is off for this step"),
        (BRANCH, "caching is off for this step; runs if MaeGate takes its branch"),
        (JUDGE, "always runs"),
    ],
)
def test_every_forecast_has_a_reason(found: Forecast, expected: str) -> None:
    assert reason(found) == expected


def test_a_table_has_a_line_for_every_processing_step_and_one_for_the_others() -> None:
    assert as_table([HELD, OPEN, PLAIN, JUDGE, GATE]).splitlines() == [
        "step             cache   why",
        "PrepareTraining  cached  outputs of e1",
        "Train-d          later   decided once PrepareTraining has run: runs only if the rows of the segment changed",
        "Audit            runs    always runs: caching is off for this step",
        "always run: Judge, MaeGate",
    ]


def test_a_program_gets_outcome_and_reason_of_every_step() -> None:
    assert as_json([OPEN, JUDGE]) == [
        {
            "step": "Train-d",
            "type": "Processing",
            "outcome": "later",
            "reason": "decided once PrepareTraining has run: runs only if the rows of the segment changed",
            "waits_for": ["PrepareTraining"],
        },
        {"step": "Judge", "type": "Lambda", "outcome": "always", "reason": "always runs", "waits_for": []},
    ]
