"""The pipeline as its users have it after a deployment: the real template, Lambda package and definition.

`deployed` makes the stack from `config/cloudformation/pipeline.yml` in ministack, uploads what the definition refers
to and creates the pipeline in SageMaker's stand-in. A `Pipeline` is then driven from outside: objects, events, mails.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emulators import ACCOUNT, REGION, ROOT, Server, client, waited
from recorder import Recorder

from pipelines import deployment
from pipelines.compile import Both, Compiled, choose, compile_both
from pipelines.lambda_package import lambda_package
from pipelines.settings import Settings, validate
from steps import contract

NAME = "flights"
SCORING = contract.pipeline_name(NAME, contract.PREDICT_MODE)
TEMPLATE = ROOT / "config" / "cloudformation" / "pipeline.yml"
DEPLOY_BUCKET = "flights-deploy-bucket"
TRAIN = "flight_id,origin,arr_delay\n1,EWR,3\n2,JFK,4\n"
PREDICT = "flight_id,origin\n3,EWR\n"
INBOX = "inbox"
"""The queue that receives mails in the place of people."""
CONFIG: dict[str, Any] = {
    "pipeline": {"name": NAME, "description": "Arrival delay of flights"},
    "data": {"label": "arr_delay", "id": "flight_id"},
    "models": [{"name": origin, "where": {"origin": origin}} for origin in ("EWR", "JFK")],
    "rest": "skip",
    "parameters": {"Season": "winter"},
    "gate": {"mae": 20},
}
IMAGES = {
    name: f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{NAME}-{name}@sha256:{digit * 64}"
    for name, digit in zip(deployment.IMAGES, "12", strict=True)
}


@dataclass(frozen=True)
class Pipeline:
    """A deployed pipeline: where it lies, what its stack gave, its definition, and the key of its Lambda package."""

    server: Server
    recorder: Recorder
    outputs: deployment.PipelineStack
    definition: str
    code: str

    def client(self, service: str) -> Any:
        return client(self.recorder.server if service == "sagemaker" else self.server, service)

    def put(self, key: str, body: str = "") -> None:
        """Upload a file to the raw bucket, as a user does."""
        self.client("s3").put_object(Bucket=self.outputs.RawBucketName, Key=key, Body=body.encode())

    def read(self, key: str) -> str:
        """Return an object of the artifact bucket below the pipeline's own prefix."""
        found = self.client("s3").get_object(Bucket=self.outputs.ArtifactBucketName, Key=f"{NAME}/{key}")
        return str(found["Body"].read().decode())

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix of the artifact bucket, without the pipeline's own."""
        pages = self.client("s3").get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=self.outputs.ArtifactBucketName, Prefix=f"{NAME}/{prefix}")
        return [o["Key"].removeprefix(f"{NAME}/") for page in found for o in page.get("Contents", [])]

    def listed(self, folder: str) -> list[contract.DataFile]:
        """Return the data files of a raw folder as S3 lists them, markers excluded."""
        found = self.client("s3").list_objects_v2(Bucket=self.outputs.RawBucketName, Prefix=folder)["Contents"]
        files = [contract.DataFile(o["Key"].removeprefix(folder), o["ETag"].strip('"'), o["Size"]) for o in found]
        return [file for file in files if not contract.is_marker(file.key)]

    def mail(self, part: str) -> dict[str, str]:
        """Wait for the mail whose subject or body has `part`, and return its Subject and Message."""
        return waited(lambda: self._receive(part), f"a mail with {part!r}")

    def _receive(self, part: str) -> dict[str, str] | None:
        mail = self.received(INBOX)
        return mail if mail and part in mail["Subject"] + mail["Message"] else None

    def received(self, queue: str) -> dict[str, Any] | None:
        """Take the next message from a queue, by the end of the queue's name; None if there is none."""
        sqs = self.client("sqs")
        url = next(url for url in sqs.list_queues()["QueueUrls"] if url.endswith(queue))
        for message in sqs.receive_message(QueueUrl=url).get("Messages", ()):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            found: dict[str, Any] = json.loads(message["Body"])
            return found
        return None

    def make_queue(self, name: str) -> str:
        """Make a queue; return its ARN."""
        queue = self.client("sqs")
        url = queue.create_queue(QueueName=name)["QueueUrl"]
        arn = str(queue.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"])
        senders = {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}
        statement = {"Effect": "Allow", "Principal": senders, "Action": "sqs:SendMessage", "Resource": arn}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        queue.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
        return arn


def deployed(server: Server, recorder: Recorder) -> Pipeline:
    """Deploy everything once, from an empty account."""
    code = upload_package(server)
    outputs = deployment.pipeline_outputs(make_stack(server, NAME, stack_parameters(code)))
    both = compiled_for(outputs)
    for name, compiled in {NAME: both.whole, SCORING: both.scoring}.items():
        upload_bundles(server, compiled)
        client(recorder.server, "sagemaker").create_pipeline(
            PipelineName=name,
            PipelineDefinition=compiled.text,
            RoleArn=outputs.PipelineRoleArn,
            ClientRequestToken="t" * 32,
        )
    pipeline = Pipeline(server, recorder, outputs, both.whole.text, code)
    inbox = pipeline.make_queue(INBOX)
    client(server, "sns").subscribe(TopicArn=outputs.TopicArn, Protocol="sqs", Endpoint=inbox)
    return pipeline


def upload_package(server: Server) -> str:
    """Upload the real Lambda package, and the template, too large for a request; return the package's key."""
    package, store = lambda_package(ROOT), client(server, "s3")
    store.create_bucket(Bucket=DEPLOY_BUCKET)
    store.put_object(Bucket=DEPLOY_BUCKET, Key=package.key, Body=package.content)
    store.put_object(Bucket=DEPLOY_BUCKET, Key=TEMPLATE.name, Body=TEMPLATE.read_bytes())
    return package.key


def stack_parameters(code: str) -> dict[str, str]:
    """Return the template's parameters for a pipeline that makes everything itself."""
    return {
        "PipelineName": NAME,
        "LowerName": NAME.lower(),
        "EnvironmentName": "test",
        "CodeBucket": DEPLOY_BUCKET,
        "CodeKey": code,
        "RetentionDays": "90",
        "LogRetentionDays": "30",
        "CommandFlags": "--env test",
    }


def make_stack(server: Server, pipeline: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """Make a pipeline's stack from the real template; return its outputs, or fail with the reason of every failure."""
    cloudformation = client(server, "cloudformation")
    stack = cloudformation.create_stack(
        StackName=deployment.pipeline_stack(pipeline),
        TemplateURL=f"{server.url}/{DEPLOY_BUCKET}/{TEMPLATE.name}",
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Tags=[{"Key": "pipeline", "Value": pipeline}, {"Key": "environment", "Value": "test"}],
    )["StackId"]
    found = waited(lambda: _settled(cloudformation, stack), "the stack")
    events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
    failed = [
        (e["LogicalResourceId"], e.get("ResourceStatusReason")) for e in events if "FAILED" in e["ResourceStatus"]
    ]
    assert (found["StackStatus"], failed) == ("CREATE_COMPLETE", [])
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


def remove_stack(server: Server, pipeline: str) -> None:
    """Remove a pipeline's stack, and wait until it is gone."""
    cloudformation = client(server, "cloudformation")
    stack = cloudformation.describe_stacks(StackName=deployment.pipeline_stack(pipeline))["Stacks"][0]["StackId"]
    cloudformation.delete_stack(StackName=stack)
    found = waited(lambda: _settled(cloudformation, stack), "the end of the stack")
    assert found["StackStatus"] == "DELETE_COMPLETE"


def _settled(cloudformation: Any, stack: str) -> dict[str, Any] | None:
    found: dict[str, Any] = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    return None if found["StackStatus"].endswith("IN_PROGRESS") else found


def compiled_for(outputs: deployment.PipelineStack) -> Both:
    """Return the real definitions for what the stack made."""
    settings = settings_for(outputs)
    return compile_both(settings, choose(settings, Path("pipeline.yml"), None, frozen=True))


def settings_for(outputs: deployment.PipelineStack) -> Settings:
    """Return the settings with the stack's outputs and the images filled in."""
    return deployment.deployed_settings(validate(CONFIG, "pipeline.yml"), outputs, IMAGES, ACCOUNT, REGION)


def upload_bundles(server: Server, compiled: Compiled) -> None:
    """Upload the code and the settings that the definition refers to."""
    store = client(server, "s3")
    for bundle in compiled.bundles:
        bucket, _, prefix = bundle.uri.removeprefix("s3://").partition("/")
        for name, content in bundle.files.items():
            store.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=content)


def upload(pipeline: Pipeline, folder: str) -> str:
    """Upload the data of a run; return the URI of its folder."""
    pipeline.put(f"{folder}/train.csv", TRAIN)
    pipeline.put(f"{folder}/more/train-2.csv", TRAIN)
    pipeline.put(f"{folder}/predict.csv", PREDICT)
    return f"s3://{pipeline.outputs.RawBucketName}/{folder}/"


def starts(pipeline: Pipeline, uri: str) -> list[dict[str, Any]]:
    """Return the requests to start an execution on a raw folder."""
    found = pipeline.recorder.of("StartPipelineExecution")
    return [request for request in found if parameters(request)[contract.RAW_DATA_URI] == uri]


def parameters(request: dict[str, Any]) -> dict[str, str]:
    return {item["Name"]: item["Value"] for item in request["PipelineParameters"]}


def first_start(pipeline: Pipeline, uri: str) -> dict[str, Any]:
    return waited(lambda: starts(pipeline, uri), f"a start on {uri}")[0]
