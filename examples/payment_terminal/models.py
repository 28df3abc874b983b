"""What a payment at a terminal stores and passes around. Only a token of the card is ever held, never its number."""

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, Field


class Sale(BaseModel):
    """The state of one payment."""

    sale_id: str
    terminal_id: str
    card_token: str
    amount: Decimal = Field(gt=0)
    currency: str = "EUR"
    status: Literal["new", "approved", "approved_offline", "queued", "declined", "unsettled"] = "new"
    auth_code: str | None = None


class Limits(BaseModel):
    """What the terminal may decide alone."""

    floor: Decimal
    daily_left: Decimal


class Authorisation(BaseModel):
    approved: bool
    code: str
    reason: str = ""


class Settlement(BaseModel):
    """What the bank says, when the line is back, to a sale that was made without it."""

    approved: bool
    code: str


class Ticket(BaseModel):
    number: int


class LineDown(ConnectionError):
    """The bank cannot be reached."""


class PaperOut(Exception):
    """The printer has no paper."""
