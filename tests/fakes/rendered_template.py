"""Our CloudFormation templates, rendered as CloudFormation would: parameters, conditions and functions resolved.

`render(path, parameters)` returns the template as plain data, without the resources whose condition does not hold.
`policies(rendered)` yields (name, document) of every role's inline policy and every managed policy, `resource_policies`
those of buckets, topic, queues and key. Standard library and yaml only: the static checks run it in an environment of
their own.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

REGION, ACCOUNT = "us-east-1", "123456789012"
CONFIG = Path(__file__).resolve().parents[2] / "config" / "cloudformation"
PSEUDO = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "stack",
}
NO_VALUE = object()
ARNS = {
    "AWS::S3::Bucket": "arn:aws:s3:::{BucketName}",
    "AWS::KMS::Key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/12345678-1234-1234-1234-123456789012",
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/{{RoleName}}",
    "AWS::SQS::Queue": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{{QueueName}}",
    "AWS::SNS::Topic": f"arn:aws:sns:{REGION}:{ACCOUNT}:{{TopicName}}",
    "AWS::Events::Rule": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{{Name}}",
    "AWS::Lambda::Function": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{FunctionName}}",
    "AWS::ECR::Repository": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{{RepositoryName}}",
    "AWS::CodeBuild::Project": f"arn:aws:codebuild:{REGION}:{ACCOUNT}:project/{{Name}}",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{LogGroupName}}:*",
}
NAMED = ("BucketName", "RoleName", "QueueName", "TopicName", "FunctionName", "RepositoryName", "LogGroupName", "Name")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # libyaml's where PyYAML has it
    """Reads the short forms of functions (`!Sub`) as their long ones (`Fn::Sub`)."""


def _function(loader: _Loader, name: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": value}


_Loader.add_multi_constructor("!", _function)


@functools.cache
def read(path: Path) -> dict[str, Any]:
    """Return a template as written, its functions in their long form."""
    template: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    return template


def render(path: Path, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return a template with everything resolved; a parameter without value or default is an error."""
    template = read(path)
    declared = template["Parameters"]
    unknown = set(parameters) - set(declared)
    if unknown:
        raise KeyError(f"{path.name} has no parameter {sorted(unknown)}")
    values = {name: parameters.get(name, spec.get("Default")) for name, spec in declared.items()}
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise KeyError(f"{path.name}: parameters without value: {missing}")
    return _Renderer(template, {**PSEUDO, **values}).run()


@dataclass
class _Renderer:
    template: dict[str, Any]
    values: dict[str, Any]
    asked: set[str] = field(default_factory=set)

    def run(self) -> dict[str, Any]:
        found = {name: item for name, item in self.template["Resources"].items() if self.holds(item.get("Condition"))}
        return {
            "Resources": {name: self.resolve(item) for name, item in found.items()},
            "Outputs": {name: self.resolve(item["Value"]) for name, item in self.template["Outputs"].items()},
        }

    def holds(self, condition: Any) -> bool:
        if condition is None:
            return True
        if isinstance(condition, str):
            return self.holds(self.template["Conditions"][condition])
        ((function, given),) = condition.items()
        match function:
            case "Condition":
                return self.holds(given)
            case "Fn::Equals":
                return bool(self.resolve(given[0]) == self.resolve(given[1]))
            case "Fn::Not":
                return not self.holds(given[0])
            case "Fn::And":
                return all(self.holds(item) for item in given)
        raise ValueError(f"condition {condition} cannot be rendered")

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [found for item in value if (found := self.resolve(item)) is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, given),) = value.items()
            if name == "Ref" or name.startswith("Fn::"):
                return self.call(name, given)
        resolved = {
            key: self.resolve(item) for key, item in value.items() if key != "Condition" or isinstance(item, dict)
        }
        return {key: item for key, item in resolved.items() if item is not NO_VALUE}

    def call(self, name: str, given: Any) -> Any:
        match name:
            case "Ref":
                return self.ref(given)
            case "Fn::GetAtt":
                return self.attribute(*given)
            case "Fn::Sub":
                text, own = given if isinstance(given, list) else (given, {})
                return self.substitute(text, {key: self.resolve(item) for key, item in own.items()})
            case "Fn::If":
                return self.resolve(given[1] if self.holds(given[0]) else given[2])
        raise ValueError(f"{name} cannot be rendered")

    def substitute(self, text: str, own: Mapping[str, Any]) -> str:
        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name in own:
                return str(own[name])
            return str(self.attribute(*name.split(".", 1)) if "." in name else self.ref(name))

        return re.sub(r"\$\{([\w:.]+)\}", value, text)

    def ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.values:
            return self.values[name]
        kind = self.kind(name)
        if kind in ("AWS::SNS::Topic", "AWS::IAM::ManagedPolicy"):
            return self.attribute(name, "Arn")
        return self.own_name(name)

    def attribute(self, name: str, attribute: str) -> str:
        kind, properties = self.kind(name), self.template["Resources"][name]["Properties"]
        if attribute == "Arn":
            known = {key: self.resolve(properties[key]) for key in NAMED if key in properties}
            return ARNS[kind].format(**known)
        if attribute == "RepositoryUri":
            return f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{self.own_name(name)}"
        if attribute == "QueueName":
            return self.own_name(name)
        raise ValueError(f"{name}.{attribute} cannot be rendered")

    def kind(self, name: str) -> str:
        resource = self.template["Resources"][name]
        if not self.holds(resource.get("Condition")):
            raise ValueError(f"{name} is referred to, but its condition does not hold")
        return str(resource["Type"])

    def own_name(self, name: str) -> str:
        properties = self.template["Resources"][name]["Properties"]
        return str(next((self.resolve(properties[key]) for key in NAMED if key in properties), name))


def policies(rendered: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every identity policy by the name of its role or policy."""
    for resource in rendered["Resources"].values():
        properties = resource["Properties"]
        if resource["Type"] == "AWS::IAM::Role":
            for policy in properties.get("Policies", ()):
                yield properties["RoleName"], policy["PolicyDocument"]
        elif resource["Type"] == "AWS::IAM::ManagedPolicy":
            yield properties["ManagedPolicyName"], properties["PolicyDocument"]


def resource_policies(rendered: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every resource's own policy by the resource's name in the template."""
    for name, resource in rendered["Resources"].items():
        for key in ("KeyPolicy", "PolicyDocument"):
            if resource["Type"] != "AWS::IAM::ManagedPolicy" and key in resource["Properties"]:
                yield name, resource["Properties"][key]


BASIC = {
    "pipeline.yml": {
        "PipelineName": "Flights",
        "LowerName": "flights",
        "CodeBucket": "flights-deploy-123456789012-us-east-1",
        "CodeKey": f"lambda/{'0' * 64}.zip",
    },
    "cicd.yml": {"PipelineName": "Flights", "LowerName": "flights"},
}
GIVEN = {
    "pipeline.yml": {
        "ExistingRawBucket": "our-raw",
        "ExistingArtifactBucket": "our-artifacts",
        "ExistingJobRoleArn": f"arn:aws:iam::{ACCOUNT}:role/our-job",
        "ExistingPipelineRoleArn": f"arn:aws:iam::{ACCOUNT}:role/our-pipeline",
        "ExistingLambdaRoleArn": f"arn:aws:iam::{ACCOUNT}:role/our-lambda",
        "ExistingKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/ours",
        "ExistingProcessingRepositoryArn": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/our-processing",
        "ExistingAutogluonRepositoryArn": f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/our-autogluon",
        "PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/ours",
        "TriggerConcurrency": "1",
        "Subnets": "subnet-1",
    },
    "cicd.yml": {
        "ExistingRawBucket": "our-raw",
        "ExistingArtifactBucket": "our-artifacts",
        "ExistingPipelineRoleArn": f"arn:aws:iam::{ACCOUNT}:role/our-pipeline",
        "ExistingLambdaRoleArn": f"arn:aws:iam::{ACCOUNT}:role/our-lambda",
        "ExistingKeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/ours",
        "PermissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/ours",
        "Repository": "ours/project",
        "ConnectionArn": f"arn:aws:codeconnections:{REGION}:{ACCOUNT}:connection/ours",
    },
}


@functools.cache
def variants(name: str) -> dict[str, dict[str, Any]]:
    """Return a template rendered with everything made, with everything given, and with each thing given alone."""
    basic, given = BASIC[name], GIVEN[name]
    chosen: dict[str, dict[str, str]] = {
        "made": {},
        "given": given,
        **{key: {key: value} for key, value in given.items()},
    }
    return {title: render(CONFIG / name, {**basic, **more}) for title, more in chosen.items()}
