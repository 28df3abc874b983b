"""Which instances can go on now: what a scheduler and workers would see, for tools that stand in for them."""

from typing import Any, Final
from uuid import UUID

import orjson

from ruvon.models import RETRYABLE_STATUSES, WorkflowStatus
from ruvon.providers import InboxEntry, InboxKind, InstanceRecord, PersistenceProvider

__all__ = ["can_go_on", "rows_of"]

_MANY: Final = 10_000


async def rows_of(store: PersistenceProvider) -> list[InstanceRecord]:
    """Every instance, oldest first."""
    listed = await store.list_workflows(limit=_MANY)
    return [await store.load_instance(UUID(str(item["workflow_id"]))) for item in reversed(listed)]


async def can_go_on(store: PersistenceProvider, row: InstanceRecord, now_us: int) -> bool:
    """Whether a drive of the instance would get anywhere; timers and messages count up to the moment."""
    if WorkflowStatus(row.status).is_terminal:
        keeps = row.status in RETRYABLE_STATUSES
        return any(entry.kind is InboxKind.REPAIR or not keeps for entry in await store.read_inbox(row.workflow_id))
    if row.status == WorkflowStatus.ACTIVE or (row.status == WorkflowStatus.COMPENSATING and row.waiting_for is None):
        return True
    if row.due_us is not None and row.due_us <= now_us:
        return True
    return any(entry.at_us <= now_us and _wakes(row, entry) for entry in await store.read_inbox(row.workflow_id))


def _wakes(row: InstanceRecord, entry: InboxEntry) -> bool:
    """Whether a message is for something that waits; an early signal lies where it is."""
    if entry.kind is not InboxKind.SIGNAL:
        return True
    waits: list[dict[str, Any]] = orjson.loads(row.waiting_for) if row.waiting_for is not None else []
    return any(
        wait["kind"] == "signal" and wait.get("name") == entry.name and wait.get("key") == entry.key for wait in waits
    )
