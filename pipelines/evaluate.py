"""Realised error once the truth is known: `python -m pipelines.evaluate ID --actuals FILE`.

Parses, calls one function, writes `realised.json` beside the execution and into its report, prints.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines import terminal
from pipelines.errors import PipelineError, SettingsError
from pipelines.options import DEFAULT_WORKSPACE

if TYPE_CHECKING:
    from pipelines.realised import Promise, Realised, Segment
    from pipelines.runs import Run

_HEADS = ("model", "MAE", "95 %", "promised", "95 %", "verdict", "RMSE", "bias", "rows", "no truth")


def parser() -> argparse.ArgumentParser:
    """Return the command line of `python -m pipelines.evaluate`."""
    line = argparse.ArgumentParser(
        prog="python -m pipelines.evaluate",
        description="Compare the predictions of an execution on this machine with what came true.",
        epilog="exit codes: 0 evaluated, whatever the verdicts; 2 bad usage, execution or file",
    )
    line.add_argument("execution", nargs="?", metavar="ID", help="the execution, or --last")
    line.add_argument("--last", action="store_true", help="the newest execution, in place of an ID")
    line.add_argument(
        "--actuals", type=Path, required=True, metavar="FILE", help="CSV or Parquet with the id and the label, or more"
    )
    line.add_argument("--json", action="store_true", help="print what realised.json has, as one JSON object")
    line.add_argument(
        "--workspace", type=Path, default=DEFAULT_WORKSPACE, metavar="DIR", help="where executions lie (%(default)s)"
    )
    return line


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = parser().parse_args(argv)
    try:
        found, report = _evaluate(arguments)
    except PipelineError as error:
        sys.stderr.write("".join(f"{terminal.paragraph(f'error: {problem}')}\n" for problem in error.problems))
        return 2
    except KeyboardInterrupt:
        return 1
    told = f"the report shows it too: {report}\n" if report else ""
    shown = json.dumps(found.to_json(), ensure_ascii=False) + "\n" if arguments.json else as_table(found) + told
    sys.stdout.write(shown)
    return 0


def _evaluate(arguments: argparse.Namespace) -> tuple[Realised, str | None]:
    from pipelines import realised, slices
    from pipelines.local.durable import write_atomically
    from pipelines.runs import Run
    from pipelines.truth import Truth
    from steps import contract

    if (arguments.execution is None) != arguments.last:
        raise SettingsError("give the ID of an execution, or --last for the newest")
    run = Run(arguments.execution, arguments.workspace)
    names = run.settings(slices.POSTPROCESS)
    delimiter = run.settings(slices.PREPARE_PREDICTION).get("delimiter")
    found = realised.evaluate(run, Truth(arguments.actuals, names["id"], names["label"], delimiter))
    target = run.workspace.execution(run.execution) / realised.REALISED_FILE
    write_atomically(target, contract.to_json(found.to_json()), run.workspace.scratch)
    return found, add_to_report(run, found)


def add_to_report(run: Run, found: Realised) -> str | None:
    """Put what came true into the slot of an execution's report in the workspace; return the report, if it has one.

    What stood in the slot is replaced. A report on AWS is not touched, nor one of before there was such a slot.
    """
    from pipelines.local.durable import write_atomically
    from steps import embedding

    path = Path(run.result.report) if run.result.report else None
    page = path.read_text(encoding="utf-8") if path else ""
    filled = embedding.fill(page, embedding.REALISED, found.to_json())
    if path is None or filled is None:
        return None
    write_atomically(path, filled, run.workspace.scratch)
    return terminal.line(str(path))


def as_table(found: Realised) -> str:
    """Return the realised errors as text: a row for each segment, the worst verdicts first, then the counts."""
    from pipelines import realised, textgrid

    ordered = sorted(found.segments.items(), key=lambda item: realised.VERDICTS.index(item[1].verdict))
    rows = [_HEADS, *(_row(name, segment) for name, segment in ordered)]
    counts = Counter(segment.verdict for segment in found.segments.values())
    told = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in realised.VERDICTS if counts[verdict])
    whole = found.to_json()
    return "\n".join(
        [
            *textgrid.lines(rows, right=(1, 2, 3, 4, 6, 7, 8, 9)),
            "",
            f"segments: {told or 'none'}",
            f"{whole['rows']:,} rows compared, {whole['without_truth']:,} without truth, "
            f"{found.unpredicted:,} rows of the file without a prediction",
            "",
        ]
    )


def _row(name: str, segment: Segment) -> tuple[str, ...]:
    errors = segment.errors
    return (
        name,
        _number(errors.mae),
        _interval(errors.interval),
        *_promised(segment.promise),
        segment.verdict,
        _number(errors.rmse),
        "-" if errors.bias is None else f"{errors.bias:+.4g}",
        f"{errors.rows:,}",
        f"{errors.without_truth:,}",
    )


def _promised(promise: Promise | None) -> tuple[str, str]:
    return ("-", "-") if promise is None else (_number(promise.mae), _interval((promise.low, promise.high)))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _interval(ends: tuple[float, float] | None) -> str:
    return "-" if ends is None else " to ".join(_number(end) for end in ends)


if __name__ == "__main__":
    sys.exit(main())
