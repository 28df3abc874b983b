"""The work, and a fake service that is down for a while."""

from examples.retryable.models import Exchange
from ruvon import StepContext, step

OUTAGE: dict[str, list[Exception]] = {}
"""By URL, how the next calls fail."""


@step
async def call_external_api(state: Exchange, context: StepContext) -> dict[str, object]:
    """Ask the service."""
    failures = OUTAGE.get(state.url)
    if failures:
        raise failures.pop(0)
    return {"answer": "42", "retry_count": context.attempt - 1, "last_error": context.last_error}


@step
async def process_answer(state: Exchange) -> None:
    """Go on with what came."""
    state.answer = f"the answer is {state.answer}"
