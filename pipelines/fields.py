"""The kinds of values that settings are made of, each with the check that it brings. Pure.

Used by `settings` alone; holds no setting itself.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, Strict

from pipelines.errors import nearest
from steps import contract

Scalar = str | int | float | bool
_MARKER_KEYS = ("files", "mode")
"""What the body of a `.run` marker says besides values of parameters."""


def _check_text(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        raise ValueError(f"expected text, found {type(value).__name__}; put it in quotes")  # noqa: TRY004
    return value


def _check_number(value: Any) -> Any:
    if isinstance(value, str | bool):
        raise ValueError(f"expected a number, found {type(value).__name__}{_say_digits(value)}")  # noqa: TRY004
    return value


def _say_digits(value: str | bool) -> str:
    """Say how to write a text that was meant as a number: YAML takes `1e2` for text."""
    meant = isinstance(value, str) and re.fullmatch(r"[-+]?[0-9.]+([eE][-+]?[0-9]+)?", value)
    return "; leave out quotes, and write an exponent as in 1.0e+2" if meant else ""


def as_list(value: Any) -> Any:
    """Return the list that a single text stands for, and anything else as it is."""
    return [value] if isinstance(value, str) else value


def _as_texts(value: Any) -> Any:
    values = value if isinstance(value, list | tuple) else [value]
    return [str(v) if isinstance(v, int | float) and not isinstance(v, bool) else v for v in values]


def _check_glob(value: str) -> str:
    if not value.strip() or value.startswith("/") or ".." in value.split("/"):
        raise ValueError("expected a glob relative to the raw folder, such as 'train*' or 'north/train*.csv'")
    if value.count("[") != value.count("]"):
        raise ValueError("the glob's brackets do not match; write '[[]' for a bracket that is meant literally")
    return value


def _check_timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        hint = nearest(value, available_timezones())
        raise ValueError(f"expected an IANA time zone such as 'UTC' or 'Asia/Tokyo'{hint}") from error
    return value


def _check_language(value: Any) -> Any:
    if value in ("en", "ja"):
        return value
    likely = {"e": "en", "j": "ja", "日": "ja"}.get(str(value)[:1].lower())
    hint = f"; did you mean {likely!r}?" if likely else ""
    raise ValueError(f"expected 'en' (English) or 'ja' (Japanese){hint}")


def _check_scalar(value: Any) -> Any:
    if not isinstance(value, str | bool | int | float):
        raise ValueError("expected text, a number, true or false")  # noqa: TRY004
    return value


def _check_parameter_names(value: dict[str, Scalar]) -> dict[str, Scalar]:
    found = []
    for name, default in value.items():
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", name):
            found.append(f"parameter {name!r}: expected a letter, then letters, digits and _, at most 64")
        if name in contract.RESERVED_PARAMETERS:
            found.append(f"parameter {name!r} is one of the pipeline's own; choose another name")
        if name in _MARKER_KEYS:
            found.append(
                f"parameter {name!r} could not be set in a .run marker, which means its own key by it; "
                "choose another name"
            )
        if contract.escape_controls(str(default)) != str(default):
            found.append(f"parameter {name!r}: holds a line break or another control character; leave it out")
        if len(str(default)) > 256:
            found.append(f"parameter {name!r}: longer than the 256 characters of an environment variable")
    if found:
        raise ValueError("; ".join(found))
    return value


Text = Annotated[str, BeforeValidator(_check_text), Field(min_length=1)]
Number = Annotated[float, BeforeValidator(_check_number)]
Count = Annotated[int, BeforeValidator(_check_number), Field(ge=1)]
Glob = Annotated[Text, AfterValidator(_check_glob)]
Globs = Annotated[tuple[Glob, ...], BeforeValidator(as_list), Field(min_length=1)]
Texts = Annotated[tuple[Text, ...], BeforeValidator(as_list)]
Where = dict[Text, Annotated[tuple[Text, ...], BeforeValidator(_as_texts), Field(min_length=1)]]
Timezone = Annotated[Text, AfterValidator(_check_timezone)]
Language = Annotated[Literal["en", "ja"], BeforeValidator(_check_language)]
Parameters = Annotated[
    dict[str, Annotated[Scalar, BeforeValidator(_check_scalar)]], AfterValidator(_check_parameter_names)
]
Flag = Annotated[bool, Strict()]
Threshold = Annotated[Number, Field(gt=0, lt=contract.FAILED_MAE)]
VpcId = Annotated[Text, Field(pattern=r"^[-0-9a-zA-Z]+$", max_length=32)]
TagKey = Annotated[Text, Field(pattern=r"^[\w .:/=+@-]+$", max_length=128)]
TagValue = Annotated[Text, Field(pattern=r"^[\w .:/=+@-]+$", max_length=256)]
InstanceType = Annotated[Text, Field(pattern=r"^ml\.[a-z0-9\-]+\.[a-z0-9]+$")]
BaseImage = Annotated[Text, Field(pattern=r"^[A-Za-z0-9][\w.:/-]*@sha256:[0-9a-f]{64}$", max_length=255)]
ImageUri = Annotated[Text, Field(pattern=r"^\S+$", max_length=255)]
RoleArn = Annotated[Text, Field(pattern=r"^arn:aws[a-z\-]*:iam::\d{12}:role/.+$")]
BucketName = Annotated[Text, Field(pattern=r"^[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]$")]
Share = Annotated[Number, Field(ge=0, le=1)]
Index = Annotated[Number, Field(ge=0)]
