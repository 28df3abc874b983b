"""The text of an expression: what may stand in it, its Python syntax tree, and where every node lies.

Python's own parser reads the text. This module makes that safe for any string (a finding instead of whatever exception
the parser has for it) and turns the byte offsets of `ast` into lines and columns of the file the text came from.
"""

import ast
import io
import re
import tokenize
import unicodedata
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, final

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._spans import Position, Span
from ruvon.ir.expr._codes import CHARACTERS, LOOKALIKE, SYNTAX, TOO_LARGE
from ruvon.ir.expr._errors import ExpressionError
from ruvon.ir.expr._language import MAX_DEPTH, MAX_NODES, MAX_TEXT

__all__ = ["Source", "read_tree"]

_FORBIDDEN: Final = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_LINE_END: Final = re.compile("\r\n|\r|\n")
_FORM: Final = "write one Python expression, such as `state.amount > 0`"
_SMALL: Final = MAX_DEPTH - 10
"""Characters of a text that cannot be too deep or too large: a level of the tree takes one at least."""
_SHORT: Final = 200
"""Characters of a text whose tree is worth remembering."""
_WORD: Final = re.compile(r"[^\W\d]\w*")


@final
class Source:
    """The text of one expression and its place in a file.

    `line` and `column` say where the text begins. `lines` maps a line of the text (counted from 1) to the position in
    the file where that line begins, for texts whose lines are indented or folded by the format around them; it takes
    precedence over `line` and `column`.
    """

    __slots__ = ("_ascii", "_lines", "_starts", "column", "file", "line", "text")

    def __init__(
        self, text: str, file: str, line: int, column: int, lines: Mapping[int, tuple[int, int]] | None
    ) -> None:
        self.text = text
        self.file = file
        self.line = line
        self.column = column
        self._lines = lines or {}
        self._ascii = text.isascii()
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(text))]

    @property
    def is_plain_line(self) -> bool:
        """Whether the text is one line of ASCII, where bytes are code points: nearly every expression is."""
        return self._ascii and len(self._starts) == 1

    def line_text(self, row: int) -> str:
        """The text of line `row`, counted from 1, with its line end."""
        if not 1 <= row <= len(self._starts):
            return ""
        end = self._starts[row] if row < len(self._starts) else len(self.text)
        return self.text[self._starts[row - 1] : end]

    def position(self, row: int, offset: int) -> Position:
        """The place in the file of code point `offset` (from 0) in line `row` (from 1) of the text."""
        if row in self._lines:
            line, column = self._lines[row]
            return Position(line, column + offset)
        return Position(self.line + row - 1, self.column + offset if row == 1 else offset + 1)

    def at_index(self, index: int) -> Position:
        """The place in the file of code point `index` of the whole text."""
        row = sum(1 for start in self._starts if start <= index)
        return self.position(row, index - self._starts[row - 1])

    def index(self, row: int, offset: int) -> int:
        """The index in the whole text of code point `offset` in line `row`."""
        return self._starts[min(max(row, 1), len(self._starts)) - 1] + offset

    def points(self, row: int, bytes_offset: int) -> int:
        """`ast` counts UTF-8 bytes in a line; the same place in code points."""
        if self._ascii:
            return bytes_offset
        return len(self.line_text(row).encode()[:bytes_offset].decode(errors="ignore"))

    def span(self, start: int, end: int) -> Span:
        """The span of the text between two indices."""
        return Span(self.file, self.at_index(start), self.at_index(end))

    def whole(self) -> Span:
        """The span of the whole text."""
        return self.span(0, len(self.text)) if self.text else Span.at(self.file, self.line, self.column)


@final
class _Reading:
    """How a text was handed to Python: the rows and columns its parser saw, against those of the text."""

    __slots__ = ("_base", "first_row", "indent", "source", "tree")

    def __init__(self, source: Source, tree: ast.expr, first_row: int, indent: int) -> None:
        self.source = source
        self.tree = tree
        self.first_row = first_row
        self.indent = indent
        simple = source.is_plain_line and first_row == 0 and indent >= 0
        self._base = source.position(1, indent) if simple else None

    def locate(self, row: int, bytes_offset: int) -> tuple[int, int]:
        """Row and code point of the text for a row and byte offset of the parser."""
        row += self.first_row
        if row == self.first_row + 1:
            text = self.source.line_text(row)
            skipped = len(text[: self.indent].encode()) if self.indent >= 0 else self.indent
            bytes_offset = max(0, bytes_offset + skipped)
        return row, self.source.points(row, bytes_offset)

    def span(self, node: ast.AST) -> Span | None:
        """The span of a node, or None where Python gives none."""
        if not isinstance(node, ast.expr | ast.keyword):
            return None
        end_line = node.end_lineno or node.lineno
        end_column = node.col_offset + 1 if node.end_col_offset is None else node.end_col_offset
        base = self._base
        if base is not None and end_column > node.col_offset:
            first = Position(base.line, base.column + node.col_offset)
            return Span(self.source.file, first, Position(base.line, base.column + end_column))
        start = self.source.position(*self.locate(node.lineno, node.col_offset))
        end = self.source.position(*self.locate(end_line, end_column))
        return (
            Span(self.source.file, start, end) if start < end else Span.at(self.source.file, start.line, start.column)
        )

    def bounds(self, node: ast.expr) -> tuple[int, int]:
        """Start and end of a node as indices into the text."""
        start = self.source.index(*self.locate(node.lineno, node.col_offset))
        return start, self.source.index(*self.locate(node.end_lineno or node.lineno, node.end_col_offset or 0))


def read_tree(source: Source) -> _Reading:
    """Read the text as one Python expression; findings of the text itself are raised as `ExpressionError`."""
    _check_text(source)
    reading = _parse(source)
    _check_size(source, reading.tree)
    _check_words(source, reading)
    return reading


def _refuse(code: str, message: str, span: Span, reason: str = "", advice: str = "") -> ExpressionError:
    return ExpressionError([Diagnostic(code=code, message=message, span=span, reason=reason, help=advice)])


def _check_text(source: Source) -> None:
    text = source.text
    if len(text) > MAX_TEXT:
        message = f"the expression has {len(text):,} characters, more than the {MAX_TEXT:,} that are allowed"
        raise _refuse(TOO_LARGE, message, Span.at(source.file, source.line, source.column), advice="split it up")
    if found := _FORBIDDEN.search(text):
        name = f"U+{ord(found.group()):04X}"
        span = source.span(found.start(), found.end())
        message = f"the character {name} may not stand in an expression"
        raise _refuse(
            CHARACTERS, message, span, "it can make the text read differently from what it means", "delete it"
        )
    if not text.strip():
        raise _refuse(SYNTAX, "the expression is empty", source.whole(), advice="write a value, such as `state.amount`")
    if sum(map(text.count, "([{")) <= MAX_DEPTH:
        return
    depth = 0
    for index, character in enumerate(text):
        if character in "([{":
            depth += 1
            if depth > MAX_DEPTH:
                raise _too_deep(source.span(index, index + 1))
        elif character in ")]}":
            depth = max(0, depth - 1)


def _too_deep(span: Span) -> ExpressionError:
    message = f"the expression is nested more than {MAX_DEPTH} levels deep"
    return _refuse(TOO_LARGE, message, span, advice="give parts of it a name in statements before it")


def _parse(source: Source) -> _Reading:
    text = source.text
    start = len(text) - len(text.lstrip(" \t\n\r\f"))
    lead = source.text[:start]
    rows = len(_LINE_END.findall(lead))
    indent = start - source.index(rows + 1, 0)
    body = text[start:].rstrip(" \t\n\r\f")
    try:
        tree = _known(body) if len(body) <= _SHORT else _python(body)
        return _Reading(source, tree, rows, indent)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        if isinstance(error, SyntaxError) and _LINE_END.search(body) and _balanced(body):
            return _parse_folded(source, body, rows, indent)
        raise _syntax(source, error, rows, indent) from None


def _parse_folded(source: Source, body: str, rows: int, indent: int) -> _Reading:
    """Read a text of several lines as if it stood in parentheses, as block texts of other formats do."""
    try:
        tree = _python(f"({body}\n)")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise _syntax(source, error, rows, indent - 1) from None
    if isinstance(tree, ast.GeneratorExp) and tree.col_offset == 0:
        raise _refuse(SYNTAX, "the expression is a generator without parentheses", source.whole())
    if isinstance(tree, ast.Tuple) and tree.col_offset == 0 and tree.elts:
        tree.col_offset = 1
        tree.end_lineno, tree.end_col_offset = tree.elts[-1].end_lineno, tree.elts[-1].end_col_offset
    return _Reading(source, tree, rows, indent - 1)


@lru_cache(maxsize=2048)
def _known(text: str) -> ast.expr:
    """Nobody changes such a tree; files that are compiled together repeat their expressions."""
    return _python(text)


def _python(text: str) -> ast.expr:
    if "\\" not in text:
        return ast.parse(text, mode="eval").body
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text, mode="eval").body


def _balanced(text: str) -> bool:
    """Whether no bracket closes before it opens, so that parentheses around the text cannot change its parts."""
    depth = 0
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.OP and token.string in {"(", "[", "{"}:
                depth += 1
            elif token.type == tokenize.OP and token.string in {")", "]", "}"}:
                depth -= 1
                if depth < 0:
                    return False
    except (tokenize.TokenError, SyntaxError):
        return False
    return depth == 0


def _syntax(source: Source, error: BaseException, rows: int, indent: int) -> ExpressionError:
    if isinstance(error, MemoryError | RecursionError):
        return _too_deep(source.whole())
    if not isinstance(error, SyntaxError):
        return _refuse(SYNTAX, f"the expression cannot be read: {error}", source.whole())
    detail = (error.msg or "invalid syntax").rstrip(".")
    if "too many nested" in detail:
        return _too_deep(source.whole())
    if "Exceeds the limit" in detail:
        return _refuse(TOO_LARGE, "the expression holds an integer of too many digits", source.whole())
    row = (error.lineno or 1) + rows
    offset = max(0, (error.offset or 1) - 1) + (indent if row == rows + 1 else 0)
    line = source.line_text(row).rstrip("\r\n")
    place = source.position(row, min(max(0, offset), len(line))) if line else source.whole().start
    message = f"the text is not an expression: {detail}"
    span = Span.at(source.file, place.line, place.column)
    advice = "write `==` to compare" if "Maybe you meant '=='" in detail or _assigns(source.text) else _FORM
    return _refuse(SYNTAX, message, span, advice=advice)


def _assigns(text: str) -> bool:
    return re.search(r"(?<![=!<>:])=(?!=)", text) is not None and "(" not in text


def _check_size(source: Source, tree: ast.expr) -> None:
    if len(source.text) <= _SMALL:
        return
    count = 0
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH + 2):
        count += len(level)
        if count > 4 * MAX_NODES:
            message = f"the expression has more than {MAX_NODES:,} parts"
            raise _refuse(TOO_LARGE, message, source.whole(), advice="give parts of it a name in statements before it")
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return
    raise _too_deep(source.whole())


def _check_words(source: Source, reading: _Reading) -> None:
    """Refuse a name that Python reads as another one, because it normalises compatibility letters (NFKC)."""
    if source.text.isascii():
        return
    names = _identifiers(reading.tree)
    constants = [node for node in ast.walk(reading.tree) if isinstance(node, ast.Constant)]
    texts = [
        reading.bounds(node) for node in constants if isinstance(node.value, str) and node.end_col_offset is not None
    ]
    for match in _WORD.finditer(source.text):
        plain = unicodedata.normalize("NFKC", match.group())
        if plain == match.group() or plain not in names:
            continue
        if any(start <= match.start() < end for start, end in texts):
            continue
        span = source.span(match.start(), match.end())
        message = f"`{match.group()}` is read as `{plain}`, because it is spelled in look-alike letters"
        raise _refuse(LOOKALIKE, message, span, "two spellings would be one name", f"write `{plain}`")


def _identifiers(tree: ast.expr) -> frozenset[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                found.add(name)
            case ast.keyword(arg=str(name)):
                found.add(name)
            case _:
                pass
    return frozenset(found)
