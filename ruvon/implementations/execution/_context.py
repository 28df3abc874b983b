"""What travels with a dispatched task: on whose behalf, for which workflow, and in which request its function runs.

It lies in the metadata of the task's instance, from where the engine puts it into every order for a worker.
"""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final
from uuid import UUID

from ruvon.providers import ExecutionContext

__all__ = ["CURRENT", "context_of", "current_execution_context", "metadata_of"]

CURRENT: Final[ContextVar[ExecutionContext | None]] = ContextVar("ruvon_execution_context", default=None)


def current_execution_context() -> ExecutionContext | None:
    """The context of the task that this body runs for; None where a step runs inline, at the holder of its workflow."""
    return CURRENT.get()


def metadata_of(workflow_id: UUID | str, step_name: str, given: ExecutionContext | None) -> dict[str, object]:
    """The metadata of a task's instance."""
    context = given or ExecutionContext()
    found = {
        "trace_id": context.trace_id,
        "actor_id": context.actor_id,
        "for_workflow": context.workflow_id or str(workflow_id),
        "for_step": context.step_name or step_name,
        "for_attempt": str(context.attempt),
    }
    return {name: value for name, value in found.items() if value is not None}


def context_of(trace: Mapping[str, Any], workflow_id: UUID, step: str, attempt: int) -> ExecutionContext:
    """The context of one attempt of a step, made of what travelled with it."""
    return ExecutionContext(
        trace.get("trace_id"),
        trace.get("actor_id"),
        trace.get("for_workflow") or str(workflow_id),
        trace.get("for_step", step),
        int(trace.get("for_attempt", 1)) + attempt - 1,
    )
