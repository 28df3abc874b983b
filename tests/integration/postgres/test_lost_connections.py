"""Connections that are lost, at the worst of moments: nothing is lost, nothing is doubled."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from ruvon.implementations.persistence.postgres import DatabaseServerError, PostgresPersistenceProvider
from ruvon.implementations.persistence.postgres._holds import PostgresHold
from ruvon.providers import InstanceRecord, OutboxRecord, StaleWorkflowError, WorkflowBusyError
from ruvon.testing.contracts._records import create, creation, instance, message, step
from tests.support.postgres import SMALL, database, emptied, needs_postgres, query, store
from tests.support.postgres_proxy import wire

pytestmark = needs_postgres

KILL = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE application_name = 'ruvon' AND datname = current_database()"""


@pytest.fixture(autouse=True)
def _empty() -> None:
    emptied()


async def opened(url: str | None = None, **options: Any) -> PostgresPersistenceProvider:
    """An open provider."""
    made = PostgresPersistenceProvider(url or database(), **{"pool": SMALL, **options})
    await made.initialize()
    return made


async def kill() -> None:
    """End every connection of every provider."""
    await asyncio.to_thread(query, database(), KILL)


async def until(condition: Any) -> None:
    """Until it holds; a minute is too long."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - what is waited for happens in the server
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("rich", [False, True], ids=["steps alone", "steps with events"])
def test_killed_backends_in_the_middle_of_200_commits(rich: bool) -> None:
    """Every commit succeeds, and the logs have every entry once."""

    async def scenario() -> list[list[int]]:
        one = await opened()
        records = [await create(one) for _ in range(20)]
        done = 0
        kills = [30, 80, 81, 120, 170]

        async def drive(record: InstanceRecord) -> None:
            nonlocal done
            for number in range(1, 11):
                more: dict[str, Any] = {"outbox": (OutboxRecord("t", b"{}", number),)} if rich else {}
                made = step(record, number, transition_id=record.workflow_id.bytes + bytes([number]), **more)
                await one.commit(made)
                done += 1
                if kills and done >= kills[0]:
                    kills.pop(0)
                    await kill()

        await asyncio.gather(*(drive(record) for record in records))
        assert len(await one.read_outbox(limit=999)) == (200 if rich else 0)
        assert await one.check() == []
        logs = [[entry.seq for entry in await one.read_log(record.workflow_id)] for record in records]
        await one.close()
        return logs

    assert asyncio.run(scenario()) == [list(range(1, 11))] * 20


@pytest.mark.parametrize("before", [True, False], ids=["before the request", "before the answer"])
@pytest.mark.parametrize("rich", [False, True], ids=["one statement", "a transaction"])
def test_a_commit_without_an_answer_is_looked_up(rich: bool, before: bool) -> None:
    """It was written or it was not; either way it is there once, and the caller is told so."""

    async def scenario() -> None:
        async with wire(database()) as cable:
            one = await opened(cable.url)
            record, other = await create(one), await create(one)
            more: dict[str, Any] = {"outbox": (OutboxRecord("t", b"{}", 1),), "sent": (message(other, "m"),)}
            made = step(record, 1, **(more if rich else {}))
            if not rich:
                await one.commit(step(other, 1))  # the statement is prepared: what comes next is the commit itself
            cable.arm(b"COMMIT" if rich else made.position, before=before)
            await one.commit(made)
            assert cable.cuts == 1
            assert [entry.seq for entry in await one.read_log(record.workflow_id)] == [1]
            assert len(await one.read_outbox()) == len(await one.read_inbox(other.workflow_id)) == (1 if rich else 0)
            await one.commit(step(record, 2))
            await one.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("before", [True, False], ids=["before the request", "before the answer"])
def test_a_creation_without_an_answer_is_looked_up(before: bool) -> None:
    """The instance is there once, its record has its key, and a later creation of it is refused as ever."""

    async def scenario() -> None:
        async with wire(database()) as cable:
            one = await opened(cable.url)
            record = instance(idempotency_key="k")
            cable.arm(b"COMMIT", before=before)
            await one.commit(creation(record))
            assert cable.cuts == 1
            assert (await one.load_instance(record.workflow_id)).key == record.key
            with pytest.raises(StaleWorkflowError):
                await one.commit(creation(record))
            await one.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("before", [True, False], ids=["before the request", "before the answer"])
def test_a_message_without_an_answer_is_looked_up(before: bool) -> None:
    """It is appended once."""

    async def scenario() -> None:
        async with wire(database()) as cable:
            one = await opened(cable.url)
            record = await create(one)
            cable.arm(b"COMMIT", before=before)
            assert await one.append_inbox(message(record, "x"))
            assert cable.cuts == 1
            assert len(await one.read_inbox(record.workflow_id)) == 1
            await one.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("before", [True, False], ids=["before the request", "before the answer"])
def test_a_shared_transaction_without_an_answer(before: bool) -> None:
    """Written, the commit returns; not written, it says so, and nothing is there."""
    query(database(), "DROP TABLE IF EXISTS payments")
    query(database(), "CREATE TABLE payments (id text PRIMARY KEY)")

    async def scenario() -> None:
        async with wire(database()) as cable:
            one = await opened(cable.url)
            record = await create(one)
            told = pytest.raises(DatabaseServerError, match="nothing was written") if before else nullcontext()
            async with one.transact() as sql:
                await sql.execute("INSERT INTO payments VALUES (?)", ("p",))
                cable.arm(b"COMMIT", before=before)
                with told:
                    await sql.commit(step(record, 1))
            assert (await one.load_instance(record.workflow_id)).revision == (0 if before else 1)
            await one.close()

    asyncio.run(scenario())
    assert len(query(database(), "SELECT id FROM payments")) == (0 if before else 1)


def test_a_server_that_is_away_for_good_is_a_sentence() -> None:
    """After `reconnect_timeout_s` the commit ends with the address and a remedy, and the provider can be closed."""

    async def scenario() -> str:
        async with wire(database()) as cable:
            one = await opened(cable.url, reconnect_timeout_s=0.3)
            record = await create(one)
            cable.refuse(refused=True)
            with pytest.raises(DatabaseServerError) as caught:
                await one.commit(step(record, 1))
            with pytest.raises(DatabaseServerError):
                await one.load_instance(record.workflow_id)
            await one.close()
            return str(caught.value)

    assert "cannot be used" in asyncio.run(scenario())


def test_a_server_that_comes_back_is_used_again() -> None:
    """A commit waits for it, and so do reads and holds."""

    async def scenario() -> None:
        async with wire(database()) as cable:
            one = await opened(cable.url)
            record = await create(one)
            cable.refuse(refused=True)
            waiting = [
                asyncio.create_task(one.commit(step(record, 1))),
                asyncio.create_task(one.load_instance(record.workflow_id)),
                asyncio.create_task(one.hold(record.workflow_id)),
            ]
            await asyncio.sleep(0.05)
            assert not any(task.done() for task in waiting)
            cable.refuse(refused=False)
            _, read, hold = await asyncio.gather(*waiting)
            await hold.release()
            assert read.revision in {0, 1}
            await one.close()
        two = await opened()
        found = await two.load_instance(record.workflow_id)
        log = await two.read_log(record.workflow_id)
        await two.close()
        assert (found.revision, found.transition_id, [entry.seq for entry in log]) == (1, b"t1", [1])

    asyncio.run(scenario())


def test_holds_survive_a_lost_connection() -> None:
    """The new connection takes them again, so nobody else gets them; listeners look once at what came meanwhile."""

    async def scenario() -> None:
        one, two = await opened(), await opened()
        record = await create(one)
        hold = await one.hold(record.workflow_id)
        heard = asyncio.Event()
        hold.listen(heard.set)
        await kill()
        await asyncio.wait_for(heard.wait(), 30)
        with pytest.raises(WorkflowBusyError):
            await two.hold(record.workflow_id)
        await one.commit(step(record, 1))
        heard.clear()
        await two.append_inbox(message(record, "x"))
        await asyncio.wait_for(heard.wait(), 30)
        await hold.release()
        await (await two.hold(record.workflow_id)).release()
        await one.close()
        await two.close()

    asyncio.run(scenario())


def test_a_hold_that_somebody_else_got_is_lost() -> None:
    """Its holder is woken, its next commit is refused, and releasing it leaves the other one's alone."""

    async def scenario() -> None:
        async with wire(database()) as cable:
            one, two = await opened(cable.url), await opened()
            record = await create(two)
            hold = await one.hold(record.workflow_id)
            heard = asyncio.Event()
            hold.listen(heard.set)
            cable.refuse(refused=True)
            taken: list[Any] = []

            async def free() -> bool:
                try:
                    taken.append(await two.hold(record.workflow_id))
                except WorkflowBusyError:
                    return False
                return True

            await until(free)
            cable.refuse(refused=False)
            await asyncio.wait_for(heard.wait(), 30)
            with pytest.raises(StaleWorkflowError, match="was lost, and somebody else has it now"):
                await one.commit(step(record, 1))
            await hold.release()
            with pytest.raises(WorkflowBusyError):
                await one.hold(record.workflow_id)
            await two.commit(step(record, 1))
            await taken[0].release()
            await one.close()
            await two.close()

    asyncio.run(scenario())


def test_a_killed_process_frees_what_it_held() -> None:
    """A hold dies with its process, also under SIGKILL."""
    record = instance()
    script = textwrap.dedent(
        f"""
        import asyncio
        from uuid import UUID
        from ruvon.implementations.persistence.postgres import PostgresPersistenceProvider
        async def main():
            store = PostgresPersistenceProvider({database()!r})
            await store.initialize()
            await store.hold(UUID({str(record.workflow_id)!r}))
            print("held", flush=True)
            await asyncio.Event().wait()
        asyncio.run(main())
        """
    )

    async def scenario() -> None:
        one = await opened()
        await one.commit(creation(record))
        child = subprocess.Popen(  # noqa: ASYNC220 - the loop has nothing else to do
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "POSTGRES_POOL_MIN_SIZE": "1"},
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(WorkflowBusyError):
            await one.hold(record.workflow_id)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()

        async def free() -> bool:
            try:
                await (await one.hold(record.workflow_id)).release()
            except WorkflowBusyError:
                return False
            return True

        await until(free)
        await one.close()

    asyncio.run(scenario())


def test_many_holds_are_one_question() -> None:
    """Asked for at once they are taken at once; of two that ask for one instance, one gets it."""

    async def scenario() -> None:
        one = await opened()
        records = [await create(one) for _ in range(50)]
        asked = [one.hold(record.workflow_id) for record in (*records, *records[:5])]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(item).__name__ for item in answers] == ["PostgresHold"] * 50 + ["WorkflowBusyError"] * 5
        await asyncio.gather(*(item.release() for item in answers[:50]))  # type: ignore[union-attr]
        count = await asyncio.to_thread(
            query, database(), "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
            "WHERE l.locktype = 'advisory' AND d.datname = current_database()"
        )  # fmt: skip
        assert count == [(0,)]
        await one.close()

    asyncio.run(scenario())


def test_a_hold_whose_caller_is_gone_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelled while it waited, the call leaves no lock: what the server gave is released, and others get it."""
    released: list[bytes] = []
    usual = PostgresHold.release

    async def release(hold: PostgresHold) -> None:
        await usual(hold)
        released.append(hold.token)

    monkeypatch.setattr(PostgresHold, "release", release)

    async def scenario() -> None:
        one, two = await opened(), await opened()
        record = await create(one)
        asking = asyncio.create_task(one.hold(record.workflow_id))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

        async def given_back() -> bool:
            return len(released) == 1

        await until(given_back)
        assert await two.held_instances([record.workflow_id]) == set()
        hold = await two.hold(record.workflow_id)
        assert await one.held_instances([record.workflow_id]) == {str(record.workflow_id)}
        await hold.release()
        assert len(set(released)) == 2
        await one.close()
        await two.close()

    asyncio.run(scenario())


def test_use_before_initialize_and_after_close_says_what_to_do() -> None:
    """A provider that is not open answers with the call that is missing; a password is never shown."""

    async def scenario() -> list[str]:
        made = PostgresPersistenceProvider("postgresql://ann:s3cret@nowhere.invalid/shop")
        found = []
        for call in (made.load_instance(instance().workflow_id), made.commit(step(instance(), 1)), made.initialize()):
            with pytest.raises(DatabaseServerError) as caught:
                await call
            found.append(str(caught.value))
        await made.close()
        return found

    made = asyncio.run(scenario())
    assert all("s3cret" not in text and "ann@nowhere.invalid/shop" in text for text in made)
    assert all("await provider.initialize()" in text for text in made[:2])


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_loop_that_ends_leaves_nobody_waiting() -> None:
    """Where everything is cancelled at once, holds that are being released and commits under way end, too."""

    async def scenario() -> None:
        one = await opened()
        records = [await create(one) for _ in range(4)]
        begun = asyncio.Event()

        async def drive(record: InstanceRecord) -> None:
            hold = await one.hold(record.workflow_id)
            try:
                begun.set()
                await asyncio.Event().wait()
            finally:
                await hold.release()
                with pytest.raises(DatabaseServerError):
                    await one.commit(step(record, 1))

        one.driving = [asyncio.create_task(drive(record)) for record in records]  # type: ignore[attr-defined]
        await begun.wait()
        raise KeyError

    def run() -> None:
        with pytest.raises(KeyError):
            asyncio.run(scenario())

    running = threading.Thread(target=run, daemon=True)
    running.start()
    running.join(30)
    assert not running.is_alive()
    gc.collect()  # what nobody could close is told about here, where it is expected


def test_another_event_loop_is_told_apart() -> None:
    """A provider is used in the loop that opened it; in the next one it is opened again."""
    one = store()

    async def first() -> InstanceRecord:
        await one.initialize()
        record = await create(one)
        await one.close()
        await one.initialize()
        await one.close()
        return record

    async def second(record: InstanceRecord) -> int:
        with pytest.raises(DatabaseServerError, match="not open"):
            await one.load_instance(record.workflow_id)
        await one.initialize()
        found = await one.load_instance(record.workflow_id)
        await one.close()
        return found.key

    record = asyncio.run(first())
    assert asyncio.run(second(record)) == record.key


def test_two_providers_may_start_on_an_empty_database_at_once() -> None:
    """One of them creates the tables, in a schema of its own here; the other one finds them."""
    query(database(), "DROP SCHEMA IF EXISTS apart, beside CASCADE")

    async def scenario() -> None:
        several = [store(schema="apart") for _ in range(4)]
        await asyncio.gather(*(item.initialize() for item in several))
        record = await create(several[0])
        assert (await several[1].load_instance(record.workflow_id)).key == record.key
        beside = store(schema="beside")
        await beside.initialize()
        same_key = await create(beside)
        assert same_key.key == record.key
        one, two = await several[0].hold(record.workflow_id), await beside.hold(same_key.workflow_id)
        await one.release()
        await two.release()
        for item in (*several, beside):
            await item.close()

    asyncio.run(scenario())
    query(database(), "DROP SCHEMA apart, beside CASCADE")


def test_a_stale_repeat_is_told_from_ones_own() -> None:
    """A commit in doubt whose row has moved on is answered by its log entry, not by the revision."""

    async def scenario() -> None:
        async with wire(database()) as cable:
            one, two = await opened(cable.url), await opened()
            record = await create(two)
            await one.commit(step(record, 1))
            made = step(record, 2)
            cable.arm(made.position, before=False)
            cable.refuse_after_cut = True
            committing = asyncio.create_task(one.commit(made))

            async def written() -> bool:
                return (await two.load_instance(record.workflow_id)).revision == 2

            await until(written)
            await two.commit(replace(step(record, 3), transition_id=b"another one"))
            cable.refuse(refused=False)
            await committing
            assert [entry.seq for entry in await two.read_log(record.workflow_id)] == [1, 2, 3]
            await one.close()
            await two.close()

    asyncio.run(scenario())
