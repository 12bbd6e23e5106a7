"""A deployment's plan as people read it, and as JSON. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pipelines import template, textgrid
from pipelines.compile import Both, Compiled
from pipelines.definition_diff import step_names
from pipelines.deploy_plan import DefinitionPlan, ImagePlan, PipelinePlan, Plan, StackPlan, wanted_groups
from pipelines.release import Release

NOTHING = "nothing to change"


def plan_lines(plan: Plan, verbose: bool) -> list[str]:
    """Return what a deployment would do; `verbose` adds the definition's unified diff."""
    head = f"account {plan.account}, {plan.region}, environment {plan.environment}"
    return [
        head,
        *stack_lines(plan.stack),
        *_section("Lambda code", [f"{plan.package} ({'to upload' if plan.package_new else 'there'})"]),
        *_section("images", [_image_line(image) for image in plan.images]),
        *_pipeline_lines(plan.pipeline, verbose),
        f"raw files: s3://{plan.pipeline.raw_bucket}/FOLDER/, where an object that ends in .run starts an execution",
        *(f"warning: {warning}" for warning in plan.warnings),
    ]


def stack_lines(plan: StackPlan) -> list[str]:
    """Return what would happen to a stack."""
    name = f"stack {plan.request.name}"
    if plan.same:
        return [f"{name}: {NOTHING}"]
    if not plan.new:
        rows = [(c.action, c.resource, c.kind, _replacement(c.replacement)) for c in plan.changes]
        what = f"{len(rows)} changes" if rows else "outputs or tags alone change"
        return _section(f"{name}: {what}", [*_parameter_lines(plan), *textgrid.lines(rows)])
    made = template.resources(plan.request.template)
    return _section(f"{name}: new, up to {len(made)} resources", textgrid.lines(list(made.items())))


def _replacement(word: str) -> str:
    return {"True": "is replaced", "Conditional": "may be replaced"}.get(word, "")


def _parameter_lines(plan: StackPlan) -> list[str]:
    old = plan.stack.parameters if plan.stack else {}
    pairs = ((key, old.get(key, ""), value) for key, value in plan.request.parameters.items())
    return [
        f"parameter {key}: {before or 'none'} -> {after or 'none'}" for key, before, after in pairs if before != after
    ]


def _image_line(image: ImagePlan) -> str:
    return f"{image.image}:{image.tag}  {f'there, {image.digest}' if image.digest else 'to build'}"


def _pipeline_lines(plan: PipelinePlan, verbose: bool) -> list[str]:
    uploads = f"{len(plan.uploads)} new files" if plan.uploads else "no new file"
    lines = [f"bundles: {plan.bundles} of code and settings, {uploads}"]
    lines += [line for each in plan.definitions for line in _definition_lines(each)]
    lines += _section("mails", [*(f"+ {a}" for a in plan.subscribe), *(f"- {s.address}" for s in plan.unsubscribe)])
    lines += _section("model package groups", [f"+ {name}" for name in plan.groups])
    lines += _section("image tags", [f"{'+' if m.digest else '-'} {m.repository}:{m.tag}" for m in plan.marks])
    unified = [line for each in plan.definitions for line in each.difference.unified.splitlines()]
    return lines + (unified if verbose else [])


def _definition_lines(plan: DefinitionPlan) -> list[str]:
    words = {"create": "new", "update": "changed"}.get(plan.action, NOTHING)
    changes = [*plan.fields, *plan.difference.lines(), *(f"tag {key}: {value}" for key, value in plan.tags.items())]
    return _section(f"pipeline {plan.request.name}: {words}, definition sha256 {plan.sha256}", changes)


def _section(title: str, lines: Iterable[str]) -> list[str]:
    """Return a title with its lines below, or nothing where a list without title text is empty."""
    found = [f"  {line}" for line in lines]
    return [title, *found] if found or ":" in title else []


def plan_document(plan: Plan) -> dict[str, Any]:
    """Return the plan for machines."""
    pipeline = plan.pipeline
    return {
        "account": plan.account,
        "region": plan.region,
        "environment": plan.environment,
        "empty": plan.empty,
        "raw_bucket": plan.pipeline.raw_bucket,
        "stack": stack_document(plan.stack),
        "package": {"key": plan.package, "new": plan.package_new},
        "images": {i.image: {"tag": i.tag, "digest": i.digest} for i in plan.images},
        "pipeline": _definition_document(pipeline),
        "scoring": _definition_document(pipeline.scoring),
        "uploads": sorted(pipeline.uploads),
        "groups": sorted(pipeline.groups),
        "subscribe": list(pipeline.subscribe),
        "unsubscribe": [s.address for s in pipeline.unsubscribe],
        "warnings": list(plan.warnings),
    }


def _definition_document(plan: DefinitionPlan) -> dict[str, Any]:
    return {
        "name": plan.request.name,
        "action": plan.action,
        "sha256": plan.sha256,
        "added": list(plan.difference.added),
        "removed": list(plan.difference.removed),
        "changed": {step: list(aspects) for step, aspects in plan.difference.changed.items()},
        "parameters": list(plan.difference.parameters),
        "fields": list(plan.fields),
        "tags": dict(plan.tags),
    }


def stack_document(plan: StackPlan) -> dict[str, Any]:
    """Return a stack's plan for machines."""
    changes = [
        {"action": c.action, "resource": c.resource, "type": c.kind, "replacement": c.replacement} for c in plan.changes
    ]
    new = template.resources(plan.request.template) if plan.new else {}
    action = "none" if plan.same else "create" if plan.new else "update"
    return {"name": plan.request.name, "action": action, "changes": changes, "resources": new}


def offline_document(release: Release, compiled: Both) -> dict[str, Any]:
    """Return what a release would deploy, without having looked at any account."""
    bundles = {bundle.uri for each in compiled.all for bundle in each.bundles}
    return {
        "pipeline": release.name,
        "environment": release.tags["environment"],
        "stacks": {
            f"{release.name}-cicd": template.resources(release.cicd_template),
            f"{release.name}-pipeline": template.resources(release.pipeline_template),
        },
        "images": dict(release.image_tags),
        "package": {"key": release.package.key, "bytes": len(release.package.content)},
        "bundles": sorted(uri.partition(f"/{release.name}/")[2] for uri in bundles),
        "definition": _offline_definition(compiled.whole),
        "scoring": _offline_definition(compiled.scoring),
        "groups": sorted(wanted_groups(release)),
        "emails": list(release.settings.notifications.emails),
        "warnings": [*release.warnings, *compiled.whole.warnings],
    }


def _offline_definition(compiled: Compiled) -> dict[str, Any]:
    steps = list(step_names(json.loads(compiled.text)))
    return {"sha256": compiled.sha256, "characters": len(compiled.sent), "steps": steps}


def offline_lines(found: Mapping[str, Any]) -> list[str]:
    """Return an offline plan for people."""
    lines = [f"pipeline {found['pipeline']}, environment {found['environment']}; no account was looked at"]
    for name, resources in found["stacks"].items():
        kinds = Counter(resources.values())
        lines += _section(
            f"stack {name}: up to {len(resources)} resources", [f"{n} {kind}" for kind, n in sorted(kinds.items())]
        )
    lines += _section("images", [f"{image}:{tag}" for image, tag in found["images"].items()])
    lines += _section("Lambda code", [f"{found['package']['key']} ({found['package']['bytes']} bytes)"])
    lines += _section("bundles", found["bundles"])
    for key in ("definition", "scoring"):
        definition = found[key]
        title = f"{key}: sha256 {definition['sha256']} (with placeholders), {definition['characters']} characters"
        lines += _section(f"{title}, {len(definition['steps'])} steps", definition["steps"])
    lines += _section("model package groups", found["groups"])
    lines += _section("mails", found["emails"])
    return [*lines, *(f"warning: {warning}" for warning in found["warnings"])]
