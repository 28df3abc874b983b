"""SQLite keeps the contract of every store, in memory and on a file, and some promises of its own."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from ruvon.implementations.persistence import sqlite
from ruvon.implementations.persistence.sqlite import DatabaseFileError, SQLitePersistenceProvider
from ruvon.providers.persistence import InboxEntry, InboxKind, StaleWorkflowError, WorkflowBusyError
from ruvon.testing.contracts import PersistenceContract
from ruvon.testing.contracts._records import create, creation, instance, step
from tests.support.engine_world import START_US, JumpingClock


class TestSQLiteInMemory(PersistenceContract):
    """The contract on a database in memory (S3-045)."""

    @pytest.fixture
    def store_factory(self) -> Callable[[], SQLitePersistenceProvider]:
        """A fresh database in memory."""
        return lambda: SQLitePersistenceProvider(":memory:")


class TestSQLiteFile(PersistenceContract):
    """The contract on a file with full flushes (S2-030, S3-044)."""

    @pytest.fixture
    def store_factory(self, tmp_path: Path) -> Callable[[], SQLitePersistenceProvider]:
        """A fresh file."""
        return lambda: SQLitePersistenceProvider(tmp_path / "dev.db")


class TestSQLiteFileWithShortFlushes(PersistenceContract):
    """The contract where lone transitions are committed on the calling thread."""

    @pytest.fixture
    def store_factory(self, tmp_path: Path) -> Callable[[], SQLitePersistenceProvider]:
        """A fresh file that is not flushed at every commit."""
        return lambda: SQLitePersistenceProvider(tmp_path / "dev.db", durability="NORMAL")


async def opened(path: Path, **options: object) -> SQLitePersistenceProvider:
    """An open provider on a file."""
    store = SQLitePersistenceProvider(path, **options)  # type: ignore[arg-type]
    await store.initialize()
    return store


def query(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Look at the file behind the provider's back."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def test_a_file_is_in_wal_mode_and_flushes_fully(tmp_path: Path) -> None:
    """WAL, and `synchronous=FULL` unless asked otherwise (S2-030, S4-004)."""

    async def scenario() -> tuple[str, int]:
        store = await opened(tmp_path / "a.db")
        connection = store._connection
        assert connection is not None
        mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
        level = connection.execute("PRAGMA synchronous").fetchone()[0]
        await store.close()
        return mode, level

    assert asyncio.run(scenario()) == ("wal", 2)


def test_concurrent_transitions_share_a_flush_and_stand_alone(tmp_path: Path) -> None:
    """Of many transitions committed at once, stale ones get their answer and leave no trace; the others are stored."""

    async def scenario() -> tuple[list[object], list[int]]:
        store = await opened(tmp_path / "a.db")
        records = [instance() for _ in range(40)]
        await asyncio.gather(*(store.commit(creation(record)) for record in records))
        stale = [step(record, 5) for record in records[::2]]
        good = [step(record, 1) for record in records[1::2]]
        answers = await asyncio.gather(*(store.commit(item) for item in (*stale, *good)), return_exceptions=True)
        lengths = [len(await store.read_log(record.workflow_id)) for record in records]
        await store.close()
        return list(answers), lengths

    answers, lengths = asyncio.run(scenario())

    assert [type(item) for item in answers] == [StaleWorkflowError] * 20 + [type(None)] * 20
    assert lengths == [0, 1] * 20


def test_one_log_row_and_one_row_update_a_step(tmp_path: Path) -> None:
    """A step costs two rows: the workflow's and one of the log, in one transaction (S4-039)."""

    async def scenario() -> list[str]:
        store = await opened(tmp_path / "a.db", durability="NORMAL")
        record = instance()
        await store.commit(creation(record))
        seen: list[str] = []
        assert store._connection is not None
        store._connection.set_trace_callback(lambda text: seen.append(text.split()[0]))
        await store.commit(step(record, 1))
        await store.close()
        return [word for word in seen if word in {"INSERT", "UPDATE", "DELETE", "COMMIT"}]

    assert asyncio.run(scenario()) == ["UPDATE", "INSERT", "COMMIT"]


def test_two_providers_exclude_each_other(tmp_path: Path) -> None:
    """Holding works between providers, so also between processes; what one holds the other gets after release."""

    async def scenario() -> None:
        one, two = await opened(tmp_path / "a.db"), await opened(tmp_path / "a.db")
        record = instance()
        await one.commit(creation(record))
        hold = await one.hold(record.workflow_id)
        with pytest.raises(WorkflowBusyError):
            await two.hold(record.workflow_id)
        await hold.release()
        taken = await two.hold(record.workflow_id)
        await taken.release()
        duty = await one.take_duty("outbox")
        assert duty is not None
        assert await two.take_duty("outbox") is None
        await duty.release()
        assert await two.take_duty("outbox") is not None
        await one.close()
        await two.close()

    asyncio.run(scenario())


def test_a_killed_process_frees_what_it_held(tmp_path: Path) -> None:
    """A hold dies with its process, also under SIGKILL, at once."""
    record = instance()
    script = textwrap.dedent(
        f"""
        import asyncio, sys
        from uuid import UUID
        from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
        async def main():
            store = SQLitePersistenceProvider({str(tmp_path / "a.db")!r})
            await store.initialize()
            hold = await store.hold(UUID({str(record.workflow_id)!r}))
            hold.driving()
            print("held", flush=True)
            await asyncio.Event().wait()
        asyncio.run(main())
        """
    )

    async def scenario() -> None:
        store = await opened(tmp_path / "a.db")
        await store.commit(creation(record))
        child = subprocess.Popen(  # noqa: ASYNC220 - the loop has nothing else to do
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(WorkflowBusyError):
            await store.hold(record.workflow_id)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        looking = await store.hold(record.workflow_id)
        assert looking.died
        await looking.release()
        hold = await store.hold(record.workflow_id)
        assert hold.died, "who only looks does not take the trace of a death away"
        hold.driving()
        await hold.release()
        after = await store.hold(record.workflow_id)
        assert not after.died
        await after.release()
        await store.close()

    asyncio.run(scenario())


def test_a_killed_process_loses_nothing_that_was_committed(tmp_path: Path) -> None:
    """Every step that was acknowledged before SIGKILL is there afterwards, and the file is sound."""
    script = textwrap.dedent(
        f"""
        import asyncio
        from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
        from ruvon.testing.contracts._records import creation, instance, step
        async def main():
            store = SQLitePersistenceProvider({str(tmp_path / "a.db")!r})
            await store.initialize()
            record = instance()
            await store.commit(creation(record))
            print(record.workflow_id, flush=True)
            number = 0
            while True:
                number += 1
                await store.commit(step(record, number))
                print(number, flush=True)
        asyncio.run(main())
        """
    )
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(60)]
    os.kill(child.pid, signal.SIGKILL)
    rest = child.stdout.read().split()
    child.stdout.close()
    child.wait()
    acknowledged = int((rest or [lines[-1]])[-1])

    async def stored() -> int:
        from uuid import UUID

        store = await opened(tmp_path / "a.db")
        log = await store.read_log(UUID(lines[0].strip()))
        await store.close()
        return len(log)

    assert asyncio.run(stored()) >= acknowledged
    assert query(tmp_path / "a.db", "PRAGMA integrity_check") == [("ok",)]


def test_a_message_from_another_process_wakes_a_listener(tmp_path: Path) -> None:
    """What another connection appends is noticed without asking."""

    async def scenario() -> bool:
        one, two = await opened(tmp_path / "a.db"), await opened(tmp_path / "a.db")
        record = instance()
        await one.commit(creation(record))
        hold = await one.hold(record.workflow_id)
        woken = asyncio.Event()
        hold.listen(woken.set)
        await two.append_inbox(InboxEntry(record.workflow_id, InboxKind.SIGNAL, "m:M", b"1"))
        await asyncio.wait_for(woken.wait(), 5)
        await hold.release()
        await one.close()
        await two.close()
        return woken.is_set()

    assert asyncio.run(scenario())


def test_an_application_adds_a_table_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Extending `SQLITE_SCHEMA` creates the table at the first start and keeps the data at the next (S1-012 to S1-014)."""
    extended = sqlite.SQLITE_SCHEMA + "CREATE TABLE IF NOT EXISTS payment_events (id TEXT PRIMARY KEY);"
    monkeypatch.setattr(sqlite, "SQLITE_SCHEMA", extended)

    async def start() -> None:
        store = await opened(tmp_path / "a.db")
        await store.close()

    asyncio.run(start())
    query(tmp_path / "a.db", "INSERT INTO payment_events VALUES ('p1')")
    asyncio.run(start())

    assert query(tmp_path / "a.db", "SELECT id FROM payment_events") == [("p1",)]


def _write(path: Path, text: bytes) -> Path:
    path.write_bytes(text)
    return path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder / "missing" / "a.db", "does not exist; create it"),
        (
            lambda folder: _write(folder / "a.db", b"this is no database at all, but long enough to look at" * 20),
            "not a SQLite",
        ),
        (lambda folder: folder, "it is a folder; name a file"),
    ],
    ids=["no folder", "no database", "a folder"],
)
def test_a_file_that_cannot_be_used_is_named_with_a_remedy(tmp_path: Path, make: object, says: str) -> None:
    """Opening what is no database ends in a sentence that says what to do."""
    path = make(tmp_path)  # type: ignore[operator]

    with pytest.raises(DatabaseFileError) as caught:
        asyncio.run(opened(path))

    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_database_of_a_later_version_is_refused_untouched(tmp_path: Path) -> None:
    """A newer schema is not touched by an older Ruvon."""
    query(tmp_path / "a.db", "PRAGMA user_version = 99")

    with pytest.raises(DatabaseFileError, match="schema version 99"):
        asyncio.run(opened(tmp_path / "a.db"))

    assert query(tmp_path / "a.db", "SELECT count(*) FROM sqlite_master") == [(0,)]


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ("PRAGMA user_version = 99", "schema version 99"),
        ("CREATE TABLE tasks (title TEXT)", "another program's tables"),
        ("CREATE VIEW tasks AS SELECT 1 AS title", "another program's tables"),
        ("CREATE TABLE notes (a); PRAGMA user_version = 2", "the database of another program"),
        ("CREATE TABLE notes (a); PRAGMA user_version = 1", "the database of another program"),
    ],
    ids=["a later version", "a table of our name", "a view of our name", "its own version", "its own older version"],
)
def test_what_is_not_ours_is_refused_without_a_changed_byte(tmp_path: Path, made: str, says: str) -> None:
    """Not its journal mode, nor anything else of it; and nothing is laid beside it."""
    connection = sqlite3.connect(tmp_path / "a.db")
    connection.executescript(made)
    connection.close()
    before = (tmp_path / "a.db").read_bytes()

    with pytest.raises(DatabaseFileError, match=says):
        asyncio.run(opened(tmp_path / "a.db"))

    assert (tmp_path / "a.db").read_bytes() == before
    assert [item.name for item in tmp_path.iterdir()] == ["a.db"]


def test_a_file_with_tables_of_an_application_is_taken(tmp_path: Path) -> None:
    """Tables of other names live beside ours."""
    query(tmp_path / "a.db", "CREATE TABLE notes (a)")

    asyncio.run(_touched(tmp_path / "a.db"))

    assert query(tmp_path / "a.db", "SELECT count(*) FROM workflow_executions, notes") == [(0,)]


async def _touched(path: Path) -> None:
    await (await opened(path)).close()


def test_a_full_disk_is_a_typed_error_and_loses_nothing(tmp_path: Path) -> None:
    """When the database cannot grow, the commit is refused whole, and goes through when there is room again."""

    async def scenario() -> tuple[str, int]:
        store = await opened(tmp_path / "a.db")
        record = instance()
        await store.commit(creation(record))
        assert store._connection is not None
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        big = step(record, 1, snapshot=b"x" * 200_000)
        with pytest.raises(DatabaseFileError) as caught:
            await store.commit(big)
        store._connection.execute("PRAGMA max_page_count = 1000000")
        await store.commit(big)
        log = await store.read_log(record.workflow_id)
        await store.close()
        return str(caught.value), len(log)

    text, length = asyncio.run(scenario())

    assert "the disk is full" in text
    assert length == 1


def test_use_before_initialize_and_after_close_says_what_to_do(tmp_path: Path) -> None:
    """A provider that is not open answers with the call that is missing."""

    async def scenario() -> str:
        store = SQLitePersistenceProvider(tmp_path / "a.db")
        with pytest.raises(DatabaseFileError) as caught:
            await store.load_instance(uuid4())
        await store.close()
        return str(caught.value)

    assert "await provider.initialize()" in asyncio.run(scenario())


def test_a_process_that_forgets_to_close_still_ends(tmp_path: Path) -> None:
    """No thread of ours keeps a process alive."""
    script = textwrap.dedent(
        f"""
        import asyncio
        from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
        async def main():
            store = SQLitePersistenceProvider({str(tmp_path / "a.db")!r})
            await store.initialize()
            await store.list_workflows()
            raise SystemExit(7)
        asyncio.run(main())
        """
    )

    assert subprocess.run([sys.executable, "-c", script], timeout=30, check=False).returncode == 7


def test_a_forgotten_history_is_sound_and_a_damaged_one_is_not(tmp_path: Path) -> None:
    """`check` knows the gaps that forgetting leaves from those of damage, in the log and in the snapshots."""

    async def scenario() -> list[list[str]]:
        store = await opened(tmp_path / "a.db")
        record = await create(store)
        for number in range(1, 10):
            made = step(record, number, snapshot=b"{}" if number % 3 == 0 else None)
            made.entries[0].saga = b"{}" if number == 2 else None
            await store.commit(made)
        await store.commit(step(record, 10, forget_before=5))
        found = [[item["problem"] for item in await store.check()]]
        for damage in (
            "DELETE FROM workflow_audit_log WHERE seq = 2",
            "DELETE FROM workflow_audit_log WHERE seq = 7",
            "DELETE FROM workflow_snapshots WHERE seq = 6",
        ):
            query(tmp_path / "a.db", damage)
            found.append([item["problem"] for item in await store.check()])
        await store.close()
        return found

    entry, state = "a log entry before this one is missing", "an earlier state of it is missing"
    assert asyncio.run(scenario()) == [[], [entry], [entry] * 2, [entry] * 2 + [state]]


def test_dictionaries_are_listed_among_instances(tmp_path: Path) -> None:
    """In order of creation, through pages, with the same filters."""

    async def scenario() -> tuple[list[str], list[str], list[str]]:
        store = await opened(tmp_path / "a.db", clock=JumpingClock())
        now = START_US
        old, new = await create(store, created_us=now - 5), await create(store, created_us=now + 5)
        await store.save_workflow("mine", {"status": "NEW", "workflow_type": "Own"})
        names = {str(old.workflow_id): "old", str(new.workflow_id): "new", "mine": "mine"}
        pages = [
            await store.list_workflows(),
            await store.list_workflows(limit=1, offset=1),
            await store.list_workflows(status="NEW"),
        ]
        await store.close()
        whole, second, status = [[names[item["workflow_id"]] for item in page] for page in pages]
        return whole, second, status

    assert asyncio.run(scenario()) == (["new", "mine", "old"], ["mine"], ["mine"])


SLOW = """
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000000) SELECT count(*) AS found FROM n"""
CLOSED_OVER_A_SCAN = f'''
import asyncio, sys
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider

async def main():
    store = SQLitePersistenceProvider(sys.argv[1])
    await store.initialize()
    scan = asyncio.create_task(store._scan("""{SLOW}""", ()))
    await asyncio.sleep(0.1)
    scan.cancel()
    await asyncio.gather(scan, return_exceptions=True)
    await store.close()

asyncio.run(main())
print("closed")
'''


def test_a_store_is_closed_while_a_thread_reads(tmp_path: Path) -> None:
    """Whoever asked was cancelled, the thread reads on: its connection is closed behind it, never under it."""
    command = [sys.executable, "-c", CLOSED_OVER_A_SCAN, str(tmp_path / "dev.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout) == (0, "closed\n"), done.stderr


def test_a_scan_that_the_close_cuts_short_is_a_typed_error(tmp_path: Path) -> None:
    """Nobody waits for the end of a long list when the store is closed."""

    async def scenario() -> None:
        store = SQLitePersistenceProvider(tmp_path / "dev.db")
        await store.initialize()
        scan = asyncio.create_task(store._scan(SLOW, ()))
        while store._scanner is None:  # noqa: ASYNC110 - a thread opens it
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        await store.close()
        with pytest.raises(DatabaseFileError):
            await scan

    asyncio.run(scenario())
