"""The Celery application of Ruvon: `celery -A ruvon.celery_app worker` is a worker for queued steps.

It is configured as every command of `ruvon` is: `RUVON_DB_URL`, `RUVON_WORKFLOWS`, `RUVON_IMPORT_ROOTS`, or the config
file. Beside these: `RUVON_CELERY_BROKER_URL` names the broker (Redis on this machine where it does not),
`RUVON_CELERY_NAMESPACE` the Celery queue (`ruvon`), `RUVON_CELERY_OWN_QUEUES` the queues that have Celery queues of their
own, `RUVON_WORKER_LEASE` says after how many seconds without a sign of life a process counts as dead (30), and
`RUVON_CELERY_BATCH` how many tasks a process may do at a time, once a message has woken it (32): more than the one that
the message names only while they are brief.

Each process of the pool opens the store when its first task comes. The main process runs what there must be once: timers
and schedules, and the feeder, which sends what the broker has lost; where the observer `prometheus` is set, it serves the
metrics of all processes of the pool. The pools `prefork`, `threads` and `solo` are served;
`gevent` and `eventlet` are not, because asyncio does not run under them.
"""

import asyncio
import contextlib
import logging
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast, final

from ruvon._bridge import run_coroutine_sync
from ruvon.cli._output import Exit, fail
from ruvon.cli._session import Session, Store, opened
from ruvon.cli._settings import setting
from ruvon.implementations.execution._ahead import Ahead
from ruvon.implementations.execution._named import broker_url, namespace
from ruvon.implementations.execution.celery import RUN_TASK, TOGETHER, CeleryExecutionProvider, new_celery
from ruvon.implementations.observability._together import FOLDER
from ruvon.providers import Clock, SystemClock
from ruvon.scheduler import Scheduler
from ruvon.worker import Feeder, Worker

__all__ = ["app"]

_LOGGER: Final = logging.getLogger("ruvon.celery")
_LEASE: Final = "RUVON_WORKER_LEASE"
_BATCH: Final = "RUVON_CELERY_BATCH"
_START_S: Final = 60
_STOP_S: Final = 60
_TASK_ID: Final = re.compile(r"[!-~]{1,200}")
"""Longer than any is, without blanks."""

app: Any = new_celery(broker_url(), namespace())
"""What `celery -A ruvon.celery_app` loads."""


@final
class _Metrics:
    """What the processes of a pool need to count into one: a folder of theirs, and one of them that serves."""

    def __init__(self) -> None:
        self._own: Path | None = None

    def prepare(self) -> None:
        """Before the pool forks: name the folder, unless the environment does."""
        wanted = [item.strip() for item in (setting("observers") or "").split(",")]
        if "prometheus" not in wanted or FOLDER in os.environ:
            return
        if "prometheus_client" in sys.modules:  # it has looked for the folder when it was imported
            _LOGGER.warning("set %s: the metrics of the pool's processes are not collected", FOLDER)
            return
        self._own = Path(tempfile.mkdtemp(prefix="ruvon-metrics-"))
        os.environ[FOLDER] = str(self._own)

    def forget(self) -> None:
        """Delete the folder, where it is not one of the environment's."""
        if self._own is not None:
            shutil.rmtree(self._own, ignore_errors=True)

    @staticmethod
    def only_count() -> None:
        """In a process of the pool: the main process serves."""
        os.environ["RUVON_METRICS_PORT"] = "none"


@final
@dataclass(frozen=True, slots=True)
class _Open:
    """An open store: who does its tasks in this process, how many at a time, and who passes them on."""

    worker: Worker
    ahead: Ahead
    execution: CeleryExecutionProvider


@final
class _Service:
    """What a process needs to do tasks: an open store, a builder, a pulse."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: _Open | None = None
        self._clock: Clock = SystemClock()
        self._stack: AsyncExitStack | None = None

    def do(self, task_ids: Sequence[str], celery_queue: str) -> None:
        """Do tasks of the store, and others beside them; those that are not to be had are left alone.

        Args:
            task_ids: the tasks that a message names.
            celery_queue: where what this process does not do at once is passed on to.
        """
        found, waiting = self._opened(), task_ids
        while waiting:
            own, others = found.ahead.share(waiting)
            for part in others:
                found.execution.send(part, celery_queue)
            if not own:
                return
            begun = self._clock.monotonic_us()
            done = run_coroutine_sync(found.worker.take(own[0], more=found.ahead.more))
            if done:
                found.ahead.took(done, self._clock.monotonic_us() - begun)
            else:
                _LOGGER.debug("the task %s is done, withdrawn, or in other hands", own[0])
            waiting = own[1:]

    def _opened(self) -> _Open:
        """The store of this process; the first call opens it."""
        with self._lock:
            if self._found is None:
                self._found = run_coroutine_sync(self._open(), _START_S)
            return self._found

    async def _open(self) -> _Open:
        stack = AsyncExitStack()
        async with stack:
            session = await stack.enter_async_context(opened(Store(), create=True, execution="celery", serves=True))
            worker = Worker(session.builder, lease=_lease(), concurrency=_batch(), schedules=False)
            await stack.enter_async_context(worker.serving())
            self._stack = stack.pop_all()
        return _Open(worker, Ahead(_batch()), _celery_of(session))

    def close(self) -> None:
        """Give back what is claimed, and close the store."""
        with self._lock:
            stack, self._stack, self._found = self._stack, None, None
        if stack is not None:
            run_coroutine_sync(stack.aclose(), _STOP_S)


@final
class _Caretaker:
    """What the main process does: timers and schedules, and feeding the broker."""

    def __init__(self) -> None:
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the background loop."""
        run_coroutine_sync(self._start(), _START_S)

    async def _start(self) -> None:
        self._task = asyncio.create_task(self._work(), name="ruvon-celery-caretaker")

    async def _work(self) -> None:
        try:
            async with (
                opened(Store(), create=True, execution="celery", serves=True) as session,
                asyncio.TaskGroup() as group,
            ):
                session.builder.engine().waits_for_timers = False
                group.create_task(Scheduler(session.builder).run())
                group.create_task(_feeder(session).run())
        except (Exception, SystemExit):  # the worker goes on without; another one may feed
            _LOGGER.exception("timers, schedules and the feeder have stopped in this process")

    def stop(self) -> None:
        """End it."""
        if self._task is not None:
            run_coroutine_sync(self._stop(self._task), _STOP_S)
            self._task = None

    async def _stop(self, task: "asyncio.Task[None]") -> None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _celery_of(session: Session) -> CeleryExecutionProvider:
    return cast("CeleryExecutionProvider", session.builder.execution)


def _feeder(session: Session) -> Feeder:
    return Feeder(session.builder, depth=_celery_of(session).depth)


def _lease() -> timedelta:
    given = os.environ.get(_LEASE, "30")
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if seconds <= 0:
        fail(f"{_LEASE} is `{given}`; it is a number of seconds above 0", Exit.USAGE)
    return timedelta(seconds=seconds)


def _batch() -> int:
    given = os.environ.get(_BATCH, "32")
    if not given.isdecimal() or int(given) < 1:
        fail(f"{_BATCH} is `{given}`; it is a whole number of at least 1", Exit.USAGE)
    return int(given)


_SERVICE: Final = _Service()
_CARETAKER: Final = _Caretaker()
_METRICS: Final = _Metrics()


def _run_task(message: Any, *task_ids: object) -> None:
    """Do the tasks of the store that a message names; one that none of ours has sent is let go."""
    named = [item for item in task_ids if isinstance(item, str) and _TASK_ID.fullmatch(item)]
    if len(named) < len(task_ids) or len(named) > TOGETHER:
        _LOGGER.warning("a message that names no tasks, or more than %d, is let go", TOGETHER)
        return
    came_by: dict[str, Any] = message.request.delivery_info or {}  # a call without a broker has none
    _SERVICE.do(named, str(came_by.get("routing_key") or namespace()))


async def _check() -> None:
    """Open the store and the workflows once: what is wrong with them is told before the pool starts."""
    async with opened(Store(), create=True, execution="celery", serves=True):
        _lease()
        _batch()


def _on_init(**_: object) -> None:
    _METRICS.prepare()
    asyncio.run(_check())


def _on_ready(**_: object) -> None:
    _CARETAKER.start()


def _on_shutdown(**_: object) -> None:
    _CARETAKER.stop()
    _SERVICE.close()
    _METRICS.forget()


def _on_process_init(**_: object) -> None:
    _METRICS.only_count()


def _on_process_shutdown(**_: object) -> None:
    _SERVICE.close()


app.task(name=RUN_TASK, bind=True)(_run_task)
_signals: Any = import_module("celery.signals")
_signals.worker_init.connect(_on_init)
_signals.worker_ready.connect(_on_ready)
_signals.worker_shutdown.connect(_on_shutdown)
_signals.worker_process_init.connect(_on_process_init)
_signals.worker_process_shutdown.connect(_on_process_shutdown)
