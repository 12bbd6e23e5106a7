"""Runs the command of a processing job in a container of its image, as the service does.

An I/O seam like `launch`, with the `docker` command in place of the process table. The container has no network, the
step's own tree as /opt/ml, and the caller's user, so that what it writes belongs to the caller.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import ExecutionError, LaunchError
from pipelines.local.launch import ML_ROOT, THREAD_VARIABLES, Exit, Task

DOCKER_FAILED = 125
"""Exit code of `docker run` when the engine itself could not start the container
(https://docs.docker.com/engine/containers/run/#exit-status)."""
NOT_RUNNABLE = (126, 127)
_SIGNALLED = 128


@dataclass(frozen=True)
class ContainerLauncher:
    """Runs tasks as containers; `image_of` gives the engine's image for a definition's, `grace` is in seconds."""

    image_of: Callable[[str], str]
    grace: float = 5.0

    def run(self, task: Task) -> Exit:
        """Start the container and wait for it; it is gone when this returns."""
        name = container_name(task)
        _docker("rm", "--force", name)  # what a killed engine may have left
        task.log.parent.mkdir(parents=True, exist_ok=True)
        command = run_command(task, name, self.image_of(task.image), os.getuid(), os.getgid())
        try:
            with task.log.open("ab") as log:
                process = subprocess.Popen(  # noqa: S603 - the command is the definition's, which the user runs
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
                )
        except OSError as error:
            raise ExecutionError(
                f"docker cannot be started ({error.strerror}); install it, or use --launcher process"
            ) from error
        try:
            return _explain(self._wait(process, task, name), task)
        finally:
            _docker("rm", "--force", name)

    def _wait(self, process: subprocess.Popen[bytes], task: Task, name: str) -> Exit:
        began, timed_out, asked = time.monotonic(), False, False
        while (code := process.poll()) is None:
            late = task.timeout is not None and time.monotonic() - began > task.timeout
            if not asked and (task.stopped() or late):
                asked, timed_out = True, not task.stopped()
                _docker("stop", "--time", f"{self.grace:.0f}", name)
            time.sleep(0.05)
        return Exit(_signal_of(code), None, timed_out, asked and not timed_out)


def container_name(task: Task) -> str:
    """Return the container's name, the same for each attempt at a step of an execution."""
    return f"segment-pipeline-{hashlib.sha256(str(task.root).encode()).hexdigest()[:16]}"


def run_command(task: Task, name: str, image: str, user: int, group: int) -> list[str]:
    """Return the `docker run` command of a task."""
    environment = {
        "TZ": "UTC",
        "HOME": "/tmp",  # noqa: S108 - of the container, which is its own
        **dict.fromkeys(THREAD_VARIABLES, str(task.threads)),
        **task.environment,
    }
    cores = ",".join(str(core) for core in task.cores)
    return [
        *("docker", "run", "--rm", "--name", name, "--network", "none", "--user", f"{user}:{group}"),
        *(("--cpuset-cpus", cores) if cores else ()),
        *_volumes(task.root),
        *(part for key, value in environment.items() for part in ("--env", f"{key}={value}")),
        *("--entrypoint", task.command[0], image, *task.command[1:]),
    ]


def _volumes(root: Path) -> Iterator[str]:
    """Yield the mounts: the step's tree, and read-only each folder that a link in its inputs leads to."""
    yield from ("--volume", f"{root}:{ML_ROOT}")
    links = (path for path in (root / "processing" / "input").rglob("*") if path.is_symlink())
    for folder in sorted({str(path.readlink().parent) for path in links}):
        yield from ("--volume", f"{folder}:{folder}:ro")


def _signal_of(code: int) -> int:
    """Return an exit code as the process table would give it: a container killed by signal n ends with 128 + n."""
    return _SIGNALLED - code if _SIGNALLED < code < _SIGNALLED + 65 else code


def _explain(end: Exit, task: Task) -> Exit:
    """Return how a task ended, unless its container never started.

    Raises:
        LaunchError: the engine could not start it, which may pass.
        ExecutionError: the image has no such command.
    """
    if end.code == DOCKER_FAILED and not (end.stopped or end.timed_out):
        raise LaunchError(f"docker could not start {task.image}: {_last_line(task.log)}")
    if end.code in NOT_RUNNABLE:
        raise ExecutionError(
            f"AlgorithmError: cannot start {task.command[0]!r} in {task.image}: {_last_line(task.log)}"
        )
    return end


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    told = [line for line in lines if line.strip() and "--help" not in line]
    return told[-1].removeprefix("docker: ") if told else "it said nothing"


def image_ids(images: Sequence[str], ask: Callable[..., tuple[int, str]] | None = None) -> Mapping[str, str]:
    """Return the engine's id of each image that it holds.

    Raises:
        ExecutionError: no engine answers.
    """
    ask = ask or _docker
    if ask("version")[0] != 0:
        raise ExecutionError("--launcher docker: no Docker engine answers; start one, or use --launcher process")
    found = {image: ask("image", "inspect", "--format", "{{.Id}}", image) for image in images}
    return {image: answer.strip() for image, (code, answer) in found.items() if code == 0}


def _docker(*arguments: str) -> tuple[int, str]:
    """Run a docker command; return its exit code and what it printed."""
    try:
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)  # noqa: S603, S607
    except OSError:
        return 127, ""
    return done.returncode, done.stdout
