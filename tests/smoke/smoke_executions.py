"""Checks that need executions of the deployed pipeline: three of them, read by several checks.

`first` is started by a marker, with a threshold that no model can hold, and goes through the fallback branch; where a
segment has no approved default it fails in Decide, is retried after an approval, and the approval is taken back.
`second` has the same parameters, so that everything cacheable is a hit. `third` runs one Infer step of that branch.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

from botocore.exceptions import ClientError
from smoke_findings import Finding, World, held, unknown

from lambda_trigger.markers import Marker
from pipelines.aws import executions
from pipelines.aws.executions import Start, StepState
from pipelines.catalog import Catalog, approve, list_versions, reject
from pipelines.errors import AwsError
from steps import contract

POLL = 30.0
LONGEST = 6 * 3600.0
EVENT = 600.0
"""Seconds within which an event must have reached the trigger."""
IMPOSSIBLE = "MaeThreshold: 1.0e-9\nFallbackPolicy: all\n"


def events_start(world: World) -> Finding:
    """Put a marker and wait for its execution."""
    key = put_marker(world, f"smoke-{world.token}.run", IMPOSSIBLE)
    claim = wait_claim(world, [key])
    if claim is None:
        return held(
            False, f"no claim within {EVENT:.0f} s after s3://{world.desk.stack.RawBucketName}/{key}; see the DLQs"
        )
    world.seen["first"] = claim[1].get("execution", "")
    return held(bool(world.seen["first"]), f"{key} came to {claim[1]}")


def literal_keys(world: World) -> Finding:
    """Put a marker with a blank and a letter beyond ASCII into an empty folder, and see which key is claimed."""
    name = f"smoke {world.token} ü.run"
    key = put_marker(world, name, "", folder=f"{folder_of(world)}smoke-{world.token}/")
    claim = wait_claim(world, [key, quote(key), key.replace(" ", "+")])
    if claim is None:
        return held(False, f"no claim within {EVENT:.0f} s for {key!r}")
    return held(claim[0] == key, f"the event's key is {claim[0]!r}")


def folder_of(world: World) -> str:
    """Return the key prefix of the raw folder."""
    return world.raw.removeprefix(f"s3://{world.desk.stack.RawBucketName}/")


def put_marker(world: World, name: str, body: str, folder: str | None = None) -> str:
    """Write a marker; return its key. Its version is kept for its claim."""
    key = f"{folder_of(world) if folder is None else folder}{name}"
    made = world.client("s3").put_object(Bucket=world.desk.stack.RawBucketName, Key=key, Body=body.encode())
    world.seen["version"] = made["VersionId"]
    world.seen.setdefault("markers", []).append(key)
    return key


def wait_claim(world: World, keys: Iterable[str]) -> tuple[str, dict[str, str]] | None:
    """Return the form of the key under which the trigger has claimed a marker, and what came of it."""
    bucket, keys = world.desk.stack.RawBucketName, list(keys)
    for _ in range(int(EVENT / POLL)):
        for key in keys:
            token = Marker(bucket, (key,), "", world.seen["version"], "").token(world.desk.pipeline, key)
            found = world.desk.read_json(f"{world.desk.prefix}/claims/start/{token}.json")
            if found and found["result"]:
                return key, found["result"]
        world.pause(POLL)
    return None


def finish(world: World, arn: str) -> tuple[str, dict[str, StepState]]:
    """Wait for the end of an execution; return its status and its steps by name."""
    until = int(LONGEST / POLL)
    for _ in range(until):
        found = executions.read_execution(world.desk.cloud, arn)
        if found is not None and found.is_over:
            return found.status, {step.name: step for step in executions.list_steps(world.desk.cloud, arn)}
        world.pause(POLL)
    raise AwsError(f"{arn}: has not ended within {LONGEST / 3600:.0f} hours")


def retry_after_lambda(world: World) -> Finding:
    """See the first execution fail in Decide, approve what it registered, retry it, and take the approvals back."""
    arn = world.seen.get("first")
    if not arn:
        return unknown("the marker started nothing")
    status, steps = finish(world, arn)
    failed = [name for name, step in steps.items() if step.status == "Failed"]
    world.seen["steps"] = steps
    if status == executions.SUCCEEDED:
        return unknown("every model has an approved default, so that no Lambda step failed")
    if not failed or not failed[0].startswith(contract.DECIDE):
        return held(False, f"the execution is {status} in {', '.join(failed) or 'no step'}, expected {contract.DECIDE}")
    catalog: Catalog = world.seen["catalog"]
    approved = [(row["model"], row["version"]) for row in _newest_unapproved(catalog)]
    for model, version in approved:
        approve(catalog, model, version)
    try:
        executions.retry_execution(world.desk.cloud, arn, f"{world.token:0>32}", world.desk.settings.parallelism)
        world.pause(POLL)
        status, world.seen["steps"] = finish(world, arn)
    finally:
        for model, version in approved:
            reject(catalog, model, version)
    return held(status == executions.SUCCEEDED, f"after the approval and --retry the execution is {status}")


def _newest_unapproved(catalog: Catalog) -> list[dict[str, object]]:
    """Return the newest version of each model of which none is approved."""
    rows, found = list_versions(catalog), {}
    served = {row["model"] for row in rows if row["status"] == "Approved"}
    for row in rows:
        if row["version"] is not None and row["model"] not in served:
            found.setdefault(row["model"], row)
    return list(found.values())


def fallback_images(world: World) -> Finding:
    """See that the Infer steps of the fallback branch ran in the image that a Lambda step returned."""
    return _succeeded(world, contract.INFER + contract.FALLBACK, "their image and model come from Decide's outputs")


def earlier_outputs(world: World) -> Finding:
    """See that the fallback's last step read outputs of steps before the condition."""
    return _succeeded(
        world, contract.POSTPROCESS + contract.FALLBACK, "it reads outputs of Judge and of the prepare steps"
    )


def integer_condition(world: World) -> Finding:
    """See that the condition was evaluated, with JsonGet numbers, a Float parameter and an Integer Lambda output."""
    return _succeeded(world, contract.GATE, "it compares JsonGet with a Float parameter and an Integer output with 0")


def _succeeded(world: World, prefix: str, why: str) -> Finding:
    steps: dict[str, StepState] = world.seen.get("steps", {})
    found = [step for name, step in steps.items() if name.startswith(prefix)]
    if not found:
        return unknown(f"no step {prefix} ran")
    bad = [f"{step.name} {step.status}: {step.reason[:200]}" for step in found if step.status != "Succeeded"]
    return held(not bad, "; ".join(bad) or f"{len(found)} step(s) {prefix}: {why}")


def cached_outputs(world: World) -> Finding:
    """Start the first execution's parameters again: training is a hit, and what follows still finds its outputs."""
    arn = world.seen.get("first")
    if not arn or "steps" not in world.seen:
        return unknown("there is no first execution")
    second = _start_again(world, arn, "second")
    _, steps = finish(world, second)
    hits = [name for name, step in steps.items() if step.cached]
    judge = steps.get(contract.JUDGE)
    right = any(name.startswith(contract.TRAIN) for name in hits) and judge is not None and judge.status == "Succeeded"
    return held(
        right, f"{len(hits)} steps were hits; Judge, which reads their outputs: {judge.status if judge else 'none'}"
    )


def selective_branch(world: World) -> Finding:
    """Run the Infer steps of the fallback branch again, from the first execution."""
    arn, steps = world.seen.get("first"), world.seen.get("steps", {})
    chosen = tuple(name for name in steps if name.startswith(contract.INFER + contract.FALLBACK))
    if not arn or not chosen:
        return unknown("the first execution ran no Infer step of the fallback branch")
    try:
        third = _start_again(world, arn, "third", chosen)
    except AwsError as error:
        return held(False, str(error))
    status, again = finish(world, third)
    return held(status == executions.SUCCEEDED, f"{len(again)} steps ran, the execution is {status}")


def _start_again(world: World, arn: str, name: str, selected: tuple[str, ...] = ()) -> str:
    found = executions.read_parameters(world.desk.cloud, arn)
    source = arn if selected else None
    start = Start(
        pipeline=world.desk.pipeline,
        parameters=found,
        token=f"{name}{world.token}".rjust(32, "0"),
        name=f"smoke-{name}-{world.token}",
        description="smoke test",
        parallelism=world.desk.settings.parallelism,
        source=source,
        selected=selected,
    )
    return executions.start_execution(world.desk.cloud, start)


def clean(world: World) -> None:
    """Remove the markers that the checks wrote; executions stay, they expire as any."""
    s3, bucket = world.client("s3"), world.desk.stack.RawBucketName
    for key in world.seen.get("markers", ()):
        try:
            s3.delete_object(Bucket=bucket, Key=key)
        except ClientError as error:
            world.say(f"s3://{bucket}/{key} is left: {error}")
