"""The engine, the compiler and the commands by themselves: no data, no model."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import measuring
from figures import Figure, of_pair
from measuring import ROOT, Usage

METAFLOW = ROOT / ".venv-bench/bin/python"
CLIS = ("run", "compile", "deploy", "registry")
SIZES = (10, 100, 1000)
COMPILE_MODELS = 100
CARELESS_SECONDS = 73.0
"""What the SDK takes for 100 models when it is given nothing but its defaults (measured once: a run takes too long)."""
COMPILE = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from pipelines import compile as compiling, models, settings
named = [{{"name": f"m{{n:03d}}", "where": {{"s": str(n)}}}} for n in range({count})]
data = {{"label": "y", "id": "id"}}
config = settings.validate({{"data": data, "models": named, "step_ceiling": 400}}, "bench")
chosen = models.choose_models(config, None)
from pipelines import sdk
with sdk.quick_and_quiet("us-east-1"):
    import pipelines.definition
began = time.monotonic()
compiling.compile_pipeline(config, chosen, local=True)
Path(sys.argv[1]).write_text(str(time.monotonic() - began))
"""


def engine(repeats: int, *, full: bool) -> Iterator[Figure]:
    """15 steps of no work against Metaflow, and the engine's own cost per step for more and more steps."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        pair = measuring.alternate(lambda: no_work(6, root), lambda: metaflow(root), repeats, always=full)
        yield of_pair("engine, 15 steps of no work, against Metaflow", pair, 0.33)
        costs = {size: _cost(size, root, repeats) for size in SIZES}
        few, some, many = (cost * 1000 for cost in costs.values())
        yield Figure("engine's own CPU time per step, 100 steps against 10", some, few, 1.5, "ms", runs=repeats)
        yield Figure("engine's own CPU time per step, 1000 steps against 100", many, some, 1.3, "ms")


def _cost(size: int, root: Path, repeats: int) -> float:
    """Return the engine's own CPU seconds for one step more, of about `size` steps against the smallest graph."""
    models = (size - 3) // 2
    runs = repeats if size < SIZES[-1] else 1
    pairs = [(no_work(models, root, "--inert").cpu, no_work(1, root, "--inert").cpu) for _ in range(runs)]
    return statistics.median(larger - smallest for larger, smallest in pairs) / (2 * (models - 1))


def no_work(models: int, root: Path, *more: str) -> Usage:
    """Execute the graph of no work in a new workspace."""
    script = str(ROOT / "tests/bench/no_work.py")
    with tempfile.TemporaryDirectory(dir=root) as workspace:
        return measuring.run([sys.executable, script, str(models), workspace, *more])


def metaflow(root: Path) -> Usage:
    """Run the same shape in Metaflow."""
    with tempfile.TemporaryDirectory(dir=root) as home:
        environment = {"METAFLOW_HOME": home, "METAFLOW_DATASTORE_SYSROOT_LOCAL": home, "USERNAME": "bench"}
        script = str(ROOT / "tests/bench/metaflow_flow.py")
        return measuring.run([str(METAFLOW), script, "run"], environment, Path(home))


def compiler(repeats: int, *, full: bool) -> Iterator[Figure]:
    """Compile 100 models, the SDK's import aside."""
    del full
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "seconds"
        for _ in range(repeats):
            code = COMPILE.format(root=str(ROOT), count=COMPILE_MODELS)
            measuring.run([sys.executable, "-W", "ignore", "-c", code, str(told)])
            seconds.append(float(told.read_text()))
    middle = sorted(seconds)[len(seconds) // 2]
    yield Figure("compile of 100 models", middle, None, 1.5, runs=repeats)
    yield Figure("compile of 100 models, against the SDK by itself", middle, CARELESS_SECONDS, 0.03, runs=repeats)


def helps(repeats: int, *, full: bool) -> Iterator[Figure]:
    """`--help` of each command."""
    del full
    for name in CLIS:
        taken = [measuring.run([sys.executable, "-m", f"pipelines.{name}", "--help"]) for _ in range(repeats)]
        idle = [measuring.run([sys.executable, "-c", "pass"]) for _ in range(repeats)]
        seconds = measuring.median(taken) - measuring.median(idle)
        yield Figure(f"pipelines.{name} --help, beyond python -c pass", seconds, None, 0.3, runs=repeats)
