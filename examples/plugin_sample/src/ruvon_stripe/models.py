"""The state of a payment."""

from decimal import Decimal

from pydantic import BaseModel

__all__ = ["Payment"]


class Payment(BaseModel):
    """A payment for an order."""

    order_id: str
    amount: Decimal
    currency: str = "usd"
    payment_intent_id: str | None = None
    payment_status: str | None = None
    payment_confirmed: bool = False
    receipt_sent: str | None = None
    refund_id: str | None = None
    refund_status: str | None = None
    payment_refunded: bool = False
