"""Notebooks: cells and their outputs."""

from __future__ import annotations

import io
import json

import pytest

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract, media_type, memory
from tests import samples


def text(value: object) -> str:
    file = io.BytesIO(json.dumps(value).encode())
    kind = media_type(file, "a.ipynb")
    return "".join(p.text for p in extract(file, kind, Reading(4096, 4096)))


def test_cells_and_what_they_printed_are_text_and_pictures_are_not() -> None:
    file = io.BytesIO(samples.notebook(["# Head\nline"]))
    found = list(extract(file, media_type(file, "a.ipynb"), Reading(4096, 4096)))
    assert "".join(p.text for p in found) == "# Head\nline\n\nprint(6 * 7)\n\n42\n\n\n"
    assert {p.row for p in found} == {1, 2}


def test_the_third_version_of_the_format_is_read_too() -> None:
    cells = [{"cell_type": "code", "input": "x = 1", "outputs": [{"text": "out"}]}]
    assert text({"worksheets": [{"cells": cells}]}) == "x = 1\n\nout\n\n"


@pytest.mark.parametrize("value", [{}, {"cells": 3}, [], "text", {"worksheets": [3]}])
def test_what_has_no_cells_is_rejected(value: object) -> None:
    with pytest.raises(Rejected, match="no cells"):
        text(value)


@pytest.mark.parametrize("cell", [3, {"source": 3}, {"source": [1, None]}, {"outputs": {"a": 1}}])
def test_a_cell_that_makes_no_sense_says_nothing(cell: object) -> None:
    assert text({"cells": [cell, {"source": "sense"}]}) == "sense\n\n"


def test_one_is_read_whole_and_says_what_that_takes() -> None:
    assert memory("application/x-ipynb+json", 1_000) > 1_000
