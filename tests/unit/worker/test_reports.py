"""Reports that are being written when the worker is told to end."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.providers import SystemClock, TaskKind, TaskRecord, TaskReport, TaskStatus
from ruvon.worker._drives import JoinedDrive
from ruvon.worker._hosting import Hosting
from ruvon.worker._reporter import Reporter


class Slow(MemoryPersistenceProvider):
    """A store that writes reports when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()
        self.gate = asyncio.Event()

    async def report_tasks(self, reports: Sequence[TaskReport], /) -> Sequence[bool]:
        """Waits, then says that all count."""
        self.begun.set()
        await self.gate.wait()
        return [True for _ in reports]


def hosting() -> Hosting:
    """That of a worker whose slots are all free."""
    return Hosting(
        "w", queues=(), concurrency=8, lease_us=1_000_000, clock=SystemClock(),
        taken=lambda: 0, begin=lambda _: None, wake=lambda: None,
    )  # fmt: skip


def test_a_drive_is_not_given_back_before_what_joined_it_is_written() -> None:
    """A slot that is cancelled over its report leaves when that is written, and the drive that it joined behind it."""

    async def scenario() -> None:
        store, order = Slow(), list[str]()
        task = TaskRecord("a", uuid4(), TaskKind.STEP, "s", status=TaskStatus.CLAIMED)
        drive = JoinedDrive(task, lambda: 0, hosting())
        reporter = Reporter(store, SystemClock())

        async def join() -> None:
            try:
                with drive.joined():
                    await reporter.report(TaskReport("b", 1))
            finally:
                order.append("joined slot")

        async def give_back() -> None:
            await drive.reported()
            order.append("drive")

        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(join())]
        await store.begun.wait()
        tasks[0].cancel()
        tasks.append(asyncio.create_task(give_back()))
        await asyncio.wait(tasks, timeout=0.05)
        assert order == []
        store.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]
        await tasks[1]
        assert order == ["joined slot", "drive"]

    asyncio.run(scenario())
