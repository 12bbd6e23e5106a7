"""A process that has imported what steps need, and forks for each: `python -P forkserver.py MODULE...`.

Importing AutoGluon takes longer than a small model's work. The server imports it once for all steps of an execution
and does nothing else: it never runs what it imported, because threads (OpenMP's above all) do not survive a fork. A
fork becomes what a process of its own would be: session, environment, search path, folder, cores, log and arguments are
the order's; even the process table shows it so, because by that an engine finds what another one left behind.

Standard library only, and none of our own modules, so that a fork imports the step's own code. Linux only.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import logging
import os
import runpy
import select
import signal
import socket
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

ORDER_BYTES = 200_000
ROOM = "FORKSERVER_ROOM"
"""A variable of the server's environment that only takes room, for what the process table shows of forks."""
_SET_PDEATHSIG = 1
"""prctl(2)."""
_AREAS = ((48, 49), (50, 51))
"""Where /proc/self/stat says that arguments and environment begin and end (proc_pid_stat(5))."""


def main(argv: Sequence[str]) -> None:
    """Import what `argv` names, then fork for every order on stdin."""
    gc.disable()
    for name in argv:
        with suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()  # a collection in a fork need not touch, and so copy, what all share
    gc.enable()
    with socket.socket(fileno=os.dup(0)) as control:
        serve(control)
    os._exit(0)  # to take down all that was imported takes long, and forks live until then


def serve(control: socket.socket) -> None:
    """Fork for every order until there can be no more: nobody holds the other end of `control`.

    An order comes with a connection, on which its fork's id is told, and its exit code and peak memory (`ru_maxrss`).
    """
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        ready: list[int] = select.select([control.fileno(), *running], [], [])[0]
        for handle in running.keys() & ready:
            _tell_end(*running.pop(handle))
            os.close(handle)
        if control.fileno() in ready:
            text, handles, _, _ = socket.recv_fds(control, ORDER_BYTES, 1)
            if not text:
                break
            connection = socket.socket(fileno=handles[0])
            others = [control, connection, *(each for _, each in running.values())]
            if _has_hung_up(connection):  # while this was importing: another engine may work in that folder by now
                connection.close()
                continue
            with suppress(OSError):  # no memory, or no more processes: hanging up tells
                pid = _fork(json.loads(text), others, list(running))
                connection.send(str(pid).encode())
                running[os.pidfd_open(pid)] = (pid, connection)
                continue
            connection.close()
    for pid, _ in running.values():
        for kill in (os.killpg, os.kill):  # it may not lead a group yet
            with suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)


def _has_hung_up(connection: socket.socket) -> bool:
    """Tell whether whoever gave an order does not wait for it any more."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)  # POLLHUP is always told
    return bool(poll.poll(0))


def _tell_end(pid: int, connection: socket.socket) -> None:
    _, status, usage = os.wait4(pid, 0)
    with connection, suppress(OSError):  # whoever hung up does not listen
        connection.send(f"{os.waitstatus_to_exitcode(status)} {usage.ru_maxrss}".encode())


def _fork(order: Mapping[str, Any], connections: Sequence[socket.socket], handles: Sequence[int]) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for connection in connections:
            connection.close()
        for handle in handles:
            os.close(handle)
        become(order, parent)
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = _code(end)
    except BaseException:  # noqa: BLE001 - the seam at which a process ends
        traceback.print_exc()
    finally:
        _leave(code)


def _leave(code: int) -> NoReturn:
    """End without what the server's libraries registered to be done at its own end."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _code(end: SystemExit) -> int:
    """Return the exit code that the interpreter would end with."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    sys.stderr.write(f"{end.code}\n")
    return 1


def become(order: Mapping[str, Any], parent: int) -> None:
    """Make this fork what `python -m MODULE ARGUMENT...` would be as a process of its own."""
    os.setsid()
    ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked to be told
        os._exit(1)
    _redirect(order["log"])
    with suppress(OSError):  # where a sandbox forbids it, the thread variables still hold
        os.sched_setaffinity(0, order["cores"])
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    search = [part for part in os.environ.get("PYTHONPATH", "").split(os.pathsep) if part]
    sys.path[:0] = [order["folder"], *search]
    sys.argv = ["-m", *order["arguments"]]
    logging.getLogger().handlers.clear()
    show(["python3", "-m", order["module"], *order["arguments"]], order["environment"])


def _redirect(log: str) -> None:
    for path, mode, targets in ((os.devnull, os.O_RDONLY, (0,)), (log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, (1, 2))):
        opened = os.open(path, mode, 0o666)
        for target in targets:
            os.dup2(opened, target)
        os.close(opened)


def show(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Let the process table show a command and the start of an environment.

    Both areas are this process's memory, written over in place. `os.environ` must have been cleared before: nothing
    may point there any more. What has no room is cut off.
    """
    fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    marked = sorted(
        environment.items(), key=lambda pair: pair[0] != "ML_ROOT"
    )  # what a process is known by comes first
    for (first, last), parts in zip(_AREAS, (command, [f"{name}={value}" for name, value in marked]), strict=True):
        begin, end = int(fields[first - 3]), int(fields[last - 3])
        if end > begin > 0:
            text = "\0".join(parts).encode(errors="surrogateescape")[: end - begin - 1]
            ctypes.memmove(begin, text.ljust(end - begin, b"\0"), end - begin)


if __name__ == "__main__":
    main(sys.argv[1:])
