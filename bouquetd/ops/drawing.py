"""A drawing: lines, areas, rectangles and texts, each with a role, and how it becomes text, SVG or PNG.

Whoever draws knows the size of the sheet and of one character on it, and nothing of what it is rendered to; a
renderer knows how a role looks, and nothing of what it means.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

Anchor = Literal["start", "middle", "end"]
Points = tuple[tuple[float, float], ...]


class Face(NamedTuple):
    """Width and height of one character, in units of the drawing."""

    width: float
    height: float


BRAILLE = Face(2, 4)
"""In a terminal the unit is a dot of a braille character."""

PIXELS = Face(7, 16)
"""In a picture the unit is a pixel; the characters are those of a 12 pixel font."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line from point to point, or, with ``filled``, the area that it encloses. (0, 0) is the top left."""

    points: Points
    role: str
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Rect:
    """A filled rectangle by its top left corner."""

    x: float
    y: float
    width: float
    height: float
    role: str


@dataclass(frozen=True, slots=True)
class Text:
    """A text; ``y`` is the middle of its line, ``x`` where it starts, has its middle or ends."""

    x: float
    y: float
    text: str
    role: str = "text"
    anchor: Anchor = "start"


@dataclass(frozen=True, slots=True)
class Drawing:
    """Shapes on a sheet, the later ones above the earlier. ``title`` says in words what is to be seen."""

    width: float
    height: float
    title: str
    shapes: tuple[Line | Rect | Text, ...]


class _Look(NamedTuple):
    light: str
    dark: str
    width: float = 1.0
    dash: tuple[int, int] | None = None
    glyph: str = ""
    """What a rectangle or a straight line is made of in a terminal; a rectangle without is not seen there."""


LOOKS = {
    "paper": _Look("#ffffff", "#16181d"),
    "text": _Look("#24292f", "#e6e8eb"),
    "dim": _Look("#5b646e", "#a0a8b2"),
    "grid": _Look("#e3e6ea", "#2c3038"),
    "rss": _Look("#1f6feb", "#58a6ff", 1.5),
    "mass": _Look("#dbe8fd", "#1d2d47"),
    "peak": _Look("#8a5a00", "#d9a648"),
    "limit": _Look("#c62828", "#ff7b72", 1.0, (8, 3), "─"),
    "throttle": _Look("#b45309", "#e3b341", 1.0, (5, 4), "╌"),
    "resume": _Look("#2e7d32", "#56d364", 1.0, (2, 4), "┈"),
    "ceiling": _Look("#6f42c1", "#bc8cff", 1.0, (10, 2), "═"),
    "throttled": _Look("#f0b429", "#b98912", glyph="▒"),
    "paused": _Look("#c62828", "#f85149", glyph="█"),
    "away": _Look("#c9ced4", "#3a404a", glyph="·"),
    "died": _Look("#c62828", "#ff7b72", 1.0, (1, 3), "┊"),
}
"""How each role looks, on light paper and on dark. Texts on paper have a contrast of 4.5 or more (WCAG AA)."""

_PLAIN = str.maketrans("▒█·…▲■─╌┈═┊", ":#.~^o---=:")
"""What stands for our signs in a terminal that has ASCII only."""


def terminal(drawing: Drawing, *, plain: bool = False) -> list[str]:
    """A drawing in ``BRAILLE`` units as lines of characters; ``plain`` takes such that any terminal has."""
    columns, rows = int(drawing.width // BRAILLE.width), int(drawing.height // BRAILLE.height)
    cells = [[" "] * columns for _ in range(rows)]
    for shape in drawing.shapes:
        if not isinstance(shape, Text) and (glyph := LOOKS[shape.role].glyph):
            for column, row in _covered(shape):
                if row < rows and column < columns and (isinstance(shape, Rect) or cells[row][column] == " "):
                    cells[row][column] = glyph
    for column, row, bits in _dots(drawing, columns, rows):
        cells[row][column] = "*" if plain else chr(0x2800 + bits)
    for shape in drawing.shapes:
        if isinstance(shape, Text):
            row = min(rows - 1, max(0, int(shape.y // BRAILLE.height)))
            _write(cells[row], shape)
    lines = ["".join(row).rstrip() for row in cells]
    return [line.translate(_PLAIN) for line in lines] if plain else lines


def _covered(shape: Line | Rect) -> Iterator[tuple[int, int]]:
    """The characters that a rectangle, or a line from left to right or down, covers: column and row."""
    if isinstance(shape, Rect):
        (x, y), (to_x, to_y) = (shape.x, shape.y), (shape.x + shape.width - 1, shape.y)
    else:
        (x, y), (to_x, to_y) = shape.points
    for row in range(int(y // BRAILLE.height), int(max(y, to_y) // BRAILLE.height) + 1):
        for column in range(int(x // BRAILLE.width), int(max(x, to_x) // BRAILLE.width) + 1):
            yield column, row


_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""The dots of a braille character (Unicode 0x2800 and up), by column and row."""


def _dots(drawing: Drawing, columns: int, rows: int) -> Iterator[tuple[int, int, int]]:
    """The characters that lines go through: column, row, and the bits of their dots."""
    found: dict[tuple[int, int], int] = {}
    for shape in drawing.shapes:
        if not isinstance(shape, Line) or shape.role != "rss":
            continue
        for x, y in _trace(shape.points):
            column, row = x // 2, y // 4
            if column < columns and row < rows:
                found[column, row] = found.get((column, row), 0) | _BITS[x % 2][y % 4]
    return ((column, row, bits) for (column, row), bits in found.items())


def _trace(points: Points) -> Iterator[tuple[int, int]]:
    for (x, y), (to_x, to_y) in zip(points, points[1:] or points, strict=False):
        steps = max(1, round(max(abs(to_x - x), abs(to_y - y))))
        for step in range(steps + 1):
            yield round(x + (to_x - x) * step / steps), round(y + (to_y - y) * step / steps)


def _write(cells: list[str], shape: Text) -> None:
    left = int(shape.x // BRAILLE.width)
    taken = columns(shape.text)
    place = left - (taken if shape.anchor == "end" else taken // 2 if shape.anchor == "middle" else 0)
    for character in shape.text:
        size = columns(character)
        if size and place >= 0 and place + size <= len(cells):
            cells[place : place + size] = [character, *[""] * (size - 1)]
        place += size


def columns(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def tail(text: str, most: int) -> str:
    """The end of a text, which of a path is the name, in at most so many columns."""
    if columns(text) <= most:
        return text
    while columns(text) >= most and text:
        text = text[1:]
    return "…" + text


def svg(drawing: Drawing) -> str:
    """A picture of its own, as wide as its place allows, for light paper and dark."""
    width, height = _number(drawing.width), _number(drawing.height)
    shapes = "\n".join(map(_element, drawing.shapes))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" class="drawing">\n<title>{escape(drawing.title)}</title>\n'
        f"<style>{_style()}</style>\n"
        f'<rect width="{width}" height="{height}" class="f-paper"/>\n{shapes}\n</svg>\n'
    )


def _style() -> str:
    rules = [
        ".drawing{max-width:100%;height:auto}",
        ".drawing text{font:12px ui-monospace,Menlo,Consolas,monospace;dominant-baseline:central}",
        ".drawing polyline{fill:none;stroke-linejoin:round}",
    ]
    for role, look in LOOKS.items():
        dash = f";stroke-dasharray:{look.dash[0]} {look.dash[1]}" if look.dash else ""
        rules.append(f".l-{role}{{stroke:{look.light};stroke-width:{look.width}{dash}}}")
        rules.append(f".f-{role}{{fill:{look.light}}}")
    dark = "".join(
        f".l-{role}{{stroke:{look.dark}}}.f-{role}{{fill:{look.dark}}}" for role, look in LOOKS.items()
    )
    return f"{''.join(rules)}@media(prefers-color-scheme:dark){{{dark}}}"


def _element(shape: Line | Rect | Text) -> str:
    match shape:
        case Line(points, role, filled):
            places = " ".join(f"{_number(x)},{_number(y)}" for x, y in points)
            if filled:
                return f'<polygon points="{places}" class="f-{role}"/>'
            return f'<polyline points="{places}" class="l-{role}"/>'
        case Rect(x, y, width, height, role):
            size = f'width="{_number(width)}" height="{_number(height)}"'
            return f'<rect x="{_number(x)}" y="{_number(y)}" {size} class="f-{role}"/>'
        case Text(x, y, text, role, anchor):
            place = f'x="{_number(x)}" y="{_number(y)}" text-anchor="{anchor}"'
            return f'<text {place} class="f-{role}">{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


SCALE = 2
"""Pixels of the PNG for each of the drawing, so that it is sharp on the screens of today."""


def png(drawing: Drawing) -> bytes:
    """A picture on light paper, ``SCALE`` times as large."""
    from PIL import Image
    from PIL.ImageDraw import Draw

    size = round(drawing.width * SCALE), round(drawing.height * SCALE)
    image = Image.new("RGB", size, LOOKS["paper"].light)
    draw, (font, known) = Draw(image), _font()
    for shape in drawing.shapes:
        colour = LOOKS[shape.role].light
        match shape:
            case Line(points, role, filled):
                places = [(x * SCALE, y * SCALE) for x, y in points]
                if filled:
                    draw.polygon(places, fill=colour)
                else:
                    _dashed(draw, places, role, colour)
            case Rect(x, y, width, height):
                corner = ((x + width) * SCALE - 1, (y + height) * SCALE - 1)
                draw.rectangle([(x * SCALE, y * SCALE), corner], fill=colour)
            case Text(x, y, text, _, anchor):
                places_by = {"start": "lm", "middle": "mm", "end": "rm"}
                said = text if known else text.translate(_PLAIN)
                draw.text((x * SCALE, y * SCALE), said, fill=colour, font=font, anchor=places_by[anchor])
    stream = BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _font() -> tuple[FreeTypeFont | ImageFont, bool]:
    """A font, and whether it has our signs: the one that Pillow brings has Latin letters only."""
    from PIL.ImageFont import load_default, truetype

    try:
        return truetype("DejaVuSansMono.ttf", 11 * SCALE), True
    except OSError:
        return load_default(11 * SCALE), False


def _dashed(draw: ImageDraw, places: Sequence[tuple[float, float]], role: str, colour: str) -> None:
    look = LOOKS[role]
    width = max(1, round(look.width * SCALE))
    if look.dash is None or len(places) != 2:
        draw.line(places, fill=colour, width=width, joint="curve")
        return
    (x, y), (to_x, to_y) = places
    length = max(abs(to_x - x), abs(to_y - y), 1.0)
    on, off = (part * SCALE for part in look.dash)
    for number in range(int(length // (on + off)) + 1):
        first, last = number * (on + off) / length, min(1.0, (number * (on + off) + on) / length)
        ends = [(x + (to_x - x) * share, y + (to_y - y) * share) for share in (first, last)]
        draw.line(ends, fill=colour, width=width)
