"""An engine that kills itself with SIGKILL at the n-th thing that it does to files or processes.

`python crash_points.py WORKSPACE DEFINITION start|resume N` (N 0: never). Python's audit events say when: opening for
writing, renaming, removing, linking, making folders, starting processes; with them every state that the disk can be
in while an execution runs comes up.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.local import document
from pipelines.local.engine import ProcessLauncher, Request, World, execute
from pipelines.local.workspace import Workspace

EXECUTION = "run-1"
COUNTED = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "subprocess.Popen")
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND


def main() -> None:
    root, definition, mode, number = sys.argv[1:]
    workspace = Workspace(Path(root))

    def keep(arn: str, event: Mapping[str, Any]) -> Mapping[str, Any]:
        path = workspace.path(str(event["Target"]))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(event["Text"]), encoding="utf-8")
        return {"Uri": str(event["Target"])}

    world = World(workspace, ProcessLauncher(grace=0.5), keep)
    parsed = document.parse(Path(definition).read_text(encoding="utf-8"))
    request = Request(EXECUTION, parsed, {}, resume=mode == "resume")
    count = itertools.count(1)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        wrote = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES
        if (wrote or event in COUNTED) and next(count) == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    outcome = execute(request, world, lambda event: None)
    sys.stdout.write(f"{outcome.status} {next(count) - 1}\n")


if __name__ == "__main__":
    main()
