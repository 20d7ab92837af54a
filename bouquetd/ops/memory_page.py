"""The history of memory as a page: one file of HTML that loads nothing, for a large screen and for a phone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from bouquetd.memory.governor import exact
from bouquetd.memory.history import Kind
from bouquetd.memory.recorded import Recorded
from bouquetd.ops import drawing
from bouquetd.ops.curve import HEIGHT, WIDTH, curve
from bouquetd.ops.drawing import PIXELS
from bouquetd.ops.memory import moment, sentences

PHONE = (400, 380)
"""Pixels of the curve on a narrow screen: there the wide one could not be read."""

NAMESPACE = ' xmlns="http://www.w3.org/2000/svg"'
"""What a picture of its own needs, and an element of a page does not."""

MOST = 200
"""Events on the page, the last ones."""

_STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#24292f;--line:#d0d7de}
@media(prefers-color-scheme:dark){:root{--paper:#16181d;--ink:#e6e8eb;--line:#3a404a}}
body{margin:0 auto;padding:1rem;max-width:60rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
.narrow{display:none}
@media(max-width:40rem){.wide{display:none}.narrow{display:block}}
table{border-collapse:collapse;width:100%}
th,td{padding:.35rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
.figure{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.word{white-space:nowrap}
.name{overflow-wrap:anywhere}
@media(max-width:40rem){th{display:none}
tr{display:block;padding:.5rem 0;border-bottom:1px solid var(--line)}
td{display:inline;border:0;padding:0 .6rem 0 0}}
"""


def page(stretch: Recorded) -> str:
    """The whole file."""
    pictures = (drawing.svg(curve(stretch, *size, PIXELS)) for size in ((WIDTH, HEIGHT), PHONE))
    wide, narrow = (text.replace(NAMESPACE, "", 1) for text in pictures)
    when = f"{moment(stretch.since)} to {moment(stretch.until)}"
    said = "\n".join(f"<p>{escape(line)}</p>" for line in sentences(stretch))
    peaks = _table(
        {"RSS": "figure", "When": "word", "File": "name", "Stage": "word"},
        ((exact(one.peak), moment(one.at), one.source, one.stage or "idle") for one in stretch.peaks),
    )
    shown = [event for event in stretch.events if event.kind != Kind.RECLAIMED][-MOST:]
    events = _table(
        {"RSS": "figure", "When": "word", "What": "word", "Why": "name", "File in hand": "name"},
        ((exact(one.rss) if one.rss else "", moment(one.at), one.kind, one.text, one.source) for one in shown),
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>bouquetd: memory, {escape(when)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Memory of bouquetd</h1>
<p>{escape(when)}</p>
{said}
<div class="wide">{wide}</div>
<div class="narrow">{narrow}</div>
<h2>Peaks by file and stage</h2>
{peaks}
<h2>Throttles, pauses, restarts</h2>
{events}
</body>
</html>
"""


def _table(heads: Mapping[str, str], rows: Iterable[Sequence[str]]) -> str:
    """A table by its heads, each with the class of its column."""
    body = "\n".join(f"<tr>{''.join(map(_cell, heads.values(), row))}</tr>" for row in rows)
    if not body:
        return "<p>None.</p>"
    head = "".join(f'<th class="{kind}">{escape(text)}</th>' for text, kind in heads.items())
    return f"<table>\n<tr>{head}</tr>\n{body}\n</table>"


def _cell(kind: str, text: str) -> str:
    return f'<td class="{kind}">{escape(text)}</td>'
