"""What the order workflow stores and passes around."""

from decimal import Decimal
from typing import TypedDict

from pydantic import BaseModel, Field


class Item(BaseModel):
    sku: str
    quantity: int = Field(gt=0)
    price: Decimal = Field(gt=0)


class Order(BaseModel):
    """The state: one per order, validated field by field whenever it changes."""

    order_id: str
    customer: str
    items: list[Item]
    vip: bool = False
    by_transfer: bool = False
    fraud_score: float = 0.0
    reminders: int = 0
    payment_id: str | None = None
    status: str = "new"


class Quote(BaseModel):
    total: Decimal
    currency: str


class Verdict(BaseModel):
    """The form that the finance department fills in."""

    approved: bool
    reason: str = ""


class Hold(BaseModel):
    hold_id: str


class Payment(BaseModel):
    payment_id: str
    amount: Decimal


class Transfer(BaseModel):
    """The bank's message that the money of a transfer has arrived."""

    reference: str


class Receipt(BaseModel):
    order_id: str
    total: Decimal
    payment_id: str


class Paid(TypedDict):
    payment_id: str
    status: str


class Rejected(Exception):
    """A person said no."""


class OutOfStock(Exception):
    """The warehouse cannot deliver an item."""


class CardDeclined(Exception):
    """The bank said no; trying again does not help."""


class NoCarrier(Exception):
    """Nobody delivers to the address."""
