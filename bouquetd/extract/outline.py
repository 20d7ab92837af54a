"""The headings above a text."""

from __future__ import annotations

LONGEST_TITLE = 200
"""Characters of a heading that are kept; a longer one is no heading but a paragraph that looks like one."""

DEEPEST = 6
"""Headings above one another that are kept, as many as HTML and Markdown know."""


class Outline:
    """Follows the headings of a document; ``path`` is what stands above the text that comes next."""

    __slots__ = ("_levels", "path")

    def __init__(self) -> None:
        self._levels: list[int] = []
        self.path: tuple[str, ...] = ()

    def enter(self, level: int, title: str) -> None:
        """A heading begins a section, which ends all those of its level, 1 being the outermost, and below."""
        title = " ".join(title[: 2 * LONGEST_TITLE].split())[:LONGEST_TITLE]
        if not title:
            return
        while self._levels and (self._levels[-1] >= level or len(self._levels) >= DEEPEST):
            self._levels.pop()
        self.path = (*self.path[: len(self._levels)], title)
        self._levels.append(level)
