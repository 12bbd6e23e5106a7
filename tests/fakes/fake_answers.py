"""What every stand-in for a service shares: its errors, its pages, its account."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

REGION = "us-east-1"
NUMBER = "123456789012"
SAGEMAKER = f"arn:aws:sagemaker:{REGION}:{NUMBER}"


class FakeError(Exception):
    """The service's answer is an error."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


@dataclass
class Paged:
    """Answers in small pages, so that whoever forgets to page sees too little."""

    page: int = 2

    def paged(self, given: dict[str, Any], key: str, found: list[dict[str, Any]]) -> dict[str, Any]:
        """Return one page of what was found under `key`."""
        first = int(given.get("NextToken", 0))
        following = {"NextToken": str(first + self.page)} if first + self.page < len(found) else {}
        return {key: found[first : first + self.page], **following}
