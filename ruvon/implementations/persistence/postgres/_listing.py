"""Looking for instances: filters, counts, due ones, old ones."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence._listing import CLOCKS_US, END_OF_TIME, filter_values, page
from ruvon.implementations.persistence.postgres import _queries as queries
from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._database import Database
from ruvon.implementations.persistence.postgres._driver import Connection
from ruvon.implementations.persistence.postgres._instances import delete_workflows
from ruvon.models import RETRYABLE_STATUSES, TERMINAL_STATUSES, WorkflowStatus
from ruvon.providers.persistence import DefinitionRecord, InstanceFilter, WorkflowSummary

__all__ = ["Listing"]

_ENDED: Final = sorted(str(status) for status in TERMINAL_STATUSES)
_LIVE: Final = sorted(str(status) for status in set(WorkflowStatus) - TERMINAL_STATUSES)
_BACK: Final = 1024
"""So many entries of the log are gone back at first, to find those of a moment."""
_RETRYABLE: Final = sorted(str(status) for status in RETRYABLE_STATUSES)


class Listing(Database):
    """Every question about many instances at once."""

    async def find_instances(
        self, wanted: InstanceFilter, /, *, limit: int = 100, after: tuple[int, int] | None = None
    ) -> Sequence[WorkflowSummary]:
        """Instances that fit, newest first."""
        moment, key = after if after is not None else (END_OF_TIME, END_OF_TIME)
        return [
            rows.summary(row)
            for row in await self._all(queries.FIND, *filter_values(wanted).values(), moment, key, limit)
        ]

    async def changed_instances(self, after: tuple[int, int], /, *, limit: int = 100) -> Sequence[WorkflowSummary]:
        """Instances by their last change, oldest first."""
        back, floor = _BACK, 0
        while (found := await self._one(queries.LOG_BACK, back)) is not None:
            if found["at_us"] < after[0] - CLOCKS_US:
                floor = found["id"]
                break
            back *= 8
        return [rows.summary(row) for row in await self._all(queries.CHANGED, _LIVE, _ENDED, floor, *after, limit)]

    async def count_instances(self, wanted: InstanceFilter, /) -> int:
        """How many fit."""
        row = await self._one(queries.COUNT, *filter_values(wanted).values())
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
        """Instances with messages that can be taken or refused, and the newest of each."""
        found = await self._all(queries.UNREAD, _RETRYABLE, after, limit)
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
        found = await self.find_instances(wanted, limit=limit + offset)
        rest = await self._all(queries.LIST_DOCUMENTS, status, workflow_type, owner_id, limit + offset)
        return page(found, [rows.plain(row) for row in rest], limit=limit, offset=offset)
