"""Other people's programs that read and write documents: run one at a time, politely, and never for ever.

They are needed as installed programs, unlike those of ``corpus``: LibreOffice does not run from another folder.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tests.bench.report import Failed

PACKAGES = {
    "antiword": "antiword", "catdoc": "catdoc", "catppt": "catdoc", "groff": "groff",
    "msgconvert": "libemail-outlook-message-perl libemail-address-perl", "mutool": "mupdf-tools",
    "odt2txt": "odt2txt", "pandoc": "pandoc", "pdftotext": "poppler-utils", "ps2pdf": "ghostscript",
    "soffice": "libreoffice-writer-nogui libreoffice-calc-nogui libreoffice-impress-nogui",
    "ssconvert": "gnumeric", "unrtf": "unrtf", "w3m": "w3m", "wkhtmltopdf": "wkhtmltopdf", "xls2csv": "catdoc",
}  # fmt: skip
"""Debian's packages by the program that is wanted of them."""

PATIENCE = 60.0
"""Seconds that one program may take for one file."""

_BATCH = 20


def need() -> None:
    """Fail, with the line that mends it, where a program is missing."""
    missing = sorted({PACKAGES[program] for program in PACKAGES if not shutil.which(program)})
    if missing:
        raise Failed(
            "programs are missing that other readings come from: apt-get install --no-install-recommends"
            f" {' '.join(missing)}"
        )


def run(*command: str | Path, stdin: bytes = b"", patience: float = PATIENCE) -> bytes | None:
    """What a program prints; None when it fails or takes too long. Whatever it started ends with it."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "LC_ALL": "C.UTF-8"}
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as printed,
        tempfile.TemporaryDirectory() as folder,  # some leave pictures where they run
    ):
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(
            ["nice", *map(str, command)], stdin=given, stdout=printed, stderr=subprocess.DEVNULL,
            env=environment, cwd=folder, start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(patience)
        except subprocess.TimeoutExpired:
            code = -1
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        printed.seek(0)
        return printed.read() if code == 0 else None


def converted(paths: Sequence[Path], target: str, profile: Path) -> Iterator[tuple[Path, list[bytes]]]:
    """Each file with what LibreOffice makes of it: one file, several of a workbook, none where it gives up.

    ``target`` is as after ``--convert-to``. Many files at a time; those of a batch that came to nothing are
    tried once more by themselves, since one file can take the others down.
    """
    for start in range(0, len(paths), _BATCH):
        batch = paths[start : start + _BATCH]
        made = _converted(batch, target, profile)
        for path, results in zip(batch, made, strict=True):
            yield path, results or _converted([path], target, profile)[0]


def _converted(paths: Sequence[Path], target: str, profile: Path) -> list[list[bytes]]:
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "given"), Path(folder, "made")
        given.mkdir()
        names = [given / f"{number:04}{path.suffix}" for number, path in enumerate(paths)]
        for path, name in zip(paths, names, strict=True):
            shutil.copy(path, name)
        run(
            "soffice", f"-env:UserInstallation={profile.absolute().as_uri()}", "--headless", "--norestore",
            "--convert-to", target, "--outdir", made, *names, patience=PATIENCE + 5 * len(paths),
        )  # fmt: skip
        return [[path.read_bytes() for path in sorted(made.glob(f"{name.stem}[.-]*"))] for name in names]
