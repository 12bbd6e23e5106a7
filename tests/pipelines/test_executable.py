"""The definition of a local execution, read from a file: what it may refer to, and what a refusal advises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from local_outcomes import definition, ping
from test_approved import register
from test_models import census, config

from lambda_trigger.ports import APPROVED, PENDING
from pipelines.errors import RegistryError
from pipelines.executable import choose_definition
from pipelines.local.workspace import Workspace
from pipelines.models import Census
from pipelines.recall import Recall
from pipelines.settings import Settings
from steps import contract

NAMED = {"name": "p"}
OVERRIDES = {"by": "region", "overrides": {"late": {"gate": {"mae": 3}}}}


class Counted(Recall):
    """Knows the rows to predict of the one segment that there is."""

    def count_segments(self, config: Settings, folder: Path) -> Census:
        return census(("a", 0, 5))


@pytest.mark.parametrize("changes", [{"rest": "skip"}, {"rest": "fail"}, {"models": OVERRIDES}])
def test_a_definition_that_scores_only_is_read_where_no_row_could_be_trained_on(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    register(tmp_path, "a", APPROVED)
    file = tmp_path / "definition.json"
    file.write_text(definition(ping("Ping")).text)
    settings, recall = config(pipeline=NAMED, **changes), Counted(Workspace(tmp_path, {}))

    found, _ = choose_definition(settings, tmp_path / "c.yml", tmp_path, file, recall, contract.PREDICT_MODE)

    assert [step.name for step in found.every_step()] == ["Ping"]


def test_the_approval_that_a_refusal_advises_is_that_of_the_same_environment(tmp_path: Path) -> None:
    register(tmp_path, "a", PENDING)
    recall, path = Counted(Workspace(tmp_path, {})), tmp_path / "c.yml"

    with pytest.raises(RegistryError, match=r"--env production .*approve MODEL"):
        choose_definition(config(pipeline=NAMED), path, tmp_path, None, recall, contract.PREDICT_MODE, "production")
