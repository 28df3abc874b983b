"""A request to cancel that comes when the run has just ended, and is not let go yet: nobody takes it later."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from pydantic import BaseModel

from ruvon import Retry, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import Hold, InboxEntry, InboxKind, PersistenceProvider

BROKEN: list[bool] = []


class Job(BaseModel):
    number: int = 0


@step(retry=Retry(max_attempts=1))
async def work() -> int:
    if BROKEN:
        raise ValueError("it is broken")
    return 1


@workflow("LateCancel")
async def late_cancel(state: Job) -> int:
    return await work()


class Parting:
    """A hold; a moment before it is let go, something is done."""

    def __init__(self, hold: Hold, last: Callable[[], Any]) -> None:
        self._hold = hold
        self._last = last

    def __getattr__(self, name: str) -> Any:
        return getattr(self._hold, name)

    async def release(self) -> None:
        """Do it, then let go."""
        await self._last()
        await self._hold.release()


@pytest.mark.parametrize("broken", [False, True], ids=["done", "failed"])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_a_cancel_between_the_end_and_the_release_is_refused(tmp_path: Path, kind: str, broken: bool) -> None:
    """The history says so, and a retry of a failed run is not cancelled by it."""

    async def scenario(store: PersistenceProvider) -> None:
        builder = WorkflowBuilder(persistence_provider=store, plugins=False, import_roots=["tests"])
        builder.register(late_cancel)
        made = await builder.create_workflow("LateCancel", {})
        workflow_id, take = UUID(made.id), store.hold

        async def cancelled() -> None:
            payload = orjson.dumps({"reason": "enough", "compensate": True})
            await store.append_inbox(InboxEntry(workflow_id, InboxKind.CANCEL, "", payload))

        async def hold(*given: Any, **options: Any) -> Any:
            store.hold = take  # type: ignore[method-assign]
            return Parting(await take(*given, **options), cancelled)

        store.hold = hold  # type: ignore[method-assign]
        BROKEN[:] = [True] if broken else []
        await made.run()
        assert (await store.load_instance(workflow_id)).status == ("FAILED" if broken else "COMPLETED")
        assert await store.read_inbox(workflow_id) == []
        assert [entry.note for entry in await store.read_log(workflow_id) if entry.kind == "late"] == [
            "a request to cancel came when the workflow had ended; it was not taken"
        ]
        BROKEN.clear()
        if broken:
            again = await builder.load_workflow(made.id)
            await again.retry()
            assert again.status is WorkflowStatus.COMPLETED

    async def main() -> None:
        store = MemoryPersistenceProvider() if kind == "memory" else SQLitePersistenceProvider(tmp_path / "runs.db")
        await store.initialize()
        try:
            await scenario(store)
        finally:
            await store.close()

    asyncio.run(main())
