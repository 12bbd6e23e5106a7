"""Names, paths, file names and JSON keys shared by the definition, the steps and the Lambda code.

Standard library only: it travels inside every code bundle and every Lambda zip. Whatever two parts must agree
on stands here once; nothing here reads or writes data.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = 1
"""Version of the model artifact's layout, written into `metadata.json` of each artifact."""

# Pipeline parameters (seen in Studio, `--set`, `.run` bodies)
RAW_DATA_URI = "RawDataUri"
TRAIN_DATA_VERSION = "TrainDataVersion"
PREDICT_DATA_VERSION = "PredictDataVersion"
MAE_THRESHOLD = "MaeThreshold"
FALLBACK_POLICY = "FallbackPolicy"
TRAIN_TIME_LIMIT = "TrainTimeLimitSeconds"
RESERVED_PARAMETERS = (
    *(RAW_DATA_URI, TRAIN_DATA_VERSION, PREDICT_DATA_VERSION),
    *(MAE_THRESHOLD, FALLBACK_POLICY, TRAIN_TIME_LIMIT),
)
UNLIMITED_MAE = 1e11
"""Default of MaeThreshold when the config sets none: the relative rule alone decides."""
FAILED_MAE = 1e12
"""MAE reported for a model that failed to train; JSON has no infinity."""

# What a run does: all of it, or scoring by the approved defaults alone (`--mode`, `mode:` of a `.run` body)
FULL, PREDICT_MODE = "full", "predict"
MODES = (FULL, PREDICT_MODE)

# Step names
NOTIFY_STARTED = "NotifyStarted"
CHOOSE_DEFAULTS = "ChooseDefaults"
PREPARE_TRAINING = "PrepareTraining"
PREPARE_PREDICTION = "PreparePrediction"
CHECK_DATA = "CheckData"
TRAIN = "Train"
JUDGE = "Judge"
NOTIFY_TRAINED = "NotifyTrained"
GATE = "MaeGate"
INFER = "Infer"
POSTPROCESS = "PostProcess"
NOTIFY_FINISHED = "NotifyFinished"
REGISTER_MODELS = "RegisterModels"
DECIDE = "Decide"
FALLBACK = "Fallback"
"""Suffix of the steps in the gate's else branch."""
SHARD = "shard"
"""What the names of shards begin with: jobs that serve several models."""
DECIDE_WIDTH = 24
"""Jobs per Decide step: two outputs each besides two of its own, and a Lambda step returns at most 50."""

# Lambda functions: `<pipeline>-<name>` is `lambda_trigger.<name>:handler`
LAMBDA_NOTIFY = "notify"
LAMBDA_CHECK = "check"
LAMBDA_JUDGE = "judge"
LAMBDA_DECIDE = "decide"
LAMBDA_REGISTER = "register"
LAMBDAS = (LAMBDA_NOTIFY, LAMBDA_CHECK, LAMBDA_JUDGE, LAMBDA_DECIDE, LAMBDA_REGISTER)

# Keys of Lambda events and of their outputs
KEY_KIND = "Kind"
KEY_EXECUTION = "Execution"
KEY_SETTINGS = "Settings"
KEY_THRESHOLD = "Threshold"
KEY_POLICY = "Policy"
KEY_OUTPUT = "Output"
KEY_VERDICTS = "Verdicts"
KEY_TRAIN = "Train"
KEY_PREDICT = "Predict"
KEY_CONTRACT = "Contract"
KEY_FIRST = "First"
KEY_IMAGE = "Image"
KEY_REGISTRY = "Registry"
KEY_PREDICTIONS = "Predictions"
KEY_STARTED = "Started"
KEY_STEP = "Step"
KEY_MODEL = "Model"
KEY_REASON = "Reason"
KEY_COMMAND = "Command"
KEY_DEBUG = "Debug"
KEY_MODE = "Mode"
OUT_DEFAULTS_SCHEMA = "SchemaUri"
OUT_CONTRACT = "ContractUri"
OUT_WARNINGS = "Warnings"
OUT_REJECTED = "Rejected"
OUT_VERDICTS = "VerdictsUri"
OUT_DECISION = "DecisionUri"
OUT_DECISIONS = "DecisionsUri"
OUT_REGISTERED = "Registered"
OUT_SENT = "Sent"

# Kinds of notification
STARTED = "started"
TRAINED_MAIL = "trained"
FINISHED = "finished"
FAILED_MAIL = "failed"
DEFAULTS = "defaults"
"""Kind of the event of ChooseDefaults, which Decide's function serves as well."""

# Status of a model in `evaluation.json`, of a part in `status.json` and `inference.json`
TRAINED = "trained"
FAILED = "failed"
SKIPPED = "skipped"
PREPARED = "prepared"
SCORED = "scored"

# What the settings say about a failure of one segment
ON_SEGMENT_FAILURE = "on_segment_failure"
ISOLATE = "isolate"

# Who served a segment
FRESH = "fresh"
DEFAULT = "default"

# File names
STATUS_FILE = "status.json"
SCHEMA_FILE = "schema.json"
PROFILE_FILE = "profile.json"
DATA_FILE = "data.json"
EVALUATION_FILE = "evaluation.json"
LEADERBOARD_FILE = "leaderboard.json"
IMPORTANCE_FILE = "feature_importance.json"
FEATURE_ERRORS_FILE = "feature_errors.json"
HOLDOUT_PREDICTIONS_FILE = "holdout_predictions.parquet"
MODEL_FILE = "model.tar.gz"
METADATA_FILE = "metadata.json"
INFERENCE_FILE = "inference.json"
CONTRACT_FILE = "contract.json"
VERDICTS_FILE = "verdicts.json"
DECISION_FILE = "decision.json"
SUMMARY_FILE = "summary.json"
REPORT_FILE = "report.html"
SUCCESS_FILE = "_SUCCESS"
DEGRADED_FILE = "_DEGRADED"
LATEST_FILE = "latest.json"
TRAINING_FILES = (
    *(EVALUATION_FILE, LEADERBOARD_FILE, IMPORTANCE_FILE, FEATURE_ERRORS_FILE),
    *(HOLDOUT_PREDICTIONS_FILE, SCHEMA_FILE, PROFILE_FILE),
)
"""Small files of a training that Infer copies beside its predictions, so that PostProcess needs nothing else."""
TRAIN_DIR = "train"
HOLDOUT_DIR = "holdout"
TRAINING_DIR = "training"
PREDICTIONS_DIR = "predictions"
SETTINGS_FILE = "settings.json"
FILES_FILE = "files.json"
"""SageMaker ManifestFile: which objects a prepare step downloads."""
MANIFESTS_DIR = "manifests"
REGISTRY_DIR = "registry"
MANIFEST_FILE = "manifest.json"
"""The same list with etag and size, against which the step checks what it got."""
SAMPLE_ROWS = 10_000
"""Rows of a model, at most, on which the points of its number columns in `profile.json` rest."""

# Columns that the prepare steps add
ROW = "__row__"
"""Position of a row in the prediction files as listed (0-based), the order of the published predictions."""
# JSON path of a holdout MAE: SageMaker's model-quality form
# (https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html)
MAE_PATH = "regression_metrics.mae.value"
NO_CACHE_FILE = "no-cache"
"""Below `/opt/ml/output`: this step succeeded in a way that must not stand in for another run."""

# Environment
ML_ROOT_VARIABLE = "ML_ROOT"
"""Where `/opt/ml` is. Unset on SageMaker and in containers; the local engine points it at the step's own folder."""
DEBUG_VARIABLE = "DEBUG_STEP"
"""Set where somebody sits at the terminal: an error opens pdb, and a fit runs in the step's own process."""
PARAMETER_PREFIX = "PARAMETER_"
"""Prefix of the environment variables that carry the user's own pipeline parameters."""
ML_ROOT = "/opt/ml"
INPUT_ROOT = "/opt/ml/processing/input"
OUTPUT_ROOT = "/opt/ml/processing/output"

# Inputs and outputs of the steps, by name; each lies at INPUT_ROOT/<name> or OUTPUT_ROOT/<name>
IN_CODE = "code"
IN_SETTINGS = "settings"
IN_RAW = "raw"
IN_MANIFEST = "manifest"
IN_SCHEMA = "schema"
IN_PREPARED = "prepared"
IN_PREDICT = "predict"
IN_MODEL = "model"
IN_EVALUATION = "evaluation"
IN_DECISION = "decision"
IN_VERDICTS = "verdicts"
IN_CONTRACT = "contract"
IN_INFERENCE = "inference"
IN_TRAIN_DATA = "train-data"
IN_PREDICT_DATA = "predict-data"
OUT_TRAIN = "train"
OUT_SCHEMA = "schema"
OUT_PREDICT = "predict"
IN_PARTS = OUT_PARTS = "parts"
OUT_MODEL = "model"
OUT_EVALUATION = "evaluation"
OUT_PREDICTIONS = "predictions"
MESSAGE_LIMIT = 1024
"""Bytes of `/opt/ml/output/message` that become the job's ExitMessage
(https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-output.html)."""
SLUG_LIMIT = 48
"""`InferFallback-` and a slug must fit the 64 characters of a step name."""
GROUP_LIMIT = 63
"""Characters of a model package group's name: `<pipeline>-<slug>`."""
POOLED_NAME = "(pooled)"

_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line separators, changes of the writing direction, and halves of characters."""


def input_dir(name: str) -> Path:
    """Return the folder of the processing input `name`."""
    return ml_root() / "processing" / "input" / name


def output_dir(name: str) -> Path:
    """Return the folder of the processing output `name`."""
    return ml_root() / "processing" / "output" / name


def ml_root() -> Path:
    """Return `/opt/ml`, or the folder that stands in for it."""
    return Path(os.environ.get(ML_ROOT_VARIABLE, ML_ROOT))


def user_parameters(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the user's own pipeline parameters that a step was given, by name."""
    found = {k.removeprefix(PARAMETER_PREFIX): v for k, v in environment.items() if k.startswith(PARAMETER_PREFIX)}
    return dict(sorted(found.items()))


def slugs(names: Iterable[str], pipeline: str) -> dict[str, str]:
    """Return a slug `[A-Za-z0-9](-*[A-Za-z0-9])*` for each model name, unique without regard to case.

    A name that is not already a slug of at most `SLUG_LIMIT` characters (or collides with another, or looks like one
    with a suffix) gets a suffix made from its hash, so that the slug of a name does not depend on the names' order.
    """
    names = list(names)
    limit = min(SLUG_LIMIT, GROUP_LIMIT - len(pipeline) - 1)
    plain = {name: _plain_slug(name) for name in names}
    count = Counter(slug.lower() for slug in plain.values())
    return {name: _slug(name, plain[name], count[plain[name].lower()] > 1, limit) for name in names}


def _plain_slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")


def _slug(name: str, plain: str, collides: bool, limit: int) -> str:
    readable = name.isascii() and plain and len(plain) <= limit and not re.search(r"-[0-9a-f]{8}$", plain)
    if readable and not collides:
        return plain
    suffix = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{plain[: limit - 9].strip('-') or 'model'}-{suffix}"


def group_name(pipeline: str, slug: str) -> str:
    """Return the name of the model package group that holds a segment's models."""
    return f"{pipeline}-{slug}"


def pipeline_name(pipeline: str, mode: str) -> str:
    """Return the name under which the definition of a mode is deployed."""
    return pipeline if mode == FULL else f"{pipeline}-{mode}"


def function_name(pipeline: str, name: str) -> str:
    """Return the name of a Lambda function of this pipeline."""
    return f"{pipeline}-{name}"


def model_key(unit: str) -> str:
    """Return the key of a Lambda event that carries the URI of a Train step's `model` output, by slug or shard."""
    return f"Model-{unit}"


def evaluation_key(unit: str) -> str:
    """Return the key of a Lambda event that carries the URI of a Train step's `evaluation` output, by slug or shard."""
    return f"Evaluation-{unit}"


def prepared_folder(slug: str, shard: str | None) -> str:
    """Return the folder of a model's rows below an output of the prepare steps: a job takes that of its whole shard."""
    return f"{shard}/{slug}" if shard else slug


def decide_outputs(position: int) -> tuple[str, str]:
    """Return the names of a Decide step's outputs for its job at `position`: model URI and image URI."""
    return f"Model{position:02d}", f"Image{position:02d}"


@dataclass(frozen=True)
class Versions:
    """What decides whether a predictor loads: AutoGluon's version, and Python's as far as its minor number."""

    autogluon: str
    python: str

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Versions | None:
        """Return the versions that a package's or an artifact's metadata tell, or None where they do not."""
        autogluon, python = found.get("autogluon_version"), found.get("python_version")
        return cls(autogluon, _minor(python)) if autogluon and python else None

    def loads(self, trained: Versions) -> bool:
        """Tell whether a predictor trained with these versions loads where `self` is installed."""
        return (self.autogluon, _minor(self.python)) == (trained.autogluon, _minor(trained.python))

    def __str__(self) -> str:
        return f"AutoGluon {self.autogluon} and Python {_minor(self.python)}"


def _minor(python: str) -> str:
    return ".".join(python.split(".")[:2])


@dataclass(frozen=True, order=True)
class DataFile:
    """One raw file: its key below the raw folder, its etag (locally its sha256) and its size in bytes."""

    key: str
    etag: str
    size: int


def data_version(files: Iterable[DataFile]) -> str:
    """Return the version of a set of raw files: sha256 over their sorted (key, etag, size).

    The trigger and the CLI both use it, so that the same files have the same version wherever a run starts.
    """
    listing = sorted((file.key, file.etag, file.size) for file in files)
    return hashlib.sha256(json.dumps(listing, ensure_ascii=False).encode()).hexdigest()


def escape_controls(text: str, keep: str = "") -> str:
    """Return a text whose control characters are shown as escapes, except those in `keep`.

    Whatever people read goes through here: a name must not break a line of a log or a mail, nor move a cursor.
    """
    return _STEERING.sub(lambda found: found[0] if found[0] in keep else ascii(found[0])[1:-1], text)


def key_problem(key: str) -> str | None:
    """Return what is wrong with the key of a raw file, or None; a job makes a path of it, and people read it."""
    if any(part in ("", ".", "..") for part in key.split("/")):
        return "has an empty part, '.' or '..' in its path; rename the file"
    if escape_controls(key) != key:
        return "holds control characters or is not UTF-8; rename the file"
    return None


def matches(key: str, globs: Iterable[str]) -> bool:
    """Tell whether one of the globs names a data file, by its whole key or by its file name.

    Run markers are never data, nor is what a dot hides: a workspace, a notebook's checkpoints.
    """
    name = key.rpartition("/")[2]
    named = any(fnmatch.fnmatchcase(key, glob) or fnmatch.fnmatchcase(name, glob) for glob in globs)
    return named and not is_marker(key) and not is_hidden(key)


def is_hidden(key: str) -> bool:
    """Tell whether a part of a key begins with a dot."""
    return any(part.startswith(".") for part in key.split("/"))


def is_marker(key: str) -> bool:
    """Tell whether a key is a run marker, which is never data."""
    return key.endswith(".run")


def manifests(raw_uri: str, files: Sequence[DataFile]) -> dict[str, str]:
    """Return the two manifest files of a data version by file name.

    `files.json` has the form of SageMaker's ManifestFile
    (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProcessingS3Input.html); `manifest.json` adds
    etag and size, against which the prepare step checks what it reads.
    """
    ordered = sorted(files)
    listing: list[Any] = [{"prefix": raw_uri}, *(file.key for file in ordered)]
    details = {"raw": raw_uri, "files": [{"key": f.key, "etag": f.etag, "size": f.size} for f in ordered]}
    return {FILES_FILE: to_json(listing), MANIFEST_FILE: to_json(details)}


def to_json(value: Any) -> str:
    """Return `value` as JSON in the one form we write: sorted keys, no NaN, UTF-8 text kept."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1) + "\n"
