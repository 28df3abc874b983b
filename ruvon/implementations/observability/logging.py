"""`LoggingObserver`: one JSON object a line, through the standard `logging`.

Values of results and states are not logged: they may hold what nobody should read in a log.
"""

import logging
from collections.abc import Mapping
from typing import Any, Final, final

import orjson

from ruvon.providers.observer import WorkflowObserver

__all__ = ["LoggingObserver"]

_LEVELS: Final = {"step_failed": logging.WARNING, "workflow_failed": logging.ERROR}


@final
class LoggingObserver(WorkflowObserver):
    """Logs every event as JSON with the workflow's id and, where there is one, the step.

    Args:
        logger: where to log; `ruvon.workflows` where none is given.
        level: the level of ordinary events; failures have their own.
    """

    def __init__(self, logger: logging.Logger | None = None, level: int = logging.INFO) -> None:
        self._logger = logger if logger is not None else logging.getLogger("ruvon.workflows")
        self._level = level

    def _log(self, event: str, workflow_id: str, **fields: Any) -> None:
        level = _LEVELS.get(event, self._level)
        if self._logger.isEnabledFor(level):
            tree = {"event": event, "workflow_id": workflow_id, **{k: v for k, v in fields.items() if v is not None}}
            self._logger.log(level, "%s", orjson.dumps(tree, default=str).decode())

    async def on_workflow_started(
        self, workflow_id: str, workflow_type: str, initial_state: Mapping[str, Any] | None = None
    ) -> None:
        """A workflow was created."""
        self._log("workflow_started", workflow_id, workflow_type=workflow_type)

    async def on_step_executed(
        self, workflow_id: str, step_name: str, result: Any, duration_ms: float | None = None
    ) -> None:
        """A step completed."""
        self._log("step_executed", workflow_id, step=step_name, duration_ms=duration_ms)

    async def on_step_failed(self, workflow_id: str, step_name: str, error: BaseException, attempt: int = 1) -> None:
        """An attempt failed."""
        self._log("step_failed", workflow_id, step=step_name, error=_named(error), attempt=attempt)

    async def on_workflow_completed(
        self, workflow_id: str, final_state: Mapping[str, Any] | None = None, duration_ms: float | None = None
    ) -> None:
        """A workflow ended well."""
        self._log("workflow_completed", workflow_id, duration_ms=duration_ms)

    async def on_workflow_failed(self, workflow_id: str, error: BaseException, step_name: str | None = None) -> None:
        """A workflow failed."""
        self._log("workflow_failed", workflow_id, step=step_name, error=_named(error))

    async def on_workflow_status_changed(self, workflow_id: str, old_status: str, new_status: str) -> None:
        """The status changed."""
        self._log("status_changed", workflow_id, old=old_status, new=new_status)

    async def on_workflow_paused(self, workflow_id: str, step_name: str, reason: str) -> None:
        """A workflow waits."""
        self._log("workflow_paused", workflow_id, step=step_name, reason=reason)

    async def on_workflow_resumed(
        self, workflow_id: str, step_name: str, resume_data: Mapping[str, Any] | None = None
    ) -> None:
        """What it waited for came."""
        self._log("workflow_resumed", workflow_id, step=step_name)

    async def on_compensation_started(self, workflow_id: str, step_name: str, step_index: int = 0) -> None:
        """A step is about to be undone."""
        self._log("compensation_started", workflow_id, step=step_name, index=step_index)

    async def on_compensation_completed(
        self, workflow_id: str, step_name: str, success: bool = True, error: BaseException | None = None
    ) -> None:
        """A compensation was tried."""
        failure = _named(error) if error is not None else None
        self._log("compensation_completed", workflow_id, step=step_name, success=success, error=failure)

    async def on_child_workflow_started(self, parent_id: str, child_id: str, child_type: str) -> None:
        """A child was created."""
        self._log("child_started", parent_id, child_id=child_id, child_type=child_type)


def _named(error: BaseException) -> str:
    """The class and text of an error."""
    return f"{type(error).__qualname__}: {error}"
