"""The loan workflow as typed Python. `loan_application.yaml` beside it compiles to the same digest."""

from datetime import timedelta

from examples.loan_application.models import Application, Decision, IdentityUnknown, Kyc, KycResult, Review
from examples.loan_application.steps import (
    ask_for_collateral,
    credit_check,
    income_check,
    pay_out,
    price,
    record,
    tell_applicant,
)
from ruvon import TimedOut, external_workflow, gather, human, workflow

# The identity team owns that workflow; here it is known by its type alone.
kyc = external_workflow("KYC", takes=Kyc, gives=KycResult)


@workflow("LoanApplication", version="3.2.0", saga=True)
async def loan_application(state: Application) -> Decision:
    """Three checks at once, one of them a child workflow; then policy, price and, in between, a person."""
    try:
        credit, income, identity = await gather(
            credit_check(state.applicant),
            income_check(state.applicant),
            kyc(Kyc(applicant=state.applicant)),
        )
    except IdentityUnknown as err:
        return Decision(outcome="declined", amount=state.amount, reason=f"identity: {err}")

    if state.amount > 50_000 and state.country != "IT":
        await ask_for_collateral(state)

    if identity.level == "failed" or credit.defaults > 2:
        decision = Decision(outcome="declined", amount=state.amount, reason="policy")
    elif credit.score >= 720 and identity.level == "full" and income.monthly * 6 > state.amount:
        rate = await price(state.amount, state.months, credit.score)
        decision = Decision(outcome="approved", amount=state.amount, rate=rate, reason="automatic")
    else:
        try:
            review = await human(
                "loans.review",
                form=Review,
                show={"application": state.application_id, "credit": credit, "income": income},
                role="underwriter",
                timeout=timedelta(days=5),
            )
        except TimedOut:
            await tell_applicant(state.applicant)
            decision = Decision(outcome="withdrawn", amount=state.amount, reason="nobody looked at it in five days")
        else:
            if review.approve:
                granted = min(review.max_amount, state.amount)
                rate = await price(granted, state.months, credit.score)
                decision = Decision(outcome="approved", amount=granted, rate=rate, reason=review.comment)
            else:
                decision = Decision(outcome="declined", amount=state.amount, reason=review.comment)

    state.outcome = decision.outcome
    if decision.outcome == "approved":
        await pay_out(state, decision)
    await record(state, decision)
    return decision
