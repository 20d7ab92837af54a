"""JSON and JSON Lines: how values read as text, and where they are at fault."""

from __future__ import annotations

import io
import json as standard

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract

JSON = "application/json"
JSONL = "application/x-ndjson"


def text(data: str | bytes, kind: str = JSON, read_size: int = 4096) -> str:
    data = data.encode() if isinstance(data, str) else data
    return "".join(p.text for p in extract(io.BytesIO(data), kind, Reading(read_size, 4096)))


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ('{"a": 1, "b": {"c": true, "d": "x y"}}', "a: 1\nb.c: true\nb.d: x y"),
        ('{"tags": ["a", "b", 3], "n": -1.5e3}', "tags: a, b, 3\nn: -1.5e3"),
        ('[{"a": 1, "b": 2}, {"a": 3}]', "a: 1\nb: 2\n\na: 3"),
        ('{"rows": [{"a": 1}, {"a": 2}], "end": "x"}', "rows.a: 1\n\nrows.a: 2\n\nend: x"),
        ('["first text", "second text"]', "first text\nsecond text"),
        ('{"a": null, "b": [], "c": {}, "d": "x"}', "d: x"),
        ('"only a string"', "only a string"),
        ("42", "42"),
        ('{"a": 1}\n{"a": 2}', "a: 1\n\na: 2"),
        (r'{"a": "line\nbreak \"quoted\" \u00e9 \ud83d\ude00"}', 'a: line\nbreak "quoted" é 😀'),
        (r'{"caf\u00e9": 1}', "café: 1"),
        ('{"a": 1, "a": 2}', "a: 1\na: 2"),
        ("[NaN, Infinity, -Infinity]", "NaN\nInfinity\n-Infinity"),
        (r'{"a": "x\ud800y"}', "a: x\ufffdy"),
        ('{"a": "tab\there"}', "a: tab\there"),
    ],
)
@pytest.mark.parametrize("read_size", [1, 3, 4096])
def test_values_stand_behind_their_paths(source: str, shown: str, read_size: int) -> None:
    assert text(source, read_size=read_size) == shown


def test_a_number_of_any_length_is_kept_as_it_is() -> None:
    assert text('{"n": ' + "9" * 10_000 + "}") == "n: " + "9" * 10_000


def test_of_a_very_long_path_the_end_is_shown() -> None:
    shown = text(standard.dumps({"k" * 300: {"end": 1}}))
    assert shown.startswith("…kkk")
    assert shown.endswith("k.end: 1")
    assert len(shown) < 270


@pytest.mark.parametrize(
    ("source", "where"),
    [
        ('{"a": 1, "b": }', "value.* line 1, character 15"),
        ('{"a": 1\n "b": 2}', "comma.* line 2, character 10"),
        ("[1, 2", "end"),
        ('{"a" 1}', "key.*character 2"),
        ("{a: 1}", "key.*character 2"),
        ("[1, ]", "value.*character 5"),
        ('{"a": 1, }', "key.*character 10"),
        ("[1}", "character 3"),
        ("[1]]", "character 4"),
        ("[1] x", "character 5"),
        ("1,", "character 2"),
        ('["a', "closing quote"),
        ('["a\nb"]', "closing quote"),
        (r'["\x"]', "backslash"),
        ("[01]", "character 2"),
        ("[tru]", "character 2"),
        ('{"a": "b": "c"}', "character 10"),
        ('["a": 1]', "character 5"),
        ("[" * 501, "nested more than 500 deep"),
        ("[" + "1" * 100_000 + "]", "value"),
        ('{"' + "k" * 100_000 + '": 1}', "key"),
    ],
)
def test_invalid_json_is_rejected_with_the_place(source: str, where: str) -> None:
    for read_size in (1, 4096) if len(source) < 10_000 else (4096,):
        with pytest.raises(Rejected, match=f"(?s)not valid JSON.*{where}"):
            text(source, read_size=read_size)


def test_each_line_of_json_lines_has_its_row() -> None:
    data = b'{"a": 1}\n\n{"a": "x"}\r\n[1, 2]'
    found = list(extract(io.BytesIO(data), JSONL, Reading(5, 4096)))
    assert [(p.text, p.row) for p in found] == [("a: 1\n\n", 1), ("a: x\n\n", 3), ("1\n2\n\n", 4)]


@pytest.mark.parametrize(
    ("data", "line"),
    [('{"a":1}\n{"a":\n', 2), ("1\n2 3\n", 2), ('\n\n"x\n', 3), ('{"a":\n1}', 1), ("1\nword", 2)],
)
def test_an_invalid_line_is_rejected_by_its_number(data: str, line: int) -> None:
    with pytest.raises(Rejected, match=f"line {line} is not valid JSON"):
        text(data, JSONL)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]), st.integers(1, 20))
def test_whatever_the_standard_library_writes_is_read(
    value: object, ascii_only: bool, indent: int | None, read_size: int
) -> None:
    data = standard.dumps([value, "end"], ensure_ascii=ascii_only, indent=indent).encode(
        "utf-8", "surrogatepass"
    )
    assert text(data, read_size=read_size) == text(data, read_size=1 << 20)


@given(st.text(alphabet='{}[]:,"\\u12ae tfn\n', max_size=30), st.integers(1, 9))
def test_what_the_standard_library_refuses_is_rejected(data: str, read_size: int) -> None:
    data = "[" + data + ', "x"]'
    try:
        text(data, read_size=read_size)
    except Rejected:
        assert not valid(data)
    else:
        assert valid(data) or "\n" in data


def valid(data: str) -> bool:
    """Whether it is JSON, one value or several one after the other."""
    decoder, rest = standard.JSONDecoder(), data.strip()
    while rest:
        try:
            _, end = decoder.raw_decode(rest)
        except ValueError:
            return False
        rest = rest[end:].strip()
    return True
