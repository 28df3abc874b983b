"""E2: a crash, and another one during the recovery from it, change nothing."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ruvon.providers import Transition
from tests.support import engine_flows as flows
from tests.support.engine_world import Crash, JumpingClock, crashing_store, make_builder, reset, revive
from tests.unit.engine.test_crashes import CASES as FLOWS
from tests.unit.engine.test_crashes import outcome, run_to_end, undisturbed

_EXPECTED: dict[str, Any] = {}


async def crashed_twice(case: Any, first: tuple[int, bool], second: tuple[int, bool]) -> Any:
    """The end with both crashes; None where the run ended, or was never created, before one of them."""
    name, data, failing = case
    clock = JumpingClock()
    store, _ = crashing_store(clock, first[0], after=first[1])
    builder = make_builder(store, clock=clock)
    reset(**failing)
    try:
        workflow = await builder.create_workflow(name, data)
        await run_to_end(builder, workflow)
    except Crash:
        revive(store)
    else:
        return None
    inner, count = store.commit, [0]

    async def commit(transition: Transition, /) -> None:
        count[0] += 1
        if (count[0], False) == second:
            raise Crash
        await inner(transition)
        if (count[0], True) == second:
            raise Crash

    store.commit = commit  # type: ignore[method-assign]
    for life in (1, 2):
        fresh = make_builder(store, clock=clock)
        fresh.ids._next = 1000 * life
        found = [item for item in await fresh.list_workflows(limit=100) if item["parent_id"] is None]
        if not found:
            return None
        try:
            workflow = await fresh.load_workflow(found[0]["workflow_id"])
            await run_to_end(fresh, workflow)
        except Crash:
            revive(store)
        else:
            return outcome(fresh, workflow)
    raise AssertionError("it crashed a third time")


@given(
    case=st.sampled_from(FLOWS),
    first=st.tuples(st.integers(1, 14), st.booleans()),
    second=st.tuples(st.integers(1, 10), st.booleans()),
)
def test_recovery_itself_may_crash(case: Any, first: tuple[int, bool], second: tuple[int, bool]) -> None:
    """The end is that of the undisturbed run."""
    key = f"{case[0]} {case[2]}"
    if key not in _EXPECTED:
        _EXPECTED[key] = asyncio.run(undisturbed(*case))[0]
    found = asyncio.run(crashed_twice(case, first, second))
    assert found is None or found == _EXPECTED[key], flows.LEDGER
