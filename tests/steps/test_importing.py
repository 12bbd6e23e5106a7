"""The garbage collector rests while much is imported, leaves that alone, and works on as it did before."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from steps import importing


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    gc.enable()
    gc.unfreeze()


def test_the_collector_rests_in_the_block_and_leaves_alone_what_is_imported_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "many_lists.py").write_text("made = [[number] for number in range(1000)]\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    gc.unfreeze()
    with importing.uncollected():
        assert not gc.isenabled()
        importlib.import_module("many_lists")
    assert gc.isenabled()
    assert gc.get_freeze_count() >= 1000


def test_a_block_that_imports_nothing_keeps_nothing_from_being_collected() -> None:
    gc.unfreeze()
    with importing.uncollected():
        pass
    assert gc.get_freeze_count() == 0


def test_it_works_on_after_an_import_that_fails() -> None:
    with pytest.raises(ImportError), importing.uncollected():
        import no_such_module  # type: ignore[import-not-found]  # noqa: F401
    assert gc.isenabled()


def test_one_that_was_off_stays_off() -> None:
    gc.disable()
    with importing.uncollected():
        pass
    assert not gc.isenabled()
