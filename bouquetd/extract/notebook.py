"""Jupyter notebooks: the cells and what they printed.

Read whole, since what belongs together (a cell's kind and its source) stands in any order: ``memory`` says what
that takes, so that one for which there is no room is refused unread.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from bouquetd.errors import Rejected
from bouquetd.extract.reading import Reading
from bouquetd.model import Piece

_TIMES = 9
"""RSS over the size of the file, measured with 50 MB: 3.0 where pictures fill it, 4.7 where lines of output do,
8.6 for as many tiny cells as fit. (orjson: 12.5 for those.)"""

_REMEDY = "Open it in Jupyter and save it anew, or rename it to .json to have it read as data."


def memory(size: int) -> int:
    """Bytes of RSS that a notebook of so many bytes takes at most."""
    return _TIMES * size


def extract(file: BinaryIO, reading: Reading) -> Iterator[Piece]:
    """Text and code of each cell, and the plain text of its outputs; ``Piece.row`` is its number, from 1."""
    file.seek(0)
    data = bytearray()
    while block := file.read(reading.read_size):
        data += block
    try:
        notebook = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"it is not valid JSON, as a notebook has to be: {error}", _REMEDY) from None
    for number, cell in enumerate(_cells(notebook), start=1):
        if isinstance(cell, dict):
            for text in filter(None, (_joined(cell.get("source", cell.get("input"))), *_outputs(cell))):
                yield Piece(f"{text}\n\n", row=number)


def _cells(notebook: Any) -> list[Any]:
    """The cells, of the third version of the format too, where they lie in worksheets."""
    if not isinstance(notebook, dict):
        raise Rejected("it is no notebook: it has no cells", _REMEDY)
    sheets = notebook.get("worksheets")
    holders = sheets if isinstance(sheets, list) and "cells" not in notebook else [notebook]
    found = [holder.get("cells") for holder in holders if isinstance(holder, dict)]
    if not any(isinstance(cells, list) for cells in found):
        raise Rejected("it is no notebook: it has no cells", _REMEDY)
    return [cell for cells in found if isinstance(cells, list) for cell in cells]


def _outputs(cell: dict[str, Any]) -> Iterator[str]:
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else ():
        if isinstance(output, dict):
            data = output.get("data")
            plain = data.get("text/plain") if isinstance(data, dict) else output.get("text")
            yield _joined(plain)


def _joined(source: Any) -> str:
    """A text, which may lie there line by line."""
    lines = source if isinstance(source, list) else [source]
    return "".join(line for line in lines if isinstance(line, str))
