"""An observer: a journal of payments, one line for each step, in the file that RUVON_STRIPE_JOURNAL names."""

import os
from pathlib import Path

from ruvon.providers.observer import WorkflowObserver

__all__ = ["PaymentJournal"]


class PaymentJournal(WorkflowObserver):
    """Appends a line for each step and each end; does nothing where no file is named."""

    def __init__(self) -> None:
        named = os.environ.get("RUVON_STRIPE_JOURNAL")
        self._file = Path(named) if named else None

    async def on_step_executed(
        self, workflow_id: str, step_name: str, result: object, duration_ms: float | None = None
    ) -> None:
        """A step is committed."""
        self._write(f"step {step_name}")

    async def on_workflow_status_changed(self, workflow_id: str, old_status: str, new_status: str) -> None:
        """The status is another one."""
        self._write(f"{old_status} -> {new_status}")

    def _write(self, line: str) -> None:
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
