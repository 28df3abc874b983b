"""The step type: its fields are the keys below the step, its two methods what it does."""

from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from ruvon import StepContext
from ruvon.models import WorkflowStep


class RetryableStep(WorkflowStep):
    """Calls `function`; when it fails, waits and calls it again, `max_retries` times at most."""

    type: Literal["RETRYABLE"] = "RETRYABLE"
    max_retries: int = Field(default=3, ge=0)
    """Calls after the first one."""
    retry_delay_seconds: float = Field(default=5, ge=0)
    """Wait before the second call."""
    backoff_multiplier: float = Field(default=2.0, ge=1)
    """Factor of the wait for each further call."""
    retry_on_exceptions: list[str] = Field(default_factory=list)
    """Names of classes of errors that are worth another call, subclasses included; without any, all are."""

    async def execute(self, state: Any, context: StepContext) -> Any:
        """Call the function; what it changes and returns merges into the state."""
        return await self.call_function(state, context)

    def retry_after(self, error: Exception, context: StepContext) -> timedelta | None:
        """The wait until the next call, kept by the engine like every other wait."""
        if not self._is_worth_it(error):
            return None
        failed = context.attempt
        if failed > self.max_retries:
            message = f"Step {self.name} failed after {self.max_retries} retries. Last error: {error}"
            raise RuntimeError(message) from error
        delay = self.retry_delay_seconds * self.backoff_multiplier ** (failed - 1)
        context.log(
            f"Step {self.name} failed (attempt {failed} of {self.max_retries + 1}), retrying in {delay:g} s",
            "WARNING",
            error=f"{type(error).__name__}: {error}",
            retry_count=failed,
            max_retries=self.max_retries,
            delay_seconds=delay,
        )
        return timedelta(seconds=delay)

    def _is_worth_it(self, error: Exception) -> bool:
        names = {cls.__name__ for cls in type(error).__mro__}
        return not self.retry_on_exceptions or not names.isdisjoint(self.retry_on_exceptions)
