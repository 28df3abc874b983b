"""`CeleryExecutionProvider`: Celery workers run queued steps; a broker tells them that there is something to do.

A message carries the ids of tasks that became due together, and nothing else. The tasks themselves are committed to the
store before it is sent, and a worker claims them there: a message that comes twice finds them claimed or gone, and what is
lost is sent again by the feeder (`Feeder`), which every `celery -A ruvon.celery_app worker` brings along. So the broker may
lose, double and reorder as it likes.
"""

import logging
import queue
import threading
from collections.abc import Collection, Sequence
from importlib import import_module
from typing import Any, Final, final

from ruvon.implementations.execution._celery_consumer import careful_consumer
from ruvon.implementations.execution._threads import THREADS, WorkerServed
from ruvon.providers import Clock, MissingExtraError, SystemClock, TaskRecord

__all__ = ["RUN_TASK", "CeleryExecutionProvider", "CeleryExecutor", "new_celery"]

_LOGGER: Final = logging.getLogger("ruvon.celery")

RUN_TASK: Final = "ruvon.run_task"
"""The name of the one Celery task; its arguments are the ids of tasks of the store."""
TOGETHER: Final = 32
"""So many tasks at most one message names."""
_LATER_US: Final = 600_000_000
"""What is due later than this is not sent ahead: a worker would keep it in memory all the time."""
_VISIBILITY_S: Final = 3_600


def new_celery(broker_url: str, namespace: str = "ruvon") -> Any:
    """A Celery application set up for Ruvon: late acknowledgement, no results, one message ahead for each process.

    Args:
        broker_url: `redis://...` or `amqp://...`.
        namespace: the name of the Celery queue.

    Raises:
        MissingExtraError: Celery is not installed.
    """
    try:
        library: Any = import_module("celery")  # an extra, and without types
    except ImportError as exc:
        raise MissingExtraError("celery", "celery") from exc
    made = library.Celery("ruvon", broker=broker_url, set_as_current=False)
    made.conf.update(
        task_default_queue=namespace,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_consumer=f"{careful_consumer.__module__}:{careful_consumer.__name__}",
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options=_transport(broker_url),
        task_publish_retry_policy={"max_retries": 2, "interval_start": 0, "interval_step": 0.2},
    )
    return made


def _transport(broker_url: str) -> dict[str, Any]:
    """Redis has no acknowledgement of its own: a message that is not confirmed in time is given to another worker."""
    if not broker_url.startswith(("redis:", "rediss:")):
        return {}
    return {"visibility_timeout": _VISIBILITY_S, "socket_timeout": 10, "socket_connect_timeout": 5}


@final
class CeleryExecutionProvider(WorkerServed):
    """Leaves queued steps to Celery workers.

    Args:
        broker_url: the broker, `redis://host:6379/0` or `amqp://user:password@host//`.
        queues: only steps of these queues; the others run inline. All where none is given.
        own_queues: queues whose tasks go to a Celery queue of their own, `ruvon.NAME`, for workers that are started with
            `-Q ruvon.NAME`. Everything else goes to the one that every worker serves, `ruvon`.
        namespace: the name of that Celery queue, and the beginning of the others': stores that share a broker need one each.
        threads: how many bodies that block run at a time in this process.
        clock: what time it is.

    Raises:
        MissingExtraError: Celery is not installed.
    """

    def __init__(
        self,
        broker_url: str = "redis://localhost:6379/0",
        *,
        queues: Collection[str] = (),
        own_queues: Collection[str] = (),
        namespace: str = "ruvon",
        threads: int = THREADS,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(queues, threads=threads)
        self.app = new_celery(broker_url, namespace)
        self._namespace = namespace
        self._own = frozenset(own_queues)
        self._clock = clock or SystemClock()
        self._letters: queue.SimpleQueue[tuple[Sequence[str], str, float] | None] = queue.SimpleQueue()
        self._sender: threading.Thread | None = None
        self._is_down = False

    def celery_queue(self, name: str) -> str:
        """The Celery queue that tasks of a queue are sent to."""
        return f"{self._namespace}.{name}" if name in self._own else self._namespace

    @property
    def celery_queues(self) -> Sequence[str]:
        """Every Celery queue that this provider sends to."""
        return [self._namespace, *(self.celery_queue(name) for name in sorted(self._own))]

    async def tasks_added(self, tasks: Sequence[TaskRecord], /) -> None:
        """Tell the broker, from a thread: a broker that is slow or down holds up no workflow."""
        now = self._clock.now_us()
        due: dict[str, list[str]] = {}
        for task in tasks:
            delay_us, name = task.available_us - now, self.celery_queue(task.queue)
            if delay_us <= 0:
                due.setdefault(name, []).append(task.task_id)
            elif delay_us <= _LATER_US:
                self.send([task.task_id], name, delay_us)
        for name, task_ids in due.items():
            for first in range(0, len(task_ids), TOGETHER):
                self.send(task_ids[first : first + TOGETHER], name)

    def send(self, task_ids: Sequence[str], celery_queue: str, delay_us: int = 0) -> None:
        """Send one message that names tasks, from a thread; one that cannot be sent is made up for by the feeder."""
        self._letters.put((task_ids, celery_queue, delay_us / 1_000_000))
        if self._sender is None or not self._sender.is_alive():
            self._sender = threading.Thread(target=self._send, name="ruvon-celery-sender", daemon=True)
            self._sender.start()

    def _send(self) -> None:
        while (letter := self._letters.get()) is not None:
            task_ids, name, delay_s = letter
            try:
                self.app.send_task(RUN_TASK, tuple(task_ids), queue=name, countdown=delay_s or None)
            except Exception as exc:  # noqa: BLE001 - each transport has its own; the feeder sends it again
                self._tell_down(exc)
            else:
                self._is_down = False

    def depth(self) -> int:
        """How many messages lie in the broker that no worker has taken yet; blocks, for a thread.

        Raises:
            Exception: the broker cannot be reached, in the words of its library.
        """
        found = 0
        with self.app.connection_for_read() as connection:
            for name in self.celery_queues:
                try:
                    found += connection.default_channel.queue_declare(queue=name, passive=True).message_count
                except connection.channel_errors:  # nobody has sent anything there yet
                    continue
        return found

    def _tell_down(self, exc: Exception) -> None:
        if not self._is_down:
            _LOGGER.warning("the broker cannot be reached; tasks are sent when it is back: %s", exc)
        self._is_down = True

    async def close(self) -> None:
        """Send what is still to be sent, and begin no further body."""
        if self._sender is not None:
            self._letters.put(None)
            self._sender.join(timeout=10)
        self.app.close()
        await super().close()


CeleryExecutor = CeleryExecutionProvider
"""The other documented name."""
