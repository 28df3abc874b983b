"""Encryption as an application switches it on: a variable or an argument, and nothing else changes."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.encryption import EncryptedPersistence, KeyRing, inner_store, new_key
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import MissingExtraError, UnknownEncryptionKeyError
from ruvon.scheduler import OutboxRelay
from tests.integration.encryption import flows
from tests.support import postgres
from tests.support.workers import until, working

CANARY, NUMBER = "canary4711", "4929-0815"
DATA = {"name": CANARY, "number": NUMBER}
KEY = new_key("k1")


def new_builder(path: Path, **options: Any) -> WorkflowBuilder:
    """A builder over a file."""
    return WorkflowBuilder(persistence_provider=SQLitePersistenceProvider(path), plugins=False, **options)


def raw(path: Path) -> bytes:
    """The file and its journal."""
    return b"".join(item.read_bytes() for item in (path, path.with_name(path.name + "-wal")) if item.exists())


async def cared_for(builder: WorkflowBuilder) -> Any:
    """A run through a wait, an event, and a step that shares its transaction."""
    builder.register(flows.care)
    run = await builder.create_workflow("Care", DATA)
    await run.run()
    assert run.status is WorkflowStatus.WAITING_HUMAN
    again = await builder.load_workflow(run.id)
    assert again.state.number.get_secret_value() == NUMBER
    await again.answer({"text": f"{CANARY} is well"})
    return again


def test_a_whole_run_leaves_nothing_in_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State with a `SecretStr`, the answer of a person, events, history and result; by the variable alone."""
    monkeypatch.setenv("RUVON_ENCRYPTION_KEY", KEY)
    path = tmp_path / "a.db"

    async def scenario() -> str:
        builder = new_builder(path)
        await builder.initialize()
        run = await cared_for(builder)
        text = raw(path)
        assert CANARY.encode() not in text
        assert NUMBER.encode() not in text
        (event,) = await builder.persistence.read_outbox()
        assert CANARY.encode() in event.payload
        await builder.close()
        return str(run.result)

    assert asyncio.run(scenario()) == f"{CANARY} was billed"


def test_without_keys_an_encrypted_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was started without them says which key it lacks, and changes nothing."""
    monkeypatch.delenv("RUVON_ENCRYPTION_KEY", raising=False)
    path = tmp_path / "a.db"

    async def scenario() -> None:
        builder = new_builder(path, encryption=KeyRing([KEY]))
        await builder.initialize()
        builder.register(flows.care)
        run = await builder.create_workflow("Care", DATA)
        await run.run()
        await builder.close()
        plain = new_builder(path)
        await plain.initialize()
        plain.register(flows.care)
        with pytest.raises(UnknownEncryptionKeyError, match="`k1`"):
            await plain.load_workflow(run.id)
        published: list[bytes] = []

        class Publisher:
            async def publish(self, topic: str, payload: bytes, key: str, /) -> None:
                published.append(payload)

        await OutboxRelay(plain.persistence, Publisher(), clock=plain.clock).relay()
        assert published == []
        assert len(await plain.persistence.read_outbox()) == 1
        await plain.close()

    asyncio.run(scenario())


def test_workers_open_their_tasks_and_close_their_results(tmp_path: Path) -> None:
    """A step that a worker runs: the order in the queue, its result and the inbox are closed."""
    path = tmp_path / "a.db"

    async def scenario() -> str:
        keys = KeyRing([KEY])
        builder = new_builder(path, encryption=keys, execution_provider=QueuedExecutionProvider())
        await builder.initialize()
        builder.register(flows.measured)
        run = await builder.create_workflow("Measured", DATA)
        await run.run()
        (task,) = await builder.persistence.find_tasks(_all())
        assert CANARY.encode() in task.payload
        assert CANARY.encode() not in raw(path)
        async with working(builder):
            await until(run)
        assert CANARY.encode() not in raw(path)
        await builder.close()
        return str(run.result)

    assert asyncio.run(scenario()) == f"{CANARY} measured"


def _all() -> Any:
    from ruvon.providers import TaskFilter

    return TaskFilter()


@postgres.needs_postgres
def test_there_is_no_picture_of_an_encrypted_state() -> None:
    """The JSONB column for queries of PostgreSQL stays empty."""
    url = postgres.emptied()

    async def scenario() -> None:
        builder = WorkflowBuilder(persistence_provider=postgres.store(), plugins=False, encryption=KeyRing([KEY]))
        await builder.initialize()
        await cared_for(builder)
        await builder.close()

    asyncio.run(scenario())
    assert postgres.query(url, "SELECT count(*), count(state) FROM workflow_executions") == [(1, 0)]


def test_any_store_that_is_given_is_behind_encryption_once(tmp_path: Path) -> None:
    """The builder's own, one that was wrapped before, and one that a single call names."""
    keys = KeyRing([KEY])
    wrapped = EncryptedPersistence(MemoryPersistenceProvider(), keys)
    assert WorkflowBuilder(persistence_provider=wrapped, plugins=False).persistence is wrapped
    builder = WorkflowBuilder(plugins=False, encryption=keys)
    assert isinstance(inner_store(builder.persistence), MemoryPersistenceProvider)
    other = SQLitePersistenceProvider(tmp_path / "b.db")
    engine = builder.engine(other)
    assert isinstance(engine.store, EncryptedPersistence)
    assert builder.engine(other) is engine
    assert WorkflowBuilder(plugins=False).persistence is not None


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """`cryptography` is optional, and is not imported before there is a key."""
    import sys

    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(MissingExtraError, match=r"ruvon\[encryption\]"):
        WorkflowBuilder(plugins=False, encryption=KeyRing([KEY]))


def test_a_file_without_encryption_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keys nothing is between the engine and the store."""
    monkeypatch.delenv("RUVON_ENCRYPTION_KEY", raising=False)
    path = tmp_path / "a.db"

    async def scenario() -> None:
        builder = new_builder(path)
        assert isinstance(builder.persistence, SQLitePersistenceProvider)
        await builder.initialize()
        await cared_for(builder)
        await builder.close()

    asyncio.run(scenario())
    connection = sqlite3.connect(path)
    assert connection.execute(
        "SELECT count(*) FROM workflow_snapshots WHERE substr(data, 1, 1) = x'00'"
    ).fetchone() == (0,)
    connection.close()
