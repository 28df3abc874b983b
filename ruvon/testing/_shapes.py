"""Values in a form that two runs can be compared by: exact types and order, and nothing that time or chance decides.

A process that dies draws other moments than one that lives, and other ids where the drawing was lost with it. So moments
and UUIDs are compared by their type only. Everything else is compared exactly.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, time
from enum import Enum
from typing import Any, Final, cast, final
from uuid import UUID

from pydantic import BaseModel

__all__ = ["differences", "shape"]

_DEEP: Final = 40
_MANY: Final = 5


def shape(value: object, depth: int = 0, *, exact: bool = False) -> object:
    """A value as nested tuples, lists and texts.

    Args:
        value: any value.
        depth: how deep inside another one it lies.
        exact: moments and UUIDs as they are.
    """
    kind = getattr(type(value), "__ruvon_view_of__", type(value)).__qualname__
    if depth > _DEEP:
        return (kind, "...")

    def inner(value: object) -> object:
        return shape(value, depth + 1, exact=exact)

    match value:
        case None | bool() | int() | float() | str() | bytes():
            return value if type(value) in _PLAIN else (kind, value)
        case datetime() | date() | time() | UUID():
            return (kind, str(value) if exact else "any")
        case Enum():
            return (kind, value.name)
        case BaseModel():
            extra: Mapping[str, object] = value.__pydantic_extra__ or {}
            return (kind, {name: inner(item) for name, item in {**value.__dict__, **extra}.items()})
        case Mapping():
            items = cast("Mapping[object, object]", value).items()
            return (kind, {_key(key): inner(item) for key, item in items})
        case list() | tuple():
            return (kind, [inner(item) for item in cast("list[object]", value)])
        case set() | frozenset():
            return (kind, sorted((inner(item) for item in cast("set[object]", value)), key=repr))
        case BaseException():
            return (kind, str(value))
        case _ if is_dataclass(value):
            return (kind, {item.name: inner(getattr(value, item.name)) for item in fields(value)})
        case _:
            inside = getattr(value, "__dict__", None)
            return (kind, {name: inner(item) for name, item in inside.items()} if inside else kind)


_PLAIN: Final = (type(None), bool, int, float, str, bytes)


def _key(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def differences(
    name: str, expected: object, found: object, *, usual: str = "without the fault", ordered: bool = True
) -> list[str]:
    """Where two shapes differ, as sentences; at most a few.

    Args:
        name: what is compared.
        expected: how it should be.
        found: how it is.
        usual: when it was as it should be.
        ordered: the order of items and keys counts; it cannot where concurrent branches left them.
    """
    told = list(_Walk(usual, ordered).over(name, expected, found))
    return told if len(told) <= _MANY else [*told[:_MANY], f"... and {len(told) - _MANY} more"]


@final
@dataclass(frozen=True, slots=True)
class _Walk:
    """Goes through two shapes side by side."""

    usual: str
    ordered: bool

    def over(self, name: str, expected: Any, found: Any) -> Iterator[str]:
        if repr(expected) == repr(found):  # `==` knows no order of keys, and takes 1 for True
            return
        if _inside(expected) and _inside(found) and expected[0] == found[0]:
            one, two = expected[1], found[1]
            if isinstance(one, dict) and isinstance(two, dict):
                yield from self._mappings(name, cast("dict[str, Any]", one), cast("dict[str, Any]", two))
                return
            if isinstance(one, list) and isinstance(two, list):
                yield from self._lists(name, cast("list[object]", one), cast("list[object]", two))
                return
        yield f"{name} is {_words(found)}, {self.usual} it is {_words(expected)}"

    def _mappings(self, name: str, one: dict[str, Any], two: dict[str, Any]) -> Iterator[str]:
        for key in [*one, *(key for key in two if key not in one)]:
            place = f"{name}.{key}" if key.isidentifier() else f"{name}[{key!r}]"
            if key not in two:
                yield f"{place} is missing; {self.usual} it is {_words(one[key])}"
            elif key not in one:
                yield f"{place} is {_words(two[key])}; {self.usual} it is not there"
            else:
                yield from self.over(place, one[key], two[key])
        if self.ordered and list(one) != list(two) and set(one) == set(two):
            yield f"the keys of {name} stand in the order {', '.join(two)}; {self.usual} in {', '.join(one)}"

    def _lists(self, name: str, one: list[Any], two: list[Any]) -> Iterator[str]:
        if not self.ordered and not _beyond(one, two) and not _beyond(two, one):
            return
        if len(one) == len(two):
            for number, (left, right) in enumerate(zip(one, two, strict=True)):
                yield from self.over(f"{name}[{number}]", left, right)
            return
        told = [f"{len(two)} items, {self.usual} {len(one)}"]
        told += [f"{_words(item)} is there once too often" for item in _beyond(two, one)[:_MANY]]
        told += [f"{_words(item)} is missing" for item in _beyond(one, two)[:_MANY]]
        yield f"{name} has " + "; ".join(told)


def _inside(value: object) -> bool:
    return isinstance(value, tuple) and len(cast("tuple[object, ...]", value)) == 2


def _beyond(many: list[Any], few: list[Any]) -> list[Any]:
    """What the first list has more often than the second."""
    left = list(few)
    found: list[Any] = []
    for item in many:
        if item in left:
            left.remove(item)
        else:
            found.append(item)
    return found


def _words(value: object) -> str:
    text = _plain(value)
    return text if len(text) <= 120 else text[:117] + "..."


def _plain(value: Any) -> str:
    if not _inside(value):
        return repr(value)
    kind, content = value
    if isinstance(content, dict):
        inner = ", ".join(f"{name}={_plain(item)}" for name, item in cast("dict[str, Any]", content).items())
        return f"{kind}({inner})"
    if isinstance(content, list):
        return f"[{', '.join(_plain(item) for item in cast('list[object]', content))}]"
    return f"{kind} {content}"
