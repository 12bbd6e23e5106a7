"""Where people look at an execution and at a log. Pure; the links grant no access, the reader has to log in."""

from __future__ import annotations

from urllib.parse import quote

CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}
JOB_LOGS = "/aws/sagemaker/ProcessingJobs"
"""Log group of all processing jobs; a job's streams begin with its name."""


def execution_link(pipeline: str, execution: str, region: str, domain: str = "") -> str:
    """Return the address of an execution's graph in Studio, or of the console with the words where to click.

    Args:
        pipeline: the pipeline's name.
        execution: the execution's ID, the last part of its ARN.
        region: the region that it runs in.
        domain: ID of the Studio domain in which the team works, where there is one.
    """
    if domain:
        place = f"https://studio-{domain}.studio.{region}.sagemaker.aws"
        return f"{place}/pipelines/view/{pipeline}/executions/{execution}/graph"
    console = f"https://{_console(region)}/sagemaker/home?region={region}#/studio-landing"
    return f"{console} (open Studio, then Pipelines, {pipeline}, {execution})"


def log_link(job: str, region: str) -> str:
    """Return the address of a processing job's log in the CloudWatch console."""
    return _logs(JOB_LOGS, region) + _encode("?logStreamNameFilter=") + _encode(job)


def function_log_link(function: str, region: str) -> str:
    """Return the address of a Lambda function's log in the CloudWatch console."""
    return _logs(f"/aws/lambda/{function}", region)


def _logs(group: str, region: str) -> str:
    console = f"https://{_console(region)}/cloudwatch/home?region={region}"
    return f"{console}#logsV2:log-groups/log-group/{_encode(_encode(group, '%'))}"


def _console(region: str) -> str:
    """Return the console's host, which China and the US government have of their own."""
    own = (host for prefix, host in CONSOLES.items() if region.startswith(prefix))
    return next(own, f"{region}.console.aws.amazon.com")


def _encode(text: str, sign: str = "$") -> str:
    """Return a text as the console wants it in its addresses: percent-encoded, with `$` in place of `%`."""
    return quote(text, safe="$").replace("%", sign)
