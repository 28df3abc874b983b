"""Who has claimed which task: kept in the store, one document for each workflow that has claims."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final, cast, final
from uuid import UUID

from ruvon.providers import Clock, PersistenceProvider, WorkflowNotFoundError
from ruvon_server.turns import turn

__all__ = ["Claim", "Claims"]

_DOCUMENT: Final = "ruvon.server.claims."


@final
@dataclass(frozen=True, slots=True)
class Claim:
    """Who has a task, and since when."""

    by: str
    at_us: int


@final
class Claims:
    """The claims of one store.

    Args:
        store: keeps them.
        clock: says when.
    """

    def __init__(self, store: PersistenceProvider, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def of(self, workflow_id: UUID) -> Mapping[str, Claim]:
        """The claims of a workflow, by the ids of its waits."""
        try:
            found = await self._store.load_workflow(f"{_DOCUMENT}{workflow_id}")
        except WorkflowNotFoundError:
            return {}
        claims = cast("dict[str, dict[str, Any]]", found["claims"])
        return {wait_id: Claim(item["by"], item["at_us"]) for wait_id, item in claims.items()}

    def turn(self, workflow_id: UUID) -> AbstractAsyncContextManager[None]:
        """Have the turn of a workflow's claims: whoever has it knows that nobody else changes them meanwhile.

        Raises:
            BusyElsewhereError: somebody else keeps it.
        """
        return turn(self._store, self._clock, f"claims.{workflow_id}")

    async def claim(self, workflow_id: UUID, wait_id: str, name: str) -> Claim:
        """Claim a task, unless somebody has it; who has it then. Needs the turn."""
        known = await self.of(workflow_id)
        if wait_id in known:
            return known[wait_id]
        made = Claim(name, self._clock.now_us())
        await self._write(workflow_id, {**known, wait_id: made})
        return made

    async def release(self, workflow_id: UUID, wait_id: str) -> None:
        """Let nobody have a task any more; one that nobody has is left alone. Needs the turn."""
        known = await self.of(workflow_id)
        if wait_id in known:
            await self._write(workflow_id, {key: item for key, item in known.items() if key != wait_id})

    async def _write(self, workflow_id: UUID, claims: Mapping[str, Claim]) -> None:
        name = f"{_DOCUMENT}{workflow_id}"
        if not claims:
            await self._store.delete_workflow(name)
            return
        told = {wait_id: {"by": item.by, "at_us": item.at_us} for wait_id, item in claims.items()}
        await self._store.save_workflow(name, {"claims": told})
