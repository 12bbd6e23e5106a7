"""Measure the pipeline against baselines taken in the same run: `make bench`, `make bench-full`.

Prints every row with its ratio, target and verdict, and exits with 1 when a row misses. Machines are shared and noisy:
ratios of medians count, not seconds. `--write` puts the table into docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import graphs
import jobs
import runs
from figures import Figure, table
from measuring import ROOT

PAGE = ROOT / "docs/performance.md"
MARKS = ("<!-- measured -->\n", "<!-- end -->\n")
REPEATS = 5

ROWS: Mapping[str, Callable[..., Iterator[Figure]]] = {
    "help": graphs.helps,
    "compile": graphs.compiler,
    "engine": graphs.engine,
    "prepare": jobs.prepare,
    "infer": jobs.infer,
    "unchanged": runs.unchanged,
    "small": runs.small,
    "flights": runs.flights,
    "twelve": runs.twelve,
}


def main() -> int:
    """Measure the rows that were asked for; return the exit code."""
    line = parser()
    given = line.parse_args()
    if given.write and given.only:
        line.error("--write replaces the whole table; leave --only out")
    figures: list[Figure] = []
    for name in given.only or ROWS:
        for figure in ROWS[name](given.repeats, full=given.full):
            print(" | ".join(figure.cells()), flush=True)
            figures.append(figure)
    missed = [figure.what for figure in figures if not figure.met]
    print(f"\n{table(figures)}\n{len(figures) - len(missed)} of {len(figures)} met")
    if given.json:
        given.json.write_text(json.dumps([figure.to_json() for figure in figures], indent=1), encoding="utf-8")
    if given.write:
        write(figures)
    return 1 if missed else 0


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("--only", action="append", choices=list(ROWS), help="measure this; several times (default: all)")
    line.add_argument("--repeats", type=int, default=REPEATS, help="of each pair (default: %(default)s)")
    line.add_argument("--full", action="store_true", help="repeat long pairs too, and run 1,000 small segments")
    line.add_argument("--json", type=Path, metavar="F", help="write the rows to this file")
    line.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    return line


def write(figures: list[Figure]) -> None:
    """Replace the measured table of the page."""
    day = f"Measured on {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}.\n\n"
    text = PAGE.read_text(encoding="utf-8")
    start, end = (re.escape(mark) for mark in MARKS)
    new = f"{MARKS[0]}{day}{table(figures)}{MARKS[1]}"
    PAGE.write_text(re.sub(f"{start}.*?{end}", lambda _: new, text, flags=re.DOTALL), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
