"""docs/roles.md lists every statement of every role as the templates have it, each with why and a source.

This is the review of the roles in whose name a service acts (jobs, pipeline, CloudFormation, CodeBuild, CodePipeline),
whose requests nobody can record without an account; for the other roles it is documentation that cannot go stale.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rendered_template import ACCOUNT, BASIC, REGION, policies, variants

PAGE = Path(__file__).resolve().parents[2] / "docs" / "roles.md"
RECORDED = frozenset({"trigger", "status", "notify", "check", "judge", "decide", "register", "operator", "deploy"})
"""Actors whose requests `test_roles` compares with their policies."""
NAMES = {
    f"flights-raw-{ACCOUNT}-{REGION}": "RAW",
    f"flights-artifacts-{ACCOUNT}-{REGION}": "ARTIFACTS",
    f"flights-deploy-{ACCOUNT}-{REGION}": "DEPLOY",
    "our-raw": "RAW",
    "our-artifacts": "ARTIFACTS",
    "12345678-1234-1234-1234-123456789012": "OWN",
    "key/ours": "key/GIVEN",
    "our-": "GIVEN-",
    "Flights": "PIPELINE",
    "flights": "PIPELINE",
}
"""What the page calls what a template was rendered with."""
Cells = tuple[str, str, str]
"""Actions, resources and conditions of a statement, as the page shows them."""


def wanted() -> dict[tuple[str, str], Cells]:
    """Return each statement by actor and Sid, over everything that can be made or given."""
    actions: dict[tuple[str, str], set[str]] = {}
    resources: dict[tuple[str, str], set[str]] = {}
    conditions: dict[tuple[str, str], set[str]] = {}
    for template in BASIC:
        for rendered in variants(template).values():
            for role, document in policies(rendered):
                for statement in document["Statement"]:
                    key = (role.partition("-")[2], statement["Sid"])
                    actions.setdefault(key, set()).update(listed(statement["Action"]))
                    resources.setdefault(key, set()).update(map(shown, listed(statement["Resource"])))
                    conditions.setdefault(key, set()).update(asked(statement.get("Condition", {})))
    return {key: (cell(actions[key]), cell(resources[key]), cell(conditions[key])) for key in actions}


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def shown(text: str) -> str:
    """Return an ARN in short: its service, and what it names."""
    for name, word in NAMES.items():
        text = text.replace(name, word)
    found = re.fullmatch(r"arn:aws:([a-z0-9]+):[^:]*:[^:]*:(.*)", text)
    return f"{found[1]} {found[2]}" if found else text


def asked(conditions: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for test, keys in conditions.items():
        yield from (f"{test} {key} {shown(str(value))}" for key, value in keys.items())


def cell(values: set[str]) -> str:
    return "<br>".join(f"`{value}`" for value in sorted(values))


def page() -> dict[tuple[str, str], tuple[Cells, str, str]]:
    """Return the page's rows: cells, why and source by actor and Sid."""
    found, actor = {}, ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if title := re.match(r"## ([a-z]+)", line):
            actor = title[1]
        parts = [part.strip() for part in line.strip().strip("|").split("|")]
        if len(parts) == 6 and parts[0] not in ("statement", "---"):
            sid, actions, resources, conditions, why, source = parts
            found[actor, sid] = ((actions, resources, conditions), why, source)
    return found


def test_the_page_lists_every_statement_as_it_is() -> None:
    written = {key: cells for key, (cells, _, _) in page().items()}

    assert written == wanted()


def test_every_statement_has_a_reason_and_a_source() -> None:
    bare = [key for key, (_, why, _) in page().items() if len(why) < 10]
    sources = {key: source for key, (_, _, source) in page().items() if key[0] not in RECORDED}

    assert bare == []
    assert [
        key for key, source in sources.items() if not re.search(r"\]\(https://docs\.aws\.amazon\.com/\S+\)", source)
    ] == []


def test_a_role_is_passed_to_one_service_only_and_by_name() -> None:
    passing = {key: cells for key, cells in wanted().items() if "iam:PassRole" in cells[0]}

    assert {key[0] for key in passing} == {"pipeline", "deploy", "stack"}
    for key, (actions, resources, conditions) in passing.items():
        assert actions == "`iam:PassRole`", key
        assert "*" not in resources, key
        assert re.fullmatch(r"`StringEquals iam:PassedToService [a-z]+\.amazonaws\.com`", conditions), key


def test_no_action_is_granted_by_a_pattern_that_could_change_anything() -> None:
    """Patterns grant reading only: what a service adds to them later cannot do harm."""
    patterns = {a for cells in wanted().values() for a in re.findall(r"`([^`]+)`", cells[0]) if "*" in a}

    assert patterns == {"s3:GetBucket*", "lambda:GetFunction*"}
