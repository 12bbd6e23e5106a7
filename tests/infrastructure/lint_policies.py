"""Runs parliament over every policy that our templates render to; part of `make check`, exit code 1 on any finding."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import parliament

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fakes"))
from rendered_template import BASIC, policies, variants

_RESOURCE_POLICY = (
    "CloudFormation makes these buckets with their policies and lifecycle; nobody but it may assume the role"
)
_NEW_NAMES = "CodeConnections has both names; a connection made since July 2024 has the new one in its ARN"
ACCEPTED = {
    ("stack", "RESOURCE_POLICY_PRIVILEGE_ESCALATION", "s3:PutBucketPolicy"): _RESOURCE_POLICY,
    ("stack", "RESOURCE_POLICY_PRIVILEGE_ESCALATION", "s3:PutLifecycleConfiguration"): _RESOURCE_POLICY,
    ("stack", "RESOURCE_MISMATCH", "logs:DescribeLogGroups"): "takes log groups since; parliament's data are older",
    ("codepipeline", "RESOURCE_MISMATCH", "codestar-connections:UseConnection"): _NEW_NAMES,
}
"""Findings that we live with: actor, issue and a word of the detail, each with its reason."""


def main() -> int:
    """Print every finding once; return 1 if one is not accepted, or an acceptance is not needed any more."""
    findings, count = {}, 0
    for template in BASIC:
        for rendered in variants(template).values():
            for name, document in policies(rendered):
                count += 1
                for found in parliament.analyze_policy_string(json.dumps(document)).findings:
                    text = f"{name}: {found.issue}: {found.detail}"
                    findings[text] = _reason(name, found.issue, str(found.detail))
    open_ones = sorted(text for text, reason in findings.items() if reason is None)
    idle = set(ACCEPTED) - set(findings.values())
    print("\n".join([*open_ones, *(f"no finding needs {key} any more" for key in sorted(idle))]), sep="\n")
    print(f"parliament: {count} policies, {len(open_ones)} findings, {len(findings) - len(open_ones)} accepted")
    return 1 if open_ones or idle else 0


def _reason(name: str, issue: str, detail: str) -> tuple[str, str, str] | None:
    """Return the key of the acceptance that covers a finding."""
    fitting = (k for k in ACCEPTED if name.endswith(f"-{k[0]}") and k[1] == issue and k[2] in detail)
    return next(fitting, None)


if __name__ == "__main__":
    sys.exit(main())
