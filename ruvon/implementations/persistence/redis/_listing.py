"""Looking for instances: filters, counts, due ones, old ones.

Every type, owner, organisation, parent, definition, status and piece of metadata has a sorted set of its instances, by
moment of creation and number. A question walks the shortest of those that it names, newest first, and looks the others up
for each member. The walk is cut into portions, so the server is never busy with one question for long.
"""

import heapq
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from ruvon.implementations.persistence._listing import END_OF_TIME, created_before
from ruvon.implementations.persistence.redis import _packing as packing
from ruvon.implementations.persistence.redis._database import Database
from ruvon.implementations.persistence.redis._operations import key_text, mark, metadata_marks
from ruvon.implementations.persistence.redis._packing import moment
from ruvon.models import TERMINAL_STATUSES, WorkflowStatus
from ruvon.providers.persistence import DefinitionRecord, InstanceFilter, WorkflowSummary

__all__ = ["Listing"]

_BUDGET: Final = 2000
"""How many members one call of the script looks at."""
_LIVE: Final = sorted(str(status) for status in set(WorkflowStatus) - TERMINAL_STATUSES)
_PURGE_PORTION: Final = 200
_DOCUMENTS_PORTION: Final = 500
_OWN: Final = b"ruvon."
"""So begin the names of what Ruvon itself keeps beside workflows; lists leave it out."""
_LISTED: Final = (
    "workflow_id", "workflow_type", "workflow_version", "status", "current_step", "owner_id", "org_id", "parent_id",
    "priority", "created_us", "updated_us",
)  # fmt: skip

Place = tuple[int, str]
"""Moment of creation and number of the last one seen."""


class Listing(Database):
    """Every question about many instances at once."""

    async def find_instances(
        self, wanted: InstanceFilter, /, *, limit: int = 100, after: tuple[int, int] | None = None
    ) -> Sequence[WorkflowSummary]:
        """Instances that fit, newest first."""
        if limit <= 0:
            return []
        place = (after[0], key_text(after[1])) if after is not None else None
        walks = await self._plan(wanted)
        found = [[row async for row in self._walk(walk, limit, place)] for walk in walks]
        return list(heapq.merge(*found, key=lambda row: (-row.created_us, -row.key)))[:limit]

    async def changed_instances(self, after: tuple[int, int], /, *, limit: int = 100) -> Sequence[WorkflowSummary]:
        """Instances by their last change, oldest first."""
        ended = await self._ask("ended", moment(after[0], "the moment"), key_text(after[1]), limit)
        found = {int(key): packing.summary(key, row) for key, row in ended}
        for status in _LIVE:
            walk: dict[str, Any] = {"driver": mark("status", status), "indexes": [], "updated_from": after[0]}
            async for row in self._walk(walk, END_OF_TIME, None):
                if (row.updated_us, row.key) > after:
                    found[row.key] = row
        return heapq.nsmallest(limit, found.values(), key=lambda row: (row.updated_us, row.key))

    async def count_instances(self, wanted: InstanceFilter, /) -> int:
        """How many fit."""
        return sum([await self._count(walk) for walk in await self._plan(wanted)])

    async def _plan(self, wanted: InstanceFilter) -> list[dict[str, Any]]:
        """The walks that together answer a question: one, or one for each status where those are the shortest."""
        indexes = _indexes(wanted)
        by_status = [mark("status", status) for status in dict.fromkeys(wanted.statuses)]
        names = [*indexes, *by_status]
        sizes = dict(zip(names, await self._ask("sizes", *names), strict=True)) if names else {}
        common = _bounds(wanted)
        shortest = min(indexes, key=sizes.__getitem__, default="all")
        if by_status and (not indexes or sum(sizes[name] for name in by_status) <= sizes[shortest]):
            return [{**common, "driver": name, "indexes": indexes} for name in by_status]
        others = [name for name in indexes if name != shortest]
        walk: dict[str, Any] = {**common, "driver": shortest, "indexes": others}
        if wanted.statuses:
            walk["statuses"] = dict.fromkeys(wanted.statuses, True)
        return [walk]

    async def _walk(
        self, walk: dict[str, Any], limit: int, place: Place | None
    ) -> AsyncGenerator[WorkflowSummary, None]:
        left = limit
        while left > 0:
            made = {**walk, "limit": left, "budget": _BUDGET}
            if place is not None:
                made["after"] = [str(place[0]), place[1]]
            count, rows, *last = await self._ask("find", packing.line(made))
            for key, row in rows:
                if row[0] is not None:  # deleted since
                    yield packing.summary(key, row)
            left -= count
            if not last:
                return
            place = (int(last[0]), last[1].decode())

    async def _count(self, walk: dict[str, Any]) -> int:
        if not walk["indexes"] and not walk.keys() - {"driver", "indexes"}:
            (size,) = await self._ask("sizes", walk["driver"])
            return int(size)
        total, place = 0, None
        while True:
            made = {**walk, "budget": _BUDGET, **({"after": place} if place is not None else {})}
            count, _, *last = await self._ask("find", packing.line(made))
            total += int(count)
            if not last:
                return total
            place = [last[0].decode(), last[1].decode()]

    async def count_by_definition(
        self, workflow_type: str | None = None, /
    ) -> Sequence[tuple[bytes, str, str, int, int]]:
        """Live and ended instances by definition."""
        found = [
            (bytes.fromhex(digest.decode()), kind.decode(), version.decode(), size - int(ended), int(ended))
            for digest, kind, version, size, ended in await self._ask("counts", workflow_type or "")
        ]
        return sorted(found, key=lambda item: (item[1], item[2], item[0]))

    async def list_definitions(self, workflow_type: str | None = None, /) -> Sequence[DefinitionRecord]:
        """Definitions in the order in which they were stored."""
        return [packing.definition(digest, row) for digest, row in await self._ask("definitions", workflow_type or "")]

    async def due_instances(self, now_us: int, /, *, limit: int = 100) -> Sequence[UUID]:
        """Instances that are due, earliest first."""
        return [UUID(name.decode()) for name in await self._ask("due", now_us, limit) if name is not None]

    async def unread_instances(self, /, *, after: int = 0, limit: int = 100) -> Sequence[tuple[UUID, int]]:
        """Instances with messages that can be taken or refused, and the newest of each."""
        found = await self._ask("unread", after, limit)
        return [(UUID(name.decode()), int(seq)) for name, seq in zip(found[::2], found[1::2], strict=True)]

    async def purge_ended(self, before_us: int, /, *, workflow_type: str | None = None, limit: int = 100) -> int:
        """Delete ended instances that are old enough and owe nobody anything."""
        total, offset = 0, 0
        header: dict[str, object] = {
            "op": "purge",
            "before": moment(before_us, "the moment"),
            "portion": _PURGE_PORTION,
        }
        if workflow_type is not None:
            header["type"] = workflow_type
        while total < limit:
            _, gone, kept, seen = await self._do_plain({**header, "offset": offset, "limit": limit - total})
            total += gone
            offset += kept
            if seen < _PURGE_PORTION:
                break
        return total

    async def list_workflows(
        self,
        *,
        status: str | None = None,
        workflow_type: str | None = None,
        owner_id: str | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """Summaries, newest first, without state; the caller's own dictionaries among them."""
        statuses = (status,) if status is not None else ()
        wanted = InstanceFilter(statuses=statuses, workflow_type=workflow_type, owner_id=owner_id)
        found = [
            {name: getattr(item, name) for name in _LISTED}
            for item in await self.find_instances(wanted, limit=limit + offset)
        ]
        rest = await self._documents((status, workflow_type, owner_id), limit + offset)
        return list(heapq.merge(found, rest, key=lambda item: -item["created_us"]))[offset : offset + limit]

    async def _documents(self, labels: tuple[str | None, ...], limit: int) -> list[dict[str, Any]]:
        """Dictionaries of the caller's own with these labels (status, type, owner), newest first."""
        found: list[dict[str, Any]] = []
        rank = 0
        while len(found) < limit:
            portion = await self._ask("documents", rank, _DOCUMENTS_PORTION)
            for name, (written, created, updated) in portion:
                has = orjson.loads(written) if written is not None and not name.startswith(_OWN) else None
                if has is not None and all(one is None or one == other for one, other in zip(labels, has, strict=True)):
                    found.append(_listed(name.decode(), has, int(created), int(updated)))
            if len(portion) < _DOCUMENTS_PORTION:
                break
            rank += _DOCUMENTS_PORTION
        return found[:limit]


def _listed(name: str, labels: Sequence[str | None], created_us: int, updated_us: int) -> dict[str, Any]:
    status, workflow_type, owner_id = labels
    return {
        **dict.fromkeys(_LISTED),
        "workflow_id": name,
        "workflow_type": workflow_type,
        "status": status,
        "owner_id": owner_id,
        "priority": 0,
        "created_us": created_us,
        "updated_us": updated_us,
    }


def _indexes(wanted: InstanceFilter) -> list[str]:
    """The sorted sets that an instance must be in, beside that of a status."""
    named = {
        "type": wanted.workflow_type,
        "digest": wanted.digest.hex() if wanted.digest is not None else None,
        "owner": wanted.owner_id,
        "org": wanted.org_id,
        "parent": wanted.parent_id,
    }
    found = [mark(kind, str(value)) for kind, value in named.items() if value is not None]
    return found + metadata_marks(wanted.metadata)


def _bounds(wanted: InstanceFilter) -> dict[str, Any]:
    """What no sorted set says."""
    before = created_before(wanted)
    found: dict[str, Any] = {
        "version": wanted.workflow_version,
        "step": wanted.current_step,
        "from": None if wanted.created_after_us is None else moment(wanted.created_after_us, "created_after_us"),
        "before": None if before is None else moment(before, "created_before_us"),
        "updated_before": wanted.updated_before_us,
    }
    return {name: value for name, value in found.items() if value is not None}
