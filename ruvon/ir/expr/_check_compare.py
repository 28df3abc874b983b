"""The types of comparisons, and what cannot be compared, or only ever in one way."""

from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING

from ruvon.ir._diagnostics import Severity
from ruvon.ir.expr import _codes as codes
from ruvon.ir.expr._nodes import Compare, Const, Expr
from ruvon.ir.expr._operations import can_order
from ruvon.ir.expr._quote import quoted
from ruvon.ir.expr._rules import suggestion
from ruvon.ir.expr._type_env import TypeEnv
from ruvon.ir.expr._types import UNKNOWN, base_of, describe, family, finite_values, item_of, join, members

if TYPE_CHECKING:
    from ruvon.ir.expr._check import Checker

__all__ = ["compare_type"]


def compare_type(checker: "Checker", expr: Compare, env: TypeEnv) -> object:
    """The type of a comparison; each link of a chain is looked at on its own."""
    left, one = expr.left, checker.visit(expr.left, env)
    for op, right in zip(expr.ops, expr.rights, strict=True):
        other = checker.visit(right, env)
        match op:
            case "is" | "is not":
                _identity(checker, expr, left, one, right, other, op)
            case "==" | "!=":
                _equality(checker, expr, left, one, right, other, op)
            case "in" | "not in":
                _membership(checker, expr, left, one, right, other)
            case _:
                _order(checker, expr, left, one, right, other)
        left, one = right, other
    return bool


def _identity(checker: "Checker", expr: Compare, left: Expr, one: object, right: Expr, other: object, op: str) -> None:
    for side, kind in ((left, one), (right, other)):
        values = finite_values(kind)
        if values is not None and all(isinstance(value, Enum | bool | None) for _, value in values):
            if isinstance(side, Const) or len(values) == 1:
                return
            if all(isinstance(value, Enum) for _, value in values):
                return
    if UNKNOWN in (*members(one), *members(other)) and not isinstance(left, Const) and not isinstance(right, Const):
        return
    sign = "==" if op == "is" else "!="
    checker.report(
        expr,
        codes.IDENTITY,
        f"`{op}` compares identity, which values lose when the instance is resumed",
        advice=f"write `{quoted(left)} {sign} {quoted(right)}`",
    )


def _equality(checker: "Checker", expr: Compare, left: Expr, one: object, right: Expr, other: object, op: str) -> None:
    if _may_equal(one, other):
        return
    outcome = "false" if op == "==" else "true"
    advice = ""
    values = finite_values(one)
    if isinstance(right, Const) and isinstance(right.value, str) and values:
        texts = {value.value if isinstance(value, Enum) else value for _, value in values}
        advice = suggestion(right.value, [text for text in texts if isinstance(text, str)])
        if any(isinstance(value, Enum) for _, value in values):
            advice = f"compare with a member of {describe(base_of(members(one)[0]))}"
    message = f"`{quoted(left)}` is {describe(one)} and never equals {describe(other)}, so this is always {outcome}"
    checker.report(expr, codes.NEVER_EQUAL, message, advice=advice, severity=Severity.WARNING)


def _membership(checker: "Checker", expr: Compare, left: Expr, one: object, right: Expr, other: object) -> None:
    for member in members(other):
        if member is None:
            checker.optional(expr, right)
        elif family(member) == "text":
            if any(family(part) != "text" and part is not UNKNOWN for part in members(one)):
                checker.operands(expr, left, one, right, member)
        elif item_of(member) is None and not hasattr(base_of(member), "__contains__"):
            checker.report(
                expr, codes.NO_ITEMS, f"`{quoted(right)}` is {describe(member)}, which has no items to look in"
            )
    items = [item_of(member) for member in members(other) if member is not None]
    inner = join(item for item in items if item is not None) if items else UNKNOWN
    if not any(family(member) == "text" for member in members(other)) and not _may_equal(one, inner):
        message = f"`{quoted(left)}` is {describe(one)}, and no item of `{quoted(right)}` can equal it"
        checker.report(expr, codes.NEVER_EQUAL, message, severity=Severity.WARNING)


def _order(checker: "Checker", expr: Compare, left: Expr, one: object, right: Expr, other: object) -> None:
    for first in members(one):
        for second in members(other):
            if first is None or second is None:
                checker.optional(expr, left if first is None else right)
                return
            if not can_order(first, second):
                checker.operands(expr, left, first, right, second)
                return


def _may_equal(one: object, other: object) -> bool:
    values, others = finite_values(one), finite_values(other)
    if values is not None and others is not None:
        return any(value == second for _, value in values for _, second in others)
    return any(_kinds_meet(first, second) for first in members(one) for second in members(other))


def _kinds_meet(first: object, second: object) -> bool:
    if first is UNKNOWN or second is UNKNOWN:
        return True
    if first is None or second is None:
        return first is second or not _plain((first, second))
    one, two = family(first), family(second)
    return one is None or two is None or one == two or {one, two} == {"date", "datetime"}


def _plain(kinds: Iterable[object]) -> bool:
    return all(kind is None or family(kind) is not None for kind in kinds)
