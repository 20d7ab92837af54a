"""How the passages of a search look."""

import pytest

from bouquetd.cli.passages import show, why

PASSAGE = {
    "source": "reports/flow.pdf", "page": 3, "row": None, "headings": ["Results", "Drag"], "title": "On flow",
    "text": "word " * 200 + "the drag of a laminar\n\nlayer is small. " + "word " * 200,
    "by_meaning": 2, "by_words": 13, "distance": 0.214, "matched": ["laminar", "drag"],
    "path": "/srv/archive/flow.pdf", "member": None,
}  # fmt: skip


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    for name in ("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    return monkeypatch


def shown(capsys, whole=False, **more):
    show("laminar drag", [{**PASSAGE, **more}], whole=whole)
    return capsys.readouterr().out


def test_a_passage_is_shown_with_its_place_its_best_part_why_and_its_path(capsys):
    lines = shown(capsys).splitlines()
    assert lines[0] == "1. reports/flow.pdf, page 3, Results > Drag"
    assert lines[1] == "   On flow"
    assert "the drag of a laminar layer is small." in " ".join(line.strip() for line in lines[2:-3])
    assert (lines[2][:4], lines[-4][-1]) == ("   …", "…")
    assert lines[-3] == "   2nd by meaning (distance 0.21), 13th by words: laminar, drag"
    assert lines[-2:] == ["   /srv/archive/flow.pdf", ""]
    assert all(len(line) <= 80 for line in lines)


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_it_is_wrapped_to_the_terminal(capsys, terminal, columns):
    terminal.setenv("COLUMNS", str(columns))
    text = shown(capsys).splitlines()[2:-3]
    assert 3 <= len(text) <= 5
    assert max(map(len, text)) <= columns


def test_the_whole_passage_keeps_its_lines(capsys):
    out = shown(capsys, whole=True)
    assert "the drag of a laminar\n\n   layer is small." in out
    assert "…" not in out


def test_words_are_marked_on_a_terminal_and_nothing_is_in_a_pipe(capsys, terminal):
    assert "\x1b" not in shown(capsys)
    terminal.setenv("FORCE_COLOR", "1")
    assert "\x1b[1;33mlaminar\x1b[0m" in shown(capsys)
    terminal.setenv("NO_COLOR", "1")
    assert "\x1b[33m" not in shown(capsys)
    assert "33m" not in shown(capsys)


def test_what_would_steer_the_terminal_is_not_shown(capsys):
    wild = "\x1b[2J\x9b[31mlaminar\x07\r"
    out = shown(capsys, text=wild, title=wild, headings=[wild])
    assert not {"\x1b", "\x9b", "\x07", "\r"} & set(out)
    assert "laminar" in out


def test_what_is_packed_is_shown_with_its_name_in_the_file(capsys):
    assert "   /srv/mail.eml (in it: a.pdf)\n" in shown(capsys, path="/srv/mail.eml", member="a.pdf")
    assert "/srv" not in shown(capsys, path=None)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"by_words": None, "matched": []}, "2nd by meaning (distance 0.21)"),
        ({"by_meaning": None, "by_words": 1}, "distance 0.21, 1st by words: laminar, drag"),
        ({"by_meaning": 111, "by_words": 23, "matched": []}, "111th by meaning (distance 0.21), 23rd by words"),
    ],
)
def test_why_says_only_what_is_known(more, said):
    assert why({**PASSAGE, **more}) == said
