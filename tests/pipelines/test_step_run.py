"""`--only STEP`: what it runs, in whose terminal, and what it says; as processes, because the terminal is the point."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from local_outcomes import definition, origin

from pipelines.local.engine import ProcessLauncher, Request, World, execute
from pipelines.local.workspace import Workspace
from pipelines.run import main
from steps import contract

ROOT = Path(__file__).resolve().parents[2]
STEP = """
import os, pathlib, sys, time
from steps import job, contract

def main(argv):
    secret = 6 * 7
    BODY
job.run(main)
"""


def work(command: list[str], path: str, inputs: dict[str, str]) -> dict[str, Any]:
    """Return a step `Work`."""
    target = {"S3Uri": "s3://bucket/out", "LocalPath": f"{contract.OUTPUT_ROOT}/out", "S3UploadMode": "EndOfJob"}
    return {
        "Name": "Work",
        "Type": "Processing",
        "Arguments": {
            "ProcessingResources": {"ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1}},
            "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": command},
            "RoleArn": "role",
            "ProcessingInputs": [
                {"InputName": name, "S3Input": {"S3Uri": uri, "LocalPath": f"{contract.INPUT_ROOT}/{name}"}}
                for name, uri in inputs.items()
            ],
            "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": target}]},
            "Environment": {"PYTHONPATH": path},
        },
    }


class Bench:
    """A workspace with one execution `run-1` of a step `Work`, and the command run over it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def record(self, body: str) -> None:
        """Run an execution whose step does `body` in its main, as the steps of the pipeline are built."""
        self._execute(work(["python3", "-c", STEP.replace("BODY", body)], str(ROOT), {}))

    def record_module(self, files: dict[str, str]) -> None:
        """Run an execution whose step is the module `steps.audit` of these files."""
        for name, text in files.items():
            path = self.root / "s3/bucket/code/steps" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        code = {contract.IN_CODE: "s3://bucket/code"}
        self._execute(work(["python3", "-m", "steps.audit"], f"{contract.INPUT_ROOT}/code", code))

    def _execute(self, step: dict[str, Any]) -> None:
        world = World(Workspace(self.root), ProcessLauncher(grace=0.5), lambda name, event: {})
        execute(Request("run-1", definition(step), {}), world, lambda event: None)
        (self.root / "executions/run-1/request.json").write_text(origin(execution="run-1").to_json())

    def command(self, *arguments: str) -> list[str]:
        common = ["--local", "--workspace", str(self.root), "--only", "Work"]
        return [sys.executable, "-m", "pipelines.run", *common, *arguments]

    def cli(self, capture: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
        """Run the command in this process; the step's own output is caught with it. Return exit code and both."""
        capture.readouterr()
        code = main(self.command(*arguments)[3:])
        shown = capture.readouterr()
        return code, shown.out, shown.err

    def run(self, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
        command = self.command(*arguments)
        return subprocess.run(command, cwd=ROOT, input=typed, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "ws")


OUTPUT = "folder = contract.output_dir('out'); folder.mkdir(parents=True, exist_ok=True); "


def test_a_step_of_the_newest_execution_runs_in_the_foreground_and_is_compared(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    bench.record(OUTPUT + "(folder / 'a').write_text('x'); print('said', file=sys.stderr)")

    code, out, err = bench.cli(capfd)

    assert code == 0
    assert out == (
        "Work of run-1: succeeded, exit code 0\n  outputs 1 file, the same bytes as in the execution\n"
        f"  folder  {bench.root}/debug/run-1/Work\n"
    )
    assert err == "Work of run-1, with the code it had\nsaid\n"


def test_a_step_that_fails_exits_with_1_tells_why_and_how_to_debug_it(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    bench.record("raise job.StepError('3 rows have no id')")

    code, out, _ = bench.cli(capfd, "--of", "run-1")

    assert code == 1
    assert "Work of run-1: failed, exit code 1\n" in out
    assert "error: 3 rows have no id\n" in out
    again = f"--local --workspace {bench.root} --only Work --of run-1 --debug"
    assert f"debug with: python -m pipelines.run {again}\n" in out


def test_pdb_opens_where_an_error_arose_and_the_step_ends_as_it_did(bench: Bench) -> None:
    bench.record("raise job.StepError('3 rows have no id')")

    done = bench.run("--of", "run-1", "--debug", typed="where\np secret\nq\n")

    assert done.returncode == 1
    assert "(Pdb)" in done.stdout
    assert "main()" in done.stdout
    assert "42\n" in done.stdout
    assert "error: 3 rows have no id\n" in done.stdout
    assert "debug with" not in done.stdout


def test_with_debug_a_breakpoint_stops_and_pdb_opens_for_a_mistake_in_the_code(bench: Bench) -> None:
    bench.record(f"pathlib.Path('{bench.root}/debug').exists() and breakpoint(); [secret][7]")

    done = bench.run("--debug", typed="p secret + 1\nc\np secret\nq\n")

    assert (done.returncode, "43\n" in done.stdout, "42\n" in done.stdout) == (1, True, True)
    assert "IndexError" in done.stderr
    assert "error: IndexError in -c; see the step's log" in done.stdout


def test_a_breakpoint_stops_without_debug_too(bench: Bench) -> None:
    bench.record(f"pathlib.Path('{bench.root}/debug').exists() and breakpoint()")

    done = bench.run(typed="p secret\nc\n")

    assert done.returncode == 0, done.stderr
    assert "42\n" in done.stdout


def test_an_interrupted_step_is_ended_with_all_its_processes(bench: Bench) -> None:
    bench.record("pass")
    begun = bench.root / "begun"
    body = (
        "import subprocess, time; child = subprocess.Popen(['sleep', '600']); "
        f"pathlib.Path('{begun}.part').write_text(f'{{os.getpid()}} {{child.pid}}'); "
        f"os.rename('{begun}.part', '{begun}'); time.sleep(600)"
    )
    file = bench.root / "executions/run-1/definition.json"
    file.write_text(file.read_text().replace("    pass", f"    {body}"))
    process = subprocess.Popen(bench.command(), cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not begun.exists():
        assert process.poll() is None
        os.sched_yield()
    process.send_signal(signal.SIGINT)

    assert process.wait(30) == 1
    assert [pid for pid in begun.read_text().split() if is_alive(pid)] == []


def is_alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_at_a_terminal_pdb_has_the_keyboard_and_ctrl_c_is_its_own(bench: Bench) -> None:
    bench.record("[secret][7]")

    code, shown = at_terminal(bench.command("--debug"), [b"p secret * 2\n", b"\x03", b"p secret * 3\n", b"q\n"])

    assert code == 1
    assert "84" in shown
    assert "KeyboardInterrupt" in shown
    assert "126" in shown
    assert "Work of run-1: failed, exit code 1" in shown


@pytest.mark.slow
def test_at_a_terminal_ctrl_c_ends_a_step(bench: Bench) -> None:
    bench.record(f"pathlib.Path('{bench.root}/debug').exists() and [print('begun', flush=True), time.sleep(600)]")

    code, shown = at_terminal(bench.command(), [b"\x03"], "begun")

    assert code == 1
    assert "KeyboardInterrupt" in shown
    assert "Work of run-1: failed" not in shown


def at_terminal(command: list[str], keys: list[bytes], prompt: str = "(Pdb)") -> tuple[int, str]:
    """Run a command at a terminal of its own; press the next keys when it waits. Return exit code and screen."""
    ours, its = pty.openpty()
    own = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", own, *command], cwd=ROOT, stdin=its, stdout=its, stderr=its, start_new_session=True
    )
    os.close(its)
    try:
        shown = press(ours, keys, prompt.encode())
        return process.wait(30), shown.decode(errors="replace")
    finally:
        process.kill()
        os.close(ours)


def press(terminal: int, keys: list[bytes], prompt: bytes, patience: float = 60.0) -> bytes:
    """Press the next keys each time the screen ends with the prompt and has been still for a moment."""
    shown, left, until = b"", list(keys), time.monotonic() + patience
    while time.monotonic() < until:
        if select.select([terminal], [], [], 0.3)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError:  # nobody holds the other end any more
                return shown
        elif left and shown.rstrip().endswith(prompt):
            os.write(terminal, left.pop(0))
            shown += b"\n"  # what is echoed now is no prompt
    raise AssertionError(f"still at work after {patience:g} s, {len(left)} keys not pressed: {shown!r}")


def test_the_repositorys_code_runs_where_it_is_asked_for_and_differences_are_named(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    """The recorded audit fails; the repository has no such module, and another contract."""
    files = {"__init__.py": "", "contract.py": "old", "audit.py": "1/0", "job.py": (ROOT / "steps/job.py").read_text()}
    bench.record_module(files)

    _, _, recorded = bench.cli(capfd)
    _, out, here = bench.cli(capfd, "--code")

    assert "ZeroDivisionError" in recorded
    differing = "steps/audit.py, steps/contract.py differ"
    assert f"{differing} in the repository; --code runs that" in recorded
    assert "with the repository's code" in here
    assert "No module named steps.audit" in here
    assert "--only Work --of run-1 --code --debug" in out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--only", "Worc"), "did you mean 'Work'?"),
        (("--only", "Work", "--of", "run-2"), "did you mean run-1?"),
        (("--only", "Work", "--code"), "--code: step Work has no input code"),
        (("--only", "Work", "--debug", "--launcher", "docker"), "not in a container; leave --launcher out"),
    ],
)
def test_what_cannot_be_done_is_refused_with_exit_code_2(
    bench: Bench, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], expected: str
) -> None:
    bench.record("pass")

    code = main(["--local", "--workspace", str(bench.root), *arguments])

    shown = capsys.readouterr()
    assert (code, shown.out) == (2, "")
    assert expected in shown.err
    assert not (bench.root / "debug").exists()


def test_an_empty_workspace_has_no_step_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--local", "--workspace", str(tmp_path), "--only", "Work"]) == 2
    assert "nothing has run in the workspace" in capsys.readouterr().err
