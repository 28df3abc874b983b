"""What the loan workflow and its identity check store and pass around."""

from decimal import Decimal
from typing import Literal

from pydantic import BaseModel, Field

Outcome = Literal["approved", "declined", "withdrawn"]
Level = Literal["full", "partial", "failed"]


class Application(BaseModel):
    """The state of one application."""

    application_id: str
    applicant: str
    amount: Decimal = Field(gt=0)
    months: int = Field(ge=6, le=120)
    country: str = "IT"
    notes: list[str] = []
    outcome: Outcome | None = None


class Credit(BaseModel):
    score: int
    defaults: int


class Income(BaseModel):
    monthly: Decimal


class Kyc(BaseModel):
    """The state of the identity check, a workflow of its own."""

    applicant: str
    document: str = "passport"


class KycResult(BaseModel):
    level: Level


class Review(BaseModel):
    """The underwriter's form."""

    approve: bool
    max_amount: Decimal = Field(gt=0)
    comment: str = Field(min_length=10)


class Payout(BaseModel):
    reference: str


class Decision(BaseModel):
    outcome: Outcome
    amount: Decimal
    rate: Decimal | None = None
    reason: str


class BureauClosed(Exception):
    """The credit bureau does not answer now; it may later."""


class IdentityUnknown(Exception):
    """Nobody by that name exists."""
