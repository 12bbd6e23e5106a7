"""Errors of boto3 in plain words, with the code by which callers tell them apart."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    EndpointConnectionError,
    NoCredentialsError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from pipelines.aws.cloud import NO_CREDENTIALS, translated
from pipelines.errors import AwsError


@pytest.mark.parametrize(
    ("error", "code", "advice"),
    [
        (NoCredentialsError(), NO_CREDENTIALS, "AWS_PROFILE"),
        (UnauthorizedSSOTokenError(), NO_CREDENTIALS, "aws sso login"),
        (TokenRetrievalError(provider="sso", error_msg="expired"), NO_CREDENTIALS, "aws sso login"),
        (EndpointConnectionError(endpoint_url="https://x"), "", "https://x"),
    ],
)
def test_what_only_new_credentials_mend_is_told_from_what_passes(error: Exception, code: str, advice: str) -> None:
    with pytest.raises(AwsError, match=advice) as caught, translated("x cannot be read"):
        raise error

    assert caught.value.code == code
