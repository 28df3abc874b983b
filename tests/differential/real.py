"""Workflows with real step functions, by both roads."""

import asyncio
from dataclasses import dataclass
from typing import Any

from ruvon import World
from ruvon.authoring._local import run_local
from ruvon.builder import WorkflowBuilder
from tests.differential.outcome import error_shape, shape
from tests.support.engine_world import JumpingClock

__all__ = ["Ended", "by_both"]


@dataclass
class Ended:
    """How a run ended, by both roads alike."""

    status: str
    state: Any
    result: Any
    error: BaseException | None


def by_both(flow: Any, state: Any, *further: Any, store: Any = None, world: World | None = None) -> Ended:
    """Run a workflow under CPython and by the engine: same state, result and error.

    Args:
        flow: the workflow.
        state: its initial state.
        *further: other workflows that it needs.
        store: a store other than a fresh one in memory.
        world: what comes from outside, for CPython.
    """
    ended = asyncio.run(_by_engine(flow, state, further, store))
    local = asyncio.run(run_local(flow, state, world))
    assert shape(ended.state) == shape(local.state)
    assert shape(ended.result) == shape(local.result)
    assert error_shape(ended.error) == error_shape(local.error)
    return ended


async def _by_engine(flow: Any, state: Any, further: tuple[Any, ...], store: Any) -> Ended:
    builder = WorkflowBuilder(persistence_provider=store, clock=JumpingClock(), plugins=False)
    builder.register(flow, *further)
    run = await builder.create_workflow(flow.__ruvon_workflow__.workflow_type, state)
    await run.run()
    run = await builder.load_workflow(run.id)
    return Ended(str(run.status.value), run.state, run.result, run.error)
