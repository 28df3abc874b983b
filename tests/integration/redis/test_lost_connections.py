"""Connections that are lost, servers that are killed: nothing is lost, nothing is doubled, and every error says what to do."""

import asyncio
import subprocess
import sys
import textwrap
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.persistence.redis import RedisPersistenceProvider, RedisServerError
from ruvon.providers import InstanceRecord, OutboxRecord, StaleWorkflowError
from ruvon.testing.contracts._records import create, creation, instance, message, step
from tests.support.postgres_proxy import wire
from tests.support.redis import Server, client, prefix, private_server, server, store

ALWAYS = ("--appendonly", "yes", "--appendfsync", "always")


async def opened(url: str | None = None, **options: Any) -> RedisPersistenceProvider:
    """An open provider."""
    made = store(url, **options)
    await made.initialize()
    return made


@pytest.mark.parametrize("before", [True, False], ids=["before the request", "before the answer"])
def test_a_commit_without_an_answer_is_written_once(before: bool) -> None:
    """It was written or it was not; either way it is there once, and the caller is told so."""

    async def scenario() -> None:
        async with wire(server()) as cable:
            one = await opened(cable.url)
            record, other = await create(one), await create(one)
            more = {"outbox": (OutboxRecord("t", b"{}", 1),), "sent": (message(other, "m"),)}
            made = step(record, 1, **more)
            cable.arm(made.position, before=before)
            await one.commit(made)
            assert cable.cuts == 1
            assert [entry.seq for entry in await one.read_log(record.workflow_id)] == [1]
            assert len(await one.read_outbox()) == len(await one.read_inbox(other.workflow_id)) == 1
            await one.commit(step(record, 2))
            await one.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("before", [True, False], ids=["before the request", "before the answer"])
def test_a_creation_without_an_answer_is_written_once(before: bool) -> None:
    """The instance is there once, its record has its key, and a later creation of it is refused as ever."""

    async def scenario() -> None:
        async with wire(server()) as cable:
            one = await opened(cable.url)
            record = instance(idempotency_key="k")
            cable.arm(str(record.workflow_id).encode(), before=before)
            await one.commit(creation(record))
            assert cable.cuts == 1
            assert (await one.load_instance(record.workflow_id)).key == record.key
            with pytest.raises(StaleWorkflowError):
                await one.commit(creation(record))
            await one.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("before", [True, False], ids=["before the request", "before the answer"])
def test_a_message_without_an_answer_is_appended_once(before: bool) -> None:
    """Also one without a dedup key."""

    async def scenario() -> None:
        async with wire(server()) as cable:
            one = await opened(cable.url)
            record = await create(one)
            cable.arm(b'"append"', before=before)
            assert await one.append_inbox(message(record, "x"))
            assert cable.cuts == 1
            assert len(await one.read_inbox(record.workflow_id)) == 1
            await one.close()

    asyncio.run(scenario())


def test_an_old_batch_that_arrives_late_changes_nothing() -> None:
    """A request that was stuck on the way, behind its own repetition and a later batch."""

    async def scenario() -> None:
        from ruvon.implementations.persistence.redis._operations import appending
        from ruvon.implementations.persistence.redis._scripts import write_script

        one = await opened()
        record = await create(one)
        made = appending(message(record, "x"))
        spare = await one._connect()
        for number in (7, 7, 8, 7):
            answers = await write_script().run(spare, one._base, "a writer", number, made)
            assert answers[0][0] == 0
        await spare.close()
        assert len(await one.read_inbox(record.workflow_id)) == 2
        await one.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("rich", [False, True], ids=["steps alone", "steps with events"])
def test_killed_connections_in_the_middle_of_200_commits(tmp_path: Path, rich: bool) -> None:
    """Every commit succeeds, and the logs have every entry once."""

    async def scenario(url: str) -> list[list[int]]:
        one = await opened(url)
        records = [await create(one) for _ in range(20)]
        done = 0
        kills = [30, 80, 81, 120, 170]

        async def drive(record: InstanceRecord) -> None:
            nonlocal done
            for number in range(1, 11):
                more: dict[str, Any] = {"outbox": (OutboxRecord("t", b"{}", number),)} if rich else {}
                await one.commit(step(record, number, **more))
                done += 1
                if kills and done >= kills[0]:
                    kills.pop(0)
                    await asyncio.to_thread(cut_all, url)

        await asyncio.gather(*(drive(record) for record in records))
        assert kills == []
        assert len(await one.read_outbox(limit=999)) == (200 if rich else 0)
        assert await one.check() == []
        logs = [[entry.seq for entry in await one.read_log(record.workflow_id)] for record in records]
        await one.close()
        return logs

    with private_server(tmp_path) as far:
        assert asyncio.run(scenario(far.url)) == [list(range(1, 11))] * 20


def cut_all(url: str) -> None:
    """End every connection of every provider; the server should be the test's own."""
    with client(url) as asked:
        for found in asked.client_list():
            if found["name"] == "ruvon":
                asked.client_kill_filter(_id=found["id"])


def test_a_killed_server_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    """`kill -9` of the server under load, again and again, with appendfsync always (S2-032)."""

    async def scenario(far: Server) -> None:
        one = await opened(far.url)
        assert one.durability == "fsync"
        records = [await create(one) for _ in range(16)]
        acknowledged: dict[Any, int] = {record.workflow_id: 0 for record in records}

        async def drive(record: InstanceRecord) -> None:
            for number in range(1, 61):
                await one.commit(step(record, number, snapshot=b"{}" if number % 7 == 0 else None))
                acknowledged[record.workflow_id] = number

        async def strike() -> None:
            for wanted in (100, 350, 700):
                while sum(acknowledged.values()) < wanted:  # noqa: ASYNC110 - those who write know nothing of it
                    await asyncio.sleep(0.001)
                await asyncio.to_thread(far.kill)
                safe = dict(acknowledged)
                await asyncio.to_thread(far.start)
                for workflow_id, number in safe.items():
                    assert (await one.load_instance(workflow_id)).revision >= number

        await asyncio.gather(strike(), *(drive(record) for record in records))
        for record in records:
            assert [entry.seq for entry in await one.read_log(record.workflow_id)] == list(range(1, 61))
        assert await one.check() == []
        await one.close()

    with private_server(tmp_path, *ALWAYS) as far:
        asyncio.run(scenario(far))


def test_a_server_that_stays_away_is_a_sentence(tmp_path: Path) -> None:
    """After the patience that was asked for; reads and writes alike, and the provider closes in peace."""

    async def scenario(far: Server) -> None:
        one = await opened(far.url, reconnect_timeout_s=0.3)
        record = await create(one)
        far.kill()
        for call in (one.load_instance(record.workflow_id), one.commit(step(record, 1)), one.hold(record.workflow_id)):
            with pytest.raises(RedisServerError, match="check the address, and that the server runs"):
                await call
        await one.close()

    with private_server(tmp_path) as far:
        asyncio.run(scenario(far))


@pytest.fixture
def guarded(tmp_path: Path) -> Generator[Server]:
    """A server that wants a password."""
    with private_server(tmp_path, "--requirepass", "s3cret") as far:
        yield far


@pytest.mark.parametrize(
    ("user", "says"), [("", "wants a password; give it in the URL"), (":wrong@", "refuses the user or the password")]
)
def test_a_wrong_password_is_a_sentence(guarded: Server, user: str, says: str) -> None:
    """At once, without waiting, and without showing it."""
    url = guarded.url.replace("://", f"://{user}")
    with pytest.raises(RedisServerError, match=says) as raised:
        asyncio.run(store(url).initialize())
    assert "wrong@" not in str(raised.value)


def test_the_right_password_opens(guarded: Server) -> None:
    """In the URL; it is not shown."""

    async def scenario() -> str:
        one = await opened(guarded.url.replace("://", "://:s3cret@"))
        await create(one)
        shown = str((await one.facts())["path"])
        await one.close()
        return shown

    assert asyncio.run(scenario()) == guarded.url


def test_a_replica_is_refused(tmp_path: Path, guarded: Server) -> None:
    """It would take no changes."""
    folder = tmp_path / "replica"
    folder.mkdir()
    primary = ("--replicaof", "127.0.0.1", str(guarded.port), "--masterauth", "s3cret")
    refused = pytest.raises(RedisServerError, match="it is a replica, which takes no changes; name the primary one")
    with private_server(folder, *primary) as replica, refused:
        asyncio.run(store(replica.url).initialize())


def test_a_server_that_becomes_a_replica_is_left(tmp_path: Path) -> None:
    """What was not written is told, with the remedy."""

    async def scenario(far: Server) -> None:
        one = await opened(far.url)
        record = await create(one)
        with client(far.url) as asked:
            asked.replicaof("127.0.0.1", 1)
            with pytest.raises(RedisServerError, match="it is a read-only replica; name the primary one"):
                await one.commit(step(record, 1))
            asked.replicaof("no", "one")
        await one.commit(step(record, 1))
        await one.close()

    with private_server(tmp_path) as far:
        asyncio.run(scenario(far))


def test_a_full_memory_refuses_and_loses_nothing(tmp_path: Path) -> None:
    """Of a refused transition there is nothing; when there is room again, it is written."""

    async def scenario(far: Server) -> None:
        one = await opened(far.url)
        record, child = await create(one), instance()
        made = step(record, 1, created=(child,), snapshot=b"{}", outbox=(OutboxRecord("t", b"{}", 1),))
        with client(far.url) as asked:
            asked.config_set("maxmemory", 1)
            with pytest.raises(RedisServerError, match="its memory is full; raise maxmemory"):
                await one.commit(made)
            asked.config_set("maxmemory", 0)
        assert (await one.load_instance(record.workflow_id)).revision == 0
        assert list(await one.read_outbox()) == []
        await one.commit(made)
        assert (await one.load_instance(child.workflow_id)).status == "ACTIVE"
        assert await one.check() == []
        await one.close()

    with private_server(tmp_path) as far:
        asyncio.run(scenario(far))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("postgresql://localhost/shop", "needs a URL like redis://host:6379/0"),
        ("redis://localhost/shop", "a database of Redis is a number, as in /0"),
        ("localhost:6379", "needs a URL like"),
    ],
)
def test_a_url_that_is_none_of_redis_is_refused(url: str, says: str) -> None:
    """When the provider is made."""
    with pytest.raises(ValueError, match=says):
        RedisPersistenceProvider(url)


def test_no_url_at_all_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a variable names one."""
    monkeypatch.delenv("RUVON_DB_URL", raising=False)
    monkeypatch.delenv("REDIS_URL", raising=False)
    with pytest.raises(ValueError, match="there is none; give db_url="):
        RedisPersistenceProvider()
    monkeypatch.setenv("REDIS_URL", "redis://far/3")
    assert RedisPersistenceProvider().db_url == "redis://far/3"


@pytest.mark.parametrize(("options", "says"), [({"prefix": "a{b}"}, "without braces"), ({"lease_s": 0}, "must last")])
def test_options_that_mean_nothing_are_refused(options: dict[str, Any], says: str) -> None:
    """With what they would do."""
    with pytest.raises(ValueError, match=says):
        RedisPersistenceProvider("redis://localhost/0", **options)


def test_a_database_number_that_is_not_there_is_a_sentence() -> None:
    """A server has sixteen by default."""
    url = server().rpartition("/")[0] + "/99999"
    with pytest.raises(RedisServerError, match="it has no database of this number"):
        asyncio.run(store(url).initialize())


def test_a_store_of_a_later_version_is_left_alone() -> None:
    """Its keys may mean something else."""
    with client() as asked:
        asked.hset(f"{{{prefix()}}}:meta", "layout", "7")
    with pytest.raises(RedisServerError, match="its keys have the layout 7, and this Ruvon knows 1"):
        asyncio.run(store().initialize())


def test_a_provider_that_is_not_open_says_so() -> None:
    """Before `initialize`, after `close`, and in another loop."""

    async def unopened() -> None:
        await store().load_instance(instance().workflow_id)

    with pytest.raises(RedisServerError, match=r"call `await provider.initialize\(\)` first"):
        asyncio.run(unopened())

    async def open_only(made: RedisPersistenceProvider) -> None:
        await made.initialize()

    async def use(made: RedisPersistenceProvider) -> None:
        with pytest.raises(RedisServerError, match="opened in another event loop"):
            await made.load_instance(instance().workflow_id)
        await made.close()

    made = store()
    asyncio.run(open_only(made))
    asyncio.run(use(made))


def test_a_missing_package_names_the_extra() -> None:
    """`pip install 'ruvon[redis]'`."""
    program = """
        import sys
        sys.modules["redis"] = None
        try:
            import ruvon.implementations.persistence.redis
        except ImportError as exc:
            print(type(exc).__name__, exc)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=60, check=True
    )
    assert (
        done.stdout.strip()
        == "MissingExtraError `redis` is not installed; install it with `pip install 'ruvon[redis]'`"
    )
