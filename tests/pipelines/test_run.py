"""The command line of `pipelines.run` refuses what cannot work, quickly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.run import main

ROOT = Path(__file__).resolve().parent.parent.parent


def test_from_and_of_belong_together(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--local", "--from", "PostProcess"]) == 2
    assert "--of" in capsys.readouterr().err


def test_a_missing_config_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--local", "--config", str(tmp_path / "none.yml")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("module", ["run", "compile", "registry"])
def test_help_imports_nothing_heavy(module: str) -> None:
    heavy = "{'pydantic', 'yaml', 'boto3', 'sagemaker', 'pandas', 'rich'} & set(sys.modules)"
    code = f"import sys, pipelines.{module} as m; m.parser().format_help(); sys.exit(str({heavy}) if {heavy} else 0)"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
