"""`QueuedExecutionProvider`: steps with a queue go to workers (`ruvon worker`), through the queue of any store.

Everything else runs where the workflow is driven. The store is all that applications and workers share; there is no
broker.
"""

from typing import final

from ruvon.implementations.execution._threads import WorkerServed

__all__ = ["QueuedExecutionProvider"]


@final
class QueuedExecutionProvider(WorkerServed):
    """Leaves queued steps to the workers of the store."""
