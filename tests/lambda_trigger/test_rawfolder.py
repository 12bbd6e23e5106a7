"""The raw folder: what the trigger chooses is what the commands choose, down to the data versions."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from lambda_trigger import rawfolder
from lambda_trigger.rawfolder import RawFolder
from pipelines.errors import DataError
from pipelines.rawdata import read_listing
from pipelines.settings import Settings, validate
from pipelines.slices import lambda_slice
from steps.contract import DataFile

URI = "s3://raw/day/"
NAMES = st.sampled_from(
    [
        *("train.csv", "train_2.PARQUET", "north/train.csv", "predict.csv", "predict/all.parquet", "train_predict.csv"),
        *("notes.txt", "train.txt", "go.run", ".train.csv", ".old/train.csv", "東京/predict 1.csv", "train.run"),
        *("/train.csv", "a//predict.csv", "a/../train.csv", "train\n.csv", "predict\x1b[2J.txt"),
    ]
)
FILES = st.dictionaries(NAMES, st.integers(0, 10**12)).map(
    lambda sizes: tuple(DataFile(name, f"etag of {name}", size) for name, size in sorted(sizes.items()))
)
CONFIGS = st.sampled_from(
    [
        {"models": {"by": "r"}},
        {"models": {"by": "r"}, "max_objects": 3},
        {
            "models": [
                {"name": "a", "where": {"r": "a"}},
                {"name": "n", "train": "north/train*", "predict": "*.parquet"},
            ]
        },
        {"models": [{"name": "n", "train": "north/*", "predict": "predict*"}]},
    ]
)


class Listing:
    """An object store that holds these files."""

    def __init__(self, files: tuple[DataFile, ...]) -> None:
        self.found = files

    def files(self, prefix: str) -> tuple[DataFile, ...]:
        return self.found


def by_trigger(config: Settings, files: tuple[DataFile, ...]) -> tuple[dict[str, str], int]:
    """Return the parameters of a start, or how many problems there are."""
    start = lambda_slice(config, (), "b")
    folder = rawfolder.read(Listing(files), URI, start["max_objects"])  # type: ignore[arg-type]
    data, problems = rawfolder.choose(folder, start["data"], start["max_objects"])
    return ({} if problems else data.parameters), len(problems)


def by_command(config: Settings, files: tuple[DataFile, ...]) -> tuple[dict[str, str], int]:
    try:
        found = read_listing(config, URI, files)
    except DataError as error:
        return {}, len(error.problems)
    return {"RawDataUri": found.uri, **found.versions}, 0


@given(CONFIGS, FILES)
def test_trigger_and_commands_start_from_the_same_files_or_both_refuse(
    changes: dict[str, object], files: tuple[DataFile, ...]
) -> None:
    config = validate({"data": {"label": "y", "id": "id"}, **changes}, "c.yml")

    assert by_trigger(config, files) == by_command(config, files)


def test_a_key_that_is_no_plain_path_is_refused_and_shown_in_one_line() -> None:
    files = (DataFile("/train.csv", "e", 1), DataFile("predict\n.csv", "e", 1))
    _, problems = rawfolder.choose(RawFolder(URI, files), {"train": ["train*"], "predict": ["predict*"]}, 10)

    assert problems == [
        "the file name '/train.csv' has an empty part, '.' or '..' in its path; rename the file",
        r"the file name 'predict\n.csv' holds control characters or is not UTF-8; rename the file",
    ]


def test_many_files_of_one_problem_are_counted_not_listed() -> None:
    files = tuple(DataFile(f"train_{number:03d}.txt", "e", 1) for number in range(50))

    _, problems = rawfolder.choose(RawFolder(URI, files), {"train": ["train*"], "predict": ["predict*"]}, 100)

    assert len(problems) == 1 + rawfolder.SHOWN + 1
    assert problems[-1].startswith("and 30 more files: each is neither .csv nor .parquet")


def test_many_missing_files_are_counted_not_listed() -> None:
    promised = {f"train_{number:03d}.csv": 1 for number in range(50)}

    found = rawfolder.check_promised(RawFolder(URI, ()), promised)

    assert len(found) == rawfolder.SHOWN + 1
    assert found[-1] == "and 30 more missing files"


def test_hints_for_missing_files_cost_little_in_a_folder_of_ten_thousand() -> None:
    """A function that looks for similar names all its time never mails what is wrong."""
    names = [
        f"region=north-west/day=2026-11-{n % 28:02d}/hour={n:05d}/part-{n:05d}-of-10000.parquet" for n in range(10_000)
    ]
    folder = RawFolder(URI, tuple(DataFile(name, "e", 1) for name in names))
    began = time.process_time()

    problems = rawfolder.check_promised(folder, {f"{name[:-8]}.parkett": 1 for name in names[:30]})

    assert time.process_time() - began < 5
    assert len(problems) == rawfolder.SHOWN + 1
    assert "did you mean" in problems[0]
