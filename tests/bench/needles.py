"""Ten documents of one sentence each, unlike all others, to be found again wherever they lie."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.process import Home
from tests.bench.report import Failed

TEXTS = (
    "The lighthouse keeper of Skerry Vore counted four thousand barnacles on the northern step before"
    " breakfast, wrote the sum into a green notebook, and fed the two grey seals that had waited for him.",
    "Aunt Philomena's quince marmalade needs eleven quinces, a copper kettle, the peel of one bitter orange"
    " and a cellar that faces away from the railway, for the trains shake the jars and cloud the jelly.",
    "On the glacier above Zinal the cartographers buried a brass theodolite under a cairn of slate, so that"
    " the next expedition might measure again how far the ice had crept towards the larch trees.",
    "Every Thursday the puppeteer of Ljubljana repaints the moustache of his wooden hussar with walnut juice,"
    " since the schoolchildren kiss it for luck and carry the colour home on their mittens.",
    "The beekeeper's widow sold her hives to a monastery near Salamanca, where the friars play the cello to"
    " the swarms at dusk and swear that the honey tastes of lavender and slow sarabandes.",
    "When the herring fleet of Stornoway came home in fog, the baker rang a cracked ship's bell from his"
    " chimney and burned cinnamon bark, and the skippers steered for the smell of his buns.",
    "A retired tram conductor in Antwerp keeps ninety umbrellas that passengers forgot, dries them on his"
    " balcony in alphabetical order, and lends the parrot-headed one to brides on rainy Saturdays.",
    "Under the floor of the observatory at Tartu a tortoise named Magdalena has hibernated since the comet"
    " winter, beside a crate of unripe pears and the broken pendulum of the astronomer's clock.",
    "The saffron merchants of Khorasan weigh their threads against apricot stones, because a dishonest uncle"
    " once hollowed out the brass weights and filled them with candle wax and river sand.",
    "Our village fire brigade owns a velvet curtain, a stuffed heron and one hose, and rehearses each spring"
    " the opera about the drowned miller, with real water in the second act.",
)


def plant(folder: Path, files: Sequence[Path]) -> list[Path]:
    """The files in their order, a needle before the first, one after the last, the others evenly between."""
    gaps = len(TEXTS) - 1
    planted = list[Path]()
    for number, text in enumerate(TEXTS):
        path = folder / f"needle-{number}.txt"
        path.write_text(text + "\n", encoding="utf-8")
        planted += [path, *files[number * len(files) // gaps : (number + 1) * len(files) // gaps]]
    for number, path in enumerate(planted):
        os.utime(path, (1_700_000_000 + number,) * 2)
    return planted


def find(home: Home, number: int) -> dict[str, Any]:
    """Ask for the middle of a needle; fails when its document is not among the first three answers."""
    words = " ".join(TEXTS[number].split()[5:17])
    began = time.monotonic()
    hits = home.ask("search", words, "-n", "3")
    seconds = time.monotonic() - began
    sources = [hit["source"] for hit in hits]
    if (name := f"needle-{number}.txt") not in sources:
        raise Failed(f"needle {number} was not found by {words!r}; found {sources}")
    rank = sources.index(name)
    shard = home.ledger(f"SELECT shard FROM placements WHERE document = '{hits[rank]['document']}'")
    return {
        "needle": number,
        "shard": shard[0] if shard else None,
        "rank": rank + 1,
        "distance": hits[rank]["distance"],
        "seconds": seconds,
    }
