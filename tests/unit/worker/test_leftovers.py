"""What the attempt of a queued step leaves behind in the memory of its worker."""

import asyncio
import gc

from ruvon import step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.steps._remote import RemoteStep
from ruvon.steps._wire import Order
from tests.support import queued_flows as flows


@step(queue="q")
async def twice(number: int) -> int:
    return number * 2


@workflow("QTwice")
async def doubled(state: flows.Doc) -> int:
    return await twice(21)


def test_an_attempt_leaves_nothing_to_the_garbage_collector() -> None:
    """Else a worker with thousands of brief tasks a second spends a third of a body's time on collections."""

    async def scenario() -> int:
        builder = WorkflowBuilder(
            persistence_provider=MemoryPersistenceProvider(),
            execution_provider=QueuedExecutionProvider(),
            plugins=False,
            import_roots=["tests"],
        )
        builder.register(doubled)
        await builder.initialize()
        await (await builder.create_workflow("QTwice", {})).run()
        (task,) = await builder.persistence.claim_tasks("w", limit=1, lease_us=1_000_000, now_us=2**60)
        program = await builder.engine().program_by_digest(Order.decode(task.payload).digest)

        async def attempt() -> object:
            remote = RemoteStep(builder.engine(), task, Order.decode(task.payload), program, threaded=True)
            report = await remote.perform()
            remote.let_go()
            return report

        await attempt()
        gc.collect()
        gc.disable()
        try:
            assert await attempt() is not None
            return gc.collect()
        finally:
            gc.enable()
            await builder.close()

    assert asyncio.run(scenario()) == 0
