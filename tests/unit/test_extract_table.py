"""CSV and TSV: rows as text."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouquetd.extract import Reading, extract


def rows(data: str | bytes, read_size: int = 4096) -> list[tuple[str, int | None]]:
    data = data.encode() if isinstance(data, str) else data
    found: dict[int | None, str] = {}
    for piece in extract(io.BytesIO(data), "text/csv", Reading(read_size, 4096)):
        found[piece.row] = found.get(piece.row, "") + piece.text
    return [(text, row) for row, text in found.items()]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_each_row_reads_as_header_and_value(delimiter: str) -> None:
    data = "name,age\nAnn,31\nBob,45\n".replace(",", delimiter)
    assert rows(data) == [("name: Ann\nage: 31\n\n", 1), ("name: Bob\nage: 45\n\n", 2)]


@pytest.mark.parametrize("read_size", [1, 2, 7, 4096])
def test_quotes_hold_delimiters_newlines_and_quotes(read_size: int) -> None:
    data = 'id,text\r\n1,"a, b"\r\n2,"line\r\nbreak"\r\n3,"say ""hi"""\r\n4,5" disk\r\n'
    assert rows(data, read_size) == [
        ("id: 1\ntext: a, b\n\n", 1),
        ("id: 2\ntext: line\nbreak\n\n", 2),
        ('id: 3\ntext: say "hi"\n\n', 3),
        ('id: 4\ntext: 5" disk\n\n', 4),
    ]


def test_empty_cells_and_blank_lines_are_left_out_but_rows_are_counted() -> None:
    assert rows("a,b,c\n1,,3\n\n,,\n,x,\n") == [("a: 1\nc: 3\n\n", 1), ("b: x\n\n", 3)]


def test_cells_beyond_the_header_are_kept() -> None:
    assert rows("a,b\n" + "1,2\n" * 9 + "3,4,extra\n")[-1] == ("a: 3\nb: 4\nextra\n\n", 10)


def test_without_a_header_a_row_is_a_line_of_its_cells() -> None:
    assert rows("1,Ann\n2,Bob\n") == [("1, Ann\n\n", 1), ("2, Bob\n\n", 2)]


def test_a_first_column_without_a_name_is_kept_as_it_is() -> None:
    assert rows("name,age\n" + "r1,Ann,31\n" * 9)[0] == ("r1\nname: Ann\nage: 31\n\n", 1)
    assert rows(",name\n0,Ann\n1,Bob\n")[0] == ("0\nname: Ann\n\n", 1)


def test_a_table_that_is_only_a_header_is_still_text() -> None:
    assert rows("name,age\n") == [("name\nage", None)]


def test_what_has_no_columns_is_read_as_text() -> None:
    assert rows("just a line\nand another, longer one\nand so on\n") == [
        ("just a line\nand another, longer one\nand so on\n", None)
    ]


def test_a_table_as_wide_as_excel_writes_it_has_the_names_of_its_columns() -> None:
    data = "\n".join(",".join(f"{kind}{n}" for n in range(16_384)) for kind in ("column", "x", "y")) + "\n"
    found = rows(data, 64 * 1024)
    assert [row for _, row in found] == [1, 2]
    assert found[1][0].endswith("column16383: y16383\n\n")


def test_the_delimiter_that_excel_notes_is_believed() -> None:
    assert rows("sep=;\nname;age\nAnn;31\n") == [("name: Ann\nage: 31\n\n", 1)]


def test_a_decimal_comma_does_not_beat_the_semicolon() -> None:
    assert rows("name;price\nx;1,5\ny;2,5\n")[0] == ("name: x\nprice: 1,5\n\n", 1)


def test_a_cell_far_larger_than_a_read_keeps_its_row() -> None:
    assert rows('a,b\n1,"' + "word " * 5000 + '"\n2,x\n', 64) == [
        ("a: 1\nb: " + "word " * 5000 + "\n\n", 1),
        ("a: 2\nb: x\n\n", 2),
    ]


def test_a_quote_that_is_never_closed_keeps_the_rest_of_the_text() -> None:
    assert rows('a,b\n1,2\n3,4\n5,6\n7,8\n9,"open\n1,2\n')[-1] == ("a: 9\nb: open\n1,2\n\n\n", 5)


CELLS = st.text(alphabet='ab",\n é', max_size=8).map(lambda s: f"x{s}x")


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6), st.integers(1, 9))
def test_cells_are_those_of_the_standard_library(table: list[tuple[str, str]], read_size: int) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([("one", "two"), *table])
    assert [text for text, _ in rows(buffer.getvalue(), read_size)] == [
        f"one: {a}\ntwo: {b}\n\n" for a, b in table
    ]
