"""Conditions on metadata, as a person writes them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouquetd.ops.where import DEEPEST, parse


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('media_type = "application/pdf"', {"media_type": {"$eq": "application/pdf"}}),
        ("name != 'it\\'s'", {"name": {"$ne": "it's"}}),
        ("page<=3", {"page": {"$lte": 3}}),
        ("ingested_at > 1.5e9", {"ingested_at": {"$gt": 1.5e9}}),
        ("last = TRUE", {"last": {"$eq": True}}),
        ('source in ("a.txt", "b.txt")', {"source": {"$in": ["a.txt", "b.txt"]}}),
        ("page not in (1, -2)", {"page": {"$nin": [1, -2]}}),
        ('entities contains "rfc:9110"', {"entities": {"$contains": "rfc:9110"}}),
        ('not entities contains "rfc:9110"', {"entities": {"$not_contains": "rfc:9110"}}),
        (
            'a = 1 or b = 2 and c = "x"',
            {"$or": [{"a": {"$eq": 1}}, {"$and": [{"b": {"$eq": 2}}, {"c": {"$eq": "x"}}]}]},
        ),
        (
            "not (a < 1 AND (b >= 2 or not c = 3))",
            {"$or": [{"a": {"$gte": 1}}, {"$and": [{"b": {"$lt": 2}}, {"c": {"$eq": 3}}]}]},
        ),
    ],
)
def test_a_condition_becomes_chromas_filter(text, wanted):
    assert parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected the name of a metadata field at the end"),
        ("page", "expected one of = != < <= > >= in contains at the end"),
        ("page = ", r"expected a value, text in quotes \(\"like this\"\), at the end"),
        ("language = de", r"expected a value, text in quotes .* at 'de' \(character 12\)"),
        ('page > "x"', "only numbers are larger or smaller"),
        ("page = 1 page = 2", "expected `and`, `or` or the end at 'page'"),
        ("(page = 1", r"expected `\)` at the end"),
        ("page in 1", r"expected `\(` and values"),
        ('page in (1, "x")', "must be of one kind"),
        ("page ~ 1", "cannot read '~ 1'"),
        ('name = "x', "cannot read"),
        ("and = 1", "expected the name of a metadata field"),
        ("(" * (DEEPEST + 1) + "a = 1" + ")" * (DEEPEST + 1), "nested too deeply"),
    ],
)
def test_what_is_not_understood_is_said_with_its_place(text, why):
    with pytest.raises(ValueError, match=why):
        parse(text)


@given(st.text(max_size=60))
def test_any_text_is_understood_or_refused(text):
    with suppress(ValueError):
        assert parse(text)


@given(st.text(max_size=30))
def test_any_text_can_be_a_value(text):
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    assert parse(f'name = "{quoted}"') == {"name": {"$eq": text}}
