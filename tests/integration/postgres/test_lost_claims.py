"""Claims of one task whose answer is lost: the worker that asks again has it, and it counts once against the limits."""

import asyncio
from typing import Any

import pytest

from ruvon.implementations.persistence.postgres import PostgresPersistenceProvider
from ruvon.providers import QueueLimits, TaskFilter
from ruvon.testing.contracts._queue import LEASE_US, blank, queued
from tests.support.postgres import SMALL, database, emptied, needs_postgres
from tests.support.postgres_proxy import wire

pytestmark = needs_postgres


@pytest.fixture(autouse=True)
def _empty() -> None:
    emptied()


async def opened(url: str | None = None, **limits: Any) -> PostgresPersistenceProvider:
    """An open provider, with limits of the queue "q"."""
    made = PostgresPersistenceProvider(url or database(), pool=SMALL)
    await made.initialize()
    if limits:
        await made.put_limits(QueueLimits(queue="q", **limits))
    return made


@pytest.mark.parametrize("limits", [{}, {"concurrency": 1, "rate": 1, "period_us": 10**9}], ids=["free", "limited"])
def test_the_same_claim_is_found_again(limits: dict[str, Any]) -> None:
    """By its worker and its lease, not by anybody else and not with another lease; it is one claim and one start."""

    async def scenario() -> None:
        one = await opened(**limits)
        await queued(one, blank("t", queue="q"), blank("u", queue="q"))
        try:
            first = await one.claim_task("t", "w", lease_us=LEASE_US, now_us=7)
            again = await one.claim_task("t", "w", lease_us=LEASE_US, now_us=7)
            assert first is not None
            assert again is not None
            assert (again.task_id, again.worker_id, again.lease_us) == ("t", "w", 7 + LEASE_US)
            assert again.crashes == 0
            assert await one.claim_task("t", "v", lease_us=LEASE_US, now_us=7) is None
            assert await one.claim_task("t", "w", lease_us=LEASE_US, now_us=8) is None
            if limits:
                (load,) = await one.queue_loads()
                assert (load.running, sum(number for _, number in load.starts)) == (1, 1)
                assert await one.claim_task("u", "w", lease_us=LEASE_US, now_us=7) is None
        finally:
            await one.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("before", [True, False], ids=["before the request", "before the answer"])
@pytest.mark.parametrize("known", [True, False], ids=["its fate is known", "nobody knows its fate"])
def test_a_limited_claim_without_an_answer_is_there_once(known: bool, before: bool) -> None:
    """Also where the server may have crashed in between, so that its word for the old transaction counts for nothing."""

    async def scenario() -> None:
        two = await opened(concurrency=1, rate=1, period_us=10**9)
        await queued(two, blank("t", queue="q"))
        async with wire(database()) as cable:
            one = await opened(cable.url)
            assert (
                await one.claim_task("other", "w", lease_us=LEASE_US, now_us=7) is None
            )  # connected, limits are known
            cable.arm(b"COMMIT", before=before)
            cable.refuse_after_cut = not known
            claiming = asyncio.create_task(one.claim_task("t", "w", lease_us=LEASE_US, now_us=7))
            async with asyncio.timeout(60):
                while not cable.cuts:  # noqa: ASYNC110 - it is cut by the claim
                    await asyncio.sleep(0.01)
            if (
                not known
            ):  # everything is cut, and so is the connection that tells whether the server was there all the time
                cable.refuse(refused=False)
            claimed = await claiming
            assert claimed is not None
            (load,) = await two.queue_loads()
            assert (load.running, sum(number for _, number in load.starts)) == (1, 1)
            assert [task.lease_epoch for task in await two.find_tasks(TaskFilter())] == [claimed.lease_epoch]
            await one.close()
        await two.close()

    asyncio.run(scenario())
