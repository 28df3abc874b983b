"""Sections 3, 6 and 8: how a body runs."""

import asyncio
from typing import Any

import pytest

from ruvon.models import WorkflowStatus
from tests.support import engine_flows as flows
from tests.support.engine_world import reset


async def run(builder: Any, name: str, data: dict[str, Any] | None = None, **failing: int) -> Any:
    reset(**failing)
    workflow = await builder.create_workflow(name, data or {})
    await workflow.run()
    return workflow


def test_steps_run_in_order_and_merge(builder: Any) -> None:
    """S3-061, S4-038: sequential by default; results merge into the state."""
    workflow = asyncio.run(run(builder, "Three", {"n": 1}))
    assert flows.LEDGER == ["inc 1", "mark two", "double 2"]
    assert (workflow.status, workflow.result, workflow.state.n, workflow.state.tags) == ("COMPLETED", 4, 2, ["two"])


@pytest.mark.parametrize(("n", "taken"), [(11, "big"), (6, "mid"), (5, "small")])
def test_a_decision_takes_the_first_true_route(builder: Any, n: int, taken: str) -> None:
    """S4-024: branches."""
    asyncio.run(run(builder, "Choice", {"n": n}))
    assert [taken] == flows.LEDGER


def test_loops_break_continue_and_else(builder: Any) -> None:
    """S4-024: nested loops with break and continue; the else part is skipped by a break."""
    workflow = asyncio.run(run(builder, "Loops"))
    assert flows.LEDGER == ["x0", "y0", "x1", "x2", "y2", "inc 0", "inc 1"]
    assert workflow.result == ["x0", "y0", "x1", "x2", "y2"]


def test_a_collecting_loop_gives_the_turns_results(builder: Any) -> None:
    """Section 11.8: `collect` gives a LOOP a result."""
    assert asyncio.run(run(builder, "Collect")).result == [0, 2, 6]


def test_an_error_reaches_the_first_matching_handler(builder: Any) -> None:
    """Section 8.5: the error is offered with its text and attributes; `finally` runs after the handler."""
    workflow = asyncio.run(run(builder, "Handled", {}, **{"try": 1}))
    assert flows.LEDGER == ["try", "mark caught try failed 7", "finally"]
    assert workflow.result == "caught try failed 7"


def test_a_reraised_error_keeps_its_record_and_a_new_one_links_it(builder: Any) -> None:
    """Section 8.5: `raise` keeps the record, `raise X from err` links it."""
    workflow = asyncio.run(run(builder, "Reraise", {}, **{"try": 1}))
    assert flows.LEDGER == ["try", "handler", "finally"]
    error = workflow.error
    assert isinstance(error, flows.Other)
    assert isinstance(error.__cause__, flows.Boom)
    assert error.__cause__.code == 7


def test_a_return_runs_finally_on_its_way(builder: Any) -> None:
    """Section 6: RETURN unwinds through a TRY with the exit pending."""
    workflow = asyncio.run(run(builder, "Early"))
    assert flows.LEDGER == ["body0", "final0", "body1", "final1"]
    assert workflow.result == "left"


def test_branches_are_isolated_and_join_in_order(builder: Any) -> None:
    """Section 5: each branch writes its own layer; the join merges them, and results come back by position."""
    workflow = asyncio.run(run(builder, "Gather"))
    assert workflow.result == ("left", 8)
    assert (workflow.state.a, workflow.state.b, workflow.state.n) == (1, 8, 1)


def test_mapped_branches_give_a_list_in_order_of_the_items(builder: Any) -> None:
    """Section 12.6: a sliding window of two."""
    assert asyncio.run(run(builder, "Mapped")).result == [0, 2, 4, 6, 8]


def test_partial_success_names_the_failed_branches(builder: Any) -> None:
    """Section 12.6: `partial=True` gives a Batch."""
    assert asyncio.run(run(builder, "Partial", {}, p1=1, p3=1)).result == [1, 3]


def test_the_first_failure_of_a_gather_is_raised_and_nothing_new_starts(builder: Any) -> None:
    """Section 12.6: the first failure is raised at the await."""
    assert asyncio.run(run(builder, "GatherFails", {}, g1=1)).result == "caught g1 failed"


def test_two_branches_writing_one_field_conflict(builder: Any) -> None:
    """Section 12.6: RAISE_ERROR is the default of Python."""
    workflow = asyncio.run(run(builder, "Conflict"))
    assert workflow.status == WorkflowStatus.FAILED
    assert type(workflow.error).__name__ == "MergeConflictError"


def test_a_branch_sees_what_it_comes_after(builder: Any) -> None:
    """Section 3.3 (S3-063): writes of earlier branches are seen, and are no conflict."""
    workflow = asyncio.run(run(builder, "Diamond"))
    assert flows.LEDGER[0] == "inc 0"
    assert sorted(flows.LEDGER) == ["c", "inc 0", "inc 1"]
    assert workflow.result == 2


def test_an_error_of_a_pure_node_comes_after_the_success_of_the_effect(builder: Any) -> None:
    """Section 8.2: the step is recorded, then the error; the step never runs again by itself."""

    async def scenario() -> list[str]:
        workflow = await run(builder, "PureError")
        assert workflow.status == WorkflowStatus.FAILED
        assert isinstance(workflow.error, ZeroDivisionError)
        return [item["kind"] for item in await workflow.history()]

    assert asyncio.run(scenario()) == ["step", "end"]


def test_a_result_that_does_not_fit_fails_the_step(builder: Any) -> None:
    """S3-025: a returned value that breaks a constraint of the model fails the step and changes nothing."""
    workflow = asyncio.run(run(builder, "Bad"))
    assert workflow.status == WorkflowStatus.FAILED
    assert "limit" in str(workflow.error)
    assert workflow.state.limit == 5
