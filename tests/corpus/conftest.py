"""Fixtures of the corpus: a limit of time, so that a hang fails, and a good project to spoil."""

from __future__ import annotations

import faulthandler
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from corpus_case import Answer

from pipelines import run

SECONDS = 20
"""A case that takes longer is taken to hang; the slowest takes two on a busy machine."""


@pytest.fixture(autouse=True)
def _time_limit(request: pytest.FixtureRequest) -> Iterator[None]:
    """Raise in a case that hangs; one that hangs outside Python ends with all stacks shown."""
    seconds = SECONDS * (30 if request.node.get_closest_marker("slow") else 1)

    def stop(*_: object) -> None:
        raise TimeoutError(f"took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    faulthandler.dump_traceback_later(seconds + 20, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Return a function that gives words to a command in this process and returns what it came to."""

    def give(*words: str | Path, main: Callable[[list[str]], int] = run.main) -> Answer:
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:  # argparse
            code = end.code if isinstance(end.code, int) else 1
        shown = capsys.readouterr()
        return Answer(code, shown.err + shown.out)

    return give


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Return a raw folder with one good training and one good prediction file."""
    folder = tmp_path / "raw"
    folder.mkdir()
    rows = [f"{n},{'north' if n % 2 else 'south'},{n * 1.5},{n}" for n in range(80)]
    (folder / "train.csv").write_text("\n".join(["id,region,x,y", *rows, ""]))
    (folder / "predict.csv").write_text("id,region,x\n100,north,1\n101,south,2\n")
    return folder
