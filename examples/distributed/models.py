"""What the workflows of the shop store and pass around."""

from pydantic import BaseModel, Field


class Order(BaseModel):
    """The state of an order: one per order, validated field by field whenever it changes."""

    order_id: str
    skus: list[str] = Field(min_length=1)
    cents: int = Field(gt=0)
    address: str = "Main Street 1"
    bank: str = "ready"
    cooling_ms: int = 0
    """How long the customer may still change their mind: the order waits so long before it is paid."""
    risk: int = 0
    stock: int = 0
    status: str = "new"


class Parcel(BaseModel):
    """The state of a parcel, the child of an order."""

    order_id: str
    address: str
    drying_ms: int = 0
    weight: int = 0


class Handover(BaseModel):
    tracking: str
    weight: int


class Receipt(BaseModel):
    order_id: str
    payment: str
    tracking: str
    signed_by: str


class Payment(BaseModel):
    reference: str
    cents: int


class Plan(BaseModel):
    """The state of a payment in instalments."""

    order_id: str
    months: int
    cents: int
    patience_ms: int
    paid: int = 0
    status: str = "open"


class Survey(BaseModel):
    """The state of a survey of the warehouses."""

    survey_id: str
    warehouses: list[int]
    counted: int = 0
    parcels: int = 0


class Delivered(BaseModel):
    """The carrier's message."""

    signed_by: str


class Instalment(BaseModel):
    """The bank's message that an instalment has arrived."""

    cents: int


class BankBusy(ConnectionError):
    """The bank did not take the request; another attempt helps."""


class CardDeclined(Exception):
    """The bank said no; another attempt does not help."""


class NoCarrier(Exception):
    """Nobody delivers to the address."""
