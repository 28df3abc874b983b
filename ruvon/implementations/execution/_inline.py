"""What providers share that run the documented tasks where they are called."""

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any
from uuid import UUID

from ruvon.models import as_result_mapping
from ruvon.providers import ExecutionContext, TransportError

__all__ = ["InlineExecution"]


class InlineExecution:
    """The documented methods, inline; bodies that block run in a thread."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._statuses: dict[str, str] = {}
        self.load: Callable[[str], Any] | None = None
        """Resolves function paths; set by the builder."""
        self.start_child: Callable[..., Any] | None = None
        """Creates a child workflow; set by the builder."""

    async def call_blocking(self, function: Callable[[], Any], /) -> Any:
        """Run a blocking body in a thread."""
        made = await asyncio.to_thread(function)
        return await made if inspect.isawaitable(made) else made

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
        """Run the function now; the id of the finished task."""
        task_id = f"sync-{next(self._numbers)}"
        self._statuses[task_id] = "running"
        try:
            await self.execute_sync_step_function(self._resolve(function_path), state, context)
        except BaseException:
            self._statuses[task_id] = "failed"
            raise
        self._statuses[task_id] = "done"
        return task_id

    async def dispatch_parallel_tasks(
        self,
        workflow_id: UUID | str,
        tasks: Sequence[Mapping[str, Any]],
        state: Mapping[str, Any],
        *,
        execution_context: ExecutionContext | None = None,
    ) -> list[Any]:
        """Run the functions one after the other; the results in order."""
        results: list[Any] = []
        for task in tasks:
            function = self._resolve(task["function"])
            results.append(await self.execute_sync_step_function(function, state, None, task.get("args")))
        return results

    async def dispatch_sub_workflow(
        self,
        parent_id: UUID | str,
        workflow_type: str,
        initial_data: Mapping[str, Any],
        owner_id: str | None = None,
        data_region: str | None = None,
    ) -> str:
        """Create the child; its id."""
        if self.start_child is None:
            raise TransportError("this executor belongs to no builder; give it to a WorkflowBuilder first")
        made = await self.start_child(parent_id, workflow_type, initial_data, owner_id, data_region)
        return str(made)

    async def report_child_status_to_parent(self, child_id: UUID | str, parent_id: UUID | str, status: str) -> None:
        """Nothing to do: a child's end reaches its parent in the child's own transition."""

    async def execute_sync_step_function(
        self,
        function: Callable[..., Any],
        state: Any,
        context: Any,
        user_input: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Call one step function and return its result as a dict."""
        made = function(state, context, **(user_input or {}))
        result = await made if inspect.isawaitable(made) else made
        return dict(as_result_mapping(result) or {})

    async def get_task_status(self, task_id: str) -> str:
        """Where a task stands."""
        return self._statuses.get(task_id, "unknown")

    async def cancel_task(self, task_id: str) -> bool:
        """Never: an inline task is over when its id is known."""
        return False

    async def close(self) -> None:
        """Nothing to stop."""

    def _resolve(self, path: str) -> Callable[..., Any]:
        if self.load is None:
            raise TransportError("this executor belongs to no builder; give it to a WorkflowBuilder first")
        found = self.load(path)
        declared = getattr(found, "__ruvon_step__", None)
        function: Callable[..., Any] = declared.function if declared is not None else found
        return function
