"""Limits of queues, kept as the claims and starts that they are about."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from ruvon.implementations.persistence.memory._tables import Tables
from ruvon.providers import QueueLimits, QueueLoad, TaskKind, TaskRecord, TaskStatus
from ruvon.providers._limits import Gate, Starts, check_limits, opening

__all__ = ["Limits"]


class Limits(Tables):
    """Which queues have limits, and what those let through."""

    async def put_limits(self, limits: QueueLimits, /) -> None:
        """Give a queue these limits."""
        self._limits[limits.queue] = check_limits(limits)
        self._tell_workers()

    async def remove_limits(self, queue: str, /) -> bool:
        """Let a queue have no limits any more."""
        known = self._limits.pop(queue, None)
        self._starts.pop(queue, None)
        self._tell_workers()
        return known is not None

    async def queue_loads(self) -> Sequence[QueueLoad]:
        """Every queue that has limits."""
        return [self._load(queue, self._clock.now_us()) for queue in sorted(self._limits)]

    def _gates(self, queues: Sequence[str], now_us: int) -> dict[str, Gate]:
        """The gates of those of these queues (none: of all) that have limits."""
        wanted = [queue for queue in self._limits if not queues or queue in queues]
        return {queue: Gate(self._load(queue, now_us)) for queue in wanted}

    def _load(self, queue: str, now_us: int) -> QueueLoad:
        running = [
            task.concurrency_key
            for task in self._tasks.values()
            if task.queue == queue and task.kind is TaskKind.STEP and task.status == TaskStatus.CLAIMED
        ]
        by_key = Counter(key for key in running if key is not None)
        starts = self._starts.get(queue, ())
        limits = replace(self._limits[queue])
        return QueueLoad(limits=limits, running=len(running), by_key=by_key, starts=starts, at_us=now_us)

    def _lets_begin(self, task: TaskRecord, now_us: int) -> bool:
        """Whether the limits of its queue let this task begin now; if so it is counted."""
        gates = self._gates([task.queue], now_us)
        if not all(gate.admits(task.kind, task.concurrency_key) for gate in gates.values()):
            return False
        for gate in gates.values():
            gate.count(task.kind, task.concurrency_key)
        self._keep_starts(gates)
        return True

    def _let_through(
        self, due: Sequence[TaskRecord], limit: int, queues: Sequence[str], now_us: int
    ) -> list[TaskRecord]:
        """The first tasks that the limits of their queues let begin now; what has started is counted."""
        gates, found = self._gates(queues, now_us), list[TaskRecord]()
        self._looked.pop(tuple(queues), None)
        for task in due:
            gate = gates.get(task.queue)
            if len(found) >= limit:
                break
            if gate is None:
                found.append(task)
            elif gate.admits(task.kind, task.concurrency_key):
                gate.count(task.kind, task.concurrency_key)
                found.append(task)
        else:
            self._looked[tuple(queues)] = now_us, opening(gates.values(), now_us)
        self._keep_starts(gates)
        return found

    def _keep_starts(self, gates: dict[str, Gate]) -> None:
        kept: dict[str, Starts] = {name: gate.starts for name, gate in gates.items() if gate.has_started}
        self._starts.update(kept)

    def _tell_workers(self) -> None:
        for notify in tuple(self._task_listeners):
            notify()
