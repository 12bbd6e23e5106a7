"""The operator's commands against the emulators, each as a process of its own with nothing but their addresses."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from emulators import REGION, ROOT, Keys, Server


def command(
    endpoints: Mapping[str, Server], folder: Path, *words: str, keys: Keys | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python -m` with these words in a folder, and return how it ended.

    The checkout is found in that folder first. `endpoints` are servers by service, as the environment names
    services; the empty name is every other one.
    """
    used = keys or Keys()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_ACCESS_KEY_ID": used.access,
        "AWS_SECRET_ACCESS_KEY": used.secret,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CA_BUNDLE": str(endpoints[""].authority),
        **{f"AWS_ENDPOINT_URL{service and '_' + service}": server.url for service, server in endpoints.items()},
    }
    line = [sys.executable, "-m", *words]
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False)
