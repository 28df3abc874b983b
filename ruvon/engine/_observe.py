"""Observers: told what happened after it was committed, and never able to harm a workflow.

Which hooks an observer has, and which arguments they take, is looked at once, when it is registered. A run without
interested observers collects nothing. A hook has a few seconds; one that needs more is cancelled, and its observer, which
would hold up every further commit, is told nothing more.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, final

from ruvon.engine._error_records import ErrorRecord, rebuild
from ruvon.models import WorkflowStatus
from ruvon.providers import Transition, WorkflowObserver
from ruvon.providers.observer import HOOKS

if TYPE_CHECKING:
    from ruvon.engine._run import Run

__all__ = ["Notices", "Observers"]

_LOGGER: Final = logging.getLogger("ruvon.observers")
_PATIENCE_S: Final = 5.0
"""Seconds that a hook may take, on the loop's clock."""


class _HungError(Exception):
    """A hook took too long."""


class _CancelledItselfError(Exception):
    """A hook ended as if it had been cancelled, though nobody did that."""


@final
class _Hook:
    """One hook of one observer, with the arguments that it takes."""

    __slots__ = ("accepts", "call", "observer", "takes_all")

    def __init__(self, observer: object, call: Callable[..., Any]) -> None:
        self.observer = observer
        self.call = call
        parameters = inspect.signature(call).parameters.values()
        self.accepts = frozenset(item.name for item in parameters)
        self.takes_all = any(item.kind is item.VAR_KEYWORD for item in parameters)

    async def __call__(self, arguments: Mapping[str, Any]) -> None:
        fitting = arguments if self.takes_all else {k: v for k, v in arguments.items() if k in self.accepts}
        made = self.call(**fitting)
        if inspect.isawaitable(made):
            await _in_time(made)


async def _in_time(made: Awaitable[object]) -> None:
    """Await a hook in a task of its own, so that nothing it does to its task reaches the drive."""
    task = asyncio.ensure_future(made)
    try:
        done, _ = await asyncio.wait((task,), timeout=_PATIENCE_S)
    finally:
        if not task.done():
            task.cancel()
    if not done:
        raise _HungError
    if task.cancelled():
        raise _CancelledItselfError
    task.result()


@final
class Observers:
    """All registered observers, by hook."""

    def __init__(self, observers: Sequence[object] = ()) -> None:
        self._hooks: dict[str, list[_Hook]] = {name: [] for name in HOOKS}
        for observer in observers:
            self.add(observer)

    def add(self, observer: object) -> None:
        """Register an observer; hooks that it inherits as no-ops from the base class are left out."""
        for name in HOOKS:
            call = getattr(observer, name, None)
            own = getattr(type(observer), name, None)
            if call is not None and own is not getattr(WorkflowObserver, name):
                self._hooks[name].append(_Hook(observer, call))

    def wants(self, hook: str) -> bool:
        """Whether anybody has this hook."""
        return bool(self._hooks[hook])

    def notices(self, run: "Run") -> "Notices | None":
        """Where a run collects what is to be told, or None where nobody listens."""
        return Notices(self, run) if any(self._hooks.values()) else None

    async def tell(self, hook: str, arguments: Mapping[str, Any]) -> None:
        """Call a hook of every observer that has it; what one raises is logged."""
        for call in tuple(self._hooks[hook]):
            try:
                await call(arguments)
            except _HungError:
                self._drop(call.observer)
                text = "the observer %s did not return from %s within %g seconds; it is told nothing more"
                _LOGGER.error(text, type(call.observer).__name__, hook, _PATIENCE_S)  # noqa: TRY400 - it raised nothing
            except Exception:  # an observer must never touch a workflow
                _LOGGER.exception("the observer %s failed in %s", type(call.observer).__name__, hook)

    def _drop(self, observer: object) -> None:
        for hooks in self._hooks.values():
            hooks[:] = [hook for hook in hooks if hook.observer is not observer]


@final
class Notices:
    """What observers of one run are to be told with the next commit."""

    def __init__(self, observers: Observers, run: "Run") -> None:
        self._observers = observers
        self._run = run
        self._collected: list[tuple[str, dict[str, Any]]] = []
        self._ready: list[tuple[str, dict[str, Any]]] = []

    def _add(self, hook: str, **arguments: Any) -> None:
        if self._observers.wants(hook):
            self._collected.append((hook, {"workflow_id": self._run.id, **arguments}))

    def step_executed(self, step: str, result: object, duration_us: int | None) -> None:
        """A step completed."""
        duration = duration_us / 1000 if duration_us is not None else None
        self._add("on_step_executed", step_name=step, result=result, duration_ms=duration)

    def step_failed(self, step: str, error: BaseException, attempt: int) -> None:
        """An attempt failed."""
        self._add("on_step_failed", step_name=step, error=error, attempt=attempt)

    def resumed(self, step: str, data: object) -> None:
        """What was waited for came."""
        self._add("on_workflow_resumed", step_name=step, resume_data=data)

    def paused(self, step: str, reason: str) -> None:
        """The workflow waits."""
        self._add("on_workflow_paused", step_name=step, reason=reason)

    def compensation_started(self, step: str, index: int) -> None:
        """A compensation begins; told at once, because it may take long."""
        self._add("on_compensation_started", step_name=step, step_index=index)

    def compensation_completed(self, step: str, error: BaseException | None) -> None:
        """A compensation was tried."""
        self._add("on_compensation_completed", step_name=step, success=error is None, error=error)

    def child_started(self, child_id: str, child_type: str) -> None:
        """A child was created."""
        if self._observers.wants("on_child_workflow_started"):
            given = {"parent_id": self._run.id, "child_id": child_id, "child_type": child_type}
            self._collected.append(("on_child_workflow_started", given))

    def committed(self, transition: Transition) -> None:
        """Add what the status says, and release what was collected."""
        run = self._run
        old, new = run.status, WorkflowStatus(transition.status)
        if old is not new:
            self._add("on_workflow_status_changed", old_status=old.value, new_status=new.value)
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
            self._add("on_workflow_completed", final_state=final, duration_ms=duration)
            return
        leaving = run.root.ended or run.fatal
        record = leaving.error if leaving is not None else None
        error = self._exception(record) if record is not None else RuntimeError(leaving.reason if leaving else "")
        self._add("on_workflow_failed", error=error, step_name=record.step if record is not None else None)

    def _exception(self, record: ErrorRecord) -> Exception:
        types = self._run.program.types
        return rebuild(record, types.dynamic, types.find_class)

    async def send(self) -> None:
        """Tell what was committed."""
        ready, self._ready = self._ready, []
        for hook, arguments in ready:
            await self._observers.tell(hook, arguments)
