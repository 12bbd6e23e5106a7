"""Which waiting Processing steps start: longest first, within cores, parallelism and memory; at least one, always."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from local_definitions import Json, Lab, processing
from test_local_engine import Recorder

from pipelines.local.admission import USABLE, Admission
from pipelines.local.cores import Cores
from pipelines.local.document import parse
from pipelines.local.frontier import Frontier
from pipelines.local.load import Experience, Taken, core_weights, instance_type
from pipelines.local.record import FAILED, SKIPPED, SUCCEEDED, StepRecord
from pipelines.local.schedule import Graph, build_graph, core_shares

NAMES = "ABCDE"


@dataclass(frozen=True)
class Box:
    cores: int
    memory_gb: float


def waiting(
    seconds: Mapping[str, float],
    shares: Mapping[str, int] | None = None,
    cores: int = 2,
    limit: int | None = None,
    free: float | None = None,
) -> Admission:
    found = Admission(dict.fromkeys(NAMES, 1) | dict(shares or {}), Cores(cores), limit, lambda: free)
    for position, (name, expected) in enumerate(seconds.items()):
        found.add(name, expected, position)
    return found


def admitted(admission: Admission, memory: Mapping[str, float] | None = None) -> str:
    return "".join(name for name, _ in admission.admit(lambda name: (memory or {}).get(name, 1.0)))


def test_the_longest_start_first_and_equals_in_the_order_of_the_definition() -> None:
    admission = waiting({"A": 1, "B": 5, "C": 5, "D": 9}, cores=4)

    assert admitted(admission) == "DBCA"


def test_those_with_more_cores_start_before_the_longer_ones() -> None:
    assert admitted(waiting({"A": 9, "B": 1}, {"B": 2}, cores=3)) == "BA"


def test_nobody_overtakes_a_step_that_waits_for_cores() -> None:
    admission = waiting({"A": 1, "B": 2}, {"B": 2})
    assert admitted(admission) == "B"
    assert admitted(admission) == ""
    admission.release("B")

    assert admitted(admission) == "A"


def test_parallelism_bounds_those_at_work() -> None:
    admission = waiting(dict.fromkeys("ABC", 1), cores=8, limit=2)
    assert admitted(admission) == "AB"
    admission.release("A")

    assert admitted(admission) == "C"


def test_a_step_that_does_not_fit_into_memory_waits_and_smaller_ones_pass() -> None:
    admission = waiting(dict.fromkeys("ABC", 1), cores=8, free=1000 / USABLE)
    memory = {"A": 600.0, "B": 500.0, "C": 400.0}
    assert admitted(admission, memory) == "AC"
    admission.release("C")
    assert admitted(admission, memory) == ""
    admission.release("A")

    assert admitted(admission, memory) == "B"


def test_the_first_starts_however_little_memory_there_is() -> None:
    admission = waiting(dict.fromkeys("AB", 1), cores=8, free=10)
    assert admitted(admission, {"A": 1e6, "B": 1e6}) == "A"
    admission.release("A")

    assert admitted(admission, {"A": 1e6, "B": 1e6}) == "B"


def test_where_memory_is_not_known_it_bounds_nothing() -> None:
    assert admitted(waiting(dict.fromkeys("AB", 1), cores=8), {"A": 1e9, "B": 1e9}) == "AB"


def test_free_memory_is_looked_at_again_when_nothing_works() -> None:
    free = [100.0 / USABLE, 1000.0 / USABLE]
    admission = Admission(dict.fromkeys(NAMES, 1), Cores(4), None, lambda: free.pop(0))
    for name in "ABC":
        admission.add(name, 1, 0)
    assert admitted(admission, dict.fromkeys("ABC", 400.0)) == "A"
    admission.release("A")

    assert admitted(admission, dict.fromkeys("ABC", 400.0)) == "BC"


def graph_of(*steps: Json) -> Graph:
    return build_graph(parse(json.dumps({"Version": "2020-12-01", "Steps": list(steps)})))


STEPS = graph_of(*(processing(name) for name in "ABC"), processing("Other", "other")).steps


def experience(taken: Mapping[str, Taken] | None = None, box: Box | None = None) -> Experience:
    return Experience(STEPS, taken or {}, lambda _: box)


def test_what_a_step_took_itself_counts_before_what_its_kind_took() -> None:
    known = experience({"A": Taken(10.0, 1000.0), "B": Taken(30.0, 2000.0), "Gone": Taken(1.0, 1.0)})

    assert known.seconds(STEPS["A"], 0) == 10.0
    assert known.seconds(STEPS["C"], 0) == 20.0
    assert known.memory_mb(STEPS["A"], 0) == pytest.approx(1300.0)
    assert known.memory_mb(STEPS["C"], 0) == pytest.approx(2500.0)
    assert known.is_known(STEPS["A"])
    assert not known.is_known(STEPS["C"])


def test_of_a_kind_that_never_ran_the_size_of_the_inputs_tells() -> None:
    known = experience({"A": Taken(10.0, 1000.0)})

    assert known.seconds(STEPS["Other"], 2_000_000) > known.seconds(STEPS["Other"], 1_000_000)
    assert known.memory_mb(STEPS["Other"], 100_000_000) == pytest.approx(3500.0)


def test_a_step_with_several_instances_takes_as_many_times_the_memory_of_one() -> None:
    steps = graph_of(processing("A"), processing("Many", instances=3)).steps
    known = Experience(steps, {"A": Taken(10.0, 1000.0)}, lambda _: None)

    assert known.memory_mb(steps["Many"], 0) == pytest.approx(3 * known.memory_mb(steps["A"], 0))


def test_no_guess_is_above_what_the_instance_type_has() -> None:
    assert experience(box=Box(4, 1.0)).memory_mb(STEPS["Other"], 10**9) == pytest.approx(2**30 / 1e6)


def test_a_step_that_ran_tells_of_those_of_its_kind_that_wait() -> None:
    known = experience()
    known.learn(StepRecord("A", "Processing", SUCCEEDED, seconds=7.0, peak_memory_mb=100.0))
    known.learn(StepRecord("B", "Processing", FAILED, seconds=1.0, peak_memory_mb=9999.0))
    known.learn(StepRecord("B", "Processing", SUCCEEDED, seconds=0.0, cached=True))

    assert known.seconds(STEPS["C"], 10**9) == 7.0
    assert known.memory_mb(STEPS["C"], 10**9) == pytest.approx(220.0)


def test_steps_side_by_side_share_the_cores_as_their_instances_have_them() -> None:
    graph = graph_of(*(processing(name) for name in "AB"))
    assert instance_type(graph.steps["A"]) == "ml.m5.large"

    assert core_weights(graph.steps, lambda _: Box(16, 64.0)) == {"A": 16, "B": 16}
    assert core_weights(graph.steps, lambda _: None) == {}
    assert core_shares(graph, 8, None, {"A": 16, "B": 16}) == {"A": 4, "B": 4}
    assert core_shares(graph, 8, None, {"A": 16, "B": 2}) == {"A": 6, "B": 1}
    assert core_shares(graph, 8, None, {"A": 16}) == core_shares(graph, 8, None) == {"A": 4, "B": 4}


def test_a_run_starts_the_longest_first_and_no_more_than_fit_into_memory(lab: Lab) -> None:
    lab.launcher = Recorder()
    lab.free = 1000.0
    taken = {"A": Taken(1.0, 400.0), "B": Taken(9.0, 400.0), "C": Taken(3.0, 400.0)}
    lab.run([processing(name) for name in "ABC"], cores=3, taken=taken)

    assert lab.launcher.most == 1
    assert [task.step for task in lab.launcher.tasks] == ["B", "C", "A"]


def test_of_a_first_run_the_step_with_the_largest_inputs_starts_first(lab: Lab) -> None:
    lab.launcher = Recorder()
    for name, size in (("a", 10), ("b", 1000), ("c", 100)):
        lab.put(f"s3://bucket/{name}/x", "x" * size)
    lab.run([processing(name.upper(), inputs={"in": f"s3://bucket/{name}"}) for name in "abc"], cores=1)

    assert [task.step for task in lab.launcher.tasks] == ["B", "C", "A"]


def test_the_frontier_gives_each_ready_step_once_in_the_order_of_the_definition() -> None:
    graph = graph_of(processing("Last", DependsOn=["A", "B"]), processing("B"), processing("A"))
    frontier, records = Frontier(graph), {}
    assert frontier.take(records) == ["B", "A"]
    assert frontier.take(records) == []
    for name, left in (("A", []), ("B", ["Last"])):
        records[name] = StepRecord(name, "Processing", SUCCEEDED)
        frontier.end(records[name], records)

        assert frontier.take(records) == left


def test_nothing_becomes_ready_behind_a_step_that_did_not_succeed() -> None:
    graph = graph_of(processing("A"), processing("B", DependsOn=["A"]))
    for status in (FAILED, SKIPPED):
        frontier = Frontier(graph)
        frontier.take({})
        record = StepRecord("A", "Processing", status)
        frontier.end(record, {"A": record})

        assert frontier.take({"A": record}) == []
