"""The payment terminal, end to end: `python -m examples.payment_terminal`."""

import asyncio
from pathlib import Path
from uuid import UUID, uuid4

from examples.narrator import compare, heading, open_builder, tell, tell_where
from examples.payment_terminal.models import Sale, Settlement
from examples.payment_terminal.steps import LINE
from ruvon.builder import WorkflowBuilder
from ruvon.workflow import Workflow

HERE = Path(__file__).parent
DATABASE = Path("var/payment_terminal.db")


async def pay(builder: WorkflowBuilder, shift: UUID, sale_id: str, amount: int) -> Workflow:
    """One payment at the terminal; a sale that is sent twice in a shift is the same payment."""
    sale = Sale.model_validate({"sale_id": sale_id, "terminal_id": "T1", "card_token": "tok_1", "amount": amount})
    payment = await builder.create_workflow("PosPayment", sale, idempotency_key=f"{shift}/{sale_id}", if_exists="load")
    if not payment.status.is_terminal:
        await payment.run()
    tell_sale(payment)
    return payment


def tell_sale(payment: Workflow) -> None:
    """Where a payment and its sale stand."""
    tell(payment)
    print(f"   the sale {payment.state.sale_id} is {payment.state.status}, authorisation {payment.state.auth_code}")


async def main(database: Path = DATABASE) -> None:
    """Compile both forms, then take five payments."""
    compare(HERE / "workflow.py", HERE / "payment_terminal.yaml")
    LINE.up, LINE.paper = True, True
    LINE.forwarded.clear()
    builder = await open_builder(HERE, database)
    shift = uuid4()

    heading("2. The line is up: the bank approves")
    await pay(builder, shift, "S-1", 30)

    heading("3. The line is up: the bank declines")
    await pay(builder, shift, "S-2", 2000)

    LINE.up = False
    heading("4. The line is down, 30 is below the floor limit of 50: the terminal decides alone")
    small = await pay(builder, shift, "S-3", 30)

    heading("5. The line is down, 80 is above the floor limit: the sale waits in the queue")
    large = await pay(builder, shift, "S-4", 80)

    LINE.up = True
    heading("6. The line is back: the bank settles what was made without it")
    for payment, approved in ((small, True), (large, False)):
        await payment.signal(
            Settlement(approved=approved, code=f"B-{payment.state.sale_id}"), key=payment.state.sale_id
        )
        tell_sale(payment)

    LINE.paper = False
    heading("7. No paper: two attempts, then the sale stands without a receipt")
    await pay(builder, shift, "S-5", 30)

    heading("8. The same sale again: the idempotency key finds it, and nothing runs twice")
    payment = await pay(builder, shift, "S-1", 30)
    print(f"\n   forwarded when the line was back: {', '.join(LINE.forwarded)}")

    await tell_where(builder, database, payment, "examples/payment_terminal/payment_terminal.yaml", 5)
    await builder.close()


if __name__ == "__main__":
    asyncio.run(main())
