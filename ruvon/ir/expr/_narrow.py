"""What a condition says about the paths it looks at.

`x is None`, `isinstance(x, C)`, the truth of an optional, comparisons with literals and their combinations narrow the
type of a name or dotted path where the condition is true, and where it is false. Anything else says nothing; a path is
never narrowed to nothing, because the types may be wrong and the code behind it should still be checked.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Final, Protocol

from ruvon.ir.expr._language import TYPE_NAMES
from ruvon.ir.expr._nodes import Binary, Boolean, Call, Compare, Const, Expr, Name, Ref, Tuple, Unary
from ruvon.ir.expr._types import UNKNOWN, base_of, finite_values, join, literal, members
from ruvon.ir.expr._walk import dotted
from ruvon.ir.types._fields import class_kind
from ruvon.ir.types._shape import literal_values

__all__ = ["View", "narrowing", "truth"]

_ONLY_NONE: Final = frozenset({(type(None), None)})


class View(Protocol):
    """What is known at one place; it remembers its answers, so that asking again costs nothing."""

    def type(self, expr: Expr, /) -> object:
        """The type of a part."""
        ...

    def narrowing(self, expr: Expr, wanted: bool, /) -> dict[str, object]:
        """What a part says where it is true, or false."""
        ...

    def behind(self, more: Mapping[str, object], /) -> "View":
        """The place behind, where more is known about some paths."""
        ...

    def resolve(self, path: str, /) -> object:
        """The class behind a reference; `object` where it is unknown."""
        ...


def narrowing(expr: Expr, wanted: bool, view: View) -> dict[str, object]:
    """The types of paths at a place where a condition is true, or false."""
    match expr:
        case Unary(op="not", operand=operand):
            return view.narrowing(operand, not wanted)
        case Boolean(op=op, values=values):
            return _boolean(op, values, wanted, view)
        case Compare(left=left, ops=(op,), rights=(right,)):
            return _compare(left, op, right, wanted, view)
        case Call(function=Name(id="isinstance"), args=(value, kinds)):
            return _isinstance(value, kinds, wanted, view)
        case _:
            path = dotted(expr)
            return {} if path is None else _kept(path, truth(view.type(expr), wanted))


def _kept(path: str, found: Sequence[object]) -> dict[str, object]:
    return {} if not found or UNKNOWN in found else {path: join(found)}


def _boolean(op: str, values: tuple[Expr, ...], wanted: bool, view: View) -> dict[str, object]:
    """All parts of `and` hold where it is true; where it is false, one part fails behind those that hold."""
    passed: dict[str, object] = {}
    cases: list[dict[str, object]] = []
    for value in values:
        cases.append({**passed, **view.narrowing(value, op == "or")})
        more = view.narrowing(value, op == "and")
        passed.update(more)
        view = view.behind(more)
    if (op == "and") == wanted:
        return passed
    common = set(cases[0]).intersection(*cases)
    return {path: join(case[path] for case in cases) for path in sorted(common)}


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
    always = isinstance(base, type) and (
        class_kind(base) in {"model", "dataclass", "exception"} or issubclass(base, Enum)
    )
    if always and not hasattr(base, "__bool__") and not hasattr(base, "__len__"):
        return (member,) if wanted else ()
    return (member,)


def _compare(left: Expr, op: str, right: Expr, wanted: bool, view: View) -> dict[str, object]:
    if op in {"is not", "!=", "not in"}:
        wanted = not wanted
    if op in {"in", "not in"}:
        return _contained(left, right, wanted, view)
    if op not in {"is", "is not", "==", "!="}:
        return {}
    found: dict[str, object] = {}
    for side, other in ((left, right), (right, left)):
        path = dotted(side)
        values = finite_values(view.type(other))
        if path is not None and values is not None and (wanted or len(values) == 1):
            found.update(_kept(path, _restricted(view.type(side), values, wanted)))
    return found


def _contained(left: Expr, right: Expr, wanted: bool, view: View) -> dict[str, object]:
    path = dotted(left)
    if path is None or not isinstance(right, Tuple) or not right.items:
        return {}
    values = finite_values(join(view.type(item) for item in right.items))
    plain = all(isinstance(item, Const) or finite_values(view.type(item)) for item in right.items)
    return {} if values is None or not plain else _kept(path, _restricted(view.type(left), values, wanted))


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


def _isinstance(value: Expr, kinds: Expr, wanted: bool, view: View) -> dict[str, object]:
    path = dotted(value)
    classes = _classes(kinds, view.resolve)
    if path is None or classes is None:
        return {}
    found: list[object] = []
    for member in members(view.type(value)):
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
