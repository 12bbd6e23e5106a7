"""What people read in their language: texts by their English form, whole sentences with named placeholders. Pure.

Code says a text in English (`language.say("{count} rows", count=3)`), a catalog has the same text in another language
with the same placeholders. Sentences that lie in files (the gate's reasons, warnings of drift) are English, whatever
language people read: so they are data that programs may compare. `quote` finds their catalog entry by their form when
they are shown; a sentence that nobody knows, such as an error of a library, stays as it is.

Standard library only: it travels in the zip of the Lambda functions and in the code of PostProcess.
"""

from __future__ import annotations

import functools
import re
import string
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

CODES = ("en", "ja")
"""What the key `language` of the config may be."""
NESTED = frozenset({"reason", "hint", "names"})
"""Placeholders whose value is a text of ours again; the first two may be several sentences, or nothing."""
FIGURES = frozenset({"mae", "ratio", "baseline"})
"""Placeholders whose value is one figure, without blanks: a made-up text would try all places for several."""
COUNTS = frozenset({"count", "rows"})
"""Placeholders whose value is a whole number."""
QUOTED = frozenset({"column", "nearest"})
"""Placeholders whose value stands in quotes, which tell where it ends."""
BETWEEN = "; "
"""What joins several sentences, and stands in no value of a placeholder but those."""
LONGEST, MOST, DEEPEST = 2_000, 20, 3
"""Characters, parts and levels of nesting beyond which a text is none of ours: people choose what values hold."""

Pattern = tuple[re.Pattern[str], str]


@dataclass(frozen=True)
class Language:
    """A language: `texts` are what code says, `sentences` what files hold, both by their English form."""

    code: str = "en"
    texts: Mapping[str, str] = field(default_factory=dict)
    sentences: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, text: str, /, **values: Any) -> str:
        """Return a text with its placeholders filled in; a language is called `say` where it says much."""
        return self.texts.get(text, text).format(**values)

    def say(self, text: str, /, **values: Any) -> str:
        """Return a text with its placeholders filled in."""
        return self(text, **values)

    def count(self, count: int, one: str, many: str, /, **values: Any) -> str:
        """Return the text for a number of things, which is the placeholder `count`."""
        return self.say(one if count == 1 else many, count=count, **values)

    def quote(self, sentence: str) -> str:
        """Return a sentence that others wrote in English, or as it is where no catalog entry has its form.

        Of several that are joined by semicolons each is looked up; a sentence may have semicolons of its own.
        """
        return self._quote(sentence, 0) if self.sentences else sentence

    def _quote(self, sentence: str, level: int) -> str:
        parts = sentence.split(BETWEEN)
        if not sentence or len(sentence) > LONGEST or len(parts) > MOST or level > DEEPEST:
            return sentence
        return self.say(BETWEEN).join(self._each(parts, level))

    def _each(self, parts: list[str], level: int) -> Iterator[str]:
        while parts:
            tried = ((size, self._find(BETWEEN.join(parts[:size]), level)) for size in range(len(parts), 0, -1))
            size, found = next(((size, found) for size, found in tried if found is not None), (1, parts[0]))
            yield found
            parts = parts[size:]

    def quote_lines(self, text: str) -> str:
        """Return a text of several lines, each looked up by itself, without the blanks that set it in."""
        lines = [(line[: len(line) - len(line.lstrip(" "))], line.lstrip(" ")) for line in text.split("\n")]
        return "\n".join(blanks + self.quote(line) for blanks, line in lines)

    def list_quoted(self, sentences: Iterable[str]) -> str:
        """Return sentences that others wrote, joined in one line."""
        return self.say(BETWEEN).join(map(self.quote, sentences))

    def _find(self, sentence: str, level: int) -> str | None:
        for pattern, text in _patterns(tuple(self.sentences.items())):
            found = pattern.fullmatch(sentence)
            if found is not None:
                inside = found.groupdict().items()
                values = {key: self._quote(value, level + 1) if key in NESTED else value for key, value in inside}
                return text.format(**values)
        return None


ENGLISH = Language()


def placeholders(text: str) -> frozenset[str]:
    """Return the names of a text's placeholders: what they are before a format, an attribute or an index."""
    found = (name for _, name, _, _ in string.Formatter().parse(text) if name is not None)
    return frozenset(re.split(r"[.\[]", name)[0] for name in found)


@functools.lru_cache(maxsize=8)
def _patterns(sentences: tuple[tuple[str, str], ...]) -> tuple[Pattern, ...]:
    """Return what recognises each sentence, the one with the most letters of its own first."""
    ordered = sorted(sentences, key=lambda pair: -len(_literal(pair[0])))
    return tuple((re.compile(_form(english), re.DOTALL), text) for english, text in ordered)


def _literal(text: str) -> str:
    return "".join(literal for literal, _, _, _ in string.Formatter().parse(text))


def _form(text: str) -> str:
    parts = []
    for literal, name, _, _ in string.Formatter().parse(text):
        parts.append(re.escape(literal))
        if name is not None:
            parts.append(f"(?P<{name}>{_inside(name)})")
    return "".join(parts)


def _inside(name: str) -> str:
    if name in COUNTS:
        return r"[\d,]+"
    if name in FIGURES:
        return "[^ ;]+"
    if name in QUOTED:
        return "'[^']*'|\"[^\"]*\""
    return ".*?" if name in NESTED - {"names"} else f"(?:(?!{BETWEEN}).)+?"
