"""Observers: told what happened after it was committed, and never able to harm a workflow or to hold it up.

Which hooks an observer has, and which arguments they take, is looked at once, when it is registered. A run without
interested observers collects nothing. What is collected goes to the couriers with the commit that it speaks of.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast, final
from weakref import WeakKeyDictionary

from ruvon.engine._courier import PATIENCE_S, Courier, Hook, Listener
from ruvon.engine._error_records import ErrorRecord, rebuild
from ruvon.engine._program import Program
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceRecord, ObservedWorkflow, Transition, WorkflowObserver
from ruvon.providers.observer import HOOKS

if TYPE_CHECKING:
    from ruvon.engine._run import Run

__all__ = ["Notices", "Observers", "observed", "started"]

_LOGGER: Final = logging.getLogger("ruvon.observers")


def observed(record: InstanceRecord, program: Program, at_us: int, status: str | None = None) -> ObservedWorkflow:
    """What hooks are told of an instance beside their own arguments.

    Args:
        record: the instance.
        program: its program.
        at_us: when it happened.
        status: the status that it has after that; that of the record where none is given.
    """
    return ObservedWorkflow(
        workflow_id=str(record.workflow_id),
        workflow_type=record.workflow_type,
        workflow_version=record.workflow_version,
        status=status or record.status,
        parent_id=str(record.parent_id) if record.parent_id is not None else None,
        metadata=record.metadata,
        secret_fields=program.types.secret_names,
        created_us=record.created_us,
        stored_us=record.updated_us,
        at_us=at_us,
    )


def started(record: InstanceRecord, program: Program, initial_state: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `on_workflow_started`."""
    return {
        "workflow_id": str(record.workflow_id),
        "workflow_type": record.workflow_type,
        "initial_state": initial_state,
        "source": observed(record, program, record.created_us),
    }


@final
class Observers:
    """All registered observers; safe to share by engines and by the loops of several threads."""

    def __init__(self, observers: Sequence[object] = ()) -> None:
        self._listeners: list[Listener] = []
        self._wanted: set[str] = set()
        self._couriers: WeakKeyDictionary[asyncio.AbstractEventLoop, list[Courier]] = WeakKeyDictionary()
        for observer in observers:
            self._add(observer)

    def _add(self, observer: object) -> None:
        """Register an observer; hooks that it inherits as no-ops from the base class are left out."""
        hooks: dict[str, Hook] = {}
        for name in HOOKS:
            call = getattr(observer, name, None)
            own = getattr(type(observer), name, None)
            if call is not None and own is not getattr(WorkflowObserver, name):
                hooks[name] = Hook(name, call)
        self._listeners.append(Listener(observer, hooks))
        self._wanted.update(hooks)

    def wants(self, hook: str) -> bool:
        """Whether anybody has this hook."""
        return hook in self._wanted

    def notices(self, run: "Run") -> "Notices | None":
        """Where a run collects what is to be told, or None where nobody listens."""
        return Notices(self, run) if self._wanted else None

    def metadata(self, parent: ObservedWorkflow | None) -> dict[str, object]:
        """What observers want to be kept with a new instance.

        Args:
            parent: the workflow that starts it, if one does.
        """
        found: dict[str, object] = {}
        for listener in self._listeners:
            observer: Any = listener.observer
            if not hasattr(cast("object", type(observer)), "metadata_for_new"):
                continue
            try:
                found.update(observer.metadata_for_new(parent))
            except Exception:  # an observer must never touch a workflow
                _LOGGER.exception("the observer %s failed in metadata_for_new", listener.name)
        return found

    async def tell(self, *calls: tuple[str, Mapping[str, Any]]) -> None:
        """Call hooks of every observer that has them, in order; return without waiting for one that waits."""
        if not calls:
            return
        couriers = self._here()
        for hook, arguments in calls:
            for courier in couriers:
                courier.put(hook, arguments)
        for courier in couriers:
            await courier.prompt()

    def _here(self) -> list[Courier]:
        """The couriers of the running loop."""
        loop = asyncio.get_running_loop()
        found = self._couriers.get(loop)
        if found is None:
            found = self._couriers[loop] = [Courier(item) for item in self._listeners if item.hooks]
        return found

    async def flush(self) -> None:
        """Wait until everything was told, for some seconds at most; what is not told by then never is, and is logged."""
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE_S
        couriers = self._here()
        while (tasks := [item.task for item in couriers if item.task is not None]) and (left := end - loop.time()) > 0:
            await asyncio.wait(tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for courier in couriers:
            courier.give_up()

    async def close(self) -> None:
        """Flush, then close the observers that are `WorkflowObserver`; what one raises is logged."""
        await self.flush()
        for listener in self._listeners:
            if isinstance(listener.observer, WorkflowObserver):
                try:
                    await asyncio.wait_for(listener.observer.close(), PATIENCE_S)
                except Exception:
                    _LOGGER.exception("the observer %s could not be closed", listener.name)


@final
class Notices:
    """What observers of one run are to be told with the next commit."""

    def __init__(self, observers: Observers, run: "Run") -> None:
        self._observers = observers
        self._run = run
        self._collected: list[tuple[str, dict[str, Any]]] = []
        self._ready: list[tuple[str, dict[str, Any]]] = []

    def _add(self, hook: str, *, status: str | None = None, **arguments: Any) -> None:
        if self._observers.wants(hook):
            source = observed(self._run.record, self._run.program, self._run.now_us(), status)
            self._collected.append((hook, {"workflow_id": self._run.id, **arguments, "source": source}))

    def step_executed(self, step: str, result: object, duration_us: int | None, attempt: int = 1) -> None:
        """A step completed."""
        duration = duration_us / 1000 if duration_us is not None else None
        self._add("on_step_executed", step_name=step, result=result, duration_ms=duration, attempt=attempt)

    def step_failed(self, step: str, error: BaseException, attempt: int) -> None:
        """An attempt failed."""
        self._add("on_step_failed", step_name=step, error=error, attempt=attempt)

    def resumed(self, step: str, data: object) -> None:
        """What was waited for came."""
        self._add("on_workflow_resumed", step_name=step, resume_data=data)

    def paused(self, step: str, reason: str) -> None:
        """The workflow waits."""
        self._add("on_workflow_paused", step_name=step, reason=reason)

    async def compensation_started(self, step: str, index: int) -> None:
        """A compensation begins; told at once, because it may take long. Everything before it is committed."""
        self._add("on_compensation_started", step_name=step, step_index=index)
        self._ready += self._collected
        self._collected = []
        await self.send()

    def compensation_completed(self, step: str, error: BaseException | None, *, is_empty: bool) -> None:
        """A compensation was tried."""
        self._add("on_compensation_completed", step_name=step, success=error is None, error=error, is_empty=is_empty)

    def child_started(
        self, child: InstanceRecord, program: Program, initial_state: Callable[[], Mapping[str, Any]]
    ) -> None:
        """A child was created: its parent's event, then its own first one."""
        at_us = self._run.now_us()
        source = observed(self._run.record, self._run.program, at_us)
        given = {"parent_id": self._run.id, "child_id": str(child.workflow_id), "child_type": child.workflow_type}
        self._collected.append(("on_child_workflow_started", {**given, "source": source}))
        if self._observers.wants("on_workflow_started"):
            self._collected.append(("on_workflow_started", started(child, program, initial_state())))

    def committed(self, transition: Transition) -> None:
        """Add what the status says, and release what was collected."""
        run = self._run
        old, new = run.status, WorkflowStatus(transition.status)
        if old is not new:
            after = new.value
            self._add("on_workflow_status_changed", status=after, old_status=old.value, new_status=after)
            if new.is_waiting and new not in (WorkflowStatus.PENDING_ASYNC, WorkflowStatus.PENDING_SUB_WORKFLOW):
                self.paused(transition.current_step or "", new.value)
        if new.is_terminal:
            self._ended(transition, new)
        self._ready += self._collected
        self._collected = []

    def _ended(self, transition: Transition, status: WorkflowStatus) -> None:
        run = self._run
        if status is WorkflowStatus.COMPLETED:
            final = run.program.types.state.as_dict(run.root.scope.fields)
            duration = (transition.at_us - run.record.created_us) / 1000
            self._add("on_workflow_completed", status=status.value, final_state=final, duration_ms=duration)
            return
        leaving = run.root.ended or run.fatal
        record = leaving.error if leaving is not None else None
        error = self._exception(record) if record is not None else RuntimeError(leaving.reason if leaving else "")
        step = record.step if record is not None else None
        self._add("on_workflow_failed", status=status.value, error=error, step_name=step)

    def _exception(self, record: ErrorRecord) -> Exception:
        types = self._run.program.types
        return rebuild(record, types.dynamic, types.find_class)

    async def send(self) -> None:
        """Tell what was committed."""
        ready, self._ready = self._ready, []
        await self._observers.tell(*ready)
