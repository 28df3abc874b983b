"""Changes inside of large values: what is stored of one is its new middle part, not the whole.

A value is kept as encoded text. When it is replaced by one that begins and ends alike, its delta is a *splice*: how many
bytes of the old text stay in front, how many behind, and the text between them. So a page of a book, an entry of a table
or an element at the end of a list costs as much as it is long, however large the field is that holds it.
"""

from typing import Any, Final, cast
from zlib import crc32

from ruvon.providers import PersistenceError

__all__ = ["LARGE", "is_spliceable", "splice_of", "spliced"]

LARGE: Final = 4_096
"""Shorter values are stored whole: a comparison would cost more than it saves."""
_DEFAULT_MARK: Final = 0x20
"""A field that nobody assigned begins with a space in memory, and without it in the log."""


def is_spliceable(data: bytes) -> bool:
    """Whether the stored text of a value is the one in memory, byte for byte."""
    return data[0] != _DEFAULT_MARK


def splice_of(old: bytes, new: bytes) -> list[object] | None:
    """`[bytes kept in front, bytes kept behind, text between, checksum of the result]`; None: store the new value whole."""
    if len(new) <= LARGE or not is_spliceable(new):
        return None
    front = _common(old, new)
    while front and front < len(new) and new[front] & 0xC0 == 0x80:
        front -= 1  # never inside of a character
    behind = _common_end(old, new, min(len(old), len(new)) - front)
    while behind and new[-behind] & 0xC0 == 0x80:
        behind -= 1
    middle = new[front : len(new) - behind]
    if 2 * len(middle) > len(new):
        return None
    return [front, behind, middle.decode(), crc32(new)]


def spliced(old: bytes, splice: list[Any]) -> bytes:
    """The value that a splice makes of the one before it.

    Raises:
        PersistenceError: it was made for another value.
    """
    front, behind, middle, check = cast("tuple[int, int, str, int]", splice)
    new = old[:front] + middle.encode() + old[len(old) - behind :]
    if crc32(new) != check:
        raise PersistenceError(
            "a change in the log does not fit the value before it: the log lost a part or was edited; restore a backup"
        )
    return new


def _common(old: bytes, new: bytes) -> int:
    """How many bytes both begin with, by comparing ever smaller pieces at once."""
    same, limit = 0, min(len(old), len(new))
    while same < limit:
        middle = (same + limit + 1) // 2
        if old.startswith(new[same:middle], same):
            same = middle
        else:
            limit = middle - 1
    return same


def _common_end(old: bytes, new: bytes, limit: int) -> int:
    """How many bytes, at most `limit`, both end with."""
    same = 0
    while same < limit:
        middle = (same + limit + 1) // 2
        if old.endswith(new[len(new) - middle : len(new) - same], 0, len(old) - same):
            same = middle
        else:
            limit = middle - 1
    return same
