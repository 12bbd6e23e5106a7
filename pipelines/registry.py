"""CLI of the registered default models: list, approve, reject, register, refresh (`python -m pipelines.registry ...`).

Parse, call one function of `pipelines.catalog`, print. Only `_open_local` and `_open_aws` know where the models are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lambda_trigger.ports import PortError
from lambda_trigger.text import format_number, format_table, format_time
from pipelines import logs, terminal
from pipelines.errors import PipelineError, RegistryError
from pipelines.options import DEFAULT_CONFIG, DEFAULT_WORKSPACE, add_log_level, say_options
from steps import contract

if TYPE_CHECKING:
    from pipelines.catalog import Catalog
    from pipelines.desk import Outside
    from pipelines.refresh import Refit, Refitted, Refreshed, Wanted

DEFAULT_TOLERANCE = 0.05
_COLUMNS = ("model", "version", "status", "mae", "autogluon_version", "loads_here", "created", "execution")


def main(argv: Sequence[str] | None = None, outside: Outside | None = None) -> int:
    """Run one command; return 0, or 2 where the arguments, the config or the registry do not allow it.

    1 is for models that could not be refreshed, or wait. `outside` is AWS as tests have it.
    """
    arguments = parser().parse_args(argv)
    with logs.opened(arguments.log_level):
        return _carry_out(arguments, outside)


def _carry_out(arguments: argparse.Namespace, outside: Outside | None) -> int:
    try:
        _check(arguments)
        catalog, refit = _open_local(arguments) if arguments.local else _open_aws(arguments, outside)
        return _refresh(catalog, refit, arguments) if arguments.command == "refresh" else _run(catalog, arguments)
    except (PipelineError, PortError) as error:
        problems = error.problems if isinstance(error, PipelineError) else (str(error),)
        sys.stderr.write("".join(f"{terminal.paragraph(problem)}\n" for problem in problems))
        return 2
    except KeyboardInterrupt:
        return 1


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what would be ignored, and an artifact that is given twice or not at all."""
    if not arguments.local and arguments.workspace != DEFAULT_WORKSPACE:
        raise RegistryError("--workspace: is for models on this machine; leave it out, or add --local")
    if arguments.command == "register" and (arguments.artifact is None) == (arguments.model_data is None):
        raise RegistryError("register MODEL: give the artifact once, as ARTIFACT or with --model-data URI")
    if arguments.command == "refresh" and (arguments.model is None) != arguments.all:
        raise RegistryError("refresh: give a MODEL, or --all for every default that does not load here")


def _run(catalog: Catalog, arguments: argparse.Namespace) -> int:
    from pipelines.catalog import approve, list_versions, register, reject

    match arguments.command:
        case "list":
            rows = list_versions(catalog)
            sys.stdout.write(contract.to_json(rows) if arguments.json else _format_rows(catalog, rows))
            return 0
        case "approve":
            change = approve(catalog, arguments.model, arguments.version)
        case "reject":
            change = reject(catalog, arguments.model, arguments.version)
        case _:
            artifact = arguments.artifact or arguments.model_data
            change = register(catalog, arguments.model, artifact, pending=arguments.pending)
    sys.stdout.write("".join(f"{line}\n" for line in (change.sentence, *change.notes)))
    return 0


def _refresh(catalog: Catalog, refit: Refit, arguments: argparse.Namespace) -> int:
    """Train the chosen models again, show what became of each; return 1 if one could not be refreshed, or waits."""
    from pipelines.refresh import Rules, choose, refresh

    wanted = choose(catalog, arguments.model)
    rules = Rules(arguments.tolerance, arguments.pending)
    rows = list(refresh(catalog, wanted, refit, rules))
    if arguments.json:
        sys.stdout.write(contract.to_json([row.to_json() for row in rows]))
    elif rows:
        sys.stdout.write(_format_refreshed(catalog, rows))
    else:
        sys.stdout.write("every default model loads here: there is nothing to refresh\n")
    return int(any(row.version is None or (row.problem and not arguments.pending) for row in rows))


def _format_refreshed(catalog: Catalog, rows: Sequence[Refreshed]) -> str:
    from pipelines.refresh import approval

    heading = ("MODEL", "VERSION", "OLD MAE", "NEW MAE", "DIFFERENCE", "LOADS HERE", "STATUS")
    table = format_table([heading, *map(_cells, rows)], frozenset({2, 3, 4}))
    notes = [f"{row.model}: {row.problem}" for row in rows if row.problem]
    commands = [f"approve it with: {command}" for row in rows if (command := approval(catalog, row))]
    return "".join(f"{line}\n" for line in (table, *notes, *commands))


def _cells(row: Refreshed) -> tuple[str, ...]:
    new = "-" if row.version is None else str(row.version)
    return (
        row.model,
        f"{row.refreshed_from} -> {new}",
        format_number(row.old_mae),
        format_number(row.new_mae),
        "-" if row.difference is None else f"{row.difference:+.1%}",
        {True: "yes", False: "no", None: "-"}[row.loads_here],
        row.status or "not refreshed",
    )


def _open_local(arguments: argparse.Namespace) -> tuple[Catalog, Refit]:
    """Return the catalog of a workspace, and how its models are trained again."""
    from lambda_trigger.folders import local_ports
    from pipelines.account import resolve_account
    from pipelines.catalog import catalog_of
    from pipelines.local.workspace import Workspace
    from pipelines.settings import load
    from pipelines.versions import read_installed

    settings = load(arguments.config, arguments.env)
    resolve = Workspace(arguments.workspace, {}).path
    hint = say_options(arguments.config, arguments.env, arguments.workspace)
    ports = local_ports(arguments.workspace, resolve, sys.stderr, hint)
    catalog = catalog_of(settings, ports, resolve_account(settings).prefix, read_installed())

    def refit(wanted: Wanted) -> Refitted:
        from pipelines.local_refit import make

        return make(catalog, settings, arguments.workspace, hint)(wanted)

    return catalog, refit


def _open_aws(arguments: argparse.Namespace, outside: Outside | None) -> tuple[Catalog, Refit]:
    """Return the catalog of a deployed pipeline, and how its models are trained again."""
    from pipelines.catalog import catalog_of
    from pipelines.desk import Outside, open_desk, open_ports
    from pipelines.versions import read_locked

    desk = open_desk(arguments.config, arguments.env, outside or Outside())
    catalog = catalog_of(desk.settings, open_ports(desk), desk.prefix, read_locked(desk.settings.images))

    def refit(wanted: Wanted) -> Refitted:
        from pipelines.aws_refit import AwsRefit

        return AwsRefit(catalog, desk)(wanted)

    return catalog, refit


def _format_rows(catalog: Catalog, rows: Iterable[Mapping[str, Any]]) -> str:
    heading = ("MODEL", "VERSION", "STATUS", "MAE", "AUTOGLUON", "LOADS HERE", "CREATED", "EXECUTION")
    cells = [[_format_cell(catalog, column, row[column]) for column in _COLUMNS] for row in rows]
    if not cells:
        return f"no model of pipeline {catalog.pipeline!r} is registered yet\n"
    return format_table([heading, *cells], frozenset({1, 3})) + "\n"


def _format_cell(catalog: Catalog, column: str, value: Any) -> str:
    if value is None:
        return "-"
    if column == "mae":
        return format_number(value)
    if column == "loads_here":
        return "yes" if value else "no"
    return format_time(datetime.fromisoformat(value), catalog.timezone) if column == "created" else str(value)


def parser() -> argparse.ArgumentParser:
    """Return the command line of `python -m pipelines.registry`."""
    line = argparse.ArgumentParser(
        prog="python -m pipelines.registry",
        description="Registered models, and which of them serve as defaults.",
        epilog="exit codes: 0 done; 1 a refresh failed or waits for approval; 2 bad usage, config or registry",
    )
    _add_common(line, suppress=False)
    commands = line.add_subparsers(dest="command", required=True)
    listing = commands.add_parser(
        "list",
        help="show the registered versions of every model",
        description="LOADS HERE: whether AutoGluon and Python are those a version was trained with: with --local those "
        "installed here, else those of the deployed image (a version that has an image of its own is served in that).",
    )
    listing.add_argument("--json", action="store_true", help="print JSON")
    approving = commands.add_parser("approve", help="approve a version: the newest approved one is the default")
    approving.add_argument("model", help="the model's name or slug")
    approving.add_argument("version", type=int, nargs="?", help="the newest one unless given")
    rejecting = commands.add_parser("reject", help="reject a version")
    rejecting.add_argument("model", help="the model's name or slug")
    rejecting.add_argument("version", type=int, help="the version's number, as `list` shows it")
    registering = commands.add_parser("register", help="register a model artifact of your own and approve it")
    registering.add_argument("model", help="the model's name or slug")
    registering.add_argument("artifact", nargs="?", help="path or s3:// URI of a model.tar.gz")
    registering.add_argument("--model-data", metavar="URI", help="the same as ARTIFACT, by SageMaker's name for it")
    registering.add_argument("--pending", action="store_true", help="leave the approval for later")
    for command in (listing, approving, rejecting, registering, _add_refresh(commands)):
        _add_common(command, suppress=True)
    return line


def _add_refresh(commands: Any) -> argparse.ArgumentParser:
    refreshing: argparse.ArgumentParser = commands.add_parser(
        "refresh",
        help="train a default again with today's code and libraries, on the data it was trained on",
        description="The new version is approved unless its MAE is worse than the tolerance allows. "
        "Exit codes: 0 done, 1 a model could not be refreshed or waits for approval, 2 usage or config.",
    )
    refreshing.add_argument("model", nargs="?", help="the model's name or slug: its newest approved version")
    refreshing.add_argument("--all", action="store_true", help="every default that does not load here")
    refreshing.add_argument("--pending", action="store_true", help="approve nothing: leave it for later")
    refreshing.add_argument(
        "--tolerance",
        type=_share,
        default=DEFAULT_TOLERANCE,
        metavar="SHARE",
        help="by how much, as a share of the recorded MAE, the new one may be above it and still be approved "
        "(default: %(default)s, which is 5 %%); a worse one waits, with the command that approves it",
    )
    refreshing.add_argument(
        "--json",
        action="store_true",
        help="print a list with model, slug, refreshed_from, version, old_mae, new_mae, difference, loads_here, "
        "status, problem",
    )
    return refreshing


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError("must be 0 or more, such as 0.05 for 5 %")
    return value


def _add_common(parser: argparse.ArgumentParser, *, suppress: bool) -> None:
    """Add the options that may stand before or after the command."""

    def default(value: Any) -> Any:
        return argparse.SUPPRESS if suppress else value

    add_log_level(parser, default("info"))
    parser.add_argument("--local", action="store_true", default=default(False), help="use a workspace on this machine")
    parser.add_argument(
        "--config",
        type=Path,
        default=default(DEFAULT_CONFIG),
        metavar="F",
        help=f"config file (default: {DEFAULT_CONFIG})",
    )
    parser.add_argument(
        "--env", default=default(None), metavar="NAME", help="overlay: the config file's <stem>.<NAME>.yml beside it"
    )
    parser.add_argument(
        "--workspace",
        type=Path,
        default=default(DEFAULT_WORKSPACE),
        metavar="DIR",
        help="only --local: where the registry lies (default: .local)",
    )


if __name__ == "__main__":
    sys.exit(main())
