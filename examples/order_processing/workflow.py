"""The order workflow as typed Python. `order_processing.yaml` beside it compiles to the same digest."""

from datetime import timedelta

from examples.order_processing.models import Order, Receipt, Rejected, Transfer, Verdict
from examples.order_processing.steps import (
    APPROVAL_LIMIT,
    accept_transfer,
    book,
    charge,
    check_fraud,
    quote,
    remind,
    reserve,
    ship,
    validate_address,
)
from ruvon import TimedOut, gather, human, receive, workflow


@workflow("OrderProcessing", version="1.3.0", saga=True)
async def order_processing(state: Order) -> Receipt:
    """Every `await` is a durable point: a crash at any line loses nothing and repeats nothing that was committed."""
    offer = await quote(state.items)
    if offer.total > APPROVAL_LIMIT and not state.vip:
        verdict = await human(
            "finance.approve",
            form=Verdict,
            show={"order": state.order_id, "total": offer.total},
            role="finance",
            timeout=timedelta(days=2),
        )
        if not verdict.approved:
            raise Rejected(verdict.reason)

    await gather(check_fraud(state), validate_address(state))
    for item in state.items:
        await reserve(item)
    if state.by_transfer:
        try:
            transfer = await receive(Transfer, key=state.order_id, timeout=timedelta(days=7))
        except TimedOut:
            await remind(state)
            transfer = await receive(Transfer, key=state.order_id, timeout=timedelta(days=7))
        payment = await accept_transfer(transfer.reference, offer.total)
    else:
        payment = await charge(state, amount=offer.total)
    await book(state, payment)
    await ship(state)
    state.status = "done"
    return Receipt(order_id=state.order_id, total=offer.total, payment_id=payment.payment_id)
