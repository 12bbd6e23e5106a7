"""Make the pages of docs/reference/ that stand in the code already: `make reference`.

Each page is a pure function of the code. `write` writes them; a test compares them with the files.
"""

from __future__ import annotations

import sys
from pathlib import Path

import reference_commands
import reference_contracts
import reference_settings

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
MADE = "<!-- Made from the code by `make reference`: change it there. -->"


def pages() -> dict[str, str]:
    """Return the text of every generated page by its name below docs/reference/."""
    found = {
        "cli.md": reference_commands.page(),
        "settings.md": reference_settings.page(),
        "parameters.md": reference_contracts.parameters_page(),
        "contracts.md": reference_contracts.contracts_page(),
    }
    return {name: with_mark(text.strip()) for name, text in found.items()}


def with_mark(text: str) -> str:
    """Return a page that says where it is from, below its title."""
    title, _, rest = text.partition("\n")
    return f"{title}\n\n{MADE}\n{rest}\n"


def write(folder: Path) -> None:
    """Write the pages that differ, and name them."""
    for name, text in pages().items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{name}: written\n")


if __name__ == "__main__":
    write(FOLDER)
