"""CloudFormation as far as the project uses it: stacks, change sets, events. Resources are names only.

What a stack's resources would be is up to `on_stack`: a test says which outputs a stack has. A change takes `steps`
looks until it is done, so that whoever does not wait sees a stack in progress.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from fake_answers import NUMBER, REGION, FakeError, Paged

from pipelines import template

NO_CHANGES = "The submitted information didn't contain changes. Submit different information to create a change set."
Outputs = Callable[[str, dict[str, str]], dict[str, str]]


def _no_outputs(name: str, parameters: dict[str, str]) -> dict[str, str]:
    return {}


@dataclass
class FakeStacks(Paged):
    """Stacks by name; an entry has the keys of DescribeStacks, `TemplateBody`, `events` and `looks`.

    `stack_failures` are resources that cannot be made, with the reason; `on_stack` gives a stack's outputs.
    """

    stacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    change_sets: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    gone_stacks: list[dict[str, Any]] = field(default_factory=list)
    stack_failures: dict[str, str] = field(default_factory=dict)
    on_stack: Outputs = _no_outputs
    stack_looks: int = 2
    stack_clock: datetime = datetime(2026, 11, 23, 9, tzinfo=UTC)

    def add_stack(self, name: str, text: str = "Resources: {}", **more: Any) -> dict[str, Any]:
        """Add a stack as if it had been made before; `more` are keys of DescribeStacks."""
        self.stacks[name] = {
            "StackName": name,
            "StackId": f"arn:aws:cloudformation:{REGION}:{NUMBER}:stack/{name}/{len(self.stacks) + 1}",
            "CreationTime": self.stack_clock,
            "StackStatus": "CREATE_COMPLETE",
            "Parameters": [],
            "Tags": [],
            "TemplateBody": text,
            "events": [],
            "looks": 0,
            **more,
        }
        return self.stacks[name]

    def _on_describe_stacks(self, given: dict[str, Any]) -> dict[str, Any]:
        """Answer with one stack; each look brings a change in progress nearer to its end."""
        stack = self._stack(given["StackName"])
        if stack["looks"]:
            stack["looks"] -= 1
            if not stack["looks"]:
                self._finish(stack)
        hidden = ("TemplateBody", "events", "looks", "wanted")
        return {"Stacks": [{key: value for key, value in stack.items() if key not in hidden}]}

    def _on_get_template(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"TemplateBody": self._stack(given["StackName"])["TemplateBody"], "StagesAvailable": ["Original"]}

    def _on_describe_stack_events(self, given: dict[str, Any]) -> dict[str, Any]:
        return self.paged(given, "StackEvents", self._stack(given["StackName"])["events"][::-1])

    def _on_create_change_set(self, given: dict[str, Any]) -> dict[str, Any]:
        name = given["StackName"]
        stack = self.stacks.get(name)
        if given["ChangeSetType"] == "CREATE":
            if stack and stack["StackStatus"] != "REVIEW_IN_PROGRESS":
                raise FakeError("AlreadyExistsException", f"Stack [{name}] already exists")
            stack = self.add_stack(name, "Resources: {}", StackStatus="REVIEW_IN_PROGRESS")
        elif stack is None:
            raise FakeError("ValidationError", f"Stack [{name}] does not exist")
        text = given.get("TemplateBody") or self._uploaded(given["TemplateURL"])
        unknown = {p["ParameterKey"] for p in given.get("Parameters", [])} - template.parameters(text)
        if unknown:
            raise FakeError("ValidationError", f"Parameters: {sorted(unknown)} do not exist in the template")
        changes = _changes(stack, given, text)
        made = changes or text != stack["TemplateBody"]  # one of outputs alone has no resource to show
        status = {"Status": "CREATE_COMPLETE"} if made else {"Status": "FAILED", "StatusReason": NO_CHANGES}
        self.change_sets[name, given["ChangeSetName"]] = {**status, "changes": changes, "given": given, "text": text}
        return {"Id": f"arn:aws:cloudformation:{REGION}:{NUMBER}:changeSet/{given['ChangeSetName']}/1"}

    def _uploaded(self, url: str) -> str:
        host, _, key = url.removeprefix("https://").partition("/")
        objects: dict[tuple[str, str], bytes] = getattr(self, "objects", {})
        return objects[host.partition(".s3.")[0], key].decode()

    def _on_describe_change_set(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self._change_set(given)
        answer = self.paged(given, "Changes", [{"Type": "Resource", "ResourceChange": c} for c in found["changes"]])
        return {**answer, **{key: found[key] for key in ("Status", "StatusReason") if key in found}}

    def _on_delete_change_set(self, given: dict[str, Any]) -> None:
        self._change_set(given)
        del self.change_sets[given["StackName"], given["ChangeSetName"]]

    def _on_execute_change_set(self, given: dict[str, Any]) -> None:
        found = self._change_set(given)
        stack = self._stack(given["StackName"])
        new = stack["StackStatus"] == "REVIEW_IN_PROGRESS"
        verb = "CREATE" if new else "UPDATE"
        stack["StackStatus"], stack["looks"] = f"{verb}_IN_PROGRESS", self.stack_looks
        stack["wanted"] = (verb, found)
        for change in found["changes"]:
            self._tell(stack, change, f"{verb}_IN_PROGRESS")
        del self.change_sets[given["StackName"], given["ChangeSetName"]]

    def _on_delete_stack(self, given: dict[str, Any]) -> None:
        stack = self.stacks.get(given["StackName"])
        if stack is not None:
            stack["StackStatus"], stack["looks"] = "DELETE_IN_PROGRESS", self.stack_looks
            stack["wanted"] = ("DELETE", {"changes": _resources(stack["TemplateBody"], "Remove")})

    def _finish(self, stack: dict[str, Any]) -> None:
        verb, found = stack.pop("wanted")
        failed = [c for c in found["changes"] if c["LogicalResourceId"] in self.stack_failures]
        for change in found["changes"]:
            reason = self.stack_failures.get(change["LogicalResourceId"], "")
            self._tell(stack, change, f"{verb}_FAILED" if reason else f"{verb}_COMPLETE", reason)
        if failed:
            stack["StackStatus"] = {"CREATE": "ROLLBACK_COMPLETE", "UPDATE": "UPDATE_ROLLBACK_COMPLETE"}.get(
                verb, "DELETE_FAILED"
            )
            return
        stack["StackStatus"] = f"{verb}_COMPLETE"
        if verb == "DELETE":
            self.gone_stacks.append(self.stacks.pop(stack["StackName"]))
            return
        given, parameters = found["given"], found["given"].get("Parameters", [])
        values = {p["ParameterKey"]: p["ParameterValue"] for p in parameters}
        outputs = self.on_stack(stack["StackName"], values)
        stack |= {
            "Parameters": parameters,
            "Tags": given.get("Tags", []),
            "TemplateBody": found["text"],
            "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
        }

    def _tell(self, stack: dict[str, Any], change: dict[str, Any], status: str, reason: str = "") -> None:
        self.stack_clock += timedelta(seconds=1)
        stack["events"].append(
            {
                "StackId": stack["StackId"],
                "EventId": f"{change['LogicalResourceId']}-{status}-{len(stack['events'])}",
                "StackName": stack["StackName"],
                "LogicalResourceId": change["LogicalResourceId"],
                "ResourceType": change["ResourceType"],
                "Timestamp": self.stack_clock,
                "ResourceStatus": status,
                **({"ResourceStatusReason": reason} if reason else {}),
            }
        )

    def _stack(self, name: str) -> dict[str, Any]:
        found = self.stacks.get(name)  # one that is gone is known by its ARN only
        if found is None:
            found = next((s for s in [*self.stacks.values(), *self.gone_stacks] if s["StackId"] == name), None)
        if found is None:
            raise FakeError("ValidationError", f"Stack with id {name} does not exist")
        return found

    def _change_set(self, given: dict[str, Any]) -> dict[str, Any]:
        found = self.change_sets.get((given["StackName"], given["ChangeSetName"]))
        if found is None:
            raise FakeError("ChangeSetNotFound", f"ChangeSet [{given['ChangeSetName']}] does not exist", 404)
        return found


def _changes(stack: dict[str, Any], given: dict[str, Any], text: str) -> list[dict[str, Any]]:
    """Return which resources a request changes: all of them where parameters, tags or anything but outputs differs."""
    old, new = template.resources(stack["TemplateBody"]), template.resources(text)
    before, after = ({p["ParameterKey"]: p["ParameterValue"] for p in d.get("Parameters", [])} for d in (stack, given))
    same = (
        before == after
        and stack["Tags"] == given.get("Tags", [])
        and _without_outputs(stack["TemplateBody"]) == _without_outputs(text)
    )
    kept = [] if same else [name for name in new if name in old]
    return [
        *(_change("Add", name, new[name]) for name in new if name not in old),
        *({**_change("Modify", name, new[name]), "Replacement": "False"} for name in kept),
        *(_change("Remove", name, old[name]) for name in old if name not in new),
    ]


def _without_outputs(text: str) -> str:
    return text.partition("\nOutputs:")[0].rstrip()


def _resources(text: str, action: str) -> list[dict[str, Any]]:
    return [_change(action, name, kind) for name, kind in template.resources(text).items()]


def _change(action: str, name: str, kind: str) -> dict[str, Any]:
    return {"Action": action, "LogicalResourceId": name, "ResourceType": kind}
