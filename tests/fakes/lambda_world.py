"""A deployed pipeline of three models as its Lambda functions find it: definition, settings, data, executions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from fake_answers import NUMBER, REGION
from fake_aws import FakeAws

from lambda_trigger.aws import ports_from
from lambda_trigger.ports import Notifier, Ports
from steps import contract

PIPELINE = "flights"
SCORING = "flights-predict"
ARTIFACTS = f"flights-artifacts-{NUMBER}-{REGION}"
RAW = f"flights-raw-{NUMBER}-{REGION}"
PREFIX = f"s3://{ARTIFACTS}/{PIPELINE}"
TOPIC = f"arn:aws:sns:{REGION}:{NUMBER}:{PIPELINE}-mails"
NAMES = ("EWR", "JFK", "LGA")

ENVIRONMENT = {
    "AWS_REGION": REGION,
    "TOPIC_ARN": TOPIC,
    "COMMAND_FLAGS": "--env production",
    "PIPELINE_NAME": PIPELINE,
    "ARTIFACT_PREFIX": PREFIX,
    "RAW_BUCKET": RAW,
    "STUDIO_DOMAIN": "d-abc123",
}
VARIABLES = {
    "trigger": ("TOPIC_ARN", "PIPELINE_NAME", "ARTIFACT_PREFIX", "RAW_BUCKET"),
    "status": ("TOPIC_ARN", "COMMAND_FLAGS", "PIPELINE_NAME", "ARTIFACT_PREFIX", "STUDIO_DOMAIN"),
    "notify": ("TOPIC_ARN", "COMMAND_FLAGS", "PIPELINE_NAME", "STUDIO_DOMAIN"),
    "check": (),
    "judge": (),
    "decide": ("COMMAND_FLAGS",),
    "register": (),
}
"""The variables that each function reads, besides AWS_REGION, which Lambda sets; the template gives it these."""


def settings_slice(base: str = PREFIX, **changes: Any) -> dict[str, Any]:
    """Return the settings slice of the Lambda code with some keys changed (`models` by list of `names`)."""
    names = changes.pop("names", list(NAMES))
    slugs = contract.slugs(names, PIPELINE)
    thresholds, pooled, shards = (
        changes.pop(key, other) for key, other in (("thresholds", {}), ("pooled", ""), ("shards", {}))
    )
    return {
        "pipeline": PIPELINE,
        "models": [
            {
                "name": n,
                "slug": slugs[n],
                "shard": shards.get(n),
                "pooled": n == pooled,
                "threshold": thresholds.get(n),
            }
            for n in names
        ],
        "gate": {"mae": None, "max_baseline_ratio": 1.0, "min_holdout_rows": 5},
        "fallback": {"policy": "all", "on_missing_default": "fail"},
        "segment": "origin",
        "drift": {
            "unseen": {"warn": 0.01, "fail": None},
            "nulls": {"warn": 0.1, "fail": None},
            "psi": {"warn": 0.25, "fail": None},
            "ignore": [],
            "default": "warn",
        },
        "registry": {"keep": 2, "approval": "manual"},
        "timezone": "UTC",
        "language": "en",
        "bucket": base.removeprefix("s3://").partition("/")[0],
        "latest": f"{base}/predictions/latest.json",
        "data": {"train": ["train*"], "predict": ["predict*"]},
        "max_objects": 100,
        "concurrency": "parallel",
        "max_time_limit": 2360,
        **changes,
    }


def evaluation(mae: Any = 10.0, baseline: Any = 30.0, **changes: Any) -> dict[str, Any]:
    """Return an evaluation.json."""
    return {
        "status": "trained",
        "reason": None,
        "regression_metrics": {"mae": {"value": mae, "standard_deviation": None}},
        "baseline": {"name": "median predictor", "mae": baseline},
        "holdout_rows": 100,
        "artifact": {"sha256": "a" * 64, "size": 9, "file": "model.tar.gz"},
        "autogluon_version": "1.6.3",
        "python_version": "3.11.9",
        **changes,
    }


def definition(settings: str, slugs: Iterable[str] = NAMES) -> dict[str, Any]:
    """Return a definition with what the functions read of it: parameters, the settings' URI, segments of steps."""
    train = [_job(f"Train-{slug}", slug) for slug in slugs]
    return {
        "Version": "2020-12-01",
        "Parameters": [
            *({"Name": name, "Type": "String"} for name in ("RawDataUri", "TrainDataVersion", "PredictDataVersion")),
            {"Name": "MaeThreshold", "Type": "Float", "DefaultValue": 20.0},
            {
                "Name": "FallbackPolicy",
                "Type": "String",
                "DefaultValue": "all",
                "EnumValues": ["all", "per_model"],
            },
            {"Name": "TrainTimeLimitSeconds", "Type": "Integer", "DefaultValue": 600},
            {"Name": "Season", "Type": "String", "DefaultValue": "winter"},
            {"Name": "Holidays", "Type": "Boolean", "DefaultValue": True},
        ],
        "Steps": [
            _function("NotifyStarted", settings),
            *train,
            {
                "Name": "MaeGate",
                "Type": "Condition",
                "Arguments": {
                    "Conditions": [],
                    "IfSteps": [_job(f"Infer-{slug}", slug) for slug in slugs],
                    "ElseSteps": [_function("Decide", settings)],
                },
            },
        ],
    }


def scoring_definition(settings: str, slugs: Iterable[str] = NAMES) -> dict[str, Any]:
    """Return the definition of the pipeline that scores only, likewise."""
    whole = definition(settings, slugs)
    trained = ("TrainDataVersion", "MaeThreshold", "FallbackPolicy", "TrainTimeLimitSeconds")
    parameters = [parameter for parameter in whole["Parameters"] if parameter["Name"] not in trained]
    steps = [_function("NotifyStarted", settings), *(_job(f"Infer-{slug}", slug) for slug in slugs)]
    return {**whole, "Parameters": parameters, "Steps": steps}


def _function(name: str, settings: str) -> dict[str, Any]:
    folder, _, file = settings.rpartition("/")
    return {
        "Name": name,
        "Type": "Lambda",
        "Arguments": {
            "Execution": {"Get": "Execution.PipelineExecutionId"},
            "Settings": {"Std:Join": {"On": "/", "Values": [folder, file]}},
        },
    }


def _job(name: str, slug: str) -> dict[str, Any]:
    tags = [{"Key": "pipeline", "Value": PIPELINE}, {"Key": "segment", "Value": slug}]
    return {"Name": name, "Type": "Processing", "Arguments": {"Tags": tags}}


@dataclass(frozen=True)
class Invocation:
    """What a handler gets as its context: its ports, and Lambda's ID of the invocation."""

    ports: Ports
    aws_request_id: str


@dataclass
class LambdaWorld:
    """One account with the pipeline deployed and the time that its functions see."""

    aws: FakeAws = field(default_factory=FakeAws)
    clients: dict[str, Any] = field(default_factory=dict)
    notifier: Notifier | None = None
    invocations: int = 0
    ahead: timedelta = timedelta()
    while_waiting: list[Callable[[], object]] = field(default_factory=list)

    def deploy(self, **changes: Any) -> str:
        """Deploy the pipeline with these settings; return where its settings slice is."""
        text = json.dumps(settings_slice(**changes))
        uri = f"{PREFIX}/settings/lambda/{hashlib.sha256(text.encode()).hexdigest()}/settings.json"
        self.write(uri, text)
        slugs = [model["slug"] for model in json.loads(text)["models"]]
        self.aws.deploy_pipeline(PIPELINE, definition(uri, slugs))
        self.aws.deploy_pipeline(SCORING, scoring_definition(uri, slugs))
        return uri

    def clock(self) -> datetime:
        """Return the time of the service, or as far ahead of it as a test wants."""
        return self.aws.now + self.ahead

    def context(self, function: str = "trigger", invocation: str = "") -> Invocation:
        """Return the context of a function's next invocation, or of the same one again."""
        self.invocations += 1
        names = ("AWS_REGION", *VARIABLES[function])
        ports = ports_from({name: ENVIRONMENT[name] for name in names}, self.client)
        ports = replace(ports, clock=self.clock, notifier=self.notifier or ports.notifier, pause=self.wait)
        return Invocation(ports, invocation or f"invocation-{self.invocations}")

    def wait(self, seconds: float) -> None:
        """Let time pass: each wait is what a test has prepared for it."""
        if not self.while_waiting:
            raise AssertionError("it waits for something that never happens")
        self.ahead += timedelta(seconds=seconds)
        self.while_waiting.pop(0)()

    def client(self, service: str) -> Any:
        """Return a client of this account, made once."""
        if service not in self.clients:
            self.clients[service] = self.aws.client(service)
        return self.clients[service]

    def write(self, uri: str, value: Any) -> str:
        """Put an object: a text, or anything else as JSON."""
        text = value if isinstance(value, str) else json.dumps(value)
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.aws.objects[bucket, key] = text.encode()
        return uri

    def put(self, key: str, content: bytes = b"") -> dict[str, Any]:
        """Put an object into the raw bucket as users do; return EventBridge's event of it."""
        answer = self.aws._on_put_object({"Bucket": RAW, "Key": key, "Body": content})
        return self.event(key, answer["VersionId"], len(content))

    def event(self, key: str, version: str = "", size: int = 0) -> dict[str, Any]:
        """Return the event of an object, with the version where the bucket keeps versions."""
        kept = {"version-id": version} if version else {}
        return {
            "id": "any",
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": {
                "version": "0",
                "bucket": {"name": RAW},
                "object": {"key": key, "size": size, "etag": "e", "sequencer": "0061A0", **kept},
                "requester": NUMBER,
                "reason": "PutObject",
            },
        }

    def put_data(self, folder: str = "day/", train: bytes = b"a,b\n1,2\n", predict: bytes = b"a\n1\n") -> None:
        """Put one training and one prediction file into a raw folder."""
        self.put(f"{folder}train.csv", train)
        self.put(f"{folder}predict.csv", predict)

    @property
    def mails(self) -> list[dict[str, Any]]:
        """Return the messages that were published."""
        return self.aws.messages

    def read(self, uri: str) -> Any:
        """Return the JSON of an object."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return json.loads(self.aws.objects[bucket, key])

    def claims(self, kind: str) -> list[str]:
        """Return the URIs of the claims of a kind."""
        return [f"s3://{b}/{k}" for b, k in self.aws.objects if k.startswith(f"{PIPELINE}/claims/{kind}/")]

    def start(self, pipeline: str = PIPELINE, **parameters: str) -> str:
        """Start an execution as somebody else does; return its ARN."""
        trained = {"TrainDataVersion": "t"} if pipeline == PIPELINE else {}
        given = {"RawDataUri": "s3://x/", **trained, "PredictDataVersion": "p", **parameters}
        token = f"{len(self.aws.executions):032d}"
        listed = [{"Name": name, "Value": value} for name, value in given.items()]
        request = {"PipelineName": pipeline, "ClientRequestToken": token, "PipelineParameters": listed}
        return str(self.aws._on_start_pipeline_execution(request)["PipelineExecutionArn"])
