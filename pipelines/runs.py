"""An execution of a workspace as an object, for notebooks and scripts: `Run("20261126-203831-74fc").predictions()`.

Reads only. Frames are pandas'; what `--compare` and `evaluate` read of an execution they read here as well.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import local_executions, results
from pipelines.errors import ExecutionError, nearest
from pipelines.local import history
from pipelines.options import DEFAULT_WORKSPACE
from steps import contract

if TYPE_CHECKING:
    import pandas as pd

    from pipelines.results import Result


class Run:
    """One execution on this machine, by its ID; the newest where none is given.

    Raises:
        ExecutionError: the workspace has no such execution, or none at all.
    """

    def __init__(self, execution: str | None = None, workspace: Path | str = DEFAULT_WORKSPACE) -> None:
        self.workspace = local_executions.open_workspace(Path(workspace))
        found = execution or local_executions.newest(self.workspace.root)
        if found is None:
            raise ExecutionError(f"nothing has run in the workspace {workspace} yet; start with --local")
        self.origin, self._definition = local_executions.read(self.workspace.root, found)
        self.execution = found
        self._outcome = history.load(self.workspace, found)

    def __repr__(self) -> str:
        return f"Run({self.execution!r}): {self.result.status}"

    @functools.cached_property
    def result(self) -> Result:
        """What the execution came to: status, gate, models by name, steps, paths."""
        return results.collect(self.workspace, self.origin, self._outcome)

    def models(self) -> pd.DataFrame:
        """Return a row per model (index: its name) with `mae`, `accepted`, `served_by` and more, as `--json` has it."""
        import pandas as pd

        found = self.result.models
        return pd.DataFrame(list(found.values()), index=pd.Index(found, name="model"))

    def predictions(self) -> pd.DataFrame:
        """Return the published predictions in the order of the rows to predict: id, prediction, model, source.

        Raises:
            ExecutionError: none were published, or they are gone.
        """
        import pyarrow.parquet

        parquet: Any = pyarrow.parquet  # has no type information
        found: pd.DataFrame = parquet.read_table([str(path) for path in self.prediction_files()]).to_pandas()
        return found

    def leaderboard(self, model: str) -> pd.DataFrame:
        """Return what AutoGluon tried for a model, the best on the holdout first; empty where it could not be made.

        Raises:
            ExecutionError: the execution has no such model, or its training left no leaderboard.
        """
        import pandas as pd

        path = self._training_folder(model) / contract.LEADERBOARD_FILE
        board = pd.DataFrame(results.read_json(path, list))
        return board[sorted(board.columns, key=lambda name: (name != "model", name != "holdout_mae"))]

    def prediction_files(self) -> list[Path]:
        """Return the Parquet files of the predictions, in order.

        Raises:
            ExecutionError: none were published, or they are gone.
        """
        folder = results.published(self.workspace, self._outcome)
        if folder is None:
            raise ExecutionError(f"{self.execution}: it is {self.result.status} and has published no predictions")
        files = sorted((folder / contract.PREDICTIONS_DIR).glob("*.parquet"))
        if not files:
            raise ExecutionError(f"{folder / contract.PREDICTIONS_DIR}: the predictions are gone; run --rerun")
        return files

    def addressed(self, kind: str) -> dict[str, Path]:
        """Return the folders of `code` or `settings` that the definition refers to, by the step kind they are for."""
        prefix = f"s3://{self.origin.bucket}/{self.origin.pipeline}/{kind}/"
        uris = re.findall(rf'{re.escape(prefix)}([^/"]+)/([0-9a-f]{{64}})', self._definition.text)
        return {name: self.workspace.path(f"{prefix}{name}/{digest}") for name, digest in uris}

    def settings(self, name: str) -> Mapping[str, Any]:
        """Return the settings that a kind of step read, such as `postprocess`.

        Raises:
            ExecutionError: they are gone, or there is no such kind.
        """
        folder = self.addressed("settings").get(name)
        if folder is None:
            raise ExecutionError(f"{self.execution}: its definition has no settings of {name}")
        found: Mapping[str, Any] = results.read_json(folder / contract.SETTINGS_FILE)
        return found

    def _training_folder(self, model: str) -> Path:
        """Return the folder of a model's small training files."""
        judged = results.verdicts_of(self.workspace, self._outcome).get("models", {})
        slugs = {found["name"]: slug for slug, found in judged.items()}
        if model not in slugs:
            raise ExecutionError(f"{self.execution}: it has no model {model!r}{nearest(model, slugs)}")
        for record in self._outcome.steps.values():
            uri = record.outputs.get(contract.OUT_EVALUATION)
            if uri and (self.workspace.path(uri) / slugs[model] / contract.LEADERBOARD_FILE).is_file():
                return self.workspace.path(uri) / str(slugs[model])
        raise ExecutionError(f"{self.execution}: the training of {model!r} left no {contract.LEADERBOARD_FILE}")
