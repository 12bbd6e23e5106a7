"""What a run would do is told from the same cache as the run itself uses, and nothing is changed by telling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from local_definitions import (
    Lab,
    condition,
    definition_text,
    join,
    lambda_step,
    output_of,
    processing,
    result_of,
    statuses,
)

from pipelines.local import document
from pipelines.local.cache import file_digest
from pipelines.local.difference import Change
from pipelines.local.engine import Request
from pipelines.local.forecast import Forecast, Oracle
from pipelines.local.overlay import Overlay
from pipelines.local.workspace import Workspace

SPLIT = """
for line in text('raw').split(';'):
    write('parts/' + line[0] + '/rows.csv', line)
"""
COPY = "write('out/file.txt', text('part') + ''.join(sys.argv[1:]))"
RAW = "s3://bucket/raw"


def split(**changes: Any) -> dict[str, Any]:
    return processing("Split", SPLIT, {"raw": RAW}, ["parts"], cache=True, **changes)


def train(name: str, *arguments: str) -> dict[str, Any]:
    part = join(output_of("Split", "parts"), name, "")
    return processing(f"Train-{name}", COPY, {"part": part}, ["out"], list(arguments), cache=True)


def steps(**arguments: str) -> list[dict[str, Any]]:
    """Split -> Train-a, Train-b."""
    return [split(), *(train(name, *([arguments[name]] if name in arguments else [])) for name in "ab")]


def forecast(lab: Lab, definition: list[dict[str, Any]], workspace: Workspace | None = None) -> dict[str, Forecast]:
    request = Request("plan", document.parse(definition_text(definition)), {})
    found = Oracle(request, workspace or lab.workspace, file_digest, lab.fingerprint).forecast()
    return {item.step: item for item in found}


def outcomes(found: dict[str, Forecast]) -> dict[str, str]:
    return {name: item.outcome for name, item in found.items()}


def snapshot(root: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in sorted(root.rglob("*"))}


def test_in_an_empty_workspace_every_step_runs_for_the_first_time(lab: Lab) -> None:
    lab.put(f"{RAW}/x.csv", "a1;b1")

    found = forecast(lab, steps())

    assert outcomes(found) == {"Split": "runs", "Train-a": "runs", "Train-b": "runs"}
    assert all(item.miss.is_first for item in found.values())


def test_after_a_run_every_step_is_a_hit_with_its_outputs_and_nothing_is_written(lab: Lab) -> None:
    lab.put(f"{RAW}/x.csv", "a1;b1")
    ran = lab.run(steps())
    before = snapshot(lab.root)

    found = forecast(lab, steps())

    assert set(outcomes(found).values()) == {"cached"}
    assert found["Train-a"].record is not None
    assert found["Train-a"].record.outputs == ran.steps["Train-a"].outputs
    assert found["Train-a"].record.reason == "outputs of execution run-1"
    assert snapshot(lab.root) == before


def test_what_depends_on_a_step_that_runs_is_decided_later(lab: Lab) -> None:
    lab.put(f"{RAW}/x.csv", "a1;b1")
    lab.run(steps())
    lab.put(f"{RAW}/x.csv", "a1;b2")

    found = forecast(lab, steps())

    assert outcomes(found) == {"Split": "runs", "Train-a": "later", "Train-b": "later"}
    assert found["Split"].miss.changes == (Change("input", "raw", ("x.csv",)),)
    assert (found["Train-a"].waits_for, found["Train-a"].open_inputs) == (("Split",), ("part",))
    assert statuses(lab.run(steps())) == {"Split": "Succeeded", "Train-a": "Cached", "Train-b": "Succeeded"}


def test_what_is_certain_is_said_although_other_parts_are_not_known_yet(lab: Lab) -> None:
    lab.put(f"{RAW}/x.csv", "a1;b1")
    lab.run(steps())
    lab.put(f"{RAW}/x.csv", "a1;b2")

    found = forecast(lab, steps(a="--fast"))

    assert outcomes(found) == {"Split": "runs", "Train-a": "runs", "Train-b": "later"}
    assert found["Train-a"].miss.changes == (Change("argument", "--fast", ("none -> ",)),)


def test_what_was_run_before_the_newest_run_may_still_be_a_hit(lab: Lab) -> None:
    lab.put(f"{RAW}/x.csv", "a1;b1")
    lab.run(steps())
    lab.run(steps(a="--fast"))
    lab.put(f"{RAW}/x.csv", "a1;b2")

    assert forecast(lab, steps())["Train-a"].outcome == "later"
    assert statuses(lab.run(steps()))["Train-a"] == "Cached"


def test_damaged_outputs_are_foretold_and_so_is_what_depends_on_them(lab: Lab) -> None:
    own = steps(a="--a", b="--b")
    lab.put(f"{RAW}/x.csv", "a1;b1")
    lab.run(own)
    lab.put("s3://bucket/runs/run-1/Train-a/out/file.txt", "a2")
    found = forecast(lab, own)
    assert outcomes(found) == {"Split": "cached", "Train-a": "runs", "Train-b": "cached"}
    assert found["Train-a"].miss.damage == "outputs of execution run-1 are damaged (out/file.txt)"

    lab.workspace.path("s3://bucket/runs/run-1/Split/parts/b/rows.csv").unlink()
    found = forecast(lab, own)
    assert outcomes(found) == {"Split": "runs", "Train-a": "runs", "Train-b": "later"}
    assert found["Split"].miss.damage == "outputs of execution run-1 are gone (b/rows.csv)"


def test_an_input_that_is_missing_is_foretold(lab: Lab) -> None:
    found = forecast(lab, steps())

    assert found["Split"].miss.damage.startswith("it would fail: ClientError: No S3 objects found")


def test_other_libraries_are_certain_for_every_step(lab: Lab) -> None:
    lab.put(f"{RAW}/x.csv", "a1;b1")
    lab.fingerprint = "lightgbm 4.5.0"
    lab.run(steps())
    lab.fingerprint = "lightgbm 4.6.0"

    found = forecast(lab, steps())

    changes = (Change("library", "lightgbm", ("4.5.0 -> 4.6.0",)),)
    assert [item.miss.changes for item in found.values()] == [changes] * 3


def test_steps_without_cache_always_run_and_what_waits_for_them_is_open(lab: Lab) -> None:
    lab.functions["f"] = lambda event: {"Place": "s3://bucket/given"}
    lab.put("s3://bucket/given/x", "1")
    asked = lambda_step("Ask", "f", outputs={"Place": "String"})
    inner = processing("Inner", cache=True)
    definition = [
        asked,
        processing("Plain"),
        processing("Use", COPY, {"part": result_of("Ask", "Place")}, ["out"], cache=True),
        processing("Say", COPY, {"part": "s3://bucket/given"}, ["out"], [result_of("Ask", "Place")], cache=True),
        condition("Gate", [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}], [inner], []),
    ]
    lab.run(definition)

    found = forecast(lab, definition)

    assert outcomes(found) == {
        "Ask": "always",
        "Plain": "always",
        "Use": "later",
        "Say": "later",
        "Gate": "always",
        "Inner": "later",
    }
    assert (found["Inner"].branch_of, found["Inner"].waits_for) == ("Gate", ("Gate",))
    assert found["Say"].open_inputs == ()


def test_objects_in_front_of_a_workspace_are_seen_without_being_written(lab: Lab, tmp_path: Path) -> None:
    lab.put(f"{RAW}/x.csv", "a1;b1")
    lab.run(steps())
    front = Workspace(tmp_path / "front")
    ahead = front.path(f"{RAW}/x.csv")
    ahead.parent.mkdir(parents=True)
    ahead.write_text("a1;b2")

    seen = Overlay(lab.root, front=front)

    assert forecast(lab, steps(), seen)["Split"].miss.changes == (Change("input", "raw", ("x.csv",)),)
    assert forecast(lab, steps())["Split"].outcome == "cached"


def test_an_object_of_a_mount_is_never_hidden(tmp_path: Path) -> None:
    front = Workspace(tmp_path / "front")
    mounted = Overlay(tmp_path / "ws", {"raw": tmp_path / "raw"}, front=front)
    front.path("s3://raw/x").parent.mkdir(parents=True)
    front.path("s3://raw/x").write_text("1")

    assert mounted.path("s3://raw/x") == tmp_path / "raw/x"
