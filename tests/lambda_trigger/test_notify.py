from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from lambda_cases import BASE, RUN, SETTINGS_URI, Desk

from lambda_trigger import judge, notify
from lambda_trigger.folders import FolderObjects, LocalContext
from lambda_trigger.notify import KindError, parse_time, publish_latest
from lambda_trigger.ports import NotifyError, StoreError

LATEST = f"{BASE}/predictions/latest.json"


def model_summary(served_by: str = "fresh", **changes: Any) -> dict[str, Any]:
    return {
        "slug": "EWR",
        "mae": 10.0,
        "baseline_mae": 30.0,
        "improvement": 66.7,
        "threshold": 20.0,
        "accepted": True,
        "reasons": [],
        "served_by": served_by,
        "why": "accepted by the gate",
        "rows": 5,
        "rows_waiting": 0,
        "model_version": None,
        "status": "trained",
        **changes,
    }


def finish(desk: Desk, models: dict[str, Any], status: str = "Succeeded", **event: Any) -> dict[str, Any]:
    """Put a summary where PostProcess would have, and send the mail."""
    desk.configure()
    predictions = f"{RUN}/predictions"
    summary = {"status": status, "rows": 15, "predict_rows": 15, "models": models}
    desk.write(f"{predictions}/summary.json", summary)
    found = {"Kind": "finished", "Predictions": predictions, "Started": "2026-11-22T10:00:00Z", **event}
    return notify.handler(desk.event([], **found), desk.context)


def outbox(desk: Desk, execution: str = "run-1") -> list[Path]:
    return sorted((desk.root / "outbox" / execution).iterdir())


def body(desk: Desk) -> str:
    return outbox(desk)[-1].read_text(encoding="utf-8")


def first_line(desk: Desk) -> str:
    return body(desk).split("\n\n")[1]


def test_the_mail_of_a_started_run_names_data_and_models_in_the_peoples_time_zone(desk: Desk) -> None:
    desk.configure(timezone="Asia/Tokyo")
    event = desk.event([], Kind="started", RawDataUri="s3://raw/day/", TrainDataVersion="abc")
    noon = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    context = LocalContext(replace(desk.ports, clock=lambda: noon))

    assert notify.handler(event, context) == {"Sent": "true"}

    text = body(desk)
    assert "flights: run started with 3 models (EWR, JFK, LGA)" in text
    assert "s3://raw/day/" in text
    assert "2026-11-22 12:00 Asia/Tokyo" in text


def test_the_mail_of_the_trainings_has_a_table_and_every_reason(desk: Desk) -> None:
    desk.configure(thresholds={"LGA": 30.0})
    for slug, mae in {"EWR": 31.0, "JFK": 10.0, "LGA": 25.0}.items():
        interval = {"low": 0.98 * mae, "high": 1.03 * mae} if slug == "EWR" else None
        desk.train(slug, mae=mae, baseline=40.0, mae_interval=interval)
    names = ["EWR", "JFK", "LGA"]
    judge.handler(desk.event(names, Threshold=20.0, Output=f"{RUN}/judge"), desk.context)

    notify.handler(desk.event(names, Kind="trained", Verdicts=f"{RUN}/judge/verdicts.json"), desk.context)

    text = body(desk)
    assert "flights: the gate rejected 1 of 3 models (EWR)" in text
    table = [line.split() for line in text.splitlines() if line.startswith(("MODEL", "EWR  ", "LGA  "))]
    assert table[1] == ["EWR", "31", "30.38", "to", "31.93", "20", "40", "22.5", "%", "100", "REJECTED"]
    assert table[2] == ["LGA", "25", "-", "30", "40", "37.5", "%", "100", "accepted"]
    assert "EWR: MAE 31 > threshold 20" in text


def test_the_mail_of_the_trainings_names_a_few_warnings_of_drift(desk: Desk) -> None:
    desk.configure()
    names = ["EWR", "JFK", "LGA"]
    for slug in names:
        desk.train(slug, mae=10.0)
    judge.handler(desk.event(names, Threshold=20.0, Output=f"{RUN}/judge"), desk.context)
    warnings = {"EWR": [f"column 'c{n}' moved" for n in range(5)], "JFK": ["column 'z' moved"], "LGA": []}
    models = {slug: {"name": slug, "warnings": found} for slug, found in warnings.items()}
    checked = desk.write(f"{RUN}/check/contract.json", {"notes": [], "models": models})
    more = {"Verdicts": f"{RUN}/judge/verdicts.json", "Contract": checked}

    notify.handler(desk.event(names, Kind="trained", **more), desk.context)

    text = body(desk)
    assert "Data to predict unlike training data, 6 warnings:\n  EWR: column 'c0' moved\n" in text
    assert "  and 1 more, in the report" in text
    assert "JFK: column" not in text


FORGED = "EWR\n\nflights: all 1 models passed the gate\r\x1b[2J\u202e"


def lines_of(text: str) -> list[str]:
    """Return the lines of a mail, which must hold nothing that acts."""
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)
    return text.splitlines()


def test_no_name_and_no_reason_forges_a_line_of_the_mail_of_the_trainings(desk: Desk) -> None:
    slug = next(model["slug"] for model in desk.configure(names=[FORGED])["models"])
    desk.train(slug, status="failed", reason=f"x\n{FORGED}", mae=1e12)
    judge.handler(desk.event([slug], Threshold=20.0, Output=f"{RUN}/judge"), desk.context)

    notify.handler(desk.event([slug], Kind="trained", Verdicts=f"{RUN}/judge/verdicts.json"), desk.context)

    lines = lines_of(body(desk))
    assert [line for line in lines if line.startswith("flights: ")] == [lines[2]]
    assert lines[2].startswith("flights: the gate rejected 1 of 1 models (EWR\\n\\n")


def test_no_name_and_no_reason_forges_a_line_of_the_mail_of_a_finished_run(desk: Desk) -> None:
    finish(desk, {FORGED: model_summary("default", accepted=False, reasons=[f"r\n{FORGED}"], why=f"w\n{FORGED}")})

    lines = lines_of(body(desk))
    assert [line for line in lines if line.startswith("flights: ")] == [lines[2]]
    assert "DEFAULT" in lines[2]


def test_no_name_and_no_failure_forges_a_line_of_the_mail_of_a_degraded_run(desk: Desk) -> None:
    failed = model_summary("skipped", rows=0, rows_waiting=7, failure=f"w\n{FORGED}")
    finish(desk, {FORGED: failed}, "Degraded")

    lines = lines_of(body(desk))
    assert [line for line in lines if line.startswith(("flights: ", "EWR")) and "FAILED" not in line] == [lines[2]]
    assert "DEGRADED" in lines[2]


def test_lines_of_a_failed_steps_reason_are_set_in(desk: Desk) -> None:
    desk.configure()
    reason = f"Decide: no default\n  python -m pipelines.registry approve EWR\n{FORGED}"
    notify.handler(desk.event([], Kind="failed", Step="Decide", Model=FORGED, Reason=reason, Command="y"), desk.context)

    lines = lines_of(body(desk))
    assert [line for line in lines if line.startswith("flights: ")] == [lines[2]]
    assert "    python -m pipelines.registry approve EWR" in lines


def test_a_run_served_by_fresh_models_says_so_in_its_first_line(desk: Desk) -> None:
    finish(desk, {name: model_summary() for name in ("EWR", "JFK", "LGA")})

    assert first_line(desk) == "flights: 3 of 3 served by fresh models"


def test_a_run_served_by_defaults_says_so_and_why_in_its_first_line(desk: Desk) -> None:
    bad = {"accepted": False, "mae": 31.0, "reasons": ["MAE 31 > threshold 20"]}
    models = {
        "EWR": model_summary("default", **bad, model_version=2, why="MAE 31 > threshold 20"),
        "JFK": model_summary("default", model_version=1, why="policy all: the gate rejected EWR"),
        "LGA": model_summary("default", model_version=1, why="policy all: the gate rejected EWR"),
    }

    finish(desk, models)

    assert first_line(desk) == "flights: 3 of 3 served by DEFAULT (EWR MAE 31 > 20)"
    assert body(desk).startswith("Subject: flights: 3 of 3 served by DEFAULT (EWR MAE 31 > 20)\n")
    assert "default version 2 - MAE 31 > threshold 20" in body(desk)
    assert "python -m pipelines.registry --local approve EWR" in body(desk)
    assert "approve JFK" not in body(desk)


def test_a_degraded_run_says_so_first(desk: Desk) -> None:
    bad = {"accepted": False, "mae": None, "threshold": None, "reasons": ["too few rows: 1"]}
    models = {
        "EWR": model_summary("skipped", **bad, why="too few rows: 1; no approved default model", rows_waiting=5),
        "JFK": model_summary("default", **bad),
        "LGA": model_summary(),
    }

    finish(desk, models, "Degraded")

    expected = "flights: DEGRADED, 1 of 3 not served (EWR), 1 of 3 served by DEFAULT (JFK too few rows: 1)"
    assert first_line(desk) == expected


def test_a_segment_without_rows_is_counted_apart_and_not_as_degraded(desk: Desk) -> None:
    models = {"EWR": model_summary("skipped", why="no rows to predict", rows=0), "JFK": model_summary()}

    finish(desk, models)

    assert first_line(desk) == "flights: 1 of 2 served by fresh models, 1 without rows to predict"


def test_whether_a_segment_lacks_predictions_is_told_by_its_waiting_rows_not_by_a_text(desk: Desk) -> None:
    models = {
        "EWR": model_summary("skipped", why="no rows to predict", rows=0, rows_waiting=3),
        "JFK": model_summary("skipped", why="no training rows", rows=0),
        "LGA": model_summary(),
    }

    finish(desk, models, "Degraded")

    expected = "flights: DEGRADED, 1 of 3 not served (EWR), 1 of 3 served by fresh models, 1 without rows to predict"
    assert first_line(desk) == expected


def test_the_finished_mail_tells_where_predictions_and_report_are(desk: Desk) -> None:
    finish(desk, {"EWR": model_summary()})

    assert str(desk.resolve(f"{RUN}/predictions/report.html")) in body(desk)
    assert "15 predictions for 15 rows" in body(desk)


def test_a_segment_that_failed_is_mailed_with_its_reason_and_what_to_do(desk: Desk) -> None:
    failed = {"rows": 0, "rows_waiting": 0, "accepted": False, "failure": "file 'a.csv' is not UTF-8"}
    finish(desk, {"EWR": model_summary("skipped", **failed), "JFK": model_summary()}, "Degraded")

    assert first_line(desk) == "flights: DEGRADED, 1 of 2 not served (EWR), 1 of 2 served by fresh models"
    text = body(desk)
    assert "EWR: FAILED, its rows, none of which could be counted, without a prediction: file 'a.csv' is not" in text
    assert "mend what is said of EWR above, then start a new run:" in text
    assert "approve" not in text


def test_a_segment_that_did_not_train_is_not_told_to_be_approved(desk: Desk) -> None:
    down = {"accepted": False, "rows": 0, "rows_waiting": 5, "reasons": ["none"]}
    models = {
        "EWR": model_summary("skipped", **down, status="failed", why="the fit was killed twice"),
        "JFK": model_summary("skipped", **down),
        "LGA": model_summary("default", **down, status="skipped"),
    }

    finish(desk, models, "Degraded")

    text = body(desk)
    assert (
        "nothing of this run can be approved for EWR, LGA, which did not train: mend the settings or the data" in text
    )
    assert "approve EWR" not in text
    assert "approve LGA" not in text
    assert "approve JFK" in text
    assert "pipelines.run --local --raw FOLDER" in text


def test_a_failed_run_is_mailed_with_step_reason_and_command(desk: Desk) -> None:
    desk.configure()
    event = {
        "Kind": "failed",
        "Step": "Train-EWR",
        "Model": "EWR",
        "Reason": "out of memory",
        "Command": "python -m pipelines.run --local --retry run-1",
        "Debug": "python -m pipelines.run --local --only Train-EWR --of run-1 --debug",
    }

    notify.handler(desk.event([], **event), desk.context)

    text = body(desk)
    assert "flights: run FAILED in Train-EWR (EWR)" in text
    assert "out of memory" in text
    assert "Run it again with:\n  python -m pipelines.run --local --retry run-1\n" in text
    assert "Debug the step with:\n  python -m pipelines.run --local --only Train-EWR --of run-1 --debug\n" in text


def test_mails_are_numbered_in_the_outbox_and_shown_on_the_console(desk: Desk) -> None:
    desk.configure()
    for _ in range(2):
        notify.handler(desk.event([], Kind="started"), desk.context)
    notify.handler(desk.event([], Kind="failed", Step="Judge", Reason="x", Command="y"), desk.context)

    assert [path.name for path in outbox(desk)] == ["01-started.txt", "02-started.txt", "03-failed.txt"]
    assert "Debug the step" not in body(desk)
    assert desk.console.getvalue().count("run started with 3 models") == 2


@dataclass(frozen=True)
class BrokenNotifier:
    def publish(self, subject: str, body: str, context: Any) -> None:
        raise NotifyError("no network")


def test_a_mail_that_cannot_be_delivered_never_fails_the_run(desk: Desk) -> None:
    desk.configure()
    context = LocalContext(replace(desk.ports, notifier=BrokenNotifier()))

    assert notify.handler(desk.event([], Kind="started"), context) == {"Sent": "false"}


def test_a_mail_whose_facts_cannot_be_read_never_fails_the_run(desk: Desk) -> None:
    desk.configure()

    assert notify.handler(desk.event([], Kind="trained", Verdicts=f"{RUN}/none.json"), desk.context) == {
        "Sent": "false"
    }


def test_a_kind_that_nobody_knows_is_a_bug_and_raises(desk: Desk) -> None:
    desk.configure()

    with pytest.raises(KindError, match="'lunch'"):
        notify.handler(desk.event([], Kind="lunch"), desk.context)


def test_a_finished_run_becomes_the_latest(desk: Desk) -> None:
    finish(desk, {"EWR": model_summary()})

    assert desk.read(LATEST) == {
        "execution": "run-1",
        "started": "2026-11-22T10:00:00+00:00",
        "status": "Succeeded",
        "predictions": f"{RUN}/predictions/predictions/",
        "report": f"{RUN}/predictions/report.html",
        "summary": f"{RUN}/predictions/summary.json",
    }


@pytest.mark.parametrize(
    ("known", "latest"),
    [
        ("2026-11-22T10:00:01+00:00", "run-9"),
        ("2026-11-22T19:00:01+09:00", "run-9"),
        ("2026-11-22T10:00:00+00:00", "run-1"),
        ("2026-11-22T09:59:59Z", "run-1"),
        ("not a time", "run-1"),
    ],
)
def test_the_latest_is_never_replaced_by_a_run_that_started_earlier(desk: Desk, known: str, latest: str) -> None:
    desk.write(LATEST, {"execution": "run-9", "started": known})

    finish(desk, {"EWR": model_summary()})

    assert desk.read(LATEST)["execution"] == latest


def test_a_latest_that_is_no_json_is_replaced(desk: Desk) -> None:
    desk.write(LATEST, "[broken")

    finish(desk, {"EWR": model_summary()})

    assert desk.read(LATEST)["execution"] == "run-1"


@dataclass(frozen=True)
class RacingObjects(FolderObjects):
    """Another run puts its latest.json between our read and our write, once for each of `others`."""

    others: list[str]

    def replace(self, uri: str, text: str, etag: str | None) -> bool:
        if self.others:
            self.write_text(uri, self.others.pop())
        return super().replace(uri, text, etag)


def race(desk: Desk, started: str) -> str:
    objects = RacingObjects(desk.resolve, desk.root / "tmp", [f'{{"execution": "run-9", "started": "{started}"}}'])
    publish_latest(objects, LATEST, {"execution": "run-1", "started": "2026-11-22T10:00:00+00:00"})
    return str(desk.read(LATEST)["execution"])


def test_of_two_runs_that_finish_together_the_later_one_stays(desk: Desk) -> None:
    assert race(desk, "2026-11-22T11:00:00+00:00") == "run-9"


def test_losing_a_race_against_an_earlier_run_writes_after_it(desk: Desk) -> None:
    assert race(desk, "2026-11-22T09:00:00+00:00") == "run-1"


@dataclass(frozen=True)
class ReadOnlyObjects(FolderObjects):
    def replace(self, uri: str, text: str, etag: str | None) -> bool:
        raise StoreError("access denied")


def test_a_latest_that_cannot_be_written_is_said_in_the_mail(desk: Desk) -> None:
    desk.configure()
    desk.write(
        f"{RUN}/predictions/summary.json",
        {"status": "Succeeded", "rows": 1, "predict_rows": 1, "models": {"EWR": model_summary()}},
    )
    context = LocalContext(replace(desk.ports, objects=ReadOnlyObjects(desk.resolve, desk.root / "tmp")))

    found = notify.handler(desk.event([], Kind="finished", Predictions=f"{RUN}/predictions"), context)

    assert found == {"Sent": "true"}
    assert "could not be written: consumers of it still see an earlier run" in body(desk)


def test_times_are_read_in_every_form_that_an_event_may_have() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)

    assert parse_time("2026-11-22T12:00:00Z") == noon
    assert parse_time("2026-11-22T12:00:00") == noon
    assert parse_time("2026-11-22T21:00:00.000+09:00") == noon
    assert parse_time(noon.timestamp()) == noon
    assert parse_time(str(noon.timestamp())) == noon
    assert [parse_time(value) for value in (None, "", "soon", "1e400")] == [None] * 4


def test_settings_are_read_from_where_the_event_says(desk: Desk) -> None:
    desk.configure()

    assert notify.handler({"Kind": "started", "Execution": "run-1", "Settings": SETTINGS_URI}, desk.context) == {
        "Sent": "true"
    }


def score(desk: Desk, models: dict[str, Any], status: str = "Succeeded") -> None:
    """Put a summary of a run that scored only where PostProcess would have, and send the mail."""
    desk.configure()
    predictions = f"{RUN}/predictions"
    summary = {"status": status, "rows": 15, "predict_rows": 15, "models": models, "mode": "predict"}
    desk.write(f"{predictions}/summary.json", summary)
    notify.handler(desk.event([], Kind="finished", Predictions=predictions, Mode="predict"), desk.context)


def test_a_run_that_scored_only_says_which_versions_served_and_blames_no_gate(desk: Desk) -> None:
    served = model_summary("default", accepted=False, status="default", why="scoring only", model_version=3)

    score(desk, {"EWR": served})

    assert first_line(desk) == "flights-predict: 1 of 1 served by DEFAULT"
    assert "default version 3 - scoring only" in body(desk)
    assert "Next:" not in body(desk)


def test_a_run_that_scored_only_names_the_command_for_each_segment_without_a_default(desk: Desk) -> None:
    lost = {"accepted": False, "status": "default", "rows": 0, "rows_waiting": 5}
    score(desk, {"EWR": model_summary("skipped", **lost, why="scoring only; no approved default model")}, "Degraded")

    assert first_line(desk) == "flights-predict: DEGRADED, 1 of 1 not served (EWR)"
    assert "python -m pipelines.registry --local approve EWR" in body(desk)
    assert body(desk).rstrip().endswith("python -m pipelines.run --local --mode predict --raw FOLDER")


def test_the_mail_of_a_started_run_that_scores_only_bears_the_name_of_its_pipeline(desk: Desk) -> None:
    desk.configure()

    notify.handler(desk.event([], Kind="started", Mode="predict", PredictDataVersion=""), desk.context)

    assert first_line(desk) == "flights-predict: run started with 3 models (EWR, JFK, LGA)"
    assert "training data" not in body(desk)
