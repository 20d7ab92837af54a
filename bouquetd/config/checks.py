"""How options are read that are neither quantities nor one of a few words: paths, addresses, names, patterns.

Each makes of what was written what the program uses, and raises ``ValueError``: what is wrong, what to write.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bouquetd.config.listen import NOWHERE, Listen
from bouquetd.config.section import Surroundings
from bouquetd.config.units import shown

if TYPE_CHECKING:
    from bouquetd.config.section import Place

_URL = re.compile(r"https?://([^\s/:@?#\[\]]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?/?")
_ENDPOINT = re.compile(_URL.pattern.removesuffix("/?") + r"(/[^\s?#]*)?")
_MODEL = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{0,500}")
_CREDENTIAL = re.compile(r"[A-Za-z0-9._@-]{1,255}")
_WORD = re.compile(r"[A-Za-z0-9._-]{1,128}")
_LANGUAGES = re.compile(r"[A-Za-z][A-Za-z_]{1,30}(\+[A-Za-z][A-Za-z_]{1,30}){0,15}")
_COUNTRY = re.compile("([A-Z]{2})?")
_COLLECTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{1,38}[A-Za-z0-9]")


def text(value: object, _place: Place) -> str:
    """Any text."""
    if not isinstance(value, str):
        raise ValueError(f"{shown(value)} is not text; put quotes around it")  # noqa: TRY004
    return value


def folder(value: object, place: Place) -> Path:
    """A folder, absolute."""
    return _placed(value, place, "a folder")


def runtime(value: object, place: Place) -> Path:
    """The folder of what lives as long as the daemon; unless written, systemd's, or one below the state."""
    if value is not None:
        return folder(value, place)
    around = place.around or _here()
    given = around.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return around.base / given if given else Path(place.before.get("state", around.base), "run")


def file(value: object, place: Place) -> Path | None:
    """A file, absolute; none where nothing is written."""
    return None if value is None or value == "" else _placed(value, place, "the path of a file")


def key(value: object, place: Place) -> str:
    """The file of a key, absolute, the name of a credential of systemd, or none."""
    if value == "" or (isinstance(value, str) and _CREDENTIAL.fullmatch(value)):
        return str(value)
    return str(_placed(value, place, "the path of a file, or the name of a credential"))


def patterns(value: object, _place: Place) -> tuple[str, ...]:
    """Patterns of names."""
    if not isinstance(value, list | tuple) or len(value) > 200:
        raise ValueError(f'{shown(value)} is not a list of up to 200 patterns; write for instance ["*.tmp"]')
    for pattern in value:
        if not isinstance(pattern, str) or not pattern:
            raise ValueError(f'{shown(pattern)} is not a pattern; write for instance "*.part"')
        if "/" in pattern:
            raise ValueError(
                f"{shown(pattern)} has a slash, but a pattern is matched against one name at a time;"
                " write the name of the file or folder alone"
            )
        if not pattern.strip("*"):
            raise ValueError(f"{shown(pattern)} ignores every file; take it out")
    return tuple(value)


def languages(value: object, _place: Place) -> str:
    """Languages as tesseract calls them."""
    fault = (
        "are not languages of tesseract; write for instance eng, or eng+deu (`tesseract --list-langs` shows"
        " which there are)"
    )
    return _matching(_LANGUAGES, value, fault)


def country(value: object, _place: Place) -> str:
    """Two capitals, or nothing."""
    return _matching(_COUNTRY, value, "is not the code of a country; write two capitals, for instance DE")


def model(value: object, _place: Place) -> str:
    """What a server or a package calls a model."""
    return _matching(_MODEL, value, "is not the name of a model; write for instance nomic-embed-text")


def embedder(value: object, place: Place) -> str:
    """The folder of an ONNX model, absolute, or what a server calls a model."""
    if value and place.before.get("provider") == "onnx":
        return str(_placed(value, place, "the folder of a model"))
    return model(value, place)


def prefix(value: object, _place: Place) -> str:
    """What stands before a text."""
    if not isinstance(value, str) or len(value) > 500 or "\0" in value:
        raise ValueError(f'{shown(value)} cannot stand before a text; write for instance "query: "')
    return value


def endpoint(value: object, _place: Place) -> str:
    """The address of a server of models, or none."""
    fault = (
        "is not the address of a server; write for instance http://127.0.0.1:11434/v1, and a key into a file of"
        " its own"
    )
    return "" if value == "" else _matching(_ENDPOINT, value, fault).rstrip("/")


def chroma(value: object, _place: Place) -> str:
    """The address of a Chroma server."""
    fault = "is not the address of a Chroma server; write for instance http://127.0.0.1:8000"
    return _matching(_URL, value, fault).rstrip("/")


def word(value: object, place: Place) -> str:
    """A name of Chroma's."""
    fault = f"is not the name of a {place.name}; write up to 128 letters, digits, . - _"
    return _matching(_WORD, value, fault)


def collection(value: object, _place: Place) -> str:
    """What the names of collections begin with."""
    fault = (
        "cannot begin the name of a collection; write 3 to 40 letters, digits, - and _, the first and the last"
        " a letter or digit"
    )
    return _matching(_COLLECTION, value, fault)


def switch(value: object, _place: Place) -> bool:
    """On or off."""
    on = {"true": True, "false": False}.get(str(value).lower())
    if on is None:
        raise ValueError(f"{shown(value)} is neither true nor false; write one of them")
    return on


def address(value: object, place: Place) -> str:
    """Where to listen, or nowhere."""
    scheme, _, path = str(value).partition(":")
    if scheme == "unix":
        return f"unix:{_placed(path, place, 'a socket')}"
    return NOWHERE if value is None else str(Listen.of(str(value)))


def _matching(pattern: re.Pattern[str], value: object, fault: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{shown(value)} {fault}")
    return value


def _here() -> Surroundings:
    return Surroundings(Path.cwd(), os.environ)


def _placed(value: object, place: Place, wanted: str) -> Path:
    """A path as it was written, made absolute against what is around. Raises ``ValueError`` for no path."""
    if not isinstance(value, str | Path) or not str(value).strip():
        raise ValueError(f"{shown(value)} is not {wanted}; write its path, for instance {place.name}")
    try:
        os.fsencode(value)
    except UnicodeEncodeError:
        raise ValueError(
            f"{shown(str(value))} cannot be a file name; write the path without \\u escapes"
        ) from None
    if "\0" in str(value):
        raise ValueError(f"{shown(str(value))} contains a NUL character; take it out")
    around = place.around or _here()
    return around.base / _at_home(str(value), around.environ)


def _at_home(path: str, environ: Mapping[str, str]) -> str:
    """``path`` with a leading ``~`` or ``~user`` replaced. Raises ``ValueError`` for a home nobody knows."""
    if not path.startswith("~"):
        return path
    user, slash, rest = path.partition("/")
    home = environ.get("HOME") if user == "~" else None
    found = home or os.path.expanduser(user)
    if found.startswith("~"):
        raise ValueError(f"{shown(path)} names a home that is not known here; write the path in full")
    return found + slash + rest
