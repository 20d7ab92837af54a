"""Packed files that contain themselves, byte for byte, and so unpack for ever: a ZIP and a gzip.

The idea is Russ Cox's ("Zip Files All The Way Down", 2010): a program of two instructions of the same length,
and DEFLATE has both: print the bytes that follow (a stored block), print again what was printed last (a block
of matches). It prints a text before itself, itself, and one behind, which is all that a container adds. Its
checksum stands within what it sums up; the sum is linear, so that 32 equations say which one is right.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

_UNIT = 5  # bytes of an instruction
_LENGTHS = [*range(3, 11), *(n for b in range(1, 6) for n in range(3 + (4 << b), 3 + (8 << b), 1 << b)), 258]
_MARK = b"SUM!"


def _print(count: int, *, last: bool = False) -> bytes:
    """Print the ``count`` bytes that follow."""
    return struct.pack("<BHH", last, count, count ^ 0xFFFF)


def _repeat(count: int) -> bytes:
    """Print the ``count`` bytes again that were printed last: one instruction, or two where it takes two."""
    half, other = count // 2, count - count // 2
    for lengths in ([(count,)], [(half, other)], [(half,), (other,)]):
        instructions = [_matches(count, each) for each in lengths]
        if all(len(bits) == 8 * _UNIT for bits in instructions):
            numbers = (sum(bit << at for at, bit in enumerate(bits)) for bits in instructions)
            return b"".join(number.to_bytes(_UNIT, "little") for number in numbers)
    raise ValueError(f"no matches of {count} bytes fill an instruction")


def _matches(distance: int, lengths: tuple[int, ...]) -> list[int]:
    """The bits of a block of matches, with empty blocks behind it as long as they have room."""
    start, end = [0, 1, 0], [0] * 7  # not the last block; its codes are the fixed ones
    bits = start + [bit for length in lengths for bit in (*_length(length), *_distance(distance))] + end
    while len(bits) + 10 <= 8 * _UNIT:
        bits += start + end
    return bits


def _length(length: int) -> list[int]:
    """Its code and the bits behind that."""
    at = next(n for n in reversed(range(len(_LENGTHS))) if _LENGTHS[n] <= length)
    code, extra = (at + 1, max(0, (at - 4) // 4)) if length < 258 else (29, 0)
    width, value = (7, code) if code < 24 else (8, 0b11000000 + code - 24)
    symbol = [value >> bit & 1 for bit in reversed(range(width))]
    return symbol + [(length - _LENGTHS[at]) >> bit & 1 for bit in range(extra)]


def _distance(distance: int) -> list[int]:
    """Its code and the bits behind that."""
    if distance <= 4:
        code, extra = distance - 1, 0
    else:
        extra = (distance - 1).bit_length() - 2
        code = 2 * extra + 2 + ((distance - 1) >> extra & 1)
    return [code >> bit & 1 for bit in reversed(range(5))] + [(distance - 1) >> bit & 1 for bit in range(extra)]


def _program(before: bytes, behind: bytes) -> bytes:
    """A DEFLATE stream that unpacks to ``before``, itself and ``behind``."""
    one, four = _print(_UNIT), _print(4 * _UNIT)
    head, again = _print(len(before) + _UNIT), _repeat(len(before) + _UNIT)
    end = next(n for n in (2 * _UNIT + len(behind), 3 * _UNIT + len(behind)) if n % (2 * _UNIT) == 0)
    tail, pairs = _print(end), end // (2 * _UNIT)
    first = head + before + head + again  # prints before, head, before, head
    second = one + again + one + one + four + again + one + one + four + _repeat(4 * _UNIT)
    third = tail + (_repeat(4 * _UNIT) + tail) * pairs
    finish = _repeat(end) + _print(0, last=True)
    return first + second + third + _repeat(4 * _UNIT) + tail + finish + behind + finish


def zipped() -> bytes:
    """A ZIP in which only itself is packed. Its name is as long as the instructions want it."""
    name = b"what is packed in it is it.zip"

    def make(packed: int, whole: int) -> tuple[bytes, bytes]:
        about = struct.pack("<HHHHH4sLLHH", 20, 0, 8, 0, 0, _MARK, packed, whole, len(name), 0)
        before = b"PK\3\4" + about + name
        listed = b"PK\1\2" + struct.pack("<H", 20) + about + struct.pack("<HHHLL", 0, 0, 0, 0, 0) + name
        comment = b"And so on."[: 105 - len(listed) - 22]
        end = struct.pack(
            "<HHHHLLH", 0, 0, 1, 1, len(listed), whole - len(listed) - 22 - len(comment), len(comment)
        )
        return before, listed + b"PK\5\6" + end + comment

    return _made(make)


def gzipped() -> bytes:
    """A gzip of itself, with two zeros behind its end, which are no matter."""
    return _made(
        lambda _, whole: (
            b"\x1f\x8b\x08\x08" + bytes(6) + b"me\0",
            _MARK + struct.pack("<L", whole) + bytes(2),
        )
    )


def _made(make: Callable[[int, int], tuple[bytes, bytes]]) -> bytes:
    """The whole file; ``make``, told the sizes of the stream and of all, gives what stands around it."""
    before, behind = make(0, 1000)
    packed = len(_program(before, behind))
    before, behind = make(packed, len(before) + packed + len(behind))
    return _summed(before + _program(before, behind) + behind)


def _summed(data: bytes) -> bytes:
    """The same with its own CRC-32 at each mark: the one number that is right in its own sum."""

    def crc(number: int) -> int:
        return zlib.crc32(data.replace(_MARK, struct.pack("<L", number)))

    plain, number = crc(0), 0
    rows: dict[int, tuple[int, int]] = {}  # by their highest bit: what a combination of bits changes, and they
    for bit in range(32):
        change, bits = crc(1 << bit) ^ plain ^ 1 << bit, 1 << bit
        while change and change.bit_length() in rows:
            known, others = rows[change.bit_length()]
            change, bits = change ^ known, bits ^ others
        if change:
            rows[change.bit_length()] = change, bits
    left = plain
    while left:
        known, bits = rows[left.bit_length()]
        left, number = left ^ known, number ^ bits
    return data.replace(_MARK, struct.pack("<L", number))
