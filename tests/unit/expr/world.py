"""The data that random expressions are evaluated over: models, dates, decimals, text, collections."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import NamedTuple
from uuid import UUID

from pydantic import BaseModel, computed_field

from ruvon.ir.expr import Environment

SHOP = "tests.unit.expr.world"


class Status(Enum):
    """An enum whose values are texts."""

    OPEN = "open"
    CLOSED = "closed"


class Line(BaseModel):
    """A model inside a model."""

    name: str
    qty: int
    price: Decimal

    @computed_field
    def total(self) -> Decimal:
        """A computed field, which counts as data."""
        return self.price * self.qty

    @property
    def secret_code(self) -> str:
        """A property, which is code."""
        return "code"


@dataclass(frozen=True)
class Address:
    """A dataclass inside a model."""

    city: str
    number: int


class Point(NamedTuple):
    """A named tuple inside a model."""

    x: int
    y: int


class State(BaseModel):
    """A state with a field of every everyday type."""

    amount: Decimal = Decimal("19.90")
    count: int = 3
    zero: int = 0
    price: float = 2.5
    vip: bool = False
    note: str = "Grüße an alle"
    empty: str = ""
    owner: str | None = None
    status: Status = Status.OPEN
    tags: list[str] = ["b", "a", "c"]
    numbers: list[int] = [5, -2, 9, 0]
    rates: dict[str, int] = {"a": 1, "b": 2}
    pairs: list[tuple[int, str]] = [(1, "x"), (2, "y")]
    due: date = date(2026, 2, 28)
    at: datetime = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    wait: timedelta = timedelta(days=1, hours=2)
    clock: time = time(8, 30)
    key: UUID = UUID(int=7)
    data: bytes = b"ab\x00'\""
    point: Point = Point(3, 4)
    address: Address = Address("Köln", 5)
    lines: list[Line] = [
        Line(name="cup", qty=2, price=Decimal("3.50")),
        Line(name="pot", qty=1, price=Decimal(12)),
    ]


def double(value: int) -> int:
    """A pure function of the author."""
    return value * 2


STATE = State()
REFS = {name: f"{SHOP}:{name}" for name in ("Status", "Line", "Address", "double")}
PYTHON_NAMES: dict[str, object] = {
    "state": STATE,
    "n": 4,
    "word": "wörd",
    "Status": Status,
    "Line": Line,
    "Address": Address,
    "double": double,
    "Decimal": Decimal,
    "timedelta": timedelta,
    "date": date,
    "datetime": datetime,
    "time": time,
    "timezone": timezone,
    "UUID": UUID,
}
_BY_PATH = {f"{SHOP}:{item.__name__}": item for item in (Status, Line, Address, double)}


def environment() -> Environment:
    """The same data for a compiled expression."""
    return Environment({"state": STATE, "n": 4, "word": "wörd"}, resolve=_BY_PATH.__getitem__)
