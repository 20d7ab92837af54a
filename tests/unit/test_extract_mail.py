"""E-mail: what of a message is text, and what a mailbox is."""

from __future__ import annotations

import io
from email.message import EmailMessage

import pytest

from bouquetd.errors import Rejected
from bouquetd.extract import Reading, extract, media_type
from bouquetd.extract.mail import is_mail, is_mailbox
from tests import samples

HEAD = "From: a@example.org\nTo: b@example.org\nSubject: S\n"


def text(data: bytes, name: str = "a.eml", read_size: int = 4096) -> str:
    file = io.BytesIO(data)
    return "".join(p.text for p in extract(file, media_type(file, name), Reading(read_size, 4096)))


def body(message: str) -> str:
    return text((HEAD + message).encode("utf-8")).removeprefix(HEAD + "\n").rstrip("\n")


@pytest.mark.parametrize(
    ("message", "seen"),
    [
        ("\nplain\n", "plain"),
        ("no blank line before it\nand more\n", "no blank line before it\nand more"),
        ("Content-Type: text/x-log\n\nany text\n", "any text"),
        ("Content-Transfer-Encoding: quoted-printable\n\nsoft=\n break =C3=A9\n", "soft break \u00e9"),
        ("Content-Transfer-Encoding: base64\n\ncGxh\naW4=\n", "plain"),
        ("Content-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: base64\n\n8NLJ18XU\n",
         "\u041f\u0440\u0438\u0432\u0435\u0442"),
        ("Content-Type: text/html\n\n<p>one<script>no</script><p>two\n", "one\n\ntwo"),
        ("Content-Type: text/html; charset=x-nonsense\n\n<p>one\n", "one"),
        ("Content-Type: multipart/mixed; boundary=B\n\nnobody\n--B\n\none\n--B\n\ntwo\n--B--\nnobody\n",
         "one\n\ntwo"),
        ("Content-Type: multipart/alternative; boundary=B\n\n--B\n\nplain\n--B\nContent-Type: text/html\n\n"
         "<p>rich\n--B--\n", "plain"),
        ("Content-Type: multipart/alternative; boundary=B\n\n--B\n\n--B\nContent-Type: text/html\n\n"
         "<p>rich\n--B--\n", "rich"),
        ("Content-Type: multipart/mixed; boundary=B\n\n--B\n\nnever ended\n", "never ended"),
        ("Content-Type: multipart/mixed; boundary=A\n\n--A\nContent-Type: multipart/mixed; boundary=B\n\n"
         "--B\n\ninner\n--A\n\nouter\n--A--\n", "inner\n\nouter"),
        ("Content-Type: multipart/digest; boundary=B\n\n--B\n\nSubject: One\n\none\n--B\n\nSubject: Two\n\n"
         "two\n--B--\n", "Subject: One\n\none\n\nSubject: Two\n\ntwo"),
        ("Content-Type: message/rfc822\n\nFrom: c@example.org\nSubject: Inner\n\nenclosed\n",
         "From: c@example.org\nSubject: Inner\n\nenclosed"),
    ],
)  # fmt: skip
def test_a_message_says_its_text(message: str, seen: str) -> None:
    assert body(message) == seen


def test_a_recipient_whose_name_has_a_comma_is_one() -> None:
    head = 'From: a@example.org\nTo: "Doe, Jane" <j@example.org>, b@example.org\nCc: c@example.org\nDate: '
    file = io.BytesIO(f"{head}\ntext\n".encode())
    (piece, *_) = extract(file, media_type(file, "a.eml"), Reading())
    assert piece.facts.recipients == ('"Doe, Jane" <j@example.org>', "b@example.org", "c@example.org")


@pytest.mark.parametrize("read_size", [1, 4096])
def test_of_two_forms_of_a_text_one_is_read_and_what_is_attached_is_named(read_size: int) -> None:
    data = samples.eml("The plain text.", "<p>The rich text.", {"r\u00e9sum\u00e9.pdf": b"%PDF-1.4"})
    said = text(data, read_size=read_size)
    assert said.startswith("From: Gr\u00fc\u00dfe <sender@example.org>\nTo: reader@example.org\n")
    assert "The plain text." in said
    assert "rich" not in said
    assert said.endswith("Attached: r\u00e9sum\u00e9.pdf\n\n")


def test_each_message_of_a_mailbox_is_a_row() -> None:
    file = io.BytesIO(samples.mbox(["one", "two\n\n>From here on", "three"]))
    found = list(extract(file, media_type(file, "a"), Reading(4096, 4096)))
    assert {p.row for p in found} == {1, 2, 3}
    assert "From here on" in "".join(p.text for p in found if p.row == 2)


def test_a_message_within_a_message_a_thousand_deep_is_rejected() -> None:
    message = EmailMessage()
    message["From"], message["Subject"], message["To"] = "a@example.org", "S", "b@example.org"
    data = bytes(message) + b"Content-Type: message/rfc822\n\n" * 1000
    with pytest.raises(Rejected, match="nested more than 20 deep"):
        text(data.replace(b"\n\nContent-Type", b"\nContent-Type", 1))


def test_a_text_that_begins_with_names_and_colons_is_no_message() -> None:
    assert not is_mail(b"From: here\n\nTo there.\n")
    assert not is_mail(b"Title: x\nAuthor: y\nDate: z\n\nA text with front matter.\n")
    assert not is_mail(b"Date: 1\nFrom: a\nTo: b\nThis is a letter.\n")
    assert not is_mailbox(b"From 1990 on all was different 2001\nand so on\n")
