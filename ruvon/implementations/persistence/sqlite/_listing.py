"""Looking for instances: filters, counts, due ones, old ones."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import orjson

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence._listing import CLOCKS_US, END_OF_TIME, filter_values, page
from ruvon.implementations.persistence.sqlite import _statements as sql
from ruvon.implementations.persistence.sqlite._database import Database
from ruvon.implementations.persistence.sqlite._instances import delete_workflow
from ruvon.models import RETRYABLE_STATUSES, TERMINAL_STATUSES, WorkflowStatus
from ruvon.providers.persistence import DefinitionRecord, InstanceFilter, WorkflowSummary

__all__ = ["Listing"]

_ENDED: Final = orjson.dumps(sorted(TERMINAL_STATUSES)).decode()
_LIVE: Final = orjson.dumps(sorted(set(WorkflowStatus) - TERMINAL_STATUSES)).decode()
_BACK: Final = 1024
"""So many entries of the log are gone back at first, to find those of a moment."""
_RETRYABLE: Final = orjson.dumps(sorted(RETRYABLE_STATUSES)).decode()


class Listing(Database):
    """Every question about many instances at once."""

    async def find_instances(
        self, wanted: InstanceFilter, /, *, limit: int = 100, after: tuple[int, int] | None = None
    ) -> Sequence[WorkflowSummary]:
        """Instances that fit, newest first."""
        moment, key = after if after is not None else (END_OF_TIME, END_OF_TIME)
        values = {**_values(wanted), "limit": limit, "after_us": moment, "after_key": key}
        if after is not None:  # the range of the index begins at the cursor
            values["until_us"] = min(
                moment + 1, END_OF_TIME if wanted.created_before_us is None else wanted.created_before_us
            )
        first, instead = _statements(sql.FIND, sql.FIND_RARE, wanted)
        return [rows.summary(row) for row in await self._scan(first, values, instead)]

    async def changed_instances(self, after: tuple[int, int], /, *, limit: int = 100) -> Sequence[WorkflowSummary]:
        """Instances by their last change, oldest first."""
        back, floor = _BACK, 0
        while found := await self._scan(sql.LOG_BACK, (back,)):
            if found[0]["at_us"] < after[0] - CLOCKS_US:
                floor = found[0]["id"]
                break
            back *= 8
        values = {
            "live": _LIVE,
            "ended": _ENDED,
            "floor": floor,
            "after_us": after[0],
            "after_key": after[1],
            "limit": limit,
        }
        return [rows.summary(row) for row in await self._scan(sql.CHANGED, values)]

    async def count_instances(self, wanted: InstanceFilter, /) -> int:
        """How many fit."""
        first, instead = _statements(sql.COUNT, sql.COUNT_RARE, wanted)
        return int((await self._scan(first, _values(wanted), instead))[0][0])

    async def count_by_definition(
        self, workflow_type: str | None = None, /
    ) -> Sequence[tuple[bytes, str, str, int, int]]:
        """Live and ended instances by definition."""
        found = await self._scan(sql.COUNT_BY_DEFINITION, {"type": workflow_type, "ended": _ENDED})
        return [(row[0], row[1], row[2], row[3], row[4]) for row in found]

    async def list_definitions(self, workflow_type: str | None = None, /) -> Sequence[DefinitionRecord]:
        """Definitions in the order in which they were stored."""
        return [rows.definition(row) for row in await self._scan(sql.DEFINITIONS, {"type": workflow_type})]

    async def due_instances(self, now_us: int, /, *, limit: int = 100) -> Sequence[UUID]:
        """Instances that are due, earliest first."""
        return [UUID(row["id"]) for row in await self._scan(sql.DUE, (now_us, limit))]

    async def unread_instances(self, /, *, after: int = 0, limit: int = 100) -> Sequence[tuple[UUID, int]]:
        """Instances with messages that can be taken or refused, and the newest of each."""
        found = await self._scan(sql.UNREAD, {"retryable": _RETRYABLE, "after": after, "limit": limit})
        return [(UUID(row["workflow_id"]), row["newest"]) for row in found]

    async def purge_ended(self, before_us: int, /, *, workflow_type: str | None = None, limit: int = 100) -> int:
        """Delete ended instances that are old enough and owe nobody anything."""
        values = {"ended": _ENDED, "before": before_us, "type": workflow_type, "limit": limit}

        def work(connection: sqlite3.Connection) -> int:
            found = connection.execute(sql.PURGEABLE, values).fetchall()
            return sum(delete_workflow(connection, row["id"]) for row in found)

        deleted = await self._write(work)
        return deleted if isinstance(deleted, int) else 0

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
        values = {"status": status, "type": workflow_type, "owner": owner_id, "limit": limit + offset}
        documents = [rows.plain(row) for row in await self._scan(sql.LIST_DOCUMENTS, values)]
        return page(found, documents, limit=limit, offset=offset)


def _driver(wanted: InstanceFilter) -> str:
    """What of a filter narrows the search most."""
    given = {
        "parent": wanted.parent_id,
        "owner": wanted.owner_id,
        "digest": wanted.digest,
        "type": wanted.workflow_type,
    }
    return next((name for name, value in given.items() if value is not None), "status")


def _statements(driven: Mapping[str, str], rare: Mapping[str, str], wanted: InstanceFilter) -> tuple[str, str | None]:
    """The statement that is tried, and the one that takes over where the first finds little for long."""
    given = {
        "step": wanted.current_step,
        "updated_before": wanted.updated_before_us,
        "metadata": wanted.metadata or None,
    }
    name = next((name for name in rare if given[name] is not None), None)
    driver = _driver(wanted)
    if name is None:
        return driven[driver], None
    if driver == "status" and name == "metadata":  # its index tells more than that of the statuses
        return rare[name], None
    return driven[driver], rare[name]


def _values(wanted: InstanceFilter) -> dict[str, object]:
    values = filter_values(wanted)
    return {
        **values,
        "statuses": orjson.dumps(values["statuses"]).decode() if values["statuses"] else None,
        "fragment": max(map(_fragment, wanted.metadata.items()), key=len, default=None),
    }


def _fragment(item: tuple[str, object]) -> str:
    """What the text of an instance's metadata holds if it has this item."""
    name, value = item
    return orjson.dumps({name: value}).decode()[1:-1]
