"""An observer that tells what happens while a command drives a workflow, and keeps the times that steps took."""

import sys
from contextlib import AbstractContextManager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING, Any

from ruvon.cli._output import secho

if TYPE_CHECKING:
    from ruvon.cli._provider import Provider
    from ruvon.providers import ObservedWorkflow

__all__ = ["Narrator"]

_RESULT_WIDTH = 60


class Narrator:
    """Prints a line for each thing that happened; silent where the output is JSON.

    Args:
        quiet: print nothing, only keep the times.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self.workflow_id: str | None = None
        """The workflow that the command is about; others are its children."""
        self._times: list[tuple[str, str, float]] = []

    async def on_workflow_started(self, workflow_id: str, workflow_type: str, source: "ObservedWorkflow") -> None:
        """Remember the first one that is no child: it is what the command is about."""
        if self.workflow_id is None and source.parent_id is None:
            self.workflow_id = workflow_id
            self._say(workflow_id, "created", f"{workflow_type} {workflow_id}")

    async def on_step_executed(self, workflow_id: str, step_name: str, result: Any, duration_ms: float | None) -> None:
        """A step completed."""
        took = ""
        if duration_ms is not None:
            self._times.append((workflow_id, step_name, duration_ms))
            took = f" ({duration_ms:.1f} ms)"
        self._say(workflow_id, "done", f"{step_name}{took}{_short(result)}", fg="green")

    async def on_step_failed(self, workflow_id: str, step_name: str, error: BaseException, attempt: int) -> None:
        """An attempt failed."""
        self._say(workflow_id, "failed", f"{step_name}, attempt {attempt}: {type(error).__name__}: {error}", fg="red")

    async def on_workflow_paused(self, workflow_id: str, step_name: str, reason: str) -> None:
        """It waits."""
        self._say(workflow_id, "waits", f"{step_name} ({reason})", fg="yellow")

    async def on_workflow_resumed(self, workflow_id: str, step_name: str) -> None:
        """What it waited for came."""
        self._say(workflow_id, "resumed", step_name)

    async def on_compensation_completed(
        self, workflow_id: str, step_name: str, success: bool, error: BaseException | None, is_empty: bool
    ) -> None:
        """A compensation was tried."""
        if is_empty:
            self._say(workflow_id, "no undo", f"{step_name} (it had done nothing that could be undone)")
        elif success:
            self._say(workflow_id, "undone", step_name, fg="yellow")
        else:
            self._say(workflow_id, "not undone", f"{step_name}: {error}", fg="red")

    async def on_child_workflow_started(self, parent_id: str, child_id: str, child_type: str) -> None:
        """A child was created."""
        self._say(parent_id, "child", f"{child_type} {child_id}")

    def _say(self, workflow_id: str, word: str, text: str, **style: Any) -> None:
        if self.quiet:
            return
        inside = "" if workflow_id == (self.workflow_id or workflow_id) else "  "
        try:
            secho(f"{inside}{word:<8} {text}", **style)
        except BrokenPipeError:
            self.quiet = True  # the reader has gone; the workflow goes on

    def apart(self) -> AbstractContextManager[object]:
        """While JSON is wanted on standard output, what step functions print goes to standard error."""
        return redirect_stdout(sys.stderr) if self.quiet else nullcontext()

    async def store(self, provider: "Provider") -> None:
        """Write the times that steps took as metrics."""
        times, self._times = self._times, []
        for workflow_id, step, duration_ms in times:
            await provider.record_metric(workflow_id, step, "duration_ms", duration_ms)


def _short(result: object) -> str:
    """A step's result, masked and cut."""
    from ruvon.cli._output import to_json  # noqa: PLC0415
    from ruvon.ir.values import mask  # noqa: PLC0415

    if result is None or result == {}:
        return ""
    text = to_json(mask(result), indent=False)
    return f" -> {text}" if len(text) <= _RESULT_WIDTH else f" -> {text[:_RESULT_WIDTH]}..."
