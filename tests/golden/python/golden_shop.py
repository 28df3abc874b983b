"""Models and steps that the programs of this folder share."""

from datetime import datetime, timedelta
from enum import Enum
from typing import Final, Literal

from pydantic import BaseModel

from ruvon import Retry, StepContext, block, compensate, external_workflow, pure, step, workflow

LIMIT: Final = 3
WAITS = (timedelta(days=1), timedelta(days=2))
POLITE = Retry(max_attempts=5, delay=timedelta(seconds=2))


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Line(BaseModel):
    sku: str
    qty: int = 1


class Order(BaseModel):
    number: int = 0
    name: str = ""
    color: Color = Color.RED
    vip: bool = False
    lines: list[Line] = []
    notes: list[str] = []
    tags: dict[str, str] = {}
    total: int = 0
    due: datetime | None = None
    owner: str | None = None


class Paid(BaseModel):
    amount: int
    kind: Literal["card", "cash"] = "card"


class Cancelled(BaseModel):
    reason: str


class Approval(BaseModel):
    ok: bool
    reason: str = ""


class Refused(Exception):
    pass


class Broken(Exception):
    pass


@step
async def charge(state: Order, context: StepContext) -> dict[str, object]:
    return {"total": state.number}


@compensate(charge)
async def refund(state: Order, context: StepContext) -> None:
    state.total = 0


@step
async def rewrite(state: Order) -> Order:
    return state


@step(retry=Retry(max_attempts=2), timeout=timedelta(seconds=9))
async def price(number: int, factor: int = 1) -> int:
    return number * factor


@step(queue="slow")
def pack(line: Line) -> str:
    return line.sku


@step
async def check(number: int) -> bool:
    return number > 0


@step
async def pair(number: int) -> tuple[int, str]:
    return number, str(number)


@step
async def tell(text: str) -> None:
    print(text)


@step
async def ask_person(state: Order) -> None:
    print(state.number)


@pure
def double(number: int) -> int:
    return 2 * number


@block
async def settle(number: int, note: str) -> int:
    if number > LIMIT:
        await tell(note)
        return 0
    found = await price(number)
    return found + 1


@block
async def remind(state: Order) -> None:
    await charge(state)
    state.notes.append("reminded")


@workflow("Shipment", version="2.1.0")
async def shipment(state: Line) -> str:
    return await pack(state)


kyc = external_workflow("KYC", takes=Line, gives=Approval)
