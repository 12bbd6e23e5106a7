"""The operator's side: settings, definition, compile, the local engine and the commands."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the one sentence for whoever runs it with an older one
    raise SystemExit("error: needs Python 3.11, 3.12 or 3.13; make an environment: make install PYTHON=python3.11")
if sys.platform not in ("linux", "darwin"):
    raise SystemExit(f"error: found {sys.platform}, need Linux or macOS; on Windows use WSL")
