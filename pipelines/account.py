"""Where a pipeline lives on AWS: role, bucket, region and images, with fixed placeholders for what is not set.

Placeholders make the definition compile without an account, to the same bytes everywhere; `deploy` refuses them.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.settings import Settings

NOT_SET = "not-set"
REGION = "us-east-1"
ACCOUNT = "000000000000"


@dataclass(frozen=True)
class Account:
    """The AWS values of a definition."""

    role: str
    bucket: str
    region: str
    number: str
    pipeline: str
    processing_image: str
    autogluon_image: str

    @property
    def prefix(self) -> str:
        """Return the URI below which everything of this pipeline lies."""
        return f"s3://{self.bucket}/{self.pipeline}"

    def function_arn(self, name: str) -> str:
        """Return the ARN of a Lambda function."""
        return f"arn:{_partition(self.region)}:lambda:{self.region}:{self.number}:function:{name}"


def resolve_account(settings: Settings) -> Account:
    """Return the AWS values of the settings, placeholders where a value is not set."""
    aws, pipeline = settings.aws, settings.pipeline.name
    number = aws.account or (aws.role.split(":")[4] if aws.role else ACCOUNT)
    region = aws.region or REGION
    registry = f"{number}.dkr.ecr.{region}.amazonaws.com{'.cn' if region.startswith('cn-') else ''}/{pipeline}"
    return Account(
        role=aws.role or f"arn:{_partition(region)}:iam::{number}:role/{NOT_SET}",
        bucket=aws.bucket or f"{pipeline.lower()}-artifacts-{NOT_SET}",
        region=region,
        number=number,
        pipeline=pipeline,
        processing_image=settings.images.processing or f"{registry}-processing:{NOT_SET}",
        autogluon_image=settings.images.autogluon or f"{registry}-autogluon:{NOT_SET}",
    )


def _partition(region: str) -> str:
    """Return the partition of a region (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html)."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
