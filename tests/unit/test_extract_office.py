"""Presentations, spreadsheets, OpenDocument and e-books: what of them is text, and in which order."""

from __future__ import annotations

import io
import itertools

import pytest

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract, media_type
from bouquetd.model import Piece
from tests import samples

ROW = '<row><c t="str"><v>a</v></c></row>'
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def pieces(data: bytes, name: str, read_size: int = 4096) -> list[Piece]:
    file = io.BytesIO(data)
    return list(extract(file, media_type(file, name), Reading(read_size, 4096)))


def text(data: bytes, name: str) -> str:
    return "".join(piece.text for piece in pieces(data, name))


def workbook(rows: str, **parts: str) -> bytes:
    """A workbook with this XML as the rows of its only sheet, and more parts of ``xl/``."""
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    listed = "".join(
        f'<Relationship Id="{name}" Type="{relations}/{name}" Target="{name}.xml"/>' for name in parts
    )
    return samples.zip_of({
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": f'<workbook xmlns="{SHEET}" xmlns:r="{relations}"><sheets>'
        '<sheet name="One" r:id="s1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels":
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="s1" Target="/xl/sheet.xml"/>{listed}</Relationships>',
        "xl/sheet.xml": f'<worksheet xmlns="{SHEET}"><sheetData>{rows}</sheetData></worksheet>',
        **{f"xl/{name}.xml": f'<{name} xmlns="{SHEET}">{xml}</{name}>' for name, xml in parts.items()},
    })  # fmt: skip


# -- presentations --------------------------------------------------------------------------------------------


def test_slides_come_in_the_order_in_which_they_are_shown_each_with_its_notes() -> None:
    found = pieces(samples.pptx(["First.", "Second."]), "a.pptx")
    assert "".join(p.text for p in found) == ("First.\n\nNotes of slide 1.\n\nSecond.\n\nNotes of slide 2.")
    assert {p.page for p in found if "econd" in p.text} == {2}


def test_a_slide_that_is_missing_is_left_out() -> None:
    files = {"[Content_Types].xml": "", "ppt/presentation.xml": "<p xmlns:r='r'/>"}
    with pytest.raises(Rejected, match="no text"):
        text(samples.zip_of(files), "a.pptx")


SLIDE = (
    '<p:sld xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main"'
    ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">{}</p:sld>'
)
SHAPE = "<p:sp><p:nvSpPr>{}</p:nvSpPr><p:txBody>{}</p:txBody></p:sp>"
RUN = "<a:p><a:r><a:rPr>{}</a:rPr><a:t>{}</a:t></a:r></a:p>"


def deck(first: str, **files: str) -> bytes:
    """Two slides, of which the first has this XML, and relations ``a`` to a site and ``b`` to a chart."""
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="a" Type="{kind}/hyperlink" Target="https://x.org/" TargetMode="External"/>'
        f'<Relationship Id="b" Type="{kind}/chart" Target="../charts/chart1.xml"/></Relationships>'
    )
    return samples.zip_with(samples.pptx(["", "Last."]), {
        "ppt/slides/slide1.xml": SLIDE.format(first), "ppt/slides/_rels/slide1.xml.rels": relations, **files,
    })  # fmt: skip


def test_the_title_of_a_slide_is_the_heading_above_it_and_of_no_other() -> None:
    title = SHAPE.format('<p:nvPr><p:ph type="ctrTitle"/></p:nvPr>', RUN.format("", "Title"))
    found = pieces(deck(title + SHAPE.format("", RUN.format("", "Text."))), "a.pptx")
    assert [(p.text, p.page, p.headings) for p in found if p.text] == [
        ("Title\n\nText.", 1, ("Title",)),
        ("\n\nLast.\n\nNotes of slide 2.", 2, ()),
    ]


def test_a_link_on_a_slide_goes_with_what_it_underlines() -> None:
    linked = RUN.format('<a:hlinkClick r:id="a"/>', "there")
    found = pieces(deck(SHAPE.format("", linked + RUN.format("", "Text."))), "a.pptx")
    assert [(p.text, p.link) for p in found if p.text][:2] == [("there", "https://x.org/"), ("\n\nText.", None)]


CHART = (
    '<c:chart xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart"'
    ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"><c:title><a:p><a:r><a:t>Sales</a:t></a:r>'
    "</a:p></c:title>{}</c:chart>"
)
SERIES = (
    "<c:ser><c:tx><c:strCache><c:pt><c:v>{}</c:v></c:pt></c:strCache></c:tx>"
    "<c:cat><c:strCache><c:pt><c:v>East</c:v></c:pt><c:pt><c:v>West</c:v></c:pt></c:strCache></c:cat>"
    "<c:val><c:numCache><c:pt><c:v>17</c:v></c:pt></c:numCache></c:val></c:ser>"
)


def test_of_a_chart_each_name_is_read_once_and_the_numbers_left_out() -> None:
    chart = CHART.format(SERIES.format("2025") + SERIES.format("2026"))
    assert text(deck("", **{"ppt/charts/chart1.xml": chart}), "a.pptx").startswith(
        "Sales\n\n2025\nEast\nWest\n2026\n\nLast."
    )


# -- spreadsheets ---------------------------------------------------------------------------------------------


def test_what_is_drawn_on_a_sheet_follows_its_rows_under_its_name() -> None:
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    related = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r" Type="{kind}/{{}}" Target="{{}}"/></Relationships>'
    )
    drawing = (
        f'<d xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">{RUN.format("", "A box")}</d>'
    )
    book = samples.zip_with(workbook(ROW), {
        "xl/_rels/sheet.xml.rels": related.format("drawing", "drawings/drawing1.xml"),
        "xl/drawings/drawing1.xml": drawing,
        "xl/drawings/_rels/drawing1.xml.rels": related.format("chart", "../charts/chart1.xml"),
        "xl/charts/chart1.xml": CHART.format(SERIES.format("2026")),
    })  # fmt: skip
    found = [piece for piece in pieces(book, "a.xlsx") if piece.text]
    assert "".join(p.text for p in found) == "One\n\na\n\nA box\n\nSales\n\n2026\nEast\nWest\n\n"
    assert {(p.page, p.headings) for p in found} == {(1, ("One",))}


def test_each_row_of_a_sheet_stands_under_the_names_of_its_columns() -> None:
    found = pieces(samples.xlsx([["name", "size"], ["one", 1], ["two", 2.5]], "Sizes"), "a.xlsx")
    assert "".join(p.text for p in found) == "Sizes\n\nname: one\nsize: 1\n\nname: two\nsize: 2.5\n\n"
    assert [p.row for p in found if p.text] == [None, 2, 3]
    assert {p.page for p in found if p.text} == {1}


def test_a_sheet_without_names_is_read_row_by_row() -> None:
    assert text(samples.xlsx([[1, 2], [3, 4]]), "a.xlsx") == "Sheet1\n\n1, 2\n\n3, 4\n\n"


def test_a_title_above_a_table_is_no_name_of_a_column() -> None:
    rows = [["Prices of 2026"], ["name", "price"], ["tea", 3]]
    assert text(samples.xlsx(rows), "a.xlsx") == "Sheet1\n\nPrices of 2026\n\nname, price\n\ntea, 3\n\n"


@pytest.mark.parametrize(
    ("cell", "seen"),
    [
        ('<c t="inlineStr"><is><t>in</t><t>line</t></is></c>', "inline"),
        ('<c t="str"><f>A1&amp;"x"</f><v>computed</v></c>', "computed"),
        ('<c t="b"><v>1</v></c>', "TRUE"),
        ("<c><v>0.30000000000000004</v></c>", "0.3"),
        ("<c><v>1234567890123</v></c>", "1234567890123"),
        ('<c s="1"><v>45292</v></c>', "2024-01-01"),
        ('<c s="1"><v>45292.5</v></c>', "2024-01-01 12:00:00"),
        ('<c s="2"><v>0.25</v></c>', "06:00:00"),
        ('<c s="3"><v>12</v></c>', "12"),
        ('<c s="1"><v>1e300</v></c>', "1e+300"),
        ('<c s="4"><v>0.25</v></c>', "25%"),
        ('<c s="5"><v>0.12345</v></c>', "12.3%"),
        ('<c s="6"><v>1.5</v></c>', "36:00:00"),
        ('<c s="1"><v>1e999</v></c>', "1e999"),
        ('<c t="d"><v>2024-01-01T00:00:00</v></c>', "2024-01-01T00:00:00"),
        ('<c t="b"></c><c><v>1</v></c>', "1"),
        ('<c s="9"><v>7</v></c>', "7"),
        ('<c t="s"><v>99</v></c><c><v>1</v></c>', "1"),
        ('<c t="e"><v>#DIV/0!</v></c><c><v>1</v></c>', "1"),
    ],
)
def test_a_cell_says_what_a_person_sees_in_it(cell: str, seen: str) -> None:
    formats = (
        '<numFmts><numFmt numFmtId="170" formatCode="[$-409]h:mm"/><numFmt numFmtId="171"'
        ' formatCode="0 &quot;days&quot;"/><numFmt numFmtId="172" formatCode="0.0%;[Red]-0%"/></numFmts>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/>'
        '<xf numFmtId="170"/><xf numFmtId="171"/>'
        '<xf numFmtId="9"/><xf numFmtId="172"/><xf numFmtId="46"/></cellXfs>'
    )
    data = workbook(f"<row>{cell}</row>", styles=formats)
    assert text(data, "a.xlsx") == f"One\n\n{seen}\n\n"


def test_how_a_text_is_pronounced_is_no_part_of_it() -> None:
    shared = "<si><t>\u6771\u4eac</t><rPh><t>\u30c8\u30a6\u30ad\u30e7\u30a6</t></rPh></si>"
    data = workbook('<row><c t="s"><v>0</v></c></row>', sharedStrings=shared)
    assert text(data, "a.xlsx") == "One\n\n\u6771\u4eac\n\n"


def test_a_sheet_is_named_above_its_rows_even_a_hidden_one() -> None:
    data = samples.xlsx([["name", "size"], ["one", 1]], "Secret  sizes")
    hidden = samples.part_of(data, "xl/workbook.xml").replace("<sheet ", '<sheet state="veryHidden" ')
    found = pieces(samples.zip_with(data, {"xl/workbook.xml": hidden}), "a.xlsx")
    assert {p.headings for p in found if p.text} == {("Secret sizes",)}


def test_rows_have_the_numbers_that_a_person_sees_and_names_may_stand_below_the_first() -> None:
    cell = '<c t="str"><v>{}</v></c>'
    rows = "".join(
        f'<row r="{number}">{"".join(map(cell.format, cells))}</row>'
        for number, cells in ((2, ()), (4, ("name", "size")), (5, ("a", "b")), (900, ("c", "d")))
    )
    found = pieces(workbook(rows), "a.xlsx")
    assert [(p.text, p.row) for p in found if p.text] == [
        ("One\n\n", None),
        ("name: a\nsize: b\n\n", 5),
        ("name: c\nsize: d\n\n", 900),
    ]


# -- OpenDocument ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ("<text:h>Head</text:h><text:p>one  \n two</text:p>", "Head\n\none two"),
        ('<text:p>a<text:s text:c="3"/>b<text:tab/>c<text:line-break/>d</text:p>', "a   b\tc\nd"),
        ("<text:p>kept</text:p><text:tracked-changes><text:p>gone</text:p></text:tracked-changes>", "kept"),
        ("<text:p>a <text:span>b</text:span> c</text:p>", "a b c"),
        (
            "<table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell>"
            "<table:table-cell><text:p>b</text:p></table:table-cell></table:table-row></table:table>",
            "a\tb",
        ),
    ],
)
def test_an_opendocument_text_becomes_text(body: str, seen: str) -> None:
    assert text(samples.odf("text", body), "a.odt") == seen


def test_slides_of_an_opendocument_presentation_are_pages() -> None:
    found = pieces(samples.odp(["First.", "Second."]), "a.odp")
    assert {(p.text.strip(), p.page) for p in found if p.text.strip()} == {("First.", 1), ("Second.", 2)}


def test_repeated_empty_cells_keep_the_columns_apart() -> None:
    cell = "<table:table-cell{}><text:p>{}</text:p></table:table-cell>"
    wide = ' table:number-columns-repeated="2"'
    rows = (
        f"<table:table-row>{''.join(cell.format('', n) for n in ('a', 'b', 'c'))}</table:table-row>"
        f"<table:table-row>{cell.format(wide, '')}{cell.format('', 'third')}</table:table-row>"
    )
    data = samples.odf("spreadsheet", f'<table:table table:name="S">{rows}</table:table>')
    assert text(data, "a.ods") == "S\n\nc: third\n\na, b\n\n"  # names without a value are said once


def test_headings_of_opendocument_have_levels_and_the_title_stands_above_them() -> None:
    body = (
        '<text:p text:style-name="P1">Book</text:p><text:h text:outline-level="2">Two</text:h>'
        "<text:p>a</text:p>"
        '<text:h text:outline-level="1">One</text:h><text:p>b</text:p>'
    )
    styles = '<style:style style:name="P1" style:parent-style-name="Title"/>'
    found = pieces(samples.odf("text", body, styles=styles), "a.odt")
    assert [(p.text.split()[-1], p.headings) for p in found if p.text] == [
        ("Book", ("Book",)),
        ("a", ("Book", "Two")),
        ("b", ("Book", "One")),
    ]


def test_links_of_opendocument_go_with_what_they_underline() -> None:
    links = '<text:a xlink:href="https://x.org/">here</text:a>, <text:a xlink:href="#b">below</text:a>'
    body = f"<text:p>see {links}</text:p>"
    found = pieces(samples.odf("text", body), "a.odt")
    assert [(p.text, p.link) for p in found if p.text] == [
        ("see", None),
        (" here", "https://x.org/"),
        (", below", None),
    ]


def test_the_title_of_an_opendocument_slide_is_the_heading_above_it_and_of_no_other() -> None:
    title = '<draw:frame presentation:class="title"><text:p>Title</text:p></draw:frame><text:p>Text.</text:p>'
    found = pieces(
        samples.odf("presentation", f"<draw:page>{title}</draw:page>{samples.odf_slides(['b'])}"), "a.odp"
    )
    assert [(p.text, p.page, p.headings) for p in found if p.text] == [
        ("Title\n\nText.", 1, ("Title",)),
        ("\n\nb", 2, ()),
    ]


def test_what_is_embedded_in_an_opendocument_file_follows_its_text() -> None:
    table = samples.part_of(samples.ods([["a", "b"]]), "content.xml")
    data = samples.zip_with(samples.odp(["Text."]), {"Object 1/content.xml": table})
    assert [(p.text, p.page) for p in pieces(data, "a.odp") if p.text] == [("Text.", 1), ("\n\na\tb", None)]


def test_a_chart_within_a_flat_sheet_is_no_part_of_its_rows() -> None:
    chart = f"<draw:object><office:meta/>{samples.odf_sheet([['x', 'y']])}</draw:object>"
    rows = samples.odf_sheet([["a", 1]]).replace(
        "<table:table-row>", f"<table:shapes>{chart}</table:shapes><table:table-row>"
    )
    assert text(samples.flat_odf("spreadsheet", rows), "a.fods") == "Sheet1\n\na, 1\n\n"


def rows_of(*rows: str) -> list[tuple[str, int | None]]:
    data = samples.odf("spreadsheet", f'<table:table table:name="S">{"".join(rows)}</table:table>')
    return [(p.text, p.row) for p in pieces(data, "a.ods") if p.text][1:]


def row_of(cells: str, times: int = 1) -> str:
    return f'<table:table-row table:number-rows-repeated="{times}">{cells}</table:table-row>'


ONE = "<table:table-cell><text:p>1</text:p></table:table-cell>"


def test_what_a_sheet_repeats_is_said_as_often() -> None:
    twice = '<table:table-cell table:number-columns-repeated="2"><text:p>2</text:p></table:table-cell>'
    found = rows_of(
        row_of("<table:table-cell/>", 3), row_of(ONE), row_of(ONE + twice, 2), row_of("", 9), row_of(ONE)
    )
    assert found == [("1\n\n", 4), ("1, 2, 2\n\n", 5), ("1, 2, 2\n\n", 6), ("1\n\n", 16)]


def test_a_row_that_no_person_would_repeat_is_said_once() -> None:
    long = f"<table:table-cell><text:p>{'x' * 60_000}</text:p></table:table-cell>"
    found = rows_of(row_of(ONE), row_of(long * 5, 1000), row_of(ONE))
    assert sum(len(text) for text, _ in found) < 310_000
    assert found[-1] == ("1\n\n", 3)


def test_a_cell_without_a_text_says_its_value() -> None:
    cells = (
        '<table:table-cell office:value="2.5"/><table:table-cell office:date-value="2024-01-01"/>'
        '<table:table-cell office:value="2.5"><text:p>2,50 \u20ac</text:p></table:table-cell>'
    )
    assert rows_of(row_of(cells)) == [("2.5, 2024-01-01, 2,50 \u20ac\n\n", 1)]


# -- e-books --------------------------------------------------------------------------------------------------


def test_chapters_come_in_the_order_in_which_they_are_read() -> None:
    said = text(samples.epub(["The beginning.", "The end."]), "a.epub")
    assert said.index("The beginning.") < said.index("The end.")


def test_a_locked_e_book_is_rejected_as_such() -> None:
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<c><rootfile full-path="a.opf"/></c>',
        "META-INF/rights.xml": "",
        "a.opf": "<package/>",
    }
    with pytest.raises(Rejected, match="DRM"):
        text(samples.zip_of(files), "a.epub")


def test_a_path_that_leads_out_of_the_package_leads_nowhere() -> None:
    files = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<c><rootfile full-path="a.opf"/></c>',
        "a.opf": '<package><item id="x" href="../../etc/passwd" media-type="text/html"/>'
        '<itemref idref="x"/></package>',
    }
    with pytest.raises(Rejected, match="no text"):
        text(samples.zip_of(files), "a.epub")


def test_a_long_text_that_ten_thousand_cells_share_takes_neither_memory_nor_endless_time() -> None:
    shared = "<si><t>" + "x" * 1_000_000 + "</t></si>"
    cells = "".join(f'<row><c t="s" r="A{n}"><v>0</v></c></row>' for n in range(1, 3001))
    data = samples.zip_with(samples.xlsx([["a"]]), {
        "xl/sharedStrings.xml": f"<sst>{shared}</sst>",
        "xl/worksheets/sheet1.xml": f"<worksheet><sheetData>{cells}</sheetData></worksheet>",
    })  # fmt: skip
    pieces = extract(io.BytesIO(data), media_type(io.BytesIO(data), "a.xlsx"), Reading(4096, 65_536))
    assert all(len(piece.text) <= 65_536 for piece in itertools.islice(pieces, 100))
    with pytest.raises(Rejected, match=r"bounds\.ratio"):
        list(pieces)
