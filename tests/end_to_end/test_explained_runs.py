"""Only what changed runs again, and `--plan --explain` and the run itself say why."""

from __future__ import annotations

import pytest
from user_project import Project, make_rows

pytestmark = pytest.mark.slow
NAMES = ("north", "south", "west")


@pytest.fixture
def files(project: Project) -> Project:
    """Three models, each with raw files of its own."""
    for number, name in enumerate(NAMES):
        project.write(f"{name}.csv", make_rows(120, number, first=1_000 * number))
        predict = make_rows(20, 10 + number, first=10_000 + 1_000 * number).drop(columns="y")
        project.write(f"new-{name}.csv", predict)
    project.configure(models=[{"name": n, "train": [f"{n}.csv"], "predict": [f"new-{n}.csv"]} for n in NAMES])
    return project


def explained(project: Project) -> dict[str, tuple[str, str]]:
    """Outcome and reason of every cacheable step and of one without cache."""
    shown = project.run("--plan", "--explain")
    assert shown.code == 0, shown.stderr
    assert shown.result is not None
    steps = {step["step"]: (step["outcome"], step["reason"]) for step in shown.result["explain"]}
    return {name: found for name, found in steps.items() if name.startswith(("Prepare", "Train", "PostProcess"))}


def test_one_changed_file_trains_one_model_and_plan_and_run_say_why(files: Project) -> None:
    project = files
    new = ("runs", "not run before in this workspace")
    tail = ("always", "caching is off for this step; runs if MaeGate takes its branch")
    steps = ["PrepareTraining", "PreparePrediction", *(f"Train-{name}" for name in NAMES)]
    tails = {"PostProcess": tail, "PostProcessFallback": tail}
    assert explained(project) == {**dict.fromkeys(steps, new), **tails}
    assert not (project.workspace / "s3").exists()

    first = project.run()
    assert first.result is not None, first.stderr
    assert " runs: " not in first.stderr
    held = ("cached", f"outputs of execution {first.result['execution']}")
    assert explained(project) == {**dict.fromkeys(steps, held), **tails}

    project.write("south.csv", make_rows(120, 7, first=1_000))
    later = "decided once PrepareTraining has run: runs only if the"
    told = explained(project)
    assert told == {
        "PrepareTraining": ("runs", "train data changed: south.csv"),
        "PreparePrediction": ("later", f"{later} schema of the training data changed"),
        **{f"Train-{name}": ("later", f"{later} rows of the segment changed") for name in NAMES},
        **tails,
    }

    second = project.run()
    assert second.statuses("Train") == {
        "Train-north": ("Succeeded", True),
        "Train-south": ("Succeeded", False),
        "Train-west": ("Succeeded", True),
    }
    assert second.result is not None
    reasons = {name: second.result["steps"][name]["reason"] for name in steps}
    assert (reasons["Train-south"], reasons["Train-north"]) == ("rows of the segment changed", held[1])
    assert "Train-south                      runs: rows of the segment changed" in second.stderr
    assert "PrepareTraining                  runs: train data changed: south.csv" in second.stderr
    assert {outcome for outcome, _ in explained(project).values()} == {"cached", "always"}

    settings_change(project)


def settings_change(project: Project) -> None:
    """What is certain of a Train step is said although PrepareTraining has to run first."""
    config = (project.folder / "config.yml").read_text()
    (project.folder / "config.yml").write_text(config.replace("num_boost_round: 20", "num_boost_round: 21"))
    project.write("north.csv", make_rows(120, 8))

    told = explained(project)

    change = "settings changed: training.hyperparameters.GBM.num_boost_round (20 -> 21)"
    assert {told[f"Train-{name}"] for name in NAMES} == {("runs", change)}
    table = project.command("run", "--raw", str(project.raw), "--plan", "--explain")
    assert f"Train-west           runs   {change}" in table.stdout
    assert "always run: NotifyStarted, CheckData, Judge" in table.stdout


def test_a_cut_model_and_a_garbled_entry_are_made_again_and_the_predictions_stay(files: Project) -> None:
    project = files
    first = project.run()
    assert first.result is not None, first.stderr
    (artifact,) = (project.workspace / "s3").rglob("executions/*/train/north/model/north/model.tar.gz")
    content = artifact.read_bytes()
    artifact.unlink()  # the step's own tree holds a link to it
    artifact.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    again = project.run()

    assert again.result is not None, again.stderr
    damaged = f"outputs of execution {first.result['execution']} are damaged (north/model.tar.gz)"
    assert again.result["steps"]["Train-north"]["reason"] == damaged
    assert again.statuses("Train-south") == {"Train-south": ("Succeeded", True)}
    assert again.predictions().equals(first.predictions())
