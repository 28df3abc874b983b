"""Two drivers over one database while connections die at random: every row once, every history whole."""

import asyncio
import random
from collections import Counter

import pytest
from pydantic import BaseModel

from ruvon import StepContext, gather, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.engine import WorkflowFinishedError
from ruvon.models import WorkflowStatus
from ruvon.providers import PersistenceError
from tests.support.postgres import database, emptied, needs_postgres, query, store

pytestmark = [needs_postgres, pytest.mark.chaos]

INSTANCES = 8
TURNS = 6
KILLS = 25
ENDS = """
SELECT pg_terminate_backend(pid) FROM (
    SELECT pid FROM pg_stat_activity WHERE application_name = 'ruvon' AND datname = current_database()
    ORDER BY hashint4(pid + $1) LIMIT 2) AS chosen"""


class Soak(BaseModel):
    name: str
    total: int = 0


@step(transaction=True)
async def note(state: Soak, context: StepContext, number: int) -> None:
    """A row that may be there once only: there is no key that would refuse a second one."""
    await context.transaction.execute("INSERT INTO soak VALUES (?, ?)", (state.name, number))


@step
async def weigh(number: int) -> int:
    return number * 10


@workflow("Soak", version="1")
async def soak(state: Soak) -> int:
    for number in range(TURNS):
        await note(state, number=number)
        left, right = await gather(weigh(number), weigh(number + 1))
        state.total = state.total + left + right
    return state.total


async def drive(builder: WorkflowBuilder, ids: list[str], chance: random.Random) -> None:
    """Drive whatever has not ended, whoever else does."""
    left = list(ids)
    while left:
        name = chance.choice(left)
        try:
            run = await builder.load_workflow(name)
            if run.status is not WorkflowStatus.COMPLETED:
                await run.run()
            left.remove(name)
        except WorkflowFinishedError:
            left.remove(name)
        except PersistenceError:  # busy, stale, or a connection that was lost for good: somebody tries again
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("seed", range(3))
def test_rows_are_once_and_histories_are_whole(seed: int) -> None:
    """Whatever was lost, SQL of a step is there exactly once, and each instance ends with the right result."""
    emptied()
    query(database(), "DROP TABLE IF EXISTS soak")
    query(database(), "CREATE TABLE soak (name text, number integer)")

    async def scenario() -> None:
        chance = random.Random(seed)
        stores = [store(), store()]
        builders = [WorkflowBuilder(persistence_provider=one, plugins=False) for one in stores]
        for builder in builders:
            builder.register(soak)
            await builder.initialize()
        runs = [await builders[0].create_workflow("Soak", {"name": f"n{number}"}) for number in range(INSTANCES)]
        ids = [str(run.id) for run in runs]
        driving = asyncio.gather(*(drive(builder, ids, chance) for builder in builders for _ in range(3)))
        kills = 0
        while not driving.done() and kills < KILLS:
            await asyncio.sleep(chance.uniform(0.02, 0.3))
            await asyncio.to_thread(query, database(), ENDS, chance.randrange(1000))
            kills += 1
        await driving
        assert kills
        for name in ids:
            run = await builders[1].load_workflow(name)
            assert run.result == sum(n * 10 + (n + 1) * 10 for n in range(TURNS))
            log = await stores[0].read_log(run.id)
            assert [entry.seq for entry in log] == list(range(1, len(log) + 1))
        assert await stores[0].check() == []
        for builder in builders:
            await builder.close()

    asyncio.run(asyncio.wait_for(scenario(), 60))
    rows = Counter(query(database(), "SELECT name, number FROM soak"))
    assert rows == Counter((f"n{one}", number) for one in range(INSTANCES) for number in range(TURNS))
    query(database(), "DROP TABLE soak")
