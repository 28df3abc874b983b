"""A server of the tests' own: one that asks for passwords, and one that is restarted in the middle of commits."""

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
import pytest

from ruvon.implementations.persistence.postgres import DatabaseServerError, PoolSettings, PostgresPersistenceProvider
from ruvon.providers import OutboxRecord
from ruvon.testing.contracts._records import create, message, step
from tests.cli.conftest import FLOWS, Command, place, ruvon
from tests.support.postgres_proxy import wire
from tests.support.private_postgres import PrivatePostgres, needs_private_postgres, private_postgres

__all__ = ["place", "ruvon"]

pytestmark = needs_private_postgres

SMALL = PoolSettings(min_size=1, max_size=4)
RIGHT = "r1ght/@ %"
WRONG = "wr0ng-s3cret"
START = ("start", str(FLOWS), "--workflow", "Timer", "-d", "{}")
REFUSED = "the server refuses the user or the password; check both"


@pytest.fixture(scope="module")
def server() -> Iterator[PrivatePostgres]:
    """It trusts its owner, and asks the user `ann` for a password in the way that is PostgreSQL's default (SCRAM)."""
    with private_postgres() as made:
        asyncio.run(
            done_by_owner(
                made.url,
                "SET password_encryption = 'scram-sha-256'",
                f"CREATE ROLE ann LOGIN PASSWORD '{RIGHT}'",
                "CREATE DATABASE shop OWNER ann",
            )
        )
        made.ask_for_passwords("ann")
        yield made


async def done_by_owner(url: str, *statements: str) -> None:
    """Run statements one by one."""
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


def address(server: PrivatePostgres, password: str | None, *, apart: bool = False) -> str:
    """Where the shop's database is; the password in front of the host or, `apart`, among the parameters."""
    query = urlsplit(server.url).query
    if password is None:
        return f"postgresql://ann@/shop?{query}"
    if apart:
        return f"postgresql://ann@/shop?{query}&password={quote(password, safe='')}"
    return f"postgresql://ann:{quote(password, safe='')}@/shop?{query}"


@pytest.mark.parametrize("apart", [False, True], ids=["in front of the host", "as a parameter"])
@pytest.mark.parametrize("password", [WRONG, None, RIGHT + "x"], ids=["wrong", "none", "nearly right"])
def test_a_password_that_is_refused_is_a_typed_error(
    server: PrivatePostgres, password: str | None, apart: bool
) -> None:
    """At once, and neither the sentence nor what it was raised from holds a password."""

    async def scenario() -> BaseException:
        store = PostgresPersistenceProvider(address(server, password, apart=apart), pool=SMALL)
        with pytest.raises(DatabaseServerError) as caught:
            await asyncio.wait_for(store.initialize(), 20)
        return caught.value

    error: BaseException | None = asyncio.run(scenario())

    assert REFUSED in str(error)
    while error is not None:
        for text in (str(error), repr(error), repr(vars(error))):
            assert WRONG not in text
            assert RIGHT not in text
            assert quote(RIGHT, safe="") not in text
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("apart", [False, True], ids=["in front of the host", "as a parameter"])
@pytest.mark.parametrize("command", [("list",), ("db", "status"), ("db", "init"), START], ids=" ".join)
def test_a_command_with_a_wrong_password_says_so(
    server: PrivatePostgres, ruvon: Command, command: tuple[str, ...], apart: bool
) -> None:
    """With the exit code of a database that cannot be used, without a traceback, and without the password."""
    done = ruvon(*command, "--db", address(server, WRONG, apart=apart))

    assert (done.code, done.out) == (3, "")
    assert REFUSED in done.err
    assert "Traceback" not in done.text
    assert WRONG not in done.text


def test_the_right_password_opens_the_store_and_is_not_shown(server: PrivatePostgres, ruvon: Command) -> None:
    """One that has to be escaped in a URL."""
    url = address(server, RIGHT)

    said = [ruvon("db", "init", "--db", url), ruvon("list", "--db", url), ruvon("db", "status", "--db", url)]

    assert [done.code for done in said] == [0, 0, 0]
    assert not [done for done in said if "r1ght" in done.text]


@pytest.mark.parametrize("rich", [False, True], ids=["one statement", "a transaction"])
@pytest.mark.parametrize("before", [True, False], ids=["before the request", "before the answer"])
def test_a_commit_whose_answer_a_restart_takes_away_is_looked_up(
    server: PrivatePostgres, rich: bool, before: bool
) -> None:
    """The server is gone, as in a power cut, before it has the commit or before it has answered: the commit is there once."""

    async def scenario() -> tuple[int, list[int], int]:
        async with wire(server.url) as cable:
            store = PostgresPersistenceProvider(cable.url, pool=SMALL)
            await store.initialize()
            record, other = await create(store), await create(store)
            await store.commit(step(other, 1))  # the statement is prepared: what comes next is the commit itself
            more: dict[str, Any] = {"outbox": (OutboxRecord("t", b"{}", 1),), "sent": (message(other, "m"),)}
            made = step(record, 1, **(more if rich else {}))
            known = len(await store.read_outbox())
            cable.refuse_after_cut = True
            cable.arm(b"COMMIT" if rich else made.position, before=before)
            committing = asyncio.create_task(store.commit(made))
            async with asyncio.timeout(30):
                while not cable.cuts:  # noqa: ASYNC110 - it is cut by the commit
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(server.restart, immediately=True)
            cable.refuse(refused=False)
            async with asyncio.timeout(60):
                await committing
            await store.commit(step(record, 2))
            log = [entry.seq for entry in await store.read_log(record.workflow_id)]
            events = len(await store.read_outbox()) - known
            assert len(await store.read_inbox(other.workflow_id)) == events
            await store.close()
            return cable.cuts, log, events

    assert asyncio.run(scenario()) == (1, [1, 2], int(rich))


@pytest.mark.parametrize("immediately", [True, False], ids=["at once", "in order"])
def test_commits_survive_a_restart_of_the_server(server: PrivatePostgres, immediately: bool) -> None:
    """Twice in the middle: every commit that was told is there once, and every one that was sent is there in the end."""
    instances, commits = 16, 60

    async def scenario() -> tuple[int, list[list[int]], list[dict[str, object]]]:
        store = PostgresPersistenceProvider(address(server, RIGHT), pool=SMALL)
        await store.initialize()
        records = [await create(store) for _ in range(instances)]
        told = 0
        passed = {number: asyncio.Event() for number in (instances * commits // 4, instances * commits // 2)}

        async def drive(place: int) -> None:
            nonlocal told
            for number in range(1, commits + 1):
                await store.commit(step(records[place], number))
                told += 1
                if told in passed:
                    passed[told].set()

        async def restart() -> None:
            for event in passed.values():
                await event.wait()
                await asyncio.to_thread(server.restart, immediately=immediately)

        async with asyncio.timeout(120), asyncio.TaskGroup() as group:
            group.create_task(restart())
            for place in range(instances):
                group.create_task(drive(place))
        logs = [[entry.seq for entry in await store.read_log(record.workflow_id)] for record in records]
        problems = list(await store.check())
        await store.close()
        return told, logs, problems

    told, logs, problems = asyncio.run(scenario())

    assert told == instances * commits
    assert logs == [list(range(1, commits + 1))] * instances
    assert problems == []
