"""The Cranfield collection: 1,400 abstracts dropped as files, 225 questions put to ``bouquetd search --json``.

Documents are ranked by their best passage. nDCG@10 with binary relevance: what the judgements give 1 or more is
relevant, the rest is not; they number the questions in the order of their file. Questions of odd numbers are
apart from those of even ones: what was tuned was tuned on the odd.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from math import log2
from pathlib import Path

from bouquetd.config import Embed, Invalid
from bouquetd.embed.choice import chosen
from bouquetd.errors import ConfigError
from tests.bench.process import ROOT, Bench, Daemon, Home, say
from tests.bench.report import Failed, Result, Table

COLLECTION = ROOT.parent / "shared" / "data" / "cranfield"

AIMS = {"static": 0.40, "minilm": 0.43}
"""nDCG@10 by provider of embeddings."""

PLACES = 10

PASSAGES = 40
"""Asked for of each question: an abstract has up to four."""


def measure(bench: Bench) -> Result:
    """nDCG@10 with each embedder there is."""
    if not COLLECTION.is_dir():
        raise Failed(f"the collection is not in {COLLECTION}")
    files = [_written(bench.folder, number, text) for number, text in _documents()]
    relevant = _judgements()
    questions = [(n, text) for n, text in enumerate(_questions(), start=1) if n in relevant]
    questions = questions[:: bench.pick(8, 1)]
    found = {name: _asked(bench.folder / name, name, files, questions) for name in AIMS if _there(name)}
    gains = {
        name: {n: _gain(order, relevant[n]) for n, order in orders.items()} for name, orders in found.items()
    }
    rows = [
        [name, _mean([g for n, g in of.items() if n % 2]), _mean([g for n, g in of.items() if n % 2 == 0]),
         _mean(list(of.values())), AIMS[name]]
        for name, of in gains.items()
    ]  # fmt: skip
    return Result(
        [Table(f"nDCG@10 of {len(questions)} questions", ["", "odd", "even", "all", "aim"], rows)],
        {name: _mean(list(of.values())) for name, of in gains.items()},
    )


def _there(provider: str) -> bool:
    try:
        chosen(Embed.read({"provider": provider}))
    except (ConfigError, Invalid):
        return False
    return True


def _asked(
    folder: Path, provider: str, files: Sequence[Path], questions: Sequence[tuple[int, str]]
) -> dict[int, list[str]]:
    """For each question the numbers of documents, best first."""
    home = Home.fresh(folder, embed={"provider": provider})
    with Daemon(home) as daemon:
        home.drop(files)
        daemon.filed(len(files))
        say(f"{provider}: {len(files)} abstracts are stored")
        return {
            number: list(
                dict.fromkeys(Path(hit["source"]).stem for hit in home.ask("search", text, "-n", str(PASSAGES)))
            )
            for number, text in questions
        }


def _gain(order: Sequence[str], relevant: set[str]) -> float:
    gain = sum(1 / log2(place + 2) for place, name in enumerate(order[:PLACES]) if name in relevant)
    return gain / sum(1 / log2(place + 2) for place in range(min(PLACES, len(relevant))))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _documents() -> Iterator[tuple[str, str]]:
    """Number, title and text of each; two have neither."""
    for document in _elements("doc", (COLLECTION / "cran.all.1400.xml").read_text()):
        [number, title, text] = (next(_elements(tag, document)).strip() for tag in ("docno", "title", "text"))
        if title or text:
            yield number, f"{title}\n\n{text}\n"


def _questions() -> Iterator[str]:
    for title in _elements("title", (COLLECTION / "cran.qry.xml").read_text()):
        yield " ".join(title.split())


def _judgements() -> Mapping[int, set[str]]:
    """The relevant documents of each question that has any."""
    found: dict[int, set[str]] = {}
    for line in (COLLECTION / "cranqrel.trec.txt").read_text().splitlines():
        question, _, document, grade = line.split()
        if int(grade) > 0:
            found.setdefault(int(question), set()).add(document)
    return found


def _elements(tag: str, text: str) -> Iterator[str]:
    """What stands within each element of a name; the files are no well-formed XML."""
    return (match[1] for match in re.finditer(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL))


def _written(folder: Path, number: str, text: str) -> Path:
    path = folder / "abstracts" / f"{number}.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
