"""Everyday life under systemd: files dropped and found, reload, stop, reboot, the clock, two inboxes."""

from __future__ import annotations

import json
import random
import re
import time
from pathlib import Path

import pytest

from tests import samples
from tests.faults.documents import document
from tests.system.served import ARCHIVE, FAILED, INBOX, Served

pytestmark = [pytest.mark.system, pytest.mark.long]

SENTENCE = "The lighthouse keeper counted forty-two albatrosses before the storm."


def halfway(machine: Served, chunks: int) -> None:
    """Wait until a file is on its way, so many chunks of it done."""
    machine.until(
        lambda: (machine.status().get("current") or {}).get("chunks", 0) >= chunks,
        f"{chunks} chunks are done",
        90,
    )


def test_a_member_of_the_group_drops_files_of_every_kind_and_finds_them_through_the_chroma_server(
    machine: Served,
) -> None:
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    files = {
        name: data.replace(b"The quick", name.encode() + b": the quick") if name.endswith(".txt") else data
        for name, data in samples.whole_files(SENTENCE).items()
    }
    files |= {
        f"more/{kind}/one.{kind}": document(kind, random.Random(kind), 12)
        for kind in ("txt", "md", "html", "pdf", "docx", "csv", "json", "jsonl")
    }
    real = {
        f"real/{path.replace('/', '_')}": (machine.root / path.lstrip("/")).read_bytes()
        for path in machine.out("find /usr/share/doc -type f -size +2k -size -200k | head -20").split()
        if not path.endswith(".gz")
    }
    machine.drop(files | real)
    machine.done()

    assert not machine.files(FAILED)
    assert len(machine.files(ARCHIVE)) == len(files) + len(real)
    assert machine.out(f"stat -c '%U %G %a' {ARCHIVE}/{machine.files(ARCHIVE)[0]}").split()[1] == "bouquetd"
    stored = machine.stored()["bouquet"]
    found = machine.search(SENTENCE, n=30)
    assert SENTENCE in found[0]["text"]
    assert {hit["source"] for hit in found} <= set(stored)
    assert machine.verified()["chunks"] == sum(stored.values())

    # The journal serves a person, a monitor and a script.
    lines = machine.said("-g", r"\[MEMORY\]").splitlines()
    assert len(lines) > 5
    assert all(line.startswith("[MEMORY] ") for line in lines)
    entries = machine.entries("-g", r"\[MEMORY\] Embedding")
    for entry in entries:
        assert entry["BOUQUETD_STAGE"] == "embed"
        assert len(entry["BOUQUETD_DIGEST"]) == 64
        assert entry["BOUQUETD_DOCUMENT"]
        assert 50 < float(entry["BOUQUETD_RSS_MB"]) < 500
        assert entry["PRIORITY"] == "6"
    assert {e["BOUQUETD_EVENT"] for e in machine.entries("BOUQUETD_EVENT=stored")} == {"stored"}
    assert not machine.said("-p", "warning")
    assert SENTENCE not in machine.out("journalctl -q --no-pager")


def status_lines(machine: Served) -> list[str]:
    """What `systemctl status` shows a user of the daemon's own line; one look, for it changes each second."""
    shown = machine.out("systemctl status bouquetd --no-pager || true", user="anna")
    return [line for line in shown.splitlines() if line.strip().startswith("Status:")]


def test_the_status_line_says_what_a_person_wants_to_know(machine: Served) -> None:
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    machine.drop({"big.txt": document("txt", random.Random("line"), 12000), "next.txt": b"Next. " * 99})
    halfway(machine, 200)
    line = machine.until(
        lambda: next((s for s in status_lines(machine) if "big.txt" in s and "%" in s), ""),
        "it is told",
        20,
    )
    assert "of 500 MB" in line
    assert re.search(r"\b[01] files? waiting", line)
    assert "chunks/s" in line
    told = machine.run("bouquetd status", user="anna")
    assert told.stdout.startswith("bouquetd is working")


def test_strange_files_are_told_in_one_line_each_without_their_content(machine: Served) -> None:
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    machine.drop(
        {"bad\x1b[31m\nname.pdf": b"%PDF-1.4 secret content", "pictures.zip": samples.zip_of_pictures()}
    )
    machine.done()
    warnings = machine.entries("-p", "warning")
    assert len(warnings) == 2
    assert all(e["BOUQUETD_EVENT"] == "rejected" and e["PRIORITY"] == "4" for e in warnings)
    text = machine.said("-p", "warning")
    assert "\x1b" not in text
    assert "secret" not in text
    assert len(text.splitlines()) == 2

    machine.drop({f"storm/{n}.pdf": b"%PDF-1.4 no" + str(n).encode() for n in range(300)})
    machine.done()
    assert len(machine.files(FAILED / "storm")) == 2 * 300
    assert len(machine.entries("-p", "warning")) < 60


def test_what_a_member_copies_or_moves_is_taken_whatever_its_modes(machine: Served) -> None:
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    machine.run(
        f"""umask 077; cd ~anna
mkdir -p papers/deep/deeper shared && chmod 755 shared
for n in 1 2 3; do
    echo "The wagtail runs along the brook, $n." | tee papers/$n.txt papers/deep/deeper/1$n.txt >shared/2$n.txt
done
chmod 644 shared/*; echo 'A letter by the linnet.' >letter.txt
cp -r papers {INBOX}/; cp -r shared {INBOX}/; mv letter.txt {INBOX}/""",
        user="anna",
    )
    machine.done()
    assert len(machine.files()) == 10
    assert not machine.said("-p", "warning")
    assert not machine.out(f"find {INBOX} -mindepth 1")
    assert machine.sources("linnet")[0] == "letter.txt"


def test_a_reload_applies_what_is_sound_and_refuses_what_is_not(machine: Served) -> None:
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    pid = machine.unit("MainPID")
    machine.configure({"memory.limit": "450MB", "inbox.rescan": "30s", "store.shard_chunks": "5000"})
    machine.run("systemctl reload bouquetd")
    machine.until(
        lambda: "now in force: inbox.rescan, memory.limit" in machine.said("BOUQUETD_EVENT=reloaded"),
        "the reload is told", 15,
    )  # fmt: skip
    assert "need a restart: store.shard_chunks" in machine.said("-p", "warning")
    assert machine.status()["limit_mb"] == 450

    machine.configure({"memory.limit": "lots"})
    done = machine.run("systemctl reload bouquetd", check=False)
    assert done.returncode != 0
    assert "memory.limit" in machine.said()
    assert machine.unit("ActiveState") == "active"
    assert machine.unit("MainPID") == pid
    # The signal alone, as somebody may send it.
    machine.run(f"kill -HUP {pid}")
    refused = machine.until(lambda: machine.said("BOUQUETD_EVENT=reload refused"), "it is refused", 15)
    assert "/etc/bouquetd/bouquetd.yaml:" in refused
    assert json.loads(machine.out("cat /run/bouquetd/status.json"))["limit_mb"] == 450

    machine.run("systemctl kill -s USR1 --kill-whom=main bouquetd")
    [report] = machine.until(
        lambda: re.findall(r"Report written to (\S+):", machine.said()), "it reports on its memory", 30
    )
    assert "RSS by mapping" in machine.out(f"cat {report}")
    assert machine.unit("MainPID") == pid


def test_a_wrong_configuration_is_told_once_and_not_started_again_and_again(machine: Served) -> None:
    machine.configure({"memory.limit": "lots"})
    machine.boot()
    machine.until(lambda: machine.unit("ActiveState") == "failed", "it has failed", 60)
    time.sleep(7)
    assert machine.unit("NRestarts") == "0"
    assert machine.unit("ExecMainStatus") == "78"
    assert "memory.limit" in machine.said("-p", "err")


def test_a_stop_in_the_middle_of_a_50_mb_file_is_quick_and_the_next_start_goes_on_there(
    machine: Served,
) -> None:
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    rng = random.Random("stop")
    line = document("txt", rng, 300)
    machine.drop({"big.txt": (line * (49 * 2**20 // len(line) + 1))[: 49 * 2**20]})
    halfway(machine, 500)
    began = time.monotonic()
    machine.run("systemctl stop bouquetd")
    assert time.monotonic() - began < 10
    assert machine.unit("Result") == "success"
    machine.run("systemctl start bouquetd")
    halfway(machine, 1)
    at = int(machine.entries("-g", "Embedding chunk")[-1]["MESSAGE"].split(":")[0].rsplit(" ", 1)[1])
    embedded = [
        int(e["MESSAGE"].split(":")[0].rsplit(" ", 1)[1]) for e in machine.entries("-g", "Embedding chunk")
    ]
    assert at >= 500
    assert embedded == sorted(set(embedded))
    machine.run("systemctl stop bouquetd")


def test_a_reboot_and_a_power_cut_in_the_middle_of_a_file_lose_and_double_nothing(machine: Served) -> None:
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    rng = random.Random("reboot")
    machine.drop({"one.txt": document("txt", rng, 300) * 40, "two.html": document("html", rng, 60)})
    halfway(machine, 200)
    machine.reboot()
    halfway(machine, 2000)
    machine.off()
    machine.boot()
    machine.done(240)
    assert machine.files() == ["one.txt", "two.html"]
    report = machine.verified()
    assert report["documents"] == 2
    assert sum(machine.stored()["bouquet"].values()) == report["chunks"]


def test_a_clock_that_is_set_back_an_hour_holds_nothing_up(machine: Served) -> None:
    clock = "/var/lib/faketime"
    machine.drop_in(
        "[Service]\nEnvironment=LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1\n"
        f"Environment=FAKETIME_TIMESTAMP_FILE={clock} FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_NO_CACHE=1\n"
    )
    (machine.upper / "var/lib").mkdir(parents=True)
    (machine.upper / "var/lib/faketime").write_text("+0\n")
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    machine.drop({"before.txt": b"Ducks cross the pond in the evening. " * 30})
    machine.done()
    pid = machine.unit("MainPID")
    (machine.root / "var/lib/faketime").write_text("-1h\n")
    machine.drop(
        {"after.txt": b"Geese cross the field in the morning. " * 30, "b/more.txt": b"More geese. " * 30}
    )
    machine.until(lambda: not machine.waiting(), "they are taken", 60)
    time.sleep(65)  # longer than the watchdog waits
    assert machine.unit("MainPID") == pid
    assert machine.files() == ["after.txt", "b/more.txt", "before.txt"]
    assert machine.sources("geese in the field")[0] == "after.txt"
    assert machine.verified()["documents"] == 3


def test_somebody_without_root_runs_a_service_of_their_own(machine: Served) -> None:
    machine.boot()
    machine.run("systemctl disable --now bouquetd bouquetd-chroma; loginctl enable-linger mallory")
    number = machine.out("id -u mallory").strip()
    mine = f"XDG_RUNTIME_DIR=/run/user/{number} HOME=/home/mallory"
    machine.until(
        lambda: machine.run(f"test -S /run/user/{number}/bus", check=False).returncode == 0, "a bus", 30
    )
    told = machine.out(f"{mine} bouquetd install --user", user="mallory")
    assert "systemctl --user enable --now bouquetd" in told
    machine.run(
        f"{mine} systemctl --user daemon-reload; {mine} systemctl --user enable --now bouquetd", user="mallory"
    )
    home = Path("/home/mallory/bouquetd")
    machine.drop(
        {"mine.txt": b"Only mine: the otter sleeps on its back. " * 30}, user="mallory", where=home / "inbox"
    )
    machine.until(lambda: machine.files(home / "archive") == ["mine.txt"], "it is stored", 60)
    config = "/home/mallory/.config/bouquetd/bouquetd.yaml"
    assert machine.sources("otter", user="mallory", config=config) == ["mine.txt"]
    again = machine.out(f"{mine} bouquetd install --user", user="mallory")
    assert f"Left {config} as it is." in again


def test_two_instances_share_a_chroma_and_not_their_documents(machine: Served) -> None:
    machine.boot()
    for name in ("red", "blue"):
        machine.run(f"bouquetd init --system {name}; systemctl enable --now bouquetd@{name}")
    inboxes = {name: INBOX.parent.with_name(f"bouquetd-{name}") / "inbox" for name in ("red", "blue")}
    for name, inbox in inboxes.items():
        machine.drop({"same.txt": f"The {name} kite rises above the hill. ".encode() * 40}, where=inbox)
    machine.drop({"same.txt": b"The plain kite stays on the ground. " * 40})
    archives = {name: inbox.with_name("archive") for name, inbox in inboxes.items()}
    machine.until(
        lambda: all(machine.files(a) == ["same.txt"] for a in (ARCHIVE, *archives.values())),
        "all are stored",
        120,
    )
    for name in inboxes:
        (hit, *others) = machine.search("a kite", config=f"/etc/bouquetd/{name}.yaml")
        assert f"The {name} kite" in hit["text"]
        assert all(name in other["text"] for other in others)
        machine.run(f"bouquetd verify -c /etc/bouquetd/{name}.yaml")
    stored = machine.stored()
    assert set(stored) == {"bouquet", "bouquet-red", "bouquet-blue"}
    machine.run("bouquetd forget same.txt -c /etc/bouquetd/red.yaml")
    stored = machine.stored()
    assert "red" not in "".join(name for name, found in stored.items() if found)
    assert stored["bouquet-blue"]
    assert machine.sources("a kite", config="/etc/bouquetd/blue.yaml")
    machine.verified()
