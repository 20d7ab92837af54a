"""Another person on the machine, with and without the right to drop files."""

from __future__ import annotations

import random

import pytest

from tests.faults.documents import document
from tests.system.served import ARCHIVE, FAILED, INBOX, Served

pytestmark = [pytest.mark.system, pytest.mark.long]

SECRET = "the vault opens with seven turns to the left"


@pytest.fixture
def guarded(machine: Served) -> Served:
    """With a secret that only root and the daemon's user may read."""
    machine.boot()
    machine.until(machine.ready, "both services run", 60)
    machine.run(
        f"mkdir -m 750 /srv/vault; echo '{SECRET}' >/srv/vault/secret.txt; chmod 640 /srv/vault/secret.txt;"
        " chown -R bouquetd:root /srv/vault"
    )
    return machine


def unharmed(machine: Served) -> None:
    """The secret is where it was and nowhere else."""
    assert machine.out("cat /srv/vault/secret.txt").strip() == SECRET
    assert machine.out("ls -A /srv/vault").split() == ["secret.txt"]
    assert not any(SECRET in hit["text"] for hit in machine.search(SECRET, n=20))
    assert not machine.run(f"grep -rl '{SECRET}' /var/spool/bouquetd", check=False).stdout


def test_a_stranger_sees_neither_state_nor_documents_nor_a_way_to_drop_or_ask(guarded: Served) -> None:
    guarded.drop({"private.txt": b"A letter to nobody. " * 40})
    guarded.done()
    for attempt in (
        "ls /var/lib/bouquetd", "ls /var/lib/bouquetd-chroma", "ls /var/spool/bouquetd/archive",
        f"touch {INBOX}/mine", f"ls {INBOX}", "ls /run/bouquetd", "bouquetd search letter", "bouquetd files",
    ):  # fmt: skip
        done = guarded.run(attempt, user="mallory", check=False)
        assert done.returncode != 0, f"{attempt}: {done.stdout}"
        assert "letter" not in done.stdout
    for command in ("search letter", "status", "top --once", "files"):
        assert "Traceback" not in guarded.run(f"bouquetd {command}", user="mallory", check=False).stderr
    # A member may ask and drop, and still not read the state.
    assert guarded.run("ls /var/lib/bouquetd", user="anna", check=False).returncode != 0


def test_links_out_of_the_inbox_are_not_followed(guarded: Served) -> None:
    guarded.run(
        f"cd {INBOX}; ln -s /srv/vault/secret.txt link.txt; ln -s /srv/vault vault; mkdir d; ln -s .. d/up;"
        " ln -s /etc/shadow shadow.txt; mkfifo pipe.txt; ln /srv/vault/secret.txt hard.txt",
        user="anna", check=False,
    )  # fmt: skip
    guarded.drop({"honest.txt": b"An honest file. " * 40})
    guarded.until(lambda: "honest.txt" in guarded.files(ARCHIVE), "the honest one is stored", 60)
    unharmed(guarded)
    assert guarded.files(ARCHIVE) == ["honest.txt"]


def test_a_folder_that_is_swapped_for_a_link_again_and_again_leads_nowhere(guarded: Served) -> None:
    rng = random.Random("swap")
    guarded.drop({f"d/secret{n}.txt": document("txt", rng, 30) for n in range(30)})
    guarded.run(
        f"""cd {INBOX}; end=$(($(date +%s) + 25))
while [ $(date +%s) -lt $end ]; do
    mv d e 2>/dev/null; ln -s /srv/vault d 2>/dev/null; sleep 0.0$((RANDOM % 9 + 1))
    rm -f d; mv e d 2>/dev/null; sleep 0.0$((RANDOM % 9 + 1))
done; rm -f d; [ -d e ] && mv e d; true""".replace("$((RANDOM % 9 + 1))", "3"),
        user="anna",
    )
    guarded.until(lambda: not guarded.waiting(), "the inbox is empty", 120)
    unharmed(guarded)
    assert len(guarded.files(ARCHIVE)) + len(guarded.files(FAILED)) >= 30


def test_a_file_renamed_and_replaced_while_it_is_read_is_never_mixed_with_another(guarded: Served) -> None:
    rng = random.Random("replace")
    guarded.drop({"big.txt": document("txt", rng, 20_000)})
    guarded.until(lambda: guarded.status().get("current"), "it is read", 60)
    guarded.run(f"cd {INBOX}; mv big.txt other.txt; ln -s /srv/vault/secret.txt big.txt", user="anna")
    guarded.until(lambda: "other.txt" in guarded.files(ARCHIVE), "it is stored under its new name", 120)
    unharmed(guarded)
    guarded.run(f"rm -f {INBOX}/big.txt", user="anna")
    assert guarded.files(ARCHIVE) == ["other.txt"]
    assert set(guarded.stored()["bouquet"]) == {"other.txt"}
    guarded.verified()


def test_what_lies_in_the_archive_is_never_overwritten(guarded: Served) -> None:
    guarded.drop({"a.txt": b"The first of its name. " * 40})
    guarded.done()
    guarded.drop({"a.txt": b"The second of its name. " * 40})
    guarded.done()
    assert guarded.files(ARCHIVE) == ["a (2).txt", "a.txt"]
    assert "first" in guarded.out(f"cat {ARCHIVE}/a.txt")
    # Her file stays hers to write; what it is called, and that it is there, is no more.
    for attempt in (f"rm -f {ARCHIVE}/a.txt", f"mv {ARCHIVE}/a.txt /tmp", f"ln -s /etc/passwd {ARCHIVE}/b.txt"):
        assert guarded.run(attempt, user="anna", check=False).returncode != 0
