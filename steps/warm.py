"""Fits as forks of one process that has imported AutoGluon and never works: one import for all models of a job.

A fit of a small model takes less than importing what it fits with. `Warm.run` keeps what `trial.run` promises, but has
its child forked by a server (`python -m steps.warm MODULE...`), one for each environment, because libraries read their
number of threads when they are loaded. The server imports and forks and does nothing else: OpenMP's threads do not
survive a fork, so no process in which a learner ever ran may be forked. Linux only: elsewhere forks of such
libraries are not safe. The standard library's own fork server is none for this: it imports while nobody can stop it,
has its parent's environment, and leaves its forks behind when it is killed.

One connection per fit goes through the server's stdin. The server answers on it with the exit code, and kills the fit
when the other end hangs up, which a parent that dies does too.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol, Self

from steps import failure, importing, installed, job, trial

PRELOAD = (
    "steps.learning",
    "autogluon.tabular",
    "lightgbm",
    "xgboost",
    "catboost",
    "networkx",  # AutoGluon's graph of models
    "pyarrow.dataset",  # by which pyarrow.parquet reads
)
"""What nearly every fit needs. A fit imports for itself what is not here, and says what cannot be imported."""
COMMAND = (sys.executable, "-m", "steps.warm")
LONGEST = 20 * 24 * 3600.0
"""Seconds to wait at most, longer than any job may run; a socket takes no infinity."""
PATIENCE = 30.0
"""Seconds that a server may take to end a fit, whose memory may be large, before it is killed with all of them."""
_PAUSE = 0.02
"""Seconds after which the server looks who has ended; to wait for it in threads would be to fork with threads."""
_ORDER_BYTES = 65_536

Fork = Callable[[Sequence[str], tuple[int, int], Sequence[socket.socket]], BaseProcess]
"""Forks to do an order; takes the pipe that ends with the server, and the connections that are none of the fork's."""


def is_possible(models: int) -> bool:
    """Tell whether forks are safe here, and can save an import."""
    return sys.platform == "linux" and (models > 1 or _has_imported())


def _has_imported() -> bool:
    """Tell whether whoever started this process had imported AutoGluon for it; it has not used it."""
    return "autogluon.tabular" in sys.modules


class Warm:
    """Runs children as `trial.run` does, forked from servers that it starts where needed and ends with its block."""

    def __init__(self, preload: Sequence[str] = PRELOAD, patience: float = PATIENCE) -> None:
        self._preload, self._patience = tuple(preload), patience
        self._servers: dict[frozenset[tuple[str, str]], _Server] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as ending:
            for server in self._servers.values():
                ending.callback(server.close)

    def run(
        self,
        folder: Path,
        guard: trial.Guard,
        environment: Mapping[str, str],
        command: Sequence[str] = trial.COMMAND,
        work: str = "training",
    ) -> trial.Outcome:
        """Run a module's `main` (`command` is `python -m MODULE ...`) on `folder`; return how it ended."""
        return trial.watch(self._server(environment).fork([*command[2:], str(folder)]), folder, guard, work)

    def start(self, environment: Mapping[str, str]) -> None:
        """Fork the server for an environment from this process, where that has imported all and has no other thread.

        Otherwise it begins with its first fit, as a process of its own.
        """
        same = all(environment.get(name) == os.environ.get(name) for name in trial.THREAD_VARIABLES)
        if same and _has_imported() and threading.active_count() == 1:
            self._servers[frozenset(environment.items())] = _Server(
                self._preload, environment, self._patience, fork=True
            )

    def _server(self, environment: Mapping[str, str]) -> _Server:
        key = frozenset(environment.items())
        with self._lock:
            if key in self._servers and self._servers[key].has_ended():
                self._servers.pop(key).close()
            if key not in self._servers:
                self._servers[key] = _Server(self._preload, environment, self._patience)
            return self._servers[key]


class _Process(Protocol):
    """Of `subprocess.Popen` what a server takes."""

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; raise subprocess.TimeoutExpired."""

    def kill(self) -> None:
        """End it."""


class _Forked:
    """A fork of this process."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._code: int | None = None

    def poll(self) -> int | None:
        if self._code is None:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        until = time.monotonic() + (LONGEST if timeout is None else timeout)
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired("server", timeout or LONGEST)
            time.sleep(_PAUSE / 10)
        return code

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self._pid, signal.SIGKILL)


class _Server:
    """The parent's end of one server."""

    def __init__(
        self, preload: Sequence[str], environment: Mapping[str, str], patience: float, *, fork: bool = False
    ) -> None:
        self.patience = patience
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            start = self._fork if fork else self._start
            self._process: _Process = start(preload, environment, theirs)

    def _start(self, preload: Sequence[str], environment: Mapping[str, str], theirs: socket.socket) -> _Process:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
            [*COMMAND, *preload],
            stdin=theirs.fileno(),
            stdout=subprocess.DEVNULL,  # native libraries print there, cells included
            env=dict(environment),
        )

    def _fork(self, preload: Sequence[str], environment: Mapping[str, str], theirs: socket.socket) -> _Process:
        pid = os.fork()
        if pid:
            return _Forked(pid)
        try:
            self._control.close()
            os.environ.update(environment)
            with Path(os.devnull).open("wb") as nothing:
                os.dup2(nothing.fileno(), 1)
            os.dup2(theirs.fileno(), 0)
            theirs.close()
            main(preload)
        finally:
            os._exit(0)

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def fork(self, order: Sequence[str]) -> _Fork:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, suppress(OSError):  # the server has died: `ours` ends unanswered
            socket.send_fds(self._control, [json.dumps(order).encode()], [theirs.fileno()])
        return _Fork(ours, self)

    def close(self) -> None:
        """Let the server end; it has no fit any more."""
        self._control.close()
        try:
            self._process.wait(self.patience)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> int:
        """Kill the server, and with it its fits; return its exit code."""
        self._process.kill()
        return self._process.wait()


class _Fork:
    """One fit, with those ways of `subprocess.Popen` by which `trial` watches a child."""

    def __init__(self, connection: socket.socket, server: _Server) -> None:
        self._connection, self._server = connection, server
        self.returncode: int | None = None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; the server's own where that died instead of telling it."""
        if self.returncode is None:
            seconds = LONGEST if timeout is None else min(timeout, LONGEST)
            self._connection.settimeout(seconds)
            try:
                told = self._connection.recv(_ORDER_BYTES)
            except TimeoutError:
                raise subprocess.TimeoutExpired("fit", seconds) from None
            except ConnectionError:
                told = b""
            self._connection.close()
            self.returncode = int(told) if told else self._server.kill()
        return self.returncode

    def kill(self) -> None:
        """End the fit; where the server does not do it at once, because it hangs in an import, end that."""
        with self._connection:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_WR)
            try:
                self.wait(self._server.patience)
            except subprocess.TimeoutExpired:
                self.returncode = self._server.kill()


def main(argv: Sequence[str]) -> None:
    """Import what `argv` names, then fork for every order on stdin."""
    job.start_logging()
    failure.silence_libraries()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with its parent
    with importing.uncollected():  # a collection in a fork need not touch, and so copy, what all share
        for name in argv:
            with suppress(ImportError):
                importlib.import_module(name)
        installed.remember()
    with socket.socket(fileno=os.dup(0)) as control:
        serve(control)


def serve(control: socket.socket, fork: Fork | None = None) -> None:
    """Fork for every order until there can be no more: nobody holds the other end of `control`."""
    life = os.pipe()
    running: dict[BaseProcess, socket.socket] = {}
    while True:
        ready = select.select([control, *running.values()], [], [], _PAUSE)[0]
        for process, connection in list(running.items()):
            if _has_ended(process, killed=connection in ready):
                _answer(running.pop(process), process.exitcode)
        if control in ready:
            text, handles, _, _ = socket.recv_fds(control, _ORDER_BYTES, 1)
            if not text:
                break
            connection = socket.socket(fileno=handles[0])
            if _has_hung_up(connection):  # while this was importing: a step of the same name may work there by now
                connection.close()
                continue
            try:
                process = (fork or _fork)(json.loads(text), life, [control, connection, *running.values()])
                running[process] = connection
            except OSError:  # no memory, or no more processes
                _answer(connection, -signal.SIGKILL)
    for process in running:
        process.kill()
    for end in life:
        os.close(end)


def _has_hung_up(connection: socket.socket) -> bool:
    """Tell whether whoever gave an order does not wait for it any more."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)  # POLLHUP is always told
    return bool(poll.poll(0))


def _fork(order: Sequence[str], life: tuple[int, int], connections: Sequence[socket.socket]) -> BaseProcess:
    process = multiprocessing.get_context("fork").Process(target=_work, args=(order, life, connections))
    process.start()
    return process


def _has_ended(process: BaseProcess, *, killed: bool) -> bool:
    """Tell whether a fork has ended; one is killed for which nobody waits any more."""
    if killed:
        process.kill()
        process.join()
    return process.exitcode is not None


def _answer(connection: socket.socket, code: int | None) -> None:
    with connection, suppress(OSError):  # whoever hung up does not listen
        connection.send(str(code).encode())


def _work(order: Sequence[str], life: tuple[int, int], connections: Sequence[socket.socket]) -> None:
    """Do what an order says, in a fork with what a child of `trial.run` has: a stdin that ends with its parent."""
    for connection in connections:
        connection.close()
    os.close(life[1])
    os.dup2(life[0], 0)
    os.close(life[0])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    importlib.import_module(order[0]).main(order[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
