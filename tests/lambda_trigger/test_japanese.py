"""Japanese mails: every text that the code can say has a translation, and no mail of any kind is left in English."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from lambda_cases import BASE, RUN, Desk
from lambda_world import LambdaWorld
from spoken_texts import english_words, prose, said_texts

from lambda_trigger import check, decide, findings, japanese, japanese_problems, judge, mails, notify, status, trigger
from lambda_trigger.evaluation import Evaluation
from lambda_trigger.findings import Default
from lambda_trigger.languages import JAPANESE, language_of
from lambda_trigger.settings import Gate, Model
from lambda_trigger.stability import ColumnDrift
from lambda_trigger.text import format_time, list_names
from steps import contract
from steps.language import ENGLISH, placeholders

CONSTANTS = (*mails.HEADS, *mails.LABELS, *mails.ENDED.values(), *mails.SOURCES, *notify.FACTS, *notify.ORIGIN, "view")
"""Texts that the code hands over by another name."""
BY_NAME = {"mails": {"word", "model.served_by", "name", "text"}}
NAMES = frozenset({"MAE", "EWR", "JFK", "LGA", "flights", "run", "DEGRADED", "PSI", "Asia", "Tokyo", "AutoGluon"})
"""Words that Japanese mails have as well."""
KEYS = frozenset({"YAML", "JSON", "UTF", "glob", "data", "train", "predict", "csv", "parquet", "files"})
"""Words that Japanese mails about markers have as well."""


def said() -> set[str]:
    found = {*CONSTANTS, "; "}  # which the language itself says
    for module, text in said_texts("lambda_trigger"):
        if isinstance(text, ast.Constant):
            found.add(str(text.value))
        else:
            assert ast.unparse(text) in BY_NAME.get(module, set()), f"{module}: {ast.unparse(text)} is no literal"
    return found


def test_everything_that_the_code_says_has_a_japanese_text_and_nothing_else_has() -> None:
    assert said() - japanese.TEXTS.keys() == set()
    assert japanese.TEXTS.keys() - said() == set()


@pytest.mark.parametrize("catalog", [japanese.TEXTS, japanese_problems.SENTENCES])
def test_a_japanese_text_has_the_placeholders_of_the_english_one(catalog: dict[str, str]) -> None:
    assert {english for english, text in catalog.items() if placeholders(text) != placeholders(english)} == set()


PROSE = [
    ("lambda_trigger.judge", ("_untrained_reason", "_reasons_against", "_reasons_of_baseline")),
    ("lambda_trigger.evaluation", ("parse", "read", "_unreadable")),
    (
        "lambda_trigger.decide",
        ("NO_DEFAULT", "NOTHING_TO_PREDICT", "UNPREPARED", "choose", "why_unfit", "_why_not_fresh", "_say_missing"),
    ),
    ("lambda_trigger.sharing", ("_why",)),
    ("lambda_trigger.check", ("NO_ROWS", "NOT_COMPARED", "_check_model", "_check_default", "_say_failures")),
    ("lambda_trigger.check", ("_say_misfits",)),
    ("lambda_trigger.defaults", ("BY_POOLED", "merge_columns")),
    ("lambda_trigger.findings", ()),
    ("lambda_trigger.rawfolder", ()),
    ("lambda_trigger.overrides", ()),
    ("lambda_trigger.trigger", ("plan",)),
    ("lambda_trigger.links", ()),
    ("lambda_trigger.failures", ("NO_REASON", "CUT")),
    ("steps.contract", ("key_problem",)),
    ("steps.delivery", ("_fresh",)),
    ("steps.drift", ()),
    ("steps.speed", ("warnings",)),
    ("steps.intake", ("_warnings",)),
    ("steps.assignment", ("_skipped_models",)),
    ("steps.trial", ("_overdue", "_ending")),
]
"""The functions and constants whose sentences mails and report quote; all of a module without names."""


@pytest.mark.parametrize(("module", "functions"), PROSE)
def test_every_sentence_that_mails_quote_has_a_japanese_one(module: str, functions: tuple[str, ...]) -> None:
    known = "\n".join(japanese_problems.SENTENCES).replace("{{", "{").replace("}}", "}")

    assert {piece for piece in prose(module, *functions) - INSIDE if piece not in known} == set()


INSIDE = {"integer string conversion"}
"""Prose that the code compares with, and says to nobody."""


def test_a_language_that_nobody_knows_is_english() -> None:
    assert language_of("ja") is JAPANESE
    assert language_of("en") is ENGLISH
    assert language_of("xx") is ENGLISH


def test_times_and_lists_have_their_usual_form() -> None:
    noon = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)

    assert format_time(noon, "Asia/Tokyo", JAPANESE) == "2026年11月2日 12:00（Asia/Tokyo）"
    assert list_names(["a", "b", "c", "d"], 2, JAPANESE) == "a、b ほか 2 件"


def reasons_of_judge() -> set[str]:
    """Return every reason that the gate can have."""
    good = Evaluation("trained", None, 10.0, 30.0, 100, None, "", "")
    odd = [
        *(replace(good, mae=mae) for mae in (None, -1.0, 31.0, 99.0)),
        *(replace(good, holdout_rows=rows) for rows in (None, 2)),
        *(replace(good, baseline_mae=baseline) for baseline in (None, 0.0, 5.0)),
        *(replace(good, status=status) for status in ("failed", "skipped")),
        Evaluation(
            "failed", "evaluation.json cannot be read: it is no JSON; train this model again", *[None] * 4, "", ""
        ),
    ]
    gates = [Gate(1.0, 5), Gate(0.5, 5)]
    judged = [judge.judge_model(Model("EWR", "EWR", None), each, 20.0, gate) for each in odd for gate in gates]
    return {reason for verdict in judged for reason in verdict.reasons}


def warnings_of_drift() -> set[str]:
    column = ColumnDrift("category", 0.9, 0.1, 0.0, 0.5, 0.2)
    limit = {"warn": 0.01, "fail": None}
    told = []
    for changes in ({}, {"fail": 0.1}):
        limits = findings.Limit(**{**limit, **changes})
        drift = findings.Drift(limits, limits, limits, (), "warn", None)
        schema = {
            "columns": [
                {"name": "colour", "kind": "text"},
                {"name": "x", "kind": "text"},
                {"name": "odd", "kind": "text"},
            ]
        }
        lacking = findings.find_mismatches(schema, {"colours": "text", "x": "number"})
        verdict = findings.judge({"x": column}, Default(2, lacking), drift, is_pooled=False)
        told += [*verdict.warnings, *verdict.failures]
    return {*told, *findings.find_strangers(["colour", "q"], ["colours", "z"])}


def test_every_reason_of_the_gate_is_said_in_japanese() -> None:
    reasons = reasons_of_judge()

    assert len(reasons) >= 11
    assert {
        reason: english_words(JAPANESE.quote(reason), NAMES | {"evaluation", "json", "JSON"}) for reason in reasons
    } == {reason: [] for reason in reasons}


def test_every_warning_of_drift_is_said_in_japanese() -> None:
    known = NAMES | {"drift", "unseen", "nulls", "psi", "fail", "ignore", "text", "number"}
    warnings = warnings_of_drift()

    assert len(warnings) >= 7
    assert {text: english_words(JAPANESE.quote(text), known) for text in warnings} == {text: [] for text in warnings}


def speak(desk: Desk, **changes: Any) -> None:
    desk.configure(language="ja", timezone="Asia/Tokyo", **changes)


def sent(desk: Desk, **event: Any) -> str:
    """Send a mail; return its body without the English subject and without the paths of this machine."""
    names = ["EWR", "JFK", "LGA"]
    notify.handler(desk.event(names, **event), desk.context)
    mail = sorted((desk.root / "outbox" / "run-1").iterdir())[-1].read_text(encoding="utf-8")
    subject, _, body = mail.partition("\n\n")
    assert subject.isascii()
    return body.replace(str(desk.root), "")


def english(body: str, *known: str) -> list[str]:
    return english_words(body, NAMES | frozenset(known))


def test_the_mail_of_a_start_is_japanese(desk: Desk) -> None:
    speak(desk)
    files = [{"key": "a.csv", "size": 12}]
    desk.write(f"{BASE}/manifests/abc/{contract.MANIFEST_FILE}", {"files": files})

    body = sent(desk, Kind="started", RawDataUri="s3://raw/day/", TrainDataVersion="abc")

    assert body.startswith("flights：3 モデルの実行を開始しました（EWR、JFK、LGA）\n\n実行 ID：")
    assert "1 ファイル、12 バイト、バージョン abc" in body
    assert english(body, "abc") == []


def test_the_mail_of_the_trainings_is_japanese(desk: Desk) -> None:
    speak(desk)
    for slug, mae in {"EWR": 31.0, "JFK": 10.0, "LGA": 50.0}.items():
        desk.train(slug, mae=mae, baseline=40.0, mae_interval={"low": 0.98 * mae, "high": 1.03 * mae})
    names = ["EWR", "JFK", "LGA"]
    judge.handler(desk.event(names, Threshold=20.0, Output=f"{RUN}/judge"), desk.context)
    warnings = [*warnings_of_drift()][:1] * 6
    models = {"EWR": {"name": "EWR", "warnings": warnings}}
    note = "drift.ignore names 'x', which is no feature"
    checked = desk.write(f"{RUN}/check/contract.json", {"notes": [note], "models": models})

    body = sent(desk, Kind="trained", Verdicts=f"{RUN}/judge/verdicts.json", Contract=checked)

    assert body.startswith("flights：学習が完了し、3 モデル中 2 モデルが判定で不合格でした（EWR、LGA）")
    assert "30.38～31.93" in body
    assert "LGA：MAE 50 > 閾値 20；MAE 50 >= ベースライン 40" in body
    assert english(body, "drift", "ignore", "unseen", "nulls", "psi", "fail", "text", "number") == []


def summarized(served_by: str, **changes: Any) -> dict[str, Any]:
    figures = {"mae": 10.0, "baseline_mae": 30.0, "improvement": 66.7, "threshold": 20.0, "accepted": True, "rows": 5}
    rest = {"reasons": [], "why": "accepted by the gate", "rows_waiting": 0, "model_version": None, "status": "trained"}
    return {"slug": "EWR", **figures, **rest, "served_by": served_by, **changes}


def test_the_mail_of_an_end_is_japanese(desk: Desk) -> None:
    speak(desk)
    down = {"accepted": False, "mae": 31.0, "reasons": ["MAE 31 > threshold 20"], "why": "MAE 31 > threshold 20"}
    skipped = {"rows": 0, "rows_waiting": 5, "why": f"training failed; {decide.NO_DEFAULT}", "status": "failed"}
    models = {
        "EWR": summarized("default", **down, model_version=2),
        "JFK": summarized("fresh"),
        "LGA": summarized("skipped", **{**down, **skipped}),
        "NYC": summarized("skipped", failure="its rows to predict could not be prepared", rows_waiting=0),
        "BOS": summarized("skipped", why=decide.NOTHING_TO_PREDICT, rows=0),
    }
    summary = {"status": "Degraded", "rows": 15, "predict_rows": 20, "models": models}
    desk.write(f"{RUN}/predictions/summary.json", summary)

    body = sent(desk, Kind="finished", Predictions=f"{RUN}/predictions")

    assert body.startswith(
        "flights：一部未完了（DEGRADED）、5 セグメント中 2 で推論なし（LGA、NYC）、"
        "5 セグメント中 1 をデフォルトモデルで推論（EWR MAE 31 > 20）、1 セグメントには推論対象の行なし\n"
    )
    assert "デフォルトモデル バージョン 2 - MAE 31 > 閾値 20" in body
    assert "推論なし - 学習に失敗しました；承認済みのデフォルトモデルがありません" in body
    assert "python -m pipelines.registry --local approve EWR" in body
    assert english(body, "NYC", "BOS") == []


def test_the_mail_of_a_failure_is_japanese_but_for_what_a_library_said(desk: Desk) -> None:
    speak(desk)
    missing = (
        f"{decide.NO_DEFAULT} for 2 segments: EWR, JFK.\n"
        "Approve a version of each (or register an artifact of your own: register MODEL ARTIFACT):\n"
        "  python -m pipelines.registry approve EWR\n"
        "then start the run's failed steps again:"
    )
    event = {"Kind": "failed", "Step": "Decide", "Command": "python -m pipelines.run --retry run-1"}

    body = sent(desk, **event, Reason=missing, Debug="python -m pipelines.run --local --only Decide --debug")
    other = sent(desk, **event, Model="EWR", Reason="AttributeError: 'x' has no attribute")

    assert body.startswith("flights：実行が失敗しました（Decide）\n")
    assert "2 セグメントに承認済みのデフォルトモデルがありません：EWR, JFK。" in body
    assert english(body, "Decide", "register", "MODEL", "ARTIFACT") == []
    assert "Decide [EWR] のエラー：\n  AttributeError: 'x' has no attribute" in other


def test_a_message_of_failed_drift_is_quoted_in_japanese() -> None:
    told = check._say_failures([f"EWR: {w}" for w in warnings_of_drift() if "fail is" in w], "s3://x/contract.json")

    assert english(JAPANESE.quote_lines(told), "drift", "unseen", "nulls", "psi", "fail", "config") == []


def test_the_mail_of_an_end_on_aws_has_an_english_subject_and_a_japanese_body() -> None:
    world = LambdaWorld()
    world.deploy(language="ja", timezone="Asia/Tokyo")
    arn = world.start()
    world.aws.add_job(arn, "Train-JFK", "Stopped")
    world.aws.add_job(arn, "Train-EWR", ExitMessage="no training rows")
    world.aws.end_execution(arn, "Stopped")

    status.handler(world.aws.status_event(arn), world.context("status"))

    (mail,) = world.mails
    assert mail["Subject"] == "flights: run was STOPPED in Train-EWR (EWR)"
    assert str(mail["Message"]).startswith("flights：実行が停止されました（Train-EWR [EWR]）\n")
    assert "実行中に停止されたステップ：  Train-JFK" in str(mail["Message"])
    assert english(str(mail["Message"]), "Train") == []


BODY = """
MaeTreshold: 3
MaeThreshold: -1
FallbackPolicy: per_modle
TrainTimeLimitSeconds: 1e9
Season: 3
Holidays: maybe
TrainDataVersion: x
files: {train.csv: 1, predicts.csv: 3, '../x': 4}
"""


@pytest.mark.parametrize(
    "body", [BODY, "[1]", "a: &x 1\nb: *x", "a: 1\na: 2", "files: 3", "files: {train.csv: 1, predicts.csv: 3}"]
)
def test_the_mail_of_a_refused_marker_is_japanese(body: str) -> None:
    world = LambdaWorld()
    world.deploy(language="ja", timezone="Asia/Tokyo")
    world.put_data("day/")
    world.put("day/odd.txt")

    trigger.handler(world.put("day/go.run", body.encode()), world.context("trigger"))

    (mail,) = world.mails
    assert str(mail["Subject"]).startswith("flights: NO run started by go.run, ")
    text = str(mail["Message"])
    assert text.startswith("flights：go.run による実行は開始されませんでした（問題 ")
    known = (
        "MaeTreshold MaeThreshold FallbackPolicy TrainTimeLimitSeconds Season Holidays TrainDataVersion per_model all"
    )
    more = "instances max_runtime true false per model modle per maybe treshold csv train predict predicts odd runtime"
    assert english(text, *known.split(), *more.split(), *KEYS) == []


def test_a_mail_that_is_too_long_for_sns_is_cut_in_japanese() -> None:
    world = LambdaWorld()
    world.deploy(language="ja")
    found = mails.refused("flights", "s3://b/go.run", "", ["東" * 200_000], JAPANESE)

    world.context("trigger").ports.notifier.publish(found.subject, found.body, found.context("go", "refused"))

    (mail,) = world.mails
    assert len(str(mail["Message"]).encode()) <= 256 * 1024
    assert str(mail["Message"]).endswith("東\n...（省略。すべてはレポートにあります）\n")
