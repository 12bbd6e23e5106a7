"""Trigger: markers become executions, each once; whatever cannot start is mailed once with what to change."""

from __future__ import annotations

import json
import random
from datetime import timedelta
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from fake_answers import FakeError
from fake_aws import FakeAws
from lambda_world import PIPELINE, PREFIX, RAW, SCORING, LambdaWorld

from lambda_trigger import trigger, turns
from lambda_trigger.ports import ExecutionError, NotifyError, StoreError
from steps import contract, rawfile


@pytest.fixture
def world() -> LambdaWorld:
    found = LambdaWorld()
    found.deploy()
    found.put_data()
    return found


def run(world: LambdaWorld, event: dict[str, Any], invocation: str = "") -> list[str]:
    """Handle an event; return what came of each marker."""
    answer = trigger.handler(event, world.context("trigger", invocation))
    return list(answer["markers"].values())


def starts(world: LambdaWorld) -> list[dict[str, Any]]:
    return [given for name, given in world.aws.calls if name == "StartPipelineExecution"]


def mail(world: LambdaWorld) -> str:
    (message,) = world.mails
    return str(message["Message"])


def notification(*keys: str, bucket: str = RAW, version: str = "v1") -> dict[str, Any]:
    """Return the classic form of S3's notification, with URL-encoded keys."""
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "AWS:AIDA:someone"},
                "s3": {
                    "bucket": {"name": bucket},
                    "object": {"key": quote_plus(key, safe="/"), "sequencer": f"00{number}", "versionId": version},
                },
            }
            for number, key in enumerate(keys)
        ]
    }


def test_a_marker_starts_an_execution_on_the_files_beside_it(world: LambdaWorld) -> None:
    assert run(world, world.put("day/go.run")) == ["started"]

    (execution,) = world.aws.executions
    train, predict = (
        contract.DataFile(
            f"{name}.csv", world.aws._on_head_object({"Bucket": RAW, "Key": f"day/{name}.csv"})["ETag"][1:-1], size
        )
        for name, size in (("train", 8), ("predict", 4))
    )
    assert execution["parameters"] == {
        "RawDataUri": f"s3://{RAW}/day/",
        "TrainDataVersion": contract.data_version([train]),
        "PredictDataVersion": contract.data_version([predict]),
        "MaeThreshold": "20.0",
        "FallbackPolicy": "all",
        "TrainTimeLimitSeconds": "600",
        "Season": "winter",
        "Holidays": "true",
    }
    assert execution["PipelineExecutionDescription"].startswith(f"started by s3://{RAW}/day/go.run")
    assert execution["PipelineExecutionDisplayName"].startswith("go-")
    assert world.mails == []


def test_the_manifests_are_written_before_the_start(world: LambdaWorld) -> None:
    run(world, world.put("day/go.run"))

    version = world.aws.executions[0]["parameters"]["TrainDataVersion"]
    assert world.read(f"{PREFIX}/manifests/{version}/files.json") == [{"prefix": f"s3://{RAW}/day/"}, "train.csv"]
    assert world.read(f"{PREFIX}/manifests/{version}/manifest.json")["files"][0]["size"] == 8
    order = [name for name, given in world.aws.calls if name in ("PutObject", "StartPipelineExecution")]
    assert order.index("StartPipelineExecution") == 5


def test_a_manifest_that_is_there_is_left_alone_and_one_of_another_folder_is_replaced(world: LambdaWorld) -> None:
    world.put_data("copy/")
    run(world, world.put("day/go.run"))
    run(world, world.put("day/again.run"))
    version = world.aws.executions[0]["parameters"]["TrainDataVersion"]
    uri = f"{PREFIX}/manifests/{version}/manifest.json"
    assert world.read(uri)["raw"] == f"s3://{RAW}/day/"

    run(world, world.put("copy/go.run"))

    assert world.read(uri)["raw"] == f"s3://{RAW}/copy/"


def test_values_in_the_marker_override_those_of_the_pipeline(world: LambdaWorld) -> None:
    body = b"MaeThreshold: 12\nSeason: summer\nHolidays: false\nTrainTimeLimitSeconds: '900'\n"

    run(world, world.put("day/go.run", body))

    found = world.aws.executions[0]["parameters"]
    assert (found["MaeThreshold"], found["Season"], found["Holidays"]) == ("12.0", "summer", "false")
    assert found["TrainTimeLimitSeconds"] == "900"


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"  \n", b"# nothing\n", b"{}", b'\xef\xbb\xbf{"MaeThreshold": 12}', b"{MaeThreshold: 12}"),
        *(b'{\n\t"Season": "\\ud83d\\ude00"\n}', b"null"),
    ],
)
def test_empty_bodies_and_json_are_fine(world: LambdaWorld, body: bytes) -> None:
    assert run(world, world.put("day/go.run", body)) == ["started"]


def test_ten_duplicated_and_reordered_events_start_one_execution_each(world: LambdaWorld) -> None:
    events = [world.put(f"day/{name}.run", body) for name, body in (("a", b"Season: x"), ("b", b""))] * 10
    random.Random(0).shuffle(events)

    for event in events:
        run(world, event)

    assert sorted(e["parameters"]["Season"] for e in world.aws.executions) == ["winter", "x"]
    assert len(starts(world)) == 2


def test_the_life_of_the_services_tokens_does_not_matter(world: LambdaWorld) -> None:
    event = world.put("day/go.run")
    for _ in range(10):
        run(world, event)
        world.aws.forget_tokens()

    assert len(world.aws.executions) == 1


def test_both_forms_of_event_for_one_object_start_one_execution(world: LambdaWorld) -> None:
    event = world.put("day/go.run")
    version = event["detail"]["object"]["version-id"]

    run(world, event)
    run(world, notification("day/go.run", version=version))

    assert len(world.aws.executions) == 1


def test_two_writings_of_one_marker_start_two_executions_each_with_its_own_values(world: LambdaWorld) -> None:
    first, second = world.put("day/go.run", b"Season: one"), world.put("day/go.run", b"Season: two")

    run(world, second)
    run(world, first)

    assert [e["parameters"]["Season"] for e in world.aws.executions] == ["two", "one"]


def test_without_versions_the_sequencer_tells_writings_apart(world: LambdaWorld) -> None:
    world.aws.objects[RAW, "day/go.run"] = b""
    first, second = world.event("day/go.run"), world.event("day/go.run")
    second["detail"]["object"]["sequencer"] = "0061A1"

    for event in (first, second, first, second):
        run(world, event)

    assert len(world.aws.executions) == 2


def claimed(world: LambdaWorld, event: dict[str, Any], broken: str, invocation: str = "") -> None:
    """Let an invocation crash where it calls `broken`."""
    world.aws.broken.add(broken)
    with pytest.raises(ExecutionError):
        run(world, event, invocation)
    world.aws.broken.clear()


def test_a_crash_between_claim_and_start_is_made_good_by_the_next_event(world: LambdaWorld) -> None:
    """Whoever it is: nobody promises that Lambda's retry is known by the same ID."""
    event = world.put("day/go.run")
    claimed(world, event, "StartPipelineExecution")
    assert world.aws.executions == []

    assert run(world, event) == ["started"]
    assert run(world, event) == ["done"]
    assert len(world.aws.executions) == 1


def test_a_marker_that_fails_does_not_keep_the_others_of_its_event_from_starting(world: LambdaWorld) -> None:
    for folder in ("a/", "b/"):
        world.put_data(folder)
        world.put(f"{folder}go.run")
    refuse = world.aws._on_get_object

    def answer(given: dict[str, Any]) -> dict[str, Any]:
        if given["Key"] == "a/go.run":
            raise FakeError("InternalError", "try again", 500)
        return refuse(given)

    world.aws._on_get_object = answer  # type: ignore[method-assign]
    both = notification("a/go.run", "b/go.run", version="")

    with pytest.raises(StoreError):
        run(world, both)
    assert [e["parameters"]["RawDataUri"] for e in world.aws.executions] == [f"s3://{RAW}/b/"]


def test_a_folder_whose_name_is_too_long_for_a_parameter_is_refused(world: LambdaWorld) -> None:
    folder = "/".join("x" * 200 for _ in range(5)) + "/"
    world.put_data(folder)

    assert run(world, world.put(f"{folder}x.run")) == ["refused"]
    assert "use a shorter folder" in mail(world)


def test_a_late_event_of_a_marker_that_has_gone_starts_no_other_folders_marker() -> None:
    """`a+b` may be how an event spells `a b`, but not where a marker called so was handled."""
    world = LambdaWorld()
    world.deploy()
    for folder in ("a+b/", "a b/"):
        world.put_data(folder)
    world.aws.objects[RAW, "a+b/go.run"] = b""
    event = world.event("a+b/go.run")
    assert run(world, event) == ["started"]
    del world.aws.objects[RAW, "a+b/go.run"]
    world.aws.objects[RAW, "a b/go.run"] = b""

    assert run(world, event) == ["done"]
    assert len(world.aws.executions) == 1


@pytest.mark.parametrize("body", [b"", b"mode: predict"])
def test_a_late_event_of_a_marker_that_has_gone_after_its_start_is_nobodys_mail(body: bytes) -> None:
    """In a bucket that keeps no versions nothing but the claim tells which mode the marker asked for."""
    world = LambdaWorld()
    world.deploy()
    world.put_data("day/")
    world.aws.objects[RAW, "day/go.run"] = body
    event = world.event("day/go.run")
    assert run(world, event) == ["started"]
    del world.aws.objects[RAW, "day/go.run"]

    assert run(world, event) == ["done"]
    assert len(world.aws.executions) == 1
    assert world.aws.messages == []


def test_folders_with_equal_training_files_run_side_by_side(world: LambdaWorld) -> None:
    """The version says what the files hold: the later start's manifest serves both."""
    world.put_data("tue/", predict=b"a\n2\n")
    assert run(world, world.put("day/go.run")) + run(world, world.put("tue/go.run")) == ["started", "started"]

    first, second = (e["parameters"] for e in world.aws.executions)
    manifest = world.read(f"{PREFIX}/manifests/{first['TrainDataVersion']}/manifest.json")
    files = rawfile.check_manifest(manifest, first["TrainDataVersion"], ["train*"])
    assert first["TrainDataVersion"] == second["TrainDataVersion"]
    assert [file.key for file in files] == ["train.csv"]


class Forgetful(FakeAws):
    """Cannot write the result of a claim, as if the function had been killed right after the start."""

    def _on_put_object(self, given: dict[str, Any]) -> dict[str, Any]:
        if b'"execution"' in bytes(given["Body"]) and "IfMatch" in given and self.broken == set():
            self.broken.add("nothing")
            raise RuntimeError("killed")
        return super()._on_put_object(given)


def test_a_crash_between_start_and_its_record_starts_nothing_again_even_without_tokens() -> None:
    world = LambdaWorld(Forgetful())
    world.deploy(concurrency="refuse")
    world.put_data()
    event = world.put("day/go.run")
    with pytest.raises(RuntimeError, match="killed"):
        run(world, event)
    world.aws.forget_tokens()

    assert run(world, event) == ["done"]
    assert run(world, event) == ["done"]
    assert len(world.aws.executions) == 1
    assert world.mails == []
    assert world.read(world.claims("start")[0])["result"] == {
        "execution": world.aws.executions[0]["PipelineExecutionArn"]
    }


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": []},
        {"Event": "s3:TestEvent", "Service": "Amazon S3"},
        notification("day/train.csv", "day/go.run.txt"),
        notification("day/go.run", bucket="other"),
        {"source": "aws.s3", "detail-type": "Object Deleted", "detail": {}},
        {"source": "aws.sagemaker", "detail-type": "Object Created", "detail": {}},
        LambdaWorld().event("day/train.csv"),
    ],
)
def test_everything_but_a_new_marker_of_the_raw_bucket_is_ignored(world: LambdaWorld, event: dict[str, Any]) -> None:
    assert run(world, event) == []
    assert world.aws.requests == []


def test_every_record_of_a_classic_notification_is_looked_at(world: LambdaWorld) -> None:
    for folder in ("a b", "東京+1"):
        world.put_data(f"{folder}/")
        world.aws.objects[RAW, f"{folder}/go.run"] = b""

    assert run(world, notification("a b/go.run", "東京+1/go.run", version="null")) == ["started", "started"]
    description = f"started by s3://{RAW}/a b/go.run, put by AWS:AIDA:someone"
    assert world.aws.executions[0]["PipelineExecutionDescription"] == description
    assert [e["parameters"]["RawDataUri"] for e in world.aws.executions] == [
        f"s3://{RAW}/a b/",
        f"s3://{RAW}/東京+1/",
    ]


@pytest.mark.parametrize("encode", [str, quote, quote_plus])
@pytest.mark.parametrize("folder", ["a b+c", "50%20off", "東京"])
def test_keys_of_events_may_be_literal_or_encoded(encode: Any, folder: str) -> None:
    world = LambdaWorld()
    world.deploy()
    world.put_data(f"{folder}/")
    world.put(f"{folder}/go.run")

    assert run(world, world.event(encode(f"{folder}/go.run"))) == ["started"]
    assert world.aws.executions[0]["parameters"]["RawDataUri"] == f"s3://{RAW}/{folder}/"


def test_a_marker_at_the_top_of_the_bucket_stands_for_the_whole_bucket(world: LambdaWorld) -> None:
    run(world, world.put(".run"))

    (execution,) = world.aws.executions
    assert execution["parameters"]["RawDataUri"] == f"s3://{RAW}/"
    assert execution["PipelineExecutionDisplayName"].startswith("run-")


def test_a_marker_that_has_gone_is_mailed_and_starts_nothing(world: LambdaWorld) -> None:
    event = world.event("day/go.run", "version-none")

    assert run(world, event) == ["refused"]
    assert "the marker has gone again" in mail(world)


BAD_BODIES = {
    b"Saeson: x": "Saeson: is no parameter of this pipeline; did you mean Season?",
    b"zzz: x": "zzz: is no parameter of this pipeline; there are FallbackPolicy, Holidays, MaeThreshold, Season,",
    b"RawDataUri: s3://b/": "RawDataUri: is computed from the files of the raw folder",
    b"TrainDataVersion: abc": "TrainDataVersion: is computed",
    b"MaeThreshold: low": "MaeThreshold: is 'low', expected a number, such as 12.5",
    b"MaeThreshold: .nan": "MaeThreshold: is '.nan', expected a number",
    b"MaeThreshold: 1_000": "MaeThreshold: is '1_000', expected a number",
    "MaeThreshold: ٣".encode(): "MaeThreshold: is '٣', expected a number",
    b"<<: {Season: a}\nSeason: b": "merge keys are not read",
    b"MaeThreshold: 1:30": "MaeThreshold: is '1:30', expected a number",
    b"MaeThreshold: !!int ''": "tags are not read",
    b"Season: !!timestamp x": "tags are not read",
    b"!!map [a]": "tags are not read",
    b'Season: "\\UFFFFFFFF"': "the marker is neither YAML nor JSON",
    b"MaeThreshold: true": "MaeThreshold: is True, expected a number",
    b"MaeThreshold:": "MaeThreshold: is empty, expected a number",
    b"MaeThreshold: [1]": "MaeThreshold: is a list, expected a number",
    b"MaeThreshold: 0": "MaeThreshold: 0.0 is no MAE; expected a number above 0 and below 1e12",
    b"MaeThreshold: 1e12": "MaeThreshold: 1000000000000.0 is no MAE",
    b"TrainTimeLimitSeconds: 1.5": "TrainTimeLimitSeconds: is 1.5, expected a whole number",
    b"TrainTimeLimitSeconds: 0": "TrainTimeLimitSeconds: 0 is too long or no time; expected 1 to 2360 seconds",
    b"TrainTimeLimitSeconds: 2361": "TrainTimeLimitSeconds: 2361 is too long or no time",
    b"TrainTimeLimitSeconds: 0x" + b"f" * 50: "expected a whole number",
    b"TrainTimeLimitSeconds: " + b"9" * 50: "TrainTimeLimitSeconds: is a huge number",
    b"TrainTimeLimitSeconds: " + b"9" * 5000: "the marker is neither YAML nor JSON (a number with far too many digits)",
    b"Season: 2013": "Season: is 2013, expected text; put it in quotes",
    b"Season: no": "Season: is False, expected text; put it in quotes",
    b"Season: 2013-01-01": "Season: is a date, expected text; put it in quotes",
    b"Season: " + b"x" * 257: "Season: has 257 characters, at most 256 are allowed",
    b"Holidays: perhaps": "Holidays: is 'perhaps', expected true or false",
    b"FallbackPolicy: per-model": "FallbackPolicy: is 'per-model', expected all or per_model; did you mean per_model?",
    b"Season: a\nSeason: b": "the marker is neither YAML nor JSON (line 1: 'Season' stands twice, keep one)",
    b'{"Season": "a", "Season": "b"}': "the marker is neither YAML nor JSON ('Season' stands twice, keep one)",
    b'{"\\ud83d": 1}': "the marker is neither YAML nor JSON (half a character, a lone surrogate)",
    b'Season: "\\ud83d"': "the marker is neither YAML nor JSON (half a character, a lone surrogate)",
    b"- a\n- b": "the marker is no mapping of names to values",
    b"just a text": "the marker is no mapping",
    b"a: [": "the marker is neither YAML nor JSON (line",
    b"a: !!python/object:os.system x": "tags are not read",
    b"a: &x [1]\nb: *x": "aliases are not read",
    b"[" * 5000: "the marker is neither YAML nor JSON (nested too deeply)",
    b"\xff\xfe": "the marker is no UTF-8 text",
    b"a: 1\n---\nb: 2": "the marker is neither YAML nor JSON",
    b"#" * 300_000: "the marker has more than 262144 bytes",
    b'Season: "a\\nb"': "Season: holds a line break or another control character; leave it out",
    b'Season: "\\e[2J"': "Season: holds a line break or another control character; leave it out",
    b'"x\\ny": 1': "x\\ny: is no parameter of this pipeline",
    b"files: [../train.csv]": "files: '../train.csv' has an empty part, '.' or '..' in its path",
    b"files: {/etc/passwd: 1}": "files: '/etc/passwd' has an empty part",
    b'files: ["train\\n.csv"]': "files: 'train\\n.csv' holds control characters or is not UTF-8; rename the file",
    b"files: 3": "files: is not a list of files",
    b"files: [{key: a, size: -1}]": "files: is not a list of files",
    b"files: [[a]]": "files: is not a list of files",
    b"files: {train.csv: big}": "files: is not a list of files",
    b"files: [trian.csv]": f"files: trian.csv is not in s3://{RAW}/day/; did you mean train.csv?",
    b"files: {train.csv: 9}": "files: train.csv has 8 bytes, the marker says 9",
    b"files: {train.csv: 1, train.csv: 8}": "'train.csv' stands twice",
}


@pytest.mark.parametrize(("body", "problem"), BAD_BODIES.items(), ids=lambda value: str(value)[:40])
def test_a_bad_body_starts_nothing_and_is_mailed_once_with_what_to_change(
    world: LambdaWorld, body: bytes, problem: str
) -> None:
    event = world.put("day/go.run", body)

    assert run(world, event) == ["refused"]
    assert [run(world, event) for _ in range(9)] == [["done"]] * 9

    assert problem in mail(world)
    assert world.aws.executions == []
    assert not any("manifests" in key for _, key in world.aws.objects)


@pytest.mark.parametrize(
    "files",
    [
        "files: {train.csv: 8, predict.csv: 4}",
        "files: [train.csv, ./predict.csv]",
        "files: train.csv",
        "files: [{key: train.csv, size: 8}, {key: predict.csv}]",
        "files: [{train.csv: 8}]",
        '{"files": {"train.csv": null}}',
        "files:",
    ],
)
def test_files_that_are_there_as_promised_let_the_run_start(world: LambdaWorld, files: str) -> None:
    assert run(world, world.put("day/go.run", files.encode())) == ["started"]


def test_a_markers_key_forges_nothing_in_subject_mail_or_log(
    world: LambdaWorld, caplog: pytest.LogCaptureFixture
) -> None:
    key = "day/x\nBcc: all@example.com\r\x1b[2J\u202e.run"
    with caplog.at_level("INFO"):
        assert run(world, world.put(key, b"Saeson: x")) == ["refused"]

    (message,) = world.mails
    assert len(message["Subject"]) < 100
    assert all(" " <= letter <= "~" for letter in message["Subject"])
    assert contract.escape_controls(message["Message"], keep="\n") == message["Message"]
    assert not [line for line in message["Message"].splitlines() if line.startswith("Bcc")]
    assert not [record for record in caplog.records if len(record.getMessage().splitlines()) > 1]


def test_all_problems_come_in_one_mail_that_names_marker_and_time(world: LambdaWorld) -> None:
    world.put("bad/train.txt", b"x")
    world.put("bad/train_predict.csv", b"x")

    world.deploy(data={"train": ["train*"], "predict": ["*predict*"]})
    run(world, world.put("bad/go.run", b"Seasn: x\nMaeThreshold: -1\nfiles: [x.csv]"))

    (message,) = world.mails
    assert message["Subject"] == "flights: NO run started by go.run, 5 problems"
    text = message["Message"]
    assert text == (
        "flights: NO run started by go.run, 5 problems\n\n"
        f"marker:  s3://{RAW}/bad/go.run\n"
        "time:    2026-11-23 09:00 UTC\n\n"
        "What is wrong:\n"
        "  - Seasn: is no parameter of this pipeline; did you mean Season?\n"
        "  - MaeThreshold: -1.0 is no MAE; expected a number above 0 and below 1e12\n"
        f"  - files: x.csv is not in s3://{RAW}/bad/\n"
        "  - train_predict.csv: matches both data.train and data.predict; rename it, or make the globs distinct\n"
        "  - train.txt: is neither .csv nor .parquet; convert it, take it away, or narrow the glob\n\n"
        "Mend it, then put the marker there again: each new version of it is looked at once.\n"
    )


def test_an_empty_folder_is_refused(world: LambdaWorld) -> None:
    run(world, world.put("empty/go.run"))

    assert f"s3://{RAW}/empty/: no file matches data.train (train*); the folder has no files beside" in mail(world)
    assert "no file matches data.predict" in mail(world)


def test_a_folder_without_files_of_one_kind_is_refused_with_what_is_there(world: LambdaWorld) -> None:
    world.put("half/trian.csv")
    world.put("half/predict.csv")
    run(world, world.put("half/go.run"))

    assert "no file matches data.train (train*); there is predict.csv, trian.csv; did you mean" in mail(world)


def test_a_neighbouring_folder_that_begins_alike_is_not_listed(world: LambdaWorld) -> None:
    world.put("day2/train_x.csv", b"x")
    run(world, world.put("day/go.run"))

    version = world.aws.executions[0]["parameters"]["TrainDataVersion"]
    assert world.read(f"{PREFIX}/manifests/{version}/files.json")[1:] == ["train.csv"]


def test_hidden_files_and_folder_objects_are_no_data(world: LambdaWorld) -> None:
    for key in ("day/.train.csv", "day/.old/train.csv", "day/train_old/"):
        world.put(key)
    run(world, world.put("day/go.run"))

    version = world.aws.executions[0]["parameters"]["TrainDataVersion"]
    assert world.read(f"{PREFIX}/manifests/{version}/files.json")[1:] == ["train.csv"]


@pytest.mark.parametrize(("most", "outcome"), [(3, "started"), (2, "refused")])
def test_listing_stops_beyond_max_objects_and_refuses(world: LambdaWorld, most: int, outcome: str) -> None:
    world.deploy(max_objects=most)
    event = world.put("day/go.run", b"files: [train.csv, predict.csv]")

    assert run(world, event) == [outcome]
    if outcome == "refused":
        assert "holds more than 2 files (max_objects)" in mail(world)
        assert "1 problem" in world.mails[0]["Subject"]


def test_listing_goes_no_further_than_it_must(world: LambdaWorld) -> None:
    for number in range(50):
        world.put(f"day/train_{number:02d}.csv")
    world.deploy(max_objects=3)

    run(world, world.put("day/go.run"))

    assert [name for name, _ in world.aws.calls].count("ListObjectsV2") == 2


@pytest.mark.parametrize("status", ["Executing", "Stopping"])
def test_a_running_execution_refuses_another_where_the_config_says_so(world: LambdaWorld, status: str) -> None:
    world.deploy(concurrency="refuse")
    for _ in range(3):
        world.aws.end_execution(world.start())
    running = world.start()
    world.aws.end_execution(running, status)
    for _ in range(3):
        world.aws.end_execution(world.start())
    event = world.put("day/go.run")

    assert run(world, event) == ["refused"]
    assert f"execution 000000000004 is {status.lower()} since 2026-11-23 09:00 UTC" in mail(world)
    assert run(world, event) == ["done"]
    world.aws.end_execution(running)
    assert run(world, world.put("day/go.run")) == ["started"]
    assert len(world.mails) == 1


def test_of_two_markers_at_the_same_moment_one_starts_and_the_other_is_refused(world: LambdaWorld) -> None:
    """The second comes while the first has looked for a running execution, and has not started its own yet."""
    world.deploy(concurrency="refuse")
    world.put_data("tue/")
    second = world.put("tue/go.run")
    start, seen = world.aws._on_start_pipeline_execution, []

    def beside(given: dict[str, Any]) -> dict[str, Any]:
        world.aws._on_start_pipeline_execution = start  # type: ignore[method-assign]
        with pytest.raises(AssertionError, match="it waits"):
            run(world, second, "two")
        seen.append("waits")
        return start(given)

    world.aws._on_start_pipeline_execution = beside  # type: ignore[method-assign]

    assert run(world, world.put("day/go.run"), "one") == ["started"]
    assert seen == ["waits"]
    assert run(world, second, "two") == ["refused"]
    assert len(world.aws.executions) == 1


def test_the_turn_of_an_invocation_that_crashed_is_taken_over(world: LambdaWorld) -> None:
    world.deploy(concurrency="refuse")
    world.write(f"{PREFIX}/claims/turn.json", {"owner": "crashed", "at": world.clock().isoformat()})
    world.ahead = turns.OVERDUE - timedelta(seconds=50)
    world.while_waiting = [lambda: None] * 25

    assert run(world, world.put("day/go.run")) == ["started"]
    assert world.while_waiting == []
    assert world.read(f"{PREFIX}/claims/turn.json")["owner"] == ""


def test_what_was_answered_while_an_invocation_waited_for_its_turn_is_not_answered_again(world: LambdaWorld) -> None:
    """The running execution ends meanwhile: without a second look the refused marker would start."""
    world.deploy(concurrency="refuse")
    running = world.start()
    event = world.put("day/go.run")
    turn = f"{PREFIX}/claims/turn.json"
    world.aws.broken = {"Publish"}
    with pytest.raises(NotifyError):
        run(world, event, "one")
    world.aws.broken = set()
    world.write(turn, {"owner": "other", "at": world.clock().isoformat()})

    def other_refuses() -> None:
        world.write(turn, {"owner": "", "at": world.clock().isoformat()})
        assert run(world, event, "one") == ["refused"]
        world.aws.end_execution(running)

    world.while_waiting = [other_refuses]

    assert run(world, event, "two") == ["done"]
    assert len(world.mails) == 1
    assert len(world.aws.executions) == 1


def test_a_turn_that_cannot_be_given_on_fails_no_start(world: LambdaWorld) -> None:
    world.deploy(concurrency="refuse")
    put = world.aws._on_put_object

    def refused(given: dict[str, Any]) -> dict[str, Any]:
        if given["Key"].endswith("turn.json") and b'"owner": ""' in bytes(given["Body"]):
            raise FakeError("AccessDenied", "no", 403)
        return put(given)

    world.aws._on_put_object = refused  # type: ignore[method-assign]

    assert run(world, world.put("day/go.run")) == ["started"]


def test_a_turn_that_others_always_have_is_tried_again_by_lambda(world: LambdaWorld) -> None:
    world.deploy(concurrency="refuse")

    def another() -> None:
        world.write(f"{PREFIX}/claims/turn.json", {"owner": "other", "at": world.clock().isoformat()})

    another()
    world.while_waiting = [another] * 60

    with pytest.raises(StoreError, match="trying again later"):
        run(world, world.put("day/go.run"))
    assert world.aws.executions == []


def test_a_redelivered_event_is_never_refused_for_its_own_execution(world: LambdaWorld) -> None:
    world.deploy(concurrency="refuse")
    event = world.put("day/go.run")

    assert [run(world, event) for _ in range(3)] == [["started"], ["done"], ["done"]]
    assert world.mails == []


def test_runs_go_side_by_side_unless_the_config_refuses(world: LambdaWorld) -> None:
    run(world, world.put("day/a.run"))

    assert run(world, world.put("day/b.run")) == ["started"]
    assert len(world.aws.executions) == 2


def refusing(world: LambdaWorld, broken: bool, invocation: str) -> str:
    """Handle a bad marker, with the topic out of order or not."""
    world.aws.broken = {"Publish"} if broken else set()
    return run(world, EVENT, invocation)[0]


EVENT = LambdaWorld().event("empty/bad.run")


def test_a_refusal_that_could_not_be_mailed_is_mailed_by_the_same_invocation_tried_again(world: LambdaWorld) -> None:
    world.aws.objects[RAW, "empty/bad.run"] = b""
    with pytest.raises(NotifyError):
        refusing(world, True, "one")

    assert refusing(world, False, "two") == "busy"
    assert world.mails == []
    assert refusing(world, False, "one") == "refused"
    assert refusing(world, False, "one") == "done"
    assert len(world.mails) == 1


def test_a_refusal_whose_owner_has_crashed_is_mailed_by_another_once_its_claim_is_stale(world: LambdaWorld) -> None:
    world.aws.objects[RAW, "empty/bad.run"] = b""
    with pytest.raises(NotifyError):
        refusing(world, True, "one")
    world.ahead = timedelta(minutes=1)

    assert refusing(world, False, "two") == "refused"
    assert len(world.mails) == 1


@pytest.mark.parametrize("operation", ["GetObject", "PutObject", "ListObjectsV2"])
def test_errors_of_the_store_leave_the_handler(world: LambdaWorld, operation: str) -> None:
    event = world.put("day/go.run")
    world.aws.broken = {operation}

    with pytest.raises(StoreError, match=operation):
        run(world, event)
    assert world.aws.executions == []


@pytest.mark.parametrize("operation", ["DescribePipeline", "StartPipelineExecution"])
def test_errors_of_the_service_leave_the_handler(world: LambdaWorld, operation: str) -> None:
    event = world.put("day/go.run")
    world.aws.broken = {operation}

    with pytest.raises(ExecutionError, match=operation):
        run(world, event)


def test_a_pipeline_that_is_not_deployed_is_an_error_that_names_it(world: LambdaWorld) -> None:
    world.aws.pipelines.clear()

    with pytest.raises(ExecutionError, match=f"pipeline {PIPELINE} cannot be described"):
        run(world, world.put("day/go.run"))


def test_a_parameter_without_default_must_be_in_the_marker(world: LambdaWorld) -> None:
    found = json.loads(world.aws.pipelines[PIPELINE]["PipelineDefinition"])
    found["Parameters"].append({"Name": "Region", "Type": "String"})
    world.aws.deploy_pipeline(PIPELINE, found)

    assert run(world, world.put("day/go.run")) == ["refused"]
    assert "Region: has no default; give it a value in the marker" in mail(world)
    assert run(world, world.put("day/go.run", b"Region: north")) == ["started"]


def test_a_marker_that_asks_for_scoring_starts_the_other_pipeline_on_the_files_to_predict_alone(
    world: LambdaWorld,
) -> None:
    world.put("new/predict.csv", b"a\n1\n")

    assert run(world, world.put("new/go.run", b"mode: predict\nSeason: summer")) == ["started"]

    (given,) = starts(world)
    (execution,) = world.aws.executions
    assert given["PipelineName"] == SCORING
    assert sorted(execution["parameters"]) == ["Holidays", "PredictDataVersion", "RawDataUri", "Season"]
    assert execution["parameters"]["Season"] == "summer"
    assert len([key for _, key in world.aws.objects if "/manifests/" in key]) == 2


def test_the_token_of_a_start_depends_on_the_mode(world: LambdaWorld) -> None:
    """Whatever tells one writing of a marker from another: another mode is another start."""
    world.put_data("new/")
    event = world.put("new/go.run", b"mode: predict")
    run(world, event)
    run(world, event)

    (given,) = starts(world)
    marker = trigger.markers.read(event, RAW)[0]
    assert given["ClientRequestToken"] == marker.token(SCORING, "new/go.run")
    assert given["ClientRequestToken"] != marker.token(PIPELINE, "new/go.run")


@pytest.mark.parametrize("body", [b"", b"mode: full", b'{"mode": "full"}'])
def test_all_of_the_pipeline_runs_unless_the_marker_says_otherwise(world: LambdaWorld, body: bytes) -> None:
    run(world, world.put("day/go.run", body))

    assert starts(world)[0]["PipelineName"] == PIPELINE


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"mode: predikt", "mode: is 'predikt', expected full or predict; did you mean predict?"),
        (b"mode: true", "mode: is True, expected full or predict"),
        (b"mdoe: predict", "mdoe: is no parameter of this pipeline; did you mean mode?"),
        (b"mode: predict\nMaeThreshold: 12", "MaeThreshold: is no parameter of this pipeline"),
    ],
)
def test_a_mode_that_there_is_not_and_values_that_it_has_no_use_for_are_refused(
    world: LambdaWorld, body: bytes, told: str
) -> None:
    assert run(world, world.put("day/go.run", body)) == ["refused"]
    assert told in mail(world)


def test_a_marker_for_scoring_without_files_to_predict_is_refused(world: LambdaWorld) -> None:
    world.put("bare/train.csv", b"a")

    assert run(world, world.put("bare/go.run", b"mode: predict")) == ["refused"]
    assert "no file matches data.predict" in mail(world)
    assert "data.train" not in mail(world)
