"""Opening a model: the artifact verified, unpacked, checked and loaded, in this order.

A predictor holds pickles and loading one runs it, so nothing of an artifact is used before its sha256 is proven. The
only module that loads with AutoGluon; it scores nothing.
"""

from __future__ import annotations

import logging
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steps import artifact, contract, delivery, evaluation, failure, importing, installed, job, scoring

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

Load = Callable[[Path, str], scoring.Staged]
"""Loads the predictor in a folder; the name of the model is for messages."""


@dataclass(frozen=True)
class Model:
    """An unpacked artifact whose versions fit: its metadata and where its predictor lies."""

    metadata: Mapping[str, Any]
    folder: Path

    @property
    def columns(self) -> list[Mapping[str, Any]]:
        """The features as the artifact's own schema tells them."""
        return list(self.metadata["schema"]["columns"])

    @property
    def names(self) -> list[str]:
        """The names of the features."""
        return [column["name"] for column in self.columns]

    @property
    def categories(self) -> frozenset[str]:
        """Features that training declared as categories."""
        return frozenset(self.metadata.get("categories", ()))


def open_model(served: delivery.Delivery, folder: Path) -> Model:
    """Unpack the artifact that serves a segment into `folder`.

    Raises:
        StepError: it is missing, changed, unsafe, of an unknown format, or of another AutoGluon or Python version.
    """
    path = served.artifact
    if not path.is_file() or served.sha256 is None:
        raise job.StepError(
            f"model {served.name} is to be served by its {served.source} model, but there is no artifact "
            f"{path.name} or no sha256 recorded for it: register and approve the model again, then run from Decide on"
        )
    here = contract.Versions(evaluation.autogluon_version(), platform.python_version())
    with artifact.verified(path, served.sha256, served.name, folder) as file:
        examined = artifact.examine(file, served.name)
        artifact.check_versions(examined.metadata, here, served.name, served.slug)
        artifact.unpack(file, folder, examined, served.name)
    return Model(examined.metadata, folder / artifact.PREDICTOR_DIR)


class Loaded:
    """AutoGluon's predictor in two stages: the features that all of its models share, and the models."""

    def __init__(self, predictor: Any) -> None:
        self._predictor = predictor

    @property
    def predictor(self) -> Any:
        """AutoGluon's own object."""
        return self._predictor

    def prepare(self, data: pd.DataFrame) -> Any:
        """Return the rows as the models take them."""
        return self._predictor.transform_features(data)

    def predict(self, prepared: Any) -> Any:
        """Return the predictions of rows that were prepared."""
        return self._predictor.predict(prepared, transform_features=False)


def load_predictor(folder: Path, name: str) -> Loaded:
    """Return AutoGluon's predictor, in memory; StepError if it does not load."""
    failure.silence_libraries()
    try:
        with importing.uncollected():
            from autogluon.tabular import TabularPredictor

        installed.remember()
        # Both versions are checked before the artifact is unpacked.
        predictor: Any = TabularPredictor.load(str(folder), verbosity=0, require_py_version_match=False)
        predictor.persist(max_memory=None)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - seam to AutoGluon
        log.warning("%s: %s", failure.name(error), failure.frames(error))
        raise job.StepError(
            f"the predictor of model {name} does not load ({failure.name(error)} at {failure.place(error)}): run it "
            "in the image it was registered with, or train and approve it again"
        ) from None
    return Loaded(predictor)
