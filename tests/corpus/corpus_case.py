"""The cases of the corpus: malformed inputs with what has to be said about each, read from `<kind>/cases.yml`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parent
KINDS = tuple(sorted(path.parent.name for path in ROOT.glob("*/cases.yml")))
SECRET = "SECRET-1234"
"""Stands in cells and values that no message may repeat."""


@dataclass(frozen=True)
class Case:
    """One malformed input.

    Args:
        kind: the folder it belongs to.
        id: its name, in words.
        wrong: what is wrong with it, in a sentence.
        says: parts of the message, in their order; a message that degrades has no longer all of them.
        exit: exit code of the command, or for a Lambda function what came of the event.
        file: the input in the folder of the kind.
        lines: how many problems are reported, one per line.
        secret: the input holds SECRET, which must not be shown.
        slow: it takes a second, because the data are counted or the definition compiled.
        given: how it is given, in the terms of its kind: options, changes of a good input, a generator.
    """

    kind: str
    id: str
    wrong: str
    says: tuple[str, ...]
    exit: Any = 2
    file: str = ""
    lines: int | None = None
    secret: bool = False
    slow: bool = False
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Return the file of the case."""
        return ROOT / self.kind / self.file


@dataclass(frozen=True)
class Answer:
    """What a command or a function made of a case."""

    exit: Any
    shown: str


@functools.cache
def read_cases(kind: str) -> tuple[Case, ...]:
    """Return the cases of a kind; a key that no case has is an error."""
    entries = yaml.safe_load((ROOT / kind / "cases.yml").read_text(encoding="utf-8"))
    own = set(Case.__dataclass_fields__) - {"kind", "given"}
    return tuple(
        Case(
            kind=kind,
            given={key: value for key, value in entry.items() if key not in own},
            **{key: tuple(value) if key == "says" else value for key, value in entry.items() if key in own},
        )
        for entry in entries
    )


def each_case(kind: str) -> pytest.MarkDecorator:
    """Return the mark that gives a test every case of a kind by its id."""
    cases = [pytest.param(c, id=c.id, marks=[pytest.mark.slow] if c.slow else []) for c in read_cases(kind)]
    return pytest.mark.parametrize("case", cases)


def check(case: Case, answer: Answer) -> None:
    """Assert that an answer is the one that the case expects."""
    assert answer.exit == case.exit, answer.shown
    assert "Traceback" not in answer.shown
    assert SECRET not in answer.shown
    rest = answer.shown
    for part in case.says:
        assert part in rest, f"{part!r} does not follow in:\n{answer.shown}"
        rest = rest.partition(part)[2]
    problems = [line for line in answer.shown.splitlines() if line.strip()]
    assert all(len(line) < 2000 for line in problems)
    if case.lines is not None:
        assert len(problems) == case.lines, answer.shown


def files_in(folder: Path) -> dict[str, int]:
    """Return the files below a folder by their paths, with their sizes."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()
    }


def published_in(workspace: Path) -> list[str]:
    """Return what a later run, or a person, would take for a result."""
    marks = ("_SUCCESS", "_DEGRADED", "latest.json", "report.html", "summary.json")
    made = [path for path in files_in(workspace) if "/code/" not in path]  # bundles hold modules of such names
    return [path for path in made if path.rpartition("/")[2] in marks or "/predictions/" in path]
