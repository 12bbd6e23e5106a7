"""Runs the Python of some tasks as forks of a process that has imported what they need: one import for all of them.

An I/O seam like `launch`, which does what cannot be forked: other programs, other systems than Linux, and whatever the
server (`forkserver`) does not answer for.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipelines.local import forkserver
from pipelines.local.launch import ML_ROOT, Exit, ProcessLauncher, Task, build_environment, follow, map_path
from pipelines.local.memory import PeakMemory

SHORTEST = 3
"""Words of `python3 -m MODULE`."""
PATIENCE = 60.0
"""Seconds that a server may take to import and to fork, or to end, before it is given up."""
SERVER = Path(forkserver.__file__)
_ROOM = 4096
"""Bytes: no path is longer (PATH_MAX)."""
_ANSWER_BYTES = 100
_KILLED = (-9, 0)


class ForkLauncher:
    """Runs tasks whose module is one of `modules` as forks that find `preload` imported, any other as a process.

    Ends its servers with its block; one begins with the first task that it serves, or that is expected.
    """

    def __init__(
        self,
        modules: Collection[str],
        preload: Sequence[str],
        grace: float = 5.0,
        patience: float = PATIENCE,
        server: Path = SERVER,
    ) -> None:
        self._modules, self._grace, self._patience = frozenset(modules), grace, patience
        self._command = (sys.executable, "-P", str(server), *preload)
        self._processes = ProcessLauncher(grace)
        self._servers: dict[frozenset[tuple[str, str]], _Server] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers.values():
            server.close()

    def run(self, task: Task) -> Exit:
        """Fork for a task and wait for it; every process that it started has ended when this returns."""
        order = order_of(task, self._modules)
        fork = self._server(task, order["environment"]).fork(order) if order else None
        if fork is None:
            return self._processes.run(task)
        return follow(fork, task, self._grace, PeakMemory(fork.pid, executed=False))

    def expect(self, command: Sequence[str], environment: Mapping[str, str], threads: int) -> None:
        """Start the server for a command that is to come."""
        task = Task("", "", "", tuple(command), environment, Path(ML_ROOT), Path(), (), threads, None, lambda: False)
        if order := order_of(task, self._modules):
            self._server(task, order["environment"])

    def _server(self, task: Task, environment: Mapping[str, str]) -> _Server:
        """Return the server for tasks of this environment: libraries read it, above all the threads, as they load."""
        shared = {name: value for name, value in environment.items() if str(task.root) not in value}
        key = frozenset(shared.items())
        with self._lock:
            if key in self._servers and self._servers[key].has_ended():
                self._servers.pop(key).close()
            if key not in self._servers:
                self._servers[key] = _Server(self._command, shared, self._patience)
            return self._servers[key]


def order_of(task: Task, modules: Collection[str]) -> dict[str, Any] | None:
    """Return what to tell the server about a task; None where it has to be a process of its own."""
    program, *arguments = (map_path(part, task.root) for part in task.command)
    forkable = program in ("python", "python3") and arguments[:1] == ["-m"] and len(task.command) >= SHORTEST
    if sys.platform != "linux" or not forkable or arguments[1] not in modules:
        return None
    return {
        "module": arguments[1],
        "arguments": arguments[2:],
        "environment": build_environment(task, os.environ),
        "folder": str(task.home),
        "log": str(task.log),
        "cores": list(task.cores) or sorted(os.sched_getaffinity(0)),
    }


class _Server:
    """Our end of one server."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], patience: float) -> None:
        self._patience = patience
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
                command,
                cwd="/",
                env={**environment, forkserver.ROOM: "." * _ROOM},
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # of imports only: each fork has the log of its step
                start_new_session=True,  # Ctrl-C is the engine's to deal with
            )

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def fork(self, order: Mapping[str, Any]) -> _Fork | None:
        """Return the fork that does an order, or None where the server makes none."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        Path(order["log"]).parent.mkdir(parents=True, exist_ok=True)
        with theirs, contextlib.suppress(OSError):  # the server has died, or it is too much: `ours` ends unanswered
            socket.send_fds(self._control, [json.dumps(order).encode()], [theirs.fileno()])
        ours.settimeout(self._patience)
        try:
            told = ours.recv(_ANSWER_BYTES)
        except TimeoutError:
            self.kill()
            told = b""
        if told:
            return _Fork(int(told), ours)
        ours.close()
        return None

    def close(self) -> None:
        """Let the server end, which has no fork any more; kill it where it does not."""
        self._control.close()
        try:
            self._process.wait(self._patience)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the server, and with it its forks."""
        self._process.kill()
        self._process.wait()


class _Fork:
    """One task's process, a child of the server, which tells how it ends."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid, self._connection = pid, connection
        connection.setblocking(False)

    def poll(self) -> tuple[int, int] | None:
        """Return exit code and peak memory once it has ended; killed, where its server died."""
        try:
            told = self._connection.recv(_ANSWER_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            told = b""
        self._connection.close()
        code, memory = map(int, told.split()) if told else _KILLED
        return code, memory
