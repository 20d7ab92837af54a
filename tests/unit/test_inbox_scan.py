import os
import socket
import subprocess
import sys

import pytest

from bouquetd.errors import Unavailable
from bouquetd.inbox.scan import Found, Ignore, Skipped, remove_empty_parents, scan

ODD = ["with space", "new\nline", 'it\'s "so"', os.fsdecode(b"\xff\xfe.txt"), "ünï", "%_*?["]


def put(root, *sources):
    for source in sources:
        path = root / source
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def sources(root, under="", ignore=None):
    return sorted(i.source for i in scan(root, ignore or Ignore(), under) if isinstance(i, Found))


def skipped(root):
    return {i.source: i.reason for i in scan(root, Ignore()) if isinstance(i, Skipped)}


def test_every_regular_file_in_every_folder_is_found(tmp_path):
    put(tmp_path, "a", "b/c", "b/d/e", *ODD, *(f"{name}/{name}" for name in (f"dir {o}" for o in ODD)))
    expected = {"a", "b/c", "b/d/e", *ODD, *(f"dir {o}/dir {o}" for o in ODD)}
    assert set(sources(tmp_path)) == expected


def test_a_fingerprint_is_what_lstat_says(tmp_path):
    put(tmp_path, "a")
    (found,) = scan(tmp_path, Ignore())
    status = (tmp_path / "a").lstat()
    assert (found.fingerprint.inode, found.fingerprint.mtime_ns) == (status.st_ino, status.st_mtime_ns)


@pytest.mark.parametrize(
    "name", [".hidden", "x.part", "x.tmp", "x.crdownload", "x.filepart", "~$report.docx", ".x.swp", "x.swp"]
)
def test_partial_and_temporary_names_are_ignored(tmp_path, name):
    put(tmp_path, name, f"folder/{name}/inside", "x.parts")
    assert sources(tmp_path) == ["x.parts"]
    assert sources(tmp_path, under=name) == []
    assert sources(tmp_path, under=f"folder/{name}/inside") == []


def test_our_own_temporary_names_are_ignored_whatever_the_globs(tmp_path):
    put(tmp_path, ".bouquetd-leaving-123", ".other")
    assert sources(tmp_path, ignore=Ignore([])) == [".other"]


def test_only_what_was_marked_is_looked_at(tmp_path):
    put(tmp_path, "a", "b/c", "b/d/e", "f/g")
    assert sources(tmp_path, "b") == ["b/c", "b/d/e"]
    assert sources(tmp_path, "b/c") == ["b/c"]
    assert sources(tmp_path, "b/none") == sources(tmp_path, "a/below") == []


def test_links_fifos_and_sockets_are_left_alone_with_a_reason(tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    put(secret, "key")
    inbox = tmp_path / "inbox"
    put(inbox, "file")
    (inbox / "link").symlink_to(secret / "key")
    (inbox / "folder").symlink_to(secret)
    os.mkfifo(inbox / "pipe")
    monkeypatch.chdir(inbox)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("sock")
        reasons = skipped(inbox)
    assert sources(inbox) == ["file"]
    assert {k: r.split(",")[0] for k, r in reasons.items()} == {
        "link": "it is a symbolic link",
        "folder": "it is a symbolic link",
        "pipe": "it is a FIFO",
        "sock": "it is a socket",
    }
    assert sources(inbox, "folder/key") == []


def test_an_inbox_that_is_itself_a_link_is_followed(tmp_path):
    put(tmp_path / "real", "a")
    (tmp_path / "inbox").symlink_to("real")
    assert sources(tmp_path / "inbox") == ["a"]


def test_a_missing_inbox_is_unavailable(tmp_path):
    with pytest.raises(Unavailable, match="cannot be opened"):
        list(scan(tmp_path / "none", Ignore()))


def test_files_and_folders_that_vanish_during_a_scan_are_passed_over(tmp_path):
    put(tmp_path, *(f"{d}/{n}" for d in range(5) for n in range(5)))
    seen = []
    for item in scan(tmp_path, Ignore()):
        seen.append(item.source)
        subprocess.run(["rm", "-rf", *map(str, tmp_path.iterdir())], check=True)
    assert len(seen) >= 1


def test_a_path_longer_than_the_kernel_takes_at_once_is_walked(tmp_path):
    fd = os.open(tmp_path, os.O_RDONLY)
    for _ in range(30):
        os.mkdir("n" * 200, dir_fd=fd)
        below = os.open("n" * 200, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(os.open("deep", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)
    (source,) = sources(tmp_path)
    assert len(source) > 6000
    assert sources(tmp_path, source) == [source]
    remove_empty_parents(tmp_path, source)


def test_folders_a_consumed_file_left_empty_are_removed(tmp_path):
    put(tmp_path, "a/b/c/file", "a/other")
    (tmp_path / "a/b/c/file").unlink()
    remove_empty_parents(tmp_path, "a/b/c/file")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "other"]


def test_the_inbox_itself_and_empty_folders_of_others_stay(tmp_path):
    (tmp_path / "about to be filled").mkdir()
    (tmp_path / "a/kept").mkdir(parents=True)
    remove_empty_parents(tmp_path, "a/file")
    remove_empty_parents(tmp_path, "file")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a", "about to be filled", "kept"]
    remove_empty_parents(tmp_path / "missing", "a/file")


@pytest.mark.long
def test_tens_of_thousands_of_files_cost_little_memory(tmp_path):
    code = f"""
import os, resource, sys, time
from pathlib import Path
from bouquetd.inbox.queue import Queue
from bouquetd.inbox.scan import Found, Ignore, scan
os.chdir({str(tmp_path)!r}); os.makedirs("inbox/d")
for n in range(10000): open(f"inbox/d/a file with a rather long name {{n:08}}.txt", "x").close()
queue = Queue(0.0)
def files():
    for _ in range(4):
        for i in scan(Path("inbox"), Ignore()):
            yield f"{{_}}{{i.source}}", i.fingerprint
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert queue.see_all(files(), 0.0, time.monotonic) == 40000
now = time.monotonic()
for _ in range(100): queue.drop(queue.due(now).source)
assert queue.count() == 39900
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 10 * 1024
