"""How a file is to be read: how much at a time, and where to stop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bouquetd.config import Bounds
from bouquetd.errors import Rejected
from bouquetd.extract.ocr import INSTALL, Tesseract

DEFAULTS = Bounds()
"""The bounds of a configuration that says nothing of them."""


def _to_nobody(text: str) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an extractor is told beside the file.

    ``read_size`` bytes are read at a time, pieces have ``buffer_size`` bytes of UTF-8 at most in the end;
    ``note`` takes what the owner of a file that *is* read should know about it: "2 of its 3 pages are only
    pictures". ``ocr`` reads such pages, or is a sentence that says what it takes to have them read.
    """

    read_size: int = 256 * 1024
    buffer_size: int = 64 * 1024
    bounds: Bounds = DEFAULTS
    note: Callable[[str], None] = _to_nobody
    ocr: Tesseract | str = INSTALL


def beyond(what: str, option: str, remedy: str = "Split it and drop the parts") -> Rejected:
    """The error for a file that has more of something than the bound of that name allows.

    ``what`` says how much it has and what the bound is: "it has 30,000 pages, of 20,000 that bounds.pages
    allows".
    """
    return Rejected(what, f"{remedy}, or raise bounds.{option}, reload, and run `bouquetd retry`.")
