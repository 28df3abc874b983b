"""Law 1: the engine and CPython (`.local`) give the same state, result and error, and the same effects."""

import asyncio
from typing import Any

import pytest

from ruvon.authoring._local import run_local
from ruvon.ir.values import same
from tests.support import engine_flows as flows
from tests.support.engine_world import make_builder, reset
from tests.unit.engine.test_crashes import CONCURRENT

FLOWS: list[tuple[str, dict[str, Any], dict[str, int]]] = [
    ("three", {"n": 1}, {}),
    ("choice", {"n": 7}, {}),
    ("loops", {}, {}),
    ("collect", {}, {}),
    ("handled", {}, {}),
    ("handled", {}, {"try": 1}),
    ("handled", {}, {"after": 1}),
    ("reraise", {}, {"try": 1}),
    ("early", {}, {}),
    ("early", {}, {"body1": 1}),
    ("gathered", {}, {}),
    ("gathered", {}, {"l2": 1}),
    ("mapped", {}, {}),
    ("partial", {}, {"p1": 1, "p3": 1}),
    ("gather_fails", {}, {"g1": 1}),
    ("conflict", {}, {}),
    ("diamond", {}, {}),
    ("sleeper", {}, {}),
    ("parent", {}, {}),
    ("parent", {}, {"child": 1}),
    ("parent_catches", {}, {"child": 1}),
    ("families", {}, {}),
    ("trip", {}, {}),
    ("trip", {}, {"confirm": 1}),
    ("trip", {}, {"pay": 1}),
    ("saga_scope", {}, {}),
    ("saga_scope", {}, {"confirm": 1}),
    ("saga_gather", {}, {"confirm": 1}),
    ("retrying", {}, {}),
    ("bad_result", {}, {}),
    ("pure_error", {}, {}),
    ("pure_error", {"n": 4}, {}),
    ("wandering", {}, {}),
    ("wandering", {}, {"m1": 1}),
    ("wandering", {}, {"l": 1}),
    ("plain_trip", {}, {"confirm": 1}),
    ("nested", {}, {}),
    ("nested", {}, {"left end": 1}),
    ("batches", {}, {}),
    ("batches", {}, {"b1": 1}),
    ("turns", {}, {}),
    ("saga_in_branch", {}, {"break": 1}),
    ("saga_in_branch", {}, {}),
    ("cleanups", {}, {"left": 1}),
]


async def in_engine(name: str, data: dict[str, Any], failing: dict[str, int]) -> tuple[Any, ...]:
    """State, result, error and effects of the engine's run."""
    builder = make_builder()
    reset(**failing)
    flow = getattr(flows, name)
    workflow = await builder.create_workflow(flow.__ruvon_workflow__.workflow_type, data)
    await workflow.run()
    return workflow.state, workflow.result, workflow.error, list(flows.LEDGER)


async def in_python(name: str, data: dict[str, Any], failing: dict[str, int]) -> tuple[Any, ...]:
    """The same of CPython's run."""
    reset(**failing)
    outcome = await run_local(getattr(flows, name), flows.Doc(**data))
    return outcome.state, outcome.result, outcome.error, list(flows.LEDGER)


@pytest.mark.parametrize(("name", "data", "failing"), FLOWS)
def test_the_engine_means_what_python_means(name: str, data: dict[str, Any], failing: dict[str, int]) -> None:
    """Law 1."""
    ours = asyncio.run(in_engine(name, data, failing))
    theirs = asyncio.run(in_python(name, data, failing))
    assert same(ours[0].model_dump(), theirs[0].model_dump())
    assert same(ours[1], theirs[1])
    assert type(ours[2]) is type(theirs[2])
    assert str(ours[2]) == str(theirs[2])
    both = ([line[:7] for line in ours[3]], [line[:7] for line in theirs[3]])
    if flow_type(name) in CONCURRENT:
        both = (sorted(ours[3]), sorted(theirs[3]))
    assert both[0] == both[1]


def flow_type(name: str) -> str:
    """The workflow type of a flow."""
    return str(getattr(flows, name).__ruvon_workflow__.workflow_type)
