"""A command in a message names the options that make it mean the same."""

from __future__ import annotations

import shlex
from pathlib import Path

from pipelines.options import DEFAULT_CONFIG, DEFAULT_WORKSPACE, say_options


def test_defaults_need_no_options() -> None:
    assert say_options(DEFAULT_CONFIG, None, DEFAULT_WORKSPACE) == ""


def test_what_differs_is_named_and_quoted_for_a_shell() -> None:
    said = say_options(Path("b c/config.yml"), "prod", Path("ws"))

    assert shlex.split(said) == ["--config", "b c/config.yml", "--env", "prod", "--workspace", "ws"]
