"""Expressions as closures: fast to run, with exactly Python's values, errors and order of evaluation.

Assumes nothing about where a tree comes from: the rules of the language are checked first, so that a compiled
expression can only call what is listed and only read data. Every node becomes one Python closure over the closures of
its parts; names are looked up in the environment's mapping, variables of comprehensions in frames whose depth is known
here. An expression without loops runs directly on the environment; any other gets a frame of its own, in which its
steps and the size of what it builds are counted.
"""

from collections.abc import Collection
from typing import Any, Final, assert_never, cast, final

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir.expr import _codes as codes
from ruvon.ir.expr._budget import counted
from ruvon.ir.expr._compile_calls import compile_call
from ruvon.ir.expr._compile_collections import compile_comprehension, compile_display, compile_subscript
from ruvon.ir.expr._compile_text import compile_format
from ruvon.ir.expr._compile_values import compile_attribute, compile_boolean, compile_conditional, constant, resolve
from ruvon.ir.expr._environment import Environment, Frame
from ruvon.ir.expr._errors import ExpressionError
from ruvon.ir.expr._guards import CHEAP, LOOPING_METHODS
from ruvon.ir.expr._nodes import (
    Attribute,
    Binary,
    Boolean,
    Call,
    Compare,
    Comprehension,
    Conditional,
    Const,
    Dict,
    DictComprehension,
    Expr,
    FormatString,
    List,
    Name,
    Ref,
    Set,
    Slice,
    Starred,
    Subscript,
    Tuple,
    Unary,
)
from ruvon.ir.expr._operators import UNARY, Code, binary, compare, growing
from ruvon.ir.expr._rules import check_rules
from ruvon.ir.expr._scopes import Scopes
from ruvon.ir.expr._walk import free_names, walk

__all__ = ["Compiled", "compile_expr"]

_LAZY: Final = frozenset(
    cast("list[type[object]]", [enumerate, reversed, zip, type(reversed([0])), type(iter(range(0)))])
)
_UNCOUNTED: Final = 8
"""So many operations that build something may stand in an expression that is not counted as a whole."""


@final
class Compiled:
    """A compiled expression: call it with an `Environment`. Holds no values; share it between instances and threads."""

    __slots__ = ("_code", "_metered", "expr")

    def __init__(self, expr: Expr, code: Code, metered: bool) -> None:
        self.expr = expr
        self._code = code
        self._metered = metered

    def __call__(self, env: Environment) -> Any:
        """The value of the expression; what is lazy (`zip`, `enumerate`, `reversed`) still counts when it is used.

        Raises:
            ExpressionBudgetError: the evaluation would cost more than the environment's budget.
            ExpressionAccessError: a value's attribute or method is not data.
            Exception: whatever Python raises for the same expression.
        """
        if not self._metered:
            return self._code(env)
        frame = Frame.outermost(env)
        value: object = self._code(frame)
        return counted(value, frame.meter) if type(value) in _LAZY else value


def compile_expr(expr: Expr, scope: Collection[str] | None = None) -> Compiled:
    """Compile an expression.

    Args:
        expr: The linked tree.
        scope: The names every environment will have; None leaves missing names to be found when they are read.

    Raises:
        ExpressionError: the tree breaks the rules of the language, or reads a name that is not in scope.
    """
    found = check_rules(expr, allowed=None, linked=True)
    if scope is not None:
        known = frozenset(scope)
        for name in free_names(expr):
            if name.id not in known:
                message = f"`{name.id}` is not known here"
                found.append(Diagnostic(code=codes.OUTSIDE_NAME, message=message, span=name.span))
    if found:
        raise ExpressionError(found)
    return Compiled(expr, compile_part(expr, Scopes()), _is_metered(expr))


def _is_metered(expr: Expr) -> bool:
    """Whether the whole evaluation is counted, because something in it loops or much is built."""
    building = 0
    for node in walk(expr):
        match node:
            case Comprehension() | DictComprehension() | Starred():
                return True
            case Call(function=Name(id=name)) if name not in CHEAP:
                return True
            case Call(function=Attribute(name=name)) if name in LOOPING_METHODS:
                return True
            case Call(function=Ref()):
                return True
            case Call() | FormatString():
                building += 1
            case Binary(op=op) if op in growing:
                building += 1
            case _:
                pass
    return building > _UNCOUNTED


def compile_part(expr: Expr, scopes: Scopes) -> Code:
    """The closure of one part of an expression."""
    match expr:
        case Const(value=value):
            return constant(value)
        case Name(id=name):
            return scopes.load(name)
        case Ref(path=path):
            return resolve(path)
        case Attribute():
            return compile_attribute(expr, scopes, compile_part)
        case Subscript():
            return compile_subscript(expr, scopes, compile_part)
        case Unary(op=op, operand=operand):
            return _unary(op, compile_part(operand, scopes))
        case Binary(op=op, left=left, right=right):
            return binary(op, compile_part(left, scopes), compile_part(right, scopes))
        case Boolean(op=op, values=values):
            return compile_boolean(op, [compile_part(value, scopes) for value in values])
        case Compare():
            return _compare(expr, scopes)
        case Conditional(test=test, body=body, otherwise=otherwise):
            parts = (compile_part(part, scopes) for part in (test, body, otherwise))
            return compile_conditional(*parts)
        case List() | Tuple() | Set() | Dict():
            return compile_display(expr, scopes, compile_part)
        case Comprehension() | DictComprehension():
            return compile_comprehension(expr, scopes, compile_part)
        case Call():
            return compile_call(expr, scopes, compile_part)
        case FormatString():
            return compile_format(expr, scopes, compile_part)
        case Slice() | Starred():
            raise ExpressionError(
                [Diagnostic(code=codes.STARRED, message="a slice or a star stands alone", span=expr.span)]
            )
        case _:
            assert_never(expr)


def _unary(op: str, operand: Code) -> Code:
    if op == "not":
        return lambda f: not operand(f)
    function = UNARY[op]
    return lambda f: function(operand(f))


def _compare(expr: Compare, scopes: Scopes) -> Code:
    rights = tuple(compile_part(right, scopes) for right in expr.rights)
    last = expr.rights[0]
    literal: tuple[object] | None = (last.value,) if isinstance(last, Const) else None
    if isinstance(last, Tuple) and expr.ops[0] in {"in", "not in"}:
        values = tuple(item.value for item in last.items if isinstance(item, Const))
        literal = (values,) if len(values) == len(last.items) else None
    return compare(compile_part(expr.left, scopes), expr.ops, rights, literal, scopes.in_loop)
