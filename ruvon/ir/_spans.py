"""Positions in source text, shared by every front end and every diagnostic.

A span is a value: it names its file and both ends, and is never used for identity. Two definitions that differ only in
spans are the same definition.
"""

from dataclasses import dataclass
from typing import Any, Final, cast

__all__ = ["Position", "Span"]


@dataclass(frozen=True, slots=True, order=True, init=False)
class Position:
    """A place in a text: `line` counts from 1, `column` from 1 in code points, as editors show them."""

    line: int
    column: int

    def __init__(self, line: int, column: int) -> None:
        _set_line(self, line)
        _set_column(self, column)


@dataclass(frozen=True, slots=True, order=True, init=False)
class Span:
    """A stretch of text in one file; `end` is the first position behind it."""

    file: str
    start: Position
    end: Position

    def __init__(self, file: str, start: Position, end: Position) -> None:
        _set_file(self, file)
        _set_start(self, start)
        _set_end(self, end)

    @classmethod
    def at(
        cls, file: str, line: int, column: int, end_line: int | None = None, end_column: int | None = None
    ) -> "Span":
        """Build a span from plain numbers; without an end it covers one character."""
        end = Position(end_line if end_line is not None else line, end_column if end_column is not None else column + 1)
        return cls(file, Position(line, column), end)

    def to(self, other: "Span") -> "Span":
        """The span from the start of this one to the end of `other`."""
        return Span(self.file, self.start, other.end)

    def __str__(self) -> str:
        return f"{self.file}:{self.start.line}:{self.start.column}"


# A compiler makes thousands of spans. What a frozen class is given by default looks every slot up by its name.
_position, _span = cast("Any", Position), cast("Any", Span)
_set_line: Final = _position.line.__set__
_set_column: Final = _position.column.__set__
_set_file: Final = _span.file.__set__
_set_start: Final = _span.start.__set__
_set_end: Final = _span.end.__set__
