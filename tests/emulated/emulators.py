"""Servers that stand in for AWS: processes on free local ports, which end with the tests however those end.

ministack stands in for CloudFormation, S3, EventBridge, Lambda, SNS and SQS. It really runs the functions, each with
the rights of its own role, over TLS, which the buckets' policies ask for. moto stands in for SageMaker. What each lacks
and what it only pretends is written in docs/decisions.
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.config import Config
from certificate import make_certificate

ROOT = Path(__file__).resolve().parents[2]
EMULATOR_BIN = ROOT / ".venv-emulator" / "bin"
REGION = "us-east-1"
ACCOUNT = "123456789012"
START_SECONDS = 90
"""How long a server may take to answer on a machine that does much else."""

LEASH = """
import os, signal, subprocess, sys, threading
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
def end_with_the_tests():
    sys.stdin.read()
    child.terminate()
    try:
        child.wait(timeout=5)
    except subprocess.TimeoutExpired:
        child.kill()
threading.Thread(target=end_with_the_tests, daemon=True).start()
child.wait()
os.killpg(0, signal.SIGKILL)
"""
"""Runs a server until its own standard input ends, which happens even where the tests are killed; then ends the whole
process group, because the emulator's functions are processes too."""

Found = TypeVar("Found")


def waited(look: Callable[[], Found], what: str, seconds: float = 60) -> Found:
    """Return what `look` finds as soon as it is something; no test sleeps for a fixed time."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} seconds"
        time.sleep(0.05)
    return found


@dataclass(frozen=True)
class Server:
    """One server that answers; `log` is what it printed, `authority` the certificate that it shows."""

    url: str
    log: Path
    authority: Path | None = None

    @property
    def trust(self) -> ssl.SSLContext | None:
        """Return what a client needs to trust it."""
        return ssl.create_default_context(cafile=self.authority) if self.authority else None


@contextmanager
def running(
    name: str,
    command: list[str],
    folder: Path,
    answers: str,
    environment: Mapping[str, str],
    authority: Path | None = None,
) -> Iterator[Server]:
    """Start a server, wait until its path `answers` is served, and end it with everything that it started."""
    port = free_port()
    log = folder / f"{name}.log"
    filled = [part.format(port=port) for part in command]
    variables = {key: value.format(port=port) for key, value in environment.items()}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", LEASH, *filled],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), **variables},
            start_new_session=True,
        )
    server = Server(f"{'https' if authority else 'http'}://127.0.0.1:{port}", log, authority)
    try:
        waited(lambda: _serves(process, server, answers), f"{name} to start; it printed into {log}", START_SECONDS)
        yield server
    finally:
        _end(process)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _serves(process: subprocess.Popen[bytes], server: Server, answers: str) -> bool:
    assert process.poll() is None, f"the server ended: {server.log.read_text(errors='replace')[-2000:]}"
    try:
        with urllib.request.urlopen(server.url + answers, timeout=5, context=server.trust) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ministack(folder: Path, variables: Mapping[str, str]) -> Any:
    """Start ministack; its Lambda functions see `variables` in their environment, and boto3 as their runtime has it."""
    python = EMULATOR_BIN / "python"
    assert python.exists(), "no .venv-emulator; make it with: make install-emulator"
    certificate, key = make_certificate(folder)
    own = {
        "BIND_HOST": "127.0.0.1",  # its default listens on every interface
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "GATEWAY_PORT": "{port}",
        "AUTH": "true",  # policies are judged, with their conditions
        "USE_SSL": "1",
        "MINISTACK_SSL_CERT": str(certificate),
        "MINISTACK_SSL_KEY": str(key),
        "AWS_CA_BUNDLE": str(certificate),  # the functions inherit it
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.1",  # the service waits a minute between attempts
        "PATH": f"{EMULATOR_BIN}:{os.environ['PATH']}",  # functions run with the python3 found first
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [str(python), "-m", "ministack"]
    return running("ministack", command, folder, "/_ministack/health", {**own, **variables}, certificate)


def moto(folder: Path) -> Any:
    """Start moto's server."""
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", "{port}"]
    variables = {"AWS_DEFAULT_REGION": REGION, "PYTHONDONTWRITEBYTECODE": "1"}
    return running("moto", command, folder, "/moto-api/data.json", variables)


@dataclass(frozen=True)
class Keys:
    """The access keys of somebody; those of the account itself may do everything."""

    access: str = ACCOUNT
    secret: str = "testing"


def client(server: Server, service: str, keys: Keys | None = None) -> Any:
    """Return a boto3 client that talks to a server, as the account itself or as somebody in it."""
    used = keys or Keys()
    make: Any = boto3.client
    return make(
        service,
        region_name=REGION,
        endpoint_url=server.url,
        aws_access_key_id=used.access,
        aws_secret_access_key=used.secret,
        verify=str(server.authority) if server.authority else None,
        config=Config(retries={"mode": "standard", "max_attempts": 5}, s3={"addressing_style": "path"}),
    )
