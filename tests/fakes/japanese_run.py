"""A finished run of three segments whose reasons and warnings are those of the steps, as inputs of PostProcess."""

from __future__ import annotations

import dataclasses

from postprocess_inputs import FEATURES, FLIGHTS

UNSEEN = "column 'dest': 2.0% of the rows have a category that training did not see"
PSI = "column 'dep_delay': PSI 0.65 between training rows and rows to predict"
REJECTED = "MAE 31 > threshold 20"
FAILED = "AutoGluon could not train on 1 row within 600 s (ValueError)"
SAMPLES = (
    dataclasses.replace(FLIGHTS[0], why="accepted by the gate", warnings=(UNSEEN,), drift=(PSI,)),
    dataclasses.replace(
        FLIGHTS[1], reasons=(REJECTED, "MAE 31 >= baseline 24.1"), why=f"{REJECTED}; MAE 31 >= baseline 24.1"
    ),
    dataclasses.replace(FLIGHTS[2], reasons=(FAILED,), why=f"{FAILED}; no approved default model"),
)
KNOWN = frozenset(
    {
        *("MAE", "RMSE", "PSI", "AutoGluon", "Python", "Parquet", "CSV", "JavaScript", "JSON", "URI", "UTC", "AWS"),
        *(
            "EWR",
            "JFK",
            "LGA",
            "flights",
            "csv",
            "json",
            "predictions",
            "predict",
            "train",
            "summary",
            "arr_delay",
            "year",
        ),
        *(
            "config",
            "env",
            "workspace",
            "sha",
            "arn",
            "aws",
            "sagemaker",
            "model",
            "package",
            "duckdb",
            "jinja",
            "numpy",
        ),
        *("CheckData", "Decide", "InferFallback", "Judge", "MaeGate", "PostProcessFallback", "PreparePrediction"),
        *("PrepareTraining", "Train", "ValueError", "arr", "delay", "dep", "null", "tailnum", "west"),
        *("CatBoost", "XGBoost", "population", "stability", "index"),
        *(word for name in FEATURES for word in name.split("_")),
        *("plotly", "pyarrow", "raw", "LightGBM", "WeightedEnsemble"),
    }
)
"""Words that a Japanese report has as well: units, products, names of this run's data and files."""
