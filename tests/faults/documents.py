"""Documents of every kind, made up from a vocabulary: as varied as real text, the same for the same seed."""

import random
import tempfile
import textwrap
from contextlib import suppress

from bouquetd import extract
from bouquetd.chunk import chunk
from bouquetd.errors import Rejected
from tests import samples

KINDS = ("txt", "md", "html", "pdf", "docx", "csv", "json", "jsonl", "zip", "eml")

SIZE, OVERLAP = 300, 40
"""Characters of a chunk: few, since Chroma's time goes with its text, and shards must be large."""

CHARACTERS = 190
"""Of text in a chunk that are in no other, about."""

STEMS = """
    harbour lantern meadow granite ledger copper thistle window engine river archive signal orchard valley
    hammer cotton mirror compass feather kettle bridge saddle timber canvas pebble garden market winter
    captain teacher printer merchant surgeon gardener pilot weaver voyage measure balance season pressure
    current surface column circle journey chapter letter figure pattern method question answer reason
    memory shadow colour silence weather distance interval threshold boundary reservoir turbine furnace
    vaccine protein mineral crystal solvent enzyme planet comet orbit glacier sediment delta lagoon reef
    treaty statute verdict senate charter pension tariff ballot budget invoice warranty contract deposit
"""
VERBS = """
    carries follows measures describes explains protects replaces connects divides gathers reports remembers
    resembles supports controls observes compares corrects delays repeats produces contains surrounds admits
"""
SMALL = "the a this that every no some another its their of in under above between without because while"


def text(rng: random.Random, chunks: float) -> list[str]:
    """Paragraphs that make about so many chunks, each document with favourite words of its own."""
    favourites = rng.sample(STEMS.split(), 24)
    paragraphs, wanted = [], int(chunks * CHARACTERS)
    while wanted > 0:
        paragraph = " ".join(_sentence(rng, favourites) for _ in range(rng.randint(3, 7)))
        paragraphs.append(paragraph)
        wanted -= len(paragraph) + 2
    return paragraphs


def _sentence(rng: random.Random, favourites: list[str]) -> str:
    stems, verbs, small = STEMS.split(), VERBS.split(), SMALL.split()
    words = []
    for _ in range(rng.randint(2, 5)):
        noun = rng.choice(favourites if rng.random() < 0.6 else stems)
        words += [rng.choice(small), noun, rng.choice(verbs), rng.choice(small), rng.choice(stems)]
    if rng.random() < 0.3:
        words.append(f"in {rng.randint(1500, 2030)}")
    return " ".join(words).capitalize() + "."


def document(kind: str, rng: random.Random, chunks: float) -> bytes:
    """A file of this kind that makes about so many chunks."""
    paragraphs = text(rng, chunks)
    match kind:
        case "txt":
            return "\n\n".join(paragraphs).encode()
        case "md":
            return "\n\n".join(f"## {p.split()[1]}\n\n{p}" for p in paragraphs).encode()
        case "html":
            return samples.html(paragraphs)
        case "docx":
            return samples.docx(paragraphs)
        case "pdf":
            lines = [line for p in paragraphs for line in [*textwrap.wrap(p, 90), ""]]
            return samples.pdf(["\n".join(lines[n : n + 50]) for n in range(0, len(lines), 50)])
        case "csv":
            return samples.csv([["number", "text"], *enumerate(paragraphs)])
        case "json":
            return samples.json({"sections": [{"number": n, "text": p} for n, p in enumerate(paragraphs)]})
        case "jsonl":
            return samples.jsonl([{"number": n, "text": p} for n, p in enumerate(paragraphs)])
        case "zip":
            parts = {f"part.{kind}": document(kind, rng, chunks / 3) for kind in ("txt", "html", "jsonl")}
            return samples.zip_of(parts)
        case "eml":
            attached = {f"part.{kind}": document(kind, rng, chunks / 3) for kind in ("md", "docx")}
            return samples.eml("\n\n".join(text(rng, chunks / 3)), attached=attached)
    raise ValueError(kind)


def broken_half_way(rng: random.Random, chunks: float) -> bytes:
    """JSON lines of which the last is none: they are stored up to there, and must all go again."""
    return document("jsonl", rng, chunks) + b'{"number": \n'


def count(source: str, data: bytes) -> int:
    """Chunks that bouquetd makes of a file and of what is packed in it, up to where it turns out broken."""
    number, reading = 0, extract.Reading()
    with tempfile.TemporaryFile() as file, suppress(Rejected):
        file.write(data)
        file.flush()
        media_type = extract.media_type(file, source)
        for member in extract.members(file, media_type, reading) or ():
            number += count(member.name, member.open().read())
        pieces = extract.extract(file, media_type, reading) if extract.has_text(media_type) else ()
        for _ in chunk(pieces, SIZE, OVERLAP):
            number += 1
    return number
