"""Bodies that block, in threads of a pool of their own."""

import asyncio
import contextvars
import inspect
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from ruvon.implementations.execution._dispatch import Dispatching

__all__ = ["THREADS", "Threaded", "WorkerServed"]

THREADS: Final = 64


class Threaded(Dispatching):
    """Runs blocking bodies in a pool of threads.

    Args:
        threads: how many bodies at a time.
    """

    def __init__(self, threads: int) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="ruvon-body")

    async def call_blocking(self, function: Callable[[], Any], /) -> Any:
        """Run a blocking body in a thread of its own, with the caller's context variables."""
        context = contextvars.copy_context()
        made = await asyncio.get_running_loop().run_in_executor(self._pool, context.run, function)
        return await made if inspect.isawaitable(made) else made

    async def close(self) -> None:
        """Begin no further body; those that run come to their end."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class WorkerServed(Threaded):
    """Leaves queued steps to workers, which claim them from the queue of the store.

    Args:
        queues: only steps of these queues; the others run inline. All where none is given.
        threads: how many bodies that block run at a time in this process; a worker needs one for each of its slots.
    """

    def __init__(self, queues: Collection[str] = (), *, threads: int = THREADS) -> None:
        super().__init__(threads)
        self._queues = frozenset(queues)

    def runs_queued(self, queue: str, /) -> bool:
        """Yes, unless only other queues were named."""
        return not self._queues or queue in self._queues
