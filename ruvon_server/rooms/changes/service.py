"""What the changes room does."""

from typing import Any, final

import orjson

from ruvon.providers import PersistenceProvider
from ruvon_server.changes import read_changes
from ruvon_server.models.changes import ChangeEntry, Changes
from ruvon_server.shown import moment

__all__ = ["ChangesService"]


@final
class ChangesService:
    """Lists the changes that no history of a workflow has.

    Args:
        store: keeps them.
    """

    def __init__(self, store: PersistenceProvider) -> None:
        self._store = store

    async def find(self, limit: int) -> Changes:
        """The newest ones, newest first."""
        return Changes(items=[_change(line) for line in await read_changes(self._store, limit)])


def _change(line: dict[str, Any]) -> ChangeEntry:
    said = line["metadata"]
    values: dict[str, Any] = orjson.loads(said) if isinstance(said, str | bytes) else said
    return ChangeEntry(at=moment(line["at_us"]), operation=line["step_name"], **values)
