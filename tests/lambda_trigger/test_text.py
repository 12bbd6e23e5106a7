from __future__ import annotations

import string
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_trigger import text
from steps.contract import escape_controls


@given(st.text(min_size=1))
def test_a_subject_is_one_line_of_printable_ascii_below_100_characters(subject: str) -> None:
    found = text.fit_subject(subject)

    assert 0 < len(found) < 100
    assert all(" " <= letter <= "~" for letter in found)
    assert found[0] in string.ascii_letters + string.digits + string.punctuation


def test_an_interval_has_four_digits_at_both_ends() -> None:
    found = [text.format_interval(*ends) for ends in ((10.3, 10.587), (1999.7, 2100.0), (None, 1.0), (0.5, 0.51))]

    assert found == ["10.30 to 10.59", "2000 to 2100", "-", "0.5000 to 0.5100"]


@given(st.text(alphabet=st.characters()))
def test_a_body_has_no_control_characters_but_line_ends(body: str) -> None:
    found = text.fit_body(body)

    assert escape_controls(found, keep="\n") == found


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=5))
def test_a_table_has_one_line_per_row_whatever_its_cells_hold(rows: list[tuple[str, str]]) -> None:
    assert len(text.format_table(rows).split("\n")) == len(rows)
    assert len(text.list_names([first for first, _ in rows], 9).splitlines()) <= 1


def test_a_logger_writes_one_line_per_message(caplog: pytest.LogCaptureFixture) -> None:
    log = text.make_logger("lambda_trigger.forged")

    log.warning("%s: %d%% done", "x\n2026-01-01 INFO all is well\x1b[2K", 7)
    log.warning("100% plain")

    assert [record.getMessage() for record in caplog.records] == [
        r"x\n2026-01-01 INFO all is well\x1b[2K: 7% done",
        "100% plain",
    ]


def test_every_module_of_the_lambda_code_logs_through_it() -> None:
    sources = {path.name: path.read_text(encoding="utf-8") for path in Path(text.__file__).parent.glob("*.py")}

    assert [name for name, source in sources.items() if "getLogger" in source] == ["text.py"]


def test_accents_are_dropped_and_other_scripts_become_question_marks() -> None:
    assert text.fit_subject("Zürich\n 東京: ok") == "Zurich ??: ok"


def test_a_body_is_cut_to_256_kilobytes_of_utf8_without_breaking_a_letter() -> None:
    found = text.fit_body("東" * 100_000)

    assert len(found.encode()) <= 256 * 1024
    assert found.endswith("(cut; the report has everything)\n")
    assert "�" not in found


def test_a_short_body_is_left_alone() -> None:
    assert text.fit_body("東京") == "東京"


@pytest.mark.parametrize(
    "name", ["EWR", "C (all)", 'say "hi"', "a$HOME`id`", "back\\slash", "東京", "a/b", "it's", "wow!"]
)
def test_a_quoted_name_comes_back_whole_from_a_shell(name: str) -> None:
    shown = subprocess.run(
        ["sh", "-c", f"printf %s {text.quote_argument(name, 'slug')}"], capture_output=True, check=True
    )

    assert shown.stdout.decode() == name


@pytest.mark.parametrize("name", ["-x", "two\nlines"])
def test_a_name_that_no_shell_would_keep_is_given_by_its_slug(name: str) -> None:
    assert text.quote_argument(name, "slug") == "slug"


def test_a_name_that_needs_no_quotes_gets_none() -> None:
    assert text.quote_argument("EWR", "slug") == "EWR"


def test_columns_are_aligned_with_wide_characters_too() -> None:
    found = text.format_table([("MODEL", "MAE"), ("東京", "1.5"), ("a", "10")], frozenset({1}))

    assert found == "MODEL  MAE\n東京   1.5\na       10"


def test_a_time_zone_that_the_machine_does_not_know_falls_back_to_utc() -> None:
    assert text.format_time(datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "Mars/Olympus") == "2026-01-02 03:04 UTC"


def test_names_beyond_the_limit_are_counted() -> None:
    assert text.list_names(["a", "b", "c", "d"], 2) == "a, b and 2 more"


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 bytes"), (999, "999 bytes"), (1_234_567, "1.23 MB"), (5 * 10**9, "5 GB"), (10**15, "1e+03 TB")],
)
def test_sizes_are_shown_with_three_digits(size: int, shown: str) -> None:
    assert text.format_size(size) == shown
