"""The zip of the Lambda functions: our code, the contract, a pure-Python YAML and time zones; the same everywhere.

Its address is its own sha256, so that unchanged code gives an unchanged stack. boto3 comes with the Lambda runtime.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import PipelineError

RUNTIME = "python3.12"
"""Where the code runs; `config/cloudformation/pipeline.yml` names the same."""
OWN = (
    "lambda_trigger/*.py",
    *(f"steps/{name}.py" for name in ("__init__", "contract", "language", "japanese")),
)
_DAWN = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can hold: the files' own times would change its bytes."""


@dataclass(frozen=True)
class LambdaPackage:
    """The zip's bytes and where in the deploy bucket they lie."""

    content: bytes
    files: int

    @property
    def digest(self) -> str:
        """Return the sha256 of the zip."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def key(self) -> str:
        """Return the key in the deploy bucket."""
        return f"lambda/{self.digest}.zip"


def lambda_package(root: Path) -> LambdaPackage:
    """Return the package of the repository below `root`.

    Raises:
        PipelineError: a file of ours or the YAML library is not there.
    """
    files = {path.relative_to(root).as_posix(): path.read_bytes() for glob in OWN for path in root.glob(glob)}
    missing = [glob for glob in OWN if not list(root.glob(glob))]
    if missing:
        raise PipelineError(f"{', '.join(missing)}: not found below {root}; run the command of a whole checkout")
    return LambdaPackage(pack({**files, **_library("yaml", "*.py"), **_library("tzdata", "**/*")}), len(files))


def _library(name: str, glob: str) -> dict[str, bytes]:
    """Return a library's files: PyYAML works without its compiled part; the runtime's system has no time zones."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise PipelineError(f"the library {name} is not installed; install the environment with: make install")
    folder = Path(spec.origin).parent
    paths = (path for path in folder.glob(glob) if path.is_file() and "__pycache__" not in path.parts)
    return {f"{name}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in paths}


def pack(files: Mapping[str, bytes]) -> bytes:
    """Return a zip of the files whose bytes depend on names and contents only."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _DAWN)
            entry.external_attr = (0o755 if name.endswith(".sh") else 0o644) << 16
            entry.create_system = 3  # Unix, also where it is packed elsewhere
            archive.writestr(entry, content, zipfile.ZIP_STORED)  # deflate differs between zlib builds
    return target.getvalue()
