"""Languages: texts and sentences by their English form, with the same placeholders."""

from __future__ import annotations

import string
import time
from datetime import UTC, datetime

import pytest

from steps import japanese
from steps.language import CODES, ENGLISH, Language, placeholders
from steps.languages import JAPANESE

GERMAN = Language(
    "de",
    {"{count} row": "{count} Zeile", "{count} rows": "{count} Zeilen", "; ": " / "},
    {
        "no rows": "keine Zeilen",
        "{rows} rows are enough": "{rows} Zeilen reichen",
        "not compared: {reason}.": "nicht verglichen: {reason}.",
        "no rows; wait": "keine Zeilen / wartet",
        "column {column} moved": "Spalte {column} ist anders",
        "column {column} moved far": "Spalte {column} ist ganz anders",
    },
)


def test_english_says_what_the_code_says() -> None:
    assert ENGLISH.say("{count} rows of {name}", count=3, name="{x} %s") == "3 rows of {x} %s"


def test_a_number_of_things_has_its_form() -> None:
    assert [GERMAN.count(number, "{count} row", "{count} rows") for number in (0, 1, 2)] == [
        "0 Zeilen",
        "1 Zeile",
        "2 Zeilen",
    ]
    assert ENGLISH.count(1, "{count} row", "{count} rows") == "1 row"


@pytest.mark.parametrize(
    ("sentence", "quoted"),
    [
        ("no rows", "keine Zeilen"),
        ("1,200 rows are enough", "1,200 Zeilen reichen"),
        ("some rows are enough", "some rows are enough"),
        ("not compared: no rows.", "nicht verglichen: keine Zeilen."),
        ("not compared: a bug.", "nicht verglichen: a bug."),
        ("column 'a moved' moved", "Spalte 'a moved' ist anders"),
        ("column 'a' moved far", "Spalte 'a' ist ganz anders"),
        ("no rows; odd; 3 rows are enough", "keine Zeilen / odd / 3 Zeilen reichen"),
        ("", ""),
        ("3 rows are enough; column 'a' moved", "3 Zeilen reichen / Spalte 'a' ist anders"),
        ("no rows; wait; odd", "keine Zeilen / wartet / odd"),
        ("not compared: no rows; column 'a' moved.", "nicht verglichen: keine Zeilen / Spalte 'a' ist anders."),
        ("no rows at all", "no rows at all"),
    ],
)
def test_a_sentence_that_a_file_holds_is_found_by_its_form_and_any_other_stays(sentence: str, quoted: str) -> None:
    assert GERMAN.quote(sentence) == quoted
    assert ENGLISH.quote(sentence) == sentence


@pytest.mark.parametrize(
    "odd", ["not compared: " * 200, "no rows; " * 300, "column 'a' " * 300, "not compared: no rows; " * 19]
)
def test_a_text_that_somebody_made_up_takes_no_time(odd: str) -> None:
    began = time.process_time()

    GERMAN.quote(odd)

    assert time.process_time() - began < 1


def test_no_text_made_of_the_words_of_a_sentence_takes_long_to_look_up() -> None:
    slow = {}
    for english in JAPANESE.sentences:
        words = " ".join(literal for literal, *_ in string.Formatter().parse(english)) + " "
        began = time.process_time()
        JAPANESE.quote((words * 2_000)[:1_900] + "; a" * 9)
        slow[english] = time.process_time() - began

    assert {english: seconds for english, seconds in slow.items() if seconds >= 1} == {}


def test_lines_of_a_text_are_found_one_by_one_and_keep_their_blanks() -> None:
    assert GERMAN.quote_lines("no rows\n  column 'a' moved\n\nx") == "keine Zeilen\n  Spalte 'a' ist anders\n\nx"


def test_sentences_are_joined_as_the_language_does() -> None:
    assert GERMAN.list_quoted(["no rows", "x"]) == "keine Zeilen / x"
    assert ENGLISH.list_quoted(["no rows", "x"]) == "no rows; x"


def test_a_placeholder_is_its_name_without_attribute_and_format() -> None:
    assert placeholders("{time.year} {time:%H:%M} {rows[0]} {{no}}") == {"time", "rows"}
    assert ENGLISH.say("{time.year}", time=datetime(2026, 1, 1, tzinfo=UTC)) == "2026"


def test_the_languages_are_those_of_the_settings() -> None:
    assert CODES == ("en", "ja")


@pytest.mark.parametrize("english", japanese.SENTENCES)
def test_a_japanese_sentence_has_the_placeholders_of_the_english_one(english: str) -> None:
    assert placeholders(japanese.SENTENCES[english]) == placeholders(english)
