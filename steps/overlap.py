"""Work of one kind done in a thread beside the caller's, in order: the next item made ahead, the last one put away.

What overlaps is one step of each kind at most, so that memory holds one item more at either end; an error surfaces
where the caller waits for the step that met it. It pays where the steps leave the interpreter's lock (Arrow, Parquet,
the compiled part of a model).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

Item = TypeVar("Item")

_END: Any = object()


def ahead(items: Iterable[Item]) -> Generator[Item]:
    """Yield the items in their order; while the caller has one, a thread makes the next.

    Close it (`contextlib.closing`) where the loop over it may end early: that waits for the item in the making.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, "ahead") as thread:
        coming = thread.submit(next, source, _END)
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, source, _END)
            yield item
            del item  # else it stays in memory until the next one is there


class Behind:
    """A context whose `do` hands work to a thread and returns; the work is done one after the other, in order.

    At most one piece is waited for: the next `do` waits until the last piece is done, and raises what it raised. So
    does the end of the context, unless an error ends it.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "behind")
        self._last: Future[None] | None = None

    def __enter__(self) -> Behind:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()
        if error is None:
            self._wait()

    def do(self, work: Callable[..., None], *arguments: Any) -> None:
        """Have `work(*arguments)` done once the work before it is."""
        self._wait()
        self._last = self._thread.submit(work, *arguments)

    def _wait(self) -> None:
        if self._last is not None:
            self._last.result()
