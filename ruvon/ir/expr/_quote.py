"""Expressions as they are quoted in sentences."""

from typing import Final

from ruvon.ir.expr._nodes import Expr
from ruvon.ir.expr._print import print_expr

__all__ = ["quoted"]

_LONGEST: Final = 60


def quoted(expr: Expr) -> str:
    """The canonical text of an expression, cut where it is too long to quote."""
    text = print_expr(expr)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
