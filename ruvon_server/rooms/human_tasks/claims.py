"""Who has claimed which task: kept in the store, in documents that several workflows share.

A workflow may end, be answered or be deleted where nobody knows of claims, in a worker for instance. So whoever claims a
task looks through the claims that lie beside it, and takes out those whose tasks have ended.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from typing import Any, Final, cast, final
from uuid import UUID

from ruvon.providers import Clock, PersistenceProvider
from ruvon_server.stored import Documents
from ruvon_server.turns import turn

__all__ = ["Claim", "Claims"]

_DOCUMENT: Final = "ruvon.server.claims."
_DOCUMENTS: Final = 256


@final
@dataclass(frozen=True, slots=True)
class Claim:
    """Who has a task, and since when."""

    by: str
    at_us: int
    since: int
    """How long the history of its workflow was then."""


@final
class Claims:
    """The claims of one store.

    Args:
        store: keeps them.
        clock: says when.
    """

    def __init__(self, store: PersistenceProvider, clock: Clock) -> None:
        self._store = store
        self._documents = Documents(store)
        self._clock = clock

    async def of(self, workflow_id: UUID) -> Mapping[str, Claim]:
        """The claims of a workflow, by the ids of its waits."""
        return (await self.beside(workflow_id)).get(workflow_id, {})

    async def beside(self, workflow_id: UUID) -> Mapping[UUID, Mapping[str, Claim]]:
        """The claims that lie in the same document as those of a workflow, by workflow."""
        found = await self._documents.get(_name(workflow_id))
        if found is None:
            return {}
        claims = cast("dict[str, dict[str, dict[str, Any]]]", found["claims"])
        return {
            UUID(name): {wait_id: Claim(**item) for wait_id, item in items.items()} for name, items in claims.items()
        }

    def turn(self, workflow_id: UUID) -> AbstractAsyncContextManager[None]:
        """Have the turn of a workflow's claims, and of those beside them: nobody else changes them meanwhile.

        Raises:
            BusyElsewhereError: somebody else keeps it.
        """
        return turn(self._store, self._clock, f"claims.{_place(workflow_id)}")

    async def claim(self, workflow_id: UUID, wait_id: str, name: str, since: int) -> Claim:
        """Claim a task, unless somebody has it; who has it then. Needs the turn.

        Args:
            workflow_id: whose task it is.
            wait_id: the task.
            name: who claims it.
            since: how long the history of the workflow is.
        """
        known = await self.beside(workflow_id)
        mine = known.get(workflow_id, {})
        if wait_id in mine:
            return mine[wait_id]
        made = Claim(name, self._clock.now_us(), since)
        await self._write(workflow_id, {**known, workflow_id: {**mine, wait_id: made}})
        return made

    async def release(self, workflow_id: UUID, *wait_ids: str) -> None:
        """Let nobody have these tasks any more; one that nobody has is left alone. Needs the turn."""
        known = await self.beside(workflow_id)
        mine = known.get(workflow_id, {})
        if mine.keys() & set(wait_ids):
            left = {wait_id: item for wait_id, item in mine.items() if wait_id not in wait_ids}
            await self._write(workflow_id, {**known, workflow_id: left})

    async def _write(self, workflow_id: UUID, claims: Mapping[UUID, Mapping[str, Claim]]) -> None:
        told = {
            str(key): {wait_id: asdict(item) for wait_id, item in items.items()}
            for key, items in claims.items()
            if items
        }
        if told:
            await self._documents.put(_name(workflow_id), {"claims": told})
        else:
            await self._documents.drop(_name(workflow_id))


def _place(workflow_id: UUID) -> int:
    """The number of the document: the end of an id is random."""
    return workflow_id.int % _DOCUMENTS


def _name(workflow_id: UUID) -> str:
    return f"{_DOCUMENT}{_place(workflow_id)}"
