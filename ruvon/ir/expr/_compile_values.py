"""Closures for constants, references, attributes, boolean operators and conditionals."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeAlias

from ruvon.ir.expr._access import is_data_attribute, read_attribute
from ruvon.ir.expr._language import CLASS_ATTRIBUTES, VALUE_TYPES
from ruvon.ir.expr._nodes import Attribute, Expr, Name
from ruvon.ir.expr._operators import Code
from ruvon.ir.expr._scopes import Scopes

__all__ = ["CompilePart", "compile_attribute", "compile_boolean", "compile_conditional", "constant", "resolve"]

CompilePart: TypeAlias = Callable[[Expr, Scopes], Code]
"""The compiler of any part, given to the modules that compile one kind of node."""


def constant(value: object) -> Code:
    """The closure of a literal."""
    return lambda _: value


def resolve(path: str) -> Code:
    """The closure that gives a class or `@pure` function by its path, from the environment."""
    return lambda f: f.env.resolve(path)


def compile_attribute(expr: Attribute, scopes: Scopes, part: CompilePart) -> Code:
    """The closure that reads data from a value, or a constant from a class of the language (`timezone.utc`)."""
    base, name = expr.value, expr.name
    if isinstance(base, Name) and not scopes.is_local(base.id):
        if name in CLASS_ATTRIBUTES.get(base.id, ()):
            return constant(getattr(VALUE_TYPES[base.id], name))
        return _of_name(base.id, name)
    return _of_value(part(base, scopes), name)


def _of_value(value: Code, name: str) -> Code:
    """Read an attribute; the last type whose attribute is known to be data is remembered at this place.

    The memory is one cell that is only ever replaced by another right answer, so threads may share it.
    """
    known: type | None = None
    get = attrgetter(name)

    def read(f: Any) -> Any:
        nonlocal known
        item: object = value(f)
        kind = type(item)
        if kind is known:
            return get(item)
        found = read_attribute(item, name)
        if is_data_attribute(kind, name):
            known = kind
        return found

    return read


def _of_name(owner: str, name: str) -> Code:
    """The same for the commonest form, an attribute of a name from the environment."""
    known: type | None = None
    get = attrgetter(name)

    def read(f: Any) -> Any:
        nonlocal known
        try:
            item: object = f.names[owner]
        except KeyError:
            raise NameError(f"name {owner!r} is not defined", name=owner) from None
        kind = type(item)
        if kind is known:
            return get(item)
        found = read_attribute(item, name)
        if is_data_attribute(kind, name):
            known = kind
        return found

    return read


def compile_boolean(op: str, values: list[Code]) -> Code:
    """The closure of `and` or `or`, with Python's short circuit and value."""
    if len(values) == 2:
        first, second = values
        if op == "and":
            return lambda f: first(f) and second(f)
        return lambda f: first(f) or second(f)
    *some, last = values
    if op == "and":
        return _all_of(some, last)
    return _any_of(some, last)


def _all_of(values: list[Code], last: Code) -> Code:
    def every(f: Any) -> Any:
        for value in values:
            result = value(f)
            if not result:
                return result
        return last(f)

    return every


def _any_of(values: list[Code], last: Code) -> Code:
    def some(f: Any) -> Any:
        for value in values:
            result = value(f)
            if result:
                return result
        return last(f)

    return some


def compile_conditional(test: Code, body: Code, otherwise: Code) -> Code:
    """The closure of `body if test else otherwise`."""
    return lambda f: body(f) if test(f) else otherwise(f)
