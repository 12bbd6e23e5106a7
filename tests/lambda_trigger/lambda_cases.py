"""A workspace with settings, evaluations and statuses of three models, as the handlers find them."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lambda_world
from lambda_world import evaluation

from lambda_trigger.folders import LocalContext, local_ports
from lambda_trigger.ports import ModelGroup, ModelPackage, NewPackage, Ports, Status
from steps import contract

BASE = "s3://local/flights"
RUN = f"{BASE}/executions/run-1"
SETTINGS_URI = f"{BASE}/settings/lambda/settings.json"


@dataclass
class Desk:
    """A workspace in a folder and everything a handler's event needs."""

    root: Path
    console: io.StringIO = field(default_factory=io.StringIO)

    @property
    def ports(self) -> Ports:
        return local_ports(self.root, self.resolve, self.console)

    @property
    def context(self) -> LocalContext:
        return LocalContext(self.ports)

    def resolve(self, uri: str) -> Path:
        return self.root / "s3" / uri.removeprefix("s3://")

    def write(self, uri: str, value: Any) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        self.ports.objects.write_text(uri, text)
        return uri

    def read(self, uri: str) -> Any:
        return json.loads(self.ports.objects.read_text(uri))

    def configure(self, **changes: Any) -> dict[str, Any]:
        found = lambda_world.settings_slice(BASE, **changes)
        self.write(SETTINGS_URI, found)
        return found

    def train(self, slug: str, unit: str | None = None, **changes: Any) -> None:
        """Put a model's evaluation and artifact where Train would have, that of its shard where it has one."""
        found, unit = evaluation(**changes), unit or slug
        if found["artifact"]:
            found["artifact"] = {**found["artifact"], "sha256": changes.get("sha256", f"{slug:a<64}".lower()[:64])}
        self.write(f"{RUN}/{unit}/evaluation/{slug}/evaluation.json", found)
        self.write(f"{RUN}/{unit}/evaluation/{slug}/schema.json", {"columns": []})
        self.write(f"{RUN}/{unit}/model/{slug}/model.tar.gz", f"artifact of {slug}")

    def event(self, slugs: list[str], **more: Any) -> dict[str, Any]:
        """Return an event with the keys that name each model's training outputs."""
        outputs = {contract.evaluation_key(s): f"{RUN}/{s}/evaluation" for s in slugs}
        models = {contract.model_key(s): f"{RUN}/{s}/model" for s in slugs}
        return {"Execution": "run-1", "Settings": SETTINGS_URI, **outputs, **models, **more}

    def default(
        self,
        slug: str,
        status: Status = "Approved",
        metadata: dict[str, str] | None = None,
        artifact: str | None = None,
    ) -> ModelPackage:
        """Register a version of a model."""
        group = ModelGroup(f"flights-{slug}", "flights", slug)
        registry = self.ports.registry
        registry.ensure_group(group)
        number = len(list(registry.packages(group.name)))
        digest = f"{slug.lower()}{number}".ljust(64, "d")
        found = {"sha256": digest, "execution": "run-0", "auto_approved": "false", **(metadata or {})}
        artifact = artifact or f"{BASE}/registry/{slug}/{digest}/model.tar.gz"
        new = NewPackage(group.name, status, artifact, "image:old", f"token-{slug}-{number}", found)
        return registry.register(new)
