"""Looking for instances: filters, counts, due ones, old ones."""

import heapq
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence.postgres import _queries as queries
from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._database import Database
from ruvon.implementations.persistence.postgres._driver import Connection
from ruvon.implementations.persistence.postgres._instances import delete_workflows
from ruvon.models import TERMINAL_STATUSES
from ruvon.providers.persistence import DefinitionRecord, InstanceFilter, WorkflowSummary

__all__ = ["Listing"]

_ENDED: Final = sorted(str(status) for status in TERMINAL_STATUSES)
_END_OF_TIME: Final = 2**63 - 1


class Listing(Database):
    """Every question about many instances at once."""

    async def find_instances(
        self, wanted: InstanceFilter, /, *, limit: int = 100, after: tuple[int, int] | None = None
    ) -> Sequence[WorkflowSummary]:
        """Instances that fit, newest first."""
        moment, key = after if after is not None else (_END_OF_TIME, _END_OF_TIME)
        return [rows.summary(row) for row in await self._all(queries.FIND, *_values(wanted), moment, key, limit)]

    async def count_instances(self, wanted: InstanceFilter, /) -> int:
        """How many fit."""
        row = await self._one(queries.COUNT, *_values(wanted))
        return int(row[0]) if row is not None else 0

    async def count_by_definition(
        self, workflow_type: str | None = None, /
    ) -> Sequence[tuple[bytes, str, str, int, int]]:
        """Live and ended instances by definition."""
        found = await self._all(queries.COUNT_BY_DEFINITION, workflow_type, _ENDED)
        return [(row[0], row[1], row[2], row[3], row[4]) for row in found]

    async def list_definitions(self, workflow_type: str | None = None, /) -> Sequence[DefinitionRecord]:
        """Definitions in the order in which they were stored."""
        return [rows.definition(row) for row in await self._all(sql.DEFINITIONS, workflow_type)]

    async def due_instances(self, now_us: int, /, *, limit: int = 100) -> Sequence[UUID]:
        """Instances that are due, earliest first."""
        return [UUID(row["id"]) for row in await self._all(queries.DUE, now_us, limit)]

    async def unread_instances(self, /, *, after: int = 0, limit: int = 100) -> Sequence[tuple[UUID, int]]:
        """Live instances with messages, and the newest of each."""
        found = await self._all(queries.UNREAD, _ENDED, after, limit)
        return [(UUID(row["workflow_id"]), row["newest"]) for row in found]

    async def purge_ended(self, before_us: int, /, *, workflow_type: str | None = None, limit: int = 100) -> int:
        """Delete ended instances that are old enough and owe nobody anything."""

        async def work(connection: Connection) -> int:
            found = await connection.fetch(queries.PURGEABLE, _ENDED, before_us, workflow_type, limit)
            return len(await delete_workflows(connection, [row["id"] for row in found])) if found else 0

        return await self._transaction(work)

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
        found = [_listed(item) for item in await self.find_instances(wanted, limit=limit + offset)]
        rest = await self._all(queries.LIST_DOCUMENTS, status, workflow_type, owner_id, limit + offset)
        merged = heapq.merge(found, [rows.plain(row) for row in rest], key=lambda item: -item["created_us"])
        return list(merged)[offset : offset + limit]


def _values(wanted: InstanceFilter) -> tuple[object, ...]:
    until = wanted.created_before_us
    return (
        list(wanted.statuses) if wanted.statuses else None,
        wanted.workflow_type,
        wanted.workflow_version,
        wanted.digest,
        wanted.owner_id,
        wanted.org_id,
        str(wanted.parent_id) if wanted.parent_id is not None else None,
        wanted.current_step,
        wanted.created_after_us if wanted.created_after_us is not None else -_END_OF_TIME,
        until if until is not None else _END_OF_TIME,
        wanted.updated_before_us,
        orjson.dumps(dict(wanted.metadata)).decode() if wanted.metadata else None,
    )


def _listed(item: WorkflowSummary) -> dict[str, Any]:
    return {name: getattr(item, name) for name in _LISTED}


_LISTED: Final = (
    "workflow_id",
    "workflow_type",
    "workflow_version",
    "status",
    "current_step",
    "owner_id",
    "org_id",
    "parent_id",
    "priority",
    "created_us",
    "updated_us",
)
