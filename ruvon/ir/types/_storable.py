"""The link-time lint of types whose values cannot be stored, or would come back changed.

Most of what JSON loses is kept by the codec of `ruvon.ir.values`: Decimals, dates, tuples and sets under `object`,
integer keys, subclass instances, `SecretStr`, NaN, validators that are not idempotent, computed fields, aliases. What
is left is found here, by type; the pages stand in `_codes`:

| code   | finding                                                                                  |
|--------|------------------------------------------------------------------------------------------|
| RV0510 | a field with `exclude=True`: hidden from dumps, so tools that show the state would lose it |
| RV0511 | private attributes: they are no fields, so a step's change to them is not seen            |
| RV0512 | a class that Ruvon cannot take apart (a connection, a path, a URL object, a callable)     |
| RV0513 | a set of, or a dict keyed by, values that have no hash                                    |
| RV0514 | an exception as a value                                                                   |
| RV0515 | an iterator or generator: it can be read only once                                        |
| RV0516 | a subclass of a plain value or container (`class Money(Decimal)`, a named tuple)          |
| RV0517 | a type whose name cannot be resolved at run time                                          |
"""

import collections.abc
import datetime as dt
import decimal
import re
import typing
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast, final

import pydantic

from ruvon.ir.types._codes import EXCEPTION, HIDDEN, NO_HASH, ONCE_ONLY, OPAQUE, PRIVATE, SUBCLASS, UNRESOLVED
from ruvon.ir.types._fields import class_fields, class_kind
from ruvon.ir.types._shape import (
    UnresolvedTypeError,
    arguments_of,
    literal_values,
    substitution_of,
    union_members,
    unwrap,
)
from ruvon.ir.types._text import class_path, type_text

__all__ = ["Problem", "unstorable"]

_SCALARS: Final[tuple[type, ...]] = (
    bool,
    int,
    float,
    str,
    bytes,
    decimal.Decimal,
    dt.date,
    dt.time,
    dt.datetime,
    dt.timedelta,
    uuid.UUID,
)
_BUILTIN_CONTAINERS: Final[tuple[type, ...]] = (list, tuple, set, frozenset, dict)
_PLAIN: Final[frozenset[object]] = frozenset(_SCALARS)
_SETS: Final[frozenset[object]] = frozenset({set, frozenset, collections.abc.Set, collections.abc.MutableSet})
_MAPPINGS: Final[frozenset[object]] = frozenset({dict, collections.abc.Mapping, collections.abc.MutableMapping})
_SECRETS: Final = frozenset({"pydantic.types:SecretStr", "pydantic.types:SecretBytes"})
_SEQUENCES: Final[frozenset[object]] = frozenset(
    {collections.abc.Sequence, collections.abc.MutableSequence, collections.abc.Collection}
)
_CONTAINERS: Final[frozenset[object]] = frozenset(_BUILTIN_CONTAINERS) | _SETS | _MAPPINGS | _SEQUENCES
_ONCE_ONLY: Final[frozenset[object]] = frozenset(
    {
        collections.abc.Iterable,
        collections.abc.Iterator,
        collections.abc.Generator,
        collections.abc.AsyncIterable,
        collections.abc.AsyncIterator,
        collections.abc.AsyncGenerator,
    }
)
_INSTEAD: Final[Mapping[str, str]] = {
    "collections:OrderedDict": "declare it as dict, which keeps its order",
    "collections:defaultdict": "declare it as dict",
    "collections:deque": "declare it as list",
    "builtins:bytearray": "declare it as bytes",
    "builtins:range": "declare it as list[int], or keep its bounds in two fields",
    "builtins:complex": "keep its two parts in two float fields",
    "pathlib:Path": "declare it as str, and build the path where it is used",
    "pathlib:PurePath": "declare it as str, and build the path where it is used",
    "pydantic.networks:AnyUrl": "declare it as str; a field validator can check that it is a URL",
    "pydantic.networks:HttpUrl": "declare it as str; a field validator can check that it is a URL",
}


@final
@dataclass(frozen=True, slots=True)
class Problem:
    """One type that cannot be stored: where, which rule, why, and what to declare instead."""

    path: str
    """From the name the caller gave: `state.lines[].meta`."""
    code: str
    """One of `_codes`."""
    message: str
    """One sentence that names the author's own names."""
    help: str
    """What to write instead."""


def unstorable(annotation: object, path: str = "value") -> list[Problem]:
    """All findings about a type, in the order of declaration; classes are looked into once.

    Args:
        annotation: The declared type of state, a variable, a parameter or a result.
        path: What to call the value.
    """
    return list(_Walk().visit(annotation, path))


@final
class _Walk:
    def __init__(self) -> None:
        self._seen: set[object] = set()

    def visit(self, annotation: object, path: str) -> Iterator[Problem]:
        try:
            members = union_members(unwrap(annotation))
        except UnresolvedTypeError as exc:
            yield Problem(path, UNRESOLVED, exc.problem, exc.remedy)
            return
        for member in members:
            if member is not None and member is not object and literal_values(member) is None:
                yield from self._member(member, path)

    def _member(self, annotation: object, path: str) -> Iterator[Problem]:
        cls, _ = substitution_of(annotation)
        arguments = arguments_of(annotation)
        if cls in _SETS:
            yield from _need_hash(arguments[:1], f"{path}{{}}", f"`{_shown(annotation)}` is a set")
        if cls in _MAPPINGS:
            yield from _need_hash(arguments[:1], f"{path} (keys)", f"`{_shown(annotation)}` is a dict")
        if cls in _CONTAINERS:
            for argument in arguments:
                yield from self.visit(argument, f"{path}[]")
        elif cls not in _PLAIN:
            yield from self._class(annotation, cls, path)

    def _class(self, annotation: object, cls: object, path: str) -> Iterator[Problem]:
        match class_kind(cls):
            case "exception":
                yield Problem(
                    path,
                    EXCEPTION,
                    f"`{path}` is declared as the exception `{_shown(cls)}`, which is not a value",
                    "keep what you need of it in a model, or its text",
                )
            case "enum":
                return
            case None:
                yield from _opaque(cls, path)
            case "model" | "dataclass" | "typeddict":
                yield from self._fields(annotation, cast("type", cls), path)

    def _fields(self, annotation: object, cls: type, path: str) -> Iterator[Problem]:
        if annotation in self._seen:
            return
        self._seen.add(annotation)
        try:
            fields = class_fields(annotation)
        except UnresolvedTypeError as exc:
            yield Problem(path, UNRESOLVED, exc.problem, exc.remedy)
            return
        for field in fields:
            where = f"{path}.{field.name}"
            if field.excluded:
                yield _excluded(where, cls, field.name)
            yield from self.visit(field.annotation, where)
        if issubclass(cls, pydantic.BaseModel):
            yield from (_private(path, cls, name) for name in cls.__private_attributes__)


def _excluded(path: str, cls: type, name: str) -> Problem:
    return Problem(
        path,
        HIDDEN,
        f"`{cls.__qualname__}.{name}` is marked exclude=True, so it is missing wherever the state is shown or sent",
        'drop exclude=True; mark a secret with SecretStr or Field(json_schema_extra={"secret": True})',
    )


def _private(path: str, cls: type, name: str) -> Problem:
    return Problem(
        f"{path}.{name}",
        PRIVATE,
        f"`{cls.__qualname__}.{name}` is a private attribute; it is no field, so it has no declared type, is not "
        "validated, and a step's change to it is not merged",
        f"make it a field (`{name.lstrip('_')}`), or compute it where it is needed",
    )


def _need_hash(arguments: Iterable[object], path: str, what: str) -> Iterator[Problem]:
    for argument in arguments:
        for member in union_members(unwrap(argument)):
            if not _hashable(member):
                message = f"{what}, but `{_shown(member)}` has no hash and can be in none"
                yield Problem(path, NO_HASH, message, _hashable_instead(member))


def _hashable_instead(annotation: object) -> str:
    cls, _ = substitution_of(annotation)
    if class_kind(cls) in {"model", "dataclass"}:
        return f"use a list, or make `{_shown(cls)}` frozen"
    return "use a list, or a tuple in its place"


def _shown(annotation: object) -> str:
    """A type as its author writes it: without the modules of its classes."""
    return _MODULES.sub("", type_text(annotation))


def _hashable(annotation: object) -> bool:
    cls, _ = substitution_of(annotation)
    if cls is tuple:
        return all(all(map(_hashable, union_members(unwrap(item)))) for item in arguments_of(annotation))
    if class_kind(cls) == "typeddict":
        return False
    return getattr(cls, "__hash__", None) is not None


def _opaque(cls: object, path: str) -> Iterator[Problem]:
    text = _shown(cls)
    if cls in _ONCE_ONLY:
        message = f"`{path}` is declared as `{text}`, which can be read only once and is gone after a restart"
        yield Problem(path, ONCE_ONLY, message, "declare it as list")
        return
    if not isinstance(cls, type) or typing.is_typeddict(cls):
        yield Problem(path, OPAQUE, f"`{path}` is declared as `{text}`, which Ruvon cannot store", _OTHERWISE)
        return
    name = class_path(cls)
    if name in _SECRETS:
        return
    base = next((item for item in (*_SCALARS, *_BUILTIN_CONTAINERS) if issubclass(cls, item)), None)
    if base is not None and name not in _INSTEAD:
        what = "a named tuple" if base is tuple else f"a subclass of `{base.__name__}`"
        message = f"`{path}` is declared as `{text}`, {what}; Ruvon stores plain values by their exact type"
        yield Problem(path, SUBCLASS, message, f"make it a frozen dataclass, or declare `{base.__name__}`")
        return
    message = f"`{path}` is declared as `{text}`, which Ruvon cannot take apart and store"
    yield Problem(path, OPAQUE, message, _INSTEAD.get(name, _OTHERWISE))


_MODULES: Final = re.compile(r"[\w.]+:(?=[A-Za-z_])")
_OTHERWISE: Final = "declare a model, a dataclass, an enum or a plain value; get resources with context.get(...)"
