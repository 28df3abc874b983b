"""The identity check as typed Python; `kyc.yaml` beside it compiles to the same digest."""

from examples.loan_application.models import Kyc, KycResult
from examples.loan_application.steps import check_document
from ruvon import workflow


@workflow("KYC", version="1.0.0")
async def kyc(state: Kyc) -> KycResult:
    """A child workflow: it has its own history, versions and waits."""
    return await check_document(state)
