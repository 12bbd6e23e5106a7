"""What commands log: one handler, on stderr, above the table where there is one, and only what is ours."""

from __future__ import annotations

import argparse
import logging
import re

import pytest

from pipelines import logs
from pipelines.options import LOG_LEVELS, add_log_level

LOG = logging.getLogger("pipelines.local.any")


def said(capsys: pytest.CaptureFixture[str], level: str) -> list[str]:
    with logs.opened(level):
        LOG.debug("a decision\x1b[2J")
        LOG.info("a step")
        LOG.warning("a doubt")
        LOG.error("an error")
        logging.getLogger("botocore.any").error("not ours")
    shown = capsys.readouterr()
    assert shown.out == ""
    return [line for line in shown.err.splitlines() if "not ours" not in line]


@pytest.mark.parametrize(("level", "lines"), list(zip(LOG_LEVELS, (4, 3, 2, 1), strict=True)))
def test_a_level_shows_itself_and_what_is_graver_on_stderr(
    capsys: pytest.CaptureFixture[str], level: str, lines: int
) -> None:
    shown = said(capsys, level)

    assert len(shown) == lines
    assert shown[-1] == "error: an error"


def test_a_decision_has_its_time_and_place_and_steers_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert re.fullmatch(r"\d\d:\d\d:\d\d any: a decision\\x1b\[2J", said(capsys, "debug")[0])


def test_afterwards_everything_is_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    said(capsys, "debug")

    assert not logs.is_debug()
    assert not logs.is_quiet()
    assert logging.getLogger("pipelines").handlers == []


def test_a_display_says_what_is_logged_while_it_is_open(capsys: pytest.CaptureFixture[str]) -> None:
    above: list[str] = []
    with logs.opened("info"):
        with logs.above(above.append):
            LOG.warning("inside")
        LOG.warning("outside")

    assert above == ["warning: inside"]
    assert capsys.readouterr().err == "warning: outside\n"


def test_an_unknown_level_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    line = argparse.ArgumentParser()
    add_log_level(line)

    with pytest.raises(SystemExit):
        line.parse_args(["--log-level", "loud"])
    assert "invalid choice: 'loud'" in capsys.readouterr().err
