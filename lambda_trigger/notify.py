"""Notify: one mail per kind (started, trained, finished, failed), and `latest.json` when a run has finished.

The texts are pure (`lambda_trigger.mails`). A mail that cannot be delivered never fails a run: that is
logged and counted, and `Sent` is `false`. Nor does a bug, on AWS: its traceback is in the log, an alarm tells of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lambda_trigger import links, mails, metrics, settings, summary, verdicts
from lambda_trigger.mails import Ending, FailedStep, Mail, Places, Run
from lambda_trigger.ports import ObjectStore, PortError, Ports, Scalar, join_uri, ports_for
from lambda_trigger.settings import Settings
from lambda_trigger.summary import Summary
from lambda_trigger.text import format_size, format_time, list_names, make_logger, quote_argument
from steps import contract
from steps.language import Language

log = make_logger(__name__)

ATTEMPTS = 5
"""Tries to put `latest.json` while others put theirs."""
STARTED_WITHIN = timedelta(days=1)
"""How far back the run that a mail speaks of is looked for when it starts."""


class KindError(Exception):
    """The kind of notification is none that we know."""


def handler(event: Mapping[str, Scalar], context: object) -> dict[str, Scalar]:
    """Send the mail of the event's kind; return `Sent`, "true" or "false"."""
    ports, kind = ports_for(context), str(event[contract.KEY_KIND])
    try:
        mail = _write_mail(ports, kind, event)
        ports.notifier.publish(mail.subject, mail.body, mail.context(str(event[contract.KEY_EXECUTION]), kind))
    except PortError as error:
        log.error("the mail %r could not be sent; the run goes on: %s", kind, error)  # noqa: TRY400 - it says it all
        _count_unsent(ports)
        return {contract.OUT_SENT: "false"}
    except Exception:
        if ports.service is None:
            raise  # on one machine whoever made the bug is there to see it
        log.exception("the mail %r could not be written; the run goes on", kind)
        _count_unsent(ports)
        return {contract.OUT_SENT: "false"}
    return {contract.OUT_SENT: "true"}


def publish_latest(objects: ObjectStore, uri: str, latest: Mapping[str, str]) -> bool:
    """Write `latest.json` unless it is of a run that started later; tell whether it was written.

    The put is conditional on what was read, so that of two runs finishing together the later one stays.
    """
    for _ in range(ATTEMPTS):
        known = objects.read_tagged(uri)
        if known is not None and _is_later(known.text, latest["started"]):
            return False
        if objects.replace(uri, contract.to_json(latest), known.etag if known else None):
            return True
    log.warning("%s kept changing while it was written; left as it is", uri)
    return False


def parse_time(value: Scalar | None) -> datetime | None:
    """Return the moment that an event names (ISO 8601, or seconds since 1970), or None if it names none."""
    try:
        seconds = float(value) if value is not None else None
    except ValueError:
        seconds = None
    try:
        if seconds is not None:
            return datetime.fromtimestamp(seconds, UTC)
        moment = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_later(text: str, started: str) -> bool:
    """Tell whether the run of a `latest.json` started after `started`; an unreadable one is replaced."""
    try:
        known = parse_time(json.loads(text)["started"])
    except (ValueError, KeyError, TypeError):
        return False
    ours = parse_time(started)
    return known is not None and ours is not None and known > ours


def _write_mail(ports: Ports, kind: str, event: Mapping[str, Scalar]) -> Mail:
    chosen = settings.parse(ports.objects.read_text(str(event[contract.KEY_SETTINGS])))
    run = _describe_run(ports, chosen, event)
    if kind == contract.STARTED:
        return mails.started(_add_origin(ports, chosen, run, event), [model.name for model in chosen.models])
    if kind == contract.TRAINED_MAIL:
        found = verdicts.parse(ports.objects.read_text(str(event[contract.KEY_VERDICTS])))
        drift = _read_drift(ports.objects, event, chosen.language)
        return mails.trained(run, found, [model.slug for model in chosen.models], drift)
    if kind == contract.FINISHED:
        return _write_finished(ports, chosen, run, event)
    if kind == contract.FAILED_MAIL:
        return mails.failed(run, _ending(event))
    raise KindError(f"no mail of kind {kind!r}; expected started, trained, finished or failed")


def _ending(event: Mapping[str, Scalar]) -> Ending:
    step, model, reason, command, debug = (
        str(event.get(key, ""))
        for key in (
            *(contract.KEY_STEP, contract.KEY_MODEL, contract.KEY_REASON),
            *(contract.KEY_COMMAND, contract.KEY_DEBUG),
        )
    )
    return Ending("Failed", [FailedStep(step, model, reason)], commands=[command][: bool(command)], debug=debug)


def _read_drift(objects: ObjectStore, event: Mapping[str, Scalar], language: Language) -> list[str]:
    """Return the warnings of CheckData, by model; none where the execution has no such step."""
    if contract.KEY_CONTRACT not in event:
        return []
    found = json.loads(objects.read_text(str(event[contract.KEY_CONTRACT])))
    models = [model for _, model in sorted(found["models"].items())]
    warnings = [(model["name"], language.quote(warning)) for model in models for warning in model["warnings"]]
    said = [language.say("{name}: {text}", name=name, text=warning) for name, warning in warnings]
    return [*map(language.quote, found["notes"]), *said]


FACTS = {
    "raw data": contract.RAW_DATA_URI,
    "training data": contract.TRAIN_DATA_VERSION,
    "prediction data": contract.PREDICT_DATA_VERSION,
}
"""What a mail calls the parameters that say which data a run is of."""
ORIGIN = ("name", "started by", "asked for")
"""What a mail calls who started a run, and why."""


def _describe_run(ports: Ports, chosen: Settings, event: Mapping[str, Scalar]) -> Run:
    """Return what every mail says of its run; the link only where there is a console to look at it."""
    execution, place = str(event[contract.KEY_EXECUTION]), ports.deployment
    mode = str(event.get(contract.KEY_MODE, contract.FULL))
    pipeline, link = contract.pipeline_name(chosen.pipeline, mode), ""
    if place.region:
        link = links.execution_link(pipeline, execution, place.region, place.studio_domain)
    return Run(
        pipeline=pipeline,
        execution=execution,
        when=format_time(ports.clock(), chosen.timezone, chosen.language),
        facts={**{name: str(event.get(key, "")) for name, key in FACTS.items()}, "view": link},
        language=chosen.language,
    )


def _add_origin(ports: Ports, chosen: Settings, run: Run, event: Mapping[str, Scalar]) -> Run:
    """Return a run with who started it and how many files its data are, as far as that can be found out."""
    versions = (contract.TRAIN_DATA_VERSION, contract.PREDICT_DATA_VERSION)
    data = {name: _say_data(ports, chosen, run.facts[name]) for name, key in FACTS.items() if key in versions}
    return replace(run, facts={**_find_maker(ports, run, event), **run.facts, **data})


def _find_maker(ports: Ports, run: Run, event: Mapping[str, Scalar]) -> dict[str, str]:
    """Return who started a run and why, which only the service knows; a mail without it is better than none."""
    if ports.service is None:
        return {}
    after = (parse_time(event.get(contract.KEY_STARTED)) or ports.clock()) - STARTED_WITHIN
    try:
        recent = ports.executions.recent(run.pipeline, after)
        arn = next((execution.arn for execution in recent if execution.id == run.execution), "")
        found = ports.executions.describe(arn) if arn else None
    except PortError as error:
        log.warning("who started %s cannot be found out: %s", run.execution, error)
        return {}
    told = (found.name, found.maker, found.description) if found else ()
    return dict(zip(ORIGIN, told, strict=False))


def _say_data(ports: Ports, chosen: Settings, version: str) -> str:
    """Return a data version with the number and size of its files, from its manifest."""
    if not version:
        return ""
    try:
        manifest = join_uri(chosen.prefix, contract.MANIFESTS_DIR, version, contract.MANIFEST_FILE)
        files = json.loads(ports.objects.read_text(manifest))["files"]
    except (PortError, ValueError, KeyError, TypeError) as error:
        log.info("the files of data version %s cannot be counted: %s", version, error)
        return version
    size = chosen.language.quote(format_size(sum(file["size"] for file in files)))
    return chosen.language.count(
        len(files),
        "{count} file, {size}, version {version}",
        "{count} files, {size}, version {version}",
        size=size,
        version=version,
    )


def _count_unsent(ports: Ports) -> None:
    """Write the line that CloudWatch makes a metric of; on one machine nobody reads metrics."""
    if ports.service is not None:
        sys.stdout.write(metrics.count_unsent_mail(ports.deployment.pipeline, ports.clock()))


def _write_finished(ports: Ports, chosen: Settings, run: Run, event: Mapping[str, Scalar]) -> Mail:
    output = event[contract.KEY_PREDICTIONS]
    predictions = join_uri(output, contract.PREDICTIONS_DIR)
    report, table = join_uri(output, contract.REPORT_FILE), join_uri(output, contract.SUMMARY_FILE)
    found = summary.parse(ports.objects.read_text(table))
    started = parse_time(event.get(contract.KEY_STARTED)) or ports.clock()
    latest = {
        "execution": run.execution,
        "started": started.astimezone(UTC).isoformat(),
        "status": found.status,
        "predictions": predictions + "/",
        "report": report,
        "summary": table,
    }
    trouble = _try_latest(ports.objects, chosen.latest, latest, run.language)
    predictions_at, report_at, table_at = [ports.objects.locate(uri) for uri in (predictions, report, table)]
    next_steps = [*trouble, *_next_steps(ports, found, run.language)]
    return mails.finished(run, found, Places(predictions_at, report_at, table_at, next_steps))


def _try_latest(objects: ObjectStore, uri: str, latest: Mapping[str, str], language: Language) -> list[str]:
    """Publish `latest.json`; return what people must know if that went wrong."""
    try:
        publish_latest(objects, uri, latest)
    except PortError:
        log.exception("%s could not be written", uri)
        place = objects.locate(uri)
        return [language.say("{uri} could not be written: consumers of it still see an earlier run", uri=place)]
    return []


def _next_steps(ports: Ports, found: Summary, language: Language) -> list[str]:
    """Return what to do: mend what failed or did not train; approve one of the models that the gate turned down."""
    failed = [model.name for model in found.models if model.failure is not None]
    if found.mode == contract.PREDICT_MODE:
        return _next_scoring(ports, found, failed, language)
    turned_down = [model for model in found.models if not model.accepted and model.served_by != contract.FRESH]
    turned_down = [model for model in turned_down if model.failure is None]
    concerned = [model for model in turned_down if model.is_unserved or model.served_by == contract.DEFAULT]
    untrained = [model.name for model in concerned if not model.is_trained]
    approvals = [
        ports.command("registry", f"approve {quote_argument(model.name, model.slug)}")
        for model in concerned
        if model.is_trained
    ]
    steps = _say_mending(failed, untrained, language)
    if steps:
        steps.append(ports.command("run", "--raw FOLDER"))
    if not approvals:
        return steps
    look = language.say("look at the report; to serve a model that the gate turned down, approve its newest version:")
    return [*steps, look, *approvals]


def _say_mending(failed: Sequence[str], untrained: Sequence[str], language: Language) -> list[str]:
    """Return what to mend before a new run is of use."""
    steps = []
    if failed:
        names = list_names(failed, language=language)
        steps.append(language.say("mend what is said of {names} above, then start a new run:", names=names))
    if untrained:
        steps.append(
            language.say(
                "nothing of this run can be approved for {names}, which did not train: "
                "mend the settings or the data (or neither, where the cause has passed), then start a new run:",
                names=list_names(untrained, language=language),
            )
        )
    return steps


def _next_scoring(ports: Ports, found: Summary, failed: Sequence[str], language: Language) -> list[str]:
    """Return what to do after a run that scored only: mend what failed, approve what is missing, and score again."""
    missing = [model for model in found.models if model.is_unserved and model.failure is None]
    steps = _say_mending(failed, (), language)
    if missing:
        steps.append(
            language.say("to serve the segments without a default, approve a version of each, then score again:")
        )
        steps += [ports.command("registry", f"approve {quote_argument(model.name, model.slug)}") for model in missing]
    return [*steps, ports.command("run", f"--mode {contract.PREDICT_MODE} --raw FOLDER")] if steps else []
