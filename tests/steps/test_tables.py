from __future__ import annotations

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from steps import rawfile, tables
from steps.job import StepError
from steps.problem import FileError


def opened(tmp_path, content, name="a.csv"):
    (tmp_path / name).write_bytes(content)
    return rawfile.open_files([name], tmp_path, ",")[0]


def test_memory_threads_and_spilling_come_from_the_environment(tmp_path):
    environment = {"CORES": "3", "PREPARE_MEMORY_LIMIT": "100MB"}

    with tables.connect(tmp_path / "scratch", environment) as connection:
        [(threads, folder)] = connection.execute(
            "SELECT current_setting('threads'), current_setting('temp_directory')"
        ).fetchall()

    assert threads == 3
    assert folder == str(tmp_path / "scratch")


@pytest.mark.parametrize(("given", "expected"), [("500MB", 500 << 20), ("2GiB", 2 << 30), ("64KB", 64 << 10)])
def test_the_memory_limit_may_be_given(given, expected):
    assert tables.memory({"PREPARE_MEMORY_LIMIT": given}) == expected


def test_a_memory_limit_that_is_no_size_is_refused():
    with pytest.raises(StepError, match="'half', expected a size such as 500MB"):
        tables.memory({"PREPARE_MEMORY_LIMIT": "half"})


def test_rows_keep_the_order_of_the_file(tmp_path):
    file = opened(tmp_path, b"n\n" + b"".join(b"%d\n" % n for n in range(300_000)))

    with tables.connect(tmp_path / "scratch", {"CORES": "4"}) as connection:
        connection.execute(f"CREATE TABLE t AS SELECT CAST(p0 AS BIGINT) AS n FROM {tables.scan(file, ',')}")
        moved = connection.execute("SELECT count(*) FROM t WHERE n <> rowid").fetchall()

    assert moved == [(0,)]


def test_a_cast_that_fails_gives_null_even_where_the_reader_could_cast_itself(tmp_path):
    file = opened(tmp_path, b"n\n1\nx\n")

    with tables.connect(tmp_path / "scratch", {"CORES": "1"}) as connection:
        found = connection.execute(f"SELECT TRY_CAST(p0 AS DOUBLE) FROM {tables.scan(file, ',')}").fetchall()

    assert found == [(1.0,), (None,)]


def test_what_the_reader_says_of_a_file_never_reaches_the_message(tmp_path):
    file = opened(tmp_path, b"a,b\n1,SECRET\n")

    text = tables.describe(file, ",", "CSV Error on Line: 7\nOriginal Line: SECRET")

    assert text == "file 'a.csv', line 7: broken quoting or wrong number of fields; save it as RFC 4180 CSV"


class FullDisk:
    """A connection that finds no room to spill to."""

    def execute(self, _statement):
        raise duckdb.IOException('IO Error: Could not write file "scratch/duckdb_temp-0.tmp": No space left on device')


def test_a_full_disk_is_no_fault_of_the_file_that_was_being_read(tmp_path):
    file = opened(tmp_path, b"n\n1\n")

    with pytest.raises(StepError, match=r"disk is full.*instances\.prepare\.volume_gb") as raised:
        tables.run_on_files(FullDisk(), [(file, "SELECT 1")], ",")

    assert not isinstance(raised.value, FileError)


def test_a_damaged_parquet_file_is_named(tmp_path):
    pq.write_table(pa.table({"a": list(range(10_000))}), tmp_path / "a.parquet")
    [file] = rawfile.open_files(["a.parquet"], tmp_path, ",")
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[4:40] = b"\xff" * 36
    (tmp_path / "a.parquet").write_bytes(content)

    with (
        tables.connect(tmp_path / "scratch", {"CORES": "1"}) as connection,
        pytest.raises(StepError, match=r"a\.parquet"),
    ):
        tables.run_on_files(connection, [(file, f"SELECT sum(p0) FROM {tables.scan(file, ',')}")], ",")
