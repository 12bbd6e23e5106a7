"""Inside the child: prepared rows -> AutoGluon -> measured, cloned for deployment, packed.

The only module that fits with AutoGluon. What AutoGluon raises on the data ends the fit as `failed`, names in the
settings that it does not know as `refused`, memory as `transient`; its texts are never passed on (they quote cells).
"""

from __future__ import annotations

import difflib
import logging
import random
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from steps import (
    artifact,
    contract,
    description,
    evaluation,
    failure,
    fitting,
    hooknames,
    hooks,
    importing,
    installed,
    job,
    measurement,
    own_metrics,
    own_model,
    scoring,
    speed,
    trial,
)

log = logging.getLogger(__name__)

EVAL_METRIC = "mean_absolute_error"
_SHORTAGES = frozenset({"MemoryError", "NotEnoughMemoryError", "OSError"})
_TIMEOUT = "TimeLimitExceeded"


@dataclass(frozen=True)
class Fitted:
    """A fitted predictor with every model it tried, and how long that took."""

    predictor: Any
    seconds: float
    train_rows: int
    baseline: float
    is_own: bool = False
    """The predictor is the user's own, none of AutoGluon's."""

    @property
    def best(self) -> str:
        """Return what the model that serves is called."""
        return type(self.predictor).__name__ if self.is_own else str(self.predictor.model_best)


def train(request: fitting.Request, folder: Path) -> None:
    """Train, measure and pack one model into `folder`'s results.

    Raises:
        trial.Ended: the data, the settings or a shortage ended it.
    """
    check_names(request.training)
    own, prepared = _own_hooks(request), Path(request.prepared)
    schema = job.read_json(prepared / contract.SCHEMA_FILE)
    columns = [column["name"] for column in schema["columns"]]
    fitted = fit(request, columns, folder / "predictor", own)
    (folder / trial.FITTED_FILE).touch()
    evaluated = fitting.result_dir(folder, contract.OUT_EVALUATION)
    evaluated.mkdir(parents=True)
    with on_data(f"the trained model could not score {fitting.count(_holdout_rows(prepared))} of its holdout"):
        deployed = _ready(own, request, fitted, folder / "artifact")
        gathered = own_metrics.Gathered()
        watch = gathered.add if own and own.has(hooknames.METRICS) else None
        measured = measurement.measure(deployed, replace(_holdout(request, columns), watch=watch), fitted.baseline)
        fast = _against_floor(deployed, request, measured, fitted.seconds)
    figures = _own_figures(own, request, gathered)
    packed = _pack(request, fitted, measured, schema, folder, _carried(own, request, fitted, folder / "artifact"))
    found = {**_evaluation(request, fitted, measured, packed), "speed": fast, **figures}
    for warning in speed.warnings(found):
        log.warning("%s: %s", request.name, warning)
    job.write_json(evaluated / contract.EVALUATION_FILE, found)
    measurement.write_details(deployed if fitted.is_own else fitted.predictor, measured, fitted.seconds, evaluated)
    for name in (contract.SCHEMA_FILE, contract.PROFILE_FILE):
        shutil.copyfile(prepared / name, evaluated / name)


def _own_hooks(request: fitting.Request) -> hooks.Hooks | None:
    """Return the user's hooks that a fit calls; end as refused where they cannot be imported."""
    try:
        return hooks.load({hooknames.KEY: request.code})
    except hooks.HookError as error:
        raise trial.Ended(trial.REFUSED, str(error)) from error


def _context(own: hooks.Hooks, request: fitting.Request, training: bool = True, **settings: Any) -> hooks.Context:
    return own.context(
        {**request.training, "time_limit": request.time_limit, "threads": request.threads, **settings},
        step=contract.TRAIN,
        model=request.name,
        slug=request.slug,
        training=training,
        label=request.label,
        id=request.id or "",
        seed=request.training["seed"],
    )


def _own_figures(
    own: hooks.Hooks | None, request: fitting.Request, gathered: own_metrics.Gathered
) -> dict[str, dict[str, float]]:
    """Return the entry of the evaluation with the figures of the `metrics` hook; nothing without one."""
    if own is None or not own.has(hooknames.METRICS):
        return {}
    with on_data("the hook metrics failed"):
        return {"custom_metrics": own_metrics.compute(own, _context(own, request), gathered)}


def check_names(training: Mapping[str, Any]) -> None:
    """End as `refused` when presets or model types are unknown to AutoGluon, naming the nearest it knows."""
    known = _known_names()
    hyperparameters = training["hyperparameters"] or {}
    problems = [
        *_unknown("presets", [training["presets"]], known["presets"]),
        *_unknown("hyperparameters", hyperparameters, known["models"]),
        *_unknown("excluded_model_types", training["excluded_model_types"], known["models"]),
    ]
    if problems:
        raise trial.Ended(trial.REFUSED, "; ".join(problems))


def _known_names() -> dict[str, set[str]]:
    try:
        with importing.uncollected():
            from autogluon.tabular.configs import presets_configs
            from autogluon.tabular.registry import ag_model_registry
    except ImportError as error:
        reason = f"AutoGluon cannot be imported here ({failure.name(error)}): run this step in the autogluon image"
        raise trial.Ended(trial.REFUSED, reason) from None
    presets = {*presets_configs.tabular_presets_dict, *presets_configs.tabular_presets_alias}
    return {"presets": presets, "models": set(ag_model_registry.keys)}


def _unknown(setting: str, names: Iterable[str], known: set[str]) -> Iterator[str]:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it knows {', '.join(sorted(known))}"
            yield f"training.{setting}: AutoGluon does not know {name!r}{hint}"


def fit(request: fitting.Request, columns: list[str], path: Path, own: hooks.Hooks | None = None) -> Fitted:
    """Fit AutoGluon on the training rows under its own time limit, or let the hook `fit` do it."""
    parts = scoring.parts(Path(request.prepared) / contract.TRAIN_DIR)
    data = scoring.read(parts, [*columns, request.label], request.categories)
    seed = request.training["seed"]
    random.seed(seed)
    np.random.seed(seed)
    log.info("%s: fitting %s of %d columns", request.name, fitting.count(len(data)), len(columns))
    rows, baseline, started = len(data), float(data[request.label].median()), time.monotonic()
    with on_data(f"AutoGluon could not train on {fitting.count(rows)} within {request.time_limit:g} s"):
        if own and own.has(hooknames.FIT):
            predictor = own_model.fit(own, data, _context(own, request, folder=str(path)))
        else:
            predictor = _predictor(request, path)
            predictor.fit(data, **fit_arguments(request))
        is_own = own is not None and own_model.is_own(own, predictor, request.label)
    if not is_own:
        require_a_model(predictor, request, rows)
    return Fitted(predictor, time.monotonic() - started, rows, baseline, is_own)


def _predictor(request: fitting.Request, path: Path) -> Any:
    from autogluon.tabular import TabularPredictor

    installed.remember()
    return TabularPredictor(
        label=request.label,
        problem_type="regression",  # never inferred: integer labels would become classes
        eval_metric=EVAL_METRIC,
        path=str(path),
        verbosity=0,
        log_to_file=False,
        learner_kwargs={"random_state": request.training["seed"]},
    )


def fit_arguments(request: fitting.Request) -> dict[str, Any]:
    """Return the arguments of AutoGluon's fit; what the settings leave open is left to AutoGluon."""
    training = request.training
    chosen = {
        "hyperparameters": training["hyperparameters"],
        "excluded_model_types": training["excluded_model_types"],
    }
    return {
        **{name: value for name, value in chosen.items() if value},
        **speed.fit_arguments(training),
        "presets": training["presets"],
        "time_limit": request.time_limit,
        "num_cpus": request.threads,
        "num_gpus": 0,
        "raise_on_no_models_fitted": False,
    }


@contextmanager
def on_data(failed: str) -> Iterator[None]:
    """Turn what AutoGluon raises on the data into a failed outcome; memory and files are not the data's fault."""
    try:
        yield
    except (trial.Ended, MemoryError, OSError):
        raise
    except hooks.HookError as error:  # the user's own text; pdb finds the cause
        raise trial.Ended(trial.FAILED, str(error)) from error
    except job.StepError as error:  # our own text, free of cells
        raise trial.Ended(trial.FAILED, str(error)) from None
    except Exception as error:  # noqa: BLE001 - seam to AutoGluon
        log.warning("%s: %s: %s", failed, failure.name(error), failure.frames(error))
        raise trial.Ended(trial.FAILED, f"{failed} ({failure.name(error)})") from None


def require_a_model(predictor: Any, request: fitting.Request, rows: int) -> None:
    """End as failed when AutoGluon skipped every model it tried; as transient where memory or all time ran out."""
    if predictor.model_names():
        return
    failures = predictor.model_failures()
    types = [] if failures.empty else [(str(row.model), str(row.exc_type)) for row in failures.itertuples()]
    met = {kind for _, kind in types}
    limit = f"{request.time_limit:g} s" + f" of {contract.TRAIN_TIME_LIMIT}" * (_TIMEOUT in met)
    tried = f" ({', '.join(f'{model}: {kind}' for model, kind in types)})" if types else ""
    transient = not _SHORTAGES.isdisjoint(met) or met == {_TIMEOUT}
    reason = f"no model could be trained on {fitting.count(rows)} within {limit}{tried}"
    raise trial.Ended(trial.TRANSIENT if transient else trial.FAILED, reason)


def _goes_through(own: hooks.Hooks | None, fitted: Fitted) -> bool:
    """Tell whether predictions go through the user's code, which the artifact has to carry then."""
    return own is not None and (fitted.is_own or own.has(hooknames.PREDICT))


def _ready(own: hooks.Hooks | None, request: fitting.Request, fitted: Fitted, folder: Path) -> Any:
    """Return the model as it will serve, from what is packed."""
    if own is None or not _goes_through(own, fitted):
        return _deployed(fitted.predictor, folder)
    model = (
        own_model.save(own, fitted.predictor, folder / artifact.PREDICTOR_DIR)
        if fitted.is_own
        else _deployed(fitted.predictor, folder)
    )
    return own_model.Own(model, own, _context(own, request, training=False))


def _carried(own: hooks.Hooks | None, request: fitting.Request, fitted: Fitted, folder: Path) -> dict[str, Any]:
    """Put the user's code that a model is scored by into the artifact; return what its metadata say of it."""
    if own is None or not _goes_through(own, fitted):
        return {}
    code = own_model.carry(own, folder, fitted.is_own, request.training["seed"])
    return {hooknames.KEY: code, "format": description.WITH_CODE}


def _deployed(predictor: Any, folder: Path) -> Any:
    """Return the best model alone, in memory: what is packed is what is measured."""
    deployed = predictor.clone_for_deployment(str(folder / artifact.PREDICTOR_DIR), return_clone=True)
    deployed.persist(max_memory=None)
    return deployed


def _against_floor(
    deployed: Any, request: fitting.Request, measured: measurement.Measurement, seconds: float
) -> dict[str, Any] | None:
    floor = speed.floor_of(request.training)
    return speed.against_floor(
        floor, measured.rows_per_second, lambda: measurement.batch_rate(deployed, measured, seconds)
    )


def _holdout_rows(prepared: Path) -> int:
    return scoring.count_rows(scoring.parts(prepared / contract.HOLDOUT_DIR))


def _holdout(request: fitting.Request, columns: list[str]) -> measurement.Holdout:
    return measurement.Holdout(
        parts=tuple(scoring.parts(Path(request.prepared) / contract.HOLDOUT_DIR)),
        columns=tuple(columns),
        label=request.label,
        id=request.id,
        categories=request.categories,
        model=request.name,
        seed=request.training["seed"],
    )


def _pack(
    request: fitting.Request,
    fitted: Fitted,
    measured: measurement.Measurement,
    schema: Mapping[str, Any],
    folder: Path,
    code: Mapping[str, Any],
) -> artifact.Packed:
    metadata = {
        **evaluation.header(request.name, request.slug),
        "label": request.label,
        "id": request.id,
        "schema": dict(schema),
        "categories": sorted(request.categories),
        "best_model": fitted.best,
        "mae": measured.errors.mae,
        "train_rows": fitted.train_rows,
        **code,
    }
    job.write_json(folder / "artifact" / contract.METADATA_FILE, metadata)
    target = fitting.result_dir(folder, contract.OUT_MODEL) / contract.MODEL_FILE
    return artifact.pack(folder / "artifact", target)


def _evaluation(
    request: fitting.Request, fitted: Fitted, measured: measurement.Measurement, packed: artifact.Packed
) -> dict[str, Any]:
    facts = {
        "train_rows": fitted.train_rows,
        "artifact": {"sha256": packed.sha256, "size": packed.size, "file": contract.MODEL_FILE},
        "best_model": fitted.best,
        "fit_seconds": round(fitted.seconds, 3),
        "predict_rows_per_second": round(measured.rows_per_second, 1),
    }
    return evaluation.trained({"name": request.name, "slug": request.slug}, measured.errors, facts)
