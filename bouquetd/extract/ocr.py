"""Text recognition through the installed ``tesseract``, in bounded processes of their own that end with us.

Tesseract (Apache-2.0, a package of every distribution) reads some hundred languages and needs 60 to 90 MB for a
page. As a process it can be interrupted, and neither a bomb of a picture nor a fault in a decoder reaches the
daemon; pages of a PDF are turned into pictures by a process like that too (``render.py``).
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from bouquetd.config import Ocr
from bouquetd.extract import render
from bouquetd.extract.scratch import scratch
from bouquetd.model import HEARTBEAT, MB, Piece

RESOLUTION = 200
"""Dots per inch at which pages are read; letters of 8 points are well read then, at a page of 3.9 MB."""

MOST_PIXELS = 8_000_000
"""Pixels of a page; a larger one than A3 is read at fewer dots per inch."""

INSTALL = (
    "Install text recognition (`apt-get install tesseract-ocr`), restart bouquetd, and run `bouquetd retry`."
)

_OWN = 110 * MB  # of address space that tesseract takes itself
_BYTES_PER_PIXEL = 10  # that it takes of a coloured picture (measured: 108 MB for 12 megapixels)
_MOST_TEXT = 4 * MB
_PATIENCE = 10.0  # seconds in which tesseract has to say who it is
_STEP = 1.0  # seconds between two heartbeats
_NICE = 10
_FIRST_TO_GO = "1000"  # where memory runs out: a page is lost, the daemon is not
_VERSION = re.compile(r"tesseract v?(\S+)")


class Unread(Exception):
    """A page or picture was not read; what it says is the end of a sentence that begins with its name."""


@dataclass(frozen=True, slots=True)
class Tesseract:
    """The installed program: its path and version, and the languages it is to read (``eng+deu``).

    ``timeout`` and ``memory`` are the seconds and the bytes of address space that one page may take.
    """

    program: str
    version: str
    languages: str
    timeout: float
    memory: int

    @property
    def most_pixels(self) -> int:
        """Pixels of a picture that there is memory for."""
        return max(0, self.memory - _OWN) // _BYTES_PER_PIXEL

    def page(self, file: BinaryIO, index: int) -> Generator[Piece, None, str]:
        """The text of a page of a PDF, by its index. Yields heartbeats meanwhile. Raises ``Unread``."""
        with scratch() as picture:
            command = [sys.executable, "-I", render.__file__, str(index), str(RESOLUTION), str(MOST_PIXELS)]
            yield from self._run(command, file, picture)
            picture.seek(0)
            return (yield from self.picture(picture))

    def picture(self, file: IO[bytes], index: int = 0) -> Generator[Piece, None, str]:
        """The text in a picture, or in one of the pictures of a TIFF. As ``page`` otherwise.

        It must be of a kind that tesseract knows by its first bytes: anything else it takes for a list of files
        to be read.
        """
        options = ["-l", self.languages, "-c", f"tessedit_page_number={index}"]
        with scratch() as output:
            yield from self._run([self.program, "stdin", "stdout", *options], file, output)
            output.seek(0)
            return output.read(_MOST_TEXT).decode("utf-8", "replace").replace("\f", "\n")

    def _run(self, command: Sequence[str], file: IO[bytes], output: IO[bytes]) -> Generator[Piece, None, None]:
        """Run a program from one file into another one, for as long and with as much memory as it may."""
        os.lseek(file.fileno(), 0, os.SEEK_SET)
        process = subprocess.Popen(  # noqa: S603
            command, stdin=file.fileno(), stdout=output.fileno(), stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        )  # fmt: skip
        try:
            self._bind(process.pid)
            until = time.monotonic() + self.timeout
            while True:
                with suppress(subprocess.TimeoutExpired):
                    code = process.wait(_STEP)
                    break
                if time.monotonic() > until:
                    raise Unread(f"took longer than {self.timeout:g} s (ocr.timeout)")
                yield HEARTBEAT
        finally:
            process.kill()
            process.wait()
        if code == -signal.SIGKILL:
            raise Unread(
                "was given up: the kernel ended its text recognition, most likely for want of memory"
                " (MemoryMax of the unit, or the machine's)"
            )
        if code == render.UNDECODED:
            raise Unread("has a picture that cannot be decoded: it is damaged, or coded in an unusual way")
        if code:
            raise Unread(
                f"could not be read: it is damaged, or takes more than {self.memory // MB} MB (ocr.memory)"
            )

    def _bind(self, pid: int) -> None:
        """Its limits; the one of CPU ends it should we be killed. It is also the first whom the kernel ends."""
        seconds = int(self.timeout) + 1
        bounds = ((resource.RLIMIT_AS, self.memory), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0))
        with suppress(ProcessLookupError):
            try:
                for what, most in bounds:
                    resource.prlimit(pid, what, (most, most))
            except PermissionError:
                raise Unread("cannot be read: the service may not set limits for it (prlimit64)") from None
            with suppress(PermissionError):  # a service's own niceness holds
                os.setpriority(os.PRIO_PROCESS, pid, _NICE)
            with suppress(OSError):
                Path(f"/proc/{pid}/oom_score_adj").write_text(_FIRST_TO_GO)


def find(options: Ocr) -> Tesseract | str:
    """Tesseract as it is to be used, or a sentence that says what it takes to have it."""
    if options.mode == "never":
        return "Set ocr.mode to auto, restart bouquetd, and run `bouquetd retry`."
    program = shutil.which("tesseract")
    version = _VERSION.search(_said(program, "--version")) if program else None
    if program is None or version is None:
        return INSTALL
    there = _said(program, "--list-langs").splitlines()[1:]
    if missing := [language for language in options.languages.split("+") if language not in there]:
        package = missing[0].replace("_", "-").lower()
        return (
            f"Tesseract cannot read {missing[0]!r} (ocr.languages): install it (`apt-get install"
            f" tesseract-ocr-{package}`), restart bouquetd, and run `bouquetd retry`."
        )
    return Tesseract(program, version[1], options.languages, options.timeout, options.memory)


def told(found: Tesseract | str) -> str:
    """One line on whether there is text recognition, for whoever asks; ``found`` is of ``find``."""
    if isinstance(found, str):
        return f"none. {found}"
    return f"tesseract {found.version} ({found.languages.replace('+', ', ')}), {found.program}"


def _said(program: str, option: str) -> str:
    try:
        done: Any = subprocess.run(  # noqa: S603
            [program, option], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=_PATIENCE, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return str(done.stdout)
