"""Which encoding 8-bit text is in when nothing says so: by what its bytes would read as.

charset-normalizer (MIT, kept up, wheels for x86-64 and arm64) tells the encodings of several bytes a character.
Of those of one byte it knows too little of a page of text to tell neighbours apart, Mac from Windows or Polish
from French; so these are compared by the letters that each would make of the bytes: the frequent ones of a
script of its own, or the accented ones of the language in which the rest of the text, ASCII as it is, is
written.
"""

from __future__ import annotations

import re
from operator import itemgetter

import charset_normalizer

from bouquetd.extract.language import language

_CYRILLIC = "оеаинтсрвлкмдпуяії"
_ARABIC = "اليمنوتربعدةه"
_SCRIPTS = (
    ("cp1251", _CYRILLIC), ("koi8_u", _CYRILLIC), ("cp866", _CYRILLIC), ("iso8859_5", _CYRILLIC),
    ("mac_cyrillic", _CYRILLIC), ("cp1253", "αοιεητσνυρπκμλςόίάέ"), ("cp1255", "יוהלארתבשמנ"),
    ("cp1256", _ARABIC), ("iso8859_6", _ARABIC), ("cp874", "านรอกเงยลมวทตส่้ีัิ"),
)  # fmt: skip
_FREQUENT = 0.45  # share of the letters above in any text in them; by chance it is 0.2


def _accented(letters: str) -> str:
    """A pattern for these letters, in capitals where a small one is not before them, and marks around words."""
    capitals = "".join(c.upper() for c in letters if len(c.upper()) == 1 and not c.upper().isascii())
    return f"[{letters}ß]|(?<![a-zà-ž])[{capitals}]|(?<![^\\W\\d_])[“„‘«–—]|[”’»…]"  # noqa: RUF001


_CENTRAL = ("cp1250", "iso8859_2", "cp852")
_ALPHABETS = (
    (("pl",), _CENTRAL, _accented("ąćęłńóśźż")),
    (
        ("bs", "cs", "hr", "hu", "ro", "sk", "sl", "sq", "sr"),
        _CENTRAL,
        _accented("áčćďéěíňřšťúůýžäôóĺľŕöőüűăâîşţđçë"),
    ),
    (("az", "tr"), ("cp1254", "cp857"), _accented("çğıöşüâîə")),
    (("et", "lt", "lv"), ("cp1257", "cp1252"), _accented("ąčęėįšųūžāēģīķļņõäöü")),
    (("vi",), ("cp1258",), "x"),
)
_WESTERN = ("cp1252", "mac_roman", "cp850")
_WESTERN_LETTERS = _accented("àáâãäåæçèéêëìíîïñòóôõöøùúûüýœ")

# The commonest characters of the languages written with several bytes a character.
_COMMON = (
    ("cp932", "のにはをたがでとしるいてな"), ("euc_jp", "のにはをたがでとしるいてな"),
    ("gb18030", "的一是不了在人有我他这中大来上个们为和"),
    ("big5hkscs", "的一是不了在人有我他這中大來上個們為和"),
    ("cp949", "이다는의에가고을한를지기은도로하"),
)  # fmt: skip
_COMMON_SHARE = 0.05  # of the characters that are not ASCII; in the wrong encoding next to none are

_SEVERAL_BYTES = ["cp932", "euc_jp", "gb18030", "big5", "cp949"]
# The rest of charset-normalizer's hundred only gives it ways to be wrong.
_CANDIDATES = [
    "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r", *_SEVERAL_BYTES,
]  # fmt: skip

_FOREIGN = re.compile(rb"[\x80-\xff]")
_LETTER = re.compile(rb"[A-Za-z]")
_ENOUGH = 4096  # bytes that are looked at


def encoding(sample: bytes) -> str:
    """The likeliest encoding of a text that is no UTF-8 and has no mark."""
    start = sample[:_ENOUGH]
    foreign, plain = len(_FOREIGN.findall(start)), len(_LETTER.findall(start))
    if foreign > plain:
        hits, best = max(
            ((_hits(start, name, f"[{letters}]"), name) for name, letters in _SCRIPTS), key=itemgetter(0)
        )
        if hits >= _FREQUENT * foreign:
            return best
    best = _best(sample)
    if best in _SEVERAL_BYTES:
        return best
    if foreign > plain:
        return _damaged(sample) or best
    return _latin(start)


def _damaged(sample: bytes) -> str | None:
    """The encoding of several bytes a character in which a text makes sense but for an illegal byte or two."""
    start = sample[:_ENOUGH]
    share, name = max(
        (_hits(start, name, f"[{letters}]") / (_hits(start, name, r"[^\x00-\x7f]") or 1), name)
        for name, letters in _COMMON
    )
    return name if share >= _COMMON_SHARE else None


def _latin(sample: bytes) -> str:
    """The encoding in which the text is in one of its languages, with most letters of theirs; else Western."""
    western, most = max(((name, _hits(sample, name, _WESTERN_LETTERS)) for name in _WESTERN), key=itemgetter(1))
    best = western
    for languages, names, pattern in _ALPHABETS:
        name, hits = max(((name, _hits(sample, name, pattern)) for name in names), key=itemgetter(1))
        if (best == western or hits > most) and language(sample.decode(name, "replace")) in languages:
            best, most = name, hits
    return best


def _hits(sample: bytes, encoding: str, pattern: str) -> int:
    """How often the bytes read in this encoding match a pattern."""
    return len(re.findall(pattern, sample.decode(encoding, "replace")))


def _best(sample: bytes) -> str:
    """What charset-normalizer says."""
    for cut in range(4):  # a character cut in half at the end would rule its own encoding out
        matches = charset_normalizer.from_bytes(sample[: len(sample) - cut], cp_isolation=_CANDIDATES)
        if best := matches.best():
            return best.encoding
    return "cp1252"
