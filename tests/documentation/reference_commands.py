"""The page of all commands with every argument and option, from their parsers."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from types import ModuleType

from pipelines import compile as compiling
from pipelines import deploy, evaluate, registry, run, usage
from pipelines import init as beginning

COMMANDS: tuple[ModuleType, ...] = (beginning, run, registry, evaluate, compiling, deploy)
HEAD = """# Command line

Every command with all that it takes. What the actions of `pipelines.run` do on AWS and on this machine, and what
`--json` holds, is in [Commands](commands.md)."""
EXIT_CODES = re.compile(r"^exit codes: ?", re.IGNORECASE | re.MULTILINE)
DEFAULT_SHOWN = re.compile(r";? *\(?(default: )?%\(default\)s([^)]*)\)|^default: .*")


def page() -> str:
    """Return the page."""
    parts = [HEAD, *(part for module in COMMANDS for part in command(module.parser(), 2)), *actions()]
    return "\n\n".join(part.strip() for part in parts if part.strip())


def command(parser: argparse.ArgumentParser, level: int, what: str = "") -> Iterator[str]:
    """Yield the parts of a command's section, those of its subcommands after it."""
    yield f"{'#' * level} {parser.prog.removeprefix('python -m ')}"
    yield prose(what or parser.description or "")
    yield f"```console\n{usage_of(parser)}\n```"
    yield from prose_and_examples(parser, what)
    yield table(parser)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            meanings = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, child in action.choices.items():
                yield from command(child, level + 1, meanings[name])


def usage_of(parser: argparse.ArgumentParser) -> str:
    """Return the shortest call: the command, its words and what it requires."""
    words = [parser.prog]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            words.append("|".join(action.choices))
        elif not action.option_strings:
            words.append(f"[{shown(action)}]" if action.nargs == "?" else shown(action))
        elif action.required:
            words.append(f"{action.option_strings[0]} {shown(action)}")
    return " ".join([*words, "[options]"])


def shown(action: argparse.Action) -> str:
    return str(action.metavar or (action.dest.upper() if not action.choices else "|".join(map(str, action.choices))))


def prose_and_examples(parser: argparse.ArgumentParser, what: str) -> Iterator[str]:
    """Yield what a command says besides its options: examples, notes, exit codes."""
    paragraphs = (parser.epilog or "").split("\n\n")
    if what and parser.description:
        paragraphs = [*EXIT_CODES.sub("\n\nexit codes: ", parser.description).split("\n\n"), *paragraphs]
    for paragraph in paragraphs:
        if paragraph.startswith("examples:"):
            lines = paragraph.splitlines()[1:]
            yield "\n".join(["```console", *(line.removeprefix("  ") for line in lines), "```"])
        elif EXIT_CODES.match(paragraph):
            yield f"**Exit codes**: {prose(EXIT_CODES.sub('', paragraph))}"
        else:
            yield prose(" ".join(paragraph.split()))


def table(parser: argparse.ArgumentParser) -> str:
    """Return the table of a parser's arguments and options."""
    rows = [row(parser, action) for action in parser._actions if is_told(action)]
    return "\n".join(["| option | default | meaning |", "|---|---|---|", *rows]) if rows else ""


def is_told(action: argparse.Action) -> bool:
    """Tell whether an option has a line: those that a subcommand takes over from its command do not."""
    inherited = action.default == argparse.SUPPRESS
    return not isinstance(action, argparse._HelpAction | argparse._SubParsersAction) and not inherited


def row(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """Return an option's line: its form, its default, what it does."""
    default = action.default
    told = default not in (None, False, [], argparse.SUPPRESS) and action.option_strings
    return f"| {form(action)} | {f'`{default}`' if told else ''} | {meaning(parser, action)} |"


def form(action: argparse.Action) -> str:
    """Return how an option is written, with what it takes."""
    if not action.option_strings:
        return f"`{shown(action)}`"
    if action.choices:
        return ", ".join(f"`{action.option_strings[0]} {choice}`" for choice in action.choices)
    takes = "" if action.nargs == 0 else shown(action)
    takes = {"?": f"[{takes}]", "+": f"{takes} [{takes}]"}.get(str(action.nargs), takes)
    return f"`{' '.join([action.option_strings[0], takes]).strip()}`"


def meaning(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    """Return an option's help; a default that has its own column is not told twice."""
    help_text = DEFAULT_SHOWN.sub(r"\2", action.help or "") if action.default is not None else action.help or ""
    own = argparse.Action(
        action.option_strings, action.dest, nargs=action.nargs, default=action.default, help=help_text
    )
    text = parser._get_formatter()._expand_help(own) if help_text else ""
    return prose(text) + ("; required" if action.required and action.option_strings else "")


def prose(text: str) -> str:
    """Return a text of the code as Markdown: options and commands as code, no HTML by accident."""
    text = text.replace("|", "\\|")
    words = re.compile(r"(?<![\w`-])(python -m pipelines\.\w+|--[a-z][a-z-]*( [A-Z]{2,}\b)*|<[^;\s]+)")
    return re.sub(words, lambda found: f"`{found[0]}`", text)


def actions() -> Iterator[str]:
    """Yield which options each action of `pipelines.run` heeds, as `pipelines.usage` checks it."""
    here, there = usage.heeded(local=True), usage.heeded(local=False)
    yield "## Which option goes with which action of pipelines.run"
    yield (
        "An option that an action would ignore is refused. `--config`, `--env` and, with `--local`, `--workspace` "
        "go with all."
    )
    lines = ["| action | with `--local` | on AWS |", "|---|---|---|"]
    for action in [*here, *(name for name in there if name not in here)]:
        name = "(a new execution)" if action == usage.START else f"`{action}`"
        cells = (
            ", ".join(f"`{option}`" for option in take[action]) or "none" if action in take else "-"
            for take in (here, there)
        )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    yield "\n".join(lines)


def options(parser: argparse.ArgumentParser) -> set[str]:
    """Return every option and subcommand of a parser, but for --help."""
    found = set()
    for action in parser._actions:
        found |= {option for option in action.option_strings if option.startswith("--") and option != "--help"}
        if isinstance(action, argparse._SubParsersAction):
            found |= set(action.choices)
            for child in action.choices.values():
                found |= options(child)
    return found
