"""Two schedulers in two processes over one outbox."""

import asyncio
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from tests.acceptance import fleet_flow
from tests.acceptance.test_kill import lines, wait_for
from tests.acceptance.test_resume_all import begin

EVENTS = 300


def test_two_relays_deliver_each_event_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them delivers at a time, and nothing is left."""
    monkeypatch.setenv("RUVON_TEST_EVENTS", str(tmp_path / "events.txt"))
    asyncio.run(publish(tmp_path))
    command = ("scheduler", "--publisher", "tests.acceptance.fleet_flow:broker", "--poll", "0.01")
    both = [begin(tmp_path, *command) for _ in range(2)]
    assert wait_for(tmp_path / "events.txt", EVENTS, both[0])
    asyncio.run(emptied(tmp_path))
    for process in both:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    keys = Counter(line.split()[0] for line in lines(tmp_path / "events.txt"))
    assert (len(keys), set(keys.values())) == (EVENTS, {1})


async def publish(folder: Path) -> None:
    """Runs that have published an event each."""
    builder = WorkflowBuilder(persistence_provider=SQLitePersistenceProvider(folder / "runs.db"), plugins=False)
    await builder.initialize()
    builder.register(fleet_flow.fleet_told)
    for number in range(EVENTS):
        run = await builder.create_workflow("FleetTold", {"ledger": os.devnull, "number": number})
        await run.run()
    await builder.close()


async def emptied(folder: Path) -> None:
    """Until the outbox is empty."""
    store = SQLitePersistenceProvider(folder / "runs.db")
    await store.initialize()
    async with asyncio.timeout(60):
        while await store.read_outbox():  # noqa: ASYNC110 - another process empties it
            await asyncio.sleep(0.02)
    await store.close()
