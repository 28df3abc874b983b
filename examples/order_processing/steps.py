"""The work itself: plain typed functions, each durable, three of them with a compensation.

The warehouse and the bank are stand-ins kept in memory; everything else is what a real shop would write.
"""

from datetime import timedelta
from decimal import Decimal

from examples.order_processing.models import (
    CardDeclined,
    Hold,
    Item,
    NoCarrier,
    Order,
    OutOfStock,
    Paid,
    Payment,
    Quote,
)
from ruvon import Retry, StepContext, compensate, step

APPROVAL_LIMIT = 10_000
"""Orders above this total need a person, unless the customer is a VIP."""


@step
def quote(items: list[Item]) -> Quote:
    """A value step: its result is bound to a name, the state is not touched."""
    return Quote(total=sum((item.price * item.quantity for item in items), Decimal(0)), currency="EUR")


@step
async def check_fraud(state: Order) -> None:
    """A state step: it works on its own copy, and what it assigns merges when it returns."""
    state.fraud_score = 0.9 if "mallory" in state.customer.lower() else 0.1


@step
async def validate_address(state: Order) -> dict[str, object]:
    """A state step may also return the fields that change."""
    return {"status": "checked"} if state.customer else {"status": "incomplete"}


@step
async def reserve(item: Item) -> Hold:
    """Put an item aside; undone by `release`."""
    if item.sku.startswith("sold-out"):
        raise OutOfStock(item.sku)
    return Hold(hold_id=f"hold-{item.sku}")


@compensate(reserve)
async def release(hold: Hold, item: Item) -> None:
    """A compensation of a value step gets the recorded result and the recorded arguments."""
    del item
    print(f"      released {hold.hold_id}")


@step(retry=Retry(max_attempts=3, delay=timedelta(seconds=1), never=(CardDeclined,)), timeout=timedelta(seconds=20))
async def charge(state: Order, context: StepContext, amount: Decimal) -> Payment:
    """Take the money. The idempotency key is the same for every attempt of this activation, crashes included."""
    if state.customer.startswith("broke"):
        raise CardDeclined(state.customer)
    return Payment(payment_id=f"pay-{context.idempotency_key[:8]}", amount=amount)


@compensate(charge, attempted=True)
async def refund(state: Order, context: StepContext, payment: Payment | None, amount: Decimal) -> None:
    """Also runs when the outcome is unknown (a lost answer, a crash in between): then there is no payment yet."""
    del state, context
    print(f"      refunded {amount} ({payment.payment_id if payment else 'outcome unknown'})")


@step
async def book(state: Order, payment: Payment) -> Paid:
    """A TypedDict names the fields that change, so that the compiler can check them."""
    del state
    return {"payment_id": payment.payment_id, "status": "paid"}


@step
async def remind(state: Order) -> None:
    """Ask the customer once more for the transfer; a reminder that a crash sends twice does no harm."""
    state.reminders += 1
    print(f"      reminded {state.customer}")


@step
async def accept_transfer(reference: str, amount: Decimal) -> Payment:
    """Put a transfer that has arrived down to the order; undone by `send_back`."""
    return Payment(payment_id=reference, amount=amount)


@compensate(accept_transfer)
async def send_back(payment: Payment) -> None:
    """The customer gets the money of a transfer back."""
    print(f"      sent {payment.amount} back ({payment.payment_id})")


@step(retry=Retry(max_attempts=3, delay=timedelta(milliseconds=100), on=(ConnectionError,)))
async def ship(state: Order, context: StepContext) -> None:
    """Hand the parcel over; one address needs a second try, and to another nobody delivers."""
    if "nowhere" in state.customer:
        raise NoCarrier(state.customer)
    if "far away" in state.customer and context.attempt == 1:
        raise ConnectionError("the carrier's office is busy")
