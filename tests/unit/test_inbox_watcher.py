import os
import shutil
import threading
import time

import pytest

from bouquetd.errors import Unavailable
from bouquetd.inbox.watcher import Marks, Watcher, filesystem_of, watches_left
from bouquetd.inbox.watches import tightest

MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 27 0:40 / /srv rw - xfs /dev/vdb rw
41 40 0:41 / /srv/share rw master:3 - nfs4 host:/x rw
42 27 0:42 / /srv/my\\040share rw - cifs //host/x rw
43 27 0:43 / /mnt rw - ext4 /dev/vdc rw
44 43 0:44 / /mnt rw - fuse.sshfs host:/x rw
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/home/inbox", "ext4"),
        ("/", "ext4"),
        ("/srv", "xfs"),
        ("/srv/shared", "xfs"),
        ("/srv/share", "nfs4"),
        ("/srv/share/a/b", "nfs4"),
        ("/srv/my share/inbox", "cifs"),
        ("/mnt/inbox", "fuse.sshfs"),
    ],
)
def test_the_file_system_is_that_of_the_longest_and_latest_mount(path, expected):
    assert filesystem_of(path, MOUNTS) == expected


def test_marks_are_kept_once_and_handed_out_once():
    marks = Marks()
    for path in ("a", "b", "a"):
        marks.add(path)
    assert marks.take() == ({"a", "b"}, False)
    assert marks.take() == (set(), False)


def test_too_many_marks_ask_for_a_whole_scan_instead():
    marks = Marks(limit=10)
    for n in range(11):
        marks.add(str(n))
    marks.add("more")
    assert marks.take() == (set(), True)
    marks.add("a")
    assert marks.take() == ({"a"}, False)


def test_marking_the_inbox_itself_asks_for_a_whole_scan():
    marks = Marks()
    marks.add("a")
    marks.add("")
    assert marks.take() == (set(), True)


class Heard:
    def __init__(self):
        self.paths, self._changed = set(), threading.Condition()

    def __call__(self, path):
        with self._changed:
            self.paths.add(path)
            self._changed.notify_all()

    def wait_for(self, *paths):
        with self._changed:
            assert self._changed.wait_for(lambda: self.paths >= set(paths), 10), (paths, self.paths)


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def inbox(tmp_path):
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture
def watcher(inbox, heard):
    watcher = Watcher(inbox, "native", 1.0, heard)
    watcher.start()
    yield watcher
    watcher.stop()


def test_files_written_moved_and_dropped_as_trees_are_marked(inbox, watcher, heard, tmp_path):
    odd = os.fsdecode(b"\xff new\nline")
    (inbox / "written").write_text("x")
    (inbox / odd).write_text("x")
    (tmp_path / "outside").write_text("x")
    (tmp_path / "outside").rename(inbox / "moved in")
    (inbox / "written").rename(inbox / "renamed")
    heard.wait_for("written", odd, "moved in", "renamed")
    (tmp_path / "tree/deep/er").mkdir(parents=True)
    (tmp_path / "tree/deep/er/file").write_text("x")
    shutil.copytree(tmp_path / "tree", inbox / "copied")
    (tmp_path / "tree").rename(inbox / "moved")
    heard.wait_for("moved", "copied")
    time.sleep(0.05)
    (inbox / "moved/deep/er/later").write_text("x")
    heard.wait_for("moved/deep/er/later")
    assert watcher.kind == "native"
    assert watcher.alive


def test_reading_a_file_marks_nothing(inbox, heard):
    (inbox / "file").write_text("x")
    watcher = Watcher(inbox, "native", 1.0, heard)
    watcher.start()
    (inbox / "file").read_text()
    (inbox / "file").unlink()
    (inbox / "end").touch()
    heard.wait_for("end")
    watcher.stop()
    assert heard.paths == {"end"}


def test_a_removed_inbox_ends_the_watcher_visibly_and_it_can_start_again(inbox, watcher, heard):
    inbox.rmdir()
    deadline = time.monotonic() + 10
    while watcher.alive and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not watcher.alive
    with pytest.raises(Unavailable, match="cannot be watched"):
        watcher.start()
    assert not watcher.alive
    inbox.mkdir()
    watcher.start()
    assert watcher.alive
    (inbox / "again").touch()
    heard.wait_for("again")


def test_polling_marks_the_whole_inbox_every_so_often(inbox, heard):
    watcher = Watcher(inbox, "polling", 0.01, heard)
    watcher.start()
    heard.wait_for("")
    assert (watcher.kind, watcher.alive) == ("polling", True)
    watcher.stop()
    assert not watcher.alive


def test_stopping_is_quick_and_may_be_repeated(inbox, heard):
    for mode in ("native", "polling"):
        watcher = Watcher(inbox, mode, 60.0, heard)
        watcher.start()
        started = time.monotonic()
        watcher.stop()
        watcher.stop()
        assert time.monotonic() - started < 2


def test_a_disk_of_this_machine_is_watched_natively(inbox, heard):
    assert Watcher(inbox, "auto", 1.0, heard).kind == "native"


def test_an_observer_that_fails_leaves_no_thread_and_no_descriptor(inbox, heard):
    watcher = Watcher(inbox / "missing", "native", 1.0, heard)
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(Unavailable):
            watcher.start()
    time.sleep(0.1)
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before


def test_used_watches_are_counted(inbox, watcher):
    assert 0 < watches_left(1000) < 1000
    assert watches_left(0) == 0


@pytest.mark.parametrize(
    ("machine", "container", "binds"),
    [
        ("65536\n", "65536\n", ("fs.inotify.max_user_watches", 65536)),
        ("65536\n", "100\n", ("user.max_inotify_watches", 100)),
        ("65536\n", None, ("fs.inotify.max_user_watches", 65536)),
        (None, None, None),
    ],
)
def test_of_the_limits_of_machine_and_container_the_tighter_one_binds(machine, container, binds):
    files = {
        "/proc/sys/fs/inotify/max_user_watches": machine,
        "/proc/sys/user/max_inotify_watches": container,
    }
    assert tightest(files.get) == binds


def test_nothing_is_said_to_be_wrong_when_it_stops_while_files_come(inbox, heard, caplog):
    for number in range(20):
        watcher = Watcher(inbox, "native", 1.0, heard)
        watcher.start()
        (inbox / f"{number}").write_text("x")
        watcher.stop()
    assert not caplog.records
