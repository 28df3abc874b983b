"""Reading expressions: text, or Python's own tree, to ours, with every finding at once."""

import ast
from collections.abc import Callable, Mapping

from ruvon.ir._diagnostics import Diagnostic, Severity
from ruvon.ir._spans import Position, Span
from ruvon.ir.expr._codes import TOO_LARGE
from ruvon.ir.expr._convert import Converter
from ruvon.ir.expr._errors import ExpressionError
from ruvon.ir.expr._language import DEFINITION_PATHS
from ruvon.ir.expr._nodes import Expr, Name, Ref
from ruvon.ir.expr._rules import check_rules
from ruvon.ir.expr._source import Source, read_tree
from ruvon.ir.expr._walk import substitute

__all__ = ["from_ast", "link_names", "parse"]


def parse(
    text: str,
    *,
    file: str = "<expression>",
    line: int = 1,
    column: int = 1,
    lines: Mapping[int, tuple[int, int]] | None = None,
    refs: Mapping[str, str] | None = None,
) -> Expr:
    """Read one expression.

    Args:
        text: The expression; it may run over several lines without parentheses.
        file: The file it stands in, for spans.
        line: The line, from 1, on which the text begins.
        column: The column, from 1 in code points, on which the text begins.
        lines: For texts that the format around them indents or folds: the place in the file, as (line, column), where
            each line of the text (from 1) begins. Lines that are missing follow `line` and `column`.
        refs: The definitions the text may use, path by (dotted) name. With it the text is closed: calls of other names
            and `ref(...)` of other paths are findings. Without it outside names stay names, for a linker to resolve.

    Raises:
        ExpressionError: the text is no expression of the language; all findings are in `diagnostics`. No string makes
            it raise anything else.
    """
    source = Source(text, file, line, column, lines)
    try:
        reading = read_tree(source)
        return _finish(reading.tree, reading.span, refs)
    except RecursionError:
        message = "the expression is nested too deeply to be read from here"
        raise ExpressionError([Diagnostic(code=TOO_LARGE, message=message, span=source.whole())]) from None


def from_ast(node: ast.expr, spans: Callable[[ast.AST], Span | None], *, refs: Mapping[str, str] | None = None) -> Expr:
    """Convert a node of Python's own tree; `spans` gives the place of a node. Otherwise like `parse`."""
    return _finish(node, spans, refs)


def _finish(node: ast.expr, spans: Callable[[ast.AST], Span | None], refs: Mapping[str, str] | None) -> Expr:
    converter = Converter(spans)
    try:
        expr = converter.convert(node)
        linked = link_names(expr, refs) if refs else expr
    except ExpressionError as error:
        raise ExpressionError(_ordered([*converter.found, *error.diagnostics])) from None
    allowed = None if refs is None else frozenset(refs.values())
    found = [*converter.found, *check_rules(linked, allowed=allowed, linked=refs is not None)]
    if any(item.severity is Severity.ERROR for item in found):
        raise ExpressionError(_ordered(found))
    return linked


def link_names(expr: Expr, refs: Mapping[str, str]) -> Expr:
    """Resolve outside names: a (dotted) name becomes a `Ref` to its path, or the function of the language it stands for.

    Raises:
        ExpressionError: a constructor became constant and Python refuses its arguments.
    """
    mapping: dict[str, Expr] = {}
    for name, path in refs.items():
        known = DEFINITION_PATHS.get(path)
        mapping[name] = Ref(path) if known is None else Name(known)
    return substitute(expr, mapping)


def _ordered(found: list[Diagnostic]) -> list[Diagnostic]:
    start = Position(0, 0)
    return sorted(found, key=lambda item: item.span.start if item.span is not None else start)
