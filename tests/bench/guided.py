"""Guided fuzzing: one of our own parsers on inputs that libFuzzer makes to reach what no input reached before.

    pip install atheris
    python -m tests.bench.guided KIND SECONDS FOLDER

It wants atheris (Apache-2.0; wheels for x86-64 alone, so no requirement of ours). KIND is the ending of a file,
or ``sniff``. An input on which a parser raises anything but ``Rejected``, or takes longer than ``SLOW`` or more
than ``BALLOON``, is kept in FOLDER under where it happened, each place once, and the search goes on.
"""

from __future__ import annotations

import gzip
import io
import lzma
import resource
import sys
import tarfile
import time
import traceback
from contextlib import suppress
from pathlib import Path

import atheris  # type: ignore[import-not-found, unused-ignore]

with atheris.instrument_imports(include=["bouquetd.extract"], enable_loader_override=False):
    from bouquetd.errors import Rejected
    from bouquetd.extract import EXTRACTORS, UNPACKERS, Reading, extract, media_type
    from bouquetd.extract.packed import Budget, unpacked

from bouquetd.model import MB
from tests import samples

SLOW, BALLOON = 5.0, 60
"""Seconds and MB for one input of ``LONGEST`` bytes at most."""

LONGEST = 64 * 1024
SENTENCE = "Sentence one: \u00fc, e\u0301, \U0001f600 & co."


def main(kind: str, seconds: int, folder: Path) -> None:
    """Search; does not return."""
    seeds, found = _seeds(kind), folder / "faults"
    corpus = folder / "corpus"
    for place in (found, corpus):
        place.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    type_ = "" if kind == "sniff" else media_type(io.BytesIO(seeds[0]), f"a.{kind}")
    known: set[str] = set()

    def judged(data: bytes) -> None:
        before, began, fault = _peak(), time.monotonic(), ""
        try:
            _read(data, type_)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            fault = f"{type(error).__name__} in {Path(where.filename).name}:{where.lineno}"
        took, grew = time.monotonic() - began, _peak() - before
        if not fault and (took > SLOW or (grew > BALLOON and known)):
            fault = f"{took:.0f} s, {grew:.0f} MB"
        known.add("")  # the first one loads what the rest shares
        if fault and fault not in known:
            known.add(fault)
            (found / f"{kind} {fault}".replace("/", "_")).write_bytes(data)

    atheris.Setup(
        [sys.argv[0], f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=60", "-rss_limit_mb=900",
         "-verbosity=0", "-print_final_stats=1", f"-artifact_prefix={found}/", str(corpus)],
        judged,
    )  # fmt: skip
    atheris.Fuzz()


def _read(data: bytes, type_: str) -> None:
    """As the daemon reads it: its text, and what is packed in it."""
    file, reading = io.BytesIO(data), Reading(4096, 64 * 1024)
    if not type_:
        with suppress(Rejected):
            media_type(file, "a")
        return
    if type_ in UNPACKERS:
        budget = Budget(len(data), reading.bounds)
        with suppress(Rejected):
            for member in UNPACKERS[type_](file, reading):
                budget.member()
                with suppress(Rejected):
                    unpacked(member, budget, 8 * MB, 4096, lambda: None).close()
    if type_ in EXTRACTORS:
        with suppress(Rejected):
            for _ in extract(file, type_, reading):
                pass


def _seeds(kind: str) -> list[bytes]:
    """Sound files to begin with."""
    whole = samples.whole_files(SENTENCE)
    if kind == "sniff":
        return list(whole.values())
    if f"a.{kind}" in whole:
        return [whole[f"a.{kind}"]]
    inner = {"a.txt": SENTENCE.encode(), "b/c.eml": whole["a.eml"]}
    tape = io.BytesIO()
    with tarfile.open(fileobj=tape, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in inner.items():
            info = tarfile.TarInfo(name * 50 if name == "a.txt" else name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    packed = {
        "zip": samples.zip_of(dict(inner)),
        "tar": tape.getvalue(),
        "gz": gzip.compress(SENTENCE.encode()),
        "xz": lzma.compress(SENTENCE.encode()),
    }
    return [packed[kind]]


def _peak() -> float:
    """The highest RSS so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
