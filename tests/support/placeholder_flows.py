"""A workflow whose steps are not written yet, and bodies that never end."""

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, Field

from ruvon import StepContext, compensate, gather, step, workflow


class Item(BaseModel):
    sku: str = Field(min_length=6)
    price: Decimal = Field(gt=Decimal(2))


class Quote(BaseModel):
    number: int = Field(ge=10)
    kind: Literal["fixed", "open"]
    items: list[Item]
    day: date | None
    note: str = "none"


class Cart(BaseModel):
    quoted: int = 0
    ok: bool = False


@step
async def quote(state: Cart) -> Quote:
    """Nobody has written this yet."""


@step
def check(quote: Quote) -> dict[str, bool]: ...


@step
async def pay(state: Cart, context: StepContext) -> str:
    key = context.idempotency_key
    raise NotImplementedError(key)


@compensate(pay)
async def give_back(state: Cart, context: StepContext, result: str) -> None:
    raise NotImplementedError


@step
async def written(state: Cart) -> None:
    state.ok = True


@workflow("Unwritten", saga=True)
async def unwritten(state: Cart) -> str:
    offer = await quote(state)
    state.quoted = offer.number
    await gather(check(offer), written(state))
    return await pay(state)


@step
def busy(state: Cart) -> None:
    """Never ends, and never awaits."""
    while not state.ok:
        state.quoted += 0


@step
async def busy_later(state: Cart) -> None:
    """The same in an `async` body."""
    while not state.ok:
        state.quoted += 0


@workflow("Busy")
async def busy_flow(state: Cart) -> None:
    await busy(state)


@workflow("BusyLater")
async def busy_later_flow(state: Cart) -> None:
    await busy_later(state)


@step(transaction=True)
async def book(state: Cart, context: StepContext) -> None:
    await context.transaction.execute("CREATE TABLE IF NOT EXISTS booked (id TEXT)")


@workflow("Booked")
async def booked(state: Cart) -> None:
    await book(state)
