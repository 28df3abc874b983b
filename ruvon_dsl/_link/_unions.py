"""Types where paths meet: unions of annotations, in one order whatever the order of the paths.

Types are the annotations themselves (`int`, `list[Item]`, `Receipt | None`); `Any` is a type that nobody knows. The order
of a union's members is that of their texts, None last, because inferred types go into the digest.
"""

import typing
from functools import lru_cache
from typing import Any, Final, Literal, Never, Union, cast

from ruvon.ir.types import UnresolvedTypeError, type_text, unwrap
from ruvon.ir.types._shape import is_plain_class, literal_values, parameters_of, union_members

__all__ = ["members_of", "text_of", "union_of", "without_literals"]

_CONTAINERS: Final[tuple[object, ...]] = (list, tuple, set, frozenset, dict)


def members_of(type_: object) -> tuple[object, ...]:
    """The members of a union, or the type itself."""
    if type_ is Any or is_plain_class(type_):
        return (type_,)
    try:
        return union_members(unwrap(type_))
    except UnresolvedTypeError:
        return (type_,)


def union_of(*types: object) -> object:
    """The type of a value that has one of the types; `Any` or `object` among them gives that."""
    if len(types) == 2 and (types[0] is types[1] or types[0] == types[1]):
        return types[0]
    found: list[object] = []
    for type_ in types:
        found.extend(member for member in members_of(type_) if member is not Never and member not in found)
    for top in (Any, object):
        if any(member is top for member in found):
            return top
    return _built(_absorbed(found)) if found else Never


def _absorbed(found: list[object]) -> list[object]:
    """Without literals of a class that is there itself, the rest of the literals in one, empty displays in full ones."""
    values: list[object] = []
    plain: list[object] = []
    for member in found:
        literals = literal_values(member)
        if literals is None:
            plain.append(member)
        else:
            values.extend(value for value in literals if not _among(value, values))
    values = [value for value in values if type(value) not in plain]
    if {True, False} <= {value for value in values if isinstance(value, bool)}:
        values = [value for value in values if not isinstance(value, bool)]
        plain.append(bool)
    kept = [member for member in plain if not _is_empty(member) or not _has_full(member, plain)]
    return [*kept, *([_literal(values)] if values else [])]


def _among(value: object, values: list[object]) -> bool:
    return any(type(value) is type(known) and value == known for known in values)


def _literal(values: list[object]) -> object:
    ordered = sorted(values, key=lambda value: (type(value).__name__, repr(value)))
    return cast("Any", Literal)[tuple(ordered)]


def _is_empty(member: object) -> bool:
    """Whether this is the type of an empty display, such as `list[Never]`."""
    arguments = typing.get_args(member)
    return bool(arguments) and all(argument is Never for argument in arguments)


def _has_full(member: object, others: list[object]) -> bool:
    origin = parameters_of(member)[0]
    return any(other is not member and parameters_of(other)[0] is origin and not _is_empty(other) for other in others)


def _built(found: list[object]) -> object:
    ordered = sorted(found, key=lambda member: (member is None, text_of(member)))
    return ordered[0] if len(ordered) == 1 else Union[tuple(ordered)]  # noqa: UP007 - built from a tuple


def without_literals(type_: object) -> object:
    """The type with `Literal["a"]` replaced by `str`: what a variable without a declaration is said to hold."""
    widened: list[object] = []
    for member in members_of(type_):
        values = literal_values(member)
        widened.extend([_widened(member)] if values is None else [type(value) for value in values])
    return union_of(*widened)


def _widened(member: object) -> object:
    """The same for the items of a built-in container; an author's own generic keeps what it was given."""
    origin, arguments = typing.get_origin(member), typing.get_args(member)
    if origin not in _CONTAINERS or not arguments:
        return member
    generic: Any = origin
    return generic[tuple(part if part is ... else without_literals(part) for part in arguments)]


@lru_cache(maxsize=4096)
def _text(type_: object) -> str:
    return type_text(type_)


def text_of(type_: object) -> str:
    """The canonical text of a type; what cannot be resolved gives the text it is written with."""
    if type_ is Any:
        return "object"
    if type_ is Never:
        return "Never"
    try:
        return _text(type_)
    except TypeError:
        return type_text(type_)
    except UnresolvedTypeError as exc:
        return exc.text
