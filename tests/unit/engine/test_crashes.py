"""Law 4 and the crash rule: a run that dies at any commit and is reloaded ends exactly like one that does not."""

import asyncio
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from tests.support import engine_flows as flows
from tests.support.engine_world import Crash, JumpingClock, crashing_store, make_builder, reset, revive

CASES = [
    ("Three", {"n": 1}, {}),
    ("Choice", {"n": 7}, {}),
    ("Loops", {}, {}),
    ("Collect", {}, {}),
    ("Handled", {}, {"try": 1}),
    ("Reraise", {}, {"try": 1}),
    ("Early", {}, {}),
    ("Gather", {}, {}),
    ("Mapped", {}, {}),
    ("Partial", {}, {"p1": 1, "p3": 1}),
    ("GatherFails", {}, {"g1": 1}),
    ("Conflict", {}, {}),
    ("Diamond", {}, {}),
    ("Sleeper", {}, {}),
    ("Race", {}, {}),
    ("Parent", {}, {}),
    ("ParentCatches", {}, {"child": 1}),
    ("Families", {}, {}),
    ("Trip", {}, {"confirm": 1}),
    ("SagaScope", {}, {"confirm": 1}),
    ("SagaGather", {}, {"confirm": 1}),
    ("SagaParent", {}, {"confirm": 1}),
    ("Retrying", {}, {"flaky": 2}),
    ("PureError", {}, {}),
    ("Wandering", {}, {}),
    ("Nested", {}, {}),
    ("Batches", {}, {}),
    ("SagaInBranch", {}, {"break": 1}),
    ("Cleanups", {}, {"right": 1}),
]

CONCURRENT = {
    "Gather",
    "Mapped",
    "Partial",
    "GatherFails",
    "Conflict",
    "Diamond",
    "Families",
    "SagaGather",
    "Wandering",
    "Nested",
    "Batches",
    "SagaInBranch",
    "Cleanups",
}
"""In these a branch may be between its effect and its commit when another branch's commit is the last one."""


def outcome(builder: WorkflowBuilder, workflow: Any) -> tuple[Any, ...]:
    """Everything that a crash must not change: status, state, result and error, with types and the order of dicts."""
    error = workflow.error
    state = workflow.state
    shape = [(name, type(value).__name__, repr(value)) for name, value in state.__dict__.items()]
    return (
        workflow.status,
        shape,
        sorted(state.model_fields_set),
        type(workflow.result).__name__,
        repr(workflow.result),
        type(error).__name__,
        str(error),
    )


async def run_to_end(builder: WorkflowBuilder, workflow: Any) -> None:
    """Drive until it has ended."""
    for _ in range(100):
        if workflow.status.is_terminal:
            return
        await workflow.run()
    raise AssertionError(f"{workflow} does not end")


async def undisturbed(name: str, data: dict[str, Any], failing: dict[str, int]) -> tuple[tuple[Any, ...], list[str]]:
    """The end without a crash, and what the steps did."""
    clock = JumpingClock()
    builder = make_builder(MemoryPersistenceProvider(clock), clock=clock)
    reset(**failing)
    workflow = await builder.create_workflow(name, data)
    await run_to_end(builder, workflow)
    return outcome(builder, workflow), list(flows.LEDGER)


async def crashed(name: str, data: dict[str, Any], failing: dict[str, int], at: int, after: bool) -> Any:
    """The end with one crash at commit `at`; None where there were not that many commits."""
    clock = JumpingClock()
    store, counts = crashing_store(clock, at, after=after)
    builder = make_builder(store, clock=clock)
    reset(**failing)
    try:
        workflow = await builder.create_workflow(name, data)
        await run_to_end(builder, workflow)
    except Crash:
        flows.LEDGER.append("-- crash")
        revive(store)
    else:
        return None
    fresh = make_builder(store, clock=clock)
    found = [item for item in await fresh.list_workflows(limit=100) if item["parent_id"] is None]
    if not found:
        return "not created", [], counts[0]
    workflow = await fresh.load_workflow(found[0]["workflow_id"])
    await run_to_end(fresh, workflow)
    return outcome(fresh, workflow), list(flows.LEDGER), counts[0]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("name", "data", "failing"), CASES, ids=[case[0] for case in CASES])
def test_a_crash_at_any_commit_changes_nothing(
    name: str, data: dict[str, Any], failing: dict[str, int], after: bool
) -> None:
    """E1: interrupted before or after every commit and reloaded, a workflow gives the same values, types and order."""
    expected, ledger = asyncio.run(undisturbed(name, data, failing))
    crashes = 0
    for at in range(1, 200):
        found = asyncio.run(crashed(name, data, failing, at, after))
        if found is None:
            break
        crashes += 1
        if found[0] == "not created":
            continue
        assert found[0] == expected, (at, found[1])
        lines = [line for line in found[1] if line != "-- crash"]
        assert set(lines) >= set(ledger), at
        if after and name not in CONCURRENT:
            assert sorted(lines) == sorted(ledger), at
    assert crashes > 1
