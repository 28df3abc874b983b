"""`ZombieScanner`: finds what dead processes held, and gives it to the living.

Two signs of death are looked for: the lease of a claimed task that has run out, and a heartbeat (`HeartbeatManager`)
that is older than the threshold while nobody drives its workflow. Workers look for the first themselves; the scanner is
for stores without a living worker, and for operators who want to see.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, final
from uuid import UUID

from ruvon.builder import WorkflowBuilder
from ruvon.providers import (
    PersistenceError,
    TaskFilter,
    TaskRecord,
    TaskStatus,
    WorkflowBusyError,
    WorkflowNotFoundError,
    duration_us,
)

__all__ = ["Zombie", "ZombieScanner"]

_PAGE: Final = 1_000


@final
@dataclass(frozen=True, slots=True)
class Zombie:
    """Something that a dead process left."""

    workflow_id: str
    worker_id: str
    task_id: str | None
    """The claimed task; None where a heartbeat told of it."""
    step: str | None
    silent_us: int
    """How long the process has given no sign of life, beyond its lease or since its last heartbeat."""
    outcome: str
    """`found`, or what was done: `requeued`, `dead` (the crash budget is used up), `driven`, `busy`, `gone`."""


@final
class ZombieScanner:
    """Looks for zombies, once or for ever.

    Args:
        builder: the workflows and their store.
        threshold: how old a heartbeat may be.
        interval: the pause between two scans of `run`.
    """

    def __init__(
        self,
        builder: WorkflowBuilder,
        *,
        threshold: timedelta = timedelta(seconds=60),
        interval: timedelta = timedelta(seconds=30),
    ) -> None:
        self._builder = builder
        self._store = builder.persistence
        self._clock = builder.clock
        self._engine = builder.engine()
        self._threshold = threshold
        self._interval_us = max(duration_us(interval), 1)
        self._stopped = False

    async def scan(self, *, fix: bool = False) -> Sequence[Zombie]:
        """Look once; with `fix` tasks are queued again and workflows driven, within the crash budget.

        What lives is never touched: a lease that holds, a fresh heartbeat, an instance that somebody drives.
        """
        now = self._clock.now_us()
        return [*await self._tasks(now, fix=fix), *await self._heartbeats(now, fix=fix)]

    async def run(self, told: Callable[[Sequence[Zombie]], None] | None = None) -> None:
        """Scan and mend for ever, until `stop` or until the task is cancelled; `told` gets what was found."""
        while not self._stopped:
            found = await self.scan(fix=True)
            if found and told is not None:
                told(found)
            await self._clock.sleep_us(self._interval_us)

    def stop(self) -> None:
        """Let `run` return after the scan and pause under way."""
        self._stopped = True

    async def _tasks(self, now: int, *, fix: bool) -> list[Zombie]:
        wanted = TaskFilter(statuses=(TaskStatus.CLAIMED,), lease_before_us=now + 1)
        expired = await self._store.find_tasks(wanted, limit=_PAGE)
        outcomes: dict[str, str] = {}
        if fix and expired:
            reaped = await self._store.reap_tasks(now, crash_budget=self._engine.crash_budget, limit=_PAGE)
            for task in reaped:
                outcomes[task.task_id] = "dead" if task.status == TaskStatus.DEAD else "requeued"
                if task.status == TaskStatus.DEAD:
                    await self._engine.poke(task.workflow_id)
        return [_of_task(task, now, outcomes.get(task.task_id, "gone" if fix else "found")) for task in expired]

    async def _heartbeats(self, now: int, *, fix: bool) -> list[Zombie]:
        found: list[Zombie] = []
        for row in await self._store.scan_stale_heartbeats(self._threshold.total_seconds()):
            outcome = await self._take_over(row) if fix else "found"
            silent = now - int(row["heartbeat_us"])
            found.append(
                Zombie(str(row["workflow_id"]), str(row["worker_id"]), None, row["current_step"], silent, outcome)
            )
        return found

    async def _take_over(self, row: dict[str, Any]) -> str:
        """Drive the workflow of a stale heartbeat, if nobody does."""
        workflow_id = UUID(str(row["workflow_id"]))
        try:
            await self._engine.drive(workflow_id, died=True)
        except WorkflowBusyError:
            return "busy"
        except WorkflowNotFoundError:
            outcome = "gone"
        except PersistenceError:
            return "found"
        else:
            outcome = "driven"
        await self._store.remove_heartbeat(workflow_id, str(row["worker_id"]))
        return outcome


def _of_task(task: TaskRecord, now: int, outcome: str) -> Zombie:
    return Zombie(
        str(task.workflow_id), task.worker_id or "", task.task_id, task.activation, now - task.lease_us, outcome
    )
