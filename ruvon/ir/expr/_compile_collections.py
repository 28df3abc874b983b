"""Closures for displays, comprehensions and indexing.

A running comprehension has a frame of its own whose parent is the frame around it, as Python's scopes have: inner
comprehensions and generators see the outer variables as they are when they are read.
"""

from collections.abc import Callable, Iterator
from enum import EnumMeta
from itertools import islice
from typing import Any, assert_never, cast

from ruvon.ir.expr._budget import ATOMS, COUNTING, counted
from ruvon.ir.expr._compile_values import CompilePart, constant
from ruvon.ir.expr._environment import Frame
from ruvon.ir.expr._errors import ExpressionAccessError
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
from ruvon.ir.expr._operators import Code
from ruvon.ir.expr._scopes import Scopes
from ruvon.ir.expr._walk import bound_names

__all__ = ["collect_items", "compile_comprehension", "compile_display", "compile_subscript"]


def collect_items(items: tuple[Expr, ...], scopes: Scopes, part: CompilePart) -> Code:
    """The closure that gives the values of a display or of arguments as a list, stars unpacked."""
    if not any(isinstance(item, Starred) for item in items):
        return _plain_items([part(item, scopes) for item in items], scopes.in_loop)
    codes = [
        (isinstance(item, Starred), part(item.value if isinstance(item, Starred) else item, scopes)) for item in items
    ]

    def collect(f: Any) -> Any:
        found: list[Any] = []
        for starred, code in codes:
            value = code(f)
            if starred:
                found.extend(_unpacked(value, f))
            else:
                found.append(value)
        return f.meter.grown(found)

    return collect


def _plain_items(codes: list[Code], in_loop: bool) -> Code:
    if not in_loop:
        return lambda f: [code(f) for code in codes]

    def collect(f: Any) -> list[Any]:
        grown = f.meter.part
        return [grown(code(f)) for code in codes]

    return collect


def _unpacked(value: Any, f: Any) -> Any:
    kind = type(cast("object", value))
    if not hasattr(kind, "__iter__") and not hasattr(kind, "__getitem__"):
        return [*value]  # raises in Python's own words
    return counted(value, f.meter)


def compile_display(expr: List | Tuple | Set | Dict, scopes: Scopes, part: CompilePart) -> Code:
    """The closure of a list, tuple, set or dict display."""
    match expr:
        case List(items=items):
            return collect_items(items, scopes, part)
        case Tuple(items=items) if all(isinstance(item, Const) for item in items):
            return constant(tuple(item.value for item in items if isinstance(item, Const)))
        case Tuple(items=items):
            parts = collect_items(items, scopes, part)
            return lambda f: tuple(parts(f))
        case Set(items=items):
            parts = collect_items(items, scopes, part)
            return lambda f: set(parts(f))
        case Dict():
            return _dict(expr, scopes, part)
        case _:
            assert_never(expr)


def _dict(expr: Dict, scopes: Scopes, part: CompilePart) -> Code:
    pairs = [(None if item.key is None else part(item.key, scopes), part(item.value, scopes)) for item in expr.items]
    watched = scopes.in_loop or any(key is None for key, _ in pairs)

    def build(f: Any) -> dict[Any, Any]:
        made: dict[Any, Any] = {}
        for key, value in pairs:
            if key is None:
                made.update(_mapping(value(f)))
            else:
                name = key(f)
                made[name] = value(f)
        return f.meter.grown(made) if watched else made

    return build


def _mapping(value: Any) -> Any:
    if not hasattr(cast("object", value), "keys"):
        return {**value}  # raises in Python's own words
    return value


def compile_subscript(expr: Subscript, scopes: Scopes, part: CompilePart) -> Code:
    """The closure of `value[index]` or `value[start:stop:step]`."""
    value = part(expr.value, scopes)
    if isinstance(expr.index, Slice):
        return _sliced(value, _bounds(expr.index, scopes, part))
    index = part(expr.index, scopes)

    def item(f: Any) -> Any:
        owner = value(f)
        if isinstance(owner, type) and not isinstance(owner, EnumMeta):
            raise ExpressionAccessError(owner, "[...]", "a class has no items")
        return owner[index(f)]

    return item


def _bounds(index: Slice, scopes: Scopes, part: CompilePart) -> Code:
    start, stop, step = (
        None if bound is None else part(bound, scopes) for bound in (index.start, index.stop, index.step)
    )
    codes = (start, stop, step)
    return lambda f: slice(*(None if code is None else code(f) for code in codes))


def _sliced(value: Code, bounds: Code) -> Code:
    def cut(f: Any) -> Any:
        owner = value(f)
        found = owner[bounds(f)]
        return found if type(found) in ATOMS else f.meter.grown(found)

    return cut


def _target(target: Expr, scopes: Scopes) -> Callable[[list[Any], Any], None]:
    """The function that binds an item to the variables of a comprehension."""
    match target:
        case Name(id=name):
            slot = scopes.slot(name)

            def bind(variables: list[Any], item: Any) -> None:
                variables[slot] = item

            return bind
        case Tuple(items=items):
            return _unpacking([_target(item, scopes) for item in items])
        case _:
            return lambda _variables, _item: None


def _unpacking(parts: list[Callable[[list[Any], Any], None]]) -> Callable[[list[Any], Any], None]:
    if len(parts) == 2:
        first, second = parts

        def bind_pair(variables: list[Any], item: Any) -> None:
            left, right = item
            first(variables, left)
            second(variables, right)

        return bind_pair
    count = len(parts)

    def bind(variables: list[Any], item: Any) -> None:
        for part, value in zip(parts, _exactly(item, count), strict=True):
            part(variables, value)

    return bind


def _exactly(item: Any, count: int) -> list[Any]:
    """The parts of an item, with Python's own words when there are too many or too few."""
    try:
        source: Iterator[Any] = iter(item)
    except TypeError:
        if hasattr(type(cast("object", item)), "__iter__"):
            raise
        _, _ = item  # raises in Python's own words
        raise
    found = list(islice(source, count + 1))
    if len(found) < count:
        raise ValueError(f"not enough values to unpack (expected {count}, got {len(found)})")
    if len(found) > count:
        raise ValueError(f"too many values to unpack (expected {count})")
    return found


def compile_comprehension(expr: Comprehension | DictComprehension, scopes: Scopes, part: CompilePart) -> Code:
    """The closure of a comprehension or a generator expression."""
    names = frozenset[str]().union(*(bound_names(clause.target) for clause in expr.clauses))
    inner = scopes.inside(names)
    first = part(expr.clauses[0].over, scopes)
    count = len(names)
    match expr:
        case Comprehension(kind="generator", element=element):
            run = _yielding(expr.clauses, 0, inner, part(element, inner), part)
            return lambda f: run(_frame(f, count), iter(first(f)))
        case Comprehension(kind="set", element=element):
            return _filled(set, "add", _loop(expr.clauses, 0, inner, _one(part(element, inner)), part), first, count)
        case Comprehension(element=element):
            return _filled(
                list, "append", _loop(expr.clauses, 0, inner, _one(part(element, inner)), part), first, count
            )
        case DictComprehension(key=key, value=value):
            emit = _pair(part(key, inner), part(value, inner))
            return _filled(dict, "__setitem__", _loop(expr.clauses, 0, inner, emit, part), first, count)
        case _:
            assert_never(expr)


def _frame(f: Any, count: int) -> Frame:
    return Frame(f.env, f.meter, f, count)


def _filled(kind: type, method: str, loop: Callable[[Frame, Any], None], first: Code, count: int) -> Code:
    def build(f: Any) -> Any:
        made = kind()
        frame = _frame(f, count)
        frame.out = getattr(made, method)
        loop(frame, first(f))
        return made

    return build


def _one(element: Code) -> Callable[[Frame], None]:
    def emit(frame: Frame) -> None:
        value = element(frame)
        frame.out(value if type(value) in ATOMS else frame.meter.part(value))

    return emit


def _pair(key: Code, value: Code) -> Callable[[Frame], None]:
    def emit(frame: Frame) -> None:
        name = frame.meter.part(key(frame))
        frame.out(name, frame.meter.part(value(frame)))

    return emit


def _loop(
    clauses: tuple[Clause, ...], level: int, scopes: Scopes, emit: Callable[[Frame], None], part: CompilePart
) -> Callable[[Frame, Any], None]:
    """The function that runs clause `level` and everything inside it over given items."""
    clause = clauses[level]
    bind = _target(clause.target, scopes)
    tests = tuple(part(test, scopes) for test in clause.tests)
    inside = emit if level + 1 == len(clauses) else _nested(clauses, level + 1, scopes, emit, part)

    def loop(frame: Frame, items: Any) -> None:
        variables = frame.vars
        step = frame.meter.step
        for item in items:
            step()
            bind(variables, item)
            for test in tests:
                if not test(frame):
                    break
            else:
                inside(frame)

    return loop


def _nested(
    clauses: tuple[Clause, ...], level: int, scopes: Scopes, emit: Callable[[Frame], None], part: CompilePart
) -> Callable[[Frame], None]:
    over = part(clauses[level].over, scopes)
    loop = _loop(clauses, level, scopes, emit, part)
    return lambda frame: loop(frame, over(frame))


def _yielding(
    clauses: tuple[Clause, ...], level: int, scopes: Scopes, element: Code, part: CompilePart
) -> Callable[[Frame, Any], Iterator[Any]]:
    """The generator function that runs clause `level` and everything inside it over given items."""
    clause = clauses[level]
    bind = _target(clause.target, scopes)
    tests = tuple(part(test, scopes) for test in clause.tests)
    last = level + 1 == len(clauses)
    over = element if last else part(clauses[level + 1].over, scopes)
    inner = None if last else _yielding(clauses, level + 1, scopes, element, part)

    def run(frame: Frame, items: Any) -> Iterator[Any]:
        variables = frame.vars
        step = frame.meter.step
        for item in items:
            step()
            bind(variables, item)
            for test in tests:
                if not test(frame):
                    break
            else:
                if inner is None:
                    yield element(frame)
                else:
                    yield from inner(frame, over(frame))

    COUNTING.add(run.__code__)
    return run
