"""Start an execution, follow it, look at it: `python -m pipelines.run` on AWS, on this machine with `--local`.

Parses, calls one function, prints. Heavy imports happen after the arguments are understood, so that `--help` is quick.
"""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines import terminal
from pipelines.options import DEFAULT_CONFIG, DEFAULT_WORKSPACE, add_log_level
from steps import contract

if TYPE_CHECKING:
    from pipelines.desk import Outside
    from pipelines.usage import Asked

EXAMPLES = """examples:
  python -m pipelines.run --raw s3://BUCKET/FOLDER/ --follow        start the deployed pipeline and follow it
  python -m pipelines.run --env production --retry --last           go on with its newest execution
  python -m pipelines.run --local                                   run the demo's configuration
  python -m pipelines.run --local --config my.yml --raw data/       run your own data
  python -m pipelines.run --local --mode predict --raw new/          score new files by the approved defaults
  python -m pipelines.run --local --set MaeThreshold=12 --json      another threshold; result as JSON
  python -m pipelines.run --local --retry 20261122-101500-3f9a      go on with a failed execution
  python -m pipelines.run --local --from PostProcess --of ID        run again from a step of an earlier execution
  python -m pipelines.run --local --only Train-EWR --debug          run one step of the newest alone, with pdb
  python -m pipelines.run --local --config my.yml --watch inbox/    a run for every .run file dropped beside data
  python -m pipelines.run --local --compare ID --last               what differs between ID and the newest
  python -m pipelines.run --local --gc --keep 5                     remove what no newer execution needs

exit codes: 0 Succeeded, 3 Degraded (some segments skipped), 1 Failed, 2 bad usage, config or data"""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


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
    line.add_argument("--raw", metavar="FOLDER", help="raw files: a folder, on AWS s3://... (default: data.raw)")
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
    line.add_argument(
        "--mode",
        choices=contract.MODES,
        default=contract.FULL,
        help="all of the pipeline (full, default), or score only: every segment by its approved default (predict)",
    )
    line.add_argument("--json", action="store_true", help="print the result as one JSON object, last on stdout")
    line.add_argument("--follow", action="store_true", help="show the steps until the end (always, with --local)")
    line.add_argument("--no-cache", action="store_true", help="run every step, even if its inputs did not change")
    line.add_argument(
        "--launcher",
        choices=("fork", "process", "docker"),
        help="how --local runs a step: a process of this environment, where it helps a fork of one that has imported "
        "AutoGluon (fork, default); a process of its own always; or a container of its image",
    )
    add_log_level(line)
    _add_actions(line)
    return line


def _add_actions(line: argparse.ArgumentParser) -> None:
    what = line.add_argument_group("instead of a new execution")
    what.add_argument("--plan", action="store_true", help="show segments, rows and steps, and spend nothing (--local)")
    what.add_argument("--explain", action="store_true", help="with --plan: each step cached, runs or later, and why")
    what.add_argument("--print-version", action="store_true", help="print both data versions, write their manifests")
    _add_id(what, "--retry", "go on with a failed execution, repeating nothing that succeeded")
    _add_id(what, "--rerun", "start again with the same parameters and data versions")
    what.add_argument(
        "--from", metavar="STEP", dest="from_step", help="run this step and all after it again (with --of)"
    )
    _add_id(what, "--of", "the execution whose other results --from takes over, or whose step --only runs")
    what.add_argument(
        "--only",
        metavar="STEP",
        help="run one step of an execution again, alone, in the foreground: of the newest, or --of ID (--local)",
    )
    what.add_argument("--debug", action="store_true", help="with --only: open pdb at an error, fit in the same process")
    what.add_argument("--code", action="store_true", help="with --only: the repository's code in place of the recorded")
    _add_id(what, "--status", "show an execution and its steps (the newest unless named)")
    what.add_argument("--list", action="store_true", help="list executions, the newest first")
    _add_id(what, "--stop", "stop a running execution")
    _add_id(
        what,
        "--fetch",
        "copy report, summary and predictions into a folder <pipeline>-<ID>; with --only STEP the inputs of a step of "
        "an execution on AWS into the workspace, where --local --only runs it",
    )
    what.add_argument(
        "--compare",
        nargs="+",
        metavar="ID",
        help="show what differs between two executions, or one and the newest with --last (--local)",
    )
    what.add_argument("--to", type=Path, metavar="DIR", help="where --fetch makes its folder (default: here)")
    what.add_argument(
        "--watch", metavar="FOLDER", help="serve every .run marker that is dropped below a folder (--local)"
    )
    what.add_argument(
        "--settle", type=float, metavar="SECONDS", help="how long raw files must not change before --watch starts (2)"
    )
    what.add_argument("--once", action="store_true", help="with --watch: end when every marker that is there is served")
    what.add_argument("--gc", action="store_true", help="list and remove what no kept execution needs (--local)")
    what.add_argument("--keep", type=int, metavar="N", help="executions that --gc keeps (default: 10)")
    what.add_argument("--yes", action="store_true", help="with --gc: remove without asking")
    what.add_argument("--last", action="store_true", help="the newest execution, in place of an ID: --retry --last")


def _add_id(group: argparse._ArgumentGroup, flag: str, meaning: str) -> None:
    """Add an option that takes an ID, or none where --last stands for it."""
    group.add_argument(flag, metavar="ID", nargs="?", const="", help=meaning)


def main(argv: Sequence[str] | None = None, outside: Outside | None = None) -> int:
    """Run the command; return its exit code. `outside` is AWS as tests have it."""
    arguments = parser().parse_args(argv)
    from pipelines import logs

    with logs.opened(arguments.log_level):
        return _run(arguments, outside)


def _run(arguments: argparse.Namespace, outside: Outside | None) -> int:
    from pipelines import usage
    from pipelines.errors import BrokenOffError, PipelineError

    try:
        asked = usage.read(arguments)
        return _run_local(asked, arguments) if arguments.local else _run_aws(asked, arguments, outside)
    except PipelineError as error:
        for problem in error.problems:
            print(terminal.paragraph(f"error: {problem}"), file=sys.stderr)  # noqa: T201
        return 1 if isinstance(error, BrokenOffError) else 2
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        print(terminal.paragraph(f"error: {_say_no_room(error)}"), file=sys.stderr)  # noqa: T201
        return 1
    except KeyboardInterrupt:
        return 1


def _say_no_room(error: OSError) -> str:
    where = f" at {error.filename}" if error.filename else ""
    return f"nothing can be written{where} ({error.strerror}); make room for it, or give another --workspace"


def _run_local(asked: Asked, arguments: argparse.Namespace) -> int:
    from pipelines import local_run, usage

    if asked.action == usage.WATCH:
        from pipelines.watch import command

        return command.watch(arguments)
    return local_run.run(asked, arguments)


def _run_aws(asked: Asked, arguments: argparse.Namespace, outside: Outside | None) -> int:
    from pipelines import aws_run
    from pipelines.desk import Outside

    return aws_run.run(asked, arguments, outside or Outside())


if __name__ == "__main__":
    sys.exit(main())
