"""How passages look on a terminal, and in a pipe: the same without colour."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from bouquetd.model import printable
from bouquetd.ops import highlight

LINES = 4
"""Lines that are shown of a passage, unless all of it is."""

INDENT = "   "


def show(question: str, passages: Sequence[Mapping[str, Any]], *, whole: bool) -> None:
    """Print passages, best first; ``whole`` ones, or the part of each that has most of the question's words."""
    console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    wanted = highlight.terms(question)
    for rank, passage in enumerate(passages, start=1):
        _line(console, Text.assemble(f"{rank}. ", (_heading(passage), "bold")))
        if passage["title"] and _plain(passage["title"]):
            _line(console, Text(INDENT + _plain(passage["title"]), style="italic"))
        for line in _lines(console, wanted, passage["text"], whole=whole):
            _line(console, Text(INDENT).append_text(line))
        _line(console, Text(INDENT + why(passage), style="dim"))
        if passage["path"]:
            packed = f" (in it: {passage['member']})" if passage["member"] else ""
            _line(console, Text(INDENT + printable(passage["path"]) + packed, style="cyan"))
        _line(console, Text())


def why(passage: Mapping[str, Any]) -> str:
    """One line of why a passage is among the best: its places in both orders, and the words that it has."""
    distance = f"distance {passage['distance']:.2f}"
    meaning, words = passage["by_meaning"], passage["by_words"]
    parts = [f"{_ordinal(meaning)} by meaning ({distance})" if meaning else distance]
    parts += [f"{_ordinal(words)} by words"] if words else []
    return ", ".join(parts) + (f": {', '.join(passage['matched'])}" if passage["matched"] else "")


def _heading(passage: Mapping[str, Any]) -> str:
    place = next((f", {key} {passage[key]}" for key in ("page", "row") if passage.get(key)), "")
    section = f", {_plain(' > '.join(passage['headings']))}" if passage["headings"] else ""
    return f"{passage['source']}{place}{section}"


def _lines(console: Console, wanted: frozenset[str], text: str, *, whole: bool) -> Iterator[Text]:
    width = max(20, console.width - len(INDENT))
    if whole:
        shown = "\n".join(map(_plain, text.splitlines()))
    else:
        plain = _plain(text)
        start, end = highlight.window(wanted, plain, LINES * width - 2 * width // 10 - 2)
        shown = "…" * (start > 0) + plain[start:end].strip() + "…" * (end < len(plain))
    marked = Text(shown)
    for start, end in highlight.spans(wanted, shown):
        marked.stylize("bold yellow", start, end)
    yield from marked.wrap(console, width)


def _line(console: Console, text: Text) -> None:
    text.rstrip()
    console.print(text, soft_wrap=True)


def _plain(text: str) -> str:
    """On one line, and without what would steer the terminal."""
    return " ".join("".join(c if c.isprintable() or c.isspace() else " " for c in text).split())


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
