"""AutoGluon reads what is installed once per process, and is told the same ever after."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator

import pytest

from steps import installed


@pytest.fixture
def library() -> Iterator[types.ModuleType]:
    """Stand in for AutoGluon's module, which is imported by no fast test; put back what was there."""
    before = sys.modules.pop(installed.MODULE, None)
    module = sys.modules[installed.MODULE] = types.ModuleType(installed.MODULE)
    yield module
    del sys.modules[installed.MODULE]
    if before is not None:
        sys.modules[installed.MODULE] = before


def test_what_is_installed_is_read_once_however_often_it_is_asked(library: types.ModuleType) -> None:
    reads = []

    def get_package_versions() -> tuple[dict[str, str], list[str]]:
        reads.append(1)
        return {"pandas": "2"}, []

    library.get_package_versions = get_package_versions  # type: ignore[attr-defined]
    installed.remember()
    installed.remember()
    assert [library.get_package_versions(), library.get_package_versions()] == [({"pandas": "2"}, [])] * 2
    assert reads == [1]


def test_a_library_without_that_function_stays_as_it_is(library: types.ModuleType) -> None:
    before = dict(vars(library))
    installed.remember()
    assert vars(library) == before


@pytest.mark.slow
def test_autogluon_is_told_what_it_reads_itself() -> None:
    from autogluon.common.utils import utils

    expected = utils.get_package_versions()
    installed.remember()
    assert utils.get_package_versions() == expected
    assert utils.get_package_versions() is utils.get_package_versions()
    assert utils.get_autogluon_metadata()["packages"] == expected[0]
