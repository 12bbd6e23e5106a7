"""PostProcess: join every model's predictions, say what the run came to, and publish it.

`python -m steps.postprocess --execution ID --raw URI [--train-version V] --predict-version V` reads the inputs into a
`Run`, lets `joining` prove and write the data set, `summary` and `report` tell about it, and moves all of it to
the output in one go, the marker last. Nothing appears in the output unless everything was made.
"""

from __future__ import annotations

import argparse
import functools
import logging
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from steps import clock, contract, hooks, job, joining, languages, merging, report, summary
from steps.job import StepError

log = logging.getLogger(__name__)

_NAMED = 5
_NO_TRAINING: Mapping[str, Any] = {"rows": 0, "files": ()}
"""The training data of a run that scores only."""


def main(argv: Sequence[str], watch: clock.Watch | None = None) -> None:
    """Run the step; `watch` tells the report when it began, which is now unless given.

    Raises:
        StepError: inputs are missing or contradict each other, or the predictions are not complete.
    """
    watch = watch or clock.Watch()
    run = read_run(_parse(argv))
    _require_predictions(run)
    root = contract.ml_root() / "processing"  # the job's own volume: sorting may spill more than a root disk holds
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="postprocess-", dir=root) as folder:
        scratch, staged = Path(folder), Path(folder) / "staged"
        joined = _join(run, staged, scratch / "spill")
        found = summary.summarize(run, joined.rows)
        job.write_json(staged / contract.SUMMARY_FILE, found)
        published = report.Published(joined.files, joining.CSV_FILE if run.settings.get("csv") else None)
        local, timed = contract.ML_ROOT_VARIABLE in os.environ, replace(run, timing=watch.to_json())
        say = languages.language_of(str(run.settings.get("language", "en")))
        page = report.render(timed, found, published, local, say)
        (staged / contract.REPORT_FILE).write_text(page, encoding="utf-8")
        _publish(staged, contract.output_dir(contract.OUT_PREDICTIONS), found)
    log.info("published %d predictions of %d models: %s", joined.rows, len(run.models), found["status"])


def read_run(arguments: argparse.Namespace) -> summary.Run:
    """Read every input of the step.

    Raises:
        StepError: a model's inference is missing or contradicts Decide, or the data have another version.
    """
    settings = job.read_settings()
    verdicts = job.read_json(contract.input_dir(contract.IN_VERDICTS) / contract.VERDICTS_FILE)
    checked = job.read_json(contract.input_dir(contract.IN_CONTRACT) / contract.CONTRACT_FILE)
    scores_only = arguments.train_version is None
    train_data = _NO_TRAINING
    if not scores_only:
        train_data = _read_data(contract.IN_TRAIN_DATA, "training", arguments.train_version)
    predict_data = _read_data(contract.IN_PREDICT_DATA, "prediction", arguments.predict_version)
    policy, decisions = _read_decisions(contract.input_dir(contract.IN_DECISION))
    return summary.Run(
        execution=arguments.execution,
        raw=arguments.raw,
        train_version=arguments.train_version or "",
        predict_version=arguments.predict_version,
        settings=settings,
        parameters=contract.user_parameters(os.environ),
        verdicts=verdicts,
        train_data=train_data,
        predict_data=predict_data,
        models=_read_models(settings["models"], verdicts["models"], decisions, checked["models"]),
        policy=None if scores_only else policy,
        mode=contract.PREDICT_MODE if scores_only else contract.FULL,
        notes=tuple(checked["notes"]),
        started=arguments.started,
    )


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m steps.postprocess", description="Join and publish predictions.")
    parser.add_argument("--execution", required=True, help="id of the pipeline execution")
    parser.add_argument("--raw", required=True, help="URI of the raw data")
    parser.add_argument("--train-version", help="data version of the training files; none where a run scores only")
    parser.add_argument("--predict-version", required=True, help="data version of the prediction files")
    parser.add_argument("--started", help="when the execution began, UTC; the report tells with it what ran before")
    return parser.parse_args(argv)


def _require_predictions(run: summary.Run) -> None:
    """Raise StepError where segments failed or were skipped and none was predicted: an empty result serves nobody."""
    lost = [model for model in run.models if model.failure is not None or model.waiting]
    if lost and not any(model.rows for model in run.models):
        why = _some([f"{model.name} ({model.failure or model.why})" for model in lost])
        raise StepError(
            f"no segment has a prediction, nothing is published: {why}. Mend the data or the settings and start a new "
            "run; where a default is missing, approve or register one and run --from Decide; where a scoring was cut "
            "off, --from its Infer step"
        )


def _read_data(name: str, kind: str, version: str) -> dict[str, Any]:
    data: dict[str, Any] = job.read_json(contract.input_dir(name) / contract.DATA_FILE)
    if data["version"] != version:
        raise StepError(
            f"the prepared {kind} data are of version {data['version']}, this run's is {version}: "
            "start a new run, so that data and parameters agree"
        )
    return data


def _read_decisions(folder: Path) -> tuple[str | None, dict[str, Any]]:
    found = [job.read_json(path) for path in sorted(folder.rglob(contract.DECISION_FILE))]
    models = {slug: decision for part in found for slug, decision in part["models"].items()}
    return (found[0].get("policy") if found else None), models


def _read_models(
    listed: Sequence[Mapping[str, Any]],
    verdicts: Mapping[str, Any],
    decisions: Mapping[str, Any],
    checked: Mapping[str, Any],
) -> tuple[summary.Model, ...]:
    root = contract.input_dir(contract.IN_INFERENCE)
    _check_listed(root, [model["slug"] for model in listed], verdicts, decisions)
    models = tuple(
        _read_model(root / m["slug"], m, verdicts[m["slug"]], decisions.get(m["slug"]), checked.get(m["slug"]))
        for m in listed
    )
    served = [m for m in models if m.decision is not None and m.failure is None]
    differing = [m.name for m in served if (m.decision or {})["source"] != m.source]
    if differing:
        raise StepError(f"who served {_some(differing)} is not what Decide chose: run the inference steps again")
    return models


def _check_listed(root: Path, slugs: Sequence[str], verdicts: Mapping[str, Any], decisions: Mapping[str, Any]) -> None:
    missing = [slug for slug in slugs if not merging.is_there(root / slug)]
    unjudged = [slug for slug in slugs if slug not in verdicts]
    undecided = [slug for slug in slugs if decisions and slug not in decisions]
    unknown = sorted({path.parent.name for path in root.glob("*/inference*.json")} - set(slugs))
    problems = [
        f"{what}: {_some(found)}"
        for what, found in (
            ("no inference output", missing),
            (f"not in {contract.VERDICTS_FILE}", unjudged),
            (f"not in {contract.DECISION_FILE}", undecided),
            ("inference output of a model that the settings do not list", unknown),
        )
        if found
    ]
    if problems:
        raise StepError("; ".join(problems) + ". Run the steps before PostProcess again")


def _read_model(
    folder: Path,
    listed: Mapping[str, Any],
    verdict: Mapping[str, Any],
    decision: Mapping[str, Any] | None,
    checked: Mapping[str, Any] | None,
) -> summary.Model:
    evaluation = folder / contract.TRAINING_DIR / contract.EVALUATION_FILE
    found = merging.read(folder)
    return summary.Model(
        name=listed["name"],
        slug=listed["slug"],
        pooled=bool(listed.get("pooled")),
        job=str(listed.get("job", listed["slug"])),
        folder=folder,
        inference=found.report,
        parts=found.parts,
        evaluation=job.read_json(evaluation) if evaluation.is_file() else {},
        verdict=verdict,
        decision=decision,
        checked=checked or {},
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _join(run: summary.Run, staged: Path, spill: Path) -> joining.Joined:
    parts = [joining.Part(model.name, model.source, model.rows, model.parts) for model in run.models]
    data = run.predict_data
    absent = int(data.get("skipped_rows", 0)) + sum(model.waiting for model in run.models)
    expected = joining.Expected(data["rows"], absent, run.settings["id"], str(data.get("id_type", "")))
    csv = staged / joining.CSV_FILE if run.settings.get("csv") else None
    target = joining.Target(staged / contract.PREDICTIONS_DIR, spill, csv)
    own = hooks.load(run.settings)
    if own is None:
        return joining.join(parts, expected, target)
    from steps import own_predictions  # imports pandas, which nothing else here needs

    finish = functools.partial(own_predictions.apply, own, run.settings, spill.with_name("own"))
    return joining.join(parts, expected, target, finish=finish)


def _publish(staged: Path, output: Path, found: Mapping[str, Any]) -> None:
    """Move everything to the output; the marker comes last, so that whoever waits for it finds the rest."""
    output.mkdir(parents=True, exist_ok=True)
    for path in sorted(staged.iterdir()):
        shutil.move(path, output / path.name)
    degraded = found["status"] == summary.DEGRADED
    marker = contract.DEGRADED_FILE if degraded else contract.SUCCESS_FILE
    job.write_json(output / marker, {"execution": found["execution"], "status": found["status"]})


if __name__ == "__main__":
    job.run(main)
