"""The Lambda zip and the image tags: the same bytes and names for the same content, and nothing else."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipelines.deployment import EVENT_LAMBDAS
from pipelines.errors import PipelineError
from pipelines.image_tags import build_sources, image_tags
from pipelines.lambda_package import lambda_package, pack
from steps import contract

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_zip_holds_our_code_the_contract_languages_yaml_and_time_zones_only() -> None:
    names = zipfile.ZipFile(io.BytesIO(lambda_package(ROOT).content)).namelist()

    assert {name.split("/")[0] for name in names} == {"lambda_trigger", "steps", "yaml", "tzdata"}
    ours = [name.removeprefix("steps/") for name in names if name.startswith("steps/")]
    assert ours == ["__init__.py", "contract.py", "japanese.py", "language.py"]
    assert all(name.endswith(".py") for name in names if not name.startswith("tzdata/"))


def test_equal_files_give_an_equal_zip() -> None:
    assert lambda_package(ROOT) == lambda_package(ROOT)
    assert pack({"b": b"1", "a": b"2"}) == pack({"a": b"2", "b": b"1"})


def test_every_handler_can_be_imported_from_the_zip_alone(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(lambda_package(ROOT).content)
    program = (
        "import sys, importlib; sys.path.insert(0, sys.argv[1]);"
        "import yaml; assert sys.argv[1] in yaml.__file__;"
        "[importlib.import_module(f'lambda_trigger.{name}').handler for name in sys.argv[2:]]"
    )
    command = [sys.executable, "-W", "ignore", "-c", program, str(path), *contract.LAMBDAS, *EVENT_LAMBDAS]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_the_zip_knows_time_zones_where_the_system_has_none(tmp_path: Path) -> None:
    path = tmp_path / "package.zip"
    path.write_bytes(lambda_package(ROOT).content)
    program = (
        "import sys; sys.path[:] = [sys.argv[1], *(p for p in sys.path if 'site-packages' not in p)];"
        "from datetime import UTC, datetime; from lambda_trigger.text import format_time;"
        "print(format_time(datetime(2026, 11, 23, 15, tzinfo=UTC), 'Asia/Tokyo'))"
    )
    command = [sys.executable, "-S", "-W", "ignore", "-c", program, str(path)]
    done = subprocess.run(command, env={"PYTHONTZPATH": ""}, capture_output=True, text=True, check=False)

    assert done.stdout == "2026-11-24 00:00 Asia/Tokyo\n", done.stderr


def test_a_folder_that_is_no_checkout_gives_no_package(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="not found below"):
        lambda_package(tmp_path)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for image in ("processing", "autogluon"):
        folder = tmp_path / "containers" / image
        folder.mkdir(parents=True)
        (folder / "Dockerfile").write_text("FROM debian\n", encoding="utf-8")
        (folder / "requirements.txt").write_text("numpy==2.0\n", encoding="utf-8")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "libraries.txt").write_text("# none yet\n", encoding="utf-8")
    (tmp_path / "containers" / "build_and_push.sh").write_text("exit 0\n", encoding="utf-8")
    return tmp_path


def test_a_changed_requirement_renames_its_own_image_only(checkout: Path) -> None:
    before = image_tags(checkout)
    (checkout / "containers" / "processing" / "requirements.txt").write_text("numpy==2.1\n", encoding="utf-8")
    after = image_tags(checkout)

    assert after["processing"] != before["processing"]
    assert after["autogluon"] == before["autogluon"]
    assert all(len(tag) == 16 for tag in after.values())


def test_an_added_library_renames_both_images_and_a_comment_none(checkout: Path) -> None:
    before, libraries = image_tags(checkout), checkout / "config" / "libraries.txt"
    libraries.write_text("# none at all\n\n", encoding="utf-8")
    commented = image_tags(checkout)
    libraries.write_text("holidays==0.60  # calendars\n", encoding="utf-8")
    added = image_tags(checkout)

    assert commented == before
    assert all(added[image] != before[image] for image in before)


def test_another_base_renames_every_image(checkout: Path) -> None:
    before, after = image_tags(checkout), image_tags(checkout, "debian@sha256:1")

    assert all(after[image] != before[image] for image in before)


def test_a_build_elsewhere_gets_folders_script_and_libraries(checkout: Path) -> None:
    (checkout / "containers" / "processing" / ".cache").write_text("", encoding="utf-8")

    assert sorted(build_sources(checkout)) == [
        "config/libraries.txt",
        "containers/autogluon/Dockerfile",
        "containers/autogluon/requirements.txt",
        "containers/build_and_push.sh",
        "containers/processing/Dockerfile",
        "containers/processing/requirements.txt",
    ]


def test_an_image_without_a_dockerfile_is_named(checkout: Path) -> None:
    (checkout / "containers" / "autogluon" / "Dockerfile").unlink()

    with pytest.raises(PipelineError, match="autogluon/Dockerfile: not found"):
        image_tags(checkout)
