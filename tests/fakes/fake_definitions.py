"""SageMaker tags, and model packages described together, as far as deploying uses them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fake_executions import FakeExecutions
from fake_registry import FakeRegistry


@dataclass
class FakeDefinitions(FakeRegistry, FakeExecutions):
    """Tags by the ARN that carries them; a pipeline's own come with its making."""

    sagemaker_tags: dict[str, dict[str, str]] = field(default_factory=dict)

    def _on_create_pipeline(self, given: dict[str, Any]) -> dict[str, Any]:
        made = super()._on_create_pipeline(given)
        self._on_add_tags({"ResourceArn": made["PipelineArn"], "Tags": given.get("Tags", [])})
        return made

    def _on_create_model_package_group(self, given: dict[str, Any]) -> dict[str, Any]:
        made = super()._on_create_model_package_group({k: v for k, v in given.items() if k != "Tags"})
        self._on_add_tags({"ResourceArn": made["ModelPackageGroupArn"], "Tags": given.get("Tags", [])})
        return made

    def _on_add_tags(self, given: dict[str, Any]) -> dict[str, Any]:
        tags = self.sagemaker_tags.setdefault(given["ResourceArn"], {})
        tags.update({tag["Key"]: tag["Value"] for tag in given["Tags"]})
        return {"Tags": given["Tags"]}

    def _on_list_tags(self, given: dict[str, Any]) -> dict[str, Any]:
        tags = self.sagemaker_tags.get(given["ResourceArn"], {})
        return self.paged(given, "Tags", [{"Key": key, "Value": value} for key, value in sorted(tags.items())])

    def _on_batch_describe_model_package(self, given: dict[str, Any]) -> dict[str, Any]:
        wanted = [package for package in self.packages if package["ModelPackageArn"] in given["ModelPackageArnList"]]
        keys = (
            "ModelPackageGroupName",
            "ModelPackageArn",
            "CreationTime",
            "InferenceSpecification",
            "ModelPackageStatus",
        )
        return {"ModelPackageSummaries": {p["ModelPackageArn"]: {key: p[key] for key in keys} for p in wanted}}
