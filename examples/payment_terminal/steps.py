"""The terminal's devices and its line to the bank. `LINE` stands for the network; a demonstration switches it off."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from examples.payment_terminal.models import Authorisation, Limits, LineDown, PaperOut, Sale, Ticket
from ruvon import Retry, StepContext, compensate, step


@dataclass
class Line:
    """The world outside the terminal."""

    up: bool = True
    paper: bool = True
    forwarded: list[str] = field(default_factory=list)


LINE = Line()


@step
def limits(terminal_id: str) -> Limits:
    """The floor limit that the bank last sent to this terminal."""
    del terminal_id
    return Limits(floor=Decimal(50), daily_left=Decimal(500))


@step(timeout=timedelta(seconds=4))
async def authorise(card_token: str, amount: Decimal, currency: str) -> Authorisation:
    """Ask the bank; fails at once when the line is down."""
    del card_token, currency
    if not LINE.up:
        raise LineDown("no route to the bank")
    return Authorisation(
        approved=amount < 1000, code=f"A{int(amount * 100):06d}", reason="" if amount < 1000 else "limit"
    )


@step
async def approve_offline(state: Sale, context: StepContext) -> str:
    """Sign with the terminal's key; the key of this activation makes a repeated signature the same one."""
    del state
    return f"OFF-{context.idempotency_key[:6]}"


@compensate(approve_offline)
async def void_offline(state: Sale, context: StepContext, code: str) -> None:
    """Take an offline approval back."""
    del context
    print(f"      voided {code} of {state.sale_id}")


@step
async def queue_for_sync(state: Sale) -> None:
    """Keep the sale for the bank until the line is back; a sale that is there already is not put in again."""
    if state.sale_id not in LINE.forwarded:
        LINE.forwarded.append(state.sale_id)


@step
async def report_unsettled(state: Sale) -> None:
    """Put the sale on the list that the shop settles by hand."""
    print(f"      {state.sale_id} is to be settled by hand")


@step(retry=Retry(max_attempts=2, delay=timedelta(milliseconds=50)))
async def print_receipt(state: Sale) -> Ticket:
    """Print; no paper must not void the sale."""
    if not LINE.paper:
        raise PaperOut(state.terminal_id)
    return Ticket(number=len(state.sale_id))
