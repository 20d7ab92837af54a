"""An operator's questions and troubles: answered by one documented command, everywhere in the same words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.readme import commands
from tests.system.served import ARCHIVE, FAILED, Served

pytestmark = [pytest.mark.system, pytest.mark.long]

NIGHT = "The bittern booms in the reeds at dusk, and nobody knows why."


def test_each_question_of_the_readme_is_answered_by_its_commands(machine: Served) -> None:
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    large = b"The corncrake calls all night in the hay meadow.\n" + b"\n" * 120 * 1024**2
    machine.drop({"note.txt": NIGHT.encode(), "broken.pdf": b"%PDF-1.4 no end", "large.txt": large})
    machine.drop({f"wrong/{n}.txt": f"Dropped by mistake, number {n}.".encode() for n in range(500)})
    machine.done(180)

    def asked(question: str) -> str:
        return machine.out(commands(question).replace("bouquetd top", "bouquetd top --once"))

    said = asked("Why is it slow now?")
    assert said.startswith("bouquetd is idle\n")
    assert "limit" in said

    said = asked("Which files failed, and why?")
    assert re.search(r"broken\.pdf .*The PDF is truncated", said)
    assert re.search(r"large\.txt .*inbox\.max_file_size is 50 MB", said)
    assert "what to do" in said

    asked("A file of 120 MB was refused")
    machine.until(lambda: "large.txt" in machine.files(ARCHIVE), "it is let through", 120)
    machine.done()

    said = asked("How much memory did last night take, and which file took it?")
    assert re.search(r"Highest [\d.]+ MB, \d+% of memory\.limit \(500 MB\)", said)
    assert re.search(r"\d MB at \d\d:\d\d  \S+", said)
    assert "<svg" in machine.out("cat memory.html")

    said = asked("Is my document in there, and is it found?")
    assert "note.txt: filed" in said
    assert "1. note.txt" in said

    said = asked("500 files were dropped by mistake")
    assert said.count(": forgotten") == 500
    assert not any(source.startswith("wrong/") for source in machine.sources("Dropped by mistake", n=10))
    assert machine.status()["state"] == "idle"

    asked("The inbox is to lie elsewhere")
    machine.run(
        "echo 'The garganey rattles on the ditch.' >/tmp/duck.txt; cp /tmp/duck.txt /srv/papers/", user="anna"
    )
    machine.until(lambda: "duck.txt" in machine.files(ARCHIVE), "the new inbox is watched", 60)
    assert machine.sources("garganey")[0] == "duck.txt"
    assert machine.sources("bittern")[0] == "note.txt"
    assert machine.verified()["documents"] == 3
    assert machine.files(FAILED) == ["broken.pdf", "broken.pdf.error"]


def told(machine: Served) -> dict[str, str]:
    """What each place says just now."""
    return {
        "status": machine.run("bouquetd status", check=False).stdout,
        "doctor": machine.run("bouquetd doctor", check=False, timeout=120).stdout,
        "STATUS": machine.unit("StatusText"),
        "journal": machine.said(),
    }


@contextmanager
def trouble(machine: Served, state: str, words: str) -> Iterator[dict[str, str]]:
    """While it lasts all places say the same of it; afterwards none but the journal does."""
    machine.until(lambda: machine.status().get("state") == state, f"it is {state}", 60)
    machine.until(lambda: words in machine.unit("StatusText"), f"systemctl says {words}", 10)
    said = told(machine)
    for place, text in said.items():
        assert words in text, (place, said)
    assert said["status"].startswith(f"bouquetd is {state}: ")
    assert said["STATUS"].startswith(f"{state.capitalize()}: ")
    yield said
    machine.until(lambda: machine.status().get("state") in ("idle", "working"), f"it is no longer {state}", 120)
    machine.done()
    after = told(machine)
    for place in ("status", "doctor", "STATUS"):
        assert words not in after[place], (place, after)


def test_of_each_trouble_status_doctor_systemctl_and_journal_say_the_same_and_the_remedy_works(
    machine: Served,
) -> None:
    machine.bring_mischief()
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    owner = "bouquetd"

    machine.run("bouquetd pause --reason inventory")
    with trouble(machine, "paused", "by the operator") as said:
        assert "bouquetd resume" in said["doctor"]
        machine.drop({"waits.txt": b"The whimbrel waits."})
        machine.run(machine.status()["remedy"])
    assert machine.sources("whimbrel") == ["waits.txt"]

    machine.run("systemctl stop bouquetd-chroma")
    machine.drop({"held.txt": b"The dunlin is held up."})
    with trouble(machine, "holding", "Connection refused") as said:
        [remedy] = set(re.findall(r"systemctl start bouquetd-chroma", said["status"]))
        assert remedy in said["STATUS"]
        machine.run(remedy)
    assert machine.sources("dunlin")[0] == "held.txt"

    # A limit just above what it takes: the mark for throttling is below that, the one for resuming farther.
    # Most of it came with a file, or the limit would be refused as too small to work with.
    machine.drop({"ballast.hold": b"hold"})
    machine.done()
    machine.until(lambda: machine.status()["rss_mb"] > 150, "the status tells of the ballast", 20)
    machine.configure({"memory.limit": f"{int(machine.status()['rss_mb'] / 0.85)}MB"})
    machine.run("systemctl reload bouquetd")
    with trouble(machine, "throttled", "hrottled: "):
        machine.configure({"memory.limit": "500MB"})
        machine.run("systemctl reload bouquetd")

    machine.run(f"mount -t tmpfs -o size=64k,mode=2750,uid={owner},gid={owner} tmpfs {ARCHIVE}")
    machine.run("systemctl restart bouquetd")
    machine.until(machine.ready, "it is back", 60)
    machine.drop({"big.txt": b"The ruff displays. " * 8000})
    with trouble(machine, "holding", "No space left") as said:
        machine.run(f"mount -o remount,size=4g {ARCHIVE}")
    assert machine.sources("ruff")[0] == "big.txt"

    yaml = "/etc/bouquetd/bouquetd.yaml"
    machine.run(f"cp {yaml} /root/sound.yaml; echo 'memory: [' >>{yaml}")
    assert machine.run("systemctl reload bouquetd", check=False).returncode != 0
    for command in ("status", "doctor", "check"):
        broken = machine.run(f"bouquetd {command}", check=False)
        assert broken.returncode != 0
        assert re.search(r"bouquetd\.yaml:\d+: not valid YAML", broken.stdout + broken.stderr), (
            command,
            broken,
        )
    assert machine.unit("ActiveState") == "active"
    machine.run(f"cp /root/sound.yaml {yaml}; systemctl reload bouquetd")
    assert machine.run("bouquetd check --quiet", check=False).returncode == 0

    machine.run(
        "cd /etc/systemd/system; cp /lib/systemd/system/bouquetd.service .; echo '# mine' >>bouquetd.service;"
        " systemctl daemon-reload"
    )
    told_so = machine.run("bouquetd doctor", check=False).stdout
    [remedy] = re.findall(r"^ +(systemctl revert .*)$", told_so, re.MULTILINE)
    machine.run(remedy)
    machine.run("systemctl daemon-reload")
    healed = machine.run("bouquetd doctor", check=False)
    assert "systemctl revert" not in healed.stdout
    assert (healed.returncode, "FAIL" in healed.stdout) == (0, False), healed.stdout
    assert machine.waiting() == []
