"""Every request that the Lambda functions make, by function: what their roles have to allow, and nothing else.

Each handler runs through all its paths against the stand-in for AWS, with the environment that the template gives it.
Names of buckets, pipeline and topic are those of `lambda_world`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from fake_aws import Request
from lambda_world import NAMES, PIPELINE, PREFIX, SCORING, LambdaWorld, evaluation

from lambda_trigger import check, decide, judge, notify, register, status, trigger
from lambda_trigger.ports import ModelGroup, NewPackage, PortError
from steps import contract

EXECUTION = "000000000001"
RUN = f"{PREFIX}/executions/{EXECUTION}"


def lambda_calls() -> dict[str, list[Request]]:
    """Return the requests of every function, by its name."""
    exercises = {
        "trigger": _exercise_trigger,
        "status": _exercise_status,
        "notify": _exercise_notify,
        "check": _exercise_check,
        "judge": _exercise_judge,
        "decide": _exercise_decide,
        "register": _exercise_register,
    }
    return {name: _recorded(exercise) for name, exercise in exercises.items()}


def _recorded(exercise: Callable[[LambdaWorld], None]) -> list[Request]:
    world = LambdaWorld()
    exercise(world)
    return world.aws.requests


def _exercise_trigger(world: LambdaWorld) -> None:
    """Start; again the same; equal files elsewhere; a crash taken up again; a refusal, of a running execution too."""
    world.deploy(concurrency="refuse")
    for folder in ("day/", "copy/"):
        world.put_data(folder)
    events = [world.put("day/go.run"), world.put("copy/go.run"), world.put("day/bad.run", b"Saeson: x")]
    with contextlib.suppress(PortError):
        world.aws.broken = {"StartPipelineExecution"}
        trigger.handler(events[0], world.context("trigger"))
    world.aws.broken = set()
    for event in [events[0], *events, world.event("day/b%20c.run")]:
        trigger.handler(event, world.context("trigger"))
    world.aws.end_execution(world.aws.executions[0]["PipelineExecutionArn"])
    trigger.handler(world.put("copy/again.run"), world.context("trigger"))
    trigger.handler(world.put("copy/score.run", b"mode: predict"), world.context("trigger"))


def _exercise_status(world: LambdaWorld) -> None:
    """Mail a failed execution with a failed job and a failed function, twice, and once after a crash."""
    world.deploy()
    arn = world.start()
    world.aws.add_job(arn, "Train-EWR", ExitMessage="too few rows")
    world.aws.add_step(
        arn, "Decide", "Failed", FailureReason="x", Metadata={"Lambda": {"Arn": "arn:aws:lambda:r:1:function:f"}}
    )
    world.aws.end_execution(arn, "Failed")
    event = world.aws.status_event(arn)
    with contextlib.suppress(PortError):
        world.aws.broken = {"Publish"}
        status.handler(event, world.context("status", "one"))
    world.aws.broken = set()
    for _ in range(2):
        status.handler(event, world.context("status", "one"))
    scoring = world.start(SCORING)
    world.aws.end_execution(scoring, "Failed")
    status.handler(world.aws.status_event(scoring), world.context("status", "two"))


def _exercise_notify(world: LambdaWorld) -> None:
    """Send every kind of mail; publish the latest predictions, over none and over an earlier run's."""
    uri = world.deploy()
    world.start(TrainDataVersion="t", PredictDataVersion="p")
    for version in ("t", "p"):
        manifest = contract.manifests("s3://raw/", [contract.DataFile("train.csv", "e", 8)])[contract.MANIFEST_FILE]
        world.write(f"{PREFIX}/manifests/{version}/{contract.MANIFEST_FILE}", manifest)
    world.write(f"{RUN}/judge/verdicts.json", _verdicts(world))
    world.write(f"{RUN}/check/contract.json", {"notes": [], "models": {}})
    world.write(f"{RUN}/predictions/summary.json", {"status": "Succeeded", "rows": 1, "predict_rows": 1, "models": {}})
    world.aws.requests.clear()
    event = {"Execution": EXECUTION, "Settings": uri, "TrainDataVersion": "t", "PredictDataVersion": "p"}
    for kind in (contract.STARTED, contract.TRAINED_MAIL, contract.FINISHED, contract.FINISHED):
        more = {"Kind": kind, "Verdicts": f"{RUN}/judge/verdicts.json", "Predictions": f"{RUN}/predictions"}
        more["Contract"] = f"{RUN}/check/contract.json"
        assert notify.handler({**event, **more}, world.context("notify")) == {"Sent": "true"}


def _verdicts(world: LambdaWorld) -> Any:
    event = _train(world, {name: 10.0 for name in NAMES})
    judge.handler({**event, "Threshold": 20.0, "Output": f"{RUN}/judge"}, world.context("judge"))
    return world.read(f"{RUN}/judge/verdicts.json")


def _train(world: LambdaWorld, maes: dict[str, float], run: str = RUN, **settings: Any) -> dict[str, Any]:
    """Put the outputs of the trainings where the steps would have; return an event that names them."""
    event: dict[str, Any] = {"Execution": run.rpartition("/")[2], "Settings": world.deploy(**settings)}
    for slug, mae in maes.items():
        digest = f"{slug}{run[-1]}".lower().encode().hex().ljust(64, "0")
        found = evaluation(mae=mae, artifact={"sha256": digest, "size": 9, "file": "model.tar.gz"})
        world.write(f"{run}/train/{slug}/evaluation/{slug}/evaluation.json", found)
        world.write(f"{run}/train/{slug}/evaluation/{slug}/schema.json", {"columns": []})
        world.write(f"{run}/train/{slug}/model/{slug}/model.tar.gz", f"artifact {digest}")
        world.write(f"{run}/prepare-prediction/predict/{slug}/status.json", {"rows": 5})
        event[contract.evaluation_key(slug)] = f"{run}/train/{slug}/evaluation"
        event[contract.model_key(slug)] = f"{run}/train/{slug}/model"
    return event


def _exercise_check(world: LambdaWorld) -> None:
    """Compare what was prepared with defaults of which one has its schema beside it."""
    event: dict[str, Any] = {"Execution": EXECUTION, "Settings": world.deploy(), "Output": f"{RUN}/check"}
    outputs = {"Train": f"{RUN}/prepare-training/train", "Predict": f"{RUN}/prepare-prediction/predict"}
    column = {"kind": "number", "null_rate": 0.0, "points": [1.0, 2.0]}
    world.write(f"{outputs['Train']}/data.json", {"columns": {"x": "number"}})
    for name in NAMES:
        for uri in outputs.values():
            world.write(f"{uri}/{name}/status.json", {"status": "prepared", "rows": 5})
            world.write(f"{uri}/{name}/profile.json", {"rows": 5, "columns": {"x": column}})
        _approve(world, name)
    world.write(f"{PREFIX}/registry/EWR/ab/schema.json", {"columns": [{"name": "x", "kind": "number"}]})
    world.aws.requests.clear()
    check.handler({**event, **outputs}, world.context("check"))


def _approve(world: LambdaWorld, name: str) -> None:
    registry = world.context("decide").ports.registry
    group = ModelGroup(f"{PIPELINE}-{name}", PIPELINE, name)
    registry.ensure_group(group)
    artifact = f"{PREFIX}/registry/{name}/ab/model.tar.gz"
    registry.register(NewPackage(group.name, "Approved", artifact, "image:1", name * 12, {"sha256": "ab"}))


def _exercise_judge(world: LambdaWorld) -> None:
    _verdicts(world)


def _exercise_decide(world: LambdaWorld) -> None:
    """Choose with all defaults there, then with one missing."""
    world.write(f"{RUN}/judge/verdicts.json", _judged(world, 50.0))
    event = _train(world, {name: 50.0 for name in NAMES}, fallback={"policy": "all", "on_missing_default": "fail"})
    for name in NAMES:
        _approve(world, name)
    world.aws.requests.clear()
    more = {"Verdicts": f"{RUN}/judge/verdicts.json", "Predict": f"{RUN}/prepare-prediction/predict", "First": 0}
    request = {**event, **more, "Policy": "all", "Image": "image:2", "Output": f"{RUN}/decide"}
    decide.handler(request, world.context("decide"))
    for name in NAMES:
        kept = f"{PREFIX}/registry/{name}/ab"
        world.write(f"{kept}/schema.json", {"columns": [{"name": "x", "kind": "number"}]})
        world.write(f"{kept}/evaluation.json", evaluation())
    defaults = {"Kind": contract.DEFAULTS, "Output": f"{RUN}/defaults"}
    decide.handler({**event, **defaults}, world.context("decide"))
    world.aws.packages.pop()
    with contextlib.suppress(decide.MissingDefaultError):
        decide.handler(request, world.context("decide"))


def _judged(world: LambdaWorld, mae: float, run: str = RUN, **settings: Any) -> Any:
    event = _train(world, {name: mae for name in NAMES}, run, **settings)
    judge.handler({**event, "Threshold": 20.0, "Output": f"{run}/judge"}, world.context("judge"))
    return world.read(f"{run}/judge/verdicts.json")


def _exercise_register(world: LambdaWorld) -> None:
    """Register three executions of which one version is kept; then approve what is registered by verdict."""
    world.aws.requests.clear()
    for number in range(1, 4):
        run = f"{PREFIX}/executions/{number:012d}"
        _register(world, run, registry={"keep": 1, "approval": "manual"})
    _register(world, run, registry={"keep": 1, "approval": "auto"})


def _register(world: LambdaWorld, run: str, **settings: Any) -> None:
    kept = list(world.aws.requests)
    world.write(f"{run}/judge/verdicts.json", _judged(world, 10.0, run, **settings))
    event = _train(world, {name: 10.0 for name in NAMES}, run, **settings)
    more = {"Verdicts": f"{run}/judge/verdicts.json", "Registry": f"{PREFIX}/registry", "Image": "image:1"}
    world.aws.requests[:] = kept
    register.handler({**event, **more, "TrainDataVersion": "t"}, world.context("register"))
