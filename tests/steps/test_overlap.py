"""What is made ahead and put away behind: in order, one at a time, at most one more than the caller has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from steps import overlap


class Source:
    """Numbers that are counted as they are made, by the thread that makes them."""

    def __init__(self, many: int, broken: int | None = None) -> None:
        self.made: list[int] = []
        self.threads: set[str] = set()
        self.closed = False
        self._many, self._broken = many, broken

    def __iter__(self) -> Iterator[int]:
        try:
            for number in range(self._many):
                if number == self._broken:
                    raise ValueError(number)
                self.made.append(number)
                self.threads.add(threading.current_thread().name)
                yield number
        finally:
            self.closed = True


def test_items_come_in_their_order_made_by_one_thread_that_is_not_the_callers() -> None:
    source = Source(50)
    assert list(overlap.ahead(source)) == list(range(50))
    [name] = source.threads
    assert name != threading.current_thread().name


def test_no_item_is_made_further_ahead_than_the_next() -> None:
    source = Source(50)
    with closing(overlap.ahead(source)) as items:
        for item in items:
            assert len(source.made) <= item + 2


def test_an_item_is_made_while_the_caller_works_on_the_one_before() -> None:
    second = threading.Event()

    def two() -> Iterator[int]:
        yield 1
        second.set()
        yield 2

    for item in overlap.ahead(two()):
        assert item == 2 or second.wait(20)


def test_an_error_in_the_making_comes_after_the_items_before_it() -> None:
    items = overlap.ahead(Source(9, broken=3))
    assert [next(items) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="3"):
        next(items)


def test_a_loop_that_ends_early_makes_no_further_items() -> None:
    source = Source(50)
    with closing(overlap.ahead(source)) as items:
        assert next(items) == 0
    assert len(source.made) <= 2


def test_nothing_gives_nothing() -> None:
    assert list(overlap.ahead([])) == []


def test_work_is_done_in_order_by_one_thread_and_is_complete_at_the_end() -> None:
    done: list[int] = []
    threads: set[str] = set()

    def work(number: int) -> None:
        threads.add(threading.current_thread().name)
        done.append(number)

    with overlap.Behind() as behind:
        for number in range(50):
            behind.do(work, number)
            assert len(done) >= number
    assert done == list(range(50))
    assert len(threads) == 1


def fail(number: int) -> None:
    raise ValueError(number)


def test_what_the_last_work_raised_is_raised_at_the_end() -> None:
    with pytest.raises(ValueError, match="7"), overlap.Behind() as behind:
        behind.do(fail, 7)


def test_what_work_raised_is_raised_by_the_next_do_which_does_nothing() -> None:
    done: list[int] = []
    behind = overlap.Behind()
    behind.do(fail, 7)
    with pytest.raises(ValueError, match="7"), behind:
        behind.do(done.append, 8)
    assert done == []


def test_the_callers_own_error_is_not_hidden_by_the_works() -> None:
    behind = overlap.Behind()
    behind.do(fail, 7)
    with pytest.raises(KeyError), behind:
        raise KeyError
