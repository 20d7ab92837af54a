"""The entities stage, and what is found by patterns that have a grammar."""

import subprocess
import sys
import threading

import pytest

from bouquetd.config import Entities as Options
from bouquetd.entities import Entities, nothing
from bouquetd.entities.choice import chosen
from bouquetd.entities.patterns import MOST, patterns
from bouquetd.errors import ConfigError, Stopped, Unavailable
from bouquetd.mentions import KINDS
from tests.harness import Recorder

found_in = patterns()
AWAY = Unavailable("the server is away", "start it")


@pytest.fixture
def stage():
    """Makes stages of which the test needs not see to the end."""
    made = []

    def make(provider, width=2, log=None, **more):
        made.append(Entities(provider, width, log or Recorder(), **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


class Provider:
    """Finds what it is told to, or raises it."""

    def __init__(self):
        self.answer, self.asked = ["rfc:1"], 0

    def __call__(self, _text):
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to Ada.Lovelace+notes@Example.org.", ["email:ada.lovelace+notes@example.org"]),
        ("See https://example.org/a?b=c#d, please.", ["url:https://example.org/a?b=c#d"]),
        ("(http://example.org/page)", ["url:http://example.org/page"]),
        ("https://en.wikipedia.org/wiki/A_(b)", ["url:https://en.wikipedia.org/wiki/A_(b)"]),
        ("at www.example.org.", ["url:www.example.org"]),
        ("doi 10.1000/182 and more", ["doi:10.1000/182"]),
        (
            "https://doi.org/10.1000/ABC, doi:10.1038/s41586-020-2649-2.",
            ["doi:10.1000/abc", "doi:10.1038/s41586-020-2649-2"],
        ),
        ("CVE-2014-0160 is old.", ["cve:CVE-2014-0160"]),
        ("RFC 2119, RFC-8174 and RFC793", ["rfc:2119", "rfc:8174", "rfc:793"]),
        ("RFCs 1, 2, and 3 of 4", ["rfc:1", "rfc:2", "rfc:3"]),
        ("DE89 3704 0044 0532 0130 00 BANK", ["iban:DE89370400440532013000"]),
        ("GB82WEST12345698765432", ["iban:GB82WEST12345698765432"]),
        ("ISBN 0-306-40615-2; 9780804429573", ["isbn:9780306406157", "isbn:9780804429573"]),
        ("ISSN 0378-5955", ["issn:0378-5955"]),
        ("https://orcid.org/0000-0002-1825-0097", ["orcid:0000-0002-1825-0097"]),
        ("+49 30 123456 or +1 (212) 555-1234", ["phone:+4930123456", "phone:+12125551234"]),
        ("192.168.1.1, 10.0.0.1 and fe80::1", ["ip:192.168.1.1", "ip:10.0.0.1", "ip:fe80::1"]),
        ("nothing here, not even a @ sign of life", []),
        ("a@b is no address; ftp://x is not asked for", []),
        ("at 12:30:45, std::max(1, 2), version 1.2.3.4, 10.0.0.300", []),
        ("", []),
    ],
)
def test_what_has_a_grammar_is_found_and_nothing_else(text, found):
    assert found_in(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "DE88 3704 0044 0532 0130 00",
        "ISBN 0-306-40615-3",
        "978-0-306-40615-8",
        "ISSN 0378-5954",
        "0000-0002-1825-0098",
        "+49 1",
        "+1 212 555",
    ],
)
def test_what_fails_its_check_is_not_found(text):
    assert found_in(text) == []


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("on 2024-02-29T10:00", "2024-02-29"),
        ("12 May 1843", "1843-05-12"),
        ("May 12, 1843", "1843-05-12"),
        ("the 12th of May, 1843", "1843-05-12"),
        ("Tue, 15-Nov-1994 08:12", "1994-11-15"),
        ("Sept. 3, 1999", "1999-09-03"),
        ("1. Januar 2020", "2020-01-01"),
        ("3 de mayo de 2001", "2001-05-03"),
        ("1er mars 1999", "1999-03-01"),
        ("4.3.2020", "2020-03-04"),
        ("13/04/2020", "2020-04-13"),
        ("04/13/2020", "2020-04-13"),
        ("2024/5/6", "2024-05-06"),
        ("2024年3月5日", "2024-03-05"),
        ("in May 1843 he", "1843-05"),
    ],
)
def test_a_date_is_found_in_common_notations(text, date):
    assert found_in(text) == [f"date:{date}"]


@pytest.mark.parametrize(
    "text",
    [
        "2024-13-01 or 2024-12-32",
        "12024-01-011",
        "30 February 2024",
        "03/04/2020",
        "version 1.2.2024.5",
        "in 1843",
        "may 2000 people",
    ],
)
def test_what_no_calendar_has_or_nobody_can_tell_is_no_date(text):
    assert found_in(text) == []


@pytest.mark.parametrize(
    ("text", "sum_"),
    [
        ("$12.50", "USD 12.50"),
        ("€1.234,56", "EUR 1234.56"),
        ("12,50 €", "EUR 12.50"),
        ("EUR 12.5", "EUR 12.50"),
        ("£3 million", "GBP 3000000"),
        ("US$5bn", "USD 5000000000"),
        ("3,5 Mio. Euro", "EUR 3500000"),
        ("1,000 dollars", "USD 1000"),
        ("CHF 1'200", "CHF 1200"),
        ("It costs $10.", "USD 10"),
    ],
)
def test_a_sum_of_money_is_written_in_one_way(text, sum_):
    assert found_in(text) == [f"money:{sum_}"]


def test_numbers_of_other_currencies_than_there_are_are_no_money():
    assert found_in("ABC 12, 5 try, 12 pounds of flour, $x") == []


def test_phone_numbers_without_a_country_are_those_of_the_region():
    assert found_in("call (212) 555-1234") == []
    assert patterns("US")("call (212) 555-1234 or +49 30 123456") == ["phone:+12125551234", "phone:+4930123456"]


def test_what_stands_in_a_link_or_a_number_is_not_found_again():
    assert found_in("https://x.org/2024-02-29/10.1000/182?to=a@x.org") == [
        "url:https://x.org/2024-02-29/10.1000/182?to=a@x.org"
    ]


def test_each_is_named_once_in_order_of_appearance():
    assert found_in("b@x.org a@x.org B@X.org RFC 1 RFC-1") == ["email:b@x.org", "email:a@x.org", "rfc:1"]


def test_all_kinds_that_patterns_find_are_among_those_that_are_shown():
    text = "a@x.org RFC 1 CVE-2014-0160 $1 2024-01-01 10.0.0.1 http://x.org 10.1000/1"
    assert {entity.partition(":")[0] for entity in found_in(text)} <= set(KINDS)


def test_a_page_of_links_keeps_a_bounded_number():
    found = found_in(" ".join(f"https://example.org/{n}" for n in range(10 * MOST)))
    assert found == [f"url:https://example.org/{n}" for n in range(MOST)]


@pytest.mark.parametrize(
    "text",
    [
        "@" * 20_000, "a." * 20_000 + "@", "a@" + "b." * 20_000, "https://" + "x" * 60_000, "1" * 20_000,
        "AB12 " * 4_000, "1.1." * 5_000, "1,000" * 4_000 + "€", "2000 " * 4_000, "a:1:" * 5_000, "+1 " * 6_000,
    ],
)  # fmt: skip
def test_no_text_makes_it_slow(text):
    found_in(text)


def test_libraries_for_phone_numbers_and_check_digits_are_loaded_by_the_first_that_needs_them():
    program = (
        "import sys; from bouquetd.entities.patterns import patterns;"
        "patterns()('On 2024-01-01 a@x.org paid $5');"
        "print([m for m in ('phonenumbers', 'stdnum', 'spacy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# -- the stage ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 3, 20, 21])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_batch_is_answered_in_the_order_of_its_texts(stage, count, width):
    texts = [f"RFC {n}" if n % 3 else "none" for n in range(count)]
    assert list(stage(found_in, width)(texts)) == [found_in(text) for text in texts]


def test_two_slow_extractions_run_side_by_side_and_never_three(stage):
    lock, now, most, met = threading.Lock(), 0, 0, threading.Barrier(2)

    def provider(_text):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        met.wait(30)  # each waits for another: alone, it would never end
        with lock:
            now -= 1
        return []

    assert list(stage(provider)(["text"] * 12)) == [[]] * 12
    assert most == 2


def test_the_provider_named_none_finds_nothing(stage):
    assert chosen(Options(provider="none")) is nothing
    assert list(stage(nothing, 1)(["RFC 1"])) == [[]]


@pytest.mark.parametrize("error", [ValueError("broken"), AWAY])
def test_a_text_whose_provider_fails_is_answered_by_none(stage, error):
    provider = Provider()
    provider.answer = error
    assert list(stage(provider)(["a", "b", "c"])) == [None] * 3


def test_it_is_told_once_that_the_provider_fails_and_once_that_it_works_again(stage):
    provider, log, now = Provider(), Recorder(), 0.0
    run = stage(provider, 1, log, clock=lambda: now)
    provider.answer = AWAY
    for _ in range(3):
        list(run(["a", "b"]))
        now += 100.0
    provider.answer = ["rfc:1"]
    assert list(run(["a", "b"])) == [["rfc:1"]] * 2
    assert [level for level, _ in log.lines] == ["warning", "info"]
    assert "The server is away" in log.text
    provider.answer = AWAY
    list(run(["a"]))
    assert [level for level, _ in log.lines] == ["warning", "info", "warning"]


def test_a_provider_that_is_away_is_asked_again_only_after_a_while(stage):
    provider, now = Provider(), 0.0
    run = stage(provider, 1, clock=lambda: now)
    provider.answer = AWAY
    list(run(["text"] * 50))
    assert provider.asked == 1
    now = 2.0
    list(run(["text"] * 50))
    assert provider.asked == 2


def test_a_provider_that_asks_to_be_left_alone_is_for_as_long(stage):
    provider, now = Provider(), 0.0
    run = stage(provider, 1, clock=lambda: now)
    provider.answer = Unavailable("the server wants fewer requests", "wait", 300.0)
    list(run(["text"]))
    now = 299.0
    list(run(["text"]))
    assert provider.asked == 1
    now = 301.0
    list(run(["text"]))
    assert provider.asked == 2


def test_an_error_over_one_text_costs_the_others_nothing(stage):
    def provider(text):
        return [f"rfc:{int(text)}"]

    log = Recorder()
    assert list(stage(provider, 2, log)(["1", "x", "3"] * 5)) == [["rfc:1"], None, ["rfc:3"]] * 5
    assert [level for level, _ in log.lines] == ["warning"]


def test_a_stop_between_two_slow_texts_is_heeded(stage):
    now, asked = 0.0, []

    def provider(text):
        nonlocal now
        now += 10.0
        asked.append(text)
        return []

    def stopped():
        raise Stopped("asked to stop")

    with pytest.raises(Stopped):
        list(stage(provider, 1, clock=lambda: now, beat=stopped)(["a", "b"]))
    assert asked == ["a"]


# -- spaCy ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A pipeline of spaCy in a folder, with rules in place of a trained model."""
    import spacy

    nlp = spacy.blank("en")
    nlp.add_pipe("entity_ruler").add_patterns(
        [
            {"label": "PERSON", "pattern": "Ada Lovelace"},
            {"label": "GPE", "pattern": "London"},
            {"label": "ORG", "pattern": "Royal Society"},
            {"label": "WORK_OF_ART", "pattern": "Frankenstein"},
        ]
    )
    folder = tmp_path_factory.mktemp("model") / "rules"
    nlp.to_disk(folder)
    return str(folder)


def test_labels_of_spacy_become_our_kinds_beside_what_patterns_find(stage, model):
    provider = chosen(Options(provider="spacy", model=model))
    text = "Ada\nLovelace, ada@example.org, read Frankenstein to the Royal Society in London."
    assert provider("Ada Lovelace, ada@example.org, read Frankenstein to the Royal Society in London.") == [
        "email:ada@example.org", "person:Ada Lovelace", "organisation:Royal Society", "place:London",
    ]  # fmt: skip
    assert list(stage(provider)([text] * 4)) == [provider(text)] * 4


def test_words_that_spacy_has_seen_are_not_kept(model):
    import spacy

    loaded = []
    original = spacy.load

    def load(*arguments, **named):
        loaded.append(original(*arguments, **named))
        return loaded[-1]

    spacy.load = load
    try:
        provider = chosen(Options(provider="spacy", model=model))
    finally:
        spacy.load = original
    provider("Warm.")
    before = len(loaded[0].vocab.strings)
    for n in range(200):
        provider(f"word{n} another{n}")
    assert len(loaded[0].vocab.strings) == before


def test_a_model_that_is_not_there_is_one_clear_error():
    with pytest.raises(ConfigError, match=r"no_such_model is not installed here; .*download no_such_model"):
        chosen(Options(provider="spacy", model="no_such_model"))


def test_a_pipeline_without_entities_is_refused(tmp_path):
    import spacy

    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ConfigError, match="finds no entities"):
        chosen(Options(provider="spacy", model=str(tmp_path / "blank")))
