"""What a Python source defines, imports and uses, and the part of it that some of its functions need. Pure.

`keep` blanks out lines instead of removing them, so that an error is told with the line of the user's own file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_DEFINITIONS = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef),
    *(ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign),
)
"""Statements that do nothing but give a name, as far as the syntax tells."""
_LINE_END = re.compile(r"\r\n?|\n")
"""What ends a line for `ast`; `str.splitlines` knows more of them, such as a form feed."""


@dataclass(frozen=True)
class Function:
    """A function's place and how it can be called: between `least` and `most` positional arguments, None for any."""

    line: int
    arguments: tuple[str, ...]
    least: int
    most: int | None
    is_async: bool

    def takes(self, count: int) -> bool:
        """Tell whether it can be called with so many arguments by position."""
        return self.least <= count and (self.most is None or count <= self.most)


def functions(tree: ast.Module) -> dict[str, Function]:
    """Return the functions that a module defines at its top, by name."""
    found = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name: _function(node) for node in found}


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Function:
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    needed = [name.arg for name, value in zip(given.kwonlyargs, given.kw_defaults, strict=True) if value is None]
    never = len(positional) + 1 if needed else 0  # what has to be named cannot be given by position
    shown = [*(name.arg for name in positional), *([f"*{given.vararg.arg}"] if given.vararg else []), *needed]
    return Function(
        line=node.lineno,
        arguments=tuple(shown),
        least=max(len(positional) - len(given.defaults), never),
        most=None if given.vararg and not needed else len(positional),
        is_async=isinstance(node, ast.AsyncFunctionDef),
    )


def bound(tree: ast.Module) -> set[str]:
    """Return the names that a module's top gives to something."""
    return {name for node in tree.body for name in _bound(node)}


def _bound(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in names)
        case ast.Assign(targets=targets, value=value):
            within = [part.target for part in ast.walk(value) if isinstance(part, ast.NamedExpr)]
            yield from _assigned([*targets, *within])
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name


def _assigned(targets: Sequence[ast.expr]) -> Iterator[str]:
    """Yield the names that an assignment gives; none where it changes something that is there, such as `a.b = 1`."""
    parts = [part for target in targets for part in ast.walk(target)]
    if not any(isinstance(part, ast.Attribute | ast.Subscript) for part in parts):
        yield from (part.id for part in parts if isinstance(part, ast.Name))


def names_used(tree: ast.AST) -> set[str]:
    """Return the names that are read anywhere below a node."""
    nodes = list(ast.walk(tree))
    changed = {id(node.target) for node in nodes if isinstance(node, ast.AugAssign)}  # `+=` reads it too
    names = (node for node in nodes if isinstance(node, ast.Name))
    return {node.id for node in names if id(node) in changed or not isinstance(node.ctx, ast.Store)}


def imported(source: str) -> tuple[str, ...]:
    """Return the first parts of the names of the modules that a source imports, wherever it does."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.append(node.module.partition(".")[0])
    return tuple(dict.fromkeys(found))


def relative_imports(source: str) -> tuple[int, ...]:
    """Return the lines of imports that begin with a dot."""
    tree = ast.parse(source)
    return tuple(node.lineno for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level)


def keep(source: str, wanted: Sequence[str], all_of: Sequence[str]) -> str:
    """Return a source without those functions of `all_of` that are not wanted, and without what only they use.

    Whatever else may do something when it is imported stays. Lines after the last statement go, others keep their
    numbers. The whole source is returned where nothing can be cut out of it.
    """
    tree = ast.parse(source)
    dropped = _dropped(tree.body, {name for name in all_of if name not in wanted})
    lines = _LINE_END.split(source)
    taken = {line for node in tree.body if node not in dropped for line in _span(node)}
    for node in dropped:
        if taken.isdisjoint(_span(node)):  # two statements may share a line
            _blank(lines, _span(node), taken)
    part = "\n".join(lines).rstrip() + "\n"
    return part if _is_python(part) else source


def _dropped(body: Sequence[ast.stmt], unwanted: set[str]) -> list[ast.stmt]:
    """Return the statements that only define what is unwanted, or what nothing but the unwanted uses."""
    named: dict[ast.stmt, set[str]] = {node: set(_bound(node)) for node in body if isinstance(node, _DEFINITIONS)}
    uses = {node: names_used(node) for node in body}
    optional: list[ast.stmt] = [node for node, names in named.items() if names and names <= unwanted]
    for node in optional:  # grows while it is gone through
        optional += [other for other, names in named.items() if other not in optional and names & uses[node]]
    kept = [node for node in body if node not in optional]
    for node in kept:
        kept += [other for other in optional if other not in kept and named[other] & uses[node]]
    return [node for node in optional if node not in kept]


def _span(node: ast.stmt) -> range:
    """Return the lines of a statement, decorators included, counted from one."""
    decorators = getattr(node, "decorator_list", [])
    return range(min([node.lineno, *(each.lineno for each in decorators)]), (node.end_lineno or node.lineno) + 1)


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _blank(lines: list[str], span: range, taken: set[int]) -> None:
    """Blank the lines of a statement and the comment right above it, which is none inside a text that stays."""
    first = span.start
    while first > 1 and first - 1 not in taken and lines[first - 2].startswith("#"):
        first -= 1
    for line in range(first, span.stop):
        lines[line - 1] = ""
