"""Reports of several hosts: together they say what one host would have said of all rows, or they are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import prepared_rows
import pyarrow as pa
import pyarrow.parquet
import pytest
from test_infer import MODEL, SLUG, Bench, isolate

from steps import infer, job, merging
from steps.contract import ML_ROOT_VARIABLE
from steps.merging import Inference

pq: Any = pyarrow.parquet
ROWS = 500
TIMES = ("seconds", "rows_per_second", "timing")
Reports = list[dict[str, Any]]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setenv(ML_ROOT_VARIABLE, str(tmp_path / "ml"))
    made = Bench(prepared_rows.Tree(tmp_path / "ml"))
    rows = prepared_rows.table(ROWS, seed=3)
    carriers = pa.array(["new"] * 50 + rows["carrier"].to_pylist()[50:])
    prepare(made, rows.set_column(rows.schema.names.index("carrier"), "carrier", carriers))
    return made


def prepare(bench: Bench, rows: pa.Table, files: int = 5) -> None:
    """Prepare rows in so many parts, which lie where an instance's share is taken from."""
    bench.tree.predict(SLUG, rows.append_column("extra", rows["carrier"]))
    folder = bench.tree.input("parts", SLUG)
    whole = pa.concat_tables([pq.read_table(path) for path in sorted(folder.iterdir())])
    shutil.rmtree(folder)
    prepared_rows.write_parts(folder, whole, files)
    shutil.rmtree(bench.tree.root / "all", ignore_errors=True)
    shutil.copytree(folder, bench.tree.root / "all")


def enter(bench: Bench, number: int, count: int) -> None:
    """Make this the host `number` of `count`, with its share of the parts."""
    names = [f"algo-{each}" for each in range(1, count + 1)]
    config = {"current_host": names[number - 1], "hosts": names}
    prepared_rows.write_json(bench.tree.root / "config" / "resourceconfig.json", config)
    folder = bench.tree.input("parts", SLUG)
    shutil.rmtree(folder, ignore_errors=True)
    for path in sorted((bench.tree.root / "all").iterdir())[number - 1 :: count]:
        folder.mkdir(exist_ok=True)
        shutil.copy(path, folder)


def score(bench: Bench, count: int) -> Inference:
    """Score with so many hosts, the last one first, and return what came of all of their outputs."""
    published = bench.tree.root / f"published-{count}"
    for number in range(count, 0, -1):
        enter(bench, number, count)
        infer.infer(MODEL, job.read_settings(), bench.load)
        shutil.copytree(bench.output(), published, dirs_exist_ok=True)
        shutil.rmtree(bench.output())
    return merging.read(published)


def predictions(found: Inference) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in found.parts]).sort_by("__row__")


def told(found: Inference) -> dict[str, Any]:
    """Return a report without times, its sums of squares to as many digits as their order leaves."""
    report = {key: value for key, value in found.report.items() if key not in TIMES}
    prediction = dict(report["prediction"])
    if prediction["mean"] is not None:
        prediction |= {key: pytest.approx(prediction[key], rel=1e-12) for key in ("mean", "std")}
    return {**report, "prediction": prediction}


def without_bins(bench: Bench) -> None:
    prepared_rows.write_json(bench.tree.input("evaluation", SLUG, "profile.json"), {"label": None})


def without_rows(bench: Bench) -> None:
    prepare(bench, prepared_rows.table(0), files=1)


def without_default(bench: Bench) -> None:
    bench.decide(source="skipped", reason="no approved default")


def as_it_is(bench: Bench) -> None:
    pass


@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("change", [as_it_is, without_bins, without_rows, without_default])
def test_many_hosts_say_and_predict_what_one_does(bench: Bench, change: Callable[[Bench], None], count: int) -> None:
    """With seven hosts for five parts some have none."""
    change(bench)
    alone, many = score(bench, 1), score(bench, count)

    assert many.report == told(alone) | {key: many.report[key] for key in TIMES}
    if alone.parts:
        assert predictions(many).equals(predictions(alone))
        assert [path.name for path in alone.parts] == ["part-00000.parquet"]
    assert all(path.name.startswith("part-00") and path.name.count("-") == 2 for path in many.parts)
    assert len(many.parts) == min(count, {without_rows: 1, without_default: 0}.get(change, 5))


def test_one_host_alone_copies_what_belongs_to_the_training(bench: Bench) -> None:
    enter(bench, 2, 2)
    infer.infer(MODEL, job.read_settings(), bench.load)
    names = sorted(path.name for path in bench.output().iterdir())
    assert names == ["inference-002.json", "part-002-00000.parquet"]
    enter(bench, 1, 2)
    infer.infer(MODEL, job.read_settings(), bench.load)
    assert bench.output("training", "evaluation.json").is_file()


def test_a_segment_that_failed_on_one_host_failed_and_no_part_of_it_counts(bench: Bench) -> None:
    isolate(bench)
    rows = prepared_rows.table(ROWS, seed=3)
    distance = pa.array([1.0] * 250 + [float("inf")] + [1.0] * 249)
    prepare(bench, rows.set_column(rows.schema.names.index("dist.km"), "dist.km", distance))
    alone, many = score(bench, 1), score(bench, 2)

    assert [path.name for path in (bench.tree.root / "published-2").glob("part-*")] == ["part-002-00000.parquet"]
    assert many.parts == ()
    assert many.report == told(alone) | {key: many.report[key] for key in TIMES}
    assert (many.report["status"], many.report["rows_waiting"]) == ("failed", ROWS)


def reports(count: int = 3, **changes: Any) -> Reports:
    """Return what hosts report that were given 10 rows each."""
    rates = {"rows": 10, "nulls": {"x": 1}, "unseen": {}, "trained": {"x": 0.1}}
    limits = {"unseen": 0.01, "nulls": 0.1, "ignore": []}
    moments = {"rows": 10, "mean": 1.0, "spread": 2.0, "min": 0.0, "max": 2.0}
    distribution = {"edges": [0.0, 1.0, 2.0], "counts": [5, 5], **moments}
    identity = {"package": None, "version": None, "artifact_sha256": "aa", "autogluon_version": "1"}
    common = {"model": "N", "slug": "n", "source": "fresh", "reason": "", "status": "scored", **identity}
    amounts = {"rows": 10, "rows_waiting": 0, "seconds": 2.0, "rows_per_second": 5.0, "warnings": []}
    counts = {"notes": [], "rates": {**rates, "limits": limits}, "distribution": distribution}
    place = {"hosts": count, "expected_rows": 10 * count, "counts": counts}
    return [{**common, **amounts, **place, "host": at + 1, **changes} for at in range(count)]


def test_rates_come_from_the_counts_and_the_slowest_host_tells_the_time() -> None:
    found = reports()
    found[1]["seconds"] = 4.0
    found[2]["counts"]["rates"] = {**found[2]["counts"]["rates"], "nulls": {"x": 10}}
    merged = merging.merge(list(reversed(found)))

    assert (merged["rows"], merged["seconds"], merged["rows_per_second"]) == (30, 4.0, 7.5)
    assert merged["null_rates"] == {"x": {"train": 0.1, "predict": 1.0}}
    assert merged["prediction"]["histogram"]["counts"] == [15, 15]
    assert not {"host", "hosts", "expected_rows", "counts"} & merged.keys()


def lose_host(found: Reports) -> None:
    del found[1]


def lose_last_host(found: Reports) -> None:
    del found[-1]


def repeat_host(found: Reports) -> None:
    found[2]["host"] = 2


def mix_jobs(found: Reports) -> None:
    found[2]["hosts"] = 2


def change_artifact(found: Reports) -> None:
    found[1]["artifact_sha256"] = "bb"


def change_source(found: Reports) -> None:
    found[1]["source"] = "default"


def skip_on_one_host(found: Reports) -> None:
    found[1] |= {"status": "skipped", "rows": 0, "rows_waiting": 10}


def lose_row(found: Reports) -> None:
    found[1]["rows"] = 9


def score_rows_twice(found: Reports) -> None:
    found[1]["rows"] = 20


def change_library(found: Reports) -> None:
    found[2]["autogluon_version"] = "2"


def change_limits(found: Reports) -> None:
    rates = found[2]["counts"]["rates"]
    found[2]["counts"] = {**found[2]["counts"], "rates": {**rates, "limits": {**rates["limits"], "nulls": None}}}


def change_schema(found: Reports) -> None:
    rates = found[2]["counts"]["rates"]
    found[2]["counts"] = {**found[2]["counts"], "rates": {**rates, "trained": {"x": 0.2}}}


REFUSED = {
    lose_host: "N: there are inference reports of host 1, 3, expected each of 3 hosts once",
    lose_last_host: "N: there are inference reports of host 1, 2, expected each of 3 hosts once",
    repeat_host: "N: there are inference reports of host 1, 2, 2, expected each of 3 hosts once",
    mix_jobs: "N: the inference reports are of jobs with 2 and 3 instances, expected those of one job",
    change_artifact: "N: its hosts differ in artifact_sha256, expected that all served it the same way",
    change_source: "N: its hosts differ in source",
    skip_on_one_host: "N: its hosts differ in status",
    lose_row: "N: its 3 hosts were given 29 rows together, status.json says 30",
    score_rows_twice: "N: its 3 hosts were given 40 rows together, status.json says 30",
    change_library: "N: its hosts differ in autogluon_version",
    change_limits: "N: its hosts compared the rows with different schemas or limits",
    change_schema: "N: its hosts compared the rows with different schemas or limits",
}


@pytest.mark.parametrize("fault", REFUSED, ids=lambda fault: fault.__name__)
def test_reports_that_do_not_make_one_job_are_refused(fault: Callable[[Reports], None]) -> None:
    found = reports()
    fault(found)
    with pytest.raises(job.StepError) as caught:
        merging.merge(found)
    assert REFUSED[fault] in str(caught.value)
    assert str(caught.value).endswith(": run the inference steps again")


def test_reports_of_one_host_and_of_several_in_one_folder_are_refused(tmp_path: Path) -> None:
    for name, report in (("inference.json", {}), ("inference-001.json", reports(1)[0])):
        job.write_json(tmp_path / "n" / name, report)
    with pytest.raises(job.StepError, match=r"n: holds inference.json and inference-001.json, which two jobs wrote"):
        merging.read(tmp_path / "n")


def test_a_folder_without_a_report_is_told_from_one_with_any(tmp_path: Path) -> None:
    assert not merging.is_there(tmp_path)
    job.write_json(tmp_path / "inference-002.json", {})
    assert merging.is_there(tmp_path)


def test_where_training_left_no_bins_those_of_the_first_rows_are_taken(bench: Bench) -> None:
    without_bins(bench)
    rows = prepared_rows.table(ROWS)
    distance = pa.array(np.linspace(0, 5000, ROWS))
    prepare(bench, rows.set_column(rows.schema.names.index("dist.km"), "dist.km", distance))
    alone, many = score(bench, 1), score(bench, 5)
    assert many.report["prediction"]["histogram"] == alone.report["prediction"]["histogram"]
    assert many.report["prediction"]["histogram"]["edges"][-1] < 10.0
