"""Trigger: a `.run` object in the raw bucket starts one execution of the pipeline, however often its event comes.

`plan` is pure: from what was gathered it makes the start or the refusal. A claim per writing of the marker and the
token of the start see to it that duplicates do nothing: a claim with a result is done; one without is taken up again
by whoever comes next, unless an execution with its name is there already. A refusal is mailed once. Errors of AWS leave
the handler, so that Lambda tries again and the dead-letter queue keeps what never worked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lambda_trigger import claims, definition, mails, markers, overrides, rawfolder, settings, turns
from lambda_trigger.claims import Claim
from lambda_trigger.definition import Definition
from lambda_trigger.markers import Marker
from lambda_trigger.overrides import Limits
from lambda_trigger.ports import (
    Execution,
    NewExecution,
    PortError,
    Ports,
    StoreError,
    invocation_of,
    join_uri,
    ports_for,
)
from lambda_trigger.rawfolder import RawData, RawFolder
from lambda_trigger.settings import Settings
from lambda_trigger.text import format_time, make_logger
from steps import contract

log = make_logger(__name__)

CLAIMS = ("claims", "start")
"""Where the claims lie, below the artifact prefix."""
TURN = ("claims", "turn.json")
"""Whose turn it is to look for a running execution and to start one, where the config says `concurrency: refuse`."""
RUNNING = ("Executing", "Stopping")
LONGEST_RUN = timedelta(days=30)
"""Age beyond which no execution is looked at to see whether one is running."""
CLOCK_SKEW = timedelta(minutes=10)
"""How far our clock may be ahead of the service's."""
NAMED_BY_TOKEN = 16
"""Characters of the token in an execution's display name, by which a start is found again."""
DONE, STARTED, REFUSED, BUSY = "done", "started", "refused", "busy"


@dataclass(frozen=True)
class Request:
    """One writing of a marker, with the form of its key under which the object was found.

    `pipeline` is that of the mode which the marker asks for, so that the token of a start depends on it.
    """

    pipeline: str
    marker: Marker
    key: str
    content: bytes | None
    mode: str = contract.FULL

    @property
    def token(self) -> str:
        """Return what makes starting this twice the same as once."""
        return self.marker.token(self.pipeline, self.key)

    @property
    def uri(self) -> str:
        """Return the marker's URI."""
        return self.marker.uri(self.key)

    @property
    def name(self) -> str:
        """Return the execution's display name: the marker's name, and what tells it from other starts."""
        stem = self.key.rpartition("/")[2].removesuffix(".run")
        readable = re.sub(r"[^A-Za-z0-9]+", "-", stem)[:60].strip("-") or "run"
        return f"{readable}-{self.token[:NAMED_BY_TOKEN]}"

    @property
    def description(self) -> str:
        """Return who asked for the execution, in one line of printable letters."""
        requester = self.marker.requester  # EventBridge has the account's number, which tells nobody anything
        who = f", put by {requester}" if requester and not requester.isdecimal() else ""
        return "".join(c if c.isprintable() else " " for c in f"started by {self.uri}{who}")[:3072]


@dataclass(frozen=True)
class Found:
    """All that the decision rests on."""

    definition: Definition
    settings: Settings
    folder: RawFolder
    running: tuple[Execution, ...]


@dataclass(frozen=True)
class Plan:
    """What to do: start from `data` with `parameters`, unless there are problems."""

    data: RawData
    parameters: Mapping[str, str]
    problems: tuple[str, ...]


def handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Handle every marker of an event; return what came of each, by its URI."""
    ports, owner = ports_for(context), invocation_of(context)
    found = markers.read(event, ports.deployment.raw_bucket)
    if not found:
        log.info("the event tells of no new .run object in %s; nothing to do", ports.deployment.raw_bucket)
    done: dict[str, str] = {}
    failures = [error for marker in found if (error := _try_marker(ports, marker, owner, done))]
    if failures:
        raise failures[0]
    return {"markers": done}


def _try_marker(ports: Ports, marker: Marker, owner: str, done: dict[str, str]) -> PortError | None:
    """Handle one marker; return the error that Lambda shall try again for, so that others of the event come first."""
    try:
        request = _open(ports, marker)
        done[request.uri] = _handle(ports, request, owner)
    except PortError as error:
        log.warning("%s: %s", marker.uri(marker.keys[0]), error)
        return error
    return None


def plan(request: Request, found: Found) -> Plan:
    """Return what a marker and the files beside it ask for, with every reason why it cannot be done."""
    start = found.settings.start
    data, problems = rawfolder.choose(found.folder, start.globs, start.max_objects, request.mode)
    if request.content is None:
        return Plan(data, {}, ("the marker has gone again; put it there once more to start a run",))
    body, misread = overrides.read(request.content)
    values, wrong = overrides.check(body.values, Limits(found.definition.parameters, start.max_time_limit))
    missing = [] if found.folder.is_cut else rawfolder.check_promised(found.folder, body.files)
    busy = [
        f"execution {other.id} is {other.status.lower()} since {format_time(other.started, found.settings.timezone)} "
        "and the config says 'concurrency: refuse'; put the marker again when it has ended"
        for other in found.running
    ]
    long = [
        f"{data.uri[:60]}...: the raw folder's URI has {len(data.uri)} characters, at most {overrides.VALUE_LIMIT} are "
        "allowed; use a shorter folder"
    ] * (len(data.uri) > overrides.VALUE_LIMIT)
    return Plan(data, {**data.parameters, **values}, (*misread, *wrong, *missing, *problems, *long, *busy))


def _open(ports: Ports, marker: Marker) -> Request:
    """Read a marker under the first form of its key that there is.

    A marker that has gone again, but was handled, is what it was then: neither one without content nor, where its key
    is the encoded form of another's, that one. Which mode it asked for nothing tells but its claim.
    """
    for key in marker.keys:
        content = ports.objects.read_start(marker.uri(key), overrides.BODY_LIMIT + 1, marker.version)
        if content is not None:
            return _request(ports, marker, key, content)
        gone = [_in_mode(ports, marker, key, None, mode) for mode in contract.MODES]
        handled = next((request for request in gone if ports.objects.exists(_claim_uri(ports, request))), None)
        if handled:
            return handled
    return Request(ports.deployment.pipeline, marker, marker.keys[0], None)


def _request(ports: Ports, marker: Marker, key: str, content: bytes) -> Request:
    body, _ = overrides.read(content)
    return _in_mode(ports, marker, key, content, body.mode)


def _in_mode(ports: Ports, marker: Marker, key: str, content: bytes | None, mode: str) -> Request:
    return Request(contract.pipeline_name(ports.deployment.pipeline, mode), marker, key, content, mode)


def _handle(ports: Ports, request: Request, owner: str) -> str:
    claim = claims.make(ports.objects, _claim_uri(ports, request), owner, ports.clock())
    if claim.result:
        log.info("%s: nothing to do, %s", request.uri, dict(claim.result))
        return DONE
    known = None if claim.is_new else _find_started(ports, request, claim.at)
    if known is not None:
        claims.finish(ports.objects, claim, {"execution": known.arn})
        return DONE
    deployed = definition.parse(ports.executions.definition(request.pipeline))
    chosen = settings.parse(ports.objects.read_text(deployed.settings_uri))
    turn = join_uri(ports.deployment.prefix, *TURN)
    with turns.taken(ports, turn, owner) if chosen.start.concurrency == "refuse" else nullcontext():
        claim = claims.read_again(ports.objects, claim)
        if claim.result:
            return DONE  # by somebody else, while this invocation waited for its turn
        planned = plan(request, _gather(ports, request, deployed, chosen))
        if planned.problems:
            return _refuse(ports, request, claim, owner, chosen, planned)
        return _start(ports, request, claim, planned)


def _claim_uri(ports: Ports, request: Request) -> str:
    return join_uri(ports.deployment.prefix, *CLAIMS, f"{request.token}.json")


def _find_started(ports: Ports, request: Request, claimed: datetime) -> Execution | None:
    """Return the execution that was started for an unfinished claim, if its owner came as far.

    The service knows it by its token, but nobody says for how long; the display name holds the token as well.
    """
    recent = ports.executions.recent(request.pipeline, claimed - CLOCK_SKEW)
    return next((execution for execution in recent if execution.name == request.name), None)


def _gather(ports: Ports, request: Request, found: Definition, chosen: Settings) -> Found:
    folder = rawfolder.read(ports.objects, request.marker.folder(request.key), chosen.start.max_objects)
    running: tuple[Execution, ...] = ()
    if chosen.start.concurrency == "refuse":
        recent = ports.executions.recent(request.pipeline, ports.clock() - LONGEST_RUN)
        running = tuple(e for e in recent if e.status in RUNNING and e.name != request.name)
    return Found(found, chosen, folder, running)


def _refuse(ports: Ports, request: Request, claim: Claim, owner: str, chosen: Settings, planned: Plan) -> str:
    """Mail why nothing starts; whoever else handles the same event leaves it to the owner of the claim.

    A start needs no owner: its token makes it safe. So a file that arrives while another invocation refuses may start
    what the mail says did not.
    """
    own = claims.own(ports.objects, claim, owner, ports.clock())
    if own is None:
        return BUSY
    when = format_time(ports.clock(), chosen.timezone, chosen.language)
    mail = mails.refused(request.pipeline, request.uri, when, planned.problems, chosen.language)
    log.warning("%s: no run is started: %s", request.uri, "; ".join(planned.problems))
    ports.notifier.publish(mail.subject, mail.body, mail.context(request.name, REFUSED))
    claims.finish(ports.objects, own, {"refused": planned.problems[0][:256]})
    return REFUSED


def _start(ports: Ports, request: Request, claim: Claim, planned: Plan) -> str:
    for version, texts in planned.data.manifests.items():
        for name, text in texts.items():
            _write_manifest(ports, version, name, text)
    execution = ports.executions.start(
        NewExecution(request.pipeline, request.name, request.description, request.token, planned.parameters)
    )
    claims.finish(ports.objects, claim, {"execution": execution})
    log.info("%s: started %s", request.uri, execution)
    return STARTED


def _write_manifest(ports: Ports, version: str, name: str, text: str) -> None:
    """Write a manifest that is not there; one of equal files in another raw folder is replaced by that of this run."""
    uri = join_uri(ports.deployment.prefix, contract.MANIFESTS_DIR, version, name)
    if not ports.objects.replace(uri, text, None):
        known = ports.objects.read_tagged(uri)
        if known is None:
            raise StoreError(f"{uri}: has gone while it was written; start again")
        if known.text != text:
            log.warning("%s was of another raw folder with equal files and is replaced", uri)
            ports.objects.write_text(uri, text)
