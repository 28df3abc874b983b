"""The documented methods, once for all executors: a dispatched function is a workflow of one step.

So it has everything that steps have: it is durable, its state and result are encoded as everywhere, a worker that dies
over it is noticed, one that comes back late is fenced out, and `ruvon show` knows it. The id of the task is the id of
that workflow. The executors differ only in who runs the step: the caller, a thread, or a worker.
"""

import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from ruvon.engine import Engine, ErrorRecord, Run, is_net, rebuild
from ruvon.engine._answers import accept_input
from ruvon.implementations.execution._context import CURRENT, context_of, metadata_of
from ruvon.ir._nodes import Call, Definition, Graph, Node, Return
from ruvon.ir.expr import Name
from ruvon.models import RecordedError, WorkflowStatus, as_result_mapping
from ruvon.providers import (
    EngineStore,
    ExecutionContext,
    InboxEntry,
    InboxKind,
    InstanceRecord,
    TaskFilter,
    TaskKind,
    TaskRecord,
    TaskStatus,
    TransportError,
    WorkflowBusyError,
    WorkflowNotFoundError,
)

__all__ = ["Dispatching"]

_STEP: Final = "run"
_RESULT: Final = "result"
_SHORTEST_US: Final = 2_000
_LONGEST_US: Final = 200_000


class Dispatching:
    """The methods for applications; subclasses say who runs bodies, and when a dispatched task begins."""

    queue: str = "default"
    """The queue of dispatched functions."""

    def __init__(self) -> None:
        self._make_engine: Callable[[], Engine] | None = None
        self._running: set[UUID] = set()
        """Tasks whose functions this process runs itself."""

    @property
    def threads_bodies(self) -> bool:
        """No: a body that is not async runs on the loop, unless its step says `blocking=True`."""
        return False

    def bind(self, engine: Callable[[], Engine], store: EngineStore, /) -> None:
        """Belong to a builder."""
        self._make_engine = engine

    async def tasks_added(self, tasks: Sequence[TaskRecord], /) -> None:
        """Nobody needs to be told: workers look into the queue of the store."""

    # Starting

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
        """Start a function as a task of its own; its id."""
        made = await self._create(workflow_id, step_name, function_path, state, execution_context)
        await self._launch(made, context)
        return str(made.workflow_id)

    async def dispatch_parallel_tasks(
        self,
        workflow_id: UUID | str,
        tasks: Sequence[Mapping[str, Any]],
        state: Mapping[str, Any],
        *,
        execution_context: ExecutionContext | None = None,
    ) -> list[Any]:
        """Run functions; their results in order."""
        created = [
            await self._create(workflow_id, str(task.get("name", "")), task["function"], state, execution_context)
            for task in tasks
        ]
        for task, made in zip(tasks, created, strict=True):
            await self._launch(made, task.get("args"))
        ended = [await self._ended(made.workflow_id) for made in created]
        return [self._result(record) for record in ended]

    async def dispatch_sub_workflow(
        self,
        parent_id: UUID | str,
        workflow_type: str,
        initial_data: Mapping[str, Any],
        owner_id: str | None = None,
        data_region: str | None = None,
    ) -> str:
        """Create a child and let it run; its id."""
        engine = self._engine()
        parent = await engine.store.load_instance(_uuid(parent_id))
        record, definition = engine.new_record(
            engine.program_for(workflow_type, None),
            engine.ids.new_id(),
            initial_data,
            owner_id=owner_id or parent.owner_id,
            org_id=parent.org_id,
            data_region=data_region or parent.data_region,
            priority=parent.priority,
            parent_id=parent.workflow_id,
        )
        await engine.create(record, definition, background=self.runs_queued(self.queue))
        if not self.runs_queued(self.queue):
            await self._launch(record, None)
        return str(record.workflow_id)

    async def report_child_status_to_parent(self, child_id: UUID | str, parent_id: UUID | str, status: str) -> None:
        """Let the parent take what its child told it; a second call is harmless."""
        await self._engine().poke(_uuid(parent_id))

    async def execute_sync_step_function(
        self,
        function: Callable[..., Any],
        state: Any,
        context: Any,
        user_input: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Call one step function and return its result as a dict."""

        def call() -> Any:
            return function(state, context, **(user_input or {}))

        if self.threads_bodies and not inspect.iscoroutinefunction(function):
            made = await self.call_blocking(call)
        else:
            made = call()
        result = await made if inspect.isawaitable(made) else made
        return dict(as_result_mapping(result) or {})

    # Looking

    async def get_task_status(self, task_id: str) -> str:
        """Where a task stands."""
        store = self._engine().store
        try:
            workflow_id = UUID(task_id)
        except ValueError:
            return await self._queued_status(task_id)
        try:
            record = await store.load_instance(workflow_id)
        except WorkflowNotFoundError:
            return "unknown"
        status = WorkflowStatus(record.status)
        if status.is_terminal:
            known = {WorkflowStatus.COMPLETED: "done", WorkflowStatus.CANCELLED: "cancelled"}
            return known.get(status, "failed")
        rows = await store.find_tasks(TaskFilter(workflow_id=workflow_id))
        is_taken = any(row.status == TaskStatus.CLAIMED for row in rows)
        return "running" if is_taken or workflow_id in self._running else "pending"

    async def _queued_status(self, task_id: str) -> str:
        """Where the task of a workflow's step stands, while it lies in the queue."""
        try:
            workflow_id = UUID(task_id.partition(".")[0])
        except ValueError:
            return "unknown"
        rows = await self._engine().store.find_tasks(TaskFilter(workflow_id=workflow_id), limit=1_000)
        known = {TaskStatus.PENDING: "pending", TaskStatus.CLAIMED: "running", TaskStatus.DEAD: "failed"}
        found = [known[TaskStatus(row.status)] for row in rows if row.task_id == task_id]
        return found[0] if found else "unknown"

    async def cancel_task(self, task_id: str) -> bool:
        """Keep a pending task from running; False when it is too late."""
        engine = self._engine()
        try:
            workflow_id = UUID(task_id)
        except ValueError:
            return False
        payload = orjson.dumps({"reason": "the task was cancelled", "compensate": False})
        entry = InboxEntry(workflow_id, InboxKind.CANCEL, "", payload, at_us=engine.clock.now_us())
        if not await self._withdraw(workflow_id, entry):
            return False
        await engine.poke(workflow_id)
        return True

    async def _withdraw(self, workflow_id: UUID, entry: InboxEntry) -> bool:
        """Take a task that has not begun from whoever would begin it, and tell its instance."""
        store = self._engine().store
        rows = await store.find_tasks(TaskFilter(statuses=(TaskStatus.PENDING,), workflow_id=workflow_id))
        waiting = [row for row in rows if not is_net(row) and not _is_done(row)]
        return bool(waiting) and await store.withdraw_task(waiting[0].task_id, entry)

    async def close(self) -> None:
        """Nothing to stop."""

    # Who runs what

    def runs_queued(self, queue: str, /) -> bool:
        """No: whoever drives a workflow runs its queued steps too."""
        return False

    async def call_blocking(self, function: Callable[[], Any], /) -> Any:
        """Run a body that blocks in a thread."""
        made = await asyncio.to_thread(function)
        return await made if inspect.isawaitable(made) else made

    async def _launch(self, record: InstanceRecord, given: Mapping[str, Any] | None) -> None:
        """Let a task begin; here, at once, which for a queued one means that it is put into the queue."""
        await self._drive(record, given)

    async def _drive(self, record: InstanceRecord, given: Mapping[str, Any] | None) -> None:
        """Drive the instance of a task as far as it goes."""
        attempt_context = context_of(record.metadata, record.workflow_id, _STEP, 1)

        async def prepare_input(run: Run) -> None:
            await accept_input(run, given or None)

        token = CURRENT.set(attempt_context)
        self._running.add(record.workflow_id)
        try:
            await self._engine().drive(record.workflow_id, prepare=prepare_input)
        except WorkflowBusyError:
            return  # somebody who takes up what is left lying was sooner
        finally:
            self._running.discard(record.workflow_id)
            CURRENT.reset(token)

    # Tasks as instances

    def _engine(self) -> Engine:
        if self._make_engine is None:
            raise TransportError("this executor belongs to no builder; give it to a WorkflowBuilder first")
        return self._make_engine()

    async def _create(
        self,
        workflow_id: UUID | str,
        step_name: str,
        function_path: str,
        state: Mapping[str, Any],
        context: ExecutionContext | None,
    ) -> InstanceRecord:
        engine = self._engine()
        record, definition = engine.new_record(
            engine.program_from(_definition(function_path, self.queue)),
            engine.ids.new_id(),
            dict(state),
            owner_id=context.actor_id if context is not None else None,
            metadata=metadata_of(workflow_id, step_name, context),
        )
        await engine.create(record, definition)
        return record

    async def _ended(self, workflow_id: UUID) -> InstanceRecord:
        """The instance of a task, once it has ended; looked at ever more seldom."""
        engine = self._engine()
        pause = _SHORTEST_US
        while True:
            record = await engine.store.load_instance(workflow_id)
            if WorkflowStatus(record.status).is_terminal:
                return record
            await engine.clock.sleep_us(pause)
            pause = min(pause * 2, _LONGEST_US)

    def _result(self, record: InstanceRecord) -> Any:
        engine = self._engine()
        types = engine.program_from(_definition(record.workflow_type.removeprefix(_PREFIX), self.queue)).types
        if record.error is None:
            return types.dynamic.decode(record.result) if record.result is not None else None
        tree = orjson.loads(record.error)
        if "cancelled" in tree:
            raise RecordedError(f"the task {record.workflow_id} was cancelled", "Cancelled")
        raise rebuild(ErrorRecord.of_tree(tree), types.dynamic, types.find_class)


_PREFIX: Final = "task "


def _definition(path: str, queue: str) -> Definition:
    """The workflow of one step that calls a function and returns what it returned."""
    call = Call(type="ASYNC", function=path, queue=queue, output=Name(_RESULT))
    nodes = {
        _STEP: Node(id=_STEP, action=call, next="end", automate_next=True),
        "end": Node(id="end", action=Return(value=Name(_RESULT))),
    }
    return Definition(
        workflow_type=f"{_PREFIX}{path}",
        result="object",
        strict_results=False,
        variables={_RESULT: "object"},
        graph=Graph(entry=_STEP, nodes=nodes),
    )


def _uuid(given: UUID | str) -> UUID:
    if isinstance(given, UUID):
        return given
    try:
        return UUID(given)
    except ValueError:
        raise WorkflowNotFoundError(given) from None


def _is_done(task: TaskRecord) -> bool:
    """Whether the step of a task is reported; what is left of the task lets somebody go on with the instance."""
    return task.kind is TaskKind.WAKE and bool(task.activation)
