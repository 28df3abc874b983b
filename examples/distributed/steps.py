"""The work: what needs a partner outside goes to the queue, for any worker to do; the rest runs where the order is."""

from datetime import timedelta

from examples.distributed.ledger import LEDGER
from examples.distributed.models import (
    BankBusy,
    CardDeclined,
    Handover,
    NoCarrier,
    Order,
    Parcel,
    Payment,
    Plan,
    Survey,
)
from ruvon import Retry, StepContext, compensate, step

AGAIN = Retry(max_attempts=6, delay=timedelta(milliseconds=200), never=(CardDeclined,))
"""For requests to the bank: what it refuses for good is not asked again."""


@step(queue="bank")
async def rate_risk(state: Order) -> dict[str, object]:
    return {"risk": len(state.address)}


@step(queue="warehouse")
async def look_up_stock(state: Order) -> dict[str, object]:
    return {"stock": len(state.skus) * 10}


@step
async def reserve(state: Order, context: StepContext, sku: str) -> str:
    await LEDGER.tell(context, state.order_id, f"reserve {sku}")
    return f"hold-{sku}"


@compensate(reserve)
async def release(state: Order, context: StepContext, hold: str, sku: str) -> None:
    del hold
    await LEDGER.tell(context, state.order_id, f"release {sku}")


@step(queue="bank", retry=AGAIN, timeout=timedelta(seconds=30))
async def charge(state: Order, context: StepContext) -> Payment:
    """The key makes this the same request in every attempt, in whatever process."""
    if state.bank == "declines":
        raise CardDeclined(state.order_id)
    if state.bank == "busy" and context.attempt == 1:
        raise BankBusy(state.order_id)
    await LEDGER.tell(context, state.order_id, "charge", state.cents)
    return Payment(reference=f"pay-{state.order_id}", cents=state.cents)


@compensate(charge, attempted=True)
async def refund(state: Order, context: StepContext, payment: Payment | None) -> None:
    """Also for a request whose outcome nobody knows; then the bank is asked to undo whatever it has done."""
    if payment is not None:
        await LEDGER.tell(context, state.order_id, "refund", -payment.cents)


@step(queue="warehouse")
async def pack(state: Parcel, context: StepContext) -> None:
    await LEDGER.tell(context, state.order_id, "pack")
    state.weight = 100 + len(state.order_id)


@compensate(pack)
async def unpack(state: Parcel, context: StepContext) -> None:
    await LEDGER.tell(context, state.order_id, "unpack")


@step(queue="warehouse")
async def hand_over(state: Parcel, context: StepContext) -> Handover:
    if "nowhere" in state.address:
        raise NoCarrier(state.address)
    await LEDGER.tell(context, state.order_id, "hand over")
    return Handover(tracking=f"track-{state.order_id}", weight=state.weight)


@step
async def confirm(state: Order, context: StepContext) -> dict[str, object]:
    await LEDGER.tell(context, state.order_id, "confirm")
    return {"status": "done"}


@step(queue="bank")
async def book_instalment(state: Plan, context: StepContext, month: int, cents: int) -> None:
    await LEDGER.tell(context, state.order_id, f"book {month}", cents)
    state.paid += cents


@step
async def remind(state: Plan, context: StepContext, month: int) -> None:
    await LEDGER.tell(context, state.order_id, f"remind {month}")
    state.status = "late"


@step(queue="warehouse")
async def count(context: StepContext, survey_id: str, warehouse: int) -> int:
    await LEDGER.tell(context, survey_id, f"count {warehouse}")
    return warehouse * 10


@step
async def add_up(state: Survey, counts: list[int], parcels: list[int]) -> dict[str, object]:
    del state
    return {"counted": sum(counts), "parcels": sum(parcels)}
