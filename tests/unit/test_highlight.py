import pytest

from bouquetd.ops.highlight import MOST_TOLD, spans, terms, told, window


def marked(question, text):
    return [text[start:end] for start, end in spans(terms(question), text)]


@pytest.mark.parametrize(
    ("question", "text", "found"),
    [
        ("Where do herons sleep?", "A HERON sleeps; sleeping do not.", ["HERON", "sleeps", "sleeping"]),
        ("boundary layers", "The boundaries of a layer", ["boundaries", "layer"]),
        ("moving glasses", "move the glass, moved", ["move", "glass", "moved"]),
        ("Hauptstraße", "HAUPTSTRASSE 3", ["HAUPTSTRASSE"]),
        ("sentence 2-30", "in sentence 2-30 of 30", ["sentence", "2", "30", "30"]),
        ("ready", "to read", []),
        ("birds", "nothing of them", []),
    ],
)  # fmt: skip
def test_words_are_found_whatever_their_capitals_and_common_endings(question, text, found):
    assert marked(question, text) == found


def test_function_words_are_marked_only_where_the_question_has_no_others():
    assert marked("what is the drag of it", "the drag of it") == ["drag"]
    assert marked("wie ist der Weg", "der Weg") == ["Weg"]
    assert marked("who are you", "you are here") == ["you", "are"]


def test_scripts_without_spaces_are_compared_by_pairs_of_characters():
    assert "".join(marked("東京都の図書館", "大きな図書館は東京にある")) == "図書館東京"


def test_words_that_stand_together_are_told_as_phrases_and_each_once():
    wanted = terms("laminar boundary layers")
    text = "A layer. Laminar flow in the Boundary\n layer; boundary layer, laminar."
    assert told(wanted, text) == ("boundary layer", "laminar")
    assert told(wanted, "nothing") == ()


def test_no_more_words_are_told_than_fit_a_line():
    words = [f"word{n}" for n in range(50)]
    assert len(told(terms(" ".join(words)), ". ".join(words))) == MOST_TOLD


def test_the_window_lies_where_most_of_the_questions_words_are():
    text = "drag " + "nothing here " * 200 + "the drag of a laminar layer. " + "and more " * 200
    start, end = window(terms("laminar layer drag"), text, 200)
    assert "the drag of a laminar layer" in text[start:end]
    assert end - start <= 200
    assert text[start - 1] == " "
    assert text[end] == " "


@pytest.mark.parametrize(
    "text", ["", "short", "x" * 1000, "herons " + "x" * 1000, "x" * 1000 + " herons", " " * 999]
)
def test_a_window_is_within_the_text_and_no_wider_than_asked(text):
    start, end = window(terms("herons"), text, 100)
    assert 0 <= start <= end <= len(text)
    assert end - start <= 100
    assert ("herons" in text) == ("herons" in text[start:end])
