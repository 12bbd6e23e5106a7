"""Model artifacts that nobody should believe: made where a case asks for them, by name."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

METADATA: dict[str, Any] = {
    "format": 1,
    "model": "EWR",
    "slug": "EWR",
    "autogluon_version": "1.6.3",
    "python_version": "3.11.9",
    "mae": 9.5,
    "schema": {"columns": [{"name": "x", "kind": "number", "null_rate": 0.0, "categories": None}]},
    "categories": [],
}


def write(path: Path, metadata: Any = METADATA, *more: tuple[tarfile.TarInfo, bytes]) -> None:
    """Write an artifact with this metadata.json, a predictor, and more members behind them."""
    text = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
    with tarfile.open(path, "w:gz") as archive:
        for header, content in [*member("metadata.json", text), *member("predictor/learner.pkl", b"pickle"), *more]:
            archive.addfile(header, io.BytesIO(content))


def member(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, target: str = "") -> Any:
    header = tarfile.TarInfo(name)
    header.type, header.size, header.linkname = kind, len(content), target
    return [(header, content)]


def good(path: Path) -> None:
    write(path)


def missing(path: Path) -> None:
    assert not path.exists()


def a_folder(path: Path) -> None:
    path.mkdir()


def empty(path: Path) -> None:
    path.touch()


def text(path: Path) -> None:
    path.write_text("SECRET-1234")


def plain_tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.addfile(*_first(member("metadata.json", b"{}")))


def _first(found: Any) -> tuple[tarfile.TarInfo, io.BytesIO]:
    header, content = found[0]
    return header, io.BytesIO(content)


def truncated(path: Path) -> None:
    write(path, METADATA, *member("predictor/big", bytes(range(256)) * 4000))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def cut_at_its_end(path: Path) -> None:
    write(path)
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content.rstrip(b"\0") + b"\0" * 100))


def damaged_inside(path: Path) -> None:
    write(path, METADATA, *member("predictor/big", bytes(range(256)) * 4000))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def bytes_behind_the_end(path: Path) -> None:
    write(path)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()) + b"SECRET-1234" * 100))


def link_out(path: Path) -> None:
    write(path, METADATA, *member("predictor/link", kind=tarfile.SYMTYPE, target="/etc/passwd"))


def hard_link(path: Path) -> None:
    write(path, METADATA, *member("predictor/link", kind=tarfile.LNKTYPE, target="metadata.json"))


def device(path: Path) -> None:
    write(path, METADATA, *member("predictor/null", kind=tarfile.CHRTYPE))


def pipe(path: Path) -> None:
    write(path, METADATA, *member("predictor/pipe", kind=tarfile.FIFOTYPE))


def traversal(path: Path) -> None:
    write(path, METADATA, *member("predictor/../../outside", b"x"))


def absolute_path(path: Path) -> None:
    write(path, METADATA, *member("/etc/cron.d/job", b"x"))


def name_twice(path: Path) -> None:
    write(path, METADATA, *member("Predictor/Learner.pkl", b"other"))


def file_as_folder(path: Path) -> None:
    write(path, METADATA, *member("metadata.json/x", b"x"))


def bomb(path: Path) -> None:
    write(path, METADATA, *member("predictor/zeros", bytes(100 * 1024**2)))


def no_metadata(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(*_first(member("predictor/learner.pkl", b"pickle")))


def no_predictor(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(*_first(member("metadata.json", json.dumps(METADATA).encode())))


def metadata_not_json(path: Path) -> None:
    write(path, b"SECRET-1234 {")


def metadata_a_list(path: Path) -> None:
    write(path, ["SECRET-1234"])


def metadata_nested_deeply(path: Path) -> None:
    write(path, b"[" * 100_000)


def metadata_half_a_letter(path: Path) -> None:
    write(path, b'{"format": 1, "model": "\\ud83d"}')


def metadata_huge(path: Path) -> None:
    write(path, {**METADATA, "note": "x" * 33 * 1024**2})


def metadata_without_fields(path: Path) -> None:
    write(path, {"format": 1})


def metadata_of_other_types(path: Path) -> None:
    write(path, {**METADATA, "model": 7, "schema": {"columns": [{"name": 1, "kind": "SECRET-1234"}]}})


def format_missing(path: Path) -> None:
    write(path, {key: value for key, value in METADATA.items() if key != "format"})


def format_newer(path: Path) -> None:
    write(path, {**METADATA, "format": 99})


def format_a_text(path: Path) -> None:
    write(path, {**METADATA, "format": "SECRET-1234"})
