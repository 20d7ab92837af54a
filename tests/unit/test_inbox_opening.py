import hashlib
import os
import shutil
import socket
import subprocess
import sys

import pytest

from bouquetd.errors import Changed, Rejected, Unavailable
from bouquetd.inbox.opening import LeftAlone, digest, fingerprint, is_gone, open_source
from bouquetd.model import Fingerprint

ODD = ["with space", "new\nline", 'it\'s "so"', os.fsdecode(b"\xff\xfe.txt"), "ünï"]

# Root may do everything unless these two are taken away.
ORDINARY = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []


def as_an_ordinary_user(code):
    if ORDINARY and shutil.which("setpriv") is None:
        pytest.fail("needs setpriv to run without root's privileges")
    return subprocess.run(
        [*ORDINARY, sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("name", [*ODD, "a/b/c", f"{ODD[1]}/{ODD[3]}"])
def test_a_regular_file_of_any_name_is_opened(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b"content")
    with open_source(tmp_path, name) as file:
        assert file.read() == b"content"


def test_a_link_is_left_alone(tmp_path):
    (tmp_path / "secret").write_text("key")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(LeftAlone, match="link is a symbolic link"):
        open_source(inbox, "link")


def test_a_folder_swapped_for_a_link_leads_nowhere(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("secret")
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    (inbox / "folder").symlink_to(tmp_path / "outside")
    with pytest.raises(Changed, match="vanished"):
        open_source(inbox, "folder/file")
    assert fingerprint(inbox, "folder/file") is None


def test_a_fifo_is_left_alone_without_waiting_for_its_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(LeftAlone, match="FIFO"):
        open_source(tmp_path, "pipe")


def test_sockets_folders_and_devices_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("sock")
        for name in ("sock", "folder"):
            with pytest.raises(LeftAlone):
                open_source(tmp_path, name)
            assert fingerprint(tmp_path, name) is None


def test_a_file_that_vanished_is_changed_not_rejected(tmp_path):
    (tmp_path / "file").touch()
    for name in ("none", "no/folder", "file/below"):
        with pytest.raises(Changed, match="vanished"):
            open_source(tmp_path, name)


def test_a_missing_inbox_is_unavailable_and_nothing_is_gone(tmp_path):
    for look in (open_source, fingerprint, is_gone):
        with pytest.raises(Unavailable, match="cannot be opened"):
            look(tmp_path / "none", "file")


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a/", "a\0b"])
def test_a_path_that_leads_outside_is_rejected(tmp_path, path):
    with pytest.raises(Rejected, match="not a path inside"):
        open_source(tmp_path, path)


def test_an_unreadable_file_is_rejected_with_what_to_do(tmp_path):
    (tmp_path / "file").touch(mode=0)
    code = f"""
from pathlib import Path
from bouquetd.errors import Rejected
from bouquetd.inbox.opening import open_source
try: open_source(Path({str(tmp_path)!r}), "file")
except Rejected as e: print(e.reason, e.remedy)
"""
    out = as_an_ordinary_user(code)
    assert "permission denied" in out
    assert "chmod" in out


def test_a_file_in_a_shut_folder_is_out_of_reach_but_not_gone(tmp_path):
    (tmp_path / "shut").mkdir()
    (tmp_path / "shut/file").touch()
    (tmp_path / "shut").chmod(0)
    code = f"""
from pathlib import Path
from bouquetd.inbox.opening import fingerprint, is_gone
from bouquetd.inbox.scan import Ignore, scan
inbox = Path({str(tmp_path)!r})
print(fingerprint(inbox, "shut/file"), is_gone(inbox, "shut/file"), [i.reason for i in scan(inbox, Ignore())])
"""
    out = as_an_ordinary_user(code)
    (tmp_path / "shut").chmod(0o700)
    assert out.startswith("None False ['the folder may not be read (chmod")


def test_a_fingerprint_is_of_the_file_itself(tmp_path):
    (tmp_path / "file").write_text("x")
    assert fingerprint(tmp_path, "file") == Fingerprint.of((tmp_path / "file").lstat())
    assert fingerprint(tmp_path, "none") is None
    assert is_gone(tmp_path, "none")
    assert is_gone(tmp_path, "no/folder")
    assert not is_gone(tmp_path, "file")


@pytest.mark.parametrize("size", [0, 1, 4096, 10_000])
def test_the_digest_is_of_the_whole_content_and_rewinds(tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "file").write_bytes(content)
    with open_source(tmp_path, "file") as file:
        file.read(7)
        assert digest(file, 4096) == hashlib.sha256(content).hexdigest()
        assert file.tell() == 0
