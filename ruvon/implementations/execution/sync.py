"""`SyncExecutionProvider`: everything runs inline, in the process and on the loop of whoever drives the workflow.

For development, tests and devices. Queued steps are not queued; children are driven by their parent's drive.
"""

from typing import final

from ruvon.implementations.execution._inline import InlineExecution

__all__ = ["SyncExecutionProvider", "SyncExecutor"]


@final
class SyncExecutionProvider(InlineExecution):
    """Runs step bodies inline; bodies that block run in a thread."""

    def runs_queued(self, queue: str, /) -> bool:
        """No: the holder runs queued work itself."""
        return False


SyncExecutor = SyncExecutionProvider
"""The other documented name."""
