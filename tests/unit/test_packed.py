"""Archives and mails: what is packed in them becomes documents of their own, or is refused alone."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import BinaryIO

import pytest

from bouquetd.assembly import Engine
from bouquetd.errors import Rejected, Stopped, Unavailable
from bouquetd.extract import Reading, archive
from bouquetd.model import Document, Piece
from tests.harness import Home, prose, until, work


def zipped(files: Mapping[str, bytes | str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def taped(files: Mapping[str, bytes | str], mode: str = "w") -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as tape:  # type: ignore[call-overload]
        for name, content in files.items():
            content = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tape.addfile(info, io.BytesIO(content))
    return data.getvalue()


def mail(text: str, attached: Mapping[str, bytes], subject: str = "Report") -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ann <ann@example.org>", "bob@example.org", subject
    message["Date"] = "Wed, 04 Mar 2026 10:00:00 +0000"
    message.set_content(text)
    for name, content in attached.items():
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()


def home(tmp_path: Path, **sections: object) -> Home:
    return Home(tmp_path / "home", sections)


def drained(at: Home) -> str:
    """Ingest what is in the inbox; returns what was logged."""
    with at.engine() as (parts, log):
        parts.worker.reconcile()
        work(parts)
    return log.text


def raising(parts: Engine, error: BaseException, when: Callable[..., bool]) -> None:
    """Have the look at a file's kind fail, by its name and how many were looked at."""
    take, seen = parts.reader.media_type, iter(range(1, 1000))

    def media_type(file: BinaryIO, name: str) -> str:
        if when(name, next(seen)):
            raise error
        return take(file, name)

    parts.reader.media_type = media_type  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("box.zip", zipped({"a.txt": "Alpha.", "sub/b.md": "Beta."})),
        pytest.param("box.tar", taped({"a.txt": "Alpha.", "sub/b.md": "Beta."}), marks=pytest.mark.long),
        ("box.tar.gz", taped({"a.txt": "Alpha.", "./sub/b.md": "Beta."}, "w:gz")),
        pytest.param(
            "box.tar.bz2", taped({"a.txt": "Alpha.", "/sub/b.md": "Beta."}, "w:bz2"), marks=pytest.mark.long
        ),
        pytest.param(
            "box.tar.xz", taped({"a.txt": "Alpha.", "../sub/b.md": "Beta."}, "w:xz"), marks=pytest.mark.long
        ),
        pytest.param(
            "no-suffix-that-tells", zipped({"a.txt": "Alpha.", "sub\\b.md": "Beta."}), marks=pytest.mark.long
        ),
    ],
)
def test_each_file_in_an_archive_is_a_document_of_its_own(tmp_path: Path, name: str, data: bytes) -> None:
    at = home(tmp_path)
    at.put(name, data)
    log = drained(at)
    assert at.texts() == {f"{name}!/a.txt": "Alpha.\n", f"{name}!/sub/b.md": "Beta.\n"}
    assert set(at.states().values()) == {"filed"}
    assert f"Stored {name}: 2 files packed in it" in log
    assert {(r.metadata["parent"], r.metadata["media_type"]) for r in at.stored().values()} == {
        (name, "text/plain"),
        (name, "text/markdown"),
    }
    assert [path.name for path in at.archive.iterdir()] == [name]
    assert at.cli("verify").status == 0


@pytest.mark.parametrize(
    "pack", [gzip.compress, *(pytest.param(p, marks=pytest.mark.long) for p in (bz2.compress, lzma.compress))]
)
def test_a_single_packed_file_is_read_under_its_name_without_the_suffix(tmp_path: Path, pack: object) -> None:
    at = home(tmp_path)
    at.put("notes.txt.gz", pack(b"Alpha.") + pack(b" Beta."))  # type: ignore[operator]
    drained(at)
    assert at.texts() == {"notes.txt.gz!/notes.txt": "Alpha. Beta.\n"}


def test_archives_in_archives_are_opened_as_deep_as_the_bound_says(tmp_path: Path) -> None:
    at = home(tmp_path, bounds={"depth": 2})
    inner = zipped({"deep.txt": "Deep."})
    at.put("a.zip", zipped({"b.zip": zipped({"c.zip": inner, "b.txt": "Middle."}), "a.txt": "Top."}))
    log = drained(at)
    assert at.texts() == {"a.zip!/a.txt": "Top.\n", "a.zip!/b.zip!/b.txt": "Middle.\n"}
    entry = at.entries()["a.zip!/b.zip!/c.zip"]
    assert (str(entry.state), entry.document.parent) == ("failed", "a.zip!/b.zip")
    assert "bounds.depth" in (entry.reason or "")
    assert "1 of 2 files in it were refused" in log


def test_what_is_attached_to_a_mail_is_a_document_with_the_mail_as_parent(tmp_path: Path) -> None:
    at = home(tmp_path)
    inner = EmailMessage()
    inner["Subject"], inner["From"], inner["To"] = "Inner", "x@example.org", "y@example.org"
    inner.set_content("Inner words.")
    inner.add_attachment(b"Gamma.", maintype="text", subtype="plain", filename="c.txt")
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ann@example.org", "bob@example.org", "Outer"
    message.set_content("Outer words.")
    message.add_attachment(zipped({"a.txt": "Alpha."}), maintype="application", subtype="zip", filename="z.zip")
    message.add_attachment(inner)
    at.put("m.eml", message.as_bytes())
    drained(at)
    texts = at.texts()
    assert set(texts) == {"m.eml", "m.eml!/z.zip!/a.txt", "m.eml!/c.txt"}
    assert "Outer words." in texts["m.eml"]
    assert "Inner words." in texts["m.eml"]


def test_the_headers_of_a_mail_are_facts_of_its_chunks(tmp_path: Path) -> None:
    at = home(tmp_path)
    at.put("m.eml", mail("Words.", {}))
    drained(at)
    [record] = at.stored().values()
    assert record.metadata["title"] == "Report"
    assert record.metadata["author"] == "Ann <ann@example.org>"
    assert record.metadata["recipients"] == ["bob@example.org"]
    assert record.metadata["created_at"] == 1772618400.0


def test_attachments_of_a_mailbox_stand_under_the_number_of_their_message(tmp_path: Path) -> None:
    at = home(tmp_path)
    first, second = mail("One.", {"a.txt": b"Alpha."}), mail("Two.", {"a.txt": b"Beta."})
    at.put("box.mbox", b"".join(b"From x Wed Mar  4 10:00:00 2026\n" + m + b"\n" for m in (first, second)))
    drained(at)
    assert {s: t for s, t in at.texts().items() if "!" in s} == {
        "box.mbox!/1/a.txt": "Alpha.\n",
        "box.mbox!/2/a.txt": "Beta.\n",
    }


def test_one_that_cannot_be_read_is_refused_alone_and_the_owner_is_told(tmp_path: Path) -> None:
    at = home(tmp_path)
    at.put("a.zip", zipped({"good.txt": "Alpha.", "bad.bin": bytes(range(256)) * 20, "empty.txt": ""}))
    log = drained(at)
    assert at.texts() == {"a.zip!/good.txt": "Alpha.\n"}
    assert at.states() == {"a.zip": "filed", "a.zip!/good.txt": "filed", "a.zip!/bad.bin": "failed"}
    assert "Refused a.zip!/bad.bin: It looks binary" in log
    assert "Stored a.zip: 2 files packed in it in" in log
    assert "1 of 2 files in it were refused: bad.bin" in at.cli("files").out


def test_an_archive_of_which_nothing_can_be_read_fails_with_the_first_reason(tmp_path: Path) -> None:
    at = home(tmp_path)
    at.put("a.zip", zipped({"x.bin": bytes(range(256)) * 20}))
    at.put("empty.zip", zipped({}))
    drained(at)
    assert at.states() == {"a.zip": "failed", "empty.zip": "failed"}
    assert "x.bin: it looks binary" in at.note("a.zip")
    assert "o file with anything in it" in at.note("empty.zip")


def test_a_damaged_archive_fails_as_a_whole_and_leaves_no_chunk(tmp_path: Path) -> None:
    at = home(tmp_path)
    data = taped({"a.txt": "Alpha.", "b.txt": prose(200_000)}, "w:gz")
    at.put("a.tar.gz", data[: len(data) // 2])
    drained(at)
    assert at.states() == {"a.tar.gz": "failed"}
    assert at.texts() == {}


def test_names_in_an_archive_are_labels_and_never_paths(tmp_path: Path) -> None:
    at = home(tmp_path)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tape:
        for name, content in (("/etc/x.txt", b"One."), ("../../x.txt", b"Two."), ("x.txt", b"Three.")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tape.addfile(info, io.BytesIO(content))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo("link")
            info.type, info.linkname = kind, "/etc/passwd"
            tape.addfile(info)
    at.put("a.tar", data.getvalue())
    drained(at)
    assert at.texts() == {
        "a.tar!/etc/x.txt": "One.\n",
        "a.tar!/x.txt": "Two.\n",
        "a.tar!/x.txt (2)": "Three.\n",
    }


def test_a_file_without_a_name_in_a_zip_is_a_member_like_the_others() -> None:
    data = zipped({"a.txt": "Its name begins with a zero, and ends there.", "b/": "", "c.txt": "Another."})
    members = archive.zipped(io.BytesIO(data.replace(b"a.txt", b"\0.txt")), Reading())
    assert [(member.name, member.open().read()[:7]) for member in members] == [
        ("", b"Its nam"),
        ("c.txt", b"Another"),
    ]


def test_names_that_the_inbox_ignores_are_ignored_in_archives_too(tmp_path: Path) -> None:
    at = home(tmp_path)
    at.put("a.zip", zipped({"a.txt": "Alpha.", ".DS_Store": "x", "__MACOSX/._a.txt": "y", "t.tmp": "z"}))
    drained(at)
    assert set(at.states()) == {"a.zip", "a.zip!/a.txt"}
    assert "3 files in it have names that inbox.ignore leaves alone" in at.cli("files").out


@pytest.mark.long
def test_a_bomb_is_refused_whole_however_it_is_wrapped(tmp_path: Path) -> None:
    at = home(tmp_path, bounds={"ratio": 50})
    blank = b"\n" * (20 << 20)
    inner = zipped({f"{n}.txt": blank for n in range(3)})
    at.put("bomb.zip", zipped({"good.txt": "Alpha.", **{f"{n}.zip": inner + bytes([n]) for n in range(3)}}))
    at.put("next.txt", "Beta.")
    drained(at)
    assert at.states() == {"bomb.zip": "failed", "next.txt": "filed"}
    assert "bounds.ratio" in at.note("bomb.zip")
    assert at.texts() == {"next.txt": "Beta.\n"}


def test_too_many_files_in_one_are_refused(tmp_path: Path) -> None:
    at = home(tmp_path, bounds={"members": 5})
    at.put("a.zip", zipped({f"{n}.txt": f"{n} words." for n in range(6)}))
    drained(at)
    assert at.states() == {"a.zip": "failed"}
    assert "bounds.members" in at.note("a.zip")


def test_the_same_content_twice_is_stored_once(tmp_path: Path) -> None:
    at = home(tmp_path)
    at.put("a.txt", "Alpha.")
    at.put("b.zip", zipped({"same.txt": "Alpha.", "one.txt": "Beta.", "two.txt": "Beta."}))
    drained(at)
    assert sorted(at.texts().values()) == ["Alpha.\n", "Beta.\n"]
    assert sorted(at.states().values()) == ["duplicate", "duplicate", "filed", "filed", "filed"]


def test_a_newer_archive_of_the_same_name_replaces_what_changed_and_drops_what_went(tmp_path: Path) -> None:
    at = home(tmp_path)
    old = {"same.txt": "Same.", "changed.txt": "Old.", "gone.txt": "Gone.", "bad.bin": bytes(99)}
    at.put("a.zip", zipped(old))
    drained(at)
    [before] = (id_ for id_, record in at.stored().items() if record.text == "Same.")
    at.put("a.zip", zipped({"same.txt": "Same.", "changed.txt": "New."}))
    drained(at)
    assert at.texts() == {"a.zip!/same.txt": "Same.\n", "a.zip!/changed.txt": "New.\n"}
    assert before in at.stored()
    assert set(at.states()) == {"a.zip", "a.zip!/same.txt", "a.zip!/changed.txt"}
    assert at.cli("verify").status == 0


def test_a_newer_archive_that_fails_leaves_the_older_one_as_it_was(tmp_path: Path) -> None:
    at = home(tmp_path, bounds={"members": 3})
    at.put("a.zip", zipped({"a.txt": "Alpha.", "b.txt": "Beta."}))
    drained(at)
    at.put("a.zip", zipped({"a.txt": "Alpha.", "c.txt": "Gamma.", "d.txt": "Delta.", "e.txt": "Epsilon."}))
    drained(at)
    assert at.texts() == {"a.zip!/a.txt": "Alpha.\n", "a.zip!/b.txt": "Beta.\n"}


def test_to_forget_an_archive_is_to_forget_what_is_packed_in_it(tmp_path: Path) -> None:
    at = home(tmp_path)
    at.put("a.zip", zipped({"a.txt": "Alpha.", "in.zip": zipped({"b.txt": "Beta."})}))
    at.put("c.txt", "Gamma.")
    drained(at)
    at.cli("forget", "a.zip")
    assert at.texts() == {"c.txt": "Gamma.\n"}
    assert set(at.states()) == {"a.zip", "c.txt"}


@pytest.mark.long
def test_with_keep_a_deleted_archive_takes_what_was_packed_in_it_along(tmp_path: Path) -> None:
    at = home(tmp_path, inbox={"after": "keep"})
    path = at.put("a.zip", zipped({"a.txt": "Alpha."}))
    for n in range(9):
        at.put(f"{n}.txt", f"Other {n}.")
    drained(at)
    assert "a.zip!/a.txt" in at.texts()
    drained(at)
    path.unlink()
    drained(at)
    assert "a.zip!/a.txt" not in at.texts()
    assert not any(source.startswith("a.zip") for source in at.states())


@pytest.mark.long
def test_an_interrupted_archive_goes_on_where_it_was_and_stores_nothing_twice(tmp_path: Path) -> None:
    at = home(tmp_path)
    at.put("a.zip", zipped({f"{n:02}.txt": prose(3_000, n) for n in range(12)}))
    for stop_at in (3, 7, 11):
        with at.engine() as (parts, _):
            raising(parts, Stopped("now"), lambda _, count, at=stop_at: count == at)
            parts.worker.reconcile()
            with pytest.raises(Stopped):
                work(parts)
            parts.worker.finish()
    drained(at)
    assert len(at.texts()) == 12
    assert set(at.states().values()) == {"filed"}
    assert at.cli("verify").status == 0


def test_of_a_mail_that_was_interrupted_after_its_text_nothing_attached_is_lost(tmp_path: Path) -> None:
    at = home(tmp_path)
    at.put("m.eml", mail(prose(5_000), {"a.txt": b"Alpha.", "b.txt": b"Beta."}))
    with at.engine() as (parts, _):
        parts.worker.reconcile()
        complete = parts.ledger.complete
        parts.ledger.complete = lambda _: (_ for _ in ()).throw(Unavailable("now", "never"))  # type: ignore[method-assign, assignment]
        parts.intake.refresh()
        until(lambda: parts.worker.step() or parts.worker.trouble, "it is read")
        parts.ledger.complete = complete  # type: ignore[method-assign]
    drained(at)
    assert set(at.texts()) == {"m.eml", "m.eml!/a.txt", "m.eml!/b.txt"}
    assert set(at.states().values()) == {"filed"}


@pytest.mark.long
def test_a_member_that_kills_the_daemon_is_given_up_and_the_rest_is_read(tmp_path: Path) -> None:
    at = home(tmp_path)
    at.put("a.zip", zipped({"a.txt": "Alpha.", "poison.txt": "Poison.", "z.txt": "Omega."}))
    for _ in range(3):
        with at.engine() as (parts, _):
            # As good as a kill: nothing is given back.
            raising(parts, KeyboardInterrupt(), lambda name, _: name == "poison.txt")
            parts.worker.reconcile()
            with pytest.raises(KeyboardInterrupt):
                work(parts)
    log = drained(at)
    assert at.texts() == {"a.zip!/a.txt": "Alpha.\n", "a.zip!/z.txt": "Omega.\n"}
    assert "killed 3 times while reading it" in log
    assert at.states()["a.zip"] == "filed"


def test_a_refused_member_can_be_tried_again_from_the_archive(tmp_path: Path) -> None:
    at = home(tmp_path)
    at.put("a.zip", zipped({"a.txt": "Alpha.", "b.txt": "Beta."}))
    with at.engine() as (parts, _):
        raising(parts, Rejected("not today", "Try tomorrow."), lambda name, _: name == "b.txt")
        parts.worker.reconcile()
        work(parts)
    assert at.states()["a.zip!/b.txt"] == "failed"
    assert at.cli("retry", "a.zip!/b.txt").status == 0
    drained(at)
    assert at.texts() == {"a.zip!/a.txt": "Alpha.\n", "a.zip!/b.txt": "Beta.\n"}
    assert set(at.states().values()) == {"filed"}


@pytest.mark.long
def test_a_ledger_rebuilt_from_the_store_knows_what_was_packed(tmp_path: Path) -> None:
    at = home(tmp_path)
    at.put("a.zip", zipped({"a.txt": "Alpha.", "b.txt": "Beta."}))
    drained(at)
    (at.root / "state" / "ledger.db").unlink()
    drained(at)
    assert at.entries()["a.zip!/a.txt"].document.parent == "a.zip"
    at.put("a.zip", zipped({"a.txt": "Alpha."}))
    drained(at)
    assert at.texts() == {"a.zip!/a.txt": "Alpha.\n"}


def test_an_encrypted_file_in_an_archive_is_refused_alone(tmp_path: Path) -> None:
    at = home(tmp_path)
    data = bytearray(zipped({"a.txt": "Alpha.", "b.txt": "Beta."}))
    directory = data.rfind(b"PK\1\2")
    data[directory + 8] |= 1
    at.put("a.zip", bytes(data))
    drained(at)
    assert at.texts() == {"a.zip!/a.txt": "Alpha.\n"}
    assert "encrypted" in (at.entries()["a.zip!/b.txt"].reason or "")


def test_a_header_of_a_tar_without_an_end_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    at = home(tmp_path)
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    at.put("a.tar.gz", gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + b"x" * (16 << 20)))
    drained(at)
    assert at.states() == {"a.tar.gz": "failed"}
    assert "has no end" in at.note("a.tar.gz")


def test_what_was_noted_of_a_file_that_is_refused_is_not_told_of_the_next(tmp_path: Path) -> None:
    at = home(tmp_path)
    with at.engine() as (parts, log):
        ingest = parts.worker._pipeline.extract

        def extract(file: BinaryIO, document: Document) -> Iterator[Piece]:
            yield from ingest(file, document)
            if document.name == "bad.txt":
                parts.reader._note("only of the bad one")
                raise Rejected("broken", "Mend it.")

        parts.worker._pipeline.extract = extract
        at.put("a.zip", zipped({"good.txt": "Good.", "bad.txt": "Bad."}))
        at.put("z.txt", "Next.")
        parts.worker.reconcile()
        work(parts)
    assert "only of the bad one" not in log.text
