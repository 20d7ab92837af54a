"""Write ``packaging/constraints.txt``: the exact versions that a fresh resolution gives."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "packaging" / "constraints.txt"
HEADER = """\
# Exact versions known to work, used by every install. Made by `make constraints`; run `make test` afterwards.
"""


def main() -> None:
    """Resolve in a new virtual environment and freeze it."""
    with tempfile.TemporaryDirectory() as folder:
        python = str(Path(folder) / "venv" / "bin" / "python")
        subprocess.run([sys.executable, "-m", "venv", str(Path(folder) / "venv")], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", f"{ROOT}[dev,bench,tools]"], check=True)
        frozen = subprocess.run(
            [python, "-m", "pip", "list", "--format=freeze", "--exclude", "bouquetd", "--exclude", "pip",
             "--exclude", "setuptools"],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
    TARGET.write_text(HEADER + frozen)
    print(f"wrote {TARGET.relative_to(ROOT)}: {len(frozen.splitlines())} packages")


if __name__ == "__main__":
    main()
