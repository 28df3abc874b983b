"""The server of the store ends and begins again in the middle of drives: workers and schedulers live, nothing is lost."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ruvon.implementations.persistence.postgres import PostgresPersistenceProvider
from ruvon.implementations.persistence.redis import RedisPersistenceProvider
from ruvon.models import WorkflowStatus
from tests.support.places import Place
from tests.support.postgres import SMALL
from tests.support.private_postgres import needs_private_postgres, private_postgres
from tests.support.redis import private_server
from tests.support.workers import until

RUNS = 6
_DURABLE = ("--appendonly", "yes", "--appendfsync", "always")


@pytest.fixture(
    params=[
        pytest.param("in order", marks=needs_private_postgres),
        pytest.param("at once", marks=needs_private_postgres),
        "redis",
    ]
)
def restarted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Place, Callable[[], None]]]:
    """A place on a server of the test's own, and what ends that server and starts it again."""
    with ExitStack() as stack:
        if request.param == "redis":
            redis = stack.enter_context(private_server(tmp_path, *_DURABLE))
            place = Place(tmp_path, redis.url, RedisPersistenceProvider)

            def restart() -> None:
                redis.kill()
                redis.start()

        else:
            server = stack.enter_context(private_postgres())
            place = Place(tmp_path, server.url, lambda url: PostgresPersistenceProvider(url, pool=SMALL))

            def restart() -> None:
                server.restart(immediately=request.param == "at once")

        stack.callback(place.end)
        yield place, restart


def test_workers_and_a_scheduler_outlive_a_restart_of_their_server(restarted: Any) -> None:
    """Twice in the middle; every run ends, every step is recorded once, and no process has ended."""
    place, restart = restarted

    async def scenario() -> tuple[list[Any], Any]:
        builder = place.builder()
        await builder.initialize()
        others = [place.work("--concurrency", "4"), place.work("--concurrency", "4"), place.drive("scheduler")]
        await asyncio.to_thread(place.wait_for_word, "the scheduler runs")  # who begins while there is no server ends
        made = [await builder.create_workflow("Killed", {}, background=True) for _ in range(RUNS)]
        for wanted in (6, 20):
            await asyncio.to_thread(place.wait_for, lambda lines, wanted=wanted: len(lines) >= wanted)
            await asyncio.to_thread(restart)
        place.go()
        sleeper = await builder.create_workflow("Sleeps", {})
        await builder.engine().drive(UUID(sleeper.id))  # up to the timer; the scheduler goes on
        found: list[Any] = []
        for workflow in [*made, sleeper]:
            await until(workflow, seconds=120)
            found.append((workflow.status, workflow.result, await workflow.history()))
        alive = [other.poll() for other in others]
        await builder.close()
        return found, alive

    found, alive = asyncio.run(scenario())
    assert alive == [None, None, None]
    assert [(status, result) for status, result, _ in found] == [
        *[(WorkflowStatus.COMPLETED, 6)] * RUNS,
        (WorkflowStatus.COMPLETED, 2),
    ]
    for _, _, history in found:
        recorded = Counter(item["activation"] for item in history if item["kind"] == "step")
        assert set(recorded.values()) == {1}
    effects = Counter(line.split()[1] for line in place.lines())
    assert len(effects) == RUNS * 9 + 2, "every step ran, under one key however often"
