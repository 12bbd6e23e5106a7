"""Score the rows to predict with the model that serves each segment.

Before a row is scored: the artifact's sha256, its format and AutoGluon version, and its schema against the rows. Then
batch by batch through the predictor in memory, with row count and order proven at the end. Part files hold nothing
that differs between two runs; timings go to `inference.json` only. Where the settings isolate segments, each is scored
in a process of its own and its failure is written down instead of raised.

Where a job has several instances, each scores the parts that it was given and reports counts that `merging` adds up.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet

from steps import (
    apart,
    clock,
    compatibility,
    contract,
    debugger,
    delivery,
    failure,
    fitting,
    hosts,
    job,
    overlap,
    own_model,
    scoring,
    trial,
)
from steps.delivery import Delivery
from steps.drift import Distribution, Limits, Rates
from steps.hosts import Host
from steps.model import Load, Model, load_predictor, open_model
from steps.partfile import Parts

pq: Any = pyarrow.parquet  # has no type information
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """The rows of one segment on this host: their files and count, the id column, where the predictions go, limits."""

    parts: tuple[Path, ...]
    rows: int
    id: str
    batch_rows: int
    target: Path
    limits: Limits
    host: Host


@dataclass(frozen=True)
class Scored:
    """What was counted while scoring; empty where nothing was."""

    rows: int = 0
    rates: Rates = field(default_factory=lambda: Rates([]))
    distribution: Distribution = field(default_factory=Distribution)
    notes: tuple[str, ...] = ()
    autogluon_version: str | None = None


def main(argv: Sequence[str]) -> None:
    """Score every model of the step's settings; with `--model` one of them, as the child of such a step."""
    parser = argparse.ArgumentParser(prog="python -m steps.infer", description=__doc__)
    parser.add_argument("--model", help="slug of the one model to score")
    parser.add_argument("--outcome", type=Path, help="folder that takes how it ended")
    arguments = parser.parse_args(argv)
    settings = job.read_settings()
    chosen = [model for model in settings["models"] if arguments.model in (None, model["slug"])]
    if arguments.outcome:
        _answer(arguments.outcome, chosen[0], settings)
    elif settings.get(contract.ON_SEGMENT_FAILURE) == contract.ISOLATE and not debugger.is_on():
        apart.infer_each(chosen, float(settings["max_runtime"]), write_lost)
    else:
        for model in chosen:
            infer(model, settings)


def write_lost(model: Mapping[str, Any], reason: str) -> None:
    """Write that a model's rows were not scored, because its process did not come to its end."""
    served = delivery.delivery_of(model)
    _write(served, _give_up(served, reason, _status(served)["rows"], contract.INFER), clock.Watch())


def _answer(folder: Path, model: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Score one model as the child, and tell the parent that it came to its end."""
    threading.Thread(target=fitting.end_with_parent, daemon=True).start()
    try:
        infer(model, settings)
    except job.StepError as error:
        trial.write_outcome(folder, trial.Outcome(trial.BROKEN, str(error)))
    else:
        trial.write_outcome(folder, trial.Outcome(contract.SCORED))


def infer(model: Mapping[str, Any], settings: Mapping[str, Any], load: Load = load_predictor) -> None:
    """Score one model's rows, or write why nobody does."""
    watch, settings = clock.Watch(), _of_model(settings, model)
    served = delivery.delivery_of(model)
    target = _target(served)
    target.mkdir(parents=True, exist_ok=True)
    if hosts.current().is_first:
        delivery.copy_training(served.slug, target / contract.TRAINING_DIR)
        delivery.copy_profile(served.slug, target)
    status = _status(served)
    if status["status"] == contract.FAILED:
        found = _give_up(served, status["reason"], status.get("rows_waiting"), contract.PREPARE_PREDICTION)
    elif contract.SKIPPED in (served.source, status["status"]):
        reason = served.reason if served.source == contract.SKIPPED else status["reason"]
        found = _skipped(served, reason or "", _task(served, settings, target).rows)
    elif settings.get(contract.ON_SEGMENT_FAILURE) == contract.ISOLATE:
        found = _score_or_explain(served, settings, status["rows"], load)
    else:
        found = _score_all(served, settings, status["rows"], load)
    _write(served, found, watch)


def _of_model(settings: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a step for one of its models, which have columns of their own that are not compared."""
    return {**settings, "drift": {**settings["drift"], "ignore": model["ignore"]}}


def _target(served: Delivery) -> Path:
    return contract.output_dir(contract.OUT_PREDICTIONS) / served.slug


def _write(served: Delivery, found: Mapping[str, Any], watch: clock.Watch) -> None:
    seconds = watch.seconds
    rate = round(found["rows"] / max(seconds, 1e-3), 1) if found["rows"] else None
    told = {**found, "seconds": seconds, "rows_per_second": rate, "timing": watch.to_json()}
    host = hosts.current()
    if not host.is_alone:
        told |= {"host": host.number, "hosts": host.count, "expected_rows": _status(served)["rows"]}
    job.write_json(_target(served) / host.inference_file, told)
    log.info("%s: %s, %d rows by %s", served.name, found["status"], found["rows"], found["source"])


def _score_all(served: Delivery, settings: Mapping[str, Any], rows: int, load: Load) -> dict[str, Any]:
    task = _task(served, settings, _target(served))
    if task.host.is_alone:
        _prove_read(served, task.rows, rows)
    scored = _score(task, served, load) if task.rows else _score_nothing(task, served)
    return _report(served, scored) if task.host.is_alone else {**_report(served, scored), "counts": _counts(scored)}


def _score_or_explain(served: Delivery, settings: Mapping[str, Any], rows: int, load: Load) -> dict[str, Any]:
    """Score a segment, or say why not: the seam at which a failure becomes a result that the others survive."""
    try:
        return _score_all(served, settings, rows, load)
    except job.StepError as error:
        debugger.show(debugger.arisen(error))
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - see above; texts of libraries quote cells
        debugger.show(error)
        log.warning("%s: %s: %s", served.name, failure.name(error), failure.frames(error))
        reason = f"inference met a {failure.name(error)} at {failure.place(error)}"
    return _give_up(served, reason, rows, contract.INFER)


def _give_up(served: Delivery, reason: str, waiting: int | None, step: str) -> dict[str, Any]:
    """Return the report of a segment that failed, and take away what was written of its predictions."""
    for path in _target(served).glob("part-*.parquet"):
        path.unlink()
    log.warning("%s: failed in %s: %s", served.name, step, " ".join(reason.split()))
    return {
        **_skipped(served, reason, 0),
        "status": contract.FAILED,
        "rows_waiting": waiting,
        "failed_step": step,
    }


def _predict_dir(served: Delivery) -> Path:
    return contract.input_dir(contract.IN_PREDICT) / served.slug


def _status(served: Delivery) -> dict[str, Any]:
    path = _predict_dir(served) / contract.STATUS_FILE
    if not path.is_file():
        raise job.StepError(
            f"model {served.name} has no prepared folder {served.slug}/ with {contract.STATUS_FILE} in the input "
            f"{contract.IN_PREDICT!r}: run PreparePrediction with the same models"
        )
    found: dict[str, Any] = job.read_json(path)
    return found


def _task(served: Delivery, settings: Mapping[str, Any], target: Path) -> Task:
    parts = scoring.parts(contract.input_dir(contract.IN_PARTS) / served.slug)
    limits, rows, host = Limits.from_json(settings["drift"]), scoring.count_rows(parts), hosts.current()
    return Task(tuple(parts), rows, settings["id"], settings["batch_rows"], target, limits, host)


def _prove_read(served: Delivery, there: int, expected: int) -> None:
    if there != expected:
        raise job.StepError(
            f"model {served.name}: the prepared files hold {there} rows, {contract.STATUS_FILE} says {expected}: "
            "run PreparePrediction again"
        )


def _score_nothing(task: Task, served: Delivery) -> Scored:
    """Write one empty part, on a host that has one; a segment without rows needs no model."""
    if not task.parts and not task.host.is_alone:
        return Scored()
    with Parts(task.target, _id_field(task, served), served.name, served.source, task.host.part_stem):
        return Scored()


def _id_field(task: Task, served: Delivery) -> Any:
    if not task.parts:
        raise job.StepError(f"model {served.name} has no prepared part, not even an empty one: run PreparePrediction")
    schema = pq.read_schema(task.parts[0])
    if contract.ROW not in schema.names or task.id not in schema.names:
        raise job.StepError(
            f"model {served.name}: the prepared rows lack {contract.ROW!r} or the id column {task.id!r}: "
            "run PreparePrediction with the same settings"
        )
    return schema.field(task.id)


def _score(task: Task, served: Delivery, load: Load) -> Scored:
    """Open the model, check that the rows fit it, and score them."""
    id_field = _id_field(task, served)
    root = contract.ml_root() / "processing"
    with tempfile.TemporaryDirectory(prefix="infer-", dir=root) as folder:
        model = open_model(served, Path(folder))
        notes = [*_check_columns(task, served, model), *own_model.library_notes(model.metadata)]
        rates, distribution = Rates(model.columns, task.limits), Distribution.over(_label_edges(served.slug))
        predictor = own_model.load(model, served, task.id, load)
        with Parts(task.target, id_field, served.name, served.source, task.host.part_stem) as written:
            _stream(task, _Flow(model, predictor, served.name, rates, distribution), written)
    _prove_written(served, task.rows, scoring.count_rows(written.paths))
    return Scored(task.rows, rates, distribution, tuple(notes), model.metadata["autogluon_version"])


def _check_columns(task: Task, served: Delivery, model: Model) -> list[str]:
    """Raise StepError unless every part fits the model's schema; return what is there in vain."""
    notes: list[str] = []
    for path in task.parts:
        available = pq.read_schema(path)
        compatibility.check(model.columns, available, served.name)
        ignored = compatibility.unknown(model.columns, available, (contract.ROW, task.id))
        notes += [f"column {name!r} is unknown to the model and was ignored" for name in ignored]
    return list(dict.fromkeys(notes))


def _label_edges(slug: str) -> list[float] | None:
    """Return the bins of the training label's histogram, so that the report can lay both over each other."""
    path = delivery.evaluation_dir(slug) / contract.PROFILE_FILE
    if not path.is_file():
        return None
    label = job.read_json(path).get("label") or {}
    edges: list[float] | None = (label.get("histogram") or {}).get("edges")
    return edges


@dataclass(frozen=True)
class _Flow:
    """What each batch passes through."""

    model: Model
    predictor: scoring.Staged
    name: str
    rates: Rates
    distribution: Distribution


@dataclass(frozen=True)
class _Ready:
    """A batch that waits for its predictions: positions, ids, and the features as the models take them."""

    rows: Any
    ids: Any
    features: Any


def _stream(task: Task, flow: _Flow, written: Parts) -> None:
    """Score batch by batch: one is read and prepared, and one written, while the models work on that between them."""

    def keep(batch: _Ready, predictions: scoring.Floats) -> None:
        flow.distribution.add(predictions)
        written.write(batch.rows, batch.ids, predictions)

    with overlap.Behind() as behind, closing(overlap.ahead(_ready(task, flow))) as batches:
        for batch in batches:
            predictions = scoring.predict_prepared(flow.predictor, batch.features, flow.name, len(batch.rows))
            behind.do(keep, replace(batch, features=None), predictions)
            del batch  # its features go before the next ones come


def _ready(task: Task, flow: _Flow) -> Iterator[_Ready]:
    last = -1
    needed = list(dict.fromkeys((contract.ROW, task.id, *flow.model.names)))
    for batch in scoring.batches(task.parts, needed, task.batch_rows):
        rows = batch.column(contract.ROW)
        last = _prove_order(flow.name, rows, last)
        flow.rates.add(batch)
        yield _Ready(rows, batch.column(task.id), _features(flow, batch))


def _features(flow: _Flow, batch: Any) -> Any:
    data = scoring.frame(batch, flow.model.names, flow.model.categories)
    return scoring.prepare(flow.predictor, data, flow.name)


def _prove_order(name: str, rows: Any, last: int) -> int:
    """Raise StepError unless positions rise strictly, which makes each unique and in order; return the last."""
    positions = rows.to_numpy(zero_copy_only=False)
    wrong = int((positions[1:] <= positions[:-1]).sum()) + int(len(positions) > 0 and positions[0] <= last)
    if rows.null_count or wrong:
        raise job.StepError(
            f"model {name}: {wrong + rows.null_count} rows are out of order or twice in the prepared files: "
            "run PreparePrediction again"
        )
    return int(positions[-1]) if len(positions) else last


def _prove_written(served: Delivery, read: int, written: int) -> None:
    if read != written:
        raise job.StepError(f"model {served.name}: {read} rows were read but {written} written: run the step again")


def _report(served: Delivery, scored: Scored) -> dict[str, Any]:
    return {
        **_identity(served, served.source, served.reason),
        "status": contract.SCORED,
        "rows": scored.rows,
        "rows_waiting": 0,
        "warnings": [*scored.notes, *scored.rates.warnings()],
        "unseen_categories": scored.rates.unseen(),
        "null_rates": scored.rates.nulls(),
        "prediction": scored.distribution.to_json(),
        "autogluon_version": scored.autogluon_version,
    }


def _counts(scored: Scored) -> dict[str, Any] | None:
    """Return what other hosts' counts can be added to; nothing without rows."""
    if not scored.rows:
        return None
    distribution, rates = scored.distribution.counted(), scored.rates.counts()
    return {"notes": list(scored.notes), "rates": rates, "distribution": distribution}


def _skipped(served: Delivery, reason: str, waiting: int) -> dict[str, Any]:
    return {
        **_report(served, Scored()),
        **_identity(served, contract.SKIPPED, reason),
        "status": contract.SKIPPED,
        "rows_waiting": waiting,
    }


def _identity(served: Delivery, source: str, reason: str) -> dict[str, Any]:
    return {
        "model": served.name,
        "slug": served.slug,
        "source": source,
        "reason": reason,
        "package": served.package,
        "version": served.version,
        "artifact_sha256": served.sha256,
    }


if __name__ == "__main__":
    job.run(main)
