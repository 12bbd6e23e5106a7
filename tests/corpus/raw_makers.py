"""Raw files that are no text, or not for git: made where a case asks for them, by name."""

from __future__ import annotations

import gzip
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 80


def _columns(count: int = ROWS) -> dict[str, list[object]]:
    return {
        "id": list(range(count)),
        "region": ["north" if n % 2 else "south" for n in range(count)],
        "x": [n * 1.5 for n in range(count)],
        "y": [float(n) for n in range(count)],
    }


def _parquet(path: Path, **changes: object) -> None:
    pq.write_table(pa.table({**_columns(), **changes}), path)


def _take_train(raw: Path) -> bytes:
    """Return the content of the good training file, which goes."""
    content = (raw / "train.csv").read_bytes()
    (raw / "train.csv").unlink()
    return content


def good_files(raw: Path) -> None:
    assert (raw / "train.csv").is_file()


def parquet_cut_off(raw: Path) -> None:
    _take_train(raw)
    _parquet(raw / "train.parquet")
    content = (raw / "train.parquet").read_bytes()
    (raw / "train.parquet").write_bytes(content[: len(content) // 2])


def parquet_damaged_inside(raw: Path) -> None:
    _take_train(raw)
    _parquet(raw / "train.parquet")
    content = bytearray((raw / "train.parquet").read_bytes())
    content[4:400] = b"\xff" * 396
    (raw / "train.parquet").write_bytes(content)


def parquet_damaged_footer(raw: Path) -> None:
    _take_train(raw)
    _parquet(raw / "train.parquet")
    content = bytearray((raw / "train.parquet").read_bytes())
    begins = len(content) - 8 - int.from_bytes(content[-8:-4], "little")  # its length stands before the last mark
    content[begins : begins + 8] = b"\xff" * 8
    (raw / "train.parquet").write_bytes(content)


def parquet_of_nothing(raw: Path) -> None:
    _take_train(raw)
    (raw / "train.parquet").write_bytes(b"PAR1PAR1")


def parquet_without_columns(raw: Path) -> None:
    _take_train(raw)
    pq.write_table(pa.table({}), raw / "train.parquet")


def parquet_without_rows(raw: Path) -> None:
    _take_train(raw)
    _parquet(raw / "train.parquet", **_columns(0))


def parquet_nested_label(raw: Path) -> None:
    _take_train(raw)
    _parquet(raw / "train.parquet", y=[[1.0]] * ROWS)


def parquet_nested_feature(raw: Path) -> None:
    _take_train(raw)
    _parquet(raw / "train.parquet", x=[{"a": 1}] * ROWS)


def parquet_binary_feature(raw: Path) -> None:
    _take_train(raw)
    _parquet(raw / "train.parquet", x=[b"SECRET-1234"] * ROWS)


def parquet_nested_segment(raw: Path) -> None:
    _take_train(raw)
    _parquet(raw / "train.parquet", region=[["north"]] * ROWS)


def parquet_nested_id(raw: Path) -> None:
    _take_train(raw)
    _parquet(raw / "train.parquet", id=[[n] for n in range(ROWS)])


def parquet_columns_twice(raw: Path) -> None:
    _take_train(raw)
    columns = _columns()
    table = pa.table([pa.array(values) for values in (*columns.values(), columns["x"])], names=[*columns, "x"])
    pq.write_table(table, raw / "train.parquet")


def parquet_infinite_label(raw: Path) -> None:
    _take_train(raw)
    _parquet(raw / "train.parquet", y=[float("inf"), *range(1, ROWS)])


def parquet_text_label(raw: Path) -> None:
    _take_train(raw)
    _parquet(raw / "train.parquet", y=["SECRET-1234", *map(str, range(1, ROWS))])


def parquet_text_where_number_was(raw: Path) -> None:
    (raw / "predict.csv").unlink()
    columns = {**_columns(4), "x": ["SECRET-1234"] * 4}
    del columns["y"]
    pq.write_table(pa.table(columns), raw / "predict.parquet")


def parquet_nested_to_predict(raw: Path) -> None:
    (raw / "predict.csv").unlink()
    columns = {**_columns(4), "x": [[1.0]] * 4}
    del columns["y"]
    pq.write_table(pa.table(columns), raw / "predict.parquet")


def parquet_named_csv(raw: Path) -> None:
    _parquet(raw / "train.csv")


def csv_named_parquet(raw: Path) -> None:
    (raw / "train.parquet").write_bytes(_take_train(raw))


def gzip_named_csv(raw: Path) -> None:
    (raw / "train.csv").write_bytes(gzip.compress(_take_train(raw), mtime=0))


def zip_named_csv(raw: Path) -> None:
    content = _take_train(raw)
    with zipfile.ZipFile(raw / "train.csv", "w") as archive:
        archive.writestr("train.csv", content)


def utf_16(raw: Path) -> None:
    (raw / "train.csv").write_bytes(_take_train(raw).decode().encode("utf-16"))


def latin_letters(raw: Path) -> None:
    (raw / "train.csv").write_bytes(_take_train(raw) + b"900,north,1,\xe9\n")


def ends_within_a_letter(raw: Path) -> None:
    (raw / "train.csv").write_bytes(_take_train(raw) + b"900,north,1,\xe6\x9d")


def nothing_but_nul(raw: Path) -> None:
    (raw / "train.csv").write_bytes(b"\0" * 10_000)


def nul_in_a_number(raw: Path) -> None:
    (raw / "train.csv").write_bytes(_take_train(raw) + b"900,north,1\0,3\n")


def field_of_three_megabytes(raw: Path) -> None:
    (raw / "train.csv").write_bytes(_take_train(raw) + b"900,north," + b"SECRET-1234" * 300_000 + b",3\n")


def mixed_line_ends(raw: Path) -> None:
    lines = _take_train(raw).splitlines()
    ends = [b"\r\n" if n % 2 else b"\n" for n in range(len(lines))]
    (raw / "train.csv").write_bytes(b"".join(line + end for line, end in zip(lines, ends, strict=True)))


def dangling_link(raw: Path) -> None:
    _take_train(raw)
    (raw / "train.csv").symlink_to(raw / "gone.csv")


def link_to_itself(raw: Path) -> None:
    _take_train(raw)
    (raw / "train.csv").symlink_to(raw / "train.csv")


def links_around_the_folder(raw: Path) -> None:
    """Two links to the folder itself: who follows them walks as many ways as there are paths of 40 links."""
    _take_train(raw)
    (raw / "a").symlink_to(raw)
    (raw / "b").symlink_to(raw)


def folder_named_csv(raw: Path) -> None:
    _take_train(raw)
    (raw / "train.csv").mkdir()


def pipe_named_csv(raw: Path) -> None:
    _take_train(raw)
    os.mkfifo(raw / "train.csv")


def name_beyond_utf_8(raw: Path) -> None:
    Path(os.fsdecode(os.fsencode(raw) + b"/train-\xff.csv")).write_bytes(_take_train(raw))


def name_with_a_line_end(raw: Path) -> None:
    (raw / "train\nmore.csv").write_bytes(_take_train(raw))


def second_file_lacks_the_label(raw: Path) -> None:
    (raw / "train-2.csv").write_text("id,region,x\n900,north,1\n")


def second_file_without_header(raw: Path) -> None:
    (raw / "train-2.csv").write_text("900,SECRET-1234,1,2\n")


def second_file_has_more(raw: Path) -> None:
    (raw / "train-2.csv").write_text("id,region,x,y,z\n900,north,1,2,3\n")


def id_twice_over_two_files(raw: Path) -> None:
    (raw / "train-2.csv").write_text("id,region,x,y\n3,north,1,2\n")


def json_beside(raw: Path) -> None:
    (raw / "train.json").write_text("{}")


def no_prediction_file(raw: Path) -> None:
    (raw / "predict.csv").rename(raw / "forecast.csv")


def no_files(raw: Path) -> None:
    for path in raw.iterdir():
        path.unlink()


def no_folder(raw: Path) -> None:
    no_files(raw)
    raw.rmdir()


def a_file_for_a_folder(raw: Path) -> None:
    no_folder(raw)
    raw.write_text("id,region,x,y\n")


def too_many_files(raw: Path) -> None:
    for number in range(9):
        (raw / f"train-{number}.csv").write_text("id,region,x,y\n")
