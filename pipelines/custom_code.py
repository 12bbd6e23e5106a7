"""The user's own code (`code: my_steps.py`): read, checked and taken apart by its syntax, never imported here.

A step's bundle gets that part of the file which the hooks it calls need, and the modules beside it that this part
imports. So adding or changing one hook runs again what calls it, and nothing else. Lines keep their numbers.
"""

from __future__ import annotations

import ast
import difflib
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import code_parts
from pipelines.code_parts import Function
from steps import hooknames

PACKAGES = ("steps", "pipelines", "lambda_trigger")
LARGEST = 10 * 1024**2
"""Bytes that the user's files may have together: a bundle is mounted by every job."""
_NO_DATA = (".py", ".pyc", ".yml", ".yaml")
"""Of the files with a module's stem, those that are no data of it: a config may have it too."""
_ALIKE = 0.75


@dataclass(frozen=True)
class CustomCode:
    """A file of hooks that was checked; `hooks` are those that it defines."""

    path: Path
    hooks: tuple[str, ...]

    def hooks_of(self, module: str) -> tuple[str, ...]:
        """Return the hooks that a step's module calls and the file defines."""
        return tuple(hook for hook in hooknames.CALLED_BY.get(module, ()) if hook in self.hooks)

    def files_of(self, module: str) -> dict[str, bytes]:
        """Return the files that a step's module needs for its hooks, by their path in its bundle."""
        hooks = self.hooks_of(module)
        if not hooks:
            return {}
        source = code_parts.keep(_read(self.path), hooks, tuple(hooknames.ARGUMENTS))
        found = {self.path.name: source.encode()} | _data_beside(self.path)
        for path in sorted(_closure(self.path.parent, source, self.path)):
            found |= {path.relative_to(self.path.parent).as_posix(): path.read_bytes()} | _data_beside(path)
        return {f"{hooknames.FOLDER}/{name}": content for name, content in found.items()}

    def slice_of(self, module: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the settings slice of a step's module says about the code: nothing without hooks."""
        hooks = self.hooks_of(module)
        types = {name: type(value).__name__ for name, value in sorted(parameters.items())}
        entry = {
            hooknames.KEY_FILE: self.path.name,
            hooknames.KEY_HOOKS: list(hooks),
            hooknames.KEY_PARAMETERS: types,
        }
        return {hooknames.KEY: entry} if hooks else {}


def read(path: Path | None) -> CustomCode | None:
    """Return the code in a file without problems, or None where the settings name none."""
    return CustomCode(path, tuple(_hooks(ast.parse(_read(path))))) if path else None


def problems(path: Path | None) -> list[str]:
    """Return what is wrong with the file that the settings name: where, what was found, what to do."""
    if path is None:
        return []
    unusable = _about_path(path)
    if unusable:
        return [f"code: {unusable}"]
    found = [*_about_files(path), *_about_hooks(path, ast.parse(_read(path)))]
    return [f"code: {problem}" for problem in found]


def _about_path(path: Path) -> str:
    """Return why a path is no module that could be read at all, or nothing."""
    if path.suffix != ".py" or not path.stem.isidentifier():
        return f"{path.name} is no Python module; expected a file such as my_steps.py, beside the config"
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [each.name for each in path.parent.glob("*.py")], 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else "the path is relative to the config"
        return f"{path}: no such file; {hint}"
    if shadowed := _shadows(path):
        return shadowed
    return _syntax(path)


def _syntax(path: Path) -> str:
    try:
        ast.parse(_read(path))
    except SyntaxError as error:
        return f"{path.name}, line {error.lineno}: not Python ({error.msg})"
    except (OSError, ValueError) as error:
        return f"{path.name}: cannot be read ({type(error).__name__}); expected Python source in UTF-8"
    return ""


def _shadows(path: Path) -> str:
    """Return which module a file would hide from everything that a step imports, or nothing."""
    name = path.stem if path.suffix == ".py" else path.name
    if name in sys.stdlib_module_names or name in PACKAGES:
        return f"{path.name} is called like the module {name} that everything imports; rename it"
    spec = importlib.util.find_spec(name)
    place = spec.origin if spec else None
    if place and not Path(place).resolve().is_relative_to(path.parent.resolve()):
        return f"{path.name} is called like the installed library {name}; rename it"
    return ""


def _about_files(path: Path) -> Iterator[str]:
    """Yield what is wrong with the modules beside the file that it imports, and with all of them together."""
    size = 0
    for each in sorted({path, *_closure(path.parent, _read(path), path)}):
        wrong = "" if each == path else _shadows_below(path.parent, each) or _syntax(each)
        if wrong:
            yield wrong
            continue
        size += each.stat().st_size + sum(map(len, _data_beside(each).values()))
        for line in code_parts.relative_imports(_read(each)) if each.parent == path.parent else ():
            yield f"{each.name}, line {line}: relative import; import what lies beside it by its name: import helpers"
    if size > LARGEST:
        yield f"{path.name} with all that travels with it has {size:,} bytes, {LARGEST:,} may; make data raw files"


def _shadows_below(folder: Path, path: Path) -> str:
    return _shadows(folder / path.relative_to(folder).parts[0])


def _about_hooks(path: Path, tree: ast.Module) -> Iterator[str]:
    functions = code_parts.functions(tree)
    named = _hooks(tree)
    for name, function in named.items():
        if function is not None and (wrong := _about_signature(name, function)):
            yield f"{path.name}, line {function.line}: {wrong}"
    used = code_parts.names_used(tree)
    for name, function in functions.items():
        near = difflib.get_close_matches(name.replace("_", ""), set(hooknames.ARGUMENTS) - set(named), 1, _ALIKE)
        if near and name not in named and name not in used and not name.startswith("_"):
            yield (
                f"{path.name}, line {function.line}: nothing calls {name}; did you mean the hook {near[0]}? "
                "Rename it, or begin its name with an underscore"
            )
    if not named:
        yield f"{path.name} defines no hook; expected one of {', '.join(_said(hook) for hook in hooknames.ARGUMENTS)}"


def _about_signature(name: str, function: Function) -> str:
    wanted = hooknames.ARGUMENTS[name]
    if function.is_async:
        return f"{name} is async; write it as a plain function"
    if not function.takes(len(wanted)):
        found = f"{name}({', '.join(function.arguments)})"
        return f"{found} cannot be called with {len(wanted)} arguments; write {_said(name)}"
    return ""


def _said(hook: str) -> str:
    return f"{hook}({', '.join(hooknames.ARGUMENTS[hook])})"


def _hooks(tree: ast.Module) -> dict[str, Function | None]:
    """Return the hooks that a module defines; None for what they take where it imports or assigns them."""
    functions, bound = code_parts.functions(tree), code_parts.bound(tree)
    return {hook: functions.get(hook) for hook in hooknames.ARGUMENTS if hook in bound}


def _closure(folder: Path, source: str, start: Path) -> set[Path]:
    """Return the files beside the user's that it imports, directly or not; of a package all modules."""
    seen: set[Path] = set()
    waiting = [source]
    while waiting:
        try:
            names = code_parts.imported(waiting.pop())
        except (SyntaxError, ValueError):  # told where it is looked at
            continue
        for path in [file for name in names for file in _module_files(folder, name)]:
            if path not in seen and path != start:
                seen.add(path)
                waiting.append(_read(path))
    return seen


def _module_files(folder: Path, name: str) -> Sequence[Path]:
    module, package = folder / f"{name}.py", folder / name
    if package.is_dir():
        return [path for path in sorted(package.rglob("*.py")) if "__pycache__" not in path.parts]
    return [module] if module.is_file() else []


def _data_beside(path: Path) -> dict[str, bytes]:
    """Return the files with a module's stem, such as `my_steps.holidays.csv`, by name."""
    there = sorted(path.parent.glob(f"{path.stem}.*"))
    return {p.name: p.read_bytes() for p in there if p.is_file() and p.suffix.lower() not in _NO_DATA}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig", errors="strict")
