"""A sentence from any real document finds that document.

The documents are those of ``corpus``. A sentence is 8 to 25 words as a reader sees and copies them, taken from
the corpus's independent readings, not from our chunks. It must occur in one document only: the same licence or
option text lies in dozens of manuals, and nobody could tell which of them is meant. Of every document sampled
one sentence is asked for, and the kinds take turns.
"""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.bench import corpus
from tests.bench.corpus import KINDS, Sample

pytestmark = [pytest.mark.corpus, pytest.mark.bench, pytest.mark.timeout(3600)]

BOUQUETD = Path(sys.executable).with_name("bouquetd")

FEWEST_DOCUMENTS = 500
SENTENCES = 100
FEWEST_FOUND = 95
SEEDS = (1, 2, 3)
SHORTEST, LONGEST = 8, 25
"""Words of a sentence."""

_WORD = re.compile(r"\w+")
_END = re.compile(r"""(?<=[.!?])["')\]]*\s+(?=["'(\[]*[A-Z0-9])""")


@dataclass(frozen=True, slots=True)
class Running:
    """A daemon that has taken in the whole corpus, and what it was given."""

    config: Path
    samples: list[Sample]

    def ask(self, *arguments: str) -> Any:
        """What a command prints for scripts."""
        command = [BOUQUETD, *arguments, "--json", "--config", self.config]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout, f"{arguments} says nothing but: {done.stderr}"
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A daemon with its default options and the quick embedder, into whose inbox the corpus was copied."""
    samples = corpus.fetch()
    root = tmp_path_factory.mktemp("findability")
    config = root / "bouquetd.yaml"
    subprocess.run([BOUQUETD, "init", config], check=True, capture_output=True)
    config.write_text(config.read_text().replace("provider: minilm", "provider: static"))
    with open(root / "log", "wb") as log:
        daemon = subprocess.Popen([BOUQUETD, "run", "--config", config], stdout=log, stderr=log)
    try:
        found = Running(config, samples)
        _wait(daemon, root / "log", lambda status: status["state"] == "idle", found)
        began = time.monotonic()
        shutil.copytree(corpus.CACHE / "documents", root / "inbox", dirs_exist_ok=True)
        _wait(daemon, root / "log", lambda status: sum(status["states"].values()) >= len(samples), found)
        _wait(daemon, root / "log", lambda status: status["state"] == "idle", found)
        took, status = time.monotonic() - began, found.ask("status")
        print(
            f"\n{len(samples)} documents, {status['chunks']} chunks in {took:.0f} s,"
            f" peak RSS {status['peak_mb']:.0f} MB"
        )
        yield found
    finally:
        daemon.terminate()
        daemon.wait()


def _wait(daemon: subprocess.Popen[bytes], log: Path, condition: Any, running: Running) -> None:
    """Until the status is as wanted and nothing waits; fails when the daemon ends."""
    while True:
        assert daemon.poll() is None, log.read_text(errors="replace")[-3000:]
        status = running.ask("status")
        ready = status["running"] and status["state"] != "starting"
        if ready and status["queue"]["files"] == 0 and condition(status):
            return
        time.sleep(1)


def test_at_least_500_real_documents_of_all_seven_kinds_are_filed(running: Running) -> None:
    kinds = Counter(sample.kind for sample in running.samples)
    print("\n" + ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS))
    listed = running.ask("files", "--limit", "100000")["documents"]
    not_filed = [
        f"{row['source']}: {row['state']}: {row['reason']}" for row in listed if row["state"] != "filed"
    ]

    assert not_filed == []
    assert {row["source"] for row in listed} == {sample.source for sample in running.samples}
    assert len(listed) >= FEWEST_DOCUMENTS
    assert all(kinds[kind] >= 40 for kind in KINDS)


def test_the_store_holds_every_chunk_of_them(running: Running) -> None:
    assert running.ask("verify")["faults"] == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_sentence_finds_its_document_among_the_first_three_results(running: Running, seed: int) -> None:
    asked, found, missed = Counter[str](), Counter[str](), []
    for sample, sentence in sentences(running.samples, seed):
        hits = running.ask("search", sentence, "-n", "3")
        asked[sample.kind] += 1
        if sample.source in [hit["source"] for hit in hits]:
            found[sample.kind] += 1
        else:
            missed.append(f"{sample.source}: {sentence}")
    print(f"\nseed {seed}: {found.total()} of {asked.total()} found")
    print("\n".join(f"  {kind:<9} {found[kind]:>3} of {asked[kind]}" for kind in KINDS))
    print("\n".join(f"  missed in {line}" for line in missed))

    assert asked.total() == SENTENCES
    assert found.total() >= FEWEST_FOUND


# -- sentences --------------------------------------------------------------------------------------------


def sentences(samples: list[Sample], seed: int) -> Iterator[tuple[Sample, str]]:
    """``SENTENCES`` sentences that occur in one document each, the kinds in turn, no document twice."""
    chance = random.Random(seed)
    shuffled = {kind: [sample for sample in samples if sample.kind == kind] for kind in KINDS}
    for documents in shuffled.values():
        chance.shuffle(documents)
    texts = [_plain(sample.reading) for sample in samples]
    count = 0
    while count < SENTENCES:
        for kind in KINDS[: SENTENCES - count]:
            while True:
                assert shuffled[kind], f"too few documents of the kind {kind} have a sentence of their own"
                sample = shuffled[kind].pop()
                sentence = _own(sample, texts, chance)
                if sentence is not None:
                    break
            yield sample, sentence
            count += 1


def _own(sample: Sample, texts: list[str], chance: random.Random) -> str | None:
    """A sentence that is in no other document, if a few tries find one."""
    candidates = [] if sample.kind == "table" else list(_prose(sample.reading))
    candidates = candidates or list(_rows(sample.reading))
    for sentence in chance.sample(candidates, min(20, len(candidates))):
        plain = _plain(sentence)
        if sum(plain in text for text in texts) == 1:
            return sentence
    return None


def _prose(reading: str) -> Iterator[str]:
    """Sentences, most of whose words are words."""
    for line in reading.splitlines():
        for sentence in _END.split(line):
            words = sentence.split()
            if SHORTEST <= len(words) <= LONGEST and sum(word.strip(".,;:()").isalpha() for word in words) >= 6:
                yield sentence.strip()


def _rows(reading: str) -> Iterator[str]:
    """Rows one below the other until there are words enough, as somebody marks them in a spreadsheet."""
    words: list[str] = []
    for line in reading.splitlines():
        words += line.split()
        if len(words) >= SHORTEST:
            yield " ".join(words[:LONGEST])
            words = []


def _plain(text: str) -> str:
    """Its words alone, between blanks."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "
