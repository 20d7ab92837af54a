"""Queue, settle and scan against a model: random file operations in a real folder, under a clock of our own."""

import itertools
import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bouquetd.inbox.opening import fingerprint
from bouquetd.inbox.queue import Queue
from bouquetd.inbox.scan import Found, Ignore, scan

SETTLE = 2.0
WANTED = ["a", "b c", "new\nline", os.fsdecode(b"\xff")]
IGNORED = [".hidden", "x.part", "~$x"]
FOLDERS = ["", "f", "f/g", "f/g/\n", ".shut"]

wanted = st.builds(os.path.join, st.sampled_from(FOLDERS), st.sampled_from(WANTED))
anything = st.builds(os.path.join, st.sampled_from(FOLDERS), st.sampled_from(WANTED + IGNORED))


class Inbox(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.queue = Queue(SETTLE)
        self.ignore = Ignore()
        self.now = 0.0
        self.sizes = itertools.count(1)  # coarse clocks cannot hide a change that has a size of its own
        self.changed: dict[str, float] = {}

    def teardown(self):
        self.scan_all()
        self.now += SETTLE
        taken = []
        while (sighting := self.take()) is not None:
            taken.append(sighting.source)
            self.queue.drop(sighting.source)
        assert sorted(taken) == sorted(self.eligible())
        assert self.queue.count() == 0
        self.queue.close()
        shutil.rmtree(self.root)

    def eligible(self):
        return {s for s in self.changed if not any(map(self.ignore, s.split("/")))}

    def look(self, under=""):
        return ((i.source, i.fingerprint) for i in scan(self.root, self.ignore, under) if isinstance(i, Found))

    def take(self):
        return self.queue.take(self.now, lambda source: fingerprint(self.root, source))

    @rule(source=anything)
    def write(self, source):
        path = self.root / source
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_symlink():
            path.unlink()
        path.write_bytes(b"x" * next(self.sizes))
        self.changed[source] = self.now

    @rule(old=anything, new=anything)
    def rename(self, old, new):
        if old in self.changed and old != new:
            (self.root / new).parent.mkdir(parents=True, exist_ok=True)
            os.replace(self.root / old, self.root / new)
            del self.changed[old]
            self.write(new)

    @rule(source=anything)
    def delete(self, source):
        if self.changed.pop(source, None) is not None:
            (self.root / source).unlink()

    @rule(source=wanted)
    def replace_by_a_link(self, source):
        self.delete(source)
        path = self.root / source
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_symlink():
            path.symlink_to("/etc/passwd")

    @rule(name=st.sampled_from(["f", "f/g"]))
    def delete_a_tree(self, name):
        shutil.rmtree(self.root / name, ignore_errors=True)
        self.changed = {s: t for s, t in self.changed.items() if not s.startswith(name + "/")}

    @rule(seconds=st.sampled_from([0.5, 1.0, 2.0, 5.0]))
    def wait(self, seconds):
        self.now += seconds

    @rule(under=st.one_of(wanted, st.sampled_from(FOLDERS)))
    def follow_a_mark(self, under):
        self.queue.see_all(self.look(under), self.now, lambda: self.now)

    @rule()
    def scan_all(self):
        self.now += 0.001  # a real clock has moved since whatever was seen last
        started = self.now
        self.queue.see_all(self.look(), started, lambda: self.now)
        self.queue.forget_unseen(started)
        assert self.queue.count() == len(self.eligible())

    @precondition(lambda self: self.changed)
    @rule(data=st.data())
    def postpone(self, data):
        source = data.draw(st.sampled_from(sorted(self.changed)))
        self.queue.postpone(source, self.now + 1.0, failed=True)

    @invariant()
    def what_is_taken_exists_and_is_quiet(self):
        sighting = self.take()
        if sighting is not None:
            assert sighting.source in self.eligible()
            assert self.now - self.changed[sighting.source] >= SETTLE - 1e-9  # sums of floats
            assert sighting.fingerprint == fingerprint(self.root, sighting.source)


Inbox.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestTheInbox = Inbox.TestCase
