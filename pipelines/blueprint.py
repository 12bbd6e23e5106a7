"""Everything that a definition is made of, before the SageMaker SDK is asked for it. Pure, and quick to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.account import Account
from pipelines.models import ModelSpec
from pipelines.settings import Settings
from pipelines.shards import Shard, group
from steps import contract

if TYPE_CHECKING:
    from sagemaker.core.workflow.functions import Join


@dataclass(frozen=True)
class Blueprint:
    """Settings, models, AWS values, addresses of code and settings slices; equal blueprints compile to equal bytes.

    `mode` tells which of the pipelines it is: the whole one, or the one that scores only.
    """

    settings: Settings
    models: tuple[ModelSpec, ...]
    account: Account
    code: Mapping[str, str]
    slices: Mapping[str, str]
    mode: str = contract.FULL

    @property
    def shards(self) -> tuple[Shard, ...]:
        """Return the models by the job that serves them."""
        return group(self.models)

    def execution_uri(self, *parts: Any) -> Join:
        """Return the URI of a folder that belongs to one execution; parts are strings or pipeline variables."""
        from sagemaker.core.workflow.execution_variables import ExecutionVariables  # takes seconds to import

        from pipelines.parts import join

        return join(self.account.prefix, "executions", ExecutionVariables.PIPELINE_EXECUTION_ID, *parts)
