"""Begin with your own data: `python -m pipelines.init FOLDER --from data/`.

Looks at the raw files, proposes label, id, time column and segments with reasons, writes a commented config into
FOLDER, and shows what a run would do. Heavy imports happen after the arguments are understood: `--help` is quick.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import terminal

if TYPE_CHECKING:
    from pipelines.draft import Draft
    from pipelines.models import Census
    from pipelines.plan import Plan
    from pipelines.proposal import Wanted
    from pipelines.settings import Settings

CONFIG = "pipeline-config.yml"
MOST_LINES = 20
"""Segments of the plan that are shown."""
EXAMPLES = """examples:
  python -m pipelines.init shops --from data/                       look at data/, write shops/pipeline-config.yml
  python -m pipelines.init shops --from data/ --label sales --force another label; overwrite the config

exit codes: 0 the config is written, 2 bad usage or data (then nothing is)"""


def parser() -> argparse.ArgumentParser:
    """Return the command line of `python -m pipelines.init`."""
    line = argparse.ArgumentParser(
        prog="python -m pipelines.init",
        description="Propose a configuration for a folder of raw files, with reasons, and show what a run would do.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    line.add_argument("folder", type=Path, metavar="FOLDER", help=f"where {CONFIG} is written; made where missing")
    line.add_argument(
        "--from", dest="raw", required=True, metavar="DATA", help="folder with the raw files (.csv, .parquet)"
    )
    line.add_argument("--label", metavar="COLUMN", help="what is to be predicted, in place of the guess")
    line.add_argument("--id", metavar="COLUMN", help="what tells rows apart, in place of the guess")
    line.add_argument("--segment", metavar="COLUMN", help="one model per value of this column, in place of the guess")
    line.add_argument("--time", metavar="COLUMN", help="the time column, in place of the guess")
    line.add_argument("--name", metavar="NAME", help="the pipeline's name (default: the folder's)")
    line.add_argument(
        "--split",
        action="store_true",
        help="where files hold both: write rows with a label and rows without into files of their own, in FOLDER/raw/",
    )
    line.add_argument("--force", action="store_true", help="overwrite a config (and with --split files) that is there")
    line.add_argument(
        "--json", action="store_true", help="print config, proposal, notes, plan and next as one JSON object"
    )
    return line


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = parser().parse_args(argv)
    from pipelines.errors import PipelineError

    try:
        _run(arguments)
    except PipelineError as error:
        for problem in error.problems:
            print(terminal.paragraph(f"error: {problem}"), file=sys.stderr)  # noqa: T201
        return 2
    return 0


def _run(arguments: argparse.Namespace) -> None:
    from pipelines import draft, survey
    from pipelines.proposal import Wanted

    path, raw = arguments.folder / CONFIG, Path(arguments.raw)
    _check_place(arguments, path)
    wanted = Wanted(arguments.label, arguments.id, arguments.segment, arguments.time)
    found = draft.propose(survey.look(raw), wanted, lambda question: survey.count(question, raw))
    if arguments.split:
        raw, found = _split(arguments, found, wanted)
    name = arguments.name or draft.name_pipeline(arguments.folder.resolve().name, raw.resolve().name)
    text = draft.text(found, name, str(raw) if arguments.split else arguments.raw)
    settings = _validated(text, path)
    plan, warnings = _plan(settings, raw, found)
    _write(path, text)
    sys.stdout.write(_as_json(arguments, found, plan) if arguments.json else _as_text(arguments, found, plan))
    for warning in warnings:
        print(terminal.paragraph(f"warning: {warning}"), file=sys.stderr)  # noqa: T201


def _check_place(arguments: argparse.Namespace, path: Path) -> None:
    from pipelines.errors import SettingsError

    problems = []
    if arguments.folder.exists() and not arguments.folder.is_dir():
        problems.append(f"{arguments.folder}: is a file; give the folder in which {CONFIG} is to be written")
    elif path.exists() and not arguments.force:
        problems.append(f"{path}: is there already; look at it, give another folder, or overwrite it with --force")
    if arguments.raw.startswith("s3://"):
        problems.append(f"--from {arguments.raw}: files are looked at on this machine; copy some of them here first")
    elif not Path(arguments.raw).exists():
        problems.append(f"--from {arguments.raw}: no such folder; give the folder with the raw files")
    if problems:
        raise SettingsError(*problems)


def _split(arguments: argparse.Namespace, found: Draft, wanted: Wanted) -> tuple[Path, Draft]:
    """Return a folder with the rows to train on and to predict in files of their own, and what is proposed for it."""
    from dataclasses import replace

    from pipelines import draft, survey
    from pipelines.errors import DataError

    label, keys, folder = str(found.proposal.label.column), found.roles.keys("train"), arguments.folder / "raw"
    columns = [file.column(label) for file in found.roles.train]
    if found.roles.predict or not any(column and column.filled < column.rows for column in columns):
        why = "there are files to predict already" if found.roles.predict else f"every row has a {label!r}"
        raise DataError(f"--split: {why}; leave it out")
    if folder.exists() and not arguments.force:
        raise DataError(f"--split: {folder} is there already; look at it, or overwrite its files with --force")
    survey.part(Path(arguments.raw), keys, label, found.delimiter, folder)
    again = replace(wanted, label=label)
    return folder, draft.propose(survey.look(folder), again, lambda question: survey.count(question, folder))


def _validated(text: str, path: Path) -> Settings:
    """Return the settings of the config before it is written; a wrong --name shows here."""
    import yaml

    from pipelines import settings

    return settings.validate(yaml.safe_load(text), str(path))


def _plan(settings: Settings, raw: Path, found: Draft) -> tuple[Plan, tuple[str, ...]]:
    """Return what a run would do, drawn as `pipelines.run --plan` draws it."""
    from pipelines import compile as compiling
    from pipelines import models, plan

    census = _census(settings, raw, has_predict=bool(found.roles.predict))
    compiled = compiling.compile_pipeline(settings, models.choose_models(settings, census), local=True)
    drawn = plan.draw(settings, compiled.models, census, compiled.text)
    return drawn, (*compiled.warnings, *(plan.warnings(census) if found.roles.predict else ()))


def _census(settings: Settings, raw: Path, *, has_predict: bool) -> Census:
    """Return the rows per segment; without files to predict the training files stand in, and no row of them counts."""
    from dataclasses import replace

    from pipelines import discovery
    from pipelines.settings import Segments

    if has_predict:
        return discovery.count_segments(settings, raw)
    data = settings.data.model_copy(update={"predict": settings.data.train})
    listed = settings.models
    if not isinstance(listed, Segments):
        listed = tuple(model.model_copy(update={"predict": model.train}) for model in listed)
    census = discovery.count_segments(settings.model_copy(update={"data": data, "models": listed}), raw)
    segments = tuple(replace(segment, predict_rows=0) for segment in census.segments)
    return replace(census, segments=segments, unmatched=replace(census.unmatched, predict_rows=0), absent=())


def _write(path: Path, text: str) -> None:
    from pipelines.errors import SettingsError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written ({error.strerror}); give a folder that can be") from error


def _next(arguments: argparse.Namespace) -> list[str]:
    """Return the commands that lead to the first predictions and to the report."""
    from pipelines.options import say_command, say_options

    options = say_options(arguments.folder / CONFIG, None)
    return [
        say_command("run", "--local", options),
        say_command("run", "--local", options, "--fetch --last", say_to(arguments.folder)),
    ]


def say_to(folder: Path) -> str:
    """Return the option by which a run's result is put into a folder."""
    import shlex

    return f"--to {shlex.quote(str(folder))}"


def _as_json(arguments: argparse.Namespace, found: Draft, plan: Plan) -> str:
    import json
    from dataclasses import asdict

    proposal = found.proposal
    chosen = {"label": proposal.label, "id": proposal.id, "time": proposal.time, "segment": proposal.segment}
    result: dict[str, Any] = {
        "config": str(arguments.folder / CONFIG),
        "proposal": {
            **{role: asdict(choice) for role, choice in chosen.items()},
            "holdout": "time" if proposal.by_time else "random",
            "drop": dict(proposal.drop),
            "categories": dict(proposal.categories),
            "files": {role: list(found.roles.keys(role)) for role in ("train", "predict", "neither")},
            "globs": {role: list(globs) for role, globs in found.globs.items()},
        },
        "notes": list(proposal.notes),
        "plan": asdict(plan),
        "next": _next(arguments),
    }
    return json.dumps(result, ensure_ascii=False) + "\n"


def _as_text(arguments: argparse.Namespace, found: Draft, plan: Plan) -> str:
    from pipelines import draft, textgrid
    from pipelines import plan as planning

    table = planning.table(plan)
    hidden = len(plan.lines) - MOST_LINES
    rest = [f"... and {hidden:,} more; see all with --plan in place of a run"] if hidden > 0 else []
    first = "" if found.roles.predict else "add files to predict, "
    notes = [f"note: {note}" for note in found.proposal.notes]
    lines = [
        *textgrid.lines(draft.explain(found)),
        "",
        *map(terminal.line, notes),
        *([""] if notes else []),
        *table[: MOST_LINES + 1],
        *rest,
        "",
        planning.shape(plan),
        "",
        f"wrote {arguments.folder / CONFIG}; look at it, {first}then run, then fetch report and predictions:",
        *(f"  {command}" for command in _next(arguments)),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
