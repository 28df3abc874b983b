"""Types as the checker sees them: ordinary Python annotations, unions, literals, and what is unknown.

`object` (and so `Any`) means unknown: nothing is ever reported about it. `None` is the type of None. Constants have
literal types, so that comparisons with `Literal` fields and enums can be judged.
"""

import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Literal, Union, cast
from uuid import UUID

from ruvon.ir.types._fields import ClassField, class_fields, class_kind
from ruvon.ir.types._shape import (
    UnresolvedTypeError,
    is_plain_class,
    literal_values,
    parameters_of,
    union_members,
    unwrap,
)

__all__ = [
    "FAMILIES",
    "UNKNOWN",
    "base_of",
    "describe",
    "family",
    "fields_of",
    "finite_values",
    "fits",
    "item_of",
    "join",
    "literal",
    "members",
    "without_none",
]

UNKNOWN: Final = object
_LITERAL_TYPES: Final = (bool, int, str, bytes, Enum)
FAMILIES: Final[Mapping[type, str]] = types.MappingProxyType(
    {
        bool: "number",
        int: "number",
        float: "number",
        Decimal: "number",
        str: "text",
        bytes: "bytes",
        list: "list",
        tuple: "tuple",
        dict: "dict",
        set: "set",
        frozenset: "set",
        datetime: "datetime",
        date: "date",
        time: "time",
        timedelta: "timedelta",
        UUID: "UUID",
    }
)
"""Built-in types by what they can be compared with."""


def members(annotation: object) -> tuple[object, ...]:
    """The members of a type, without wrappings; a plain type is its only member, `(object,)` is unknown."""
    if is_plain_class(annotation):
        return (annotation,)
    try:
        return union_members(unwrap(annotation))
    except UnresolvedTypeError:
        return (UNKNOWN,)


def join(annotations: Iterable[object]) -> object:
    """The union of types; unknown if one is, and nothing at all is unknown too."""
    found: list[object] = []
    for annotation in annotations:
        for member in members(annotation):
            if member is UNKNOWN:
                return UNKNOWN
            if member not in found:
                found.append(member)
    found = [member for member in found if literal_values(member) is None or base_of(member) not in found]
    if not found:
        return UNKNOWN
    return found[0] if len(found) == 1 else Union[tuple(found)]  # noqa: UP007 - built from a tuple


def literal(value: object) -> object:
    """The type of a constant."""
    if value is None:
        return None
    if isinstance(value, _LITERAL_TYPES):
        return cast("object", Literal[value])
    return type(value)


def without_none(annotation: object) -> object:
    """The type without None; unknown if nothing is left."""
    return join(member for member in members(annotation) if member is not None)


def base_of(member: object) -> object:
    """The class of one member: of a literal the class of its values, of a generic its origin."""
    values = literal_values(member)
    if values is not None:
        kinds = {type(value) for value in values}
        return kinds.pop() if len(kinds) == 1 else UNKNOWN
    return parameters_of(member)[0]


def family(member: object) -> str | None:
    """Which built-in family a member belongs to, or None; members of text enums are text."""
    base = base_of(member)
    if not isinstance(base, type):
        return None
    for kind in base.__mro__:
        if kind in FAMILIES:
            return FAMILIES[kind]
    return None


def finite_values(annotation: object) -> frozenset[tuple[type, object]] | None:
    """All values of a type that has only so many (literals, enums, bool, None), with their types, or None."""
    found: set[tuple[type, object]] = set()
    for member in members(annotation):
        values = literal_values(member)
        if values is not None:
            found.update((type(value), value) for value in values)
        elif member is None:
            found.add((type(None), None))
        elif member is bool:
            found.update({(bool, True), (bool, False)})
        elif isinstance(member, type) and issubclass(member, Enum):
            found.update((member, value) for value in member)
        else:
            return None
    return frozenset(found)


@lru_cache(maxsize=1024)
def _complete_fields(model: type) -> Mapping[str, ClassField]:
    return types.MappingProxyType({field.name: field for field in class_fields(model)})


def fields_of(member: object) -> Mapping[str, ClassField] | None:
    """The fields of an author's class by name, or None where they cannot be known."""
    if getattr(member, "__pydantic_complete__", False) is True and isinstance(member, type):
        return _complete_fields(member)
    try:
        return {field.name: field for field in class_fields(member)}
    except (UnresolvedTypeError, NameError, TypeError):
        return None


def item_of(member: object) -> object | None:
    """The type of what a loop over a member gives, or None where it cannot be looped over."""
    values = literal_values(member)
    if values is not None:
        return item_of(base_of(member))
    origin, arguments = parameters_of(member)
    if origin is UNKNOWN:
        return UNKNOWN
    if origin is str:
        return str
    if origin is bytes or origin is range:
        return int
    if origin is tuple:
        inner = [part for part in arguments if part is not Ellipsis]
        return join(inner) if inner else UNKNOWN
    if origin is type:
        enum = arguments[0] if arguments else None
        return enum if isinstance(enum, type) and issubclass(enum, Enum) else UNKNOWN
    if isinstance(origin, type) and hasattr(origin, "__iter__"):
        return (
            arguments[0]
            if arguments and class_kind(origin) is None
            else (str if class_kind(origin) == "typeddict" else UNKNOWN)
        )
    known = origin in FAMILIES or (isinstance(origin, type) and class_kind(origin) is not None)
    return None if known or origin is None else UNKNOWN


def describe(annotation: object) -> str:
    """A type in short form, as people write it: `Decimal | None`, `list[Line]`, `'open' | 'closed'`."""
    return " | ".join(_describe(member) for member in members(annotation))


def _describe(member: object) -> str:
    if member is None:
        return "None"
    if member is UNKNOWN:
        return "an unknown type"
    values = literal_values(member)
    if values is not None:
        return " | ".join(f"{type(v).__name__}.{v.name}" if isinstance(v, Enum) else repr(v) for v in values)
    origin, arguments = parameters_of(member)
    name = getattr(origin, "__name__", None) or str(origin)
    if not arguments:
        return str(name)
    inner = ["..." if part is Ellipsis else "Any" if part is UNKNOWN else describe(part) for part in arguments]
    return f"{name}[{', '.join(inner)}]"


def fits(given: object, wanted: object) -> bool:
    """Whether every value of one type can stand where another is expected; True where that is unknown.

    Values are copied on their way, so containers are covariant. As in the models that check them at run time, an int
    stands for a float or a Decimal and the value of an enum for its member; a dict is left to the model.
    """
    targets = members(wanted)
    return UNKNOWN in targets or all(
        source is UNKNOWN or any(_fits(source, target) for target in targets) for source in members(given)
    )


def _fits(source: object, target: object) -> bool:
    if source == target:
        return True
    if source is None or target is None:
        return False
    values, wanted = literal_values(source), literal_values(target)
    if wanted is not None:
        allowed: set[tuple[type, object]] = {(type(value), value) for value in wanted} | {
            (type(value.value), value.value) for value in wanted if isinstance(value, Enum)
        }
        return values is not None and all((type(value), value) in allowed for value in values)
    if values is not None:
        return all(_value_fits(value, target) for value in values)
    (source_class, given), (target_class, needed) = parameters_of(source), parameters_of(target)
    if not isinstance(source_class, type) or not isinstance(target_class, type):
        return True
    return _class_fits(source_class, target_class) and _arguments_fit(source_class, given, target_class, needed)


def _value_fits(value: object, target: object) -> bool:
    target_class = parameters_of(target)[0]
    if isinstance(target_class, type) and issubclass(target_class, Enum) and not isinstance(value, Enum):
        return any(value == member.value for member in target_class)
    return isinstance(target_class, type) and _class_fits(type(value), target_class)


def _class_fits(source: type, target: type) -> bool:
    if getattr(target, "_is_protocol", False):
        return True
    try:
        if issubclass(source, target):
            return True
    except TypeError:
        return True
    if target in (float, Decimal, complex):
        return issubclass(source, int)
    structured = class_kind(target) in {"model", "typeddict", "dataclass"}
    return (structured and issubclass(source, dict)) or (target is dict and class_kind(source) == "typeddict")


def _arguments_fit(source: type, given: tuple[object, ...], target: type, needed: tuple[object, ...]) -> bool:
    if not given or not needed or class_kind(target) is not None:
        return True
    if source is tuple and target is tuple and Ellipsis not in (*given, *needed):
        return len(given) == len(needed) and all(fits(one, other) for one, other in zip(given, needed, strict=True))
    if source is tuple:
        return fits(join(part for part in given if part is not Ellipsis), needed[0])
    pairs = zip(given, needed, strict=False)
    return all(one is Ellipsis or other is Ellipsis or fits(one, other) for one, other in pairs)


def iterator_of(item: object) -> object:
    """The type of a lazy sequence of items."""
    return generic(Iterator, item)


def generic(kind: Any, *arguments: object) -> object:
    """A parametrised built-in type, such as `list[int]`; None stands for NoneType."""
    return kind[tuple(types.NoneType if part is None else part for part in arguments)]


def is_set(member: object) -> bool:
    """Whether a member is a set, whose order is not fixed."""
    origin = typing.get_origin(member) or member
    return origin in (set, frozenset)
