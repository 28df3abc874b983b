"""Structured logs: `LoggingObserver` for what happens to workflows, `WorkflowLogFilter` for the lines that steps log.

Values of results and states are not logged: they may hold what nobody should read in a log. While a step or a compensation
runs under a `LoggingObserver`, its workflow, step and attempt are bound to the context (and so to every task and thread that
the step starts); `WorkflowLogFilter` puts them on each record that passes it, whoever logged it.
"""

import inspect
import logging
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast, final

import orjson

from ruvon.providers.observer import ObservedWorkflow, WorkflowObserver

if TYPE_CHECKING:
    from ruvon.engine import StepCall

__all__ = ["JsonLogFormatter", "LoggingObserver", "WorkflowLogFilter", "bound_ids"]

_LEVELS: Final = {"step_failed": logging.WARNING, "workflow_failed": logging.ERROR}
_BOUND: Final[ContextVar[Mapping[str, object]]] = ContextVar("ruvon_log_ids")
_FIELDS: Final = "ruvon_fields"
"""The attribute of a record that holds its structured fields."""


def bound_ids() -> Mapping[str, object]:
    """The `workflow_id`, `workflow_type`, `step` and `attempt` of the step that runs here; empty outside of steps."""
    return _BOUND.get({})


@contextmanager
def _bind(call: "StepCall") -> Generator[None]:
    ids = {
        "workflow_id": call.workflow_id,
        "workflow_type": call.workflow_type,
        "step": call.step,
        "attempt": call.attempt,
    }
    token = _BOUND.set({**ids, "compensates": True} if call.compensates else ids)
    try:
        yield
    finally:
        _BOUND.reset(token)


@final
class WorkflowLogFilter(logging.Filter):
    """Lets every record pass, with `workflow_id`, `workflow_type`, `step` and `attempt` as attributes (None outside steps).

    Give it to handlers, not to loggers: a handler's filter sees the records of every logger.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Put the ids on a record that has none yet."""
        given = getattr(record, _FIELDS, None)
        fields = cast("Mapping[str, object]", given) if given is not None else bound_ids()
        for name in ("workflow_id", "workflow_type", "step", "attempt"):
            if not hasattr(record, name):
                setattr(record, name, fields.get(name))
        if given is None and fields:
            setattr(record, _FIELDS, fields)
        return True


@final
class JsonLogFormatter(logging.Formatter):
    """One JSON object a line: `time` (UTC, ISO 8601), `level`, `logger`, `message`, and the ids of the step or event."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record; an exception is in `exception`, with its traceback."""
        tree: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        given = getattr(record, _FIELDS, None)
        tree.update(cast("Mapping[str, object]", given) if given is not None else bound_ids())
        if record.exc_info:
            tree["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(tree, default=str, option=orjson.OPT_NON_STR_KEYS).decode()


@final
class LoggingObserver(WorkflowObserver):
    """Logs every event with the workflow's id and type and, where there is one, the step.

    Each record has its fields as structured data too: `WorkflowLogFilter` makes attributes of the ids, and
    `JsonLogFormatter` writes all of them.

    Args:
        logger: where to log; `ruvon.workflows` where none is given.
        level: the level of ordinary events; failures have their own.
        json: the message is a JSON object; else it is text for people, as `step_executed step=pay duration_ms=3.1`.
    """

    def __init__(self, logger: logging.Logger | None = None, level: int = logging.INFO, *, json: bool = True) -> None:
        self._logger = logger if logger is not None else logging.getLogger("ruvon.workflows")
        self._level = level
        self._json = json

    def intercept_step(self, call: "StepCall", proceed: Callable[[], Any]) -> Any:
        """Bind the ids of a step while its body runs."""
        with _bind(call):
            made = proceed()
        return _awaited(call, made) if inspect.isawaitable(made) else made

    def _log(self, event: str, workflow_id: str, source: ObservedWorkflow | None, **fields: Any) -> None:
        level = _LEVELS.get(event, self._level)
        if not self._logger.isEnabledFor(level):
            return
        tree: dict[str, Any] = {"event": event, "workflow_id": workflow_id}
        if source is not None:
            tree["workflow_type"] = source.workflow_type
        tree |= {name: value for name, value in fields.items() if value is not None}
        if self._json:
            text = orjson.dumps(tree, default=str).decode()
        else:
            text = " ".join([event, *(f"{name}={value}" for name, value in tree.items() if name != "event")])
        self._logger.log(level, "%s", text, extra={_FIELDS: tree})

    async def on_workflow_started(
        self,
        workflow_id: str,
        workflow_type: str,
        initial_state: Mapping[str, Any] | None = None,
        *,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """A workflow was created."""
        self._log("workflow_started", workflow_id, source, workflow_type=workflow_type)

    async def on_step_executed(
        self,
        workflow_id: str,
        step_name: str,
        result: Any,
        duration_ms: float | None = None,
        *,
        attempt: int | None = None,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """A step completed."""
        self._log("step_executed", workflow_id, source, step=step_name, duration_ms=duration_ms, attempt=attempt)

    async def on_step_failed(
        self,
        workflow_id: str,
        step_name: str,
        error: BaseException,
        attempt: int = 1,
        *,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """An attempt failed."""
        self._log("step_failed", workflow_id, source, step=step_name, error=_named(error), attempt=attempt)

    async def on_workflow_completed(
        self,
        workflow_id: str,
        final_state: Mapping[str, Any] | None = None,
        duration_ms: float | None = None,
        *,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """A workflow ended well."""
        self._log("workflow_completed", workflow_id, source, duration_ms=duration_ms)

    async def on_workflow_failed(
        self,
        workflow_id: str,
        error: BaseException,
        step_name: str | None = None,
        *,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """A workflow failed."""
        self._log("workflow_failed", workflow_id, source, step=step_name, error=_named(error))

    async def on_workflow_status_changed(
        self, workflow_id: str, old_status: str, new_status: str, *, source: ObservedWorkflow | None = None
    ) -> None:
        """The status changed."""
        self._log("status_changed", workflow_id, source, old=old_status, new=new_status)

    async def on_workflow_paused(
        self, workflow_id: str, step_name: str, reason: str, *, source: ObservedWorkflow | None = None
    ) -> None:
        """A workflow waits."""
        self._log("workflow_paused", workflow_id, source, step=step_name, reason=reason)

    async def on_workflow_resumed(
        self, workflow_id: str, step_name: str, resume_data: Any = None, *, source: ObservedWorkflow | None = None
    ) -> None:
        """What it waited for came."""
        self._log("workflow_resumed", workflow_id, source, step=step_name)

    async def on_compensation_started(
        self, workflow_id: str, step_name: str, step_index: int = 0, *, source: ObservedWorkflow | None = None
    ) -> None:
        """A step is about to be undone."""
        self._log("compensation_started", workflow_id, source, step=step_name, index=step_index)

    async def on_compensation_completed(
        self,
        workflow_id: str,
        step_name: str,
        success: bool = True,
        error: BaseException | None = None,
        is_empty: bool = False,
        *,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """A compensation was tried."""
        failure = _named(error) if error is not None else None
        details = {"step": step_name, "success": success, "is_empty": is_empty or None, "error": failure}
        self._log("compensation_completed", workflow_id, source, **details)

    async def on_child_workflow_started(
        self, parent_id: str, child_id: str, child_type: str, *, source: ObservedWorkflow | None = None
    ) -> None:
        """A child was created."""
        self._log("child_started", parent_id, source, child_id=child_id, child_type=child_type)


async def _awaited(call: "StepCall", made: Awaitable[Any]) -> Any:
    with _bind(call):
        return await made


def _named(error: BaseException) -> str:
    """The class and text of an error."""
    return f"{type(error).__qualname__}: {error}"
