"""Limits of queues in Redis: one script reads them, counts what runs, and claims, so nobody is between."""

from collections.abc import Sequence
from typing import Any

import orjson

from ruvon.implementations.persistence.redis import _packing as packing
from ruvon.implementations.persistence.redis._database import Database
from ruvon.providers._limits import QueueLimits, QueueLoad, check_limits
from ruvon.providers.persistence import TaskRecord

__all__ = ["Limits"]


class Limits(Database):
    """Which queues have limits, and what those let through."""

    async def put_limits(self, limits: QueueLimits, /) -> None:
        """Give a queue these limits."""
        check_limits(limits)
        values = {"concurrency": limits.concurrency, "per_key": limits.per_key, "rate": limits.rate}
        kept = {name: value for name, value in values.items() if value is not None} | {"period": limits.period_us}
        await self._do_plain({"op": "limits", "queue": limits.queue, "limits": orjson.dumps(kept).decode()})

    async def remove_limits(self, queue: str, /) -> bool:
        """Let a queue have no limits any more."""
        return bool((await self._do_plain({"op": "no_limits", "queue": queue}))[1])

    async def queue_loads(self) -> Sequence[QueueLoad]:
        """Every queue that has limits."""
        now = self._clock.now_us()
        found = [_load(row, now) for row in await self._ask("limits")]
        return sorted(found, key=lambda load: load.limits.queue)

    async def _claim_ordered(self, header: dict[str, Any], queues: Sequence[str], now_us: int) -> list[TaskRecord]:
        """Claim; a great many that have become due at once, or are held back, are gone through in portions."""
        while True:
            _, found, *limited = await self._do_plain(header)
            if found is None:
                continue
            tasks = packing.tasks(found)
            if not limited:
                return tasks
            places, opens = limited
            if tasks or not places:
                if len(tasks) < header["limit"] and not places:
                    self._looked[tuple(queues)] = now_us, now_us + int(opens) if opens is not None else None
                return tasks
            header = {**header, "places": {queue.decode(): place.decode() for queue, place in _pairs(places)}}

    async def _next_limited_us(self, queues: Sequence[str], looked_us: int, opens_us: int | None) -> int | None:
        found = await self._ask("next_behind", looked_us, *queues)
        moments = [int(found)] if found is not None else []
        return min([*moments, opens_us] if opens_us is not None else moments, default=None)


def _load(row: Sequence[Any], now_us: int) -> QueueLoad:
    queue, kept, moments, keys = row
    limits: dict[str, int] = orjson.loads(kept)
    return QueueLoad(
        limits=QueueLimits(
            queue=queue.decode(),
            concurrency=limits.get("concurrency"),
            per_key=limits.get("per_key"),
            rate=limits.get("rate"),
            period_us=limits["period"],
        ),
        running=int(keys[1]),
        by_key={key.decode(): int(number) for key, number in _pairs(keys[2:])},
        starts=tuple((int(at), int(number)) for at, number in _pairs(moments)),
        at_us=now_us,
    )


def _pairs(found: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(found[::2], found[1::2], strict=True))
