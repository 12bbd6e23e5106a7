"""The words of a page in its language: whole English sentences with named placeholders, and what they become.

A sentence is its own key, so that the code reads as the page does and a translation is one mapping. Standard library
only; whoever writes for people gets a `Wording` and decides nothing about languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ENGLISH = "en"


@dataclass(frozen=True)
class Wording:
    """Sentences in one language; one that `texts` does not have stays English."""

    language: str = ENGLISH
    texts: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, sentence: str, **values: object) -> str:
        """Return a sentence with its `{placeholders}` filled in."""
        return self.texts.get(sentence, sentence).format(**values)
