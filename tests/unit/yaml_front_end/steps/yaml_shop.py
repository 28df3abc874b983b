"""Steps, models and errors that the YAML files of the tests name; bodies do nothing."""

from datetime import timedelta
from decimal import Decimal
from enum import Enum

from pydantic import BaseModel

from ruvon import Retry, StepContext, compensate, external_workflow, step
from ruvon.models import WorkflowStep


class Color(Enum):
    """A colour."""

    RED = "red"
    BLUE = "blue"


class Stamp(WorkflowStep):
    """A custom step type."""

    type: str = "STAMP"
    ink: str = "black"


class Item(BaseModel):
    """A line of an order."""

    sku: str
    qty: int = 1


class Order(BaseModel):
    """The state."""

    order_id: str = ""
    amount: Decimal = Decimal(0)
    items: list[Item] = []
    vip: bool = False
    risk: str = "low"
    color: Color = Color.RED
    wait: timedelta = timedelta(0)


class Receipt(BaseModel):
    """The result."""

    order_id: str
    total: Decimal
    due: timedelta | None = None
    items: list[Item] = []
    color: Color = Color.RED


class Verdict(BaseModel):
    """A person's answer."""

    approved: bool
    reason: str = ""


class Paid(BaseModel):
    """A message."""

    reference: str


class Rejected(Exception):
    """The order is refused."""


@step
async def check(state: Order) -> None:
    """A state step."""


@step
async def pack(state: Order) -> None:
    """A state step."""


@step
async def ship(state: Order) -> None:
    """A state step."""


@step
async def bill(state: Order) -> None:
    """A state step."""


@step(retry=Retry(max_attempts=3), timeout=timedelta(seconds=20), queue="cards")
async def charge(state: Order, context: StepContext, amount: Decimal) -> Receipt:
    """A state step with options and a compensation."""
    raise Rejected


@compensate(charge, attempted=True)
async def refund(state: Order, context: StepContext, receipt: Receipt | None, amount: Decimal) -> None:
    """Undoes `charge`."""


@step
async def quote(items: list[Item], limit: Decimal = Decimal(100)) -> Decimal:
    """A value step."""
    return Decimal(len(items)) * limit


@step
async def reserve(item: Item) -> str:
    """A value step for one item."""
    return item.sku


def plain(state: Order, context: StepContext, **inputs: object) -> dict[str, object]:
    """An undecorated function that takes any input."""
    return dict(inputs)


def ask(state: Order, context: StepContext) -> None:
    """An undecorated function that cannot receive input."""


def approve(state: Order, context: StepContext, approved: bool) -> dict[str, object]:
    """An undecorated function with a parameter that the input gives."""
    return {"vip": approved}


def undo(state: Order, context: StepContext) -> None:
    """An undecorated compensation."""


def merge_all(results: list[dict[str, object]]) -> dict[str, object]:
    """A merge function."""
    return {key: value for result in results for key, value in result.items()}


kyc = external_workflow("KYC", takes=Item, gives=Verdict)
