"""What lies in a store is closed, opens only in its place, and nobody without its key gets it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.encryption import Box, EncryptedPersistence, guarded
from ruvon.providers import (
    DamagedDataError,
    InboxKind,
    OutboxRecord,
    TaskKind,
    TaskRecord,
    UnencryptedDataError,
    UnknownEncryptionKeyError,
)
from ruvon.testing.contracts._records import create, message, step
from tests.support.encrypted import (
    CANARY,
    FIRST,
    OTHER,
    SECOND,
    STORES,
    bare_store,
    change,
    exchange,
    fill,
    read_back,
    ring,
    seen,
)

every_store = pytest.mark.parametrize("kind", STORES)
in_a_file = pytest.mark.parametrize("kind", ["sqlite"])


@every_store
def test_nothing_of_the_authors_can_be_seen(kind: str, tmp_path: Path) -> None:
    """Rows, files, journals and JSON for queries: the canary is nowhere, and everything is read back as it was."""

    async def scenario() -> None:
        plain = bare_store(kind, tmp_path)
        await plain.initialize()
        store = EncryptedPersistence(plain, ring(FIRST))
        whose = await fill(store)
        text = seen(plain)
        assert CANARY not in text
        assert CANARY.encode().hex() not in text
        found = await read_back(store, whose)
        assert repr(found).count(CANARY) == 23
        assert "sealed" not in repr(found)
        await store.close()

    asyncio.run(scenario())


@every_store
def test_what_was_written_in_plain_stays_readable(kind: str, tmp_path: Path) -> None:
    """Encryption is switched on over a store that has been used; both kinds are read, new rows are closed."""

    async def scenario() -> None:
        plain = bare_store(kind, tmp_path)
        await plain.initialize()
        whose = await fill(plain)
        before = await read_back(plain, whose)
        store = EncryptedPersistence(plain, ring(FIRST))
        assert await read_back(store, whose) == before
        await store.append_inbox(message(before[0], "later"))
        assert [entry.payload for entry in await store.read_inbox(whose)][-1] == b"later"
        assert (await plain.read_inbox(whose))[-1].payload != b"later"
        await store.close()

    asyncio.run(scenario())


@every_store
def test_plain_data_is_refused_where_encryption_is_required(kind: str, tmp_path: Path) -> None:
    """Somebody who can write into the store cannot slip plain data in; what stores tell of dead workers is no data."""

    async def scenario() -> None:
        plain = bare_store(kind, tmp_path)
        await plain.initialize()
        store = EncryptedPersistence(plain, Box(ring(FIRST), required=True))
        record = await create(store)
        await plain.append_inbox(message(record, '{"crashes":5}', kind=InboxKind.TASK_RESULT))
        assert len(await store.read_inbox(record.workflow_id)) == 1
        await plain.append_inbox(message(record, "slipped in"))
        with pytest.raises(UnencryptedDataError, match="`payload` of workflow_inbox"):
            await store.read_inbox(record.workflow_id)
        await store.close()

    asyncio.run(scenario())


@every_store
def test_without_its_key_data_is_refused_with_its_name(kind: str, tmp_path: Path) -> None:
    """A missing key, another key under the same id, and no keys at all are typed errors that say what to do."""

    async def scenario() -> None:
        plain = bare_store(kind, tmp_path)
        await plain.initialize()
        whose = (await create(EncryptedPersistence(plain, ring(FIRST)))).workflow_id
        with pytest.raises(UnknownEncryptionKeyError, match=r"`k1`.*RUVON_ENCRYPTION_KEY") as missing:
            await EncryptedPersistence(plain, ring(SECOND)).load_instance(whose)
        assert missing.value.key_id == "k1"
        with pytest.raises(DamagedDataError, match="the key `k1` given here is not the one"):
            await EncryptedPersistence(plain, ring(OTHER)).load_instance(whose)
        with pytest.raises(UnknownEncryptionKeyError):
            await guarded(plain).load_instance(whose)
        with pytest.raises(DamagedDataError):
            await EncryptedPersistence(plain, ring(OTHER)).initialize()

    asyncio.run(scenario())


@every_store
def test_a_task_and_an_event_that_cannot_be_opened_hold_up_nobody(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are given on as they are stored, with a word in the log; their neighbours are opened."""

    async def scenario() -> None:
        plain = bare_store(kind, tmp_path)
        await plain.initialize()
        first, store = EncryptedPersistence(plain, ring(FIRST)), EncryptedPersistence(plain, ring(SECOND))
        record = await create(store)
        for number, closing in enumerate((first, store), 1):
            task = TaskRecord(f"t{number}", record.workflow_id, TaskKind.STEP, "a", payload=b"{}")
            event = OutboxRecord("topic", b"{}", at_us=1)
            await closing.commit(step(record, number, tasks=(task,), outbox=(event,)))
        claimed = await store.claim_tasks("w", limit=2, lease_us=9, now_us=10**15)
        assert sorted(task.payload == b"{}" for task in claimed) == [False, True]
        assert [event.payload == b"{}" for event in await store.read_outbox()] == [False, True]
        await store.close()

    asyncio.run(scenario())
    assert "`k1`, which this process does not have" in caplog.text


@in_a_file
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("workflow_executions", "position"),
        ("workflow_executions", "result"),
        ("workflow_snapshots", "data"),
        ("workflow_audit_log", "delta"),
        ("workflow_audit_log", "note"),
        ("workflow_inbox", "payload"),
        ("tasks", "payload"),
        ("workflow_schedules", "data"),
    ],
)
def test_rows_that_change_places_are_refused(kind: str, tmp_path: Path, table: str, column: str) -> None:
    """Values of two instances are exchanged in the file: neither opens."""

    async def scenario() -> None:
        plain = bare_store(kind, tmp_path)
        await plain.initialize()
        store = EncryptedPersistence(plain, ring(FIRST))
        whose = await fill(store), await fill(store)
        exchange(tmp_path / "store.db", table, column)
        for name in whose:
            with pytest.raises(DamagedDataError, match="changed or moved"):
                await read_back(store, name)
        await store.close()

    asyncio.run(scenario())


@in_a_file
def test_an_older_row_does_not_open_as_the_present_one(kind: str, tmp_path: Path) -> None:
    """The columns of a row belong to its revision."""

    async def scenario() -> None:
        plain = bare_store(kind, tmp_path)
        await plain.initialize()
        store = EncryptedPersistence(plain, ring(FIRST))
        record = await create(store)
        older = (await plain.load_instance(record.workflow_id)).position
        await store.commit(step(record, 1))
        change(tmp_path / "store.db", "UPDATE workflow_executions SET position = ?", older)
        with pytest.raises(DamagedDataError):
            await store.load_instance(record.workflow_id)
        await store.close()

    asyncio.run(scenario())


@every_store
def test_ids_given_by_the_store_reach_the_caller(kind: str, tmp_path: Path) -> None:
    """The store fills in keys and numbers; the caller finds them in what it gave."""

    async def scenario() -> Any:
        plain = bare_store(kind, tmp_path)
        await plain.initialize()
        store = EncryptedPersistence(plain, ring(FIRST))
        record = await create(store)
        assert record.key == (await plain.load_instance(record.workflow_id)).key
        entry = message(record, "a")
        await store.append_inbox(entry)
        assert entry.payload == b"a"
        found = entry.seq, (await store.read_inbox(record.workflow_id))[0].seq
        await store.close()
        return found

    given, read = asyncio.run(scenario())
    assert given == read > 0
