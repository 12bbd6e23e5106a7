"""One model's inference as PostProcess sees it, whether one instance scored its rows or several shared them.

Alone, Infer writes `inference.json`. Of several instances each writes a report of its own with raw counts, as `hosts`
names it; `read` proves that all are there and speak of the same model and rows, and makes of them what one instance
would have written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet

from steps import clock, contract, job
from steps.drift import BINS, Distribution, Rates
from steps.hosts import PART, Host
from steps.partfile import PREDICTION

_parquet: Any = pyarrow.parquet  # has no type information

Report = Mapping[str, Any]

_OWN = ("host", "hosts", "expected_rows", "counts")
"""What only the reports of hosts hold."""
_SAME = ("model", "slug", "status", "source", "reason", "package", "version", "artifact_sha256", "expected_rows")
"""What the reports of all hosts must agree on."""
_SCORED_SAME = ("autogluon_version",)
"""The same of those that had rows: the others opened no model."""
_AGAIN = "run the inference steps again"


@dataclass(frozen=True)
class Inference:
    """What `inference.json` tells of a model, and the parts with its predictions."""

    report: dict[str, Any]
    parts: tuple[Path, ...]


def is_there(folder: Path) -> bool:
    """Tell whether any host left a report in a model's folder."""
    return any(folder.glob("inference*.json"))


def read(folder: Path) -> Inference:
    """Return what was inferred for the model of a folder in which there is a report.

    Raises:
        StepError: the reports are not those of all hosts of one job, or contradict each other.
    """
    parts = tuple(sorted(folder.glob(f"{PART}-*.parquet")))
    whole = folder / contract.INFERENCE_FILE
    shared = sorted(folder.glob("inference-*.json"))
    if not shared:
        return Inference(job.read_json(whole), parts)
    if whole.is_file():
        raise job.StepError(
            f"{folder.name}: holds {whole.name} and {shared[0].name}, which two jobs wrote, expected one: {_AGAIN}"
        )
    reports = [job.read_json(path) for path in shared]
    failed = any(report["status"] == contract.FAILED for report in reports)
    merged = merge(reports, parts)
    return Inference(merged, () if failed else parts)  # what the other hosts predicted of a failed segment is ignored


def merge(reports: Sequence[Report], parts: Sequence[Path] = ()) -> dict[str, Any]:
    """Return the report that one host would have written in place of several.

    `parts` are all parts of the model; they are read only where the hosts counted predictions on different bins.

    Raises:
        StepError: hosts are missing or twice, contradict each other, or their rows are not those that were prepared.
    """
    name, reports = reports[0]["model"], sorted(reports, key=lambda report: int(report["host"]))
    _prove_hosts(name, reports)
    failed = next((report for report in reports if report["status"] == contract.FAILED), None)
    if failed is not None:
        return {**_plain(failed), "seconds": _seconds(reports), **_timing(reports)}
    _prove_same(name, reports, _SAME)
    _prove_rows(name, reports)
    return _add_up(name, reports, parts)


def _plain(report: Report) -> dict[str, Any]:
    return {key: value for key, value in report.items() if key not in _OWN}


def _seconds(reports: Sequence[Report]) -> float:
    return float(max(report["seconds"] for report in reports))  # they work side by side


def _timing(reports: Sequence[Report]) -> dict[str, Any]:
    found = clock.merge(report.get("timing") for report in reports)
    return {"timing": found} if found else {}


def _prove_hosts(name: str, reports: Sequence[Report]) -> None:
    found, counts = [report["host"] for report in reports], sorted({report["hosts"] for report in reports})
    if len(counts) > 1:
        raise job.StepError(
            f"{name}: the inference reports are of jobs with {' and '.join(map(str, counts))} instances, "
            f"expected those of one job: {_AGAIN}"
        )
    if found != list(range(1, counts[0] + 1)):
        told = ", ".join(map(str, found))
        raise job.StepError(
            f"{name}: there are inference reports of host {told}, expected each of {counts[0]} hosts once: {_AGAIN}"
        )


def _prove_same(name: str, reports: Sequence[Report], keys: Sequence[str]) -> None:
    differing = [key for key in keys if any(report[key] != reports[0][key] for report in reports)]
    if differing:
        raise job.StepError(
            f"{name}: its hosts differ in {', '.join(differing)}, expected that all served it the same way: {_AGAIN}"
        )


def _prove_rows(name: str, reports: Sequence[Report]) -> None:
    there = sum(report["rows"] + report["rows_waiting"] for report in reports)
    expected = reports[0]["expected_rows"]
    if there != expected:
        raise job.StepError(
            f"{name}: its {len(reports)} hosts were given {there:,} rows together, {contract.STATUS_FILE} says "
            f"{expected:,}: {_AGAIN}"
        )


def _add_up(name: str, reports: Sequence[Report], parts: Sequence[Path]) -> dict[str, Any]:
    rows, seconds = sum(report["rows"] for report in reports), _seconds(reports)
    merged = {
        **_plain(reports[0]),
        "rows": rows,
        "rows_waiting": sum(report["rows_waiting"] for report in reports),
        "seconds": seconds,
        "rows_per_second": round(rows / seconds, 1) if rows and seconds else None,
        **_timing(reports),
    }
    scored = [report for report in reports if report["rows"]]
    return {**merged, **_counted(name, scored, parts)} if scored else merged


def _counted(name: str, scored: Sequence[Report], parts: Sequence[Path]) -> dict[str, Any]:
    """Return what follows from the counts of the hosts that had rows."""
    _prove_same(name, scored, _SCORED_SAME)
    counts = [report["counts"]["rates"] for report in scored]
    if any(each[key] != counts[0][key] for each in counts for key in ("trained", "limits")):
        raise job.StepError(f"{name}: its hosts compared the rows with different schemas or limits: {_AGAIN}")
    rates = Rates.of_counts(counts)
    notes = dict.fromkeys(note for report in scored for note in report["counts"]["notes"])
    return {
        "warnings": [*notes, *rates.warnings()],
        "unseen_categories": rates.unseen(),
        "null_rates": rates.nulls(),
        "prediction": _distribution(scored, parts).to_json(),
        "autogluon_version": scored[0]["autogluon_version"],
    }


def _distribution(scored: Sequence[Report], parts: Sequence[Path]) -> Distribution:
    """Return the distribution of all predictions.

    Where training left no bins each host took those of its first rows; the first rows of all decide, as on one host,
    and the predictions are counted again.
    """
    found = [Distribution.of_counted(report["counts"]["distribution"]) for report in scored]
    bins: Any = found[0].edges
    if any(not np.array_equal(np.asarray(each.edges), bins) for each in found):
        bins = found[_leading(scored, parts)].edges
        found = [replace(each, counts=np.zeros(BINS, dtype=np.int64)) for each in found] + [_count_again(bins, parts)]
    merged = Distribution.over(bins)
    for each in found:
        merged.merge(each)
    return merged


def _leading(scored: Sequence[Report], parts: Sequence[Path]) -> int:
    """Return which of the reports is of the host that had the first rows of all."""
    stems = [Host(report["host"], report["hosts"]).part_stem for report in scored]
    firsts = [next(path for path in parts if path.name.startswith(f"{stem}-")) for stem in stems]
    rows = [next(_parquet.ParquetFile(path).iter_batches(1, columns=[contract.ROW])).column(0)[0] for path in firsts]
    return min(range(len(rows)), key=lambda at: int(rows[at].as_py()))


def _count_again(bins: Any, parts: Sequence[Path]) -> Distribution:
    found = Distribution.over(bins)
    for path in parts:
        found.count(_parquet.read_table(path, columns=[PREDICTION]).column(0).to_numpy())
    return found
