"""`ExecutionProvider`: who runs the body of a step, and where.

The engine asks one question before a queued step: does this provider take it? A provider that runs everything inline
(`SyncExecutionProvider`) says no, and the holder runs the body itself; a distributed one says yes, the task row rides
in the same commit, and the worker's result comes back through the instance's inbox.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable
from uuid import UUID

from ruvon.providers._records import TaskRecord

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
    """Runs step bodies.

    The engine itself asks `threads_bodies`, `runs_queued`, `call_blocking` and `tasks_added`; the builder that the provider
    is given to calls `bind`. Everything else is the documented interface for applications. The function of a task is
    named by its path, and takes `state`, `context` and its further parameters by name, as every step does.
    """

    @property
    def threads_bodies(self) -> bool:
        """Whether every body that is not async runs through `call_blocking`, not only those marked as blocking."""
        ...

    def bind(self, engine: Callable[[], Any], store: Any, /) -> None:
        """Belong to a builder: `engine` gives its engine, `store` is where its workflows lie.

        Raises:
            TransportError: the provider cannot work with such a store.
        """
        ...

    async def tasks_added(self, tasks: Sequence[TaskRecord], /) -> None:
        """Told of tasks that have just been committed to the queue; must not fail, and must not wait for a peer."""
        ...

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
        """Start a function as a task of its own; the task's id, whatever comes of it.

        Args:
            workflow_id: the workflow that it is done for; told to the function, otherwise left alone.
            step_name: the step that it is done for.
            function_path: the function, `module.function`, inside the import roots.
            state: what it gets as `state`.
            context: arguments for its further parameters, and what `context.validated_input` is.
            execution_context: what `current_execution_context()` is in the function.
        """
        ...

    async def dispatch_parallel_tasks(
        self,
        workflow_id: UUID | str,
        tasks: Sequence[Mapping[str, Any]],
        state: Mapping[str, Any],
        *,
        execution_context: ExecutionContext | None = None,
    ) -> list[Any]:
        """Run several functions (`function`, `args` of each task); the results in order of the tasks.

        All of them run to their end; then the error of the first that failed is raised.
        """
        ...

    async def dispatch_sub_workflow(
        self,
        parent_id: UUID | str,
        workflow_type: str,
        initial_data: Mapping[str, Any],
        owner_id: str | None = None,
        data_region: str | None = None,
    ) -> str:
        """Start a workflow that counts as the child of another; its id."""
        ...

    async def report_child_status_to_parent(self, child_id: UUID | str, parent_id: UUID | str, status: str) -> None:
        """Let a parent take what its child told it; the end itself is written by the child's own last transition."""
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
        """`pending`, `running`, `done`, `failed`, `cancelled` or `unknown`.

        Of the tasks of workflow steps (`ruvon tasks list`) only those are known that lie in the queue.
        """
        ...

    async def cancel_task(self, task_id: str) -> bool:
        """Keep a dispatched task that is pending from running; False when it is too late, or there is none."""
        ...

    async def close(self) -> None:
        """Stop threads and connections; a second call is harmless."""
        ...
