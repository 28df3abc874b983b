"""Branches that wait, timeouts of branches, commits by turn, what a context offers."""

import asyncio
from typing import Any

import pytest

from ruvon.engine import InvalidInputError
from tests.support import engine_flows as flows
from tests.support.engine_world import Crash, JumpingClock, crashing_store, make_builder, reset, revive


async def run(builder: Any, name: str, **failing: int) -> Any:
    reset(**failing)
    workflow = await builder.create_workflow(name, {})
    await workflow.run()
    return workflow


def test_two_people_answer_in_any_order(builder: Any) -> None:
    """Section 8.4: with several open tasks the answer names its task."""

    async def scenario() -> Any:
        workflow = await run(builder, "TwoPeople")
        assert workflow.status == "WAITING_HUMAN"
        with pytest.raises(InvalidInputError, match="several steps wait"):
            await workflow.answer({"approved": True})
        await workflow.answer({"approved": True, "reason": "two"}, step="second")
        assert workflow.status == "WAITING_HUMAN"
        await workflow.answer({"approved": True, "reason": "one"}, step="first")
        return workflow

    assert asyncio.run(scenario()).result == ("one", "two")


def test_blocking_bodies_run_in_a_thread(builder: Any) -> None:
    """Section 8.6: `@step(blocking=True)`."""
    assert "MainThread" not in asyncio.run(run(builder, "Grinding")).result


def test_a_timeout_of_a_gather_stops_its_branches(builder: Any) -> None:
    """Section 3.2: PARALLEL has a timeout of its own."""
    assert asyncio.run(run(builder, "Hurry")).result == "too slow"
    assert "long ends" not in flows.LEDGER


def test_a_batch_is_a_barrier(builder: Any) -> None:
    """Section 12.6: `batch_size`."""
    assert asyncio.run(run(builder, "Batches")).result == [f"b{i}" for i in range(5)]


def test_a_context_offers_resources_outbox_turn_and_previous_result(clock: Any) -> None:
    """Section 12.15: a resource by class, an event in the same commit."""
    mailer = flows.Mailer()
    builder = make_builder(clock=clock, resources=[mailer])
    asyncio.run(run(builder, "Mails"))
    assert mailer.sent == ["x", "y"]
    assert [record.payload for record in builder.persistence.outbox] == [b'{"text":"x"}', b'{"text":"y"}']
    assert flows.LEDGER[1] == "mail x turn 0 previous {'result': 'x'}"


def test_a_missing_resource_is_named(builder: Any) -> None:
    """Errors are sentences: what is wrong and what to do."""
    assert "Mailer" in str(asyncio.run(run(builder, "Mails")).error)


def test_a_workflow_may_commit_once_a_turn() -> None:
    """Section 12.9: `commit="iteration"` for device loops; a crash repeats at most the turn."""
    clock = JumpingClock()
    store, counts = crashing_store(clock, 10_000, after=False)
    workflow = asyncio.run(run(make_builder(store, clock=clock), "Turns"))
    assert workflow.result == 3
    assert counts[0] <= 6
    store, counts = crashing_store(clock, 3, after=False)
    builder = make_builder(store, clock=clock)

    async def scenario() -> Any:
        reset()
        workflow = await builder.create_workflow("Turns", {})
        with pytest.raises(Crash):
            await workflow.run()
        revive(store)
        again = await builder.load_workflow(workflow.id)
        await again.run()
        return again

    assert asyncio.run(scenario()).result == 3


def test_now_and_new_id_are_recorded(builder: Any) -> None:
    """Section 4: their values ride in the commit."""
    workflow = asyncio.run(run(builder, "Recorded"))
    assert workflow.result[0].startswith("2023-11-14")


def test_history_tells_every_step(builder: Any) -> None:
    """S4-037: kind, step, activation, attempt, result, what changed."""

    async def scenario() -> Any:
        workflow = await run(builder, "Retrying", flaky=1)
        return [(item["kind"], item["step"], item["attempt"]) for item in await workflow.history()]

    assert asyncio.run(scenario()) == [("retry", "flaky", 1), ("step", "flaky", 2), ("end", None, 1)]


def test_exactly_one_commit_a_step(clock: Any) -> None:
    """S4-039: no started row, and the end rides with the last step."""
    store, counts = crashing_store(clock, 10_000, after=False)
    asyncio.run(run(make_builder(store, clock=clock), "Three"))
    assert counts[0] == 1 + 3


def test_a_thousand_workflows_at_once(builder: Any) -> None:
    """S3-022: 1,000 workflows with a waiting step overlap."""

    async def scenario() -> set[str]:
        reset()
        found = [await builder.create_workflow("Napping", {}) for _ in range(1000)]
        await asyncio.gather(*(item.run() for item in found))
        return {item.status.value for item in found}

    assert asyncio.run(scenario()) == {"COMPLETED"}
