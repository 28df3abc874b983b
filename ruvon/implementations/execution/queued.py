"""`QueuedExecutionProvider`: steps with a queue go to workers (`ruvon worker`), through the queue of the store.

Everything else runs where the workflow is driven. The store is all that applications and workers share; there is no
broker.
"""

import asyncio
import contextvars
import inspect
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, final

from ruvon.implementations.execution._inline import InlineExecution

__all__ = ["QueuedExecutionProvider"]

_THREADS: Final = 64


@final
class QueuedExecutionProvider(InlineExecution):
    """Leaves queued steps to workers.

    Args:
        queues: only steps of these queues; the others run inline. All where none is given.
        threads: how many bodies that block run at a time in this process; a worker needs one for each of its slots.
    """

    def __init__(self, queues: Collection[str] = (), *, threads: int = _THREADS) -> None:
        super().__init__()
        self._queues = frozenset(queues)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="ruvon-body")

    def runs_queued(self, queue: str, /) -> bool:
        """Yes, unless only other queues were named."""
        return not self._queues or queue in self._queues

    async def call_blocking(self, function: Callable[[], Any], /) -> Any:
        """Run a blocking body in a thread of its own, with the caller's context variables."""
        context = contextvars.copy_context()
        made = await asyncio.get_running_loop().run_in_executor(self._pool, context.run, function)
        return await made if inspect.isawaitable(made) else made

    async def close(self) -> None:
        """Begin no further body; those that run come to their end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
