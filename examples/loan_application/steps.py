"""The loan department's work. The bureaus are stand-ins that answer by name, so that a run can be repeated."""

from datetime import timedelta
from decimal import Decimal

from examples.loan_application.models import (
    Application,
    BureauClosed,
    Credit,
    Decision,
    IdentityUnknown,
    Income,
    Kyc,
    KycResult,
    Payout,
)
from ruvon import Retry, StepContext, compensate, step


@step(retry=Retry(max_attempts=5, delay=timedelta(milliseconds=100), on=(BureauClosed,)))
async def credit_check(context: StepContext, applicant: str) -> Credit:
    """The credit bureau: asked five times at most, after 0.1, 0.2, 0.4 and 0.8 seconds; closed at first for one name."""
    if applicant.startswith("Edsger") and context.attempt < 3:
        raise BureauClosed("the credit bureau does not answer")
    scores = {"ada": 780, "grace": 690, "bob": 540}
    first = applicant.split(" ", maxsplit=1)[0].lower()
    return Credit(score=scores.get(first, 700), defaults=3 if first == "bob" else 0)


@step
async def income_check(applicant: str) -> Income:
    """The tax office."""
    return Income(monthly=Decimal(9000) if applicant.lower().startswith("ada") else Decimal(3000))


@step
async def check_document(state: Kyc) -> KycResult:
    """The identity bureau."""
    if "nobody" in state.applicant.lower():
        raise IdentityUnknown(state.applicant)
    return KycResult(level="full" if state.document == "passport" else "partial")


@step
def price(amount: Decimal, months: int, score: int) -> Decimal:
    """The yearly rate in percent."""
    base = Decimal("3.9") if score >= 720 else Decimal("6.4")
    return base + (Decimal("0.5") if months > 60 else Decimal(0)) + (Decimal("0.2") if amount > 50_000 else Decimal(0))


@step
async def ask_for_collateral(state: Application) -> None:
    """Large loans abroad get one step more."""
    state.notes.append("collateral requested")


@step
def tell_applicant(applicant: str) -> None:
    """Write that nobody looked at the application in time, and that it may be made again."""
    print(f"      wrote to {applicant}")


@step
async def pay_out(state: Application, decision: Decision) -> Payout:
    """Send the money."""
    return Payout(reference=f"{state.application_id}-{decision.amount}")


@compensate(pay_out)
async def take_back(state: Application, context: StepContext, result: Payout, decision: Decision) -> None:
    """Runs when a later step fails."""
    del state, context, decision
    print(f"      took back {result.reference}")


@step
async def record(state: Application, decision: Decision) -> None:
    """Write the decision into the register; refuses one applicant, to show the rollback."""
    if "unlucky" in state.applicant.lower():
        raise ConnectionError("the register is closed")
    state.notes.append(f"{decision.outcome}: {decision.reason}")
