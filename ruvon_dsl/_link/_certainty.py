"""Whether a condition can be true, or false, at all: what makes a `match` over all members of a union exhaustive.

Only what types decide beyond doubt counts: class tests, comparisons with the values of a finite type, the truth of values
that are always true. Everything else is possible either way.
"""

from collections.abc import Callable
from typing import final

from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._language import TYPE_NAMES
from ruvon.ir.expr._narrow import truth
from ruvon.ir.expr._nodes import Expr
from ruvon.ir.expr._types import UNKNOWN, base_of, finite_values, members
from ruvon_dsl._link._env import Env

__all__ = ["Certainty"]

_EQUAL = {"==": True, "is": True, "!=": False, "is not": False}


@final
class Certainty:
    """Decides over conditions.

    Args:
        type_of: The type of a part at a point.
        shown: The point behind a part that is true (or false).
        resolve: The class at a path, or `object`.
    """

    def __init__(
        self,
        type_of: Callable[[Expr, Env], object],
        shown: Callable[[Expr, Env, bool], Env],
        resolve: Callable[[str], object],
    ) -> None:
        self._type_of = type_of
        self._shown = shown
        self._resolve = resolve

    def impossible(self, condition: Expr, env: Env, *, wanted: bool) -> bool:
        """Whether the condition never is `wanted` at this point."""
        match condition:
            case e.Const(value=value):
                return bool(value) is not wanted
            case e.Unary(op="not", operand=operand):
                return self.impossible(operand, env, wanted=not wanted)
            case e.Boolean(op=op, values=values):
                return self._boolean(op, values, env, wanted=wanted)
            case e.Call(function=e.Name(id="isinstance"), args=(value, kinds)):
                return not wanted and self._always_instance(value, kinds, env)
            case e.Compare(left=left, ops=(op,), rights=(right,)) if op in _EQUAL:
                return self._compared(left, right, env, equal=wanted is _EQUAL[op])
            case e.Name() | e.Attribute():
                return self._known(condition, env) and not truth(self._type_of(condition, env), wanted)
            case _:
                return False

    def _boolean(self, op: str, values: tuple[Expr, ...], env: Env, *, wanted: bool) -> bool:
        """`and` is true when all parts are; it is never false when no part can be, each behind those before it."""
        decisive = op == "or"
        verdicts: list[bool] = []
        last = len(values) - 1
        for position, value in enumerate(values):
            verdicts.append(self.impossible(value, env, wanted=wanted))
            if position < last:
                env = self._shown(value, env, not decisive)
        return all(verdicts) if wanted is decisive else any(verdicts)

    def _always_instance(self, value: Expr, kinds: Expr, env: Env) -> bool:
        classes = self._classes(kinds)
        if not classes or not self._known(value, env):
            return False
        bases = [type(None) if member is None else base_of(member) for member in members(self._type_of(value, env))]
        return all(isinstance(base, type) and issubclass(base, classes) for base in bases)

    def _compared(self, left: Expr, right: Expr, env: Env, *, equal: bool) -> bool:
        """Equality of two types that each have one value; inequality is never impossible for more."""
        one, other = finite_values(self._type_of(left, env)), finite_values(self._type_of(right, env))
        if one is None or other is None or len(one) != 1 or len(other) != 1:
            return False
        return (one == other) is not equal

    def _known(self, value: Expr, env: Env) -> bool:
        return UNKNOWN not in members(self._type_of(value, env))

    def _classes(self, kinds: Expr) -> tuple[type, ...]:
        match kinds:
            case e.Ref(path=path):
                found = self._resolve(path)
                return (found,) if isinstance(found, type) and found is not UNKNOWN else ()
            case e.Name(id=name):
                return (TYPE_NAMES[name],) if name in TYPE_NAMES else ()
            case e.Const(value=None):
                return (type(None),)
            case e.Tuple(items=items):
                return tuple(cls for item in items for cls in self._classes(item))
            case e.Binary(op="|", left=left, right=right):
                return (*self._classes(left), *self._classes(right))
            case _:
                return ()
