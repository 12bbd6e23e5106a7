"""Metrics as log lines: CloudWatch makes a metric of a line in its embedded metric format, no call is needed. Pure.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import json
from datetime import datetime

NAMESPACE = "SegmentPipeline"
MAILS_NOT_SENT = "MailsNotSent"


def count_unsent_mail(pipeline: str, now: datetime) -> str:
    """Return the log line that counts one mail that was not sent."""
    metric = {
        "Namespace": NAMESPACE,
        "Dimensions": [["Pipeline"]],
        "Metrics": [{"Name": MAILS_NOT_SENT, "Unit": "Count"}],
    }
    about = {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": [metric]}
    return json.dumps({"_aws": about, "Pipeline": pipeline, MAILS_NOT_SENT: 1}) + "\n"
