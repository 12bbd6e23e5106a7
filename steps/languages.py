"""The language of the report, by the key `language` of the config. Pure."""

from __future__ import annotations

from steps import japanese, japanese_report
from steps.language import ENGLISH, Language

JAPANESE = Language("ja", japanese_report.TEXTS, japanese.SENTENCES)


def language_of(code: str) -> Language:
    """Return a language by its code; English for one that this code does not know."""
    return JAPANESE if code == JAPANESE.code else ENGLISH
