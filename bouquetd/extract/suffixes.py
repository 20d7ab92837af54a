"""Text of which the name says what it is: source code, settings, logs.

The content of these decides only that they are text. A table of our own, since the one of the standard library
also reads those of the machine it runs on, and the same file would be of another kind elsewhere.
"""

from __future__ import annotations

import re

SETTINGS = {
    ".yaml": "application/yaml", ".yml": "application/yaml", ".toml": "application/toml",
    ".ini": "text/x-ini", ".cfg": "text/x-ini", ".conf": "text/x-ini", ".desktop": "text/x-ini",
    ".properties": "text/x-java-properties",
}  # fmt: skip

CODE = {
    ".adb": "text/x-ada", ".ads": "text/x-ada", ".asm": "text/x-asm", ".awk": "text/x-awk",
    ".bash": "text/x-shellscript", ".bat": "text/x-bat", ".c": "text/x-c", ".cc": "text/x-c++",
    ".clj": "text/x-clojure", ".cmake": "text/x-cmake", ".cpp": "text/x-c++", ".cs": "text/x-csharp",
    ".css": "text/css", ".cxx": "text/x-c++", ".dart": "text/x-dart", ".diff": "text/x-diff",
    ".el": "text/x-lisp", ".erl": "text/x-erlang", ".ex": "text/x-elixir", ".exs": "text/x-elixir",
    ".f": "text/x-fortran", ".f90": "text/x-fortran", ".go": "text/x-go", ".groovy": "text/x-groovy",
    ".h": "text/x-c", ".hh": "text/x-c++", ".hpp": "text/x-c++", ".hs": "text/x-haskell",
    ".java": "text/x-java", ".jl": "text/x-julia", ".js": "text/javascript", ".jsx": "text/javascript",
    ".kt": "text/x-kotlin", ".lisp": "text/x-lisp", ".lua": "text/x-lua", ".mjs": "text/javascript",
    ".mk": "text/x-makefile", ".ml": "text/x-ocaml", ".pas": "text/x-pascal", ".patch": "text/x-diff",
    ".php": "text/x-php", ".pl": "text/x-perl", ".pm": "text/x-perl", ".proto": "text/x-protobuf",
    ".ps1": "text/x-powershell", ".py": "text/x-python", ".pyi": "text/x-python", ".r": "text/x-r",
    ".rb": "text/x-ruby", ".rs": "text/x-rust", ".scala": "text/x-scala", ".scss": "text/x-scss",
    ".sh": "text/x-shellscript", ".sql": "text/x-sql", ".swift": "text/x-swift", ".tcl": "text/x-tcl",
    ".ts": "text/x-typescript", ".tsx": "text/x-typescript", ".vb": "text/x-vb", ".vhd": "text/x-vhdl",
    ".zsh": "text/x-shellscript",
}  # fmt: skip

LOG = "text/x-log"
TEX = "text/x-tex"

TEXTS = frozenset({*SETTINGS.values(), *CODE.values(), LOG, TEX})
"""All of them, which are read as they stand."""

_BY_SUFFIX = {**SETTINGS, **CODE, ".log": LOG, ".tex": TEX, ".ltx": TEX}
_INTERPRETERS = {
    "awk": "text/x-awk", "bash": "text/x-shellscript", "dash": "text/x-shellscript", "node": "text/javascript",
    "perl": "text/x-perl", "python": "text/x-python", "ruby": "text/x-ruby", "sh": "text/x-shellscript",
    "zsh": "text/x-shellscript",
}  # fmt: skip
_SHEBANG = re.compile(r"#![^\n]{0,100}?\b(?:env +(?:-S +)?)?([a-z]+)[\d.]*(?:\s|$)")


def media_type(start: str, suffix: str) -> str | None:
    """The media type of a text that begins so and has this suffix; None if neither says anything."""
    if not suffix and (found := _SHEBANG.match(start)):
        return _INTERPRETERS.get(found[1])
    return _BY_SUFFIX.get(suffix)
