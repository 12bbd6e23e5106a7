"""The ports on AWS: S3 and SNS through boto3, with `aws_registry` and `aws_executions` for SageMaker.

No module but the `aws` ones knows boto3.

Clients are passed in, so that tests can stand in for the service; `ports_from` makes the real ones. Every
service error leaves as a PortError that says what was being done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from lambda_trigger.aws_errors import error_code, translated
from lambda_trigger.aws_executions import SageMakerExecutions
from lambda_trigger.aws_registry import SageMakerRegistry
from lambda_trigger.languages import language_of
from lambda_trigger.ports import (
    Deployment,
    NotifyError,
    Ports,
    StoreError,
    TaggedText,
)
from lambda_trigger.text import fit_body, fit_subject
from steps.contract import DataFile

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient

TOPIC_VARIABLE = "TOPIC_ARN"
"""Environment variable with the topic that mails go to."""
FLAGS_VARIABLE = "COMMAND_FLAGS"
"""Environment variable with the options that a command in a mail needs, such as `--env production`."""
PIPELINE_VARIABLE = "PIPELINE_NAME"
"""Environment variable with the pipeline's name."""
PREFIX_VARIABLE = "ARTIFACT_PREFIX"
"""Environment variable with `s3://<artifact bucket>/<pipeline>`."""
RAW_BUCKET_VARIABLE = "RAW_BUCKET"
"""Environment variable with the bucket whose `.run` objects start runs."""
STUDIO_VARIABLE = "STUDIO_DOMAIN"
"""Environment variable with the ID of the Studio domain in which people look at runs; may be empty."""
REGION_VARIABLE = "AWS_REGION"
"""Environment variable that Lambda itself sets."""
_WHOLE_COPY = TransferConfig(multipart_threshold=1024**3)
"""S3 copies up to 5 GB in one request; in parts only from 1 GB."""
_MISSING = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound"})
_CHANGED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


def ports_from(environment: Mapping[str, str], client: Callable[[str], Any] | None = None) -> Ports:
    """Return the ports of a Lambda function, from its environment; `client` makes a client by boto3's name."""
    client = client or _client
    sagemaker = client("sagemaker")
    return Ports(
        objects=S3Objects(client("s3")),
        registry=SageMakerRegistry(sagemaker),
        notifier=SnsNotifier(client("sns"), environment.get(TOPIC_VARIABLE, "")),
        clock=lambda: datetime.now(UTC),
        flags=environment.get(FLAGS_VARIABLE, ""),
        service=SageMakerExecutions(sagemaker),
        deployment=Deployment(
            pipeline=environment.get(PIPELINE_VARIABLE, ""),
            prefix=environment.get(PREFIX_VARIABLE, ""),
            raw_bucket=environment.get(RAW_BUCKET_VARIABLE, ""),
            region=environment.get(REGION_VARIABLE, ""),
            studio_domain=environment.get(STUDIO_VARIABLE, ""),
        ),
    )


def _client(service: str) -> Any:
    make: Any = boto3.client  # typed per service only; here the service is a value
    patient = service == "s3"  # a copy inside S3 may take long; an API that does not answer at once hangs
    return make(
        service,
        config=Config(
            connect_timeout=5,
            read_timeout=60 if patient else 10,
            retries={"mode": "adaptive", "total_max_attempts": 8 if patient else 4},
        ),
    )


@dataclass(frozen=True)
class S3Objects:
    """ObjectStore over S3."""

    client: S3Client

    def read_text(self, uri: str) -> str:
        """Return an object's text."""
        found = self.read_tagged(uri)
        if found is None:
            raise StoreError(f"{uri}: no such object")
        return found.text

    def read_tagged(self, uri: str) -> TaggedText | None:
        """Return an object's text and etag, or None."""
        bucket, key = split_uri(uri)
        with translated(StoreError, f"{uri}: cannot be read"):
            try:
                found = self.client.get_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return None
                raise
            return TaggedText(found["Body"].read().decode("utf-8"), found["ETag"])

    def write_text(self, uri: str, text: str) -> None:
        """Write an object as a whole."""
        bucket, key = split_uri(uri)
        with translated(StoreError, f"{uri}: cannot be written"):
            self.client.put_object(Bucket=bucket, Key=key, Body=text.encode())

    def replace(self, uri: str, text: str, etag: str | None) -> bool:
        """Write an object by conditional put
        (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
        """
        bucket, key = split_uri(uri)
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if etag is None else {"IfMatch": etag}
        with translated(StoreError, f"{uri}: cannot be written"):
            try:
                self.client.put_object(Bucket=bucket, Key=key, Body=text.encode(), **condition)
            except ClientError as error:
                if error_code(error) in _CHANGED or (etag is not None and error_code(error) in _MISSING):
                    return False
                raise
            return True

    def read_start(self, uri: str, count: int, version: str = "") -> bytes | None:
        """Return the first bytes of an object, or None; the rest is never sent for."""
        bucket, key = split_uri(uri)
        chosen: dict[str, Any] = {"VersionId": version} if version else {}
        with translated(StoreError, f"{uri}: cannot be read"):
            try:
                body = self.client.get_object(Bucket=bucket, Key=key, **chosen)["Body"]
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return None
                raise
            try:
                return body.read(count)
            finally:
                body.close()

    def files(self, prefix: str) -> Iterator[DataFile]:
        """Yield the objects below a prefix, page by page; etags without the quotes that S3 puts around them."""
        bucket, _, folder = prefix.removeprefix("s3://").partition("/")
        with translated(StoreError, f"{prefix}: cannot be listed"):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
            for page in pages:
                for found in page.get("Contents", []):
                    if not found["Key"].endswith("/"):
                        yield DataFile(found["Key"].removeprefix(folder), found["ETag"].strip('"'), found["Size"])

    def exists(self, uri: str) -> bool:
        """Tell whether there is such an object."""
        bucket, key = split_uri(uri)
        with translated(StoreError, f"{uri}: cannot be looked up"):
            try:
                self.client.head_object(Bucket=bucket, Key=key)
            except ClientError as error:
                if error_code(error) in _MISSING:
                    return False
                raise
            return True

    def copy(self, source: str, target: str) -> None:
        """Copy an object inside S3."""
        from_bucket, from_key = split_uri(source)
        bucket, key = split_uri(target)
        with translated(StoreError, f"{source}: cannot be copied to {target}"):
            self.client.copy({"Bucket": from_bucket, "Key": from_key}, bucket, key, Config=_WHOLE_COPY)

    def delete(self, uri: str) -> None:
        """Delete an object; S3 does not mind that there is none."""
        bucket, key = split_uri(uri)
        with translated(StoreError, f"{uri}: cannot be deleted"):
            self.client.delete_object(Bucket=bucket, Key=key)

    def upload(self, source: Path, uri: str) -> None:
        """Write a file's bytes to an object."""
        bucket, key = split_uri(uri)
        with translated(StoreError, f"{uri}: cannot be written"):
            self.client.upload_file(str(source), bucket, key)

    def download(self, uri: str, target: Path) -> None:
        """Write an object's bytes to a file."""
        bucket, key = split_uri(uri)
        with translated(StoreError, f"{uri}: cannot be read"):
            self.client.download_file(bucket, key, str(target))

    def locate(self, uri: str) -> str:
        """Return the URI itself."""
        return uri


@dataclass(frozen=True)
class SnsNotifier:
    """Notifier over an SNS topic."""

    client: SNSClient
    topic: str

    def publish(self, subject: str, body: str, context: Mapping[str, str]) -> None:
        """Publish a message, its subject and body cut to the limits of SNS."""
        doing = f"message {context.get('kind', '')!r} cannot be published"
        if not self.topic:
            raise NotifyError(f"{doing}: {TOPIC_VARIABLE} is not set")
        with translated(NotifyError, doing):
            message = fit_body(body, language_of(context.get("language", "")))
            self.client.publish(TopicArn=self.topic, Subject=fit_subject(subject), Message=message)


def split_uri(uri: str) -> tuple[str, str]:
    """Return bucket and key of an `s3://` URI."""
    bucket, slash, key = uri.removeprefix("s3://").partition("/")
    if not uri.startswith("s3://") or not (bucket and slash and key):
        raise StoreError(f"{uri!r} is no object's URI; expected s3://BUCKET/KEY")
    return bucket, key
