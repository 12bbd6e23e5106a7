"""What a package says to people, found in its source: texts of `say` and `count`, and prose of functions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def parsed(module: str) -> ast.Module:
    return ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))


def said_texts(package: str) -> Iterator[tuple[str, ast.expr]]:
    """Yield each text that modules of a package hand to `say` or `count`, with the module."""
    for path in sorted((ROOT / package).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            if isinstance(node, ast.Call) and name == "say" and path.stem != "language":
                yield path.stem, node.args[0]
            if isinstance(node, ast.Call) and name == "count" and len(node.args) == 3:
                yield from ((path.stem, text) for text in node.args[1:])


def _is_silent(node: ast.AST) -> bool:
    """Tell whether what a node holds is for nobody to read: a docstring, a log line, an error of its own."""
    call = node.func if isinstance(node, ast.Call) else None
    logs = isinstance(call, ast.Attribute) and getattr(call.value, "id", "") == "log"
    return logs or isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _pieces(node: ast.AST) -> Iterator[str]:
    if _is_silent(node):
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from re.split(r"\{[^}]*\}", node.value)
    for child in ast.iter_child_nodes(node):
        yield from _pieces(child)


def prose(module: str, *functions: str) -> set[str]:
    """Return the pieces of prose, between placeholders, in functions and constants of a module; all without names."""
    chosen = [n for n in parsed(module).body if not functions or _name(n) in functions]
    assert not functions or len(chosen) == len(functions), f"{module}: {functions}"
    found = {piece.strip(" \n;") for node in chosen for piece in _pieces(node)}
    return {piece for piece in found if re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", piece)}


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.Assign):
        return str(getattr(node.targets[0], "id", ""))
    return str(getattr(node, "name", ""))


def english_words(text: str, known: frozenset[str]) -> list[str]:
    """Return the words of a text that no language but English has, besides known ones, commands and places."""
    plain = re.sub(r"python -m .*|(s3|https)://\S+|/\S+|`[^`]*`|'[^']*'", "", text)
    return [word for word in re.findall(r"[A-Za-z]{3,}", plain) if word not in known]
