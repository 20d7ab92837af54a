"""Hyphens and ligatures."""

from __future__ import annotations

import pytest

from bouquetd.extract.typeset import Typeset


@pytest.mark.parametrize(
    ("set_in_type", "written"),
    [
        ("an exam\x02ple of it", "an example of it"),
        ("an exam\ufffeple of it", "an example of it"),
        ("an exam\u2010\r\nple of it", "an example of it"),
        ("\u00fcber\x02m\u00e4\u00dfig", "\u00fcberm\u00e4\u00dfig"),
        ("Anna\x02Maria", "Anna-Maria"),
        ("1914\x021918", "1914-1918"),
        ("a well-known man, a well\x02known woman", "a well-known man, a well-known woman"),
        ("twice cut in\x02com\x02plete", "twice cut incomplete"),
        ("a dash \u2010\nnot a cut", "a dash \u2010\nnot a cut"),
        ("e\ufb03cient \ufb01sh \ufb02y \ufb00 \ufb05op", "efficient fish fly ff stop"),
    ],
)
def test_a_text_is_as_its_author_wrote_it(set_in_type: str, written: str) -> None:
    assert Typeset().mend(set_in_type) == written


def test_a_compound_of_an_earlier_page_keeps_its_hyphen() -> None:
    typeset = Typeset()
    typeset.mend("Re-enter the house.")
    assert typeset.mend("They re\x02enter it.") == "They re-enter it."


@pytest.mark.parametrize("text", ["a\x02" * 50_000, "a-" * 100_000, "a" * 200_000, "a\u2010\n" * 50_000])
@pytest.mark.timeout(10)
def test_no_text_takes_long(text: str) -> None:
    Typeset().mend(text)
