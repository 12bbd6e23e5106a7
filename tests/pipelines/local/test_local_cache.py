"""The content cache: what is a hit, what is a miss, and what happens to damaged entries."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from local_definitions import EXECUTION_ID, Lab, join, output_of, parameter_ref, processing, statuses

from pipelines.local.cache import Digests, file_digest
from pipelines.local.difference import Change

COPY = "write('out/file.txt', text('in') + '!')"


def two_chains() -> list[dict]:
    """Prep-a -> Train-a and Prep-b -> Train-b, all cached."""
    return [
        step
        for name in "ab"
        for step in (
            processing(f"Prep-{name}", COPY, {"in": f"s3://bucket/raw/{name}"}, ["out"], cache=True),
            processing(f"Train-{name}", COPY, {"in": output_of(f"Prep-{name}", "out")}, ["out"], cache=True),
        )
    ]


def prepare(lab: Lab) -> None:
    lab.put("s3://bucket/raw/a/x.csv", "1")
    lab.put("s3://bucket/raw/b/x.csv", "2")


def test_an_unchanged_second_run_works_on_nothing_and_names_the_first_ones_outputs(lab: Lab) -> None:
    prepare(lab)
    first = lab.run(two_chains())
    second = lab.run(two_chains())
    assert set(statuses(first).values()) == {"Succeeded"}
    assert set(statuses(second).values()) == {"Cached"}
    assert second.steps["Train-a"].outputs == first.steps["Train-a"].outputs
    assert second.steps["Train-a"].reason == "outputs of execution run-1"
    assert lab.keys("s3://bucket/runs/run-2") == []


def test_one_touched_input_runs_only_the_chain_behind_it(lab: Lab) -> None:
    prepare(lab)
    lab.run(two_chains())
    lab.put("s3://bucket/raw/b/x.csv", "3")
    outcome = lab.run(two_chains())
    assert statuses(outcome) == {
        "Prep-a": "Cached",
        "Train-a": "Cached",
        "Prep-b": "Succeeded",
        "Train-b": "Succeeded",
    }


def test_the_same_bytes_elsewhere_are_the_same_input(lab: Lab) -> None:
    lab.put("s3://bucket/one/x", "1")
    lab.put("s3://other/two/x", "1")
    declared = [{"Name": "Uri", "Type": "String"}]
    steps = [processing("Prep", COPY, {"in": parameter_ref("Uri")}, ["out"], cache=True)]
    lab.run(steps, declared, parameters={"Uri": "s3://bucket/one"})
    assert statuses(lab.run(steps, declared, parameters={"Uri": "s3://other/two"})) == {"Prep": "Cached"}


def test_arguments_environment_image_and_fingerprint_belong_to_the_key(lab: Lab) -> None:
    def run(**changes: object) -> str:
        return statuses(lab.run([processing("Prep", outputs=["out"], cache=True, **changes)]))["Prep"]

    assert [run(), run()] == ["Succeeded", "Cached"]
    assert run(arguments=["x"]) == "Succeeded"
    assert run(environment={"A": "1"}) == "Succeeded"
    assert run(image="image:2") == "Succeeded"
    assert run(arguments=[join("id", EXECUTION_ID)]) == "Succeeded"
    lab.fingerprint = "other lock file"
    assert run() == "Succeeded"


def test_without_caching_or_with_the_cache_off_a_step_runs_again(lab: Lab) -> None:
    for cache, use, expected in [(False, True, "Succeeded"), (True, False, "Succeeded")]:
        steps = [processing("Prep", cache=cache)]
        lab.run(steps)
        assert statuses(lab.run(steps, use_cache=use)) == {"Prep": expected}


@pytest.mark.parametrize("content", ["2!", "1", "1!!", ""])
def test_outputs_that_were_altered_or_cut_are_made_again(lab: Lab, content: str) -> None:
    """Even with the time they had: every byte is read."""
    prepare(lab)
    lab.run(two_chains()[:1])
    path = lab.workspace.path("s3://bucket/runs/run-1/Prep-a/out/file.txt")
    stat = path.stat()
    path.write_text(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    outcome = lab.run(two_chains()[:1])

    assert statuses(outcome) == {"Prep-a": "Succeeded"}
    assert outcome.steps["Prep-a"].reason == "outputs of execution run-1 are damaged (out/file.txt)"
    assert statuses(lab.run(two_chains()[:1])) == {"Prep-a": "Cached"}


def test_outputs_that_vanished_are_made_again(lab: Lab) -> None:
    prepare(lab)
    lab.run(two_chains()[:1])
    lab.workspace.path("s3://bucket/runs/run-1/Prep-a/out/file.txt").unlink()

    outcome = lab.run(two_chains()[:1])

    assert outcome.steps["Prep-a"].reason == "outputs of execution run-1 are gone (out/file.txt)"


def test_a_step_that_runs_says_why_and_is_quiet_the_first_time(lab: Lab) -> None:
    prepare(lab)
    first = lab.run(two_chains())
    assert {event.reason for event in lab.events if event.status == "Executing"} == {""}
    assert first.steps["Train-a"].reason == "not run before in this workspace"

    lab.put("s3://bucket/raw/b/x.csv", "3")
    second = lab.run(two_chains())
    said = {event.step: event.reason for event in lab.events if event.status == "Executing"}
    assert said == {"Prep-b": "input changed: in", "Train-b": "input changed: in"}
    assert second.steps["Prep-b"].reason == "input changed: in"


def test_a_run_is_compared_to_the_newest_of_its_step_and_pipeline(lab: Lab) -> None:
    def why(pipeline: str, *arguments: str) -> str:
        steps = [processing("Prep", outputs=["out"], cache=True, arguments=list(arguments))]
        return lab.run(steps, pipeline=pipeline).steps["Prep"].reason

    assert why("one", "--a", "1") == "not run before in this workspace"
    assert why("one", "--a", "1", "--b", "2") == "argument changed: --b"
    assert why("one", "--a", "2", "--b", "2") == "argument changed: --a"
    assert why("two", "--a", "3") == "not run before in this workspace"


def test_changed_keys_of_a_json_input_are_read_from_both_runs(lab: Lab) -> None:
    seen: list[Change] = []
    steps = [processing("Prep", inputs={"in": parameter_ref("Uri")}, outputs=["out"], cache=True)]
    lab.put("s3://bucket/1/settings.json", '{"seed": 0}')
    lab.put("s3://bucket/2/settings.json", '{"seed": 1}')
    lab.explain = lambda step, changes: seen.extend(changes) or "told"
    declared = [{"Name": "Uri", "Type": "String"}]
    lab.run(steps, declared, parameters={"Uri": "s3://bucket/1"})

    assert lab.run(steps, declared, parameters={"Uri": "s3://bucket/2"}).steps["Prep"].reason == "told"
    assert seen == [Change("input", "in", ("settings.json",), ("seed (0 -> 1)",))]


def test_an_entry_that_is_gone_is_said_to_be(lab: Lab) -> None:
    prepare(lab)
    lab.run(two_chains()[:1])
    for path in lab.workspace.cache.glob("*.json"):
        path.unlink()

    assert lab.run(two_chains()[:1]).steps["Prep-a"].reason == "its cache entry is gone"


def test_a_damaged_entry_counts_as_never_stored(lab: Lab) -> None:
    prepare(lab)
    for content in ["", "[]", '{"key": "x"}', "\x00", "[" * 100_000]:
        lab.run(two_chains()[:1])
        for path in lab.workspace.cache.glob("*.json"):
            path.write_text(content)
        assert statuses(lab.run(two_chains()[:1])) == {"Prep-a": "Succeeded"}


def test_a_damaged_store_of_digests_is_replaced(lab: Lab) -> None:
    prepare(lab)
    lab.workspace.cache.mkdir(parents=True)
    (lab.workspace.cache / "digests.sqlite").write_text("no data base" * 1000)
    assert lab.run(two_chains()).status == "Succeeded"
    assert statuses(lab.run(two_chains()))["Train-b"] == "Cached"


def test_a_success_that_must_not_be_repeated_is_not_stored(lab: Lab) -> None:
    steps = [processing("Train", "(root / 'output/no-cache').touch()", cache=True)]
    lab.run(steps)
    assert statuses(lab.run(steps)) == {"Train": "Succeeded"}


def test_a_failure_is_not_stored(lab: Lab) -> None:
    steps = [processing("Train", "sys.exit(1)", cache=True)]
    lab.run(steps)
    assert statuses(lab.run(steps)) == {"Train": "Failed"}


def test_a_digest_is_computed_once_until_the_file_changes(tmp_path: Path) -> None:
    file, digests = tmp_path / "x", Digests(tmp_path / "digests.sqlite")
    file.write_text("one")
    os.utime(file, ns=(1, 1))
    first = digests.of(file)
    file.write_text("two")
    os.utime(file, ns=(1, 1))
    assert digests.of(file) == first
    os.utime(file, ns=(2, 2))
    assert digests.of(file) == file_digest(file) != first
    digests.close()
