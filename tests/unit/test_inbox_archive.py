import errno
import hashlib
import itertools
import os
import tempfile
from functools import partial
from pathlib import Path

import pytest

from bouquetd.errors import Changed, Unavailable
from bouquetd.inbox import move
from bouquetd.inbox.archive import delete_source, fail_away, file_away, put_back
from bouquetd.inbox.opening import fingerprint

ODD = ["with space", "new\nline", 'it\'s "so"', os.fsdecode(b"\xff\xfe.txt"), "ünï"]
WHY = {"reason": "is empty", "remedy": "Write something.", "when": "2024-05-06 07:08:09"}


@pytest.fixture
def inbox(tmp_path):
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


@pytest.fixture(params=["rename", "link", "copy"])
def target(request, tmp_path, monkeypatch):
    """The three ways of moving: within a file system, within one that knows no flags, to another one."""
    if request.param == "copy":
        with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
            if os.stat(other).st_dev == tmp_path.stat().st_dev:
                pytest.fail("no second file system here")
            yield Path(other) / "archive"
        return
    if request.param == "link":
        monkeypatch.setattr(move, "_LIBC", NoFlags())
    yield tmp_path / "archive"


class NoFlags:
    def renameat2(self, *_):
        move.ctypes.set_errno(errno.EINVAL)
        return -1


def put(root, source, content="content"):
    path = root / source
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return fingerprint(root, source)


def tree(root):
    return {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.is_file()}


def sha(content):
    return hashlib.sha256(content.encode()).hexdigest()


@pytest.mark.parametrize("source", [*ODD, "a/b/c.txt", f"{ODD[1]}/{ODD[3]}"])
def test_a_file_goes_to_the_same_place_in_the_archive(inbox, target, source):
    expected = put(inbox, source)
    assert file_away(inbox, source, expected, target, sha("content")) == source
    assert tree(target) == {source: "content"}
    assert tree(inbox) == {}


def test_nothing_is_ever_overwritten(inbox, target):
    for content in ("one", "two", "three"):
        file_away(inbox, "a/x.tar", put(inbox, "a/x.tar", content), target)
    assert tree(target) == {"a/x.tar": "one", "a/x (2).tar": "two", "a/x (3).tar": "three"}


def test_a_file_where_a_folder_is_needed_is_gone_around(inbox, target):
    file_away(inbox, "a", put(inbox, "a", "file"), target)
    (inbox / "a").mkdir(exist_ok=True)
    assert file_away(inbox, "a/x", put(inbox, "a/x", "below"), target) == "a (2)/x"
    (inbox / "a").rmdir()
    (target / "b").mkdir()
    assert file_away(inbox, "b", put(inbox, "b", "b"), target) == "b (2)"


def test_a_link_in_the_archive_is_not_followed(inbox, target, tmp_path):
    (tmp_path / "outside").mkdir()
    target.mkdir()
    (target / "a").symlink_to(tmp_path / "outside")
    assert file_away(inbox, "a/x", put(inbox, "a/x"), target) == "a (2)/x"
    assert tree(tmp_path / "outside") == {}


def test_times_and_mode_are_kept(inbox, target):
    put(inbox, "x")
    (inbox / "x").chmod(0o640)
    os.utime(inbox / "x", ns=(1_500_000_000_123_456_789, 1_600_000_000_123_456_789))
    file_away(inbox, "x", fingerprint(inbox, "x"), target)
    status = (target / "x").stat()
    assert (status.st_mtime_ns, status.st_mode & 0o777) == (1_600_000_000_123_456_789, 0o640)


def test_a_file_that_changed_stays(inbox, target):
    expected = put(inbox, "x", "old")
    put(inbox, "x", "newer")
    with pytest.raises(Changed):
        file_away(inbox, "x", expected, target)
    with pytest.raises(Changed):
        delete_source(inbox, "x", expected)
    assert tree(inbox) == {"x": "newer"}
    assert not target.exists() or tree(target) == {}


def test_a_file_that_is_gone_is_changed(inbox, target):
    expected = put(inbox, "a/x")
    (inbox / "a/x").unlink()
    with pytest.raises(Changed):
        file_away(inbox, "a/x", expected, target)
    (inbox / "a").rmdir()
    with pytest.raises(Changed):
        file_away(inbox, "a/x", expected, target, sha("content"))


def test_a_folder_swapped_for_a_link_gives_nothing_away(inbox, target, tmp_path):
    expected = put(inbox, "a/x")
    (inbox / "a").rename(tmp_path / "elsewhere")
    (inbox / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Changed):
        file_away(inbox, "a/x", expected, target)
    delete_source(inbox, "a/x", expected)
    assert tree(tmp_path / "elsewhere") == {"x": "content"}


def test_a_second_call_finds_what_the_first_one_did(inbox, target):
    expected = put(inbox, "a/x")
    first = file_away(inbox, "a/x", expected, target, sha("content"))
    (inbox / "a").rmdir()
    assert file_away(inbox, "a/x", expected, target, sha("content")) == first
    put(inbox, "a/x", "another")
    assert file_away(inbox, "a/x", expected, target, sha("content")) == first
    assert (tree(inbox), tree(target)) == ({"a/x": "another"}, {"a/x": "content"})


@pytest.mark.parametrize("length", [255, 254, 250])
def test_a_name_that_gets_too_long_is_cut(inbox, target, length):
    name = "é" * ((length - 4) // 2) + "x" * (length % 2) + ".txt"
    names = [file_away(inbox, name, put(inbox, name, c), target) for c in "ab"]
    assert names[1].endswith(" (2).txt")
    assert sorted(tree(target).values()) == ["a", "b"]
    relative = fail_away(inbox, name, put(inbox, name, "c"), target, **WHY)
    assert sum(n.endswith(".error") for n in tree(target)) == 1
    put_back(target, relative, inbox, name)
    assert tree(inbox) == {name: "c"}
    assert sorted(tree(target).values()) == ["a", "b"]


def test_a_failed_file_has_its_reason_beside_it(inbox, target):
    assert fail_away(inbox, "a/it's\n", put(inbox, "a/it's\n"), target, **WHY) == "a/it's\n"
    note = tree(target)["a/it's\n.error"]
    for words in (
        "Is empty.",
        "Write something.",
        "2024-05-06",
        "bouquetd retry 'a/it'\\''s\\n'",
        "a/it's\\n\n",
    ):
        assert words in note


def test_the_command_beside_a_failed_file_names_it_by_its_source(inbox, target):
    put(target, "a.pdf", "an older one")
    assert fail_away(inbox, "a.pdf", put(inbox, "a.pdf"), target, **WHY) == "a (2).pdf"
    assert "bouquetd retry 'a.pdf'\n" in tree(target)["a (2).pdf.error"]


def test_somebodys_own_error_file_is_not_overwritten(inbox, target):
    put(target, "x.error", "mine")
    fail_away(inbox, "x", put(inbox, "x"), target, **WHY)
    fail_away(inbox, "x", put(inbox, "x", "again"), target, **WHY)
    assert tree(target)["x.error"] == "mine"
    assert sorted(tree(target)) == ["x", "x (2)", "x (2).error", "x.error"]
    put_back(target, "x", inbox)
    assert tree(target)["x.error"] == "mine"


def test_a_failed_file_goes_back_for_a_retry(inbox, target):
    relative = fail_away(inbox, "a/b/x", put(inbox, "a/b/x"), target, **WHY)
    (inbox / "a/b").rmdir()
    put_back(target, relative, inbox)
    assert (tree(inbox), list(target.iterdir())) == ({"a/b/x": "content"}, [])


def test_a_retry_never_overwrites_a_newer_file(inbox, target):
    for source in ("x", "a/x"):
        relative = fail_away(inbox, source, put(inbox, source, "old"), target, **WHY)
        put(inbox, source, "new")
        with pytest.raises(Unavailable, match="has that name"):
            put_back(target, relative, inbox)
        assert tree(inbox)[source] == "new"
        assert tree(target)[relative] == "old"
    (inbox / "a/x").unlink()
    (inbox / "a").rmdir()
    put(inbox, "a", "a file now")
    with pytest.raises(Unavailable, match="has that name"):
        put_back(target, "a/x", inbox)


def test_a_retry_of_what_is_not_there_says_so(inbox, target):
    target.mkdir()
    for relative in ("none", "no/folder"):
        with pytest.raises(Unavailable, match="not among the failed files"):
            put_back(target, relative, inbox)


def test_deleting_twice_is_as_good_as_once(inbox):
    expected = put(inbox, "a/x")
    delete_source(inbox, "a/x", expected)
    delete_source(inbox, "a/x", expected)
    (inbox / "a").rmdir()
    delete_source(inbox, "a/x", expected)
    assert tree(inbox) == {}


def test_a_full_disk_keeps_the_file_and_says_which_disk(inbox, target, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "mkdir", full)
    expected = put(inbox, "x")
    monkeypatch.setattr(os, "makedirs", full)
    with pytest.raises(Unavailable, match="No space left") as caught:
        file_away(inbox, "x", expected, target)
    assert str(target) in caught.value.remedy
    assert tree(inbox) == {"x": "content"}


def test_a_copy_that_runs_out_of_space_leaves_nothing_behind(inbox, monkeypatch, tmp_path):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if os.stat(other).st_dev == tmp_path.stat().st_dev:
            pytest.fail("no second file system here")

        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        expected = put(inbox, "x")
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(Unavailable, match="No space left"):
            file_away(inbox, "x", expected, Path(other))
        monkeypatch.undo()
        assert (tree(inbox), os.listdir(other)) == ({"x": "content"}, [])


def test_a_file_replaced_at_the_very_last_moment_survives(inbox, target, monkeypatch):
    """Another program renames a new file into place between our look and our move."""
    for action in (lambda e: file_away(inbox, "x", e, target), lambda e: delete_source(inbox, "x", e)):
        expected = put(inbox, "x", "old")
        put(inbox, ".new", "newer")
        real, done = move.same_file, []

        def sneaky(status, expected, real=real, done=done):
            answer = real(status, expected)
            if answer and not done:
                done.append(os.rename(inbox / ".new", inbox / "x"))
            return answer

        monkeypatch.setattr(move, "same_file", sneaky)
        monkeypatch.setattr("bouquetd.inbox.archive.same_file", sneaky)
        with pytest.raises(Changed):
            action(expected)
        monkeypatch.undo()
        assert tree(inbox) == {"x": "newer"}


STEPS = ["open", "mkdir", "link", "unlink", "rename", "write", "fsync", "utime", "fchmod", "stat"]


def killed_at(step, action):
    """Runs the action in a child that is gone at its nth system call; False when it came through."""
    pid = os.fork()
    if pid == 0:
        left = itertools.count(step, -1)

        def deadly(call):
            def counted(*args, **kwargs):
                if next(left) <= 0:
                    os._exit(9)
                return call(*args, **kwargs)

            return counted

        for name in STEPS:
            setattr(os, name, deadly(getattr(os, name)))
        libc = move._LIBC
        move._LIBC = type("Libc", (), {"renameat2": staticmethod(deadly(libc.renameat2))})()
        try:
            action()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


@pytest.mark.parametrize("digest", [sha("content"), pytest.param(None, marks=pytest.mark.long)])
@pytest.mark.parametrize("known", [False, True])
def test_a_kill_at_any_step_neither_loses_nor_doubles_a_file(inbox, target, digest, known):
    if known:
        put(target, "a/x", "somebody else's")
    before = tree(target)
    for step in itertools.count():
        expected = put(inbox, "a/x")
        action = partial(file_away, inbox, "a/x", expected, target, digest)
        killed = killed_at(step, action)
        relative = action()
        assert tree(inbox) == {}, step
        assert tree(target) == {**before, relative: "content"}, step
        (target / relative).unlink()
        if not killed:
            break
    assert step > 5


def test_a_kill_at_any_step_of_failing_ends_in_a_file_and_its_note(inbox, target):
    for step in itertools.count():
        expected = put(inbox, "x")
        action = partial(fail_away, inbox, "x", expected, target, **WHY)
        killed = killed_at(step, action)
        action()
        assert tree(inbox) == {}, step
        assert sorted(tree(target)) == ["x", "x.error"], step
        (target / "x").unlink()
        (target / "x.error").unlink()
        if not killed:
            break
    assert step > 5


def test_a_kill_at_any_step_of_deleting_ends_in_nothing(inbox):
    for step in itertools.count():
        expected = put(inbox, "x")
        killed = killed_at(step, partial(delete_source, inbox, "x", expected))
        delete_source(inbox, "x", expected)
        assert tree(inbox) == {}, step
        if not killed:
            break
    assert step > 2
