"""The types of displays, comprehensions and items, and what cannot be indexed, unpacked or hashed."""

from typing import TYPE_CHECKING

from ruvon.ir.expr import _codes as codes
from ruvon.ir.expr._members import advice_of
from ruvon.ir.expr._nodes import (
    Clause,
    Comprehension,
    Const,
    Dict,
    DictComprehension,
    Expr,
    List,
    Name,
    Set,
    Slice,
    Starred,
    Subscript,
    Tuple,
)
from ruvon.ir.expr._quote import quoted
from ruvon.ir.expr._rules import suggestion
from ruvon.ir.expr._type_env import TypeEnv
from ruvon.ir.expr._types import (
    UNKNOWN,
    base_of,
    describe,
    family,
    fields_of,
    generic,
    item_of,
    iterator_of,
    join,
    members,
)
from ruvon.ir.types._fields import class_kind
from ruvon.ir.types._shape import literal_values, parameters_of

if TYPE_CHECKING:
    from ruvon.ir.expr._check import Checker

__all__ = ["comprehension_type", "display_type", "subscript_type"]

_UNHASHABLE = (list, dict, set)


def display_type(checker: "Checker", expr: List | Tuple | Set | Dict, env: TypeEnv) -> object:
    """The type of a list, tuple, set or dict display."""
    match expr:
        case List(items=items):
            return generic(list, _wide(join(checker.visit(item, env) for item in items)))
        case Tuple(items=items):
            kinds = [checker.visit(item, env) for item in items]
            if any(isinstance(item, Starred) for item in items):
                return generic(tuple, join(kinds), ...)
            return generic(tuple, *kinds) if kinds else tuple
        case Set(items=items):
            kinds = [_set_item(checker, item, env) for item in items]
            return generic(set, _wide(join(kinds)))
        case Dict():
            return _dict_type(checker, expr, env)


def _wide(annotation: object) -> object:
    """Items of a built collection are values, no longer literals; enums and None stay."""
    found = [base_of(member) if literal_values(member) is not None else member for member in members(annotation)]
    return join(found)


def _set_item(checker: "Checker", item: Expr, env: TypeEnv) -> object:
    if isinstance(item, Starred):
        return checker.items(item.value, checker.visit(item.value, env), ordered=False)
    kind = checker.visit(item, env)
    _hashable(checker, item, kind)
    return kind


def _hashable(checker: "Checker", expr: Expr, annotation: object) -> None:
    for member in members(annotation):
        base = base_of(member)
        if isinstance(base, type) and (issubclass(base, _UNHASHABLE) or base.__hash__ is None):  # pyright: ignore[reportUnnecessaryComparison]
            message = f"`{quoted(expr)}` is {describe(member)}, which cannot be a key or a member of a set"
            checker.report(
                expr, codes.UNHASHABLE, message, reason="Python raises TypeError here", advice="use a tuple or an id"
            )
            return


def _dict_type(checker: "Checker", expr: Dict, env: TypeEnv) -> object:
    keys: list[object] = []
    values: list[object] = []
    for item in expr.items:
        kind = checker.visit(item.value, env)
        if item.key is None:
            for member in members(kind):
                arguments = parameters_of(member)[1]
                known = family(member) == "dict" and len(arguments) == 2
                keys.append(arguments[0] if known else UNKNOWN)
                values.append(arguments[1] if known else UNKNOWN)
            continue
        key = checker.visit(item.key, env)
        _hashable(checker, item.key, key)
        keys.append(key)
        values.append(kind)
    return generic(dict, _wide(join(keys)), _wide(join(values)))


def comprehension_type(
    checker: "Checker", expr: Comprehension | DictComprehension, env: TypeEnv, *, ordered: bool
) -> object:
    """The type of a comprehension; `ordered` says whether the order of its items can be seen."""
    ordered = ordered and not (isinstance(expr, Comprehension) and expr.kind == "set")
    for clause in expr.clauses:
        env = _clause(checker, clause, env, ordered)
    if isinstance(expr, DictComprehension):
        key = checker.visit(expr.key, env)
        _hashable(checker, expr.key, key)
        return generic(dict, _wide(key), _wide(checker.visit(expr.value, env)))
    element = checker.visit(expr.element, env)
    match expr.kind:
        case "list":
            return generic(list, _wide(element))
        case "set":
            _hashable(checker, expr.element, element)
            return generic(set, _wide(element))
        case _:
            return iterator_of(element)


def _clause(checker: "Checker", clause: Clause, env: TypeEnv, ordered: bool) -> TypeEnv:
    items = checker.items(clause.over, checker.visit(clause.over, env), ordered=ordered)
    env = env.bind(_bound(checker, clause.target, items))
    for test in clause.tests:
        checker.condition(test, env)
        env = checker.behind(env, checker.narrowing(test, env, wanted=True))
    return env


def _bound(checker: "Checker", target: Expr, annotation: object) -> dict[str, object]:
    """The types of the names that one item of a type is unpacked into."""
    match target:
        case Name(id=name):
            return {name: annotation}
        case Tuple(items=targets):
            parts = _unpacked(checker, target, annotation, len(targets))
            found: dict[str, object] = {}
            for inner, part in zip(targets, parts, strict=True):
                found.update(_bound(checker, inner, part))
            return found
        case _:
            return {}


def _unpacked(checker: "Checker", target: Expr, annotation: object, count: int) -> list[object]:
    columns: list[list[object]] = [[] for _ in range(count)]
    for member in members(annotation):
        origin, arguments = parameters_of(member)
        if origin is tuple and arguments and Ellipsis not in arguments:
            if len(arguments) != count:
                message = f"an item has {len(arguments)} parts, and is unpacked into {count} names"
                checker.report(
                    target,
                    codes.UNPACK,
                    message,
                    reason="Python raises ValueError here",
                    advice=f"give {len(arguments)} names",
                )
                return [UNKNOWN] * count
            parts: list[object] = list(arguments)
        else:
            item = None if member is None else item_of(member)
            if item is None:
                message = f"an item is {describe(member)}, which cannot be unpacked into {count} names"
                checker.report(target, codes.UNPACK, message, reason="Python raises TypeError here")
            parts = [UNKNOWN if item is None else item] * count
        for column, part in zip(columns, parts, strict=True):
            column.append(part)
    return [join(column) for column in columns]


def subscript_type(checker: "Checker", expr: Subscript, env: TypeEnv) -> object:
    """The type of an item or a slice."""
    owner = checker.visit(expr.value, env)
    if isinstance(expr.index, Slice):
        _bounds(checker, expr.index, env)
        return _slice_type(checker, expr, owner)
    index = checker.visit(expr.index, env)
    found: list[object] = []
    for member in members(owner):
        if member is None:
            checker.optional(expr, expr.value)
        else:
            found.append(_item_type(checker, expr, member, index))
    return join(found)


def _bounds(checker: "Checker", index: Slice, env: TypeEnv) -> None:
    for bound in (index.start, index.stop, index.step):
        kind = UNKNOWN if bound is None else checker.visit(bound, env)
        if bound is not None and any(
            family(m) != "number" and m is not None and m is not UNKNOWN for m in members(kind)
        ):
            checker.report(bound, codes.NO_ITEMS, f"`{quoted(bound)}` is {describe(kind)}; bounds of a slice are ints")


def _slice_type(checker: "Checker", expr: Subscript, owner: object) -> object:
    found: list[object] = []
    for member in members(owner):
        if member is None:
            checker.optional(expr, expr.value)
        elif family(member) in {"text", "bytes", "list"} or base_of(member) is range or member is UNKNOWN:
            found.append(base_of(member) if literal_values(member) is not None else member)
        elif family(member) == "tuple":
            found.append(generic(tuple, item_of(member) or UNKNOWN, ...))
        elif family(member) is not None or class_kind(base_of(member)) is not None:
            return _no_items(checker, expr, member, "cannot be sliced")
        else:
            found.append(UNKNOWN)
    return join(found)


def _no_items(checker: "Checker", expr: Subscript, member: object, what: str) -> object:
    message = f"`{quoted(expr.value)}` is {describe(member)}, which {what}"
    advice = advice_of(base_of(member)) or "use it as it is, or index a list, tuple, text or dict"
    return checker.report(expr, codes.NO_ITEMS, message, advice=advice)


def _item_type(checker: "Checker", expr: Subscript, member: object, index: object) -> object:
    kind, base = family(member), base_of(member)
    if class_kind(base) == "typeddict":
        return _key_type(checker, expr, member, index)
    origin, arguments = parameters_of(member)
    if origin is type:
        return arguments[0] if arguments else UNKNOWN
    if kind == "dict":
        return arguments[1] if len(arguments) == 2 else UNKNOWN
    if kind in {"text", "bytes", "list", "tuple"} or base is range:
        wrong = [part for part in members(index) if part is not UNKNOWN and not _is_index(part)]
        if wrong:
            return _no_items(checker, expr, member, f"is indexed by int, not by {describe(wrong[0])}")
        return _position_type(checker, expr, member)
    if kind is not None or class_kind(base) in {"model", "dataclass", "enum"}:
        if isinstance(base, type) and hasattr(base, "__getitem__"):
            return UNKNOWN
        return _no_items(checker, expr, member, "has no items")
    return UNKNOWN


def _is_index(member: object) -> bool:
    base = base_of(member)
    return isinstance(base, type) and issubclass(base, int)


def _position_type(checker: "Checker", expr: Subscript, member: object) -> object:
    arguments = parameters_of(member)[1]
    if family(member) != "tuple" or not arguments or Ellipsis in arguments:
        return item_of(member) or UNKNOWN
    if not isinstance(expr.index, Const) or not isinstance(expr.index.value, int):
        return item_of(member) or UNKNOWN
    position = expr.index.value
    if not -len(arguments) <= position < len(arguments):
        return _no_items(checker, expr, member, f"has {len(arguments)} items")
    return arguments[position]


def _key_type(checker: "Checker", expr: Subscript, member: object, index: object) -> object:
    fields = fields_of(member) or {}
    keys = [value for part in members(index) for value in literal_values(part) or (UNKNOWN,)]
    for key in keys:
        if isinstance(key, str) and key not in fields:
            message = f"{describe(member)} has no key `{key}`"
            advice = suggestion(key, fields) or "its keys are " + ", ".join(sorted(fields))
            return checker.report(expr, codes.FIELD, message, advice=advice)
    known = [fields[key].annotation for key in keys if isinstance(key, str)]
    return join(known) if len(known) == len(keys) else UNKNOWN
