"""A service behind a recorder: every request is kept and passed on, and answered here where the emulator cannot.

moto neither honours ClientRequestToken nor shows it, and lacks ListPipelineExecutionSteps. So for SageMaker the
requests themselves are what the tests assert; for CloudFormation they show that a second apply only looks.
"""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from emulators import Server

Rewrite = Callable[[bytes], bytes]
PASSED_ON = ("Content-Type", "X-Amz-Target", "Authorization", "X-Amz-Date")


@dataclass
class Recorder:
    """Where requests go, what came, and `answers` (status and body by operation) that are given in place of moto's."""

    behind: Server
    rewrite: Rewrite = bytes
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    server: Server = field(default_factory=lambda: Server("", Path()))

    def of(self, operation: str) -> list[dict[str, Any]]:
        """Return the parameters of every request of an operation, in order."""
        return [parameters for name, parameters in self.requests if name == operation]

    @contextmanager
    def answering(self, answers: Mapping[str, dict[str, Any]], status: int = 200) -> Iterator[None]:
        """Answer operations in moto's place for a while."""
        self.answers.update({operation: (status, body) for operation, body in answers.items()})
        try:
            yield
        finally:
            self.answers.clear()


@contextmanager
def recording(behind: Server, rewrite: Rewrite = bytes) -> Iterator[Recorder]:
    """Serve on a free local port in front of an emulator; `rewrite` changes what it is sent."""
    recorder = Recorder(behind, rewrite)
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(recorder))
    recorder.server = Server(f"http://127.0.0.1:{http.server_address[1]}", behind.log)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield recorder
    finally:
        http.shutdown()
        http.server_close()
        thread.join(timeout=10)


def _handler(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            operation, parameters = _read(self.headers.get("X-Amz-Target", ""), body)
            recorder.requests.append((operation, parameters))
            if operation in recorder.answers:
                status, answer = recorder.answers[operation]
                self._answer(status, json.dumps(answer).encode())
                return
            headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
            self._answer(*_corrected(operation, *_ask(recorder.behind, recorder.rewrite(body), headers)))

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", self.headers["Content-Type"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep quiet: the requests are recorded."""

    return Handler


def _read(target: str, body: bytes) -> tuple[str, dict[str, Any]]:
    """Return operation and parameters of a request, in either of the protocols of AWS that have no paths."""
    if target:
        return target.rpartition(".")[2], json.loads(body)
    fields = dict(urllib.parse.parse_qsl(body.decode()))
    return fields.pop("Action"), fields


def _corrected(operation: str, status: int, body: bytes) -> tuple[int, bytes]:
    """Return an answer as the service gives it: moto has an error of its own for a pipeline that is not there."""
    if operation == "DescribePipeline" and b"Could not find pipeline" in body:
        return 400, json.dumps({"__type": "ResourceNotFound", "message": "Pipeline does not exist."}).encode()
    return status, body


def _ask(behind: Server, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    asking = urllib.request.Request(behind.url + "/", data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(asking, timeout=30, context=behind.trust) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
