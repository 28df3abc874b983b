"""Whoever looks on is in nobody's way: asking who drives what takes nothing."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers.persistence import WorkflowBusyError
from ruvon.testing.contracts._records import create
from tests.support import postgres, redis

Opened = Callable[[], Any]
TURNS = 400


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=postgres.needs_postgres), "redis"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Makes one more provider over the same database, as another process has it."""
    if request.param == "sqlite":
        return lambda: SQLitePersistenceProvider(tmp_path / "a.db", durability="OFF")
    server: Any = postgres if request.param == "postgres" else redis
    server.emptied()
    return cast("Opened", server.store)


def test_what_is_held_is_told_to_everybody(new_store: Opened) -> None:
    """In this process and in another one, while it is held and no longer."""

    async def scenario() -> None:
        mine, other = new_store(), new_store()
        await mine.initialize()
        await other.initialize()
        try:
            record, idle = await create(mine), await create(mine)
            ids = [record.workflow_id, str(idle.workflow_id)]
            told = [await store.held_instances(ids) for store in (mine, other)]
            hold = await mine.hold(record.workflow_id)
            told += [await store.held_instances(ids) for store in (mine, other)]
            await hold.release()
            told += [await store.held_instances(ids) for store in (mine, other)]
            assert told == [set(), set(), {str(record.workflow_id)}, {str(record.workflow_id)}, set(), set()]
            assert await other.held_instances([]) == set()
        finally:
            await mine.close()
            await other.close()

    asyncio.run(scenario())


@pytest.fixture
def _often() -> Iterator[None]:
    """Threads take turns in the middle of everything."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("_often")
def test_looking_on_keeps_no_driver_out(new_store: Opened) -> None:
    """One takes and releases an instance again and again while another asks who has it."""
    began, ended = threading.Event(), threading.Event()
    looks: list[frozenset[str]] = []

    async def look_on(workflow_id: str) -> None:
        store = new_store()
        await store.initialize()
        try:
            while not ended.is_set():
                looks.append(await store.held_instances([workflow_id]))
                began.set()
        finally:
            await store.close()

    async def drive() -> int:
        store, refused = new_store(), 0
        await store.initialize()
        try:
            workflow_id = (await create(store)).workflow_id
            looking = threading.Thread(target=lambda: asyncio.run(look_on(str(workflow_id))))
            looking.start()
            try:
                assert await asyncio.to_thread(began.wait, 60)
                for _ in range(TURNS):
                    try:
                        hold = await store.hold(workflow_id)
                    except WorkflowBusyError:
                        refused += 1
                    else:
                        await asyncio.sleep(0.0005)
                        await hold.release()
            finally:
                ended.set()
                looking.join()
        finally:
            await store.close()
        return refused

    assert asyncio.run(drive()) == 0
    assert len(looks) > 1
