import threading

import pytest

from bouquetd.entities import PROVIDERS, Entities
from bouquetd.entities.patterns import MOST, patterns


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Write to Ada.Lovelace+notes@Example.org.", ["email:ada.lovelace+notes@example.org"]),
        ("See https://example.org/a?b=c#d, please.", ["url:https://example.org/a?b=c#d"]),
        ("(http://example.org/page)", ["url:http://example.org/page"]),
        ("doi 10.1000/182 and more", ["doi:10.1000/182"]),
        ("CVE-2014-0160 is old.", ["cve:CVE-2014-0160"]),
        ("RFC 2119, RFC-8174 and RFC793", ["rfc:2119", "rfc:8174", "rfc:793"]),
        ("on 2024-02-29 and 1815-12-10", ["date:2024-02-29", "date:1815-12-10"]),
        ("on 2024-13-01 or 2024-12-32 or 12024-01-011", []),
        ("nothing here, not even a @ sign of life", []),
        ("a@b is no address; ftp://x is not asked for", []),
        ("", []),
    ],
)
def test_what_has_a_grammar_is_found_and_nothing_else(text, found):
    assert patterns(text) == found


def test_each_is_named_once_in_order_of_appearance():
    assert patterns("b@x.org a@x.org B@X.org RFC 1 RFC-1") == ["email:b@x.org", "email:a@x.org", "rfc:1"]


def test_a_page_of_links_keeps_a_bounded_number():
    found = patterns(" ".join(f"https://example.org/{n}" for n in range(10 * MOST)))
    assert found == [f"url:https://example.org/{n}" for n in range(MOST)]


@pytest.mark.parametrize(
    "text", ["@" * 20_000, "a." * 20_000 + "@", "a@" + "b." * 20_000, "https://" + "x" * 60_000]
)
def test_no_text_makes_it_slow(text):
    patterns(text)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 20, 21])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_batch_is_answered_in_the_order_of_its_texts(count, width):
    finder = Entities(PROVIDERS["patterns"], width)
    try:
        texts = [f"RFC {n}" if n % 3 else "none" for n in range(count)]
        assert list(finder(texts)) == [patterns(text) for text in texts]
    finally:
        finder.close()


def test_no_more_texts_than_allowed_are_looked_at_side_by_side():
    lock, now, most = threading.Lock(), 0, 0

    def provider(_text):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        meeting.wait(0.05)
        with lock:
            now -= 1
        return []

    meeting = threading.Event()
    finder = Entities(provider, 2)
    try:
        list(finder(["text"] * 12))
    finally:
        finder.close()
    assert most == 2


def test_the_provider_named_none_finds_nothing():
    assert list(Entities(PROVIDERS["none"], 1)(["RFC 1"])) == [[]]


def test_what_a_provider_raises_reaches_the_caller():
    def broken(_text):
        raise ValueError("broken")

    finder = Entities(broken, 2)
    try:
        with pytest.raises(ValueError, match="broken"):
            list(finder(["a", "b"]))
    finally:
        finder.close()
