"""The language of the mails, by the key `language` of the config. Pure."""

from __future__ import annotations

from lambda_trigger import japanese, japanese_problems
from steps.language import ENGLISH, Language

JAPANESE = Language("ja", japanese.TEXTS, japanese_problems.SENTENCES)


def language_of(code: str) -> Language:
    """Return a language by its code; English for one that this code does not know, as a mail is better than none."""
    return JAPANESE if code == JAPANESE.code else ENGLISH
