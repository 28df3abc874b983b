"""Claims under limits in PostgreSQL: the row of a queue's limits is locked, then what runs is counted, then tasks are taken.

Whoever claims for the same queues waits for that row, in the order of the queues' names, so nobody counts what somebody
else is about to change. The rows of tasks are taken as every claim takes them, skipping those that are locked. Moments of
starts are the server's own. Which queues have limits is remembered for `_REMEMBERED_S`; a change is told of by a
notification, so it is known sooner.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Final

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence.postgres._database import Database
from ruvon.implementations.persistence.postgres._driver import Connection
from ruvon.implementations.persistence.postgres._holds import LIMITS
from ruvon.providers._limits import Gate, QueueLimits, QueueLoad, check_limits, opening, store_moment
from ruvon.providers.persistence import TaskRecord
from ruvon.providers.tasks import TaskStatus

__all__ = ["Limits"]

_REMEMBERED_S: Final = 1.0

_PUT: Final = """
INSERT INTO queue_limits (queue, concurrency, per_key, rate, period_us, starts) VALUES ($1, $2, $3, $4, $5, '[]')
ON CONFLICT (queue) DO UPDATE SET concurrency = excluded.concurrency, per_key = excluded.per_key,
    rate = excluded.rate, period_us = excluded.period_us"""

_REMOVE: Final = "DELETE FROM queue_limits WHERE queue = $1 RETURNING queue"

_NAMES: Final = "SELECT queue FROM queue_limits"

_READ: Final = "SELECT * FROM queue_limits ORDER BY queue"

_LOCK: Final = """
SELECT * FROM queue_limits WHERE $1::text[] IS NULL OR queue = ANY($1) ORDER BY queue FOR UPDATE"""

# The first row is the server's clock, read when the locks are there.
_RUNNING: Final = """
SELECT NULL::text AS queue, NULL::text AS concurrency_key,
    (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS number
UNION ALL
SELECT queue, concurrency_key, count(*) FROM tasks
WHERE status = 'claimed' AND kind = 'step' AND queue = ANY($1::text[]) GROUP BY queue, concurrency_key"""

_KEEP_STARTS: Final = "UPDATE queue_limits SET starts = $2 WHERE queue = $1"

# Steps of queues that are shut, and of keys that are full, are passed over.
_CANDIDATES: Final = """
SELECT task_id, queue, kind, concurrency_key FROM tasks
WHERE status = 'pending' AND available_us <= $1 AND ($2::text[] IS NULL OR queue = ANY($2))
  AND (kind <> 'step' OR queue <> ALL($3::text[])
      AND (concurrency_key IS NULL OR (
          queue <> ALL($4::text[])
          AND queue || chr(10) || concurrency_key <> ALL($5::text[]))))
ORDER BY priority DESC, available_us LIMIT $6 FOR UPDATE SKIP LOCKED"""

# Where all queues are shut: an index of its own, so a backlog of steps is not gone through.
_WAKES: Final = """
SELECT task_id, queue, kind, concurrency_key FROM tasks
WHERE status = 'pending' AND kind <> 'step' AND available_us <= $1 AND queue = ANY($2::text[])
ORDER BY priority DESC, available_us LIMIT $3 FOR UPDATE SKIP LOCKED"""

_QUEUE_OF: Final = "SELECT queue FROM tasks WHERE task_id = $1"

# A claim of this very worker and lease is one whose answer was lost, and counts already.
_ONE: Final = """
SELECT task_id, queue, kind, concurrency_key, status FROM tasks
WHERE task_id = $1 AND (status = 'pending' OR (status = 'claimed' AND worker_id = $2 AND lease_us = $3))
FOR UPDATE SKIP LOCKED"""

_CLAIM: Final = """
UPDATE tasks SET status = 'claimed', worker_id = $2, lease_epoch = lease_epoch + 1, lease_us = $3
WHERE task_id = ANY($1::text[]) RETURNING *"""

_NEXT: Final = """
SELECT least(
    (SELECT min(lease_us) FROM tasks WHERE status = 'claimed'),
    (SELECT min(available_us) FROM tasks
     WHERE status = 'pending' AND available_us > $2 AND ($1::text[] IS NULL OR queue = ANY($1))),
    $3::bigint) AS moment"""

_NOTIFY: Final = "SELECT pg_notify($1::text, $2::text)"


class Limits(Database):
    """Which queues have limits, and what those let through."""

    async def put_limits(self, limits: QueueLimits, /) -> None:
        """Give a queue these limits."""
        check_limits(limits)
        given = (limits.queue, limits.concurrency, limits.per_key, limits.rate, limits.period_us)
        await self._all(_PUT, *given)
        await self._tell_of_limits()

    async def remove_limits(self, queue: str, /) -> bool:
        """Let a queue have no limits any more."""
        removed = await self._one(_REMOVE, queue)
        await self._tell_of_limits()
        return removed is not None

    async def queue_loads(self) -> Sequence[QueueLoad]:
        """Every queue that has limits."""

        async def work(connection: Connection) -> list[QueueLoad]:
            return await _loads(connection, await connection.fetch(_READ), self._clock.now_us())

        return await self._transaction(work)

    async def _tell_of_limits(self) -> None:
        self._limits_changed()
        await self._all(_NOTIFY, self._channel, LIMITS)

    async def _has_limits(self, queues: Sequence[str]) -> bool:
        """Whether any of these queues (none: of all) has limits, as far as is known here."""
        if time.monotonic() >= self._limited_until_s:
            changes = self._limit_changes
            self._limited = frozenset(row["queue"] for row in await self._all(_NAMES))
            if changes == self._limit_changes:
                self._limited_until_s = time.monotonic() + _REMEMBERED_S
        return bool(self._limited) and (not queues or not self._limited.isdisjoint(queues))

    async def _claim_limited(
        self, worker_id: str, queues: Sequence[str], limit: int, lease_us: int, now_us: int
    ) -> list[TaskRecord]:
        """Claim up to `limit` tasks that are due and that the limits let begin."""
        names = list(queues) or None

        async def work(connection: Connection) -> tuple[list[TaskRecord], int | None]:
            gates = await _gates(connection, names, now_us)
            found: list[TaskRecord] = []
            while len(found) < limit:  # each refusal shuts a queue or fills a key, which the next portion lacks
                wanted = limit - len(found)
                closed = _closed(gates)
                if queues and set(queues) <= set(closed[0]):
                    candidates = await connection.fetch(_WAKES, now_us, names, wanted)
                else:
                    candidates = await connection.fetch(_CANDIDATES, now_us, names, *closed, wanted)
                passed = [row["task_id"] for row in candidates if _admits(gates, row)]
                if passed:
                    claimed = await connection.fetch(_CLAIM, passed, worker_id, now_us + lease_us)
                    found += map(rows.task, claimed)
                if len(candidates) < wanted:
                    break
            await _keep_starts(connection, gates)
            return found, opening(gates.values(), now_us)

        found, opens = await self._transaction(work)
        self._looked[tuple(queues)] = (now_us, opens) if len(found) < limit else (-1, None)
        return sorted(found, key=lambda task: (-task.priority, task.available_us))

    async def _claim_one_limited(self, task_id: str, worker_id: str, lease_us: int, now_us: int) -> TaskRecord | None:
        """Claim one task, if the limits of its queue let it begin; a claim whose answer is lost is found again."""
        until_us = now_us + lease_us

        async def work(connection: Connection) -> TaskRecord | None:
            queue = await connection.fetchval(_QUEUE_OF, task_id)
            if queue is None:
                return None
            gates = await _gates(connection, [queue], now_us)
            row = await connection.fetchrow(_ONE, task_id, worker_id, until_us)
            if row is None or (row["status"] == TaskStatus.PENDING and not _admits(gates, row)):
                return None
            claimed = await connection.fetchrow(_CLAIM, [task_id], worker_id, until_us)
            await _keep_starts(connection, gates)
            return rows.task(claimed) if claimed is not None else None

        return await self._transaction(work, doubted=_nobody_is_told)

    async def _next_limited_us(self, queues: Sequence[str]) -> int | None:
        looked, opens = self._looked.get(tuple(queues), (-1, None))
        found = await self._one(_NEXT, list(queues) or None, looked, opens)
        return found["moment"] if found is not None else None


async def _gates(connection: Connection, queues: list[str] | None, now_us: int) -> dict[str, Gate]:
    loads = await _loads(connection, await connection.fetch(_LOCK, queues), now_us)
    return {load.limits.queue: Gate(load) for load in loads}


async def _loads(connection: Connection, found: Sequence[rows.Row], now_us: int) -> list[QueueLoad]:
    counts: dict[str, dict[str | None, int]] = {row["queue"]: {} for row in found}
    at_us = now_us
    for row in await connection.fetch(_RUNNING, list(counts)):
        if row["queue"] is None:
            at_us = store_moment(now_us, row["number"])
        else:
            counts[row["queue"]][row["concurrency_key"]] = row["number"]
    return [rows.queue_load(row, counts[row["queue"]], at_us) for row in found]


def _nobody_is_told() -> None:
    """A claim that may be there is simply asked for again."""


def _closed(gates: Mapping[str, Gate]) -> tuple[list[str], list[str], list[str]]:
    """The queues that let no step through, those that let none with a key through, and the full keys with their queues."""
    return (
        [name for name, gate in gates.items() if gate.room == 0],
        [name for name, gate in gates.items() if gate.shuts_keys],
        [f"{name}\n{key}" for name, gate in gates.items() for key in gate.full_keys],
    )


def _admits(gates: Mapping[str, Gate], row: rows.Row) -> bool:
    """Whether a candidate may begin; if so it is counted."""
    gate = gates.get(row["queue"])
    if gate is None:
        return True
    if not gate.admits(row["kind"], row["concurrency_key"]):
        return False
    gate.count(row["kind"], row["concurrency_key"])
    return True


async def _keep_starts(connection: Connection, gates: Mapping[str, Gate]) -> None:
    for queue, gate in gates.items():
        if gate.has_started and gate.limits.rate is not None:
            await connection.execute(_KEEP_STARTS, queue, rows.starts_text(gate.starts))
