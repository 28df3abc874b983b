"""`ExecutionProvider`: who runs the body of a step, and where.

The engine asks one question before a queued step: does this provider take it? A provider that runs everything inline
(`SyncExecutionProvider`) says no, and the holder runs the body itself; a distributed one says yes, the task row rides
in the same commit, and the worker's result comes back through the instance's inbox.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable
from uuid import UUID

__all__ = ["ExecutionContext", "ExecutionProvider"]


@final
@dataclass(frozen=True, slots=True)
class ExecutionContext:
    """What travels with a piece of work to the worker that does it."""

    trace_id: str | None = None
    """Joins the spans of one request over processes."""
    actor_id: str | None = None
    """On whose behalf it runs."""
    workflow_id: str | None = None
    step_name: str | None = None
    attempt: int = 1


@runtime_checkable
class ExecutionProvider(Protocol):
    """Runs step bodies. Every method but `runs_queued` and `call_blocking` is part of the documented interface."""

    def runs_queued(self, queue: str, /) -> bool:
        """Whether work for this queue goes to a worker; False lets the holder run it inline."""
        ...

    async def call_blocking(self, function: Callable[[], Any], /) -> Any:
        """Run a body that blocks (`@step(blocking=True)`) where it cannot hold up the event loop."""
        ...

    async def dispatch_async_task(
        self,
        workflow_id: UUID | str,
        step_name: str,
        function_path: str,
        state: Mapping[str, Any],
        context: Mapping[str, Any] | None = None,
        *,
        execution_context: ExecutionContext | None = None,
    ) -> str:
        """Start a function in the background; the task's id."""
        ...

    async def dispatch_parallel_tasks(
        self,
        workflow_id: UUID | str,
        tasks: Sequence[Mapping[str, Any]],
        state: Mapping[str, Any],
        *,
        execution_context: ExecutionContext | None = None,
    ) -> list[Any]:
        """Run several functions at once (`function`, `args` of each task); the results in order of the tasks."""
        ...

    async def dispatch_sub_workflow(
        self,
        parent_id: UUID | str,
        workflow_type: str,
        initial_data: Mapping[str, Any],
        owner_id: str | None = None,
        data_region: str | None = None,
    ) -> str:
        """Start a child workflow; its id."""
        ...

    async def report_child_status_to_parent(self, child_id: UUID | str, parent_id: UUID | str, status: str) -> None:
        """Tell a parent how its child ended."""
        ...

    async def execute_sync_step_function(
        self,
        function: Callable[..., Any],
        state: Any,
        context: Any,
        user_input: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Call one step function, sync or async, and return its result as a dict (`{}` for None)."""
        ...

    async def get_task_status(self, task_id: str) -> str:
        """`pending`, `running`, `done`, `failed`, `cancelled` or `unknown`."""
        ...

    async def cancel_task(self, task_id: str) -> bool:
        """Keep a pending task from running; False when it is too late."""
        ...

    async def close(self) -> None:
        """Stop threads and connections; a second call is harmless."""
        ...
