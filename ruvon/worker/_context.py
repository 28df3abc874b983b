"""What travelled with the task under way: on whose behalf, and in which request, the body runs."""

from contextvars import ContextVar
from typing import Final

from ruvon.providers import ExecutionContext

__all__ = ["CURRENT", "current_execution_context"]

CURRENT: Final[ContextVar[ExecutionContext | None]] = ContextVar("ruvon_execution_context", default=None)


def current_execution_context() -> ExecutionContext | None:
    """The context of the task that this body runs for; None where no worker runs it."""
    return CURRENT.get()
