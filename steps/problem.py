"""Problems of the data: collected stage by stage, reported together, nearest names suggested.

Every check of the prepare steps returns messages instead of raising, so that people see all problems of one
stage at once. A message names files, columns, rows and counts, never a cell's value.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from steps.job import StepError

LISTED = 10
"""How many names a message lists before it says how many more there are."""
LISTED_PROBLEMS = 25
LONGEST = 80
"""Characters of a name that a message shows: in a file without a header, a name may be anything."""


class ProblemError(StepError):
    """The data have problems; its text lists them."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(_list_all(problems))
        self.problems = tuple(problems)


class FileError(ProblemError):
    """Files cannot be used as they are; `texts` has the problems of each file by its key."""

    def __init__(self, texts: Mapping[str, Sequence[str]]) -> None:
        super().__init__([text for of_file in texts.values() for text in of_file])
        self.texts = texts


def _list_all(problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    shown = [f"{n}. {text}" for n, text in enumerate(problems[:LISTED_PROBLEMS], start=1)]
    if len(problems) > LISTED_PROBLEMS:
        shown.append(f"... and {len(problems) - LISTED_PROBLEMS} more")
    return "\n".join([f"{len(problems)} problems:", *shown])


def raise_all(problems: Sequence[str]) -> None:
    """Raise a StepError that holds all problems; return when there are none."""
    if problems:
        raise ProblemError(problems)


def raise_files(found: Iterable[tuple[str, str]]) -> None:
    """Raise a FileError for all pairs of a file's key and a problem of it; return when there are none."""
    texts: dict[str, list[str]] = {}
    for key, text in found:
        texts.setdefault(key, []).append(text)
    if texts:
        raise FileError(texts)


def name_list(names: Iterable[str]) -> str:
    """Return names in quotes, the first few of them only."""
    names = list(names)
    rest = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(repr(name if len(name) <= LONGEST else f"{name[:LONGEST]}...") for name in names[:LISTED]) + rest


def nearest(name: str, names: Iterable[str], listed: bool = True) -> str:
    """Return a hint that names what is nearest to `name`, or else what there is, if it may be `listed`."""
    names = list(names)
    by_fold = {candidate.casefold(): candidate for candidate in names}
    close = difflib.get_close_matches(name.casefold(), by_fold, n=3, cutoff=0.5)
    if close:
        return f"nearest: {name_list(by_fold[match] for match in close)}"
    if not listed:
        return f"line 1 has {len(names)} names and none of those asked for; is it the header, is data.delimiter right?"
    return f"there are: {name_list(names)}" if names else "there are none"
