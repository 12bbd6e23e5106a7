"""Importing much at once without the garbage collector looking on.

What AutoGluon brings along are hundreds of thousands of objects that live as long as the process. The collector goes
through them again and again while they are made, and through all of them when the process ends: a third of what the
import costs in CPU time, for nothing. So it rests meanwhile, and leaves them alone from then on (`gc.freeze`).
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the garbage collector away from what is imported in this block, now and later; a block that imports nothing
    leaves nothing behind.
    """
    was_on, known = gc.isenabled(), len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > known:
            gc.freeze()
        if was_on:
            gc.enable()
