"""Claims under limits in a SQLite file: the writer's transaction counts, decides and claims, and nobody is between.

Queues without limits are not concerned: as long as nothing has any, `_queue` claims with one statement of its own.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

import orjson

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence.sqlite._database import Database
from ruvon.providers._limits import Gate, QueueLimits, QueueLoad, check_limits, opening
from ruvon.providers.persistence import TaskRecord

__all__ = ["Limits"]

_PUT: Final = """
INSERT INTO queue_limits (queue, concurrency, per_key, rate, period_us, starts)
VALUES (:queue, :concurrency, :per_key, :rate, :period, '[]')
ON CONFLICT (queue) DO UPDATE SET concurrency = excluded.concurrency, per_key = excluded.per_key,
    rate = excluded.rate, period_us = excluded.period_us"""

_REMOVE: Final = "DELETE FROM queue_limits WHERE queue = ?"

_LIMITS: Final = """
SELECT * FROM queue_limits
WHERE :queues IS NULL OR queue IN (SELECT value FROM json_each(:queues)) ORDER BY queue"""

_HAS_LIMITS: Final = """
SELECT 1 FROM queue_limits WHERE :queues IS NULL OR queue IN (SELECT value FROM json_each(:queues)) LIMIT 1"""

_RUNNING: Final = """
SELECT queue, concurrency_key, count(*) AS number FROM tasks
WHERE status = 'claimed' AND kind = 'step' AND queue IN (SELECT value FROM json_each(:queues))
GROUP BY queue, concurrency_key"""

_KEEP_STARTS: Final = "UPDATE queue_limits SET starts = :starts WHERE queue = :queue"

# Steps of queues that are shut, and of keys that are full, are passed over.
_CANDIDATES: Final = """
SELECT rowid, queue, kind, concurrency_key FROM tasks
WHERE status = 'pending' AND available_us <= :now
  AND (:queues IS NULL OR queue IN (SELECT value FROM json_each(:queues)))
  AND (kind <> 'step' OR queue NOT IN (SELECT value FROM json_each(:shut))
      AND (concurrency_key IS NULL OR (
          queue NOT IN (SELECT value FROM json_each(:keyless))
          AND queue || char(10) || concurrency_key NOT IN (SELECT value FROM json_each(:full)))))
ORDER BY priority DESC, available_us, rowid LIMIT :limit"""

# Where all queues are shut: an index of its own, so a backlog of steps is not gone through.
_WAKES: Final = """
SELECT rowid, queue, kind, concurrency_key FROM tasks
WHERE status = 'pending' AND kind <> 'step' AND available_us <= :now
  AND queue IN (SELECT value FROM json_each(:queues))
ORDER BY priority DESC, available_us, rowid LIMIT :limit"""

_ONE: Final = "SELECT rowid, queue, kind, concurrency_key FROM tasks WHERE task_id = ? AND status = 'pending'"

_CLAIM: Final = """
UPDATE tasks SET status = 'claimed', worker_id = :worker, lease_epoch = lease_epoch + 1, lease_us = :lease
WHERE rowid = :row RETURNING *"""

_NEXT: Final = """
SELECT min(moment) FROM (
    SELECT min(lease_us) AS moment FROM tasks WHERE status = 'claimed'
    UNION ALL
    SELECT min(available_us) FROM tasks
    WHERE status = 'pending' AND available_us > :looked
      AND (:queues IS NULL OR queue IN (SELECT value FROM json_each(:queues)))
    UNION ALL
    SELECT :opens)"""


class Limits(Database):
    """Which queues have limits, and what those let through."""

    async def put_limits(self, limits: QueueLimits, /) -> None:
        """Give a queue these limits."""
        check_limits(limits)
        values = {
            "queue": limits.queue,
            "concurrency": limits.concurrency,
            "per_key": limits.per_key,
            "rate": limits.rate,
            "period": limits.period_us,
        }
        await self._write(lambda connection: connection.execute(_PUT, values))
        self._tell_workers()

    async def remove_limits(self, queue: str, /) -> bool:
        """Let a queue have no limits any more."""
        removed = await self._write(lambda connection: connection.execute(_REMOVE, (queue,)).rowcount)
        self._tell_workers()
        return bool(removed)

    async def queue_loads(self) -> Sequence[QueueLoad]:
        """Every queue that has limits."""
        return _loads(self._execute, None, self._clock.now_us())

    def _has_limits(self, queues: str | None) -> bool:
        return bool(self._all(_HAS_LIMITS, cast("Sequence[object]", {"queues": queues})))

    async def _claim_limited(
        self, values: Mapping[str, object], queues: Sequence[str], limit: int, now_us: int
    ) -> list[TaskRecord]:
        """Claim up to `limit` tasks that are due and that the limits let begin."""

        def work(connection: sqlite3.Connection) -> tuple[list[TaskRecord], int | None]:
            gates = {load.limits.queue: Gate(load) for load in _loads(connection.execute, _names(queues), now_us)}
            found = _claim(connection, gates, values, queues, limit)
            _keep_starts(connection, gates)
            return found, opening(gates.values(), now_us)

        found, opens = cast("tuple[list[TaskRecord], int | None]", await self._write(work))
        self._looked[tuple(queues)] = (now_us, opens) if len(found) < limit else (-1, None)
        return found

    async def _claim_one_limited(self, task_id: str, values: Mapping[str, object], now_us: int) -> TaskRecord | None:
        """Claim one task, if the limits of its queue let it begin."""

        def work(connection: sqlite3.Connection) -> TaskRecord | None:
            row = connection.execute(_ONE, (task_id,)).fetchone()
            if row is None:
                return None
            gates = {
                load.limits.queue: Gate(load) for load in _loads(connection.execute, _names([row["queue"]]), now_us)
            }
            found = _admitted(connection, gates, row, values)
            _keep_starts(connection, gates)
            return found

        return cast("TaskRecord | None", await self._write(work))

    def _next_limited_us(self, queues: Sequence[str]) -> int | None:
        looked, opens = self._looked.get(tuple(queues), (-1, None))
        values = {"queues": _names(queues), "looked": looked, "opens": opens}
        found = self._all(_NEXT, cast("Sequence[object]", values))
        return found[0][0] if found else None

    def _tell_workers(self) -> None:
        for notify in tuple(self._task_listeners):
            notify()


def _names(names: Sequence[str]) -> str | None:
    return orjson.dumps(list(names)).decode() if names else None


def _loads(execute: Callable[..., sqlite3.Cursor], queues: str | None, now_us: int) -> list[QueueLoad]:
    found = execute(_LIMITS, {"queues": queues}).fetchall()
    limited = orjson.dumps([row["queue"] for row in found]).decode()
    counts: dict[str, dict[str | None, int]] = {row["queue"]: {} for row in found}
    for row in execute(_RUNNING, {"queues": limited}).fetchall():
        counts[row["queue"]][row["concurrency_key"]] = row["number"]
    return [rows.queue_load(row, counts[row["queue"]], now_us) for row in found]


def _claim(
    connection: sqlite3.Connection,
    gates: Mapping[str, Gate],
    values: Mapping[str, object],
    queues: Sequence[str],
    limit: int,
) -> list[TaskRecord]:
    """Look at candidates, portion by portion: each refusal shuts a queue or fills a key, which the next portion lacks."""
    found: list[TaskRecord] = []
    while len(found) < limit:
        wanted = limit - len(found)
        shut = [name for name, gate in gates.items() if gate.room == 0]
        statement = _WAKES if queues and set(queues) <= set(shut) else _CANDIDATES
        full = [f"{name}\n{key}" for name, gate in gates.items() for key in gate.full_keys]
        keyless = [name for name, gate in gates.items() if gate.shuts_keys]
        lists = {"shut": shut, "full": full, "keyless": keyless}
        texts = {name: orjson.dumps(value).decode() for name, value in lists.items()}
        candidates = connection.execute(statement, {**values, **texts, "limit": wanted}).fetchall()
        for row in candidates:
            claimed = _admitted(connection, gates, row, values)
            found += [claimed] if claimed is not None else []
        if len(candidates) < wanted:
            break
    return found


def _admitted(
    connection: sqlite3.Connection, gates: Mapping[str, Gate], row: sqlite3.Row, values: Mapping[str, object]
) -> TaskRecord | None:
    """Claim a candidate, unless the gate of its queue has just shut."""
    gate = gates.get(row["queue"])
    if gate is not None:
        if not gate.admits(row["kind"], row["concurrency_key"]):
            return None
        gate.count(row["kind"], row["concurrency_key"])
    return rows.task(connection.execute(_CLAIM, {**values, "row": row["rowid"]}).fetchone())


def _keep_starts(connection: sqlite3.Connection, gates: Mapping[str, Gate]) -> None:
    for queue, gate in gates.items():
        if gate.has_started and gate.limits.rate is not None:
            connection.execute(_KEEP_STARTS, {"queue": queue, "starts": rows.starts_text(gate.starts)})
