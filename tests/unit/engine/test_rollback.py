"""Sections 8.6, 12.3 and 12.4: saga, compensation, cancellation, retries, timeouts, repair."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from ruvon.engine import RepairError
from tests.support import engine_flows as flows
from tests.support.engine_world import reset


async def run(builder: Any, name: str, **failing: int) -> Any:
    reset(**failing)
    workflow = await builder.create_workflow(name, {})
    await workflow.run()
    return workflow


def test_completed_steps_are_undone_in_reverse(builder: Any) -> None:
    """S3-053, S2-068: payment fails, so hotel and flight are cancelled, each once, with result and arguments."""
    workflow = asyncio.run(run(builder, "Trip", confirm=1))
    assert flows.LEDGER[4:] == ["refund 5", "release hold-hotel hotel", "release hold-flight flight"]
    assert workflow.status == "FAILED_ROLLED_BACK"
    assert workflow.state.text == "refunded"
    assert isinstance(workflow.error, flows.Boom)


def test_a_failing_compensation_is_recorded_and_the_others_go_on(builder: Any) -> None:
    """S3-052: what could not be undone is reported, everything else is undone."""

    async def scenario() -> tuple[Any, list[str]]:
        workflow = await run(builder, "Trip", confirm=1, **{"release hotel": 1})
        log = await builder.persistence.read_log(UUID(workflow.id))
        return workflow, [entry.node for entry in log if entry.kind == "compensate" and entry.error is not None]

    workflow, failed = asyncio.run(scenario())
    assert flows.LEDGER[-1] == "release hold-flight flight"
    assert workflow.status == "FAILED"
    assert "could not undo `reserve`" in str(workflow.error)
    assert failed == ["reserve_2"]


def test_a_saga_scope_undoes_only_its_inside(builder: Any) -> None:
    """Section 12.4: something runs after the rollback, and what lies outside stays."""
    workflow = asyncio.run(run(builder, "SagaScope", confirm=1))
    assert flows.LEDGER[4:] == ["release hold-b b", "release hold-a a", "tell"]
    assert workflow.result == "undone: confirm failed"


def test_completion_order_is_total_over_branches_and_turns(builder: Any) -> None:
    """Section 8.6: entries are numbered by the instance's log."""
    asyncio.run(run(builder, "SagaGather", confirm=1))
    done = [line.removeprefix("reserve ") for line in flows.LEDGER if line.startswith("reserve")]
    undone = [line.rpartition(" ")[2] for line in flows.LEDGER if line.startswith("release")]
    assert undone == done[::-1]


def test_a_completed_child_is_undone_as_a_whole(builder: Any) -> None:
    """Section 8.6: COMPLETED to COMPENSATING is legal for a child of a rolling-back parent."""

    async def scenario() -> list[str]:
        await run(builder, "SagaParent", confirm=1)
        return [item["status"] for item in await builder.list_workflows()]

    assert asyncio.run(scenario()) == ["FAILED_ROLLED_BACK", "FAILED_ROLLED_BACK"]
    assert flows.LEDGER[-2:] == ["release hold-childs childs", "release hold-own own"]


def test_an_attempted_compensation_runs_when_the_outcome_is_unknown(builder: Any) -> None:
    """Section 12.3: after a timeout the money may be gone; the result parameter is None."""
    workflow = asyncio.run(run(builder, "Attempted"))
    assert flows.LEDGER == ["charge 9", "uncharge None 9"]
    assert workflow.status == "FAILED_ROLLED_BACK"


def test_a_failed_attempt_is_repeated_with_growing_delay_and_one_key(builder: Any, clock: Any) -> None:
    """Law 4: the idempotency key is the same for all attempts; each is recorded with its due time."""

    async def scenario() -> Any:
        begin = clock.now_us()
        workflow = await run(builder, "Retrying", flaky=2)
        assert clock.now_us() - begin == 15_000_000
        return workflow

    assert asyncio.run(scenario()).result == 3
    attempts = [line.split() for line in flows.LEDGER]
    assert [item[1] for item in attempts] == ["1", "2", "3"]
    assert len({item[2] for item in attempts}) == 1


def test_attempts_end_with_the_last_error(builder: Any) -> None:
    """Section 8.6: handlers see only the last error."""
    workflow = asyncio.run(run(builder, "Retrying", flaky=9))
    assert (workflow.status, len(flows.LEDGER)) == ("FAILED", 3)


def test_a_timeout_cancels_an_async_body_and_is_catchable(builder: Any) -> None:
    """Section 12.5: per attempt, raises TimedOut."""
    assert asyncio.run(run(builder, "Slow")).result == "timed out"
    assert flows.LEDGER == ["slow begins"]


def test_cancel_stops_the_running_step_runs_finally_and_compensates(builder: Any) -> None:
    """Section 8.6: the body is cancelled, `finally` runs, then compensations, then CANCELLED."""

    async def scenario() -> Any:
        workflow = await builder.create_workflow("Cancellable", {})
        driving = asyncio.ensure_future(workflow.run())
        for _ in range(20):
            await asyncio.sleep(0)
        other = await builder.load_workflow(workflow.id)
        await other.cancel("changed my mind")
        await driving
        await other.refresh()
        return other

    workflow = asyncio.run(scenario())
    assert flows.LEDGER == ["reserve room", "nap begins", "cleanup", "release hold-room room"]
    assert workflow.status == "CANCELLED"
    assert "changed my mind" in str(workflow.error)


def test_cancel_of_a_waiting_workflow_reaches_its_child(builder: Any) -> None:
    """Section 8.6: awaited children first."""

    async def scenario() -> list[str]:
        workflow = await builder.create_workflow("HumanChild", {})
        await workflow.run()
        assert workflow.status == "WAITING_CHILD_HUMAN_INPUT"
        await workflow.cancel("enough")
        return [item["status"] for item in await builder.list_workflows()]

    assert asyncio.run(scenario()) == ["CANCELLED", "CANCELLED"]


def test_retry_goes_on_where_it_failed_with_the_same_key(builder: Any) -> None:
    """S3-057, law 4: an operator's retry repeats the failed activation and nothing before it."""

    async def scenario() -> Any:
        workflow = await run(builder, "Handled", after=1)
        assert workflow.result == "caught after failed 7"
        workflow = await run(builder, "Three")
        with pytest.raises(RepairError):
            await workflow.retry()
        workflow = await run(builder, "GatherPlain", g1=1)
        assert workflow.status == "FAILED"
        flows.FAILS.clear()
        flows.LEDGER.clear()
        await workflow.retry()
        return workflow

    workflow = asyncio.run(scenario())
    assert workflow.status == "COMPLETED"
    assert "g0" not in flows.LEDGER
    assert flows.LEDGER[0] == "g1"


def test_retry_from_another_step(builder: Any) -> None:
    """S3-057: `--from-step`."""

    async def scenario() -> Any:
        workflow = await run(builder, "PureError")
        assert workflow.status == "FAILED"
        workflow.state.n = 2
        await workflow.save()
        flows.LEDGER.clear()
        await workflow.retry(from_step="act")
        return workflow

    workflow = asyncio.run(scenario())
    assert (workflow.result, flows.LEDGER) == (0.5, ["charged"])


def test_a_child_gives_its_result_or_its_own_error(builder: Any) -> None:
    """S4-026, section 12.5: a failed child raises its own error at the await."""
    assert asyncio.run(run(builder, "Parent")).result == 6
    assert asyncio.run(run(builder, "ParentCatches", child=1)).result == "child: child failed"


def test_an_uncaught_error_of_a_child_has_its_own_status(builder: Any) -> None:
    """Section 8.6: FAILED_CHILD_WORKFLOW only when uncaught."""
    workflow = asyncio.run(run(builder, "Parent", child=1))
    assert workflow.status == "FAILED_CHILD_WORKFLOW"
    assert isinstance(workflow.error, flows.Boom)


def test_retry_starts_a_failed_child_anew(builder: Any) -> None:
    """S3-057: the failed child has ended; the retry makes another one."""

    async def scenario() -> Any:
        workflow = await run(builder, "Parent", child=1)
        flows.FAILS.clear()
        await workflow.retry()
        return workflow, await builder.list_workflows(workflow_type="Child")

    workflow, children = asyncio.run(scenario())
    assert (workflow.status, workflow.result) == ("COMPLETED", 6)
    assert sorted(item["status"] for item in children) == ["COMPLETED", "FAILED"]


def test_a_detached_child_with_a_key_is_started_once(builder: Any) -> None:
    """Section 6: starting it twice is harmless."""

    async def scenario() -> int:
        await run(builder, "Spawner")
        await run(builder, "Spawner")
        return len(await builder.list_workflows(workflow_type="Child"))

    assert asyncio.run(scenario()) == 1


def test_saga_mode_can_be_switched_on_later(builder: Any) -> None:
    """Entries are kept whether or not saga is on; `enable_saga_mode` decides what an uncaught error does."""

    async def scenario() -> Any:
        reset(confirm=1)
        workflow = await builder.create_workflow("PlainTrip", {})
        await workflow.enable_saga_mode()
        await workflow.run()
        return workflow

    assert asyncio.run(scenario()).status == "FAILED_ROLLED_BACK"
    assert flows.LEDGER[-1] == "release hold-room room"
