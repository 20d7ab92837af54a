"""A machine that bouquetd serves: what a person on it would do and see."""

from __future__ import annotations

import json
import shlex
import shutil
import uuid
from collections.abc import Mapping
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from tests.system.machine import Machine

INBOX, ARCHIVE, FAILED = (Path("/var/spool/bouquetd") / name for name in ("inbox", "archive", "failed"))
PLUGINS = Path("usr/local/lib/bouquetd/extractors")

MISCHIEF = '''
"""An extractor that brings the daemon down, each time in the way that the name of the file says."""
import ctypes, time
from bouquetd.model import Piece

protocol = 1
media_type = "application/x-mischief"
WAYS = ("bomb", "sleep", "gil", "slow", "fill", "hold")
HELD = []

def claims(head, name):
    return name.rpartition(".")[2] in WAYS

def extract(file, *, read_size):
    way = file.read().decode().split()[0]
    yield Piece("Something was read before it began. ")
    if way == "bomb":
        blocks = []
        while True:
            blocks.append(b"x" * 10_000_000)
    while way == "sleep":
        time.sleep(3600)
    while way == "gil":
        ctypes.PyDLL(None).pause()  # unlike CDLL it keeps the lock of the interpreter
    if way == "hold":
        HELD.append(b"x" * 90_000_000)  # which nothing gives back
    if way == "slow":
        time.sleep(7)
    if way == "fill":
        ring = [b"x" * 120_000_000]
        ring.append(ring)  # nobody's any more, until garbage is collected
        del ring
        for n in range(200):
            yield Piece(f"Memory is short now, says line {n}. " * 20)
    yield Piece(f"It came to an end, {way}. " * 50)
'''


class Served(Machine):
    """It has the package, or will have it."""

    # -- before it is booted ------------------------------------------------------------------------------

    def drop_in(self, text: str, unit: str = "bouquetd.service") -> None:
        """Change a unit as `systemctl edit` does; with the machine on, a daemon-reload makes it hold."""
        root = self.root if self.init else self.upper
        folder = root / "etc" / "systemd" / "system" / f"{unit}.d"
        folder.mkdir(parents=True, exist_ok=True)
        number = len(list(folder.iterdir()))
        (folder / f"{number}-test.conf").write_text(text)

    def configure(self, values: Mapping[str, str]) -> None:
        """Change options in the YAML, by dotted key; the commented ones too."""
        for layer in (self.root if self.init else self.upper, *self.layers):
            path = layer / "etc" / "bouquetd" / "bouquetd.yaml"
            if path.exists():
                text = path.read_text()
                break
        for key, value in values.items():
            section, option = key.split(".")
            head, found, rest = text.partition(f"\n{section}:\n")
            lines = rest.split("\n")
            at = next(i for i, line in enumerate(lines) if line.lstrip(" #").startswith(f"{option}:"))
            lines[at] = f"  {option}: {value}"
            text = head + found + "\n".join(lines)
        path = (self.root if self.init else self.upper) / "etc" / "bouquetd" / "bouquetd.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def bring_mischief(self) -> None:
        """Install an extractor of somebody else's, as the manual page says."""
        folder = self.upper / PLUGINS
        info = folder / "mischief-1.0.dist-info"
        info.mkdir(parents=True)
        (folder / "mischief.py").write_text(MISCHIEF)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mischief\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[bouquetd.extractors]\nmischief = mischief\n")

    def bring_words(self) -> None:
        """Install what the static embedder needs, as the README says, and have it used."""
        package = distribution("wordllama")
        for file in package.files or ():
            if file.parts[0].startswith("wordllama") and "__pycache__" not in file.parts:
                target = self.upper / PLUGINS / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(str(package.locate_file(file)), target)
        self.configure({"embed.provider": "static"})

    # -- the package --------------------------------------------------------------------------------------

    def install(self, package: Path) -> None:
        """As root does it; there is no network."""
        shutil.copy(package, self.root / "root" / "bouquetd.deb")
        self.run("DEBIAN_FRONTEND=noninteractive dpkg -i /root/bouquetd.deb", timeout=300)
        (self.root / "root" / "bouquetd.deb").unlink()

    # -- what a person does -------------------------------------------------------------------------------

    def drop(self, files: Mapping[str, bytes], user: str = "anna", where: Path = INBOX) -> None:
        """Somebody copies files into the inbox, folders and all."""
        heap = Path("/tmp") / uuid.uuid4().hex
        for name, data in files.items():
            path = self.root / heap.relative_to("/") / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.run(f"chmod -R a+rX {heap}")
        self.run(f"cp -r {heap}/. {where}/", user=user)
        self.run(f"rm -r {heap}")

    def search(self, words: str, user: str = "anna", n: int = 3, config: str = "") -> list[dict[str, Any]]:
        """What `bouquetd search` finds."""
        option = f"-c {config}" if config else ""
        done = self.run(f"bouquetd search --json -n {n} {option} {shlex.quote(words)}", user=user, check=False)
        assert done.returncode in (0, 1), done.stderr
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found

    def sources(self, words: str, **how: Any) -> list[str]:
        """The sources of what is found, each once, the best first."""
        return list(dict.fromkeys(hit["source"] for hit in self.search(words, **how)))

    # -- what is to be seen -------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """What `bouquetd status` says."""
        found: dict[str, Any] = json.loads(self.run("bouquetd status --json", check=False).stdout or "{}")
        return found

    def deaths(self) -> list[str]:
        """Why processes of the daemon ended that did not mean to, as `bouquetd memory` tells it."""
        events = json.loads(self.out("bouquetd memory --json"))["events"]
        return [event["text"] for event in events if event["kind"] == "died"]

    def unit(self, name: str, unit: str = "bouquetd") -> str:
        """A property of a unit."""
        return self.out(f"systemctl show -P {name} {unit}").strip()

    def ready(self) -> bool:
        """Whether both services run."""
        return self.out("systemctl is-active bouquetd bouquetd-chroma || true").split() == ["active"] * 2

    def waiting(self) -> list[str]:
        """What lies in the inbox."""
        return self.files(INBOX)

    def settled(self) -> bool:
        """Whether all that was dropped is done with and stored."""
        return not self.waiting() and self.status().get("state") == "idle"

    def done(self, seconds: float = 120) -> None:
        """Wait until everything is."""
        self.until(self.settled, "the inbox is empty and the daemon idle", seconds)

    def verified(self) -> dict[str, Any]:
        """`bouquetd verify` must be clean; its report."""
        done = self.run("bouquetd verify --json", check=False, timeout=300)
        assert done.stdout, f"{done.returncode}: {done.stderr}"
        report: dict[str, Any] = json.loads(done.stdout)
        assert (done.returncode, report["faults"], report["findings"]) == (0, 0, []), report
        return report

    def files(self, where: Path = ARCHIVE) -> list[str]:
        """What lies in a folder, sorted."""
        return sorted(self.out(f"find {where} -type f -printf '%P\\n' 2>/dev/null || true").split("\n")[:-1])

    def entries(self, *match: str, unit: str = "bouquetd") -> list[dict[str, Any]]:
        """The unit's entries of the journal with all their fields."""
        words = " ".join(map(shlex.quote, match))
        lines = self.out(f"journalctl -q -o json --no-pager -u {unit} {words}").splitlines()
        return [json.loads(line) for line in lines]

    def said(self, *match: str, unit: str = "bouquetd") -> str:
        """The unit's lines in the journal."""
        words = " ".join(map(shlex.quote, match))
        return self.out(f"journalctl -q -o cat --no-pager -u {unit} {words}")

    def stored(self) -> dict[str, dict[str, int]]:
        """What a stranger finds in the Chroma server: sources and their chunks by number, for each prefix."""
        code = """
import chromadb, collections, json
client = chromadb.HttpClient(host="127.0.0.1", port=8000)
found = collections.defaultdict(collections.Counter)
for collection in client.list_collections():
    for start in range(0, collection.count(), 500):
        page = collection.get(limit=500, offset=start, include=["metadatas"])
        for metadata in page["metadatas"]:
            found[collection.name.rpartition("-")[0].removesuffix("-r")][metadata["source"]] += 1
print(json.dumps(found))
"""
        done = self.run(f"ANONYMIZED_TELEMETRY=False /usr/lib/bouquetd/bin/python -I -c {shlex.quote(code)}")
        found: dict[str, dict[str, int]] = json.loads(done.stdout)
        return found
