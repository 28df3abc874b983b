"""`WorkflowObserver`: who is told what happened, after it was committed.

Subclass it and override the hooks you need, or pass any object that has one. The engine calls hooks by keyword with
those arguments that the hook's signature accepts, so documents that show fewer or more arguments all work. Beside the
arguments below every hook is offered `source`, an `ObservedWorkflow`, and `on_step_executed` the number of the `attempt`.
What a hook raises is logged and never touches a workflow, and no workflow waits for a hook that waits.

An observer may have two more methods. `metadata_for_new(parent)` gives what is to be kept in the metadata of a new instance
(`parent` is the `ObservedWorkflow` that starts it, or None). `intercept_step(call, proceed)` is an interceptor: it is called
around the body of every step and compensation.
"""

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, final

__all__ = ["HOOKS", "NoopObserver", "ObservedWorkflow", "WorkflowObserver"]

HOOKS: Final = (
    "on_child_workflow_started",
    "on_compensation_completed",
    "on_compensation_started",
    "on_step_executed",
    "on_step_failed",
    "on_workflow_completed",
    "on_workflow_failed",
    "on_workflow_paused",
    "on_workflow_resumed",
    "on_workflow_started",
    "on_workflow_status_changed",
)
"""The names of all hooks."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedWorkflow:
    """The instance that something happened to."""

    workflow_id: str
    workflow_type: str
    workflow_version: str
    status: str
    """Its status after what happened, where that changed it; else before."""
    parent_id: str | None
    metadata: Mapping[str, object]
    secret_fields: frozenset[str]
    """Names of the fields of the workflow's classes that hold secrets; results and states hold their values in full."""
    created_us: int
    """When it was created, in microseconds since the Unix epoch."""
    stored_us: int
    """When its row was last written before this process read it, in microseconds since the Unix epoch."""
    at_us: int
    """When it happened, in microseconds since the Unix epoch."""


class WorkflowObserver(ABC):
    """Base class with a no-op for every hook."""

    async def on_workflow_started(
        self, workflow_id: str, workflow_type: str, initial_state: Mapping[str, Any] | None = None
    ) -> None:
        """A workflow was created."""

    async def on_step_executed(
        self, workflow_id: str, step_name: str, result: Any, duration_ms: float | None = None
    ) -> None:
        """A step completed; `duration_ms` is None where a worker measures it."""

    async def on_step_failed(self, workflow_id: str, step_name: str, error: BaseException, attempt: int = 1) -> None:
        """An attempt of a step failed."""

    async def on_workflow_completed(
        self, workflow_id: str, final_state: Mapping[str, Any] | None = None, duration_ms: float | None = None
    ) -> None:
        """A workflow ended well."""

    async def on_workflow_failed(self, workflow_id: str, error: BaseException, step_name: str | None = None) -> None:
        """A workflow ended with an error, or was cancelled."""

    async def on_workflow_status_changed(self, workflow_id: str, old_status: str, new_status: str) -> None:
        """The status changed."""

    async def on_workflow_paused(self, workflow_id: str, step_name: str, reason: str) -> None:
        """A workflow waits for a person, a signal or a moment."""

    async def on_workflow_resumed(self, workflow_id: str, step_name: str, resume_data: Any = None) -> None:
        """What a workflow waited for arrived; `resume_data` is the validated answer, input or signal."""

    async def on_compensation_started(self, workflow_id: str, step_name: str, step_index: int = 0) -> None:
        """A completed step is about to be undone; `step_index` counts from the last completed one, from 0."""

    async def on_compensation_completed(
        self,
        workflow_id: str,
        step_name: str,
        success: bool = True,
        error: BaseException | None = None,
        is_empty: bool = False,
    ) -> None:
        """A compensation was tried, and worked or not; `is_empty` says of a child that it had nothing to undo."""

    async def on_child_workflow_started(self, parent_id: str, child_id: str, child_type: str) -> None:
        """A child was created."""

    async def close(self) -> None:
        """Hand over what it keeps; called when the builder is closed, by each builder that has it."""


class NoopObserver(WorkflowObserver):
    """Does nothing; the default."""
