"""Storable values for property tests: author's classes of every kind, and strategies over them.

`storable()` draws any storable value; `typed()` draws a declared type together with a value of it. `exactly_equal` says
whether two values are equal with the same types everywhere, order of dicts included.
"""

import dataclasses
import datetime as dt
import enum
import math
import struct
import uuid
import zoneinfo
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Generic, Literal, NewType, Required, TypeVar

import pydantic
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, SecretBytes, SecretStr
from typing_extensions import TypedDict

from ruvon.ir.values import ClassTable, class_table

T = TypeVar("T")
Sku = NewType("Sku", str)


class Color(enum.Enum):
    RED = "red"
    GREEN = 2
    CRIMSON = "red"  # noqa: PIE796 - an alias is what is tested


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mode(enum.StrEnum):
    FAST = "fast"
    SAFE = "safe"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Item(BaseModel):
    sku: str = ""
    qty: int = 1
    price: Decimal = Decimal(1)


class Gift(Item):
    note: str | None = None
    code: SecretStr = SecretStr("")


class Node(BaseModel):
    name: str
    kids: list["Node"] = []
    any: object = None


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    known: int = 0


class Page(BaseModel, Generic[T]):
    items: list[T] = []
    first: T | None = None


class Sealed(BaseModel):
    model_config = ConfigDict(frozen=True)
    key: str
    weight: float = 0.0


class Hidden(BaseModel):
    shown: int = 0
    _memo: dict[str, int] = pydantic.PrivateAttr(default_factory=dict)


@dataclass
class Point:
    x: float
    y: float = 0.0
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Money:
    amount: Decimal
    currency: str = "EUR"


@dataclass
class Box(Generic[T]):
    content: T
    spare: list[T] = field(default_factory=list)


class Row(TypedDict, total=False):
    id: Required[int]
    item: Item
    color: Color


CLASSES: ClassTable = class_table(
    [Color, Level, Mode, Right, Item, Gift, Node, Open, Page[Item], Page[int], Sealed, Hidden, Point, Money, Box, Row]
)

ZONES = ("Europe/Rome", "UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
_zones = st.one_of(
    st.none(),
    st.just(dt.UTC),
    st.sampled_from(ZONES).map(zoneinfo.ZoneInfo),
    st.integers(-1439, 1439).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes))),
    st.builds(dt.timezone, st.just(dt.timedelta(hours=1)), st.sampled_from(["CET", "x]y[", ""])),
)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
integers = st.one_of(st.integers(-3, 3), st.integers(), st.integers(2**62, 2**70), st.integers(-(2**70), -(2**62)))
floats = st.floats() | st.sampled_from([0.0, -0.0, 1e16, 5e-324, math.inf, -math.inf, math.nan])
decimals = st.decimals() | st.sampled_from([Decimal("1.00"), Decimal("-0"), Decimal("1E+9"), Decimal("sNaN12")])
finite_decimals = st.decimals(allow_nan=False, allow_infinity=False)
datetimes = st.datetimes(timezones=_zones, allow_imaginary=True).flatmap(
    lambda value: st.sampled_from([value, value.replace(fold=1)])
)
times = st.times(timezones=_zones).flatmap(lambda value: st.sampled_from([value, value.replace(fold=1)]))
uuids = st.uuids() | st.just(uuid.UUID(int=0))

SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    None: st.none(),
    bool: st.booleans(),
    int: integers,
    float: floats,
    str: texts,
    bytes: st.binary(max_size=8),
    Decimal: decimals,
    dt.date: st.dates(),
    dt.time: times,
    dt.datetime: datetimes,
    dt.timedelta: st.timedeltas(),
    uuid.UUID: uuids,
    SecretStr: texts.map(SecretStr),
    SecretBytes: st.binary(max_size=8).map(SecretBytes),
    Color: st.sampled_from(Color),
    Level: st.sampled_from(Level),
    Mode: st.sampled_from(Mode),
    Right: st.sampled_from([Right(0), Right.READ, Right.READ | Right.WRITE]),
    Sku: texts,
    Literal["a", "b"]: st.sampled_from(["a", "b"]),
    Literal[1, "x", Color.RED]: st.sampled_from([1, "x", Color.RED]),
    Money: st.builds(Money, decimals, texts),
    Sealed: st.builds(Sealed, key=texts, weight=floats),
}
_KEYS = {str: texts, int: integers, Decimal: finite_decimals, Color: st.sampled_from(Color), dt.date: st.dates()}

items = st.builds(Item, sku=texts, qty=integers, price=finite_decimals)
gifts = st.builds(Gift, sku=texts, note=st.none() | texts, code=texts.map(SecretStr))
keys = st.one_of(texts, st.just("$x"), integers, st.booleans(), finite_decimals, st.tuples(texts, integers))


def storable(max_leaves: int = 12) -> st.SearchStrategy[Any]:
    """Any storable value."""
    leaves = st.one_of(*SCALARS.values(), items, gifts)
    return st.recursive(leaves, _containers, max_leaves=max_leaves)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    hashable = st.one_of(keys, st.tuples(keys), st.frozensets(keys, max_size=2))
    return st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(keys, inner, max_size=3),
        st.sets(hashable, max_size=3),
        st.frozensets(hashable, max_size=3),
        st.builds(Node, name=texts, any=inner),
        st.builds(lambda value, extra: Open(known=3, **{f"x{extra}": value}), inner, texts.filter(str.isidentifier)),
        st.builds(Box, inner, st.lists(inner, max_size=2)),
        st.builds(Point, floats, floats, st.lists(texts, max_size=2)),
        st.builds(lambda members: Page[Item](items=members), st.lists(items | gifts, max_size=2)),
    )


_TYPES = st.recursive(
    st.sampled_from([*SCALARS, Item, Node, Open, Page[Item], Point, Row, Hidden, object]),
    lambda inner: st.one_of(
        inner.map(lambda t: list[t]),  # type: ignore[valid-type]
        inner.map(lambda t: tuple[t, ...]),  # type: ignore[valid-type]
        st.tuples(inner, inner).map(lambda pair: tuple[pair]),  # type: ignore[valid-type]
        st.tuples(st.sampled_from(list(_KEYS)), inner).map(lambda pair: dict[pair]),  # type: ignore[misc,valid-type]
        st.sampled_from([set[str], frozenset[Decimal], set[Color], set[int], set[tuple[int, str]]]),
        inner.map(lambda t: t | None if t is not None else None),
        st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1] if pair != (None, None) else None),
        inner.map(lambda t: Box[t]),  # type: ignore[valid-type]
    ),
    max_leaves=5,
)


def typed() -> st.SearchStrategy[tuple[Any, Any]]:
    """A declared type and a value of it."""
    return _TYPES.flatmap(lambda declared: st.tuples(st.just(declared), values_of(declared)))


def values_of(declared: Any) -> st.SearchStrategy[Any]:
    """Values of a declared type."""
    if declared is type(None):
        return st.none()
    if declared in SCALARS:
        return SCALARS[declared]
    if declared in _CLASSES:
        return _CLASSES[declared]()
    arguments = declared.__args__
    origin = getattr(declared, "__origin__", None)
    if origin is list:
        return st.lists(values_of(arguments[0]), max_size=3)
    if origin is tuple and arguments[1:] == (...,):
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values_of, arguments))
    if origin in {set, frozenset}:
        members = st.frozensets(_hashable(arguments[0]), max_size=3)
        return members.map(origin)
    if origin is dict:
        return st.dictionaries(_KEYS[arguments[0]], values_of(arguments[1]), max_size=3)
    if origin is Box:
        inner = values_of(arguments[0])
        return st.builds(Box, inner, st.lists(inner, max_size=2))
    return st.one_of(*map(values_of, arguments))


def _hashable(declared: Any) -> st.SearchStrategy[Any]:
    return finite_decimals if declared is Decimal else values_of(declared)


_CLASSES: dict[Any, Callable[[], st.SearchStrategy[Any]]] = {
    object: lambda: storable(4),
    Item: lambda: items | gifts,
    Node: lambda: st.builds(Node, name=texts, kids=st.lists(st.builds(Node, name=texts), max_size=2)),
    Open: lambda: st.builds(lambda value: Open.model_validate({"more": value}), storable(3)),
    Page[Item]: lambda: st.builds(Page[Item], items=st.lists(items, max_size=2), first=st.none() | gifts),
    Point: lambda: st.builds(Point, floats),
    Row: lambda: st.fixed_dictionaries({"id": integers}, optional={"item": items, "color": st.sampled_from(Color)}),
    Hidden: lambda: st.builds(_hidden, integers),
}


def _hidden(value: int) -> Hidden:
    made = Hidden(shown=value)
    made._memo["n"] = value
    return made


def exactly_equal(left: Any, right: Any) -> bool:
    """Whether two values are equal with the same types everywhere; NaN equals NaN, and the order of dicts counts."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        return bool(struct.pack("d", left) == struct.pack("d", right)) or (math.isnan(left) and math.isnan(right))
    if isinstance(left, Decimal):
        return bool(left.as_tuple() == right.as_tuple())
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(exactly_equal, left, right))
    if isinstance(left, set | frozenset):
        return len(left) == len(right) and all(any(exactly_equal(a, b) for b in right) for a in left)
    if isinstance(left, dict):
        return exactly_equal(list(left.items()), list(right.items()))
    if isinstance(left, dt.datetime | dt.time):
        return _instant(left) == _instant(right)
    if isinstance(left, BaseModel):
        return exactly_equal(_parts(left), _parts(right))
    if dataclasses.is_dataclass(left):
        names = [item.name for item in dataclasses.fields(left)]
        return all(exactly_equal(getattr(left, name), getattr(right, name)) for name in names)
    return bool(left == right)


def _instant(value: Any) -> tuple[Any, ...]:
    zone = value.tzinfo
    return value.replace(tzinfo=None), value.fold, type(zone), str(zone), value.utcoffset()


def _parts(model: BaseModel) -> list[Any]:
    fields = {name: model.__dict__[name] for name in type(model).model_fields if name in model.__dict__}
    return [fields, model.__pydantic_fields_set__, model.__pydantic_extra__, model.__pydantic_private__]
