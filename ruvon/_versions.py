"""The definitions that a store has, with who runs them: for the command line and the server."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from ruvon.models import WAITING_STATUSES
from ruvon.providers import DefinitionRecord, EngineStore, InstanceFilter

__all__ = ["StoredVersion", "stored_versions"]


@final
@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A stored definition, and how many instances have it."""

    record: DefinitionRecord
    running: int
    """So many go on."""
    waiting: int
    """So many wait for somebody, a signal or a moment."""
    ended: int


async def stored_versions(store: EngineStore, workflow_type: str | None = None) -> Sequence[StoredVersion]:
    """The definitions of a type, or all of them, by type; those of a type in the order in which they were stored."""
    waits = tuple(sorted(status.value for status in WAITING_STATUSES))
    counts = {row[0]: row[3:] for row in await store.count_by_definition(workflow_type)}
    found: list[StoredVersion] = []
    for record in await store.list_definitions(workflow_type):
        live, ended = counts.get(record.digest, (0, 0))
        wanted = InstanceFilter(digest=record.digest, statuses=waits)
        waiting = await store.count_instances(wanted) if live else 0
        found.append(StoredVersion(record, live - waiting, waiting, ended))
    return sorted(found, key=lambda item: item.record.workflow_type)
