"""Start an execution and follow it: `python -m pipelines.run`, on this machine with `--local`.

Parses, calls one function, prints. Heavy imports happen after the arguments are understood, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pipelines.options import DEFAULT_CONFIG, DEFAULT_WORKSPACE

EXAMPLES = """examples:
  python -m pipelines.run --local                                   run the demo's configuration
  python -m pipelines.run --local --config my.yml --raw data/       run your own data
  python -m pipelines.run --local --set MaeThreshold=12 --json      another threshold; result as JSON
  python -m pipelines.run --local --retry 20261122-101500-3f9a      go on with a failed execution
  python -m pipelines.run --local --from PostProcess --of ID        run again from a step of an earlier execution

exit codes: 0 Succeeded, 3 Degraded (some segments skipped), 1 Failed, 2 bad usage, config or data"""


def parser() -> argparse.ArgumentParser:
    """Return the command line of `python -m pipelines.run`."""
    line = argparse.ArgumentParser(
        prog="python -m pipelines.run",
        description="Run the pipeline: prepare, train one model per segment, gate on MAE, predict, report.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    line.add_argument("--local", action="store_true", help="run the compiled definition on this machine, without AWS")
    line.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, metavar="F", help="config file (default: %(default)s)"
    )
    line.add_argument("--env", metavar="NAME", help="overlay: the config file's <stem>.<NAME>.yml beside it")
    line.add_argument("--raw", metavar="FOLDER", help="folder with the raw files (default: data.raw of the config)")
    line.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="Name=Value",
        dest="overrides",
        help="set a pipeline parameter; may be given several times",
    )
    line.add_argument(
        "--workspace",
        type=Path,
        default=DEFAULT_WORKSPACE,
        metavar="DIR",
        help="object store, logs, registry (%(default)s)",
    )
    line.add_argument(
        "--definition", type=Path, metavar="F", help="execute this compiled definition instead of compiling"
    )
    line.add_argument("--json", action="store_true", help="print the result as one JSON object, last on stdout")
    line.add_argument("--no-cache", action="store_true", help="run every step, even if its inputs did not change")
    _add_actions(line)
    return line


def _add_actions(line: argparse.ArgumentParser) -> None:
    what = line.add_argument_group("instead of a new execution")
    what.add_argument("--plan", action="store_true", help="show segments, rows and steps, and spend nothing")
    what.add_argument("--print-version", action="store_true", help="print both data versions and stop")
    what.add_argument("--retry", metavar="ID", help="go on with a failed execution, repeating nothing that succeeded")
    what.add_argument(
        "--from", metavar="STEP", dest="from_step", help="run this step and all after it again (with --of)"
    )
    what.add_argument("--of", metavar="ID", help="the execution whose other results --from takes over")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = parser().parse_args(argv)
    from pipelines.errors import PipelineError

    try:
        return _dispatch(arguments)
    except PipelineError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        return 1


def _dispatch(arguments: argparse.Namespace) -> int:
    from pipelines import local_run
    from pipelines.errors import PipelineError

    if not arguments.local:
        raise PipelineError("runs on AWS need a deployed pipeline; run on this machine with --local")
    if bool(arguments.from_step) != bool(arguments.of):
        raise PipelineError("--from STEP and --of ID belong together; give both")
    actions = {"--plan": arguments.plan, "--print-version": arguments.print_version, "--retry": arguments.retry}
    asked = [name for name, value in {**actions, "--from": arguments.from_step}.items() if value]
    if len(asked) > 1:
        raise PipelineError(f"{' and '.join(asked)}: give one of them only")
    if arguments.plan:
        return local_run.show_plan(arguments)
    if arguments.print_version:
        return local_run.show_versions(arguments)
    if arguments.retry:
        return local_run.retry(arguments)
    if arguments.from_step:
        return local_run.rerun(arguments)
    return local_run.start(arguments)


if __name__ == "__main__":
    sys.exit(main())
