"""`SyncExecutionProvider`: everything runs inline, in the process and on the loop of whoever drives the workflow.

For development, tests and devices. Queued steps are not queued; children are driven by their parent's drive; a
dispatched function has ended when its id is known.
"""

from typing import final

from ruvon.implementations.execution._dispatch import Dispatching

__all__ = ["SyncExecutionProvider", "SyncExecutor"]


@final
class SyncExecutionProvider(Dispatching):
    """Runs step bodies inline; bodies that block run in a thread."""


SyncExecutor = SyncExecutionProvider
"""The other documented name."""
