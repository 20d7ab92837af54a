"""``--where``: conditions on metadata as a person writes them, made into Chroma's filter.

``media_type = "application/pdf" and (page <= 3 or not entities contains "email:ada@example.org")``

    expression := term ("or" term)*
    term       := factor ("and" factor)*
    factor     := "not" factor | "(" expression ")" | key comparison
    comparison := ("=" | "!=" | "<" | "<=" | ">" | ">=") value
                | ["not"] "in" "(" value ("," value)* ")" | ["not"] "contains" value
    value      := "text" | 'text' | number | true | false
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Value = str | int | float | bool

DEEPEST = 50
"""Parentheses and ``not`` within each other."""

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<text> "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' )
    | (?P<number> [+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.]) )
    | (?P<sign> <= | >= | != | = | < | > | \( | \) | , )
    | (?P<word> [^\W\d][\w.-]* )
    )""",
    re.VERBOSE,
)
_COMPARISONS = {"=": "$eq", "!=": "$ne", "<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}
_OPPOSITE = {
    "$eq": "$ne", "$lt": "$gte", "$gt": "$lte", "$in": "$nin", "$contains": "$not_contains", "$and": "$or",
}  # fmt: skip
_OPPOSITE |= {other: one for one, other in _OPPOSITE.items()}
_RESERVED = {"and", "or", "not", "in", "contains", "true", "false"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def parse(text: str) -> dict[str, Any]:
    """The filter for Chroma's ``where``. Raises ``ValueError`` that says what was not understood, and where."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._next = 0
        self._depth = 0

    def whole(self) -> dict[str, Any]:
        found = self._joined("or", lambda: self._joined("and", self._factor))
        if self._seen.kind != "end":
            self._fail("expected `and`, `or` or the end")
        return found

    @property
    def _seen(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *wanted: str) -> bool:
        """Go past the next token when it is one of these words or signs."""
        if self._seen.kind in ("word", "sign") and self._seen.text.lower() in wanted:
            self._next += 1
            return True
        return False

    def _fail(self, what: str) -> None:
        seen = self._seen
        place = f"at {seen.text!r} (character {seen.at + 1})" if seen.kind != "end" else "at the end"
        raise ValueError(f"{what} {place} of {self._text!r}")

    def _joined(self, word: str, part: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else {f"${word}": parts}

    def _factor(self) -> dict[str, Any]:
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail("nested too deeply")
        if self._take("not"):
            found = _negated(self._factor())
        elif self._take("("):
            found = self._joined("or", lambda: self._joined("and", self._factor))
            if not self._take(")"):
                self._fail("expected `)`")
        else:
            found = self._comparison()
        self._depth -= 1
        return found

    def _comparison(self) -> dict[str, Any]:
        key = self._seen
        if key.kind != "word" or key.text.lower() in _RESERVED:
            self._fail("expected the name of a metadata field")
        self._next += 1
        sign = self._seen.text
        if self._take(*_COMPARISONS):
            return self._compared(key.text, _COMPARISONS[sign])
        negative = self._take("not")
        if self._take("in"):
            found: dict[str, Any] = {key.text: {"$in": self._list()}}
        elif self._take("contains"):
            found = {key.text: {"$contains": self._value()}}
        else:
            self._fail("expected one of = != < <= > >= in contains")
        return _negated(found) if negative else found

    def _compared(self, key: str, operator: str) -> dict[str, Any]:
        if operator not in ("$eq", "$ne") and self._seen.kind != "number":
            self._fail("expected a number, as only numbers are larger or smaller,")
        return {key: {operator: self._value()}}

    def _list(self) -> list[Value]:
        if not self._take("("):
            self._fail("expected `(` and values with commas between them")
        values = [self._value()]
        while self._take(","):
            values.append(self._value())
        if not self._take(")"):
            self._fail("expected `,` or `)`")
        if len({type(value) for value in values}) > 1:
            raise ValueError(f"the values of one `in (...)` must be of one kind: {values}")
        return values

    def _value(self) -> Value:
        seen = self._seen
        if self._take("true", "false"):
            return seen.text.lower() == "true"
        if seen.kind not in ("text", "number"):
            self._fail('expected a value, text in quotes ("like this"),')
        self._next += 1
        if seen.kind == "text":
            return re.sub(r"\\(.)", r"\1", seen.text[1:-1], flags=re.DOTALL)
        return float(seen.text) if re.search(r"[.eE]", seen.text) else int(seen.text)


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    while rest := text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"cannot read {rest[:20]!r} in {text!r}")
        kind = match.lastgroup or ""
        found.append(_Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return [*found, _Token("end", "", len(text))]


def _negated(condition: dict[str, Any]) -> dict[str, Any]:
    [(key, inner)] = condition.items()
    if key in ("$and", "$or"):
        return {_OPPOSITE[key]: [_negated(part) for part in inner]}
    [(operator, value)] = inner.items()
    return {key: {_OPPOSITE[operator]: value}}
