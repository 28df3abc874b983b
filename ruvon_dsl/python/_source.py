"""One parsed module: its libcst tree and where every node lies.

Only the position provider is used; libcst's scope and name providers cost more than everything else together. Texts of
nodes are slices of the source, so that comments, odd spacing and line numbers are exactly the author's.

The trees of the last few texts are kept: the workflows of a module are compiled one by one, and reading takes most of the
time. Nobody changes a tree.
"""

import ast
import functools
import re
import warnings
from collections.abc import Mapping
from typing import Final, final

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from ruvon.ir._spans import Position, Span
from ruvon_dsl._draft import SourceText
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._findings import Findings

__all__ = ["Source", "read_source"]

_NEWLINE: Final = re.compile(r"\r\n?|\n")
_TOKENS: Final = re.compile(
    r"""#[^\r\n]*|[rRbBuUfFtT]{0,2}(?:'''(?:\\.|[^\\])*?'''|\"{3}(?:\\.|[^\\])*?\"{3}|'(?:\\.|[^\\'\r\n])*'|"(?:\\.|[^\\"\r\n])*")|[()\[\]{}]""",
    re.DOTALL,
)
_MAX_TEXT: Final = 5_000_000
_MAX_DEPTH: Final = 100
_MAX_LEVELS: Final = 1_000
"""Levels of Python's own tree, where a chain of a thousand `+` or `elif` is as deep; libcst's time grows with the square."""
_KEPT: Final = 8
"""Trees at once; one takes about 170 bytes for each character of its text."""
_MAX_KEPT_TEXT: Final = 100_000
"""Longer texts are read anew each time, so that eight trees stay below 140 MB."""


@final
class Source:
    """A module's tree with positions and the text they point into."""

    __slots__ = ("_ranges", "_starts", "file", "findings", "module", "text")

    def __init__(
        self, file: str, text: str, module: cst.Module, ranges: Mapping[cst.CSTNode, CodeRange], findings: Findings
    ) -> None:
        self.file = file
        self.text = text
        self.module = module
        self.findings = findings
        self._ranges = ranges
        self._starts = [0, *(match.end() for match in _NEWLINE.finditer(text))]

    def span(self, node: cst.CSTNode) -> Span:
        """Where a node lies; an expression with the parentheses that are its own."""
        found = self._ranges[node]
        start, end = found.start, found.end
        if isinstance(node, cst.BaseExpression) and node.lpar:
            start = self._ranges[node.lpar[0]].start
            end = self._ranges[node.rpar[-1]].end
        first = Position(start.line, start.column + 1)
        last = Position(end.line, end.column + 1)
        return Span(self.file, first, last) if first < last else Span.at(self.file, first.line, first.column)

    def header(self, node: cst.CSTNode, last: cst.CSTNode | None = None) -> Span:
        """The first part of a compound statement: from its start to the end of `last`, or of its first line."""
        start = self.span(node).start
        if last is not None:
            return Span(self.file, start, self.span(last).end)
        line = self.line(start.line).split("#", maxsplit=1)[0].rstrip()
        return Span(self.file, start, Position(start.line, max(len(line), start.column) + 1))

    def line(self, number: int) -> str:
        """The text of a line, from 1, without its end."""
        end = self._starts[number] if number < len(self._starts) else len(self.text)
        return self.text[self._starts[number - 1] : end].rstrip("\r\n")

    def slice(self, span: Span) -> str:
        """The text between the two ends of a span."""
        start = self._starts[span.start.line - 1] + span.start.column - 1
        return self.text[start : self._starts[span.end.line - 1] + span.end.column - 1]


def read_source(source: SourceText, findings: Findings) -> Source | None:
    """Parse a module; a text that is no Python is reported and gives None."""
    text = source.text.removeprefix("\ufeff")
    if not _bounded(source.file, text, findings):
        return None
    try:
        module, ranges = _kept_tree(text) if len(text) <= _MAX_KEPT_TEXT else _tree(text)
    except cst.ParserSyntaxError as error:
        detail, line, column = _python_says(text) or (_detail(error.message), error.raw_line, error.raw_column + 1)
        findings.error(
            codes.SYNTAX,
            f"the text is not Python: {detail}",
            Span.at(source.file, max(line, 1), max(column, 1)),
            help="correct the syntax; nothing after this place was looked at",
        )
        return None
    except (RecursionError, KeyError, ValueError, UnicodeError, cst.CSTValidationError) as error:
        # A node that libcst had no stack left for has no position: a KeyError whose text would be the whole tree.
        deep = isinstance(error, RecursionError | KeyError)
        kind = "nested too deep to be read" if deep else f"not readable: {error}"
        findings.error(codes.TOO_DEEP, f"the text is {kind}", Span.at(source.file, 1, 1), help="split it up")
        return None
    return Source(source.file, text, module, ranges, findings)


def _tree(text: str) -> tuple[cst.Module, Mapping[cst.CSTNode, CodeRange]]:
    """What libcst reads, and where each node of it lies."""
    module = cst.parse_module(text)
    return module, MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)


@functools.lru_cache(maxsize=_KEPT)
def _kept_tree(text: str) -> tuple[cst.Module, Mapping[cst.CSTNode, CodeRange]]:
    """The same, kept; what cannot be read is told by an exception and so never kept."""
    return _tree(text)


def _python_says(text: str) -> tuple[str, int, int] | None:
    """The message and place of Python's own parser, which knows what an open bracket or a missing colon looks like.

    None where it says no more than "invalid syntax", or takes the text: then its grammar may be an older one.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError as error:
        if error.msg and error.msg != "invalid syntax":
            return error.msg, error.lineno or 1, error.offset or 1
    except (RecursionError, ValueError, MemoryError):
        return None  # the other parser's finding stands
    return None


def _detail(message: str) -> str:
    cleaned = re.sub(r"^(parser error|tokenizer error): ", "", message.strip())
    cleaned = re.sub(r"^error at \d+:\d+: ", "", cleaned)
    return "invalid syntax" if not cleaned or cleaned.startswith("expected one of") else cleaned


def _bounded(file: str, text: str, findings: Findings) -> bool:
    """Refuse texts that would exhaust the stack of a recursive parser before they reach it."""
    if len(text) > _MAX_TEXT:
        findings.error(
            codes.TOO_DEEP,
            f"the text has {len(text):,} characters, more than the {_MAX_TEXT:,} that are read",
            Span.at(file, 1, 1),
            help="split the module",
        )
        return False
    if (null := text.find("\0")) >= 0:
        line = len(_NEWLINE.findall(text[:null])) + 1
        findings.error(codes.SYNTAX, "the text is not Python: it holds a null character", Span.at(file, line, 1))
        return False
    if (deep := _too_deep(text)) is not None:
        message = f"an expression or statement is nested more than {_MAX_LEVELS:,} levels deep"
        findings.error(codes.TOO_DEEP, message, Span.at(file, deep, 1), help="give parts of it names")
        return False
    depth = 0
    for match in _TOKENS.finditer(text):
        mark = match.group()
        if mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth -= 1
        if depth > _MAX_DEPTH:
            ends = [end.end() for end in _NEWLINE.finditer(text[: match.start()])]
            place = Span.at(file, len(ends) + 1, match.start() - (ends[-1] if ends else 0) + 1)
            message = f"brackets are nested more than {_MAX_DEPTH} levels deep"
            findings.error(codes.TOO_DEEP, message, place, help="give parts of it names")
            return False
    return True


def _too_deep(text: str) -> int | None:
    """The line where Python's own tree of a text goes too deep; None where it does not, or Python refuses the text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            level: list[ast.AST] = [ast.parse(text)]
    except (RecursionError, MemoryError):
        return 1
    except (SyntaxError, ValueError):
        return None  # the other parser says where
    for _ in range(_MAX_LEVELS):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return None
    return next((node.lineno for node in level if isinstance(node, ast.expr | ast.stmt)), 1)
