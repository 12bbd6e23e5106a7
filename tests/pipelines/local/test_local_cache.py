"""The content cache: what is a hit, what is a miss, and what happens to damaged entries."""

from __future__ import annotations

import os
from pathlib import Path

from local_definitions import EXECUTION_ID, Lab, join, output_of, parameter_ref, processing, statuses

from pipelines.local.cache import Digests, file_digest

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


def test_outputs_that_changed_or_vanished_are_made_again(lab: Lab) -> None:
    prepare(lab)
    lab.run(two_chains()[:1])
    path = lab.workspace.path("s3://bucket/runs/run-1/Prep-a/out/file.txt")
    path.write_text("2!")
    assert statuses(lab.run(two_chains()[:1])) == {"Prep-a": "Succeeded"}
    lab.workspace.path("s3://bucket/runs/run-2/Prep-a/out/file.txt").unlink()
    assert statuses(lab.run(two_chains()[:1])) == {"Prep-a": "Succeeded"}


def test_a_damaged_entry_counts_as_never_stored(lab: Lab) -> None:
    prepare(lab)
    for content in ["", "[]", '{"key": "x"}', "\x00"]:
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
