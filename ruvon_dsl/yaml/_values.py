"""The tree that the reader makes of a YAML text: scalars, sequences and mappings, each with its place in the file.

PyYAML's own nodes lose nothing but are slow to walk and carry tags we never accept; these hold only what the front end
asks for. A scalar keeps its text and how it was quoted, because `"12"` and `12` differ, and it knows where each of its
characters stands, so that a finding inside an expression points at the right column.
"""

from dataclasses import dataclass, field
from typing import Final, TypeAlias, final

from ruvon.ir._spans import Position, Span
from ruvon_dsl.yaml._scalars import ScalarValue, resolve

__all__ = ["Entry", "MappingNode", "ScalarNode", "SequenceNode", "YamlNode", "kind_of"]


@final
@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A text, quoted or plain."""

    text: str
    plain: bool
    """Not quoted and no block: the text may mean a number, a truth value or nothing."""
    span: Span
    source: "tuple[str, ...]" = field(default=(), repr=False, compare=False)
    """The lines of the file that the scalar stands in, the first one from its own start."""

    found: "list[tuple[int, int]]" = field(default_factory=list[tuple[int, int]], init=False, repr=False, compare=False)
    """The places of the characters, once somebody asked for them."""

    @property
    def value(self) -> ScalarValue:
        """What the scalar means under the core schema of YAML 1.2; quoted texts are always texts."""
        return resolve(self.text) if self.plain else self.text

    @property
    def _is_whole(self) -> bool:
        """Whether the text stands in one line of the file, as it is."""
        return self.plain and len(self.source) == 1 and self.source[0].startswith(self.text) and "\n" not in self.text

    def lines(self, offset: int = 0, text: str | None = None) -> dict[int, tuple[int, int]]:
        """Where each line of a part begins in the file: line of the part, from 1, to line and column.

        Args:
            offset: Where the part begins in the text.
            text: The part, as it is or unfolded; the rest of the text where it is None.
        """
        if self._is_whole and offset < len(self.text):  # the usual scalar, whose characters need not be listed
            return {1: (self.span.start.line, self.span.start.column + offset)}
        places = self.found or self._places()
        found = {1: places[min(offset, len(places) - 1)]} if places else {}
        row = 1
        for index, character in enumerate(self.text[offset:] if text is None else text, offset):
            if character == "\n" and index + 1 < len(places):
                row += 1
                found[row] = places[index + 1]
        return found

    def unfolded(self, start: int, end: int) -> str:
        """The text with a line end where the file folds a line into a blank, so that lines stay lines."""
        if len(self.source) < 2:
            return self.text[start:end]
        places = self.found or self._places()
        folded = [
            "\n"
            if self.text[index] == " " and 0 < index < len(places) - 1 and places[index - 1][0] < places[index + 1][0]
            else self.text[index]
            for index in range(start, end)
        ]
        return "".join(folded)

    def at(self, start: int, end: int) -> Span:
        """The span of the characters `start` to `end` of the text."""
        places = self.found or self._places()
        if not places or start >= len(places):
            return self.span
        first, last = places[start], places[min(max(end - 1, start), len(places) - 1)]
        return Span(self.span.file, Position(*first), Position(last[0], last[1] + 1))

    def _places(self) -> list[tuple[int, int]]:
        """Line and column of every character of the text, found by walking text and file side by side.

        The file has more characters than the text (quotes, indents, escapes); those are skipped. Where the two do not
        meet (an escape such as a code point), everything behind stands at the last sure place.
        """
        row, column = 0, 0
        base_line, base_column = self.span.start.line, self.span.start.column
        found = self.found
        if self.plain and self.source and self.source[0].startswith(self.text):
            found += [(base_line, base_column + index) for index in range(len(self.text))]
            return found
        if self._is_written_out():
            found += [(base_line, base_column + 1 + index) for index in range(len(self.text))]
            return found
        for index, character in enumerate(self.text):
            place = self._next(row, column, character, at_start=index == 0)
            if place is not None:
                row, column = place
            elif character not in _BLANKS:
                last = found[-1] if found else (base_line, base_column)
                found += [last] * (len(self.text) - index)
                return found
            found.append((base_line + row, column + 1 + (base_column - 1 if row == 0 else 0)))
            column += 1 if place is not None else 0
        return found

    def _is_written_out(self) -> bool:
        """Whether the text stands in one line between its quotes, as it is."""
        if self.plain or len(self.source) != 1 or not self.text or self.text[0] in _BLANKS:
            return False
        line = self.source[0]
        return line[:1] in _QUOTES and line[1:-1] == self.text

    def _next(self, row: int, column: int, character: str, *, at_start: bool) -> tuple[int, int] | None:
        if character in _BLANKS:
            line = self.source[row] if row < len(self.source) else ""
            return (row, column) if line[column : column + 1] == character else None
        first = row
        while row < len(self.source):
            line = self.source[row]
            while column < len(line):
                if line[column] == character and not (at_start and row == first and self._is_indicator(column)):
                    return row, column
                if line[column] not in _SKIPPED and not (at_start and row == first):
                    return None
                column += 1
            row, column = row + 1, 0
        return None

    def _is_indicator(self, column: int) -> bool:
        """Whether the character is the quote or block sign that opens the scalar, not part of its text."""
        return not self.plain and column == 0


@final
@dataclass(frozen=True, slots=True)
class SequenceNode:
    """A list."""

    items: "tuple[YamlNode, ...]"
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a mapping with its value."""

    key: ScalarNode
    value: "YamlNode"


@final
@dataclass(frozen=True, slots=True)
class MappingNode:
    """A mapping; keys are texts and each stands once."""

    entries: tuple[Entry, ...]
    span: Span

    def get(self, *names: str) -> Entry | None:
        """The entry of the first of these keys that is there."""
        for name in names:
            for entry in self.entries:
                if entry.key.text == name:
                    return entry
        return None


YamlNode: TypeAlias = ScalarNode | SequenceNode | MappingNode

_BLANKS: Final = frozenset(" \t\n\r")
_QUOTES: Final = frozenset("\"'")
_SKIPPED: Final = frozenset(" \t\r\n\\'\"")


def kind_of(node: YamlNode) -> str:
    """What a node is, in words for a message: `a list`, `a mapping`, `the text "x"`, `the number 3`, `nothing`."""
    match node:
        case SequenceNode():
            return "a list"
        case MappingNode():
            return "a mapping"
        case ScalarNode(value=None):
            return "nothing"
        case ScalarNode(value=bool()):
            return f"the truth value {node.text}"
        case ScalarNode(value=int() | float()):
            return f"the number {node.text}"
        case ScalarNode():
            shown = node.text if len(node.text) <= 40 else node.text[:37] + "..."
            return f'the text "{shown}"'
