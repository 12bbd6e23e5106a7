"""Where a person at the terminal debugs a step (`--only STEP --debug`): pdb opens at an error.

Off unless `DEBUG_STEP` is set, which no run of a pipeline does: what it shows may hold cells of the data.
"""

from __future__ import annotations

import os
import sys
import traceback

from steps import contract

_shown: list[BaseException] = []


def is_on() -> bool:
    """Tell whether somebody debugs this step."""
    return bool(os.environ.get(contract.DEBUG_VARIABLE))


def show(error: BaseException) -> None:
    """Open pdb where an error arose, if somebody debugs; once they quit it, the step ends as it does undebugged."""
    if not is_on():
        return
    import bdb
    import pdb

    _shown.append(error)
    if isinstance(error, bdb.BdbQuit):  # they have quit a breakpoint
        return
    traceback.print_exception(error)
    sys.stderr.flush()
    pdb.post_mortem(error.__traceback__)


def show_first(error: BaseException) -> None:
    """Open pdb as `show` does, unless it was open before: then this error only sums up what was looked at."""
    if not _shown:
        show(error)


def arisen(error: BaseException) -> BaseException:
    """Return the error behind an error, however it was hidden: where somebody wants to look."""
    seen = [error]
    while (behind := seen[-1].__cause__ or seen[-1].__context__) is not None and behind not in seen:
        seen.append(behind)
    return seen[-1]
