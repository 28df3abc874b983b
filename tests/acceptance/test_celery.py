"""Celery workers as real processes: killed in the middle, and with a broker that forgets (S4-007, S2-044, S3-036)."""

import asyncio
import secrets
from collections import Counter
from pathlib import Path

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.celery import CeleryExecutionProvider
from ruvon.implementations.persistence.postgres import PostgresPersistenceProvider
from ruvon.testing.contracts._execution import builder_with, ended, eventually
from ruvon.testing.contracts._flows import execution_sum
from tests.support.brokers import redis_broker
from tests.support.postgres import database, emptied, needs_postgres, store
from tests.support.processes import Process, celery_worker

pytestmark = needs_postgres

RUNS = 20
TURNS = 5


@pytest.fixture
def namespace() -> str:
    emptied()
    return f"ruvon-test-{secrets.token_hex(4)}"


def test_the_death_of_a_worker_loses_nothing_and_repeats_nothing_under_another_key(
    tmp_path: Path, namespace: str
) -> None:
    """Two workers, one killed with its processes: every workflow ends, every effect has one key."""
    ledger = tmp_path / "ledger.txt"
    ledger.touch()
    with celery_worker(tmp_path, database(), redis_broker(), namespace, "-c", "2", count=2, lease=2) as (first, _):
        asyncio.run(_run_and_kill(namespace, ledger, first))

    lines = [line.split() for line in ledger.read_text(encoding="utf-8").splitlines()]
    keys = Counter(key for key, _ in lines)
    assert len(keys) == RUNS * TURNS
    assert len(lines) - len(keys) <= 2, "only the bodies that the killed processes had in hand run again"


async def _run_and_kill(namespace: str, ledger: Path, victim: Process) -> None:
    execution = CeleryExecutionProvider(redis_broker(), namespace=namespace)
    async with asyncio.timeout(200), builder_with(execution, persistence_provider=store()) as builder:
        runs = [await _begun(builder, ledger) for _ in range(RUNS)]
        await eventually(lambda: ledger.read_text(encoding="utf-8").count("\n") >= RUNS)
        victim.kill()
        for run in runs:
            await ended(run)
        assert {(run.status.value, run.result) for run in runs} == {("COMPLETED", sum(range(TURNS)))}


def test_messages_that_the_broker_has_lost_are_sent_again(tmp_path: Path, namespace: str) -> None:
    """Tasks that were committed while nobody could be told are found by the feeder."""

    ledger = tmp_path / "ledger.txt"

    async def scene() -> None:
        execution = CeleryExecutionProvider(redis_broker(), namespace=namespace)
        async with asyncio.timeout(200), builder_with(execution, persistence_provider=store()) as builder:
            runs = [await _begun(builder, ledger) for _ in range(3)]
            await asyncio.to_thread(_forget, execution, namespace, 3)
            with celery_worker(tmp_path, database(), redis_broker(), namespace, "-c", "2"):
                for run in runs:
                    await ended(run)
            assert [(run.status.value, run.result) for run in runs] == [("COMPLETED", sum(range(TURNS)))] * 3

    asyncio.run(scene())
    keys = Counter(line.split()[0] for line in ledger.read_text(encoding="utf-8").splitlines())
    assert len(keys) == 3 * TURNS
    assert set(keys.values()) == {1}


def test_messages_that_come_twice_do_nothing_twice(tmp_path: Path, namespace: str) -> None:
    """Each id is sent five times; each effect is there once."""
    ledger = tmp_path / "ledger.txt"

    async def scene() -> None:
        execution = CeleryExecutionProvider(redis_broker(), namespace=namespace)
        async with asyncio.timeout(200), builder_with(execution, persistence_provider=store()) as builder:
            runs = [await _begun(builder, ledger) for _ in range(3)]
            tasks = await builder.persistence.claim_tasks("nobody", limit=10, lease_us=1, now_us=builder.clock.now_us())
            await builder.persistence.reap_tasks(builder.clock.now_us() + 10)
            for _ in range(5):
                await execution.tasks_added(tasks)
            with celery_worker(tmp_path, database(), redis_broker(), namespace, "-c", "2"):
                for run in runs:
                    await ended(run)

    asyncio.run(scene())
    keys = Counter(line.split()[0] for line in ledger.read_text(encoding="utf-8").splitlines())
    assert (len(keys), set(keys.values())) == (3 * TURNS, {1})


def test_the_example_of_the_cloud_runs_as_written(tmp_path: Path, namespace: str) -> None:
    """PostgreSQL by `db_url=`, Celery by `broker_url=` (S5-006, S4-007)."""

    async def scene() -> None:
        builder = WorkflowBuilder(
            persistence_provider=PostgresPersistenceProvider(db_url=database()),
            execution_provider=CeleryExecutionProvider(broker_url=redis_broker(), namespace=namespace),
            import_roots=["tests"],
        )
        builder.register(execution_sum)
        await builder.initialize()
        workflow = await builder.create_workflow("ExecutionSum", {"total": 1})
        await workflow.run()
        await asyncio.wait_for(ended(workflow), 100)
        assert workflow.result == [8, 4, 9, 16]
        await builder.close()

    with celery_worker(tmp_path, database(), redis_broker(), namespace, "-c", "2"):
        asyncio.run(scene())


def test_a_wrong_setting_is_told_before_the_pool_starts(tmp_path: Path, namespace: str) -> None:
    """A sentence, not a worker that cannot do anything."""
    with (
        pytest.raises(AssertionError, match="RUVON_WORKER_LEASE is `-1"),
        celery_worker(tmp_path, database(), redis_broker(), namespace, lease=-1.0),
    ):
        pass


async def _begun(builder: WorkflowBuilder, ledger: Path) -> object:
    run = await builder.create_workflow("ExecutionEffects", {"ledger": str(ledger)})
    await run.run()
    return run


def _forget(execution: CeleryExecutionProvider, namespace: str, count: int) -> None:
    """Throw the messages away, once they are all there."""
    thrown = 0
    with execution.app.connection_for_write() as connection:
        while thrown < count:
            message = connection.default_channel.basic_get(namespace, no_ack=True)
            thrown += message is not None
