"""What each file of the contract holds, with its keys, which an end-to-end test compares with those of a real run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Told:
    """Where a file lies, what it holds, its keys at the top and those of one of its models or items."""

    where: str
    what: str
    keys: str = ""
    inner: str = ""

    def told(self) -> str:
        """Return the cell of the table."""
        shown = f"{self.what}: {code(self.keys)}" if self.keys else self.what
        return f"{shown}; of each model {code(self.inner)}" if self.inner else shown


def code(keys: str) -> str:
    return ", ".join(f"`{key}`" for key in keys.split())


SLOTS = "`<model>/` of"
FILES = {
    "STATUS_FILE": Told(
        f"{SLOTS} `train`, `predict` and `parts` of the prepare steps",
        "whether the model's rows are prepared, skipped or failed, and why",
        "status reason rows train_rows holdout_rows dropped_null_label",
    ),
    "SCHEMA_FILE": Told(
        f"`schema` of `PrepareTraining`; {SLOTS} `train`; in the artifact",
        "the columns that a model takes, in order, the contract between training and inference (`trained`, in that "
        "of all models: which have rows to train on)",
        "format model slug label id segment columns ignored trained",
    ),
    "PROFILE_FILE": Told(
        f"{SLOTS} `train` and `predict`",
        "what the rows look like, column by column: what drift is measured on",
        "rows columns train_rows holdout_rows label",
    ),
    "DATA_FILE": Told(
        "`train`, `predict`",
        "what was read: files with their rows, rows that went, warnings",
        "version raw files rows rest_rows skipped_rows warnings columns ignored dropped_null_label "
        "extra_columns id_type timing",
    ),
    "EVALUATION_FILE": Told(
        f"{SLOTS} `evaluation`; beside predictions and registered artifacts",
        "how a model measured up on the rows held out, in SageMaker's model-quality form (a hook `metrics` adds "
        "`custom_metrics`)",
        "status reason transient model slug regression_metrics mae_interval baseline holdout_rows train_rows "
        "best_model fit_seconds predict_rows_per_second speed artifact autogluon_version python_version format "
        "timing",
    ),
    "LEADERBOARD_FILE": Told(
        f"{SLOTS} `evaluation`",
        "a list, what AutoGluon tried",
        "model holdout_mae score_val fit_seconds predict_seconds rows_per_second holdout_rows",
    ),
    "IMPORTANCE_FILE": Told(
        f"{SLOTS} `evaluation`",
        "a list, by how much the error grows when a column is shuffled",
        "feature importance standard_deviation",
    ),
    "FEATURE_ERRORS_FILE": Told(
        f"{SLOTS} `evaluation`",
        "a list, the errors on a sample of the holdout by the values of the features that matter most",
        "feature kind bins",
    ),
    "HOLDOUT_PREDICTIONS_FILE": Told(f"{SLOTS} `evaluation`", "held-out rows with their predictions (Parquet)"),
    "MODEL_FILE": Told(f"{SLOTS} `model`; `registry/<model>/<sha256>/`", "the artifact: predictor and `metadata.json`"),
    "METADATA_FILE": Told(
        "in the artifact",
        "what is needed to serve it",
        "format model slug id label schema categories mae best_model train_rows autogluon_version python_version",
    ),
    "INFERENCE_FILE": Told(
        f"{SLOTS} `predictions` of `Infer-<model>`",
        "what was scored, by which artifact, how fast",
        "status reason model slug source package version artifact_sha256 autogluon_version rows rows_waiting seconds "
        "rows_per_second prediction null_rates unseen_categories warnings timing",
    ),
    "CONTRACT_FILE": Told(
        "`executions/<ID>/check/`, by `CheckData`",
        "drift, model by model",
        "execution measure limits models warnings failures notes",
        "name compared reason columns worst default warnings failures train_rows predict_rows",
    ),
    "VERDICTS_FILE": Told(
        "`executions/<ID>/judge/`, by `Judge`",
        "what the gate says of each model, and why",
        "execution passed rejected threshold max_baseline_ratio min_holdout_rows models",
        "name slug status accepted reasons ignored mae mae_low mae_high baseline_mae improvement threshold "
        "holdout_rows",
    ),
    "DECISION_FILE": Told(
        "`executions/<ID>/decide/`, by `Decide`",
        "which model serves each segment behind a gate that said no",
        "execution policy prefix models",
        "name slug source reason model_uri image_uri sha256 version package",
    ),
    "SUMMARY_FILE": Told(
        "`predictions` of `PostProcess`",
        "the whole execution for programs (`mode` full or predict)",
        "execution pipeline mode status headline gate policy parameters data models rows predict_rows",
        "slug status accepted reasons reason why failure mae mae_low mae_high baseline_mae improvement threshold "
        "holdout_rows train_rows served_by model_version autogluon_version rows rows_waiting drift warnings",
    ),
    "REPORT_FILE": Told("`predictions` of `PostProcess`", "the same for people"),
    "SUCCESS_FILE": Told("`predictions` of `PostProcess`", "nothing: it is there when all else is"),
    "DEGRADED_FILE": Told("`predictions` of `PostProcess`", "nothing: in its place where a segment was left out"),
    "LATEST_FILE": Told(
        "`<pipeline>/predictions/`",
        "where the newest good result lies",
        "execution status started predictions report summary",
    ),
    "SETTINGS_FILE": Told("the input `settings`", "what of the config the step depends on"),
    "FILES_FILE": Told(
        "`manifests/<version>/`", "SageMaker's ManifestFile of the raw files: `prefix`, then their keys below it"
    ),
    "MANIFEST_FILE": Told("`manifests/<version>/`", "the same with `etag` and `size` of each file", "raw files"),
    "NO_CACHE_FILE": Told("`/opt/ml/output/`", "nothing: this success must not stand in for another run"),
}
