"""A queued step is the same step: state, result, error and history of the reference workflows do not change."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from tests.support import engine_flows as flows
from tests.support.engine_world import CountedIds, JumpingClock, definitions, make_builder, reset
from tests.support.workers import all_queued, until, working
from tests.unit.engine.test_crashes import CASES, outcome, run_to_end

_FOREVER = timedelta(days=3650)
_LEAVES_BRANCHES = {"GatherFails"}
"""When one branch fails here, the steps of the others come to their end at a holder, and are withdrawn from a queue."""
_KINDS = ("step", "retry", "error", "start", "compensate", "wait", "end")


async def histories(workflow: Any) -> Counter[tuple[str, str | None, int]]:
    """What happened, without order: concurrent branches may end in any."""
    found = [(item["kind"], item.get("step"), item["attempt"]) for item in await workflow.history()]
    return Counter(item for item in found if item[0] in _KINDS)


def inline(name: str, data: dict[str, Any], failing: dict[str, int]) -> tuple[Any, ...]:
    """How it ends where its holder runs everything."""
    reset(**failing)

    async def run() -> tuple[Any, ...]:
        builder = make_builder()
        workflow = await builder.create_workflow(name, data)
        await run_to_end(builder, workflow)
        return outcome(builder, workflow), await histories(workflow)

    return asyncio.run(run())


def queued(name: str, data: dict[str, Any], failing: dict[str, int]) -> tuple[Any, ...]:
    """How it ends where a worker runs every step."""
    reset(**failing)

    async def run() -> tuple[Any, ...]:
        clock = JumpingClock()
        flows.CLOCK = clock
        builder = WorkflowBuilder(
            execution_provider=QueuedExecutionProvider(),
            clock=clock,
            ids=CountedIds(),
            plugins=False,
            import_roots=["tests"],
        )
        builder.register(*(all_queued(definition) for definition in definitions()))
        async with working(builder, lease=_FOREVER, poll=timedelta(hours=1), grace=_FOREVER, threads=False):
            workflow = await builder.create_workflow(name, data, background=True)
            await until(workflow)
            return outcome(builder, workflow), await histories(workflow)

    return asyncio.run(run())


@pytest.mark.parametrize(("name", "data", "failing"), CASES, ids=[case[0] for case in CASES])
def test_a_queued_step_is_the_same_step(name: str, data: dict[str, Any], failing: dict[str, int]) -> None:
    """S2-033, S4-007: with every step in a queue the workflow ends as without, and its log has the same entries."""
    ended, history = queued(name, data, failing)
    expected, recorded = inline(name, data, failing)

    assert ended == expected
    assert history == recorded or name in _LEAVES_BRANCHES
