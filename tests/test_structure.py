"""Architecture: sizes, names at the top, imports without side effects, no patching, nothing of one machine."""

from __future__ import annotations

import ast
import functools
import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("pipelines", "steps", "lambda_trigger")
TOP_LEVEL = {
    *(*PACKAGES, "containers", "config", "tests", "docs", ".ci"),
    *(
        "buildspec.yml",
        "setup.py",
        "README.md",
        "README.ja.md",
        "CHANGELOG.md",
        "Makefile",
        "pyproject.toml",
        ".gitignore",
    ),
}
LOCK_FILE = re.compile(r"requirements[a-z-]*\.lock")
ENVIRONMENT_ONLY = ("setenv", "delenv", "chdir", "syspath_prepend", "context", "undo")
"""What monkeypatch may do in tests: change the process's surroundings, never the code."""

# Written in pieces, so that this file passes its own test.
ONE_MACHINE = [f"/{name}/" for name in ("root", "home", "Users", "tmp/spec", "work")]
OF_CODEBUILD = {"buildspec.yml": "/" + "root/.cache/pip/"}
"""The one exemption: where CodeBuild's own container keeps what it caches, in the file that only CodeBuild reads."""
REGISTRIES = ["pypi" + ".", "pythonhosted" + ".", "index" + "-url", "conda" + ".anaconda"]

NEEDS_A_REGION = {"pipelines.scoring_pipeline", "pipelines.parts", "pipelines.definition"}
"""They import the SageMaker SDK, which asks for a region: `pipelines.sdk` gives it one, test_sdk shows it."""
IMPORTING = """
import importlib, os, sys
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
def watch(event, arguments):
    reached = event.startswith(("socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system"))
    written = event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES
    if (reached or written) and arguments[0] != os.devnull:
        found.append(f"{name}: {event} {arguments[:2]}")
found = []
sys.dont_write_bytecode = True
sys.addaudithook(watch)
for name in sys.argv[1:]:
    before = dict(os.environ)
    importlib.import_module(name)
    found += [f"{name}: changes the environment"] if dict(os.environ) != before else []
print("\\n".join(found))
"""


def tracked(*patterns: str) -> list[Path]:
    """Return the files that git knows or would add, by path."""
    if not (ROOT / ".git").exists():
        return unpacked(patterns or ("*",))
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = (ROOT / name for name in listing.split("\0") if name)
    return sorted(path for path in paths if path.is_file())


def unpacked(patterns: Sequence[str]) -> list[Path]:
    """Return the files below the root but for what git ignores: CodePipeline hands over a checkout without `.git`."""
    ignored = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").split()]
    kept = []
    for folder, inside, files in os.walk(ROOT):
        inside[:] = [name for name in inside if not any(fnmatch(name, pattern) for pattern in ignored)]
        kept += [Path(folder, name) for name in files if not any(fnmatch(name, pattern) for pattern in ignored)]
    return sorted(path for path in kept if any(fnmatch(shown(path), pattern) for pattern in patterns))


def test_a_checkout_without_git_has_the_same_files() -> None:
    with_git = tracked()

    assert {shown(path) for path in with_git} == {shown(p) for p in unpacked(["*"]) if ".git" not in p.parts}


def sources() -> list[Path]:
    """Return the Python files of the packages."""
    return tracked(*(f"{package}/*.py" for package in PACKAGES))


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    return shown(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions() -> Iterator[tuple[str, int]]:
    """Yield each function of the packages with its lines, signature and docstring included."""
    for path in sources():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                yield f"{shown(path)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1


def test_functions_are_short() -> None:
    lines = dict(functions())
    sizes = sorted(lines.values())

    assert {name: size for name, size in lines.items() if size > 50} == {}
    assert statistics.median(sizes) <= 10
    assert sizes[int(len(sizes) * 0.9)] <= 30


def test_files_have_at_most_400_lines() -> None:
    long = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}

    assert {name: size for name, size in long.items() if size > 400} == {}


def test_every_module_begins_with_what_it_holds() -> None:
    bare = [shown(p) for p in sources() if p.stat().st_size and not ast.get_docstring(parsed(p))]

    assert bare == []


def test_the_top_level_holds_only_what_the_layout_names() -> None:
    names = {shown(path).split("/")[0] for path in tracked()}

    assert {name for name in names - TOP_LEVEL if not LOCK_FILE.fullmatch(name)} == set()


def test_no_link_is_in_the_repository() -> None:
    """A link to an environment, added by force, would take the place of that environment in whoever's checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("CodePipeline hands over a checkout without .git")
    listing = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert [line for line in listing.splitlines() if line.startswith("120000")] == []


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_nothing_imports_a_mocking_library() -> None:
    mocks = re.compile(r"(unittest\.)?mock(\..*)?|pytest_mock(\..*)?|unittest\.mock.*")
    users = [shown(path) for path in tracked("*.py") if any(mocks.fullmatch(name) for name in imported(parsed(path)))]

    assert users == []


def patching(tree: ast.Module) -> Iterator[str]:
    """Yield the names by which code is replaced: attributes of monkeypatch, and mocks."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            target = node.value.id
            if target in ("monkeypatch", "patch") and node.attr not in ENVIRONMENT_ONLY:
                yield f"{node.lineno} {target}.{node.attr}"
        if isinstance(node, ast.Name) and node.id in ("MagicMock", "Mock", "mocker"):
            yield f"{node.lineno} {node.id}"


def test_no_test_replaces_code() -> None:
    found = [f"{shown(path)}:{use}" for path in tracked("*.py") for use in patching(parsed(path))]

    assert found == []


def outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs when a module is imported."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from outside_functions(child)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_reads_its_environment_or_makes_a_client_when_imported(package: str) -> None:
    at_import = {"environ", "getenv", "client", "resource", "Session", "get_session"}
    found = [
        f"{shown(path)}:{node.lineno} {node.attr}"
        for path in tracked(f"{package}/*.py")
        for node in outside_functions(parsed(path))
        if isinstance(node, ast.Attribute) and node.attr in at_import
    ]

    assert found == []


def test_importing_any_module_writes_starts_and_reaches_nothing(tmp_path: Path) -> None:
    """Import all modules in a process with an empty home and environment, under an audit hook."""
    names = [name for name in map(module_name, sources()) if name not in NEEDS_A_REGION]
    environment = {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "ignore", "-c", IMPORTING, *names]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
    assert list(tmp_path.iterdir()) == []


def holding(words: list[str]) -> list[str]:
    found = []
    for path in tracked():
        content = path.read_bytes().replace(OF_CODEBUILD.get(shown(path), "\0").encode(), b"")
        found += [f"{shown(path)}: {word}" for word in words if word.encode() in content]
    return found


def test_no_file_names_a_path_of_one_machine() -> None:
    assert holding(ONE_MACHINE) == []


def test_no_file_names_a_package_registry() -> None:
    assert holding(REGISTRIES) == []


def imported_names(path: Path) -> set[str]:
    """Return every module that a file imports, in the form package.module."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module in ("steps", "lambda_trigger", "pipelines"):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


OF_ARTIFACTS = {"artifact.py": {"steps.archive", "steps.description"}}
"""What may be in an artifact is one rule, where it is registered and where it is opened: standard library only."""


OF_MAILS = ("steps.language", "steps.japanese")
"""What mails and report say alike, in the zip of the Lambda functions too: standard library only."""


OF_HOOKS = ("steps.hooknames",)
"""What the user's own code may hold is one list, where it is read and where it is called: standard library only."""


OF_REPORTS = ("steps.embedding",)
"""How a page holds data is one rule, where it is made and where what came true is added: standard library only."""


@pytest.mark.parametrize("folder", ["pipelines", "pipelines/local", "lambda_trigger"])
def test_nothing_outside_the_steps_imports_a_step_but_the_contract(folder: str) -> None:
    spoken = {"lambda_trigger": OF_MAILS, "pipelines": OF_HOOKS + OF_REPORTS}.get(folder, ())
    steps = {
        f"{path.name}: {name}"
        for path in sorted((ROOT / folder).glob("*.py"))
        for name in imported_names(path)
        if name.startswith("steps") and name not in {"steps.contract", *OF_ARTIFACTS.get(path.name, ()), *spoken}
    }

    assert steps == set()


WIRING = {"surroundings.py", "approved.py", "catalog.py", "registry.py", "refresh.py", "desk.py", "rules.py"}
"""The modules of the operator's side that connect Lambda code to a workspace or to an account."""


def test_only_the_wiring_imports_lambda_code() -> None:
    found = {
        path.name
        for path in (ROOT / "pipelines").rglob("*.py")
        if any(name.startswith("lambda_trigger") for name in imported_names(path))
    }

    assert found <= WIRING
