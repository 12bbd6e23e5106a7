"""CodeBuild as far as the project uses it: builds that push an image when they end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fake_answers import NUMBER, REGION, FakeError
from fake_repositories import FakeRepositories

PHASES = ("QUEUED", "BUILD", "COMPLETED")


@dataclass
class FakeBuilds(FakeRepositories):
    """Builds by ID; each look takes a build one phase on. `failing_builds` are images whose build fails."""

    builds: dict[str, dict[str, Any]] = field(default_factory=dict)
    projects: set[str] = field(default_factory=set)
    failing_builds: set[str] = field(default_factory=set)

    def _on_start_build(self, given: dict[str, Any]) -> dict[str, Any]:
        project = given["projectName"]
        if project not in self.projects:
            raise FakeError("ResourceNotFoundException", f"Project cannot be found: {project}")
        number = f"{project}:{len(self.builds) + 1:08d}"
        variables = {item["name"]: item["value"] for item in given["environmentVariablesOverride"]}
        self.builds[number] = {
            "id": number,
            "phase": 0,
            "variables": variables,
            "source": given["sourceLocationOverride"],
        }
        return {"build": {"id": number, "buildStatus": "IN_PROGRESS"}}

    def _on_batch_get_builds(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"builds": [self._look(self.builds[number]) for number in given["ids"] if number in self.builds]}

    def _look(self, build: dict[str, Any]) -> dict[str, Any]:
        build["phase"] = min(build["phase"] + 1, len(PHASES) - 1)
        done, image = PHASES[build["phase"]] == "COMPLETED", build["variables"]["IMAGE"]
        failed = done and image in self.failing_builds
        if done and not failed:
            repository = build["variables"]["REPOSITORY_URI"].partition("/")[2]
            self.push_image(repository, build["variables"]["TAG"])
        log = f"https://{REGION}.console.aws.amazon.com/codebuild/{NUMBER}/{build['id']}"
        problem = {"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": [{"message": "exit status 1"}]}
        return {
            "id": build["id"],
            "currentPhase": PHASES[build["phase"]],
            "buildStatus": "FAILED" if failed else "SUCCEEDED" if done else "IN_PROGRESS",
            "phases": [problem] if failed else [],
            "logs": {"deepLink": log},
        }
