"""What is installed, which AutoGluon asks for whenever it saves or loads a predictor: answered once per process.

It parses the metadata of every package each time (0.08 s of CPU for 190 of them), three times in a fit, which for a
small model is nearly half of the work, and once per load; it has no way to be told. What is installed does not change
under a running process, so the function that reads it is replaced by itself with a memory: this is the only place where
a library is changed, it changes no result, and where a version of AutoGluon has no such function nothing happens.
"""

from __future__ import annotations

import functools
import sys

MODULE = "autogluon.common.utils.utils"
FUNCTION = "get_package_versions"


def remember() -> None:
    """Read what is installed, for this process and its forks; does nothing where AutoGluon is not imported."""
    module = sys.modules.get(MODULE)
    read = getattr(module, FUNCTION, None)
    if read is not None and not hasattr(read, "cache_info"):
        kept = functools.cache(read)
        kept()
        setattr(module, FUNCTION, kept)
