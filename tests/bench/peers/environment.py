"""A virtual environment for each peer, in ``.cache/peers``, made anew only when its requirements change."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

from tests.bench.process import ROOT
from tests.bench.report import Failed

CACHE = ROOT / ".cache" / "peers"


def python(peer: str) -> Path:
    """The interpreter of the peer's environment. Raises ``Failed`` when that cannot be made."""
    requirements = Path(__file__).with_name(f"requirements-{peer}.txt")
    folder = CACHE / peer
    interpreter, made = folder / "bin" / "python", folder / "made-of.txt"
    wanted = sys.version + "\n" + requirements.read_text()
    if made.exists() and made.read_text() == wanted:
        return interpreter
    print(f"Setting up {folder.relative_to(ROOT)} (a minute or two, once) ...", flush=True)
    try:
        venv.create(folder, clear=True, with_pip=True)
        subprocess.run(
            [interpreter, "-m", "pip", "install", "--disable-pip-version-check", "-r", requirements],
            check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stdout", None) or str(error)
        raise Failed(f"the environment of {peer} cannot be made: {said[-1000:]}") from error
    made.write_text(wanted)
    return interpreter
