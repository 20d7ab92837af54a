"""A reindexing that is killed ten times, and asked all the while: of 5,000 chunks, or in full of 20,000."""

import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from bouquetd.control import SOCKET, request
from bouquetd.errors import Unavailable
from bouquetd.store.embedded import Embedded
from tests import another
from tests.harness import Home, prose, until

pytestmark = pytest.mark.long

KILLS = 10
LAST = 0.75
"""How far it is when it is killed for the last time: what is left must outlast the answer waited for."""

TAKES = 0.004
"""Seconds for a text, so that the quickest machine is killed half-way too."""

LIMIT = 500
"""MB, the default of ``memory.limit``."""

CHUNKS = {5_000: 9, 20_000: 40}
"""Chunks of 800 characters, with what they overlap, and the files of 350,000 that so many come of."""


class Asking(threading.Thread):
    """Asks the same question over and over, as a command would; counts the answers, which never change."""

    def __init__(self, home, question, ids):
        super().__init__(daemon=True)
        self.socket, self.question, self.ids = home.runtime / SOCKET, question, ids
        self.done = threading.Event()
        self.answers, self.wrong = 0, []

    def run(self):
        while not self.done.wait(0.2):
            try:
                found = request(
                    self.socket,
                    "search",
                    60.0,
                    question=self.question,
                    n=3,
                    context=0,
                    merged=True,
                    conditions={},
                )["passages"]
            except Unavailable:  # nobody is there, or was killed over it
                continue
            self.answers += 1
            if [passage["ids"] for passage in found] != self.ids:
                self.wrong.append(found)


def share(home, pid):
    """How far the process says that it is."""
    try:
        seen = json.loads((home.runtime / "status.json").read_text())
    except OSError:
        return None
    return seen["share"] if seen["pid"] == pid else None


def peak(pid):
    """The most memory that a process ever had, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def stored(home, generation):
    chroma = Embedded(home.root / "store")
    chroma.generation = generation
    found = {}
    for name in sorted(chroma.names()):
        for record in chroma.get(name, sorted(chroma.ids(name))).values():
            found[record.metadata["source"], record.metadata["chunk"]] = record.text, record.vector
    chroma.close()
    return found


@pytest.mark.parametrize("chunks", [5_000, pytest.param(20_000, marks=pytest.mark.campaign)])
def test_it_ends_complete_with_every_question_answered_and_within_memory(tmp_path, chunks):
    home = Home(tmp_path / "home", {"memory": {"limit": f"{LIMIT}MB"}})
    sizes = [350_000] * CHUNKS[chunks] + [1_500] * 360
    texts = {f"{n}.txt": prose(size, n) for n, size in enumerate(sizes)}
    for source, text in texts.items():
        home.put(source, text)
    assert home.process("once").status == 0
    before = stored(home, 0)
    assert len(before) >= chunks
    slow = f"{another.PATCH}\nanother.Another.takes = {TAKES}"
    program = f"{slow}\nimport sys\nfrom bouquetd.cli import main\nmain()"
    command = [sys.executable, "-c", program, "reindex", "-c", str(home.yaml)]
    chance, began = random.Random(6), time.monotonic()
    question = texts["7.txt"][100_000:].split(". ")[1]
    asking = Asking(
        home, question, [hit["ids"] for hit in home.cli("search", question, "-n", "3", "--json").json]
    )
    asking.start()
    highest, answered = 0.0, []
    for number in range(KILLS + 1):
        mark = LAST * (number + chance.random()) / KILLS if number < KILLS else 2.0
        with open(home.root / "reindex.log", "ab") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=Path(__file__).parents[2])
        asked = asking.answers
        while process.poll() is None and (share(home, process.pid) or 0) < mark:
            try:
                highest = max(highest, peak(process.pid))
            except (OSError, StopIteration):  # it has just ended
                break
            time.sleep(0.02)
        if number < KILLS:
            time.sleep(chance.random())
            assert process.poll() is None, (home.root / "reindex.log").read_text()[-2000:]
            until(lambda asked=asked: asking.answers > asked, "a question is answered")
            highest = max(highest, peak(process.pid))
            process.kill()
        assert process.wait() == (0 if number == KILLS else -9), (home.root / "reindex.log").read_text()[-2000:]
        answered.append(asking.answers - asked)
    asking.done.set()
    asking.join()
    print(f"peak {highest:.0f} MB, answers {answered}, {time.monotonic() - began:.0f} s")
    assert not asking.wrong
    assert all(answered)
    assert highest < LIMIT
    after = stored(home, 1)
    assert {place: text for place, (text, _) in after.items()} == {p: text for p, (text, _) in before.items()}
    vectors = another.Another().embed([text for text, _ in after.values()])
    assert np.allclose(np.stack([vector for _, vector in after.values()]), vectors, atol=1e-5)
    assert stored(home, 0) == {}
    with another.wanted():
        assert home.cli("verify").status == 0
