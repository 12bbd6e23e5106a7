"""The SageMaker Model Registry as far as the project uses it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fake_answers import SAGEMAKER, FakeError, Paged


@dataclass
class FakeRegistry(Paged):
    """Model package groups by name, their packages, and the client tokens seen."""

    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    packages: list[dict[str, Any]] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    last_versions: dict[str, int] = field(default_factory=dict)

    def _on_describe_model_package_group(self, given: dict[str, Any]) -> dict[str, Any]:
        group = self.groups.get(given["ModelPackageGroupName"])
        if group is None:
            raise FakeError("ValidationException", f"ModelPackageGroup {SAGEMAKER}:x does not exist.")
        return {**group, "CreatedBy": {}}

    def _on_create_model_package_group(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given["ModelPackageGroupName"]
        if name in self.groups:
            raise FakeError("ValidationException", "Model Package Group already exists.")
        arn = f"{SAGEMAKER}:model-package-group/{name}"
        self.groups[name] = {
            **given,
            "ModelPackageGroupArn": arn,
            "CreationTime": datetime.now(UTC),
            "ModelPackageGroupStatus": "Completed",
        }
        return {"ModelPackageGroupArn": arn}

    def _on_list_model_package_groups(self, given: dict[str, Any]) -> dict[str, Any]:
        found = [g for name, g in sorted(self.groups.items()) if given["NameContains"] in name]
        return self.paged(given, "ModelPackageGroupSummaryList", found)

    def _on_list_model_packages(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given["ModelPackageGroupName"]
        if name not in self.groups:
            raise FakeError("ValidationException", f"ModelPackageGroup {name} does not exist.")
        status = given.get("ModelApprovalStatus")
        found = [p for p in self.packages if p["ModelPackageGroupName"] == name]
        chosen = [p for p in found if status in (None, p["ModelApprovalStatus"])]
        backwards = given.get("SortBy") == "CreationTime" and given.get("SortOrder") == "Descending"
        ordered = sorted(chosen, key=lambda p: p["CreationTime"], reverse=backwards)
        keys = ("ModelPackageArn", "CreationTime", "ModelPackageStatus", "ModelApprovalStatus")
        return self.paged(
            given, "ModelPackageSummaryList", [{key: package[key] for key in keys} for package in ordered]
        )

    def _on_create_model_package(self, given: dict[str, Any]) -> dict[str, Any]:
        token, group = given["ClientToken"], given["ModelPackageGroupName"]
        if token in self.tokens:
            return {"ModelPackageArn": self.tokens[token]}
        if group not in self.groups:
            raise FakeError("ValidationException", f"ModelPackageGroup {group} does not exist.")
        version = self.last_versions.get(group, 0) + 1
        self.last_versions[group] = version
        arn = f"{SAGEMAKER}:model-package/{group}/{version}"
        self.tokens[token] = arn
        kept = {key: value for key, value in given.items() if key != "ClientToken"}
        self.packages.append(
            {
                **kept,
                "ModelPackageName": group,
                "ModelPackageVersion": version,
                "ModelPackageArn": arn,
                "CreationTime": datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=len(self.tokens)),
                "ModelPackageStatus": "Completed",
                "ModelPackageStatusDetails": {"ValidationStatuses": []},
            }
        )
        return {"ModelPackageArn": arn}

    def _on_describe_model_package(self, given: dict[str, Any]) -> dict[str, Any]:
        return self._package(given["ModelPackageName"])

    def _on_update_model_package(self, given: dict[str, Any]) -> dict[str, Any]:
        package = self._package(given["ModelPackageArn"])
        package["ModelApprovalStatus"] = given["ModelApprovalStatus"]
        package["CustomerMetadataProperties"].update(given.get("CustomerMetadataProperties", {}))
        return {"ModelPackageArn": package["ModelPackageArn"]}

    def _on_delete_model_package(self, given: dict[str, Any]) -> None:
        self.packages.remove(self._package(given["ModelPackageName"]))

    def _package(self, arn: str) -> dict[str, Any]:
        found = next((p for p in self.packages if p["ModelPackageArn"] == arn), None)
        if found is None:
            raise FakeError("ValidationException", f"ModelPackage {arn} does not exist.")
        return found
