"""Looking for instances: filters, counts, due ones, old ones."""

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import orjson

from ruvon.implementations.persistence._listing import created_before, listed
from ruvon.implementations.persistence.memory._tables import Tables
from ruvon.models import RETRYABLE_STATUSES, TERMINAL_STATUSES
from ruvon.providers import DefinitionRecord, InstanceFilter, InstanceRecord, WorkflowSummary

__all__ = ["Listing"]


class Listing(Tables):
    """Every question about many instances at once."""

    async def find_instances(
        self, wanted: InstanceFilter, /, *, limit: int = 100, after: tuple[int, int] | None = None
    ) -> Sequence[WorkflowSummary]:
        """Instances that fit, newest first."""
        found = (row for row in self._wanted(wanted) if after is None or _age(row) < after)
        return [_summary(row) for row in heapq.nlargest(limit, found, key=_age)]

    async def changed_instances(self, after: tuple[int, int], /, *, limit: int = 100) -> Sequence[WorkflowSummary]:
        """Instances by their last change, oldest first."""
        found = (row for row in self._rows.values() if _changed(row) > after)
        return [_summary(row) for row in heapq.nsmallest(limit, found, key=_changed)]

    async def count_instances(self, wanted: InstanceFilter, /) -> int:
        """How many fit."""
        return sum(1 for _ in self._wanted(wanted))

    async def count_by_definition(
        self, workflow_type: str | None = None, /
    ) -> Sequence[tuple[bytes, str, str, int, int]]:
        """Live and ended instances by definition."""
        counts = Counter(
            ((row.workflow_type, row.workflow_version, row.digest), row.status in TERMINAL_STATUSES)
            for row in self._rows.values()
            if workflow_type is None or row.workflow_type == workflow_type
        )
        return [
            (digest, kind, version, counts[(kind, version, digest), False], counts[(kind, version, digest), True])
            for kind, version, digest in sorted({key for key, _ in counts})
        ]

    async def list_definitions(self, workflow_type: str | None = None, /) -> Sequence[DefinitionRecord]:
        """Definitions in the order in which they were stored."""
        found = [
            item for item in self._definitions.values() if workflow_type is None or item.workflow_type == workflow_type
        ]
        return sorted(found, key=lambda item: item.stored_us)

    async def due_instances(self, now_us: int, /, *, limit: int = 100) -> Sequence[UUID]:
        """Instances that are due, earliest first."""
        due = [(row.due_us, row.key, row) for row in self._rows.values() if row.due_us is not None]
        return [row.workflow_id for moment, _, row in heapq.nsmallest(limit, due) if moment <= now_us]

    async def unread_instances(self, /, *, after: int = 0, limit: int = 100) -> Sequence[tuple[UUID, int]]:
        """Instances with messages that can be taken or refused, and the newest of each."""
        newest = [
            (entries[-1].seq, workflow_id)
            for workflow_id, entries in self._inboxes.items()
            if entries and entries[-1].seq > after and self._rows[workflow_id].status not in RETRYABLE_STATUSES
        ]
        return [(workflow_id, seq) for seq, workflow_id in heapq.nsmallest(limit, newest)]

    async def purge_ended(self, before_us: int, /, *, workflow_type: str | None = None, limit: int = 100) -> int:
        """Delete ended instances that are old enough and owe nobody anything."""
        old = [
            row.workflow_id
            for row in self._rows.values()
            if row.status in TERMINAL_STATUSES
            and row.updated_us < before_us
            and (workflow_type is None or row.workflow_type == workflow_type)
            and not any(line.status not in TERMINAL_STATUSES for line in self._ancestors(row))
        ]
        for workflow_id in old[:limit]:
            self._delete(workflow_id)
        return len(old[:limit])

    async def list_workflows(
        self,
        *,
        status: str | None = None,
        workflow_type: str | None = None,
        owner_id: str | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> list[dict[str, Any]]:
        """Summaries, newest first."""
        statuses = (status,) if status is not None else ()
        wanted = InstanceFilter(statuses=statuses, workflow_type=workflow_type, owner_id=owner_id)
        found = sorted(self._wanted(wanted), key=_age, reverse=True)
        return [listed(_summary(row)) for row in found[offset : offset + limit]]

    def _wanted(self, wanted: InstanceFilter) -> Iterator[InstanceRecord]:
        return (row for row in self._rows.values() if _fits(row, wanted))

    def _ancestors(self, row: InstanceRecord) -> Iterator[InstanceRecord]:
        parent = self._rows.get(row.parent_id) if row.parent_id is not None else None
        while parent is not None:
            yield parent
            parent = self._rows.get(parent.parent_id) if parent.parent_id is not None else None


def _age(row: InstanceRecord) -> tuple[int, int]:
    return row.created_us, row.key


def _changed(row: InstanceRecord) -> tuple[int, int]:
    return row.updated_us, row.key


def _fits(row: InstanceRecord, wanted: InstanceFilter) -> bool:
    exact = (
        (wanted.workflow_type, row.workflow_type),
        (wanted.workflow_version, row.workflow_version),
        (wanted.digest, row.digest),
        (wanted.owner_id, row.owner_id),
        (wanted.org_id, row.org_id),
        (wanted.parent_id, row.parent_id),
        (wanted.current_step, row.current_step),
    )
    before = created_before(wanted)
    return (
        (not wanted.statuses or row.status in wanted.statuses)
        and all(value is None or value == found for value, found in exact)
        and (wanted.created_after_us is None or row.created_us >= wanted.created_after_us)
        and (before is None or row.created_us < before)
        and (wanted.updated_before_us is None or row.updated_us < wanted.updated_before_us)
        and all(key in row.metadata and _same(row.metadata[key], value) for key, value in wanted.metadata.items())
    )


def _same(one: object, other: object) -> bool:
    """Equal as JSON, where 1, 1.0 and true are three different things."""
    return orjson.dumps(one) == orjson.dumps(other)


def _summary(row: InstanceRecord) -> WorkflowSummary:
    return WorkflowSummary(
        workflow_id=str(row.workflow_id),
        workflow_type=row.workflow_type,
        workflow_version=row.workflow_version,
        status=row.status,
        current_step=row.current_step,
        owner_id=row.owner_id,
        org_id=row.org_id,
        parent_id=str(row.parent_id) if row.parent_id is not None else None,
        priority=row.priority,
        created_us=row.created_us,
        updated_us=row.updated_us,
        key=row.key,
        digest=row.digest,
        due_us=row.due_us,
    )
