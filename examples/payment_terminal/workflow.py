"""The payment as typed Python. `payment_terminal.yaml` beside it compiles to the same digest."""

from datetime import timedelta

from examples.payment_terminal.models import LineDown, PaperOut, Sale, Settlement, Ticket
from examples.payment_terminal.steps import (
    approve_offline,
    authorise,
    limits,
    print_receipt,
    queue_for_sync,
    report_unsettled,
)
from ruvon import TimedOut, receive, workflow


@workflow("PosPayment", version="1.5.0", saga=True)
async def pos_payment(state: Sale) -> Ticket:
    """Online when the line is up; below the floor limit the terminal decides alone; everything else waits for the bank."""
    limit = await limits(state.terminal_id)
    try:
        answer = await authorise(state.card_token, state.amount, state.currency)
    except (LineDown, TimedOut):
        if state.amount <= limit.floor and state.amount <= limit.daily_left:
            state.auth_code = await approve_offline(state)
            state.status = "approved_offline"
        else:
            state.status = "queued"
        await queue_for_sync(state)
    else:
        state.auth_code = answer.code
        state.status = "approved" if answer.approved else "declined"

    try:
        ticket = await print_receipt(state)
    except PaperOut:
        ticket = Ticket(number=0)

    if state.status in {"approved_offline", "queued"}:
        try:
            settlement = await receive(Settlement, key=state.sale_id, timeout=timedelta(hours=24))
        except TimedOut:
            await report_unsettled(state)
            state.status = "unsettled"
        else:
            state.auth_code = settlement.code
            state.status = "approved" if settlement.approved else "declined"
    return ticket
