"""Recall: of the words that other readers see in real files, how many bouquetd's text has.

Every file of ``gathered`` goes through ``bouquetd.extract`` in a process of its own, which may crash, hang or
want too much without harm to the others. What comes out is compared, word by word and each as often as it
occurs, with what the readers of ``references`` agree upon. A file that is refused though they found text counts
as one of which nothing was read, unless its kind is in ``NOT_READ``.

``python -m tests.bench.recall PART ...`` says of each file whose path has a part in it which words are missing.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO, TextIO

from bouquetd.config import Bounds
from bouquetd.errors import Rejected
from bouquetd.extract import Reading as Instructions
from bouquetd.extract import extract, has_text, load, media_type, members
from bouquetd.extract.packed import Budget, unpacked
from bouquetd.model import MB
from tests.bench import gathered, references, tools
from tests.bench.gathered import File
from tests.bench.machine import forget_peak, memory
from tests.bench.process import Bench, say
from tests.bench.report import Failed, Result, Table

NOT_READ = frozenset({"xlsb"})
"""Kinds that bouquetd does not read and says so."""

PATIENCE = 60.0
"""Seconds after which a file hangs."""

ROOM = 1024 * MB
"""Bytes of address space that one file may take."""

FEWEST_FILES = 300
FEWEST_WORDS = 5
"""Words of a reference from which a share of them says something."""

GOOD = 0.90
LEAST_MEDIAN, LEAST_GOOD = 0.97, 0.95

READ, REJECTED, CRASHED, HUNG = "read", "rejected", "crashed", "hung"


@dataclass(frozen=True, slots=True)
class Reading:
    """How it went with one file: an outcome, why, the text, how many MB the process grew, seconds."""

    outcome: str
    reason: str
    text: str
    grew: float
    took: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """One file judged. ``recall`` is None where there is nothing to compare with."""

    kind: str
    source: str
    outcome: str
    reason: str
    words: int
    recall: float | None
    grew: float
    took: float


def measure(bench: Bench) -> Result:
    """Judge every file, or a quarter of them; fails when bouquetd misses too much of what others read."""
    tools.need()
    files = gathered.fetch()[:: bench.pick(4, 1)]
    references.prepare(files)
    load("application/pdf")
    verdicts = [_judged(file, bench.folder) for file in files]
    kept = bench.folder.parent / "recall-files.json"
    kept.write_text(json.dumps([asdict(verdict) for verdict in verdicts], indent=1))
    judged = [verdict.recall for verdict in verdicts if verdict.recall is not None]
    median, good = statistics.median(judged), _share(judged)
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    result = Result(
        [
            Table(
                f"Recall of {len(verdicts)} files",
                [
                    "kind", "files", "judged", "median", "5th percentile", f"share >= {GOOD:.2f}", REJECTED,
                    CRASHED, HUNG, "largest growth MB", "slowest s",
                ],
                [*_rows(verdicts), _row("all", verdicts)],
            ),
            Table("The worst", ["kind", "recall", "words", "file"], _worst(verdicts)),
            Table("Not read", ["kind", "outcome", "files", "reason", "one of them"], _not_read(verdicts)),
        ],
        {"files": len(verdicts), "judged": len(judged), "median": median, "good": good, "outcomes": outcomes},
        [
            f"{len(judged)} files judged: median {median:.3f}, {good:.1%} have {GOOD:.2f} or more. Each is in"
            f" {kept.name}; `python -m tests.bench.recall NAME` says what it misses."
        ],
    )  # fmt: skip
    wrong = [
        what
        for what, is_so in (
            (f"fewer than {FEWEST_FILES} files were judged", len(judged) < bench.pick(50, FEWEST_FILES)),
            (f"the median is under {LEAST_MEDIAN:.2f}", median < LEAST_MEDIAN),
            (f"fewer than {LEAST_GOOD:.0%} of files have {GOOD:.2f}", good < LEAST_GOOD),
            (f"{outcomes[CRASHED]} crashed", outcomes[CRASHED] > 0),
            (f"{outcomes[HUNG]} hung", outcomes[HUNG] > 0),
        )
        if is_so
    ]
    if wrong:
        raise Failed(f"{'; '.join(wrong)}\n\n{result}")
    return result


def _judged(file: File, folder: Path) -> Verdict:
    ours, wanted = _read(file, folder), references.agreed(references.readings(file))
    recall = None
    if wanted.total() >= FEWEST_WORDS and not (ours.outcome == REJECTED and file.kind in NOT_READ):
        recall = (wanted & references.words(ours.text)).total() / wanted.total()
    return Verdict(
        file.kind, file.source, ours.outcome, ours.reason, wanted.total(), recall, ours.grew, ours.took
    )


# -- our side ---------------------------------------------------------------------------------------------


def _extract(path: Path, into: TextIO) -> None:
    """All that bouquetd reads in a file and in what is packed in it; as there, one of them may be refused."""
    with open(path, "rb") as file:
        _extract_open(file, path.name, into)


def _extract_open(file: BinaryIO, name: str, into: TextIO) -> None:
    kind, reading, budget = media_type(file, name), Instructions(), Budget(MB, Bounds())
    for member in members(file, kind, reading) or ():
        with suppress(Rejected), unpacked(member, budget, 50 * MB, MB // 4, lambda: None) as inner:
            _extract_open(inner, member.name or Path(name).stem, into)
    for piece in extract(file, kind, reading) if has_text(kind) else ():
        into.write(piece.text)


def _read(file: File, folder: Path) -> Reading:
    """The text of a file, from a process that is ended when it hangs."""
    forking = multiprocessing.get_context("fork")  # libraries are warm there, as they are in the daemon
    receiver, sender = forking.Pipe(duplex=False)
    text = folder / "text"
    text.unlink(missing_ok=True)
    process, began = forking.Process(target=_child, args=(file.path, text, sender)), time.monotonic()
    process.start()
    sender.close()
    outcome, reason, grew = HUNG, f"after {PATIENCE:.0f} s", 0.0
    try:
        if receiver.poll(PATIENCE):
            outcome, reason, grew = receiver.recv()
    except EOFError:
        process.join()
        outcome, reason = CRASHED, f"exit code {process.exitcode}"
    process.kill()
    process.join()
    took = time.monotonic() - began
    said = text.read_text("utf-8", "surrogatepass") if text.exists() else ""
    return Reading(outcome, reason, "" if outcome == REJECTED else said, grew, took)


def _child(path: Path, text: Path, answer: Connection) -> None:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, used + ROOM))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    forget_peak()
    before = memory()[0]
    outcome, reason = READ, ""
    try:
        with open(text, "w", encoding="utf-8", errors="surrogatepass") as into:
            _extract(path, into)
    except Rejected as error:
        outcome, reason = REJECTED, error.reason
    except BaseException as error:
        outcome, reason = CRASHED, f"{type(error).__name__}: {error}"
    answer.send((outcome, reason, memory()[1] - before))


# -- tables -----------------------------------------------------------------------------------------------


def _share(recalls: Sequence[float]) -> float:
    return sum(recall >= GOOD for recall in recalls) / len(recalls)


def _rows(verdicts: Sequence[Verdict]) -> list[list[object]]:
    kinds = defaultdict[str, list[Verdict]](list)
    for verdict in verdicts:
        kinds[verdict.kind].append(verdict)
    return [_row(kind, kinds[kind]) for kind in sorted(kinds)]


def _row(kind: str, verdicts: Sequence[Verdict]) -> list[object]:
    recalls = sorted(verdict.recall for verdict in verdicts if verdict.recall is not None)
    outcomes = Counter(verdict.outcome for verdict in verdicts)
    figures = ["-", "-", "-"]
    if recalls:
        figures = [
            f"{statistics.median(recalls):.3f}",
            f"{recalls[len(recalls) // 20]:.3f}",
            f"{_share(recalls):.0%}",
        ]
    return [
        kind, len(verdicts), len(recalls), *figures, outcomes[REJECTED], outcomes[CRASHED], outcomes[HUNG],
        max(verdict.grew for verdict in verdicts), max(verdict.took for verdict in verdicts),
    ]  # fmt: skip


def _worst(verdicts: Sequence[Verdict]) -> list[list[object]]:
    """At most three of a kind under ``GOOD`` that were read."""
    shown, rows = Counter[str](), list[list[object]]()
    for verdict in sorted(verdicts, key=lambda verdict: (verdict.kind, verdict.recall or 0)):
        if verdict.recall is None or verdict.recall >= GOOD or verdict.outcome != READ:
            continue
        shown[verdict.kind] += 1
        if shown[verdict.kind] <= 3:
            rows.append([verdict.kind, f"{verdict.recall:.3f}", verdict.words, verdict.source])
    return rows


def _not_read(verdicts: Sequence[Verdict]) -> list[list[object]]:
    """Why files were refused or came to grief, and whether they have text for others."""
    why = defaultdict[tuple[str, str, str], list[Verdict]](list)
    for verdict in verdicts:
        if verdict.outcome != READ:
            reason = verdict.reason + ("" if verdict.recall is not None else " (nothing to compare with)")
            why[verdict.kind, verdict.outcome, reason].append(verdict)
    return [
        [kind, outcome, len(of), reason, of[0].source] for (kind, outcome, reason), of in sorted(why.items())
    ]


def _explain(parts: Sequence[str]) -> None:
    """Print what is missing in the files whose paths have one of the parts."""
    load("application/pdf")
    files = [file for file in gathered.fetch() if any(part in file.source for part in parts)]
    references.prepare(files)
    for file in files:
        with tempfile.TemporaryDirectory() as folder:
            ours = _read(file, Path(folder))
        readings = references.readings(file)
        wanted, have = references.agreed(readings), references.words(ours.text)
        missing = wanted - have
        say(f"\n{file.source}: {ours.outcome} {ours.reason}, {ours.grew:.0f} MB, {ours.took:.1f} s")
        say(f"  words by reader: {[references.words(said).total() for said in readings]}, ours {have.total()}")
        say(f"  missing {missing.total()} of {wanted.total()}: {dict(missing.most_common(40))}")
        say(f"  what we have beyond: {dict((have - wanted).most_common(20))}")


if __name__ == "__main__":
    _explain(sys.argv[1:])
