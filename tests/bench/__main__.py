"""``python -m tests.bench [--short] [--output DIR] [NAME ...]``: measure, print, keep, draw.

Each measurement works in processes of its own and in a folder beside its results, which is removed afterwards.
Figures are worth something as ratios within one run, or between runs on one quiet machine; nothing here asserts
anything about time. Exit status 1 says that a run itself failed: a file in failed/, a store that is not what
the ledger says, a needle not found.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import (
    answers,
    ceiling,
    costs,
    cranfield,
    embedders,
    entities,
    formats,
    fuzz,
    idle,
    kills,
    large,
    layouts,
    machine,
    million,
    operation,
    pictures,
    recall,
    remote,
    resume,
    searches,
    small,
    speed,
)
from tests.bench.peers import beside
from tests.bench.process import Bench
from tests.bench.report import Failed, Result, gather, left, write
from tests.bench.text import pool

MEASUREMENTS: dict[str, Callable[[Bench], Result]] = {
    "embedders": embedders.measure,
    "speed": speed.measure,
    "peers": beside.measure,
    "small": small.measure,
    "large": large.measure,
    "layouts": layouts.measure,
    "resume": resume.measure,
    "fuzz": fuzz.measure,
    "idle": idle.measure,
    "answers": answers.measure,
    "costs": costs.measure,
    "operation": operation.measure,
    "remote": remote.measure,
    "formats": formats.measure,
    "entities": entities.measure,
    "ceiling": ceiling.measure,
    "million": million.measure,
    "searches": searches.measure,
    "kills": kills.measure,
    "recall": recall.measure,
    "cranfield": cranfield.measure,
}
"""By name, in the order in which they are run."""

LONG = ("layouts", "ceiling", "million", "searches", "kills", "recall", "cranfield")
"""Half an hour or more each, or what is not on every machine is needed: run only when named."""


def main() -> int:
    """Run what was asked for; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__.partition("\n\n")[2])
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"of {', '.join(MEASUREMENTS)}; default: all but {', '.join(LONG)}",
    )
    parser.add_argument("--short", action="store_true", help="smaller sizes, a few minutes in all")
    parser.add_argument(
        "--output", type=Path, default=Path("bench-results"), metavar="DIR",
        help="where figures, pictures and report.md go, beside those of earlier runs; default: %(default)s; the"
        " ones that the README shows lie in tests/bench/results",
    )  # fmt: skip
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(MEASUREMENTS):
        parser.error(f"no measurement is called {', '.join(sorted(unknown))}")
    output = asked.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    facts = machine.facts()
    print("; ".join(f"{key} {value}" for key, value in facts.items()))
    try:
        size = sum(map(len, pool()))
    except Failed as error:
        parser.exit(1, f"{error}\n")
    print(f"{size / 1e6:.1f} million characters of distinct real text\n", flush=True)
    failures = 0
    for name in asked.names or (name for name in MEASUREMENTS if name not in LONG):
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=output) as folder:
            try:
                result = MEASUREMENTS[name](Bench(asked.short, Path(folder)))
            except Failed as error:
                failures += 1
                print(f"{name} failed: {error}\n", file=sys.stderr, flush=True)
                continue
        print(f"{result}\n\n({name} took {time.monotonic() - began:.0f} s)\n", flush=True)
        write(output, name, result, facts)
        found = left(output, list(MEASUREMENTS))
        gather(output, found, pictures.draw(output, found))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
