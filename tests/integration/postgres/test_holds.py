"""A holder that dies is noticed; one that releases, closes its store or loses its connection is not taken for dead."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.persistence.postgres import PostgresPersistenceProvider
from ruvon.providers import WorkflowBusyError
from ruvon.testing.contracts._records import create
from tests.support import postgres
from tests.support.postgres import query

ROOT = Path(__file__).parents[3]


async def opened() -> PostgresPersistenceProvider:
    """A provider that works."""
    made = postgres.store()
    await made.initialize()
    return made


async def taken(one: PostgresPersistenceProvider, workflow_id: Any) -> Any:
    """The hold, as soon as it is free."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await one.hold(workflow_id)
            except WorkflowBusyError:
                await asyncio.sleep(0.01)


def test_the_next_holder_knows_that_a_process_died() -> None:
    """The server frees the lock at once, and the mark stays until somebody releases the instance in order."""

    async def scenario() -> None:
        one = await opened()
        record = await create(one)
        for _ in range(2):
            command = [sys.executable, "-m", "tests.integration.postgres.holding_on_postgres"]
            child = await asyncio.create_subprocess_exec(
                *command, postgres.database(), str(record.workflow_id), cwd=ROOT, stdout=asyncio.subprocess.PIPE
            )
            try:
                assert child.stdout is not None
                assert (await child.stdout.readline()).strip() == b"held"
                with pytest.raises(WorkflowBusyError):
                    await one.hold(record.workflow_id)
            finally:
                child.kill()
                await child.wait()
        hold = await taken(one, record.workflow_id)
        assert hold.died
        await hold.release()
        again = await one.hold(record.workflow_id)
        assert not again.died
        await one.close()

    asyncio.run(scenario())


def test_a_closed_store_leaves_no_death() -> None:
    """An orderly end must not look like a crash."""

    async def scenario() -> None:
        one, other = await opened(), await opened()
        record = await create(one)
        (await one.hold(record.workflow_id)).driving()
        await one.close()
        hold = await taken(other, record.workflow_id)
        assert not hold.died
        await hold.release()
        await other.close()

    asyncio.run(scenario())


def test_a_hold_released_without_a_connection_leaves_no_death() -> None:
    """The connection ends while an instance is held; it is released before there is a new one."""

    async def scenario() -> None:
        one, other = await opened(), await opened()
        record = await create(one)
        hold = await one.hold(record.workflow_id)
        query(
            postgres.database(),
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()",
        )
        await hold.release()
        await (await taken(one, record.workflow_id)).release()  # by now it has a connection again
        later = await taken(other, record.workflow_id)
        assert not later.died
        await later.release()
        await one.close()
        await other.close()

    asyncio.run(scenario())


def test_marks_are_kept_without_a_flush() -> None:
    """The table is not logged, so a hold makes no commit wait for the disk."""
    found = query(postgres.database(), "SELECT relpersistence::text FROM pg_class WHERE relname = 'workflow_drives'")
    assert found == [("u",)]
