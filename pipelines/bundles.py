"""Content-addressed files that a definition refers to: code bundles and settings slices. Pure but for reading `steps/`.

A code bundle is a step's module, everything it imports from `steps`, and the non-Python files with the stem of one of
them (`report.css` travels with `report.py`), and of the user's own code what its hooks need. Its address is the sha256
of its content, so that a running execution never sees new code and editing one step leaves the others cached.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "steps"
RUNNABLE = re.compile(r"^    job\.run\(main\)$", re.MULTILINE)


@dataclass(frozen=True)
class Bundle:
    """Files below one content-addressed prefix: relative name to content."""

    prefix: str
    files: Mapping[str, bytes]

    @property
    def digest(self) -> str:
        """Return the sha256 over names and contents."""
        total = hashlib.sha256()
        for name, content in sorted(self.files.items()):
            total.update(f"{name}\0{hashlib.sha256(content).hexdigest()}\n".encode())
        return total.hexdigest()

    @property
    def uri(self) -> str:
        """Return the S3 URI of the folder that holds the files."""
        return f"{self.prefix}/{self.digest}"


def entry_modules(root: Path) -> tuple[str, ...]:
    """Return the modules of `steps/` that can be run as a step, by name."""
    paths = sorted((root / PACKAGE).glob("*.py"))
    return tuple(path.stem for path in paths if RUNNABLE.search(path.read_text(encoding="utf-8")))


def code_bundle(root: Path, module: str, prefix: str, custom: Mapping[str, bytes] | None = None) -> Bundle:
    """Return the bundle of `steps.<module>`, found below the repository's `root`, with the user's `custom` files."""
    modules = import_closure(root / PACKAGE, module)
    paths = [root / PACKAGE / "__init__.py"]
    for name in sorted(modules):
        paths += sorted(p for p in (root / PACKAGE).glob(f"{name}.*") if p.is_file())
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    return Bundle(f"{prefix}/code/{module}", {**files, **(custom or {})})


def import_closure(package: Path, module: str) -> frozenset[str]:
    """Return the modules of the package that `module` imports, directly or not, itself included."""
    known = {path.stem for path in package.glob("*.py")}
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in known:
            continue
        seen.add(name)
        waiting += _imports((package / f"{name}.py").read_text(encoding="utf-8"))
    return frozenset(seen)


@functools.lru_cache(maxsize=256)  # the bundles share most of their modules
def _imports(source: str) -> tuple[str, ...]:
    """Return the names after `steps.` in import statements and in module names written as text (`-m steps.fitting`)."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            found += _from_part(node)
        elif isinstance(node, ast.Import):
            found += [part for alias in node.names for part in _module_part(alias.name)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += _module_part(node.value)
    return tuple(found)


def _from_part(node: ast.ImportFrom) -> list[str]:
    """Return the modules that `from steps import x`, `from steps.x import y` or its relative form names."""
    module = ".".join(part for part in (PACKAGE * node.level, node.module) if part)
    return [alias.name for alias in node.names] if module == PACKAGE else _module_part(module)


def _module_part(name: str) -> list[str]:
    head, dot, tail = name.partition(".")
    return [tail.split(".")[0]] if head == PACKAGE and dot else []


def settings_bundle(kind: str, text: str, prefix: str, file_name: str) -> Bundle:
    """Return the bundle of one step kind's settings slice."""
    return Bundle(f"{prefix}/settings/{kind}", {file_name: text.encode()})
