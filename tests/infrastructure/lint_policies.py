"""Checks every policy that our templates render to; part of `make check`, exit code 1 on any finding.

parliament looks for unknown actions, resources that do not fit an action, and ways to gain rights. Two checks of our
own use data that cfn-lint carries: which actions can be limited to a resource (none of those may have `*`), and which
permissions CloudFormation's handlers need for the types of our stack (the stack's role has exactly those).
"""

from __future__ import annotations

import fnmatch
import functools
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cfnlint
import parliament

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fakes"))
from rendered_template import BASIC, CONFIG, GIVEN, policies, render, resource_policies, variants

DATA = Path(cfnlint.__file__).parent / "data"
_BY_STACK = "CloudFormation makes these buckets with their policies and lifecycle; nobody but it may assume the role"
_NEW_NAMES = "CodeConnections has both names; a connection made since July 2024 has the new one in its ARN"
_FOR_LOGS = "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html has the same statement"
ACCEPTED = {
    ("stack", "RESOURCE_POLICY_PRIVILEGE_ESCALATION", "s3:PutBucketPolicy"): _BY_STACK,
    ("stack", "RESOURCE_POLICY_PRIVILEGE_ESCALATION", "s3:PutLifecycleConfiguration"): _BY_STACK,
    ("codepipeline", "RESOURCE_MISMATCH", "codestar-connections:UseConnection"): _NEW_NAMES,
    ("deploy", "RESOURCE_MISMATCH", "sns:Unsubscribe"): "can be limited to a topic since; parliament's data are older",
    ("Key", "RESOURCE_STAR", "kms:"): "in a key's own policy the star means this key",
    ("Key", "MISMATCHED_TYPE", "ArnLike"): _FOR_LOGS,
    ("Key", "UNKNOWN_CONDITION_FOR_ACTION", "kms:EncryptionContext:aws:logs:arn"): _FOR_LOGS,
}
"""Findings of parliament that we live with: actor, issue and a word of the detail, each with its reason."""

STARS = {
    "cloudwatch:PutMetricData": "metrics are no resource, only data sets are; the namespace is a condition instead",
}
"""Actions that are granted on `*` although the data name a resource for them, each with its reason."""

NOT_GRANTED = {
    r"(s3tables|s3files|elasticfilesystem|firehose|ec2):.*|s3:REST\.PUT\.OBJECT": "no resource of ours uses these",
    r"iam:Attach(Role|User|Group)Policy": "roles have inline policies; people attach the operator policy themselves",
    r"kms:(EnableKey|DisableKey|DisableKeyRotation|Encrypt)": "the key is made enabled and turning, and stays so; the "
    "functions' environment has Lambda's own key",
    r"lambda:((Put|Delete)FunctionCodeSigningConfig|GetCodeSigningConfig|GetLayerVersion|PublishVersion|PassCapacityProvider|"
    r"AssociateRuntimeAlias|Put(FunctionRecursion|FunctionScaling|RuntimeManagement)Config)": "properties "
    "that no function of ours has",
    r"logs:((Put|Delete)(Index|Resource)Policy|PutDataProtectionPolicy|PutBearerTokenAuthentication|CreateLogDelivery|"
    r"PutLogGroupDeletionProtection)": "properties that no log group of ours has",
    r"sns:(PutDataProtectionPolicy|Subscribe|Unsubscribe)": "addresses are subscribed by deploy, not by the stack",
}
"""Permissions of handlers that the stack's role lacks, as patterns, each with its reason."""

BUCKET_WRITES = {
    "BucketName": (),
    "BucketEncryption": ("s3:PutEncryptionConfiguration",),
    "VersioningConfiguration": ("s3:PutBucketVersioning",),
    "PublicAccessBlockConfiguration": ("s3:PutBucketPublicAccessBlock",),
    "OwnershipControls": ("s3:PutBucketOwnershipControls",),
    "NotificationConfiguration": ("s3:PutBucketNotification",),
    "LifecycleConfiguration": ("s3:PutLifecycleConfiguration",),
    "tags of the stack": ("s3:PutBucketTagging", "s3:TagResource", "s3:UntagResource"),
    "making and removing": ("s3:CreateBucket", "s3:DeleteBucket", "s3:ListBucket"),
}
"""What each property of a bucket needs: the bucket's handlers name every property's permissions in one list."""


UNTAGGED = {
    *("AWS::S3::BucketPolicy", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy", "AWS::IAM::ManagedPolicy"),
    *("AWS::Lambda::Permission", "AWS::Lambda::EventInvokeConfig"),
}
"""Types that take no tags; every other resource gets the cost-allocation tags that deploy gives to its stack."""


def main() -> int:
    """Print every finding once; return 1 if there is one that is not accepted."""
    problems = [*_parliament_findings(), *_stars(), *_stack_role(), *_untagged()]
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    sys.stdout.write(f"policies: {len(list(_documents()))} checked, {len(problems)} findings\n")
    return 1 if problems else 0


def _documents() -> Iterator[tuple[str, dict[str, Any]]]:
    for template in BASIC:
        for rendered in variants(template).values():
            yield from policies(rendered)
            yield from resource_policies(rendered)


def _parliament_findings() -> list[str]:
    found: dict[str, tuple[str, str, str] | None] = {}
    for name, document in _documents():
        for finding in parliament.analyze_policy_string(json.dumps(document)).findings:
            text = f"{name}: {finding.issue}: {finding.detail}"
            found[text] = _acceptance(name, finding.issue, str(finding.detail))
    idle = set(ACCEPTED) - set(found.values())
    return [
        *sorted(text for text, reason in found.items() if reason is None),
        *(f"no finding needs the acceptance {key} any more" for key in sorted(idle)),
    ]


def _acceptance(name: str, issue: str, detail: str) -> tuple[str, str, str] | None:
    """Return the key of the acceptance that covers a finding."""
    fitting = (k for k in ACCEPTED if f"-{name}".endswith(f"-{k[0]}") and k[1] == issue and k[2] in detail)
    return next(fitting, None)


def _stars() -> list[str]:
    """Return what is granted on everything although it could be granted on something."""
    granted = {
        (name, action)
        for name, document in _documents()
        for statement in document["Statement"]
        if "Principal" not in statement and "*" in _listed(statement["Resource"])
        for action in _expanded(_listed(statement["Action"]))
    }
    wrong = [f"{n}: {a} on *: it can be limited to a resource" for n, a in granted if _takes_resources(a)]
    unused = set(STARS) - {action for _, action in granted}
    return sorted(w for w in wrong if not any(a in w for a in STARS)) + [f"{a} is granted on * nowhere" for a in unused]


def _stack_role() -> list[str]:
    """Compare the stack's role with what the handlers of its types need, in both directions."""
    given = render(CONFIG / "cicd.yml", {**BASIC["cicd.yml"], **GIVEN["cicd.yml"]})
    made = render(CONFIG / "cicd.yml", BASIC["cicd.yml"])
    granted = {action for rendered in (given, made) for action in _granted(rendered, "-stack")}
    needed = _needed()
    needed |= {"s3:getobject": "code and template", "s3:getobjectversion": "code and template"}
    missing = {p: k for p, k in needed.items() if not any(fnmatch.fnmatchcase(p, g.lower()) for g in granted)}
    return [
        *(f"stack: {p} is not granted, {k} needs it" for p, k in sorted(missing.items()) if not _is_left_out(p)),
        *(f"stack: {g} is granted, no type needs it" for g in sorted(granted) if not fnmatch.filter(needed, g.lower())),
    ]


def _is_left_out(permission: str) -> bool:
    return any(re.fullmatch(pattern.lower(), permission) for pattern in NOT_GRANTED)


def _needed() -> dict[str, str]:
    """Return the permissions, in lower case, that the handlers of our types need, each with a type that needs it."""
    found: dict[str, str] = {}
    for template in ("made", "given"):
        for resource in variants("pipeline.yml")[template]["Resources"].values():
            kind = resource["Type"]
            operations = ("read",) if kind == "AWS::S3::Bucket" else ("create", "read", "update", "delete")
            handlers = _schemas()[kind].get("handlers", {})
            for operation in operations:
                found |= {p.lower(): kind for p in handlers.get(operation, {}).get("permissions", ())}
            if kind == "AWS::S3::Bucket":
                parts = [*resource["Properties"], "tags of the stack", "making and removing"]
                found |= {p.lower(): kind for part in parts for p in BUCKET_WRITES[part]}
    return found


def _untagged() -> list[str]:
    """Return the types that cost money and take no tags."""
    kinds = {r["Type"] for name in BASIC for shape in variants(name).values() for r in shape["Resources"].values()}
    found = {kind for kind in kinds if not _schemas()[kind].get("tagging", {}).get("taggable", True)}
    without = {kind for kind in kinds if "tagging" not in _schemas()[kind] and "Tags" not in str(_schemas()[kind])}
    return [f"{kind}: takes no tags" for kind in sorted((found | without) ^ UNTAGGED)]


@functools.cache
def _schemas() -> dict[str, Mapping[str, Any]]:
    schemas = (json.loads(path.read_text(encoding="utf-8")) for path in (DATA / "schemas/resources").glob("*.json"))
    return {schema["typeName"]: schema for schema in schemas}


def _granted(rendered: Mapping[str, Any], ending: str) -> Iterator[str]:
    for name, document in policies(rendered):
        if name.endswith(ending):
            yield from (action for statement in document["Statement"] for action in _listed(statement["Action"]))


@functools.cache
def _actions() -> dict[str, bool]:
    """Return every action there is, in lower case, with whether it can be limited to a resource."""
    services = json.loads((DATA / "AdditionalSpecs/Policies.json").read_text(encoding="utf-8"))
    return {
        f"{service}:{action}".lower(): bool(facts.get("Resources"))
        for service, known in services.items()
        for action, facts in known["Actions"].items()
    }


def _expanded(patterns: list[str]) -> Iterator[str]:
    for pattern in patterns:
        yield from fnmatch.filter(_actions(), pattern.lower()) if "*" in pattern else [pattern]


def _takes_resources(action: str) -> bool:
    return _actions()[action.lower()]


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


if __name__ == "__main__":
    sys.exit(main())
