"""What a condition says about the paths it looks at.

`x is None`, `isinstance(x, C)`, the truth of an optional, comparisons with literals and their combinations narrow the
type of a name or dotted path where the condition is true, and where it is false. Anything else says nothing; a path is
never narrowed to nothing, because the types may be wrong and the code behind it should still be checked.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Final

from ruvon.ir.expr._language import TYPE_NAMES
from ruvon.ir.expr._nodes import Binary, Boolean, Call, Compare, Const, Expr, Name, Ref, Tuple, Unary
from ruvon.ir.expr._types import UNKNOWN, base_of, finite_values, join, literal, members
from ruvon.ir.expr._walk import dotted
from ruvon.ir.types._fields import class_kind
from ruvon.ir.types._shape import literal_values

__all__ = ["narrowing", "truth"]

_ONLY_NONE: Final = frozenset({(type(None), None)})
Types = Callable[[Expr], object]
"""Gives the type of a part of the condition."""


def narrowing(
    expr: Expr, wanted: bool, types: Types, narrow: Callable[[Mapping[str, object]], Types], resolve: Callable[[str], object]
) -> dict[str, object]:
    """The types of paths where a condition is `wanted`.

    Args:
        expr: The condition.
        wanted: Whether it is true or false.
        types: The type of a part, at this place.
        narrow: The same with more known about some paths, for parts behind `and` and `or`.
        resolve: The class behind a reference; `object` where unknown.
    """
    match expr:
        case Unary(op="not", operand=operand):
            return narrowing(operand, not wanted, types, narrow, resolve)
        case Boolean(op=op, values=(first, *rest)):
            return _boolean(op, first, tuple(rest), wanted, types, narrow, resolve)
        case Compare(left=left, ops=(op,), rights=(right,)):
            return _compare(left, op, right, wanted, types)
        case Call(function=Name(id="isinstance"), args=(value, kinds)):
            return _isinstance(value, kinds, wanted, types, resolve)
        case _:
            path = dotted(expr)
            return {} if path is None else _kept(path, truth(types(expr), wanted))


def _kept(path: str, found: Sequence[object]) -> dict[str, object]:
    return {} if not found or UNKNOWN in found else {path: join(found)}


def _boolean(
    op: str,
    first: Expr,
    rest: tuple[Expr, ...],
    wanted: bool,
    types: Types,
    narrow: Callable[[Mapping[str, object]], Types],
    resolve: Callable[[str], object],
) -> dict[str, object]:
    one = narrowing(first, wanted, types, narrow, resolve)
    if not rest:
        return one
    ahead = narrowing(first, op == "and", types, narrow, resolve)
    behind = narrow(ahead)
    other = _boolean(op, rest[0], rest[1:], wanted, behind, narrow, resolve)
    if (op == "and") == wanted:
        return {**one, **other}
    seen = {**ahead, **other}
    return {path: join([one[path], seen[path]]) for path in one.keys() & seen.keys()}


def truth(annotation: object, wanted: bool) -> tuple[object, ...]:
    """The members of a type whose values may be true (or false)."""
    return tuple(part for member in members(annotation) for part in _truth(member, wanted))


def _truth(member: object, wanted: bool) -> tuple[object, ...]:
    values = literal_values(member)
    if values is not None:
        return tuple(literal(value) for value in values if bool(value) is wanted)
    if member is None:
        return () if wanted else (None,)
    if member is bool:
        return (literal(wanted),)
    base = base_of(member)
    always = isinstance(base, type) and (class_kind(base) in {"model", "dataclass", "exception"} or issubclass(base, Enum))
    if always and not hasattr(base, "__bool__") and not hasattr(base, "__len__"):
        return (member,) if wanted else ()
    return (member,)


def _compare(left: Expr, op: str, right: Expr, wanted: bool, types: Types) -> dict[str, object]:
    if op in {"is not", "!=", "not in"}:
        wanted = not wanted
    if op in {"in", "not in"}:
        return _contained(left, right, wanted, types)
    if op not in {"is", "is not", "==", "!="}:
        return {}
    found: dict[str, object] = {}
    for side, other in ((left, right), (right, left)):
        path = dotted(side)
        values = finite_values(types(other))
        if path is not None and values is not None and (wanted or len(values) == 1):
            found.update(_kept(path, _restricted(types(side), values, wanted)))
    return found


def _contained(left: Expr, right: Expr, wanted: bool, types: Types) -> dict[str, object]:
    path = dotted(left)
    if path is None or not isinstance(right, Tuple) or not right.items:
        return {}
    values = finite_values(join(types(item) for item in right.items))
    plain = all(isinstance(item, Const) or finite_values(types(item)) for item in right.items)
    return {} if values is None or not plain else _kept(path, _restricted(types(left), values, wanted))


def _restricted(annotation: object, values: frozenset[tuple[type, object]], wanted: bool) -> list[object]:
    """The members of a type that equal one of the values, or equal none of them."""
    found: list[object] = []
    for member in members(annotation):
        own = finite_values(member)
        if member is UNKNOWN and wanted and values == _ONLY_NONE:
            found.append(None)
            continue
        if own is not None:
            kept = [value for value in own if (value in values) is wanted]
            if len(kept) == len(own):
                found.append(member)
            else:
                found.extend(literal(value) for _, value in sorted(kept, key=repr))
        elif not wanted or any(kind is not type(None) for kind, _ in values):
            found.append(member)
    return found


def _isinstance(
    value: Expr, kinds: Expr, wanted: bool, types: Types, resolve: Callable[[str], object]
) -> dict[str, object]:
    path = dotted(value)
    classes = _classes(kinds, resolve)
    if path is None or classes is None:
        return {}
    found: list[object] = []
    for member in members(types(value)):
        base = type(None) if member is None else base_of(member)
        if member is UNKNOWN or not isinstance(base, type):
            found.extend(classes if wanted else [member])
        elif issubclass(base, classes) is wanted:
            found.append(member)
        elif wanted:
            found.extend(kind for kind in classes if issubclass(kind, base))
    return _kept(path, found)


def _classes(expr: Expr, resolve: Callable[[str], object]) -> tuple[type, ...] | None:
    match expr:
        case Name(id=name):
            return (TYPE_NAMES[name],) if name in TYPE_NAMES else None
        case Const(value=None):
            return (type(None),)
        case Ref(path=path):
            found = resolve(path)
            return (found,) if isinstance(found, type) and found is not UNKNOWN else None
        case Tuple(items=items):
            parts = [_classes(item, resolve) for item in items]
        case Binary(op="|", left=left, right=right):
            parts = [_classes(left, resolve), _classes(right, resolve)]
        case _:
            return None
    known = [part for part in parts if part is not None]
    return tuple(kind for part in known for kind in part) if len(known) == len(parts) else None
