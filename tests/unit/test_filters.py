import time
from datetime import datetime, timedelta, timezone

import pytest

from bouquetd.errors import Rejected
from bouquetd.extract import EXTRACTORS
from bouquetd.model import Filter
from bouquetd.ops import filters
from bouquetd.ops.filters import Conditions, entity, joined, language, media_types, parts, within
from bouquetd.ops.since import since

SOURCES = [
    "a.txt", "reports", "reports/2026/flow.pdf", "reports/heat.pdf", "reports.old/heat.pdf",
    "mail.eml", "mail.eml!/bill.pdf", "mail.eml!/all.zip!/x.csv", "odd[1].txt", "odd1.txt",
]  # fmt: skip
NOW = 1_800_000_000.0


def fits(*patterns):
    condition = within(patterns, SOURCES)
    if condition is None:
        return set(SOURCES)
    assert isinstance(condition["source"], dict)
    return set(condition["source"]["$in"])


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["reports/*"], {"reports/2026/flow.pdf", "reports/heat.pdf"}),
        (["reports/"], {"reports", "reports/2026/flow.pdf", "reports/heat.pdf"}),
        (["mail.eml"], {"mail.eml", "mail.eml!/bill.pdf", "mail.eml!/all.zip!/x.csv"}),
        (["mail.eml!/*"], {"mail.eml!/bill.pdf", "mail.eml!/all.zip!/x.csv"}),
        (["*.zip"], {"mail.eml!/all.zip!/x.csv"}),
        (["odd[1].txt"], {"odd[1].txt", "odd1.txt"}),
        (["a.txt", "*/heat.pdf"], {"a.txt", "reports/heat.pdf", "reports.old/heat.pdf"}),
        (["*"], set(SOURCES)),
    ],
)
def test_a_glob_stands_for_files_and_for_all_that_lies_in_what_it_fits(patterns, found):
    assert fits(*patterns) == found


def test_where_no_source_fits_nothing_can_be_found():
    assert within(["nowhere/*"], SOURCES) == {"source": ""}


def test_a_glob_that_fits_most_is_said_by_what_it_leaves_out(monkeypatch):
    monkeypatch.setattr(filters, "MOST_SOURCES", 3)
    assert within(["a.txt", "mail*", "rep*"], SOURCES) == {"source": {"$nin": ["odd1.txt", "odd[1].txt"]}}


def test_a_glob_that_takes_too_many_names_either_way_is_refused_with_what_to_do(monkeypatch):
    monkeypatch.setattr(filters, "MOST_SOURCES", 3)
    with pytest.raises(Rejected, match="more than 3 documents fit 'rep") as refused:
        within(["rep*", "a.txt"], SOURCES)
    assert refused.value.remedy == "name a smaller part of the inbox"


def test_of_a_million_sources_no_more_are_kept_than_may_be_named():
    kept = within(["0.txt"], (f"{n}.txt" for n in range(100_000)))
    assert kept == {"source": {"$in": ["0.txt"]}}


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30m", NOW - 1800),
        ("12h", NOW - 12 * 3600),
        ("7 d", NOW - 7 * 86400),
        ("2W", NOW - 14 * 86400),
        ("2026-01-31", datetime(2026, 1, 31).timestamp()),  # noqa: DTZ001
        ("2026-01-31 14:00", datetime(2026, 1, 31, 14).timestamp()),  # noqa: DTZ001
        ("2026-01-31T14:00+05:00", datetime(2026, 1, 31, 14, tzinfo=timezone(timedelta(hours=5))).timestamp()),
    ],
)
def test_since_takes_dates_times_and_how_long_ago(text, moment):
    assert since(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "7", "31.1.2026"])
def test_what_is_no_time_is_refused_with_examples(text):
    with pytest.raises(Rejected, match="is no date and no length of time"):
        since(text, NOW)


def test_an_entity_is_looked_for_by_its_kind_as_it_is_stored():
    assert entity("email:Ada@Example.org") == {"entities": {"$contains": "email:ada@example.org"}}
    assert entity("rfc:RFC 2119") == {"entities": {"$contains": "rfc:2119"}}
    assert entity("Person: Ada Lovelace") == {"entities": {"$contains": "person:Ada Lovelace"}}


def test_an_entity_without_a_kind_is_looked_for_among_all_kinds():
    for text, stored in (("Ada Lovelace", "person:Ada Lovelace"), ("https://x.org/a", "url:https://x.org/a")):
        assert {"entities": {"$contains": stored}} in entity(text)["$or"]


@pytest.mark.parametrize("text", ["", "  ", "email:", "person: "])
def test_an_empty_entity_is_refused(text):
    with pytest.raises(Rejected, match="is empty"):
        entity(text)


def test_kinds_have_the_names_that_people_give_them_and_media_types_their_own():
    assert media_types("PDF") == ("application/pdf",)
    assert "text/csv" in media_types("sheets")
    assert media_types("mail") == media_types("mails")
    assert media_types("application/x-own") == ("application/x-own",)


def test_an_unknown_kind_is_refused_with_those_that_there_are():
    with pytest.raises(Rejected) as refused:
        media_types("pfd")
    assert all(kind in refused.value.remedy for kind in ("pdf", "mail", "sheet", "application/pdf"))


def test_every_type_that_is_read_has_a_kind_and_but_one():
    types = [media_type for kind in filters.KINDS.values() for media_type in kind]
    assert len(types) == len(set(types))
    assert set(EXTRACTORS) <= set(types)


def test_a_language_is_its_code_without_the_country():
    assert (language("de"), language("DE-at"), language("pt_BR")) == ("de", "de", "pt")
    with pytest.raises(Rejected, match="is no code of a language"):
        language("German!")


def test_all_conditions_must_hold_and_each_says_what_it_is():
    conditions = Conditions(
        where={"page": 3}, containing=("Form 17",), source=("reports/*",), since=time.time(),
        entity=("cve:cve-2014-0160",), kind=("pdf", "html"), language="en",
    )  # fmt: skip
    found = parts(conditions, lambda: SOURCES)
    assert [label.split()[0] for label, _ in found] == [
        "--source", "--since", "--entity", "--kind", "--language", "--where", "--containing",
    ]  # fmt: skip
    both = joined(part for _, part in found)
    assert both.texts == ("Form 17",)
    assert both.where is not None
    assert {"media_type": {"$in": ["application/pdf", "text/html"]}} in both.where["$and"]
    assert len(both.where["$and"]) == 6


def test_no_condition_is_no_filter_and_asks_for_no_sources():
    def sources():
        raise AssertionError

    assert joined(part for _, part in parts(Conditions(), sources)) == Filter()
    assert joined([Filter({"page": 1})]) == Filter({"page": 1})
