"""Calls the hooks in a user's own code: functions of `my_steps.py` that take the place of a part of a step.

The code lies beside `steps` in the code bundle and is imported here, in the process of the step (or of its child) that
calls it, and nowhere else. What a hook raises ends the step with its name, file, line and text: unlike a library's,
that text is the user's own. A hook never sees another's changes: it gets copies, and random numbers from one seed.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import random
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

from steps import contract, hooknames, job

LONGEST = 300
"""Characters of what a hook raised that are told."""
_FOLDERS: set[Path] = set()
"""From which hooks were imported so far."""
_WORDS = {"true": True, "false": False}
_INSTALLED = {"site-packages", "dist-packages", f"python{sys.version_info.major}.{sys.version_info.minor}"}
"""Folders within an environment that hold libraries and Python's own modules."""

log = logging.getLogger(__name__)


class HookError(job.StepError):
    """A hook raised, or returned what cannot be used."""


@dataclass(frozen=True)
class Context:
    """What a hook is told: the step and model it works for, the user's parameters, and what is set.

    `parameters` are those of the config (`parameters:`, `--set`), of the config's types; `settings` is what the step
    was given, read-only; `training` is False for rows to predict; `log` writes to the step's log.
    """

    step: str
    model: str
    slug: str
    training: bool
    label: str
    id: str
    parameters: Mapping[str, str | int | float | bool]
    settings: Mapping[str, Any]
    seed: int
    log: logging.Logger = field(default=logging.getLogger("hook"), repr=False)


@dataclass(frozen=True)
class Hooks:
    """The hooks that a step calls, from one module."""

    file: str
    functions: Mapping[str, Callable[..., Any]]
    folder: Path
    parameters: Mapping[str, str | int | float | bool]
    files: tuple[Path, ...] = ()
    """What an artifact has to carry for them: below the folder."""

    def has(self, name: str) -> bool:
        """Tell whether the user has written a hook."""
        return name in self.functions

    def context(self, settings: Mapping[str, Any], **known: Any) -> Context:
        """Return the context of calls; `known` are its fields but parameters and settings."""
        return Context(parameters=self.parameters, settings=_frozen(settings), **known)

    def call(self, name: str, *arguments: Any, context: Context) -> Any:
        """Return what a hook returns.

        Raises:
            HookError: it raised; the traceback is in the log.
        """
        _seed(context.seed)
        with self.told(name):
            return self.functions[name](*arguments, context)

    def error(self, name: str, problem: str) -> HookError:
        """Return the error of a hook that did not raise."""
        return HookError(f"hook {name} ({self.file}) {problem}")

    @contextmanager
    def told(self, name: str, what: str = "") -> Iterator[None]:
        """Turn what the user's code raises in this block into a HookError of the hook `name`."""
        try:
            yield
        except (MemoryError, job.StepError):
            raise
        except Exception as error:
            place = _place(error, self.folder) or self.file
            raise HookError(f"hook {name} ({place}) {what}{_text(error)}") from error


def load(settings: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Hooks | None:
    """Return the hooks that a step's settings slice names, or None where it names none.

    Raises:
        HookError: the module cannot be imported, or lacks one of them.
    """
    entry = settings.get(hooknames.KEY)
    if entry is None:
        return None
    here = environment.get(hooknames.FOLDER_VARIABLE)
    found = of(Path(here) if here else contract.input_dir(contract.IN_CODE) / hooknames.FOLDER, entry, environment)
    return replace(found, files=_imported_from(found.folder)) if here else found


def of(folder: Path, entry: Mapping[str, Any], environment: Mapping[str, str]) -> Hooks:
    """Return the hooks of an entry of settings or metadata, whose file lies in a folder that holds their code alone.

    Raises:
        HookError: as `load`.
    """
    file = str(entry[hooknames.KEY_FILE])
    module = import_module(folder, file)
    functions: dict[str, Any] = {name: getattr(module, name, None) for name in entry[hooknames.KEY_HOOKS]}
    missing = [name for name, function in functions.items() if not callable(function)]
    if missing:
        raise HookError(f"{file}: {', '.join(missing)} is no function; define it with def {missing[0]}(...)")
    types = entry[hooknames.KEY_PARAMETERS]
    parameters = {name: _typed(text, types.get(name)) for name, text in contract.user_parameters(environment).items()}
    files = tuple(p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix != ".pyc")
    return Hooks(file, MappingProxyType(functions), folder, MappingProxyType(parameters), files)


def _imported_from(folder: Path) -> tuple[Path, ...]:
    """Return the modules that were imported from a folder, which may hold anything beside."""
    places = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    found = {Path(place) for place in places if place and _is_own(Path(place), folder)}
    return tuple(sorted(path for path in found if path.relative_to(folder).parts[0] != __package__))


def _is_own(path: Path, folder: Path) -> bool:
    """Tell whether a file in a folder is the user's own, and not of an environment of Python's that lies in it too."""
    return path.is_relative_to(folder) and _INSTALLED.isdisjoint(path.relative_to(folder).parts)


def import_module(folder: Path, file: str) -> ModuleType:
    """Return the module in a file, imported anew, with what lies beside it to be imported by its name.

    Raises:
        HookError: the import raised.
    """
    path = folder / file
    if not path.is_file():
        raise HookError(f"{file} is not in the step's code; compile the pipeline again and start a new execution")
    _forget(folder)
    sys.path.insert(0, str(folder))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise HookError(f"{file} is no Python module")
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except MemoryError:
        raise
    except Exception as error:
        hint = "; add it to config/libraries.txt" if isinstance(error, ModuleNotFoundError) else ""
        raise HookError(f"import of {_place(error, folder) or file}: {_text(error)}{hint}") from error
    return module


def _forget(folder: Path) -> None:
    """Forget what was imported for other hooks, whose modules may have the same names."""
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None)
        if place and name.partition(".")[0] != __package__ and any(_is_own(Path(place), f) for f in _FOLDERS):
            del sys.modules[name]
    sys.path[:] = [place for place in sys.path if Path(place) not in _FOLDERS]
    _FOLDERS.add(folder)
    importlib.invalidate_caches()


def _typed(text: str, kind: str | None) -> str | int | float | bool:
    """Return a parameter as the config has it; it travels as text.

    It stays text where it does not fit: a model carries the types of the day that it was trained on.
    """
    if kind == "bool":
        return _WORDS.get(text.lower(), text)
    numbers: dict[str | None, Callable[[str], int | float]] = {"int": int, "float": float}
    try:
        return numbers[kind](text) if kind in numbers else text
    except ValueError:
        return text


def _frozen(value: Any) -> Any:
    """Return JSON that nobody can change."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: _frozen(item) for key, item in value.items()})
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


def _seed(seed: int) -> None:
    """Let random numbers be the same in every call, so that the same input gives the same bytes."""
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed % 2**32)


def _place(error: BaseException, folder: Path) -> str:
    """Return the innermost `file:line` of an error within the user's own code, or nothing; log all of its frames."""
    for line in "".join(traceback.format_exception(error)).splitlines():
        log.error("%s", line)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    inside = [f for f in traceback.extract_tb(error.__traceback__) if _is_own(Path(f.filename), folder)]
    return f"{Path(inside[-1].filename).relative_to(folder)}:{inside[-1].lineno}" if inside else ""


def _text(error: BaseException) -> str:
    said = " ".join(str(error).split())
    said = said if len(said) <= LONGEST else f"{said[:LONGEST]}..."
    return f"raised {type(error).__name__}" + (f": {said}" if said else "")
