"""A step forked from a warm process is what a process of its own is: with tiny modules, and none of AutoGluon."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from pipelines.local.forks import SERVER, ForkLauncher, order_of
from pipelines.local.launch import Exit, ProcessLauncher, Task
from pipelines.local.orphans import end_processes, find_processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are made on Linux only")
MODULE = "steps.work"
WORK = "import os, pathlib, signal, sys, time\nroot = pathlib.Path(os.environ['ML_ROOT'])\n"
FACTS = """
import json, logging, resource, warnings
links = {n: os.readlink(f"/proc/self/fd/{n}") for n in range(3)}
facts = {
    "environment": dict(os.environ),
    "arguments": sys.argv[1:],
    "program": sys.argv[0],
    "folder": os.getcwd(),
    "search": sys.path,
    "name": __name__,
    "package": __package__,
    "file": __file__,
    "module": sys.modules["__main__"].__file__,
    "links": links,
    "open": sorted(n for n in os.listdir("/proc/self/fd") if n not in "012" and os.path.exists(f"/proc/self/fd/{n}")),
    "leads": os.getsid(0) == os.getpid() == os.getpgid(0),
    "cores": sorted(os.sched_getaffinity(0)),
    "hash": hash("segment"),
    "signals": [str(signal.getsignal(n)) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)],
    "umask": os.umask(0o22),
    "handlers": len(logging.getLogger().handlers),
    "warnings": [str(each) for each in warnings.filters],
    "other modules of ours": sorted(n for n in sys.modules if n.split(".")[0] in ("pipelines", "lambda_trigger")),
    "shown": [part for part in open("/proc/self/cmdline").read().split(chr(0)) if part][1:],
}
(root / "facts.json").write_text(json.dumps(facts))
"""


class Place:
    """Tasks that run `code` as the module `steps.work` of the step's own copy of the code."""

    def __init__(self, root: Path) -> None:
        self.root, self.count = root, 0
        (root / "lib").mkdir()
        (root / "lib/library.py").write_text("import os\nLOADED = os.getpid(), os.environ.get('OMP_NUM_THREADS')\n")

    def task(self, code: str, *arguments: str, module: str = MODULE, threads: int = 1) -> Task:
        self.count += 1
        home = self.root / f"step-{self.count}"
        package = home / "opt/ml/processing/input/code/steps"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / f"{module.rpartition('.')[2]}.py").write_text(WORK + code)
        environment = {"PYTHONPATH": "/opt/ml/processing/input/code", "PYTHONHASHSEED": "7", "COLOUR": "blue"}
        return Task(
            step="Work",
            host="algo-1",
            image="",
            command=("python3", "-m", module, *arguments),
            environment=environment,
            root=home / "opt/ml",
            log=home / "log.txt",
            cores=(0,),
            threads=threads,
            timeout=None,
            stopped=lambda: False,
        )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def forks(place: Place) -> Iterator[ForkLauncher]:
    before = set(psutil.Process().children())
    with ForkLauncher(
        {MODULE}, ("wsgiref.util", "no_such_library", "another_library_that_is_not_installed_here"), grace=0.5
    ) as launcher:
        yield launcher
    assert set(psutil.Process().children()) <= before


def wait_for(found: Callable[[], object], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_fork_is_in_all_that_it_sees_what_a_process_of_its_own_is(place: Place, forks: ForkLauncher) -> None:
    seen = []
    for launcher in (ProcessLauncher(), forks):
        task = place.task(FACTS, "--of", "/opt/ml/input", "a b")
        assert launcher.run(task).code == 0, task.log.read_text()
        seen.append(json.loads((task.root / "facts.json").read_text().replace(str(task.home), "HOME")))
    assert seen[1] == seen[0]


def test_a_fork_finds_imported_what_its_server_imported(place: Place, forks: ForkLauncher) -> None:
    code = "print('wsgiref.util' in sys.modules, os.getppid())"
    tasks = [place.task(code), place.task(code)]
    assert [forks.run(task).code for task in tasks] == [0, 0]
    first, second = (task.log.read_text() for task in tasks)
    assert first == second
    assert first.startswith("True")


def test_each_number_of_threads_has_a_server_of_its_own(place: Place, forks: ForkLauncher) -> None:
    tasks = [place.task("print(os.environ['OMP_NUM_THREADS'], os.getppid())", threads=n) for n in (1, 2, 1)]
    for task in tasks:
        assert forks.run(task).code == 0
    told = [task.log.read_text().split() for task in tasks]
    assert [threads for threads, _ in told] == ["1", "2", "1"]
    assert told[0] == told[2]
    assert told[0][1] != told[1][1]


def test_a_module_that_is_not_to_be_forked_is_a_process_of_its_own(place: Place, forks: ForkLauncher) -> None:
    task = place.task("print('wsgiref.util' in sys.modules)", module="steps.other")
    assert forks.run(task).code == 0
    assert task.log.read_text() == "False\n"


@pytest.mark.parametrize(
    ("code", "expected", "logged"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit('no rows')", 1, "no rows\n"),
        ("sys.exit()", 0, ""),
        ("os.kill(os.getpid(), 9)", -9, ""),
        ("os.abort()", -6, ""),
        ("print('half', end=''); os.write(2, b'!')", 0, "!half"),
    ],
)
def test_an_end_is_told_as_a_process_tells_it(
    place: Place, forks: ForkLauncher, code: str, expected: int, logged: str
) -> None:
    task = place.task(f"sys.stdout.reconfigure(line_buffering=False, write_through=False); {code}")
    assert forks.run(task).code == expected
    assert task.log.read_text() == logged


def test_a_bug_keeps_its_traceback(place: Place, forks: ForkLauncher) -> None:
    task = place.task("1 / 0")
    assert forks.run(task).code == 1
    assert "ZeroDivisionError: division by zero" in task.log.read_text()
    assert "steps/work.py" in task.log.read_text()


def test_the_memory_of_a_fork_is_told(place: Place, forks: ForkLauncher) -> None:
    small = forks.run(place.task("pass")).peak_memory_mb
    large = forks.run(place.task("held = b'x' * 200_000_000")).peak_memory_mb
    assert small is not None
    assert large is not None
    assert 190 < large - small < 300


def test_a_fork_beyond_its_time_is_asked_to_end_and_then_made_to(place: Place, forks: ForkLauncher) -> None:
    assert forks.run(replace(place.task("time.sleep(60)"), timeout=0.3)) == Exit(
        -15, peak_memory_mb=pytest.approx(30, abs=200), timed_out=True
    )
    stubborn = place.task("signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)")
    assert forks.run(replace(stubborn, timeout=0.6)).code == -9


def test_forks_run_side_by_side_and_one_that_dies_takes_no_other_along(place: Place, forks: ForkLauncher) -> None:
    codes = ["time.sleep(1); print('well')", "os.kill(os.getpid(), 9)", "time.sleep(0.5); print('well')"]
    tasks = [place.task(code) for code in codes]
    with ThreadPoolExecutor(3) as pool:
        assert [end.code for end in pool.map(forks.run, tasks)] == [0, -9, 0]


def test_a_step_is_known_by_the_folder_that_it_was_given_and_so_can_be_ended(place: Place, forks: ForkLauncher) -> None:
    task = place.task("time.sleep(60)")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(forks.run, task)
        wait_for(lambda: find_processes(task.root))
        (pid,) = find_processes(task.root)
        assert [part for part in psutil.Process(pid).cmdline() if part] == ["python3", "-m", MODULE]
        end_processes(task.root)
        assert waiting.result().code == -9


@pytest.mark.parametrize("rest", ["", "time.sleep(60)"])
def test_a_child_that_has_left_the_session_ends_with_the_step(place: Place, forks: ForkLauncher, rest: str) -> None:
    code = f"""
import subprocess
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
if not (forked := os.fork()):
    os.setsid(); time.sleep(60)
print(child.pid, forked, flush=True)
{rest}
"""
    task = replace(place.task(code), timeout=1)
    forks.run(task)
    for pid in map(int, task.log.read_text().split()):
        wait_for(lambda pid=pid: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_a_server_that_dies_takes_its_forks_along_and_the_next_step_gets_another(
    place: Place, forks: ForkLauncher
) -> None:
    task = place.task("time.sleep(60)")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(forks.run, task)
        wait_for(lambda: find_processes(task.root))
        (pid,) = find_processes(task.root)
        psutil.Process(pid).parent().kill()
        assert waiting.result().code == -9
    wait_for(lambda: not psutil.pid_exists(pid))
    assert forks.run(place.task("pass")).code == 0


def test_where_a_server_hangs_in_an_import_the_step_is_a_process_of_its_own(place: Place, tmp_path: Path) -> None:
    hanging = tmp_path / "hanging.py"
    hanging.write_text("import time; time.sleep(60)")
    with ForkLauncher({MODULE}, (), patience=0.5, server=hanging) as forks:
        task = place.task("print('wsgiref.util' in sys.modules)")
        assert forks.run(task).code == 0
    assert task.log.read_text() == "False\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_an_engine_that_is_killed_leaves_neither_server_nor_step(
    place: Place, tmp_path: Path, number: signal.Signals
) -> None:
    task = place.task("time.sleep(60)")
    script = f"""
from dataclasses import replace
from pathlib import Path
from pipelines.local.forks import SERVER, ForkLauncher, order_of
from pipelines.local.launch import Task
task = Task("Work", "algo-1", "", {task.command!r}, {dict(task.environment)!r}, Path({str(task.root)!r}),
            Path({str(task.log)!r}), (0,), 1, None, lambda: False)
with ForkLauncher({{{MODULE!r}}}, ()) as forks:
    forks.run(task)
"""
    with subprocess.Popen([sys.executable, "-c", script]) as engine:
        wait_for(lambda: find_processes(task.root))
        step = psutil.Process(find_processes(task.root)[0])
        server = step.parent()
        engine.send_signal(number)
        engine.wait(10)
    wait_for(lambda: not step.is_running() and not server.is_running())


def test_servers_end_with_the_block_though_a_step_still_works(place: Place) -> None:
    task, ended = place.task("time.sleep(60)"), threading.Event()

    def run(forks: ForkLauncher) -> None:
        forks.run(task)
        ended.set()

    with ForkLauncher({MODULE}, ()) as forks:
        threading.Thread(target=run, args=(forks,), daemon=True).start()
        wait_for(lambda: find_processes(task.root))
    assert ended.wait(10)
    assert find_processes(task.root) == []


def test_the_server_has_no_variable_that_is_one_steps_own(place: Place, forks: ForkLauncher) -> None:
    task = place.task(
        "print([v.split('=')[0] for v in open(f'/proc/{os.getppid()}/environ').read().split(chr(0)) if str(root) in v])"
    )
    assert forks.run(task).code == 0
    assert task.log.read_text() == "[]\n"
    assert os.environ.get("FORKSERVER_ROOM") is None


def test_what_is_expected_finds_its_server_ready(place: Place, forks: ForkLauncher) -> None:
    task = place.task("print(os.getppid())")
    before = set(psutil.Process().children())

    forks.expect(task.command, task.environment, 1)
    forks.expect(("python3", "-m", "steps.other"), task.environment, 2)

    (server,) = set(psutil.Process().children()) - before
    assert forks.run(task).code == 0
    assert int(task.log.read_text()) == server.pid


def test_an_order_whose_engine_died_while_the_server_imported_is_not_carried_out(place: Place, tmp_path: Path) -> None:
    """By the time that the import is over another engine may work in the same folder."""
    (tmp_path / "slow.py").write_text("import atexit, time; atexit.register(time.sleep, 2); time.sleep(1)")
    task = place.task("(root / 'was_here').touch()")
    task.log.touch()
    order = json.dumps(order_of(task, {MODULE})).encode()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine, given = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, ours, mine, given:
        environment = {"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]}
        server = subprocess.Popen([sys.executable, str(SERVER), "slow"], stdin=theirs.fileno(), env=environment)
        socket.send_fds(ours, [order], [given.fileno()])

    assert server.wait(20) == 0
    assert not (task.root / "was_here").exists()
    assert task.log.read_text() == ""
