"""The same workflow in Python."""

from examples.retryable.models import Exchange
from examples.retryable.step_type import RetryableStep
from examples.retryable.steps import call_external_api, process_answer
from ruvon import call, workflow

__all__ = ["RetryableStep", "resilient_workflow"]


@workflow("ResilientWorkflow")
async def resilient_workflow(state: Exchange) -> None:
    """Ask a service that is not always there."""
    await call(
        "RETRYABLE",
        function=call_external_api,
        max_retries=5,
        retry_delay_seconds=10,
        backoff_multiplier=2.0,
        retry_on_exceptions=["ConnectionError", "TimeoutError", "HTTPError"],
    ).with_(name="Call_External_API")(state)
    await process_answer.with_(name="Process_Answer")(state)
