"""Forks of a warm process keep what a process of their own keeps: with real tiny modules, and none of AutoGluon."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from foreign_processes import ends, wait_for_pid

from steps import trial, warm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks are made on Linux only")
PATIENT = trial.Guard(fit=20, measure=20)
CHILD = """
import os, pathlib, signal, sys, time
def main(argv):
    folder = pathlib.Path(argv[0])
    def tell(value):
        (folder / "outcome.json").write_text('{"status": "trained", "reason": "%s"}' % value)
    (folder / "pid").write_text(str(os.getpid()))
    exec((folder / "code").read_text())
"""
SLOW = "time.sleep(60)"


class Bench:
    """Forks from servers that have imported `library`, and run code."""

    def __init__(self, root: Path, forks: warm.Warm) -> None:
        self.root, self.forks = root, forks
        (root / "child.py").write_text(CHILD)
        self.count = 0

    def folder(self, code: str) -> Path:
        self.count += 1
        folder = self.root / str(self.count)
        folder.mkdir()
        (folder / "code").write_text(code)
        return folder

    def run(self, code: str, guard: trial.Guard = PATIENT, **variables: str) -> trial.Outcome:
        return self.run_in(self.folder(code), guard, **variables)

    def run_in(self, folder: Path, guard: trial.Guard = PATIENT, **variables: str) -> trial.Outcome:
        command = (sys.executable, "-m", "child")
        return self.forks.run(folder, guard, self.environment(**variables), command)

    def environment(self, **variables: str) -> Mapping[str, str]:
        environment = trial.child_environment({**os.environ, **variables}, 1)
        return {**environment, "PYTHONPATH": f"{environment['PYTHONPATH']}{os.pathsep}{self.root}", **variables}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    (tmp_path / "library.py").write_text("import os\nLOADED = os.getpid(), os.environ['OMP_NUM_THREADS']\n")
    with warm.Warm(("library",)) as forks:
        yield Bench(tmp_path, forks)
        servers = [process.pid for process in psutil.Process().children()]
    assert not [pid for pid in servers if psutil.pid_exists(pid)]


def told(value: str) -> trial.Outcome:
    return trial.Outcome(trial.TRAINED, value)


def test_a_fork_tells_its_outcome(bench: Bench) -> None:
    assert bench.run("tell('well')") == told("well")


def test_forks_find_imported_what_their_server_imported_once(bench: Bench) -> None:
    code = "import library; tell(f'{library.LOADED[0] == os.getppid()} {os.getppid()}')"
    first, second = bench.run(code), bench.run(code)
    assert first == second
    assert first.reason.startswith("True")


def test_each_number_of_threads_is_there_before_the_libraries_are(bench: Bench) -> None:
    code = "import library; tell(library.LOADED[1] + os.environ['OMP_NUM_THREADS'])"
    assert [bench.run(code, OMP_NUM_THREADS=threads).reason for threads in "121"] == ["11", "22", "11"]


def test_a_library_that_is_not_there_is_missed_by_those_who_use_it_only(tmp_path: Path) -> None:
    with warm.Warm(("no_such_library",)) as forks:
        assert Bench(tmp_path, forks).run("tell('well')") == told("well")


def test_a_fork_beyond_the_guard_is_killed_and_transient(bench: Bench) -> None:
    bench.run("tell('the server is there')")
    folder = bench.folder(SLOW)
    started = time.monotonic()
    outcome = bench.run_in(folder, trial.Guard(1.1, 60))
    assert outcome == trial.Outcome(trial.TRANSIENT, "training was stopped by the outer guard after 1 s")
    assert time.monotonic() - started < 10
    assert not psutil.pid_exists(int((folder / "pid").read_text()))


def test_a_guard_holds_while_the_server_hangs_in_an_import(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text(f"import time; {SLOW}")
    with warm.Warm(("library",), patience=0.2) as forks:
        outcome = Bench(tmp_path, forks).run("tell('well')", trial.Guard(0.3, 60))
    assert outcome == trial.Outcome(trial.TRANSIENT, "training was stopped by the outer guard after 0 s")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os.kill(os.getpid(), 9)", "training was killed (SIGKILL), most likely because memory ran out"),
        ("sys.exit(137)", "training was killed (SIGKILL), most likely because memory ran out"),
        ("os.kill(os.getpid(), 11)", "training was ended by SIGSEGV"),
        ("os.abort()", "training was ended by SIGABRT"),
        ("sys.exit(74)", "training could not write its files, most likely because the disk is full"),
    ],
)
def test_a_signal_or_a_full_disk_is_transient(bench: Bench, code: str, reason: str) -> None:
    assert bench.run(code) == trial.Outcome(trial.TRANSIENT, reason)


@pytest.mark.parametrize("code", ["sys.exit(3)", "pass", "import no_such_module"])
def test_an_end_without_an_outcome_is_our_fault(bench: Bench, code: str) -> None:
    assert bench.run(code).status == trial.BROKEN


def test_a_fork_that_dies_takes_no_other_along(bench: Bench) -> None:
    good = "time.sleep(1.5); tell('well')"
    bench.run("tell('the server is there')")
    with ThreadPoolExecutor(4) as pool:
        codes = {good: PATIENT, "os.kill(os.getpid(), 9)": PATIENT, SLOW: trial.Guard(0.5, 1), f"pass; {good}": PATIENT}
        found = list(pool.map(bench.run, codes.keys(), codes.values()))
    assert [outcome.status for outcome in found] == [trial.TRAINED, trial.TRANSIENT, trial.TRANSIENT, trial.TRAINED]


def test_what_a_fork_prints_goes_nowhere_and_its_stdin_never_answers(bench: Bench) -> None:
    code = "tell(os.readlink('/proc/self/fd/1') + ' ' + os.readlink('/proc/self/fd/0').split(':')[0])"
    assert bench.run(code) == told("/dev/null pipe")


def test_a_fork_holds_no_end_of_a_connection(bench: Bench) -> None:
    code = """
time.sleep(0.5)
links = [os.readlink(f"/proc/self/fd/{number}") for number in range(64) if os.path.exists(f"/proc/self/fd/{number}")]
tell(" ".join(link for link in links if link.startswith("socket:")))
"""
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(bench.run, [code] * 3)) == [told("")] * 3


def test_a_server_that_dies_takes_its_forks_along_and_the_next_fit_gets_another(bench: Bench) -> None:
    code = (
        "import steps.fitting, threading; threading.Thread(target=steps.fitting.end_with_parent, daemon=True).start()"
    )
    folder = bench.folder(f"{code}; {SLOW}")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(bench.run_in, folder)
        fork = psutil.Process(wait_for_pid(folder / "pid"))
        fork.parent().kill()
        reason = "training was killed (SIGKILL), most likely because memory ran out"
        assert waiting.result() == trial.Outcome(trial.TRANSIENT, reason)
    assert ends(fork.pid)
    assert bench.run("tell('well')") == told("well")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_no_fork_is_left_however_the_step_ends(tmp_path: Path, number: int) -> None:
    code = f"""
import os, sys
from pathlib import Path
from steps import trial, warm
folder = Path({str(tmp_path)!r})
with warm.Warm(()) as forks:
    forks.run(folder, trial.Guard(60, 60), os.environ, (sys.executable, "-m", "child"))
"""
    (tmp_path / "child.py").write_text(CHILD)
    (tmp_path / "code").write_text(SLOW)
    environment = trial.child_environment({"PYTHONPATH": str(tmp_path)}, 1)
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL) as step:
        fork = psutil.Process(wait_for_pid(tmp_path / "pid"))
        server = fork.parent()
        step.send_signal(number)
        step.wait(10)
    assert ends(fork.pid)
    assert ends(server.pid)


def test_an_order_that_nobody_waits_for_any_more_is_not_carried_out() -> None:
    forked: list[object] = []
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        with control, ours, end:
            socket.send_fds(control, [b'["child"]'], [end.fileno()])
        warm.serve(theirs, lambda *order: forked.append(order))
    assert forked == []


def test_a_fork_that_finds_no_memory_is_told_as_killed() -> None:
    def no_fork(*_: object) -> None:
        raise OSError

    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = threading.Thread(target=warm.serve, args=(theirs, no_fork))
    server.start()
    ours, end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, ours:
        with control, end:
            socket.send_fds(control, [b'["child"]'], [end.fileno()])
            assert ours.recv(100) == b"-9"
        server.join(10)
    assert not server.is_alive()


def test_one_model_alone_is_no_reason_to_fork() -> None:
    assert [warm.is_possible(models) for models in (0, 1, 2)] == [False, False, True]


def test_one_model_is_forked_too_where_the_step_has_found_all_imported(tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(CHILD)
    slow = "import library; (folder / 'told').write_text(f'{os.getpid()} {os.getppid()} {library.LOADED}'); "
    (tmp_path / "code").write_text(slow + SLOW)
    (tmp_path / "library.py").write_text("import os\nLOADED = os.getpid()\n")
    code = f"""
import os, sys, types
import library
from pathlib import Path
from steps import trial, warm
assert not warm.is_possible(1)
sys.modules["autogluon.tabular"] = types.ModuleType("autogluon.tabular")
assert warm.is_possible(1)
environment = trial.child_environment(os.environ, 1)
print(os.getpid(), flush=True)
with warm.Warm(("library",)) as forks:
    forks.start(environment)
    first = forks.run(Path({str(tmp_path)!r}), trial.Guard(1.5, 0), environment, (sys.executable, "-m", "child"))
    print(first.status, flush=True)
    (Path({str(tmp_path)!r}) / "code").write_text("tell('well')")
    print(forks.run(Path({str(tmp_path)!r}), trial.Guard(9, 9), environment, (sys.executable, "-m", "child")).reason)
"""
    environment = trial.child_environment({"PYTHONPATH": str(tmp_path)}, 1)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    step, status, last = done.stdout.split()
    fork, server, loaded = (tmp_path / "told").read_text().split()
    assert (status, last) == ("transient", "well")
    assert loaded == step
    assert server != step
    assert ends(int(fork))
    assert ends(int(server))
