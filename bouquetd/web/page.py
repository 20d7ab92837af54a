"""The page: memory, queue, failed files with a button to try them again, and search.

Made here as a whole, so that it can be read and searched without JavaScript. With it the same parts are fetched
every two seconds, and exchanged where they differ. All that comes from outside, names and texts, is escaped.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import cache
from glob import escape as literal
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from zlib import crc32

from bouquetd.errors import Explained, Rejected, Unavailable, sentence
from bouquetd.memory.governor import Mode
from bouquetd.memory.history import Marks
from bouquetd.memory.recorded import Recorded, read
from bouquetd.memory.recorder import Sample
from bouquetd.model import MB, printable
from bouquetd.ops import curve, drawing, highlight
from bouquetd.ops.figures import count, lasting, moment, percent, size, times
from bouquetd.ops.filters import ANYTHING
from bouquetd.web.guard import FORM, Guard
from bouquetd.web.health import Status
from bouquetd.web.server import Request, Response, Routes, said

STATIC = Path(__file__).with_name("static")

HTML = "text/html; charset=utf-8"

FILES = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
"""What is served as it lies in ``STATIC``."""

FAILURES = 20
"""Failed files that are shown, the newest."""

PASSAGES = 10
"""Passages that are shown of an answer."""

SHOWN = 480
"""Characters that are shown of a passage."""

QUESTION = 1000
"""Characters."""

SHORTEST, LONGEST = 300.0, 3600.0
"""Seconds of the curve: as far as the history goes back, within these."""

NARROW = (420.0, 380.0)
"""Pixels of the curve on a telephone, where the wide one would be too small to read."""

FRESH = 1.5
"""Seconds for which what the ledger says is good for all who look."""

SEARCHES = 2
"""Searches at once; each may take ``memory.operation``."""

Ask = Callable[[str, dict[str, Any]], Any]
"""Has the daemon answer what a command would ask it for."""

_CODE = re.compile(r"`([^`]+)`")
_COMMAND = re.compile(r"(sudo |bouquetd |systemctl )")

_DRAWING = "default-src 'none'; style-src 'unsafe-inline'"
"""The curve has its style within, and nothing else."""


class Page:
    """Answers for the page; ``status`` is the last one, ``ask`` reaches the ledger and the store."""

    def __init__(self, status: Status, ask: Ask, history: Path, guard: Guard) -> None:
        self._status = status
        self._ask = ask
        self._history = history
        self._guard = guard
        self._searching = threading.BoundedSemaphore(SEARCHES)
        self._lock = threading.Lock()
        self._known: tuple[float, dict[str, Any]] = (float("-inf"), {})

    def routes(self) -> Routes:
        """Everything, for those whom the guard lets through."""
        routes = {
            ("GET", "/"): self._whole,
            ("GET", "/live.json"): self._live,
            ("GET", "/curve.svg"): self._curve,
            ("GET", "/retry"): lambda _: said(303, "see the page", Location="."),
            ("POST", "/retry"): self._retry,
        }
        static = {("GET", f"/{name}"): _static(name, kind) for name, kind in FILES.items()}
        return {way: self._guard.lets(answer) for way, answer in {**routes, **static}.items()}

    # -- answers ------------------------------------------------------------------------------------------

    def _whole(self, request: Request) -> Response:
        return self._rendered(request.fields.get("q", "").strip())

    def _rendered(self, question: str = "", told: str = "", status: int = 200) -> Response:
        results = self._results(question) if question else ""
        parts = {
            **self._parts(),
            "question": escape(question),
            "results": results,
            "told": told and f'<p class="told" role="status">{told}</p>',
        }
        return Response(Template(_read("page.html")).substitute(parts).encode("utf-8", "replace"), HTML, status)

    def _live(self, _: Request) -> Response:
        return Response(json.dumps(self._parts()).encode(), "application/json")

    def _curve(self, request: Request) -> Response:
        now, seen = time.time(), self._seen()
        recorded = _up_to_now(read(self._history, now - LONGEST, now), seen)
        picture = (
            drawing.svg(curve.curve(recorded, *NARROW, drawing.PIXELS))
            if "narrow" in request.fields
            else curve.svg(recorded)
        )
        return Response(picture.encode(), "image/svg+xml", headers={"Content-Security-Policy": _DRAWING})

    def _retry(self, request: Request) -> Response:
        source = request.fields.get("source", "")
        try:
            # A name is no glob here, whatever stands in it.
            done = self._ask("retry", {"patterns": [literal(source)]})["done"]
        except Explained as error:
            return self._rendered(told=_prose(error.told), status=503)
        self._forget()
        if not done:
            return self._rendered(told=f"No failed file is called {_name(source)} any more.", status=404)
        if why := next((item["error"] for item in done if item["error"]), None):
            return self._rendered(told=f"{_name(source)} stays where it is: {_prose(why)}", status=409)
        return self._rendered(told=f"{_name(source)} is back in the inbox.")

    # -- parts --------------------------------------------------------------------------------------------

    def _parts(self) -> dict[str, str]:
        """What changes, as HTML by the id of its place."""
        seen, known = self._seen(), self._ledger()
        return {
            "title": escape(f"{seen['state']} | bouquetd"),
            "state": _state(seen),
            "memory": _memory(seen),
            "work": _work(seen, known["states"]),
            "failures": _failures(known["failures"], known["states"], self._guard.form),
            "foot": _foot(seen),
        }

    def _results(self, question: str) -> str:
        if len(question) > QUESTION:
            return _answer(question, _problem(f"Ask in at most {QUESTION:,} characters."))
        if not self._searching.acquire(timeout=FRESH):
            return _answer(question, _problem("Others are searching. Try again in a moment."))
        try:
            found = self._ask(
                "search",
                {
                    "question": question, "n": PASSAGES, "context": 0, "merged": True,
                    "conditions": asdict(ANYTHING),
                },
            )  # fmt: skip
        except (Rejected, Unavailable) as error:
            return _answer(question, _problem(error.told))
        finally:
            self._searching.release()
        return _answer(question, _passages(question, found["passages"], found["searched"]))

    def _seen(self) -> Mapping[str, Any]:
        seen = self._status()
        if seen is None:
            raise Unavailable("the daemon is just starting", "load the page again in a second")
        return seen

    def _ledger(self) -> dict[str, Any]:
        """What is asked of the ledger, once for all who look within ``FRESH`` seconds."""
        with self._lock:
            asked, known = self._known
            if time.monotonic() - asked > FRESH:
                known = self._ask("overview", {"failures": FAILURES})
                self._known = time.monotonic(), known
            return known

    def _forget(self) -> None:
        with self._lock:
            self._known = float("-inf"), {}


# -- HTML ---------------------------------------------------------------------------------------------------


def _state(seen: Mapping[str, Any]) -> str:
    state, why, remedy = seen["state"], seen["why"], seen["remedy"]
    told = f"<span>{_prose(why)}.</span>" if why else ""
    if why and remedy:  # as it stands: it may be a command
        what = f"<code>{escape(remedy)}</code>" if _COMMAND.match(remedy) else _prose(remedy)
        told += f" <span>To do: {what}</span>"
    return f'<strong class="is-{escape(state)}">{escape(state)}</strong> {told}'


def _memory(seen: Mapping[str, Any]) -> str:
    rss, limit = seen["rss_mb"], seen["limit_mb"]
    return _facts(
        [
            ("RSS now", f"{rss:,.0f} MB of {limit:,.0f} MB"),
            ("peak", f"{seen['peak_mb']:,.0f} MB"),
            ("throttles from", f"{seen['throttle_mb']:,.0f} MB"),
            ("pressure", percent(seen["pressure"])),
            ("paused", _paused(seen)),
        ]
    )


def _paused(seen: Mapping[str, Any]) -> str:
    return times(seen["pauses"]) + (f", {lasting(seen['paused_seconds'])} in all" if seen["pauses"] else "")


def _work(seen: Mapping[str, Any], counts: Mapping[str, int]) -> str:
    queue, current = seen["queue"], seen["current"]
    waiting = count(queue["files"], "file")
    if queue["files"]:
        waiting += f", {size(queue['bytes'])}; the first for {lasting(queue['oldest'])}"
    now = "nothing in hand"
    if current:
        share = round(100 * current["share"])
        now = (
            f"{_name(current['source'])}, {size(current['size'])}, {count(current['chunks'], 'chunk')}"
            f'<progress max="100" value="{share}" aria-label="how far it is read">{share} %</progress>'
        )
    stored = counts.get("filed", 0) + counts.get("complete", 0)
    return _facts(
        [
            ("waiting", waiting),
            ("now", now),
            ("speed", f"{seen['chunks_per_second']:,.0f} chunks a second"),
            ("stored", f"{count(stored, 'document')}, {counts.get('duplicate', 0):,} duplicates"),
        ],
        escaped=True,
    )


def _failures(failed: Sequence[Mapping[str, Any]], counts: Mapping[str, int], secret: str) -> str:
    if not failed:
        return "<p>No file failed.</p>"
    rows = "".join(_failure(item, secret) for item in failed)
    more = counts.get("failed", 0) - len(failed)
    rest = f"<p>And {more:,} more: <code>bouquetd files --state failed</code>.</p>" if more > 0 else ""
    return f"<ul>{rows}</ul>{rest}"


def _failure(item: Mapping[str, Any], secret: str) -> str:
    source, when = item["source"], moment(item["at"])
    known = f"{crc32(source.encode('utf-8', 'replace')):08x}"  # so that the focus stays where it is
    why = f"{sentence(item['reason'] or 'nobody knows why')} {sentence(item['remedy'] or '')}".removesuffix(
        " ."
    )
    return (
        f"<li><div>{_name(source)} <time>{when}</time><p>{_prose(why)}</p></div>"
        f'<form method="post" action="retry"><input type="hidden" name="{FORM}" value="{escape(secret)}">'
        f'<input type="hidden" name="source" value="{escape(source)}">'
        f'<button id="retry-{known}" aria-label="Retry {escape(source)}">Retry</button>'
        "</form></li>"
    )


def _foot(seen: Mapping[str, Any]) -> str:
    since = moment(seen["since"])
    return f"bouquetd {escape(seen['version'])}, process {seen['pid']}, running since {since}"


def _answer(question: str, body: str) -> str:
    return (
        f'<section aria-labelledby="found"><h2 id="found">Found for “{escape(question)}”</h2>{body}</section>'
    )


def _problem(told: str) -> str:
    return f'<p class="told" role="alert">{_prose(told)}</p>'


def _passages(question: str, passages: Sequence[Mapping[str, Any]], searched: Mapping[str, Any] | None) -> str:
    if not passages:
        what = searched or {"documents": 0, "chunks": 0}
        much = f"{count(what['documents'], 'document')}, {count(what['chunks'], 'chunk')}"
        return f"<p>Nothing found. Searched: {much}.</p>"
    wanted = highlight.terms(question)
    return f'<ol class="passages">{"".join(_passage(wanted, passage) for passage in passages)}</ol>'


def _passage(wanted: frozenset[str], passage: Mapping[str, Any]) -> str:
    place = next((f", {key} {passage[key]}" for key in ("page", "row") if passage.get(key)), "")
    above = " > ".join(passage["headings"])
    text = " ".join(passage["text"].split())
    start, end = highlight.window(wanted, text, SHOWN)
    shown = f"{'…' * (start > 0)}{''.join(_marked(wanted, text[start:end]))}{'…' * (end < len(text))}"
    inside = f" (in it: {_name(passage['member'])})" if passage["member"] else ""
    path = f'<p class="path">{_name(passage["path"])}{inside}</p>' if passage["path"] else ""
    return (
        f"<li><h3>{_name(passage['source'])}{place}</h3>"
        + (f'<p class="above">{escape(above)}</p>' if above else "")
        + f"<blockquote>{shown}</blockquote>{path}</li>"
    )


def _marked(wanted: frozenset[str], text: str) -> Iterator[str]:
    at = 0
    for start, end in highlight.spans(wanted, text):
        yield escape(text[at:start])
        yield f"<mark>{escape(text[start:end])}</mark>"
        at = end
    yield escape(text[at:])


def _facts(facts: Sequence[tuple[str, str]], *, escaped: bool = False) -> str:
    rows = (f"<div><dt>{what}</dt><dd>{said if escaped else escape(said)}</dd></div>" for what, said in facts)
    return f"<dl>{''.join(rows)}</dl>"


def _prose(text: str) -> str:
    """Sentences, with what is to be typed marked as such."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _name(source: str) -> str:
    return f'<bdi class="name">{escape(printable(source))}</bdi>'


def _up_to_now(recorded: Recorded, seen: Mapping[str, Any]) -> Recorded:
    """The same with the figures of this moment, which the history does not have yet."""
    rss, now = int(seen["rss_mb"] * MB), seen["at"]
    mode = {"throttled": Mode.THROTTLE, "paused": Mode.PAUSE}.get(seen["state"], Mode.RUN)
    samples = (*recorded.samples, Sample(now, 1, rss, rss, seen["stage"], "", mode))
    marks = Marks(*(int(seen[key] * MB) for key in ("throttle_mb", "resume_mb", "limit_mb", "ceiling_mb")))
    since = max(now - LONGEST, min(now - SHORTEST, samples[0].at))
    return replace(recorded, since=since, until=now, samples=samples, marks=marks)


@cache
def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _static(name: str, kind: str) -> Callable[[Request], Response]:
    return lambda _: Response(_read(name).encode(), kind)
