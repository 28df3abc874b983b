"""The author's code that the linker's tests name: a small shop."""

from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal, TypedDict

from pydantic import BaseModel, ConfigDict

from ruvon import Retry, StepContext, block, compensate, external_workflow, pure, step, workflow


class Color(Enum):
    """A finite type."""

    RED = "red"
    BLUE = "blue"


class Item(BaseModel):
    """One line of an order."""

    sku: str
    qty: int
    price: Decimal


class Order(BaseModel):
    """The state."""

    order_id: str
    items: list[Item] = []
    notes: list[str] = []
    owner: str | None = None
    amount: Decimal = Decimal(0)
    paid: bool = False
    color: Color = Color.RED
    status: Literal["new", "done"] = "new"


class Receipt(BaseModel):
    """The result."""

    order_id: str
    total: Decimal


class Ack(BaseModel):
    """A signal."""

    who: str


class Stop(BaseModel):
    """Another signal."""

    why: str


class Verdict(BaseModel):
    """A form."""

    approved: bool


class Rejected(Exception):
    """An error of the body."""


class Late(Rejected):
    """A narrower error."""


class Paid(TypedDict):
    """Keys that merge."""

    paid: bool


class Odd(TypedDict):
    """A key that is no field."""

    payed: bool


class Limits(BaseModel):
    """A frozen model is a constant."""

    model_config = ConfigDict(frozen=True)
    floor: Decimal
    names: tuple[str, ...] = ()


class Loose(BaseModel):
    """A model that can change is none."""

    floor: Decimal


LIMIT = 10
PAUSES = (timedelta(days=1), timedelta(days=3))
floor: Final = Decimal("0.5")
LIMITS = Limits(floor=Decimal(1), names=("a",))
LOOSE = Loose(floor=Decimal(1))
lower_limit = 5
SEEN: list[str] = []
POLICY = Retry(max_attempts=2)


@pure
def double(value: Decimal) -> Decimal:
    """A pure function."""
    return value * 2


def plain(value: Decimal) -> Decimal:
    """An ordinary function."""
    return value


@step(retry=Retry(max_attempts=3, delay=timedelta(seconds=2), never=(Rejected,)), timeout=timedelta(seconds=20))
async def charge(state: Order, context: StepContext, amount: Decimal) -> Receipt:
    """A state step with options."""
    return Receipt(order_id=state.order_id, total=amount)


@compensate(charge)
async def refund(state: Order, context: StepContext, receipt: Receipt, amount: Decimal) -> None:
    """Undoes the charge."""


@step
async def pay(state: Order) -> Paid:
    """A state step whose keys merge."""
    return {"paid": True}


@step
async def pay_badly(state: Order) -> Odd:
    """A state step with a key that is no field."""
    return {"payed": True}


@step
async def pay_plainly(state: Order) -> dict[str, object]:
    """Returns a display with a key that is no field."""

    def inner() -> dict[str, object]:
        return {"inner": 1}

    if state.paid:
        return {"paid": False, "payd": True}
    return inner()


@step
def quote(items: list[Item]) -> Decimal:
    """A value step."""
    return sum((item.price for item in items), Decimal(0))


@step
async def owner_of(order_id: str) -> str | None:
    """May give None."""
    return None


@step
async def mark(order: Order) -> None:
    """Changes its copy in vain."""
    order.notes.append("seen")


@step
async def look(order: Order) -> str:
    """Reads the whole state as data."""
    return order.order_id


@step
async def other_state(state: Receipt) -> None:
    """Takes another state."""


@step
async def ship(sku: str, *, fast: bool = False, **extra: Any) -> bool:
    """Takes keywords."""
    return fast


async def by_path(state: dict[str, object], limit: int) -> dict[str, object]:
    """An ordinary function that YAML names."""
    return {"limit": limit}


async def undo_by_path(result: object, stranger: str) -> None:
    """A compensation that wants what nobody gives."""


@block
async def both(sku: str) -> bool:
    """A block."""
    return await ship(sku)


@workflow("Child", version="2.0.0")
async def child(state: Ack) -> Receipt:
    """A child workflow."""
    return Receipt(order_id=state.who, total=Decimal(0))


kyc = external_workflow("KYC", takes=Ack, gives=Verdict)
