"""Single jobs as SageMaker starts them, `/opt/ml` tree and all: Prepare against pandas, Infer against AutoGluon."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import measuring
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from figures import Figure, of_pair
from measuring import ROOT, Pair, Usage
from runs import FLIGHTS, Case, make_flights, ours

sys.path.insert(0, str(ROOT))

from pipelines import models, settings, slices
from steps import contract

PREPARE_ROWS = 5_000_000
SEGMENTS = 6
INFER_ROWS = 1_000_000
FEW_ROWS = 1_000_000
MANY_ROWS = 10_000_000
ROUNDS = {"XGB": ({"XGB": {"n_estimators": 300}}, 0.85), "GBM": ({"GBM": {"num_boost_round": 300}}, 1.05)}
"""Hyperparameters of the two models, and the most that Infer may take of the wall time of a bare predict."""
NAMES = {"XGB": "XGBoost", "GBM": "LightGBM"}

PANDAS = """
import sys, pandas
pandas.read_csv(sys.argv[1]).to_parquet(sys.argv[2])
"""
BARE = """
import sys, pandas
from autogluon.tabular import TabularPredictor
predictor = TabularPredictor.load(sys.argv[1], verbosity=0)
rows = pandas.read_parquet(sys.argv[2])
rows[["flight_id"]].assign(prediction=predictor.predict(rows)).to_parquet(sys.argv[3])
"""
STREAMED = """
import sys, glob
import pyarrow as pa, pyarrow.parquet as pq
from autogluon.tabular import TabularPredictor
predictor = TabularPredictor.load(sys.argv[1], verbosity=0)
predictor.persist(max_memory=None)
writer = None
for path in sorted(glob.glob(sys.argv[2] + "/*.parquet")):
    for batch in pq.ParquetFile(path).iter_batches(65536):
        predicted = pa.array(predictor.predict(batch.to_pandas()).to_numpy(), pa.float64())
        made = pa.table({"flight_id": batch.column("flight_id"), "prediction": predicted})
        writer = writer or pq.ParquetWriter(sys.argv[3], made.schema)
        writer.write_table(made)
writer.close()
"""


def prepare(repeats: int, *, full: bool) -> Iterator[Figure]:
    """Split, type and profile 5M rows of CSV, against pandas reading and writing them."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        source = root / "raw" / "train.csv"
        make_csv(source, PREPARE_ROWS)
        version = make_prepare_tree(root / "ml", source)

        def job() -> Usage:
            return run_prepare(root, version)

        def pandas() -> Usage:
            return measuring.run([sys.executable, "-c", PANDAS, str(source), str(root / "pandas.parquet")])

        pair = measuring.alternate(job, pandas, repeats, always=full)
        yield of_pair("Prepare, 5M rows of CSV", pair, 0.4)
        yield of_pair("Prepare, 5M rows of CSV, peak memory", pair, 1.0, "memory_mb")
    one, many = (bounded_memory(rows) for rows in (FEW_ROWS, MANY_ROWS))
    yield Figure("Prepare, peak memory in 256 MB, 10M rows of CSV (814 MB) against 1M", many, one, 1.5, "MB")


def run_prepare(root: Path, version: str, environment: Mapping[str, str] | None = None) -> Usage:
    """Run PrepareTraining on the inputs below `root`."""
    shutil.rmtree(root / "ml/processing/output", ignore_errors=True)
    command = [sys.executable, "-m", "steps.prepare", "training", "--version", version, "--raw", "s3://raw/"]
    return measuring.run(command, {**(environment or {}), "ML_ROOT": str(root / "ml")})


def bounded_memory(rows: int) -> float:
    """Return the peak memory of PrepareTraining of so many rows, whose database may take 256 MB, in megabytes."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_csv(root / "raw" / "train.csv", rows)
        version = make_prepare_tree(root / "ml", root / "raw" / "train.csv")
        return run_prepare(root, version, {"PREPARE_MEMORY_LIMIT": "256MB"}).memory_mb


def make_csv(path: Path, rows: int) -> None:
    """Write rows of numbers, texts and an id in SEGMENTS segments."""
    path.parent.mkdir(parents=True)
    generator = np.random.default_rng(0)
    columns = {f"x{n}": np.round(generator.normal(size=rows), 4) for n in range(6)}
    texts = pa.array([f"category {n:02d}" for n in range(40)])
    places = pa.array([f"place {n}" for n in range(SEGMENTS)])
    table = pa.table(
        {
            "id": pa.array(np.arange(rows)),
            "place": places.take(pa.array(generator.integers(SEGMENTS, size=rows))),
            "kind": texts.take(pa.array(generator.integers(40, size=rows))),
            "count": pa.array(generator.integers(1000, size=rows)),
            **columns,
            "y": np.round(columns["x0"] * 3 + generator.normal(size=rows), 3),
        }
    )
    pa.csv.write_csv(table, path, pa.csv.WriteOptions(quoting_style="none"))


def make_prepare_tree(root: Path, source: Path) -> str:
    """Lay out the inputs of PrepareTraining; return the data version."""
    named = [{"name": f"place {n}", "where": {"place": f"place {n}"}} for n in range(SEGMENTS)]
    config = settings.validate({"data": {"label": "y", "id": "id"}, "models": named}, "bench")
    slice_ = slices.prepare_training(config, models.choose_models(config, None))
    file = contract.DataFile(source.name, _sha256(source), source.stat().st_size)
    inputs = root / "processing/input"
    for name in (contract.IN_SETTINGS, contract.IN_MANIFEST, contract.IN_RAW):
        (inputs / name).mkdir(parents=True)
    (inputs / contract.IN_SETTINGS / contract.SETTINGS_FILE).write_text(contract.to_json(slice_), encoding="utf-8")
    for name, text in contract.manifests("s3://raw/", [file]).items():
        (inputs / contract.IN_MANIFEST / name).write_text(text, encoding="utf-8")
    (inputs / contract.IN_RAW / source.name).symlink_to(source)
    return contract.data_version([file])


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def infer(repeats: int, *, full: bool) -> Iterator[Figure]:
    """Score 1M rows with a model of each kind, against AutoGluon by itself; and ten times as many."""
    make_flights()
    for kind, (hyperparameters, target) in ROUNDS.items():
        with tempfile.TemporaryDirectory() as folder:
            case = Case(FLIGHTS, "arr_delay", "flight_id", "origin", hyperparameters, ("month", "day"), ("EWR",))
            ours(case, Path(folder), Path(folder) / "workspace")
            tree = find_infer_tree(Path(folder) / "workspace", "EWR")
            yield from _against_bare(NAMES[kind], Scene(Path(folder), tree), target, repeats)


class Scene:
    """The inputs of one Infer job, with as many rows as wanted, and its predictor outside of the artifact."""

    def __init__(self, folder: Path, tree: Path) -> None:
        self._tree, self.folder = tree, folder
        self.predictor = folder / "predictor"
        with tarfile.open(next(tree.glob("processing/input/model/**/model.tar.gz"))) as archive:
            archive.extractall(self.predictor, filter="data")
        self.predictor = next(self.predictor.rglob("predictor.pkl")).parent

    def tree(self, rows: int) -> Path:
        """Return the job's tree with so many rows to predict."""
        target = self.folder / f"ml-{rows}"
        shutil.copytree(self._tree, target)
        shutil.rmtree(target / "processing/output", ignore_errors=True)
        status = next((target / "processing/input/predict").rglob("status.json"))
        parts = sorted((target / "processing/input" / contract.IN_PARTS).rglob("*.parquet"))
        tile(parts, parts[0], rows)
        found = {**json.loads(status.read_text(encoding="utf-8")), "rows": rows}
        status.unlink()
        status.write_text(json.dumps(found), encoding="utf-8")
        return target

    def score(self, tree: Path) -> Usage:
        """Run the job."""
        shutil.rmtree(tree / "processing/output", ignore_errors=True)
        return measuring.run([sys.executable, "-m", "steps.infer"], {"ML_ROOT": str(tree)})

    def script(self, code: str, rows: Path) -> Usage:
        """Run a script of AutoGluon's own on a file or folder of rows."""
        given = [str(self.predictor), str(rows), str(self.folder / "out.parquet")]
        return measuring.run([sys.executable, "-W", "ignore", "-c", code, *given])


def tile(parts: Sequence[Path], target: Path, rows: int) -> None:
    """Write the rows of `parts` again and again, numbered anew, until there are `rows` of them."""
    table = pq.read_table(list(parts))
    for path in parts:
        path.unlink()
    place = table.schema.get_field_index(contract.ROW)
    with pq.ParquetWriter(target, table.schema) as writer:
        for first in range(0, rows, table.num_rows):
            piece = table.slice(0, min(table.num_rows, rows - first))
            numbers = pa.array(np.arange(first, first + piece.num_rows), table.schema.field(place).type)
            writer.write_table(piece.set_column(place, table.schema.field(place), numbers), 100_000)


def _against_bare(name: str, scene: Scene, target: float, repeats: int) -> Iterator[Figure]:
    tree = scene.tree(INFER_ROWS)
    parts = next((tree / "processing/input" / contract.IN_PARTS).rglob("part-*.parquet"))
    bare, loop, mine = measuring.take_turns(
        [lambda: scene.script(BARE, parts), lambda: scene.script(STREAMED, parts.parent), lambda: scene.score(tree)],
        repeats,
    )
    yield of_pair(f"Infer, 1M rows, {name}, against a bare predict", Pair(mine, bare), target)
    yield of_pair(f"Infer, 1M rows, {name}, peak memory", Pair(mine, bare), 0.35, "memory_mb")
    yield of_pair(f"Infer, 1M rows, {name}, against a bare streamed loop", Pair(mine, loop), 1.05)
    if name == NAMES["XGB"]:
        many = scene.score(scene.tree(MANY_ROWS))
        one = measuring.median(mine, "memory_mb")
        yield Figure("Infer, peak memory, 10M rows against 1M", many.memory_mb, one, 1.1, "MB")


def find_infer_tree(workspace: Path, slug: str) -> Path:
    """Return the /opt/ml folder that the engine made for a segment's Infer step."""
    return next(workspace.glob(f"executions/*/steps/Infer-{slug}/opt/ml"))
