"""The steps, a step type, and a function for expressions."""

from decimal import Decimal
from typing import Any, Literal

from pydantic import Field

from ruvon import StepContext, compensate, pure, step
from ruvon.models import WorkflowStep
from ruvon_stripe.client import stripe_client
from ruvon_stripe.models import Payment

__all__ = ["ReceiptStep", "cents", "confirm_payment", "create_payment_intent", "refund_payment"]


@pure
def cents(amount: Decimal) -> int:
    """An amount in the smallest unit of its currency; workflows may call it in expressions."""
    return int((amount * 100).to_integral_value())


@step
async def create_payment_intent(state: Payment, context: StepContext) -> dict[str, object]:
    """Tell the service what is to be paid."""
    intent = stripe_client().PaymentIntent.create(
        amount=cents(state.amount),
        currency=state.currency,
        metadata={"workflow_id": str(context.workflow_id), "order_id": state.order_id},
        idempotency_key=context.idempotency_key,
    )
    return {"payment_intent_id": intent.id, "payment_status": intent.status}


@step
async def confirm_payment(state: Payment, context: StepContext) -> dict[str, object]:
    """Have it paid."""
    intent = stripe_client().PaymentIntent.confirm(state.payment_intent_id, idempotency_key=context.idempotency_key)
    return {"payment_status": intent.status, "payment_confirmed": intent.status == "succeeded"}


@compensate(confirm_payment)
async def refund_payment(state: Payment, context: StepContext) -> dict[str, object]:
    """Pay it back."""
    refund = stripe_client().Refund.create(
        payment_intent=state.payment_intent_id, idempotency_key=context.idempotency_key
    )
    return {"refund_id": refund.id, "refund_status": refund.status, "payment_refunded": True}


class ReceiptStep(WorkflowStep):
    """Writes the line of a receipt; in YAML `type: RECEIPT`."""

    type: Literal["RECEIPT"] = "RECEIPT"
    text: str = Field(default="Thank you", min_length=1)
    """What the receipt says before the amount."""

    async def execute(self, state: Any, context: StepContext) -> dict[str, object]:
        """Write it into the state."""
        return {"receipt_sent": f"{self.text}: {state.amount} {state.currency.upper()}"}
