"""Positions in source text, shared by every front end and every diagnostic.

A span is a value: it names its file and both ends, and is never used for identity. Two definitions that differ only in
spans are the same definition.
"""

from dataclasses import dataclass

__all__ = ["Position", "Span"]


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a text: `line` counts from 1, `column` from 1 in code points, as editors show them."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of text in one file; `end` is the first position behind it."""

    file: str
    start: Position
    end: Position

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
