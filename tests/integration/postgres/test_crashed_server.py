"""A server that dies between a commit and its answer, and whose next transaction gets the same number (S2-044)."""

import asyncio
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from examples.distributed.lab.machines import Postgres, Yard
from ruvon.implementations.persistence.postgres import (
    DatabaseServerError,
    PoolSettings,
    PostgresPersistenceProvider,
    _provider,
)
from ruvon.testing.contracts._records import create, message


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A private one."""
    with Yard() as yard:
        made = Postgres(yard, "crashes")
        made.start()
        yield made


class Crash:
    """Kills the server behind the statements of a message and before its COMMIT; others commit until its number is used."""

    def __init__(self, server: Postgres, url: str, append: Any) -> None:
        self._server = server
        self._url = url
        self._append = append
        self.happened = False

    async def __call__(self, connection: Any, *given: Any) -> int:
        found: int = await self._append(connection, *given)
        if not self.happened:
            self.happened = True
            number = int(await connection.fetchval("SELECT pg_current_xact_id()::text"))
            await asyncio.to_thread(self._server.kill)
            await asyncio.to_thread(self._server.start)
            await self._use_up(number)
        return found

    async def _use_up(self, number: int) -> None:
        other = await asyncpg.connect(self._url)
        await other.execute("CREATE TABLE IF NOT EXISTS others (n integer)")
        last = 0
        while last < number:
            last = int(await other.fetchval("INSERT INTO others VALUES (1) RETURNING pg_current_xact_id()::text"))
        await other.close()


async def _send(
    server: Postgres, name: str, dedup: str | None, monkeypatch: pytest.MonkeyPatch
) -> tuple[bool | str, int]:
    """What the sender was told, and how many messages are there."""
    url = server.create(name)
    store = PostgresPersistenceProvider(url, pool=PoolSettings(min_size=1, max_size=4))
    await store.initialize()
    try:
        record = await create(store)
        crash = Crash(server, url, _provider.append)
        monkeypatch.setattr(_provider, "append", crash)
        answer: bool | str
        try:
            answer = await asyncio.wait_for(store.append_inbox(message(record, "paid", dedup=dedup)), 60)
        except DatabaseServerError as exc:
            answer = str(exc)
        assert crash.happened
        return answer, len(await store.read_inbox(record.workflow_id))
    finally:
        await store.close()


def test_a_message_with_a_dedup_key_is_sent_again_after_a_crash(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of the lost transaction was used again by somebody who committed: that is no proof that ours was."""
    assert asyncio.run(_send(server, "with_dedup", "d", monkeypatch)) == (True, 1)


def test_a_message_without_a_key_is_never_said_to_be_there_when_it_is_not(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been written, as far as anybody can know; sending it again could double it, so the sender is told."""
    answer, there = asyncio.run(_send(server, "without_dedup", None, monkeypatch))

    assert "it is not known whether it was written" in str(answer) or (answer, there) == (True, 1)
