"""`WorkflowBuilder.bulk`: one action on every instance that a filter finds."""

import asyncio
from typing import Any
from uuid import UUID

from ruvon.builder import (
    BulkCancel,
    BulkItem,
    BulkPurge,
    BulkReport,
    BulkRetry,
    BulkRewind,
    BulkSignal,
    WorkflowBuilder,
)
from ruvon.providers import InstanceFilter
from tests.simulation import flows as reference
from tests.simulation.flows import Box
from tests.support import engine_flows as flows
from tests.support.engine_world import make_builder, reset

EVERYTHING = InstanceFilter()


def reference_builder() -> WorkflowBuilder:
    """Knows the reference workflows with children, signals and sagas."""
    reference.BANK.clear()
    made = WorkflowBuilder(plugins=False, import_roots=["tests"])
    made.register(
        reference.cancelled_saga,
        reference.waiting_child,
        reference.signals,
        reference.undoable,
        reference.middle,
        reference.leaf,
    )
    return made


async def played(builder: WorkflowBuilder, name: str, count: int = 1, data: Any = None) -> list[Any]:
    """Instances, driven as far as they go."""
    workflows = [await builder.create_workflow(name, data or {}) for _ in range(count)]
    for workflow in workflows:
        await workflow.run()
    return workflows


def outcomes(report: BulkReport) -> list[str]:
    return [item.outcome for item in report.items]


async def statuses(builder: WorkflowBuilder) -> list[str]:
    return [item["status"] for item in await builder.list_workflows(limit=1000)]


def test_a_dry_run_says_what_a_cancel_would_undo_and_changes_nothing() -> None:
    """Children before their parents, newest first; what has ended is skipped."""

    async def scene() -> None:
        builder = reference_builder()
        await played(builder, "CancelledSaga")
        await played(builder, "Undoable")
        before = await statuses(builder)
        report = await builder.bulk(InstanceFilter(), BulkCancel(), dry_run=True)
        by_type = {item.workflow_type: item for item in report.items}
        assert by_type["Undoable"].note == "it has ended (COMPLETED)"
        assert by_type["CancelledSaga"].undone == ("WaitingChild/square", "add")
        assert sorted(outcomes(report)) == ["planned", "planned", "skipped"]
        assert await statuses(builder) == before
        without = await builder.bulk(InstanceFilter(), BulkCancel(compensate=False), dry_run=True)
        assert {item.undone for item in without.items} == {()}

    asyncio.run(scene())


def test_everything_that_fits_is_cancelled() -> None:
    """Who and why are in the histories; more than one page is found, and the limit holds."""

    async def scene() -> None:
        reset()
        builder = make_builder()
        workflows = [await builder.create_workflow("Sleeper", {}) for _ in range(230)]
        first = await builder.bulk(
            InstanceFilter(workflow_type="Sleeper"), BulkCancel(), limit=5, actor="ann", reason="no more of them"
        )
        rest = await builder.bulk(InstanceFilter(statuses=("ACTIVE",)), BulkCancel(), concurrency=3)
        assert (first.counts, rest.counts) == ({"done": 5}, {"done": 225})
        assert {item.status for item in first.items} == {"CANCELLED"}
        notes = [item.get("note") for item in await workflows[-1].history() if item["kind"] == "cancel"]
        assert notes == ["no more of them (by ann)"]

    asyncio.run(scene())


def test_one_failure_stops_no_other() -> None:
    """Each instance is told of as it is done, and the report is not ok."""

    async def scene() -> None:
        reset()
        builder = make_builder()
        workflows = await played(builder, "Three", 3)
        hold = await builder.persistence.hold(UUID(workflows[1].id))
        told: list[BulkItem] = []
        report = await builder.bulk(EVERYTHING, BulkRewind("inc"), on_item=told.append)
        await hold.release()
        assert not report.ok
        assert report.counts == {"done": 2, "failed": 1}
        assert "being driven by somebody else" in next(item.note for item in report.items if item.outcome == "failed")
        assert {item.workflow_id for item in told} == {item.workflow_id for item in report.items}

    asyncio.run(scene())


def test_failed_ones_are_retried_and_others_are_left_alone() -> None:
    """The reason has gone; what completed is skipped."""

    async def scene() -> None:
        reset(confirm=1)
        builder = make_builder()
        failed = await played(builder, "PlainTrip", 2)
        await played(builder, "Three")
        flows.FAILS.clear()
        planned = await builder.bulk(EVERYTHING, BulkRetry(), dry_run=True)
        assert sorted(outcomes(planned)) == ["planned", "planned", "skipped"]
        report = await builder.bulk(EVERYTHING, BulkRetry(), actor="ann", reason="mended")
        assert sorted((item.outcome, item.status) for item in report.items) == [
            ("done", "COMPLETED"), ("done", "COMPLETED"), ("skipped", "COMPLETED"),
        ]  # fmt: skip
        notes = [item.get("note") for item in await failed[0].history() if item["kind"] == "repair"]
        assert notes == ["retry by ann: mended"]

    asyncio.run(scene())


def test_a_signal_goes_to_whoever_receives_it() -> None:
    """An instance whose definition receives no such message fails, seen before and when it is done."""

    async def scene() -> None:
        builder = reference_builder()
        await played(builder, "Signals", 2)
        await played(builder, "CancelledSaga")
        action = BulkSignal("Paid", {"amount": 5})
        planned = await builder.bulk(InstanceFilter(statuses=("PAUSED",)), action, dry_run=True)
        report = await builder.bulk(EVERYTHING, action)
        assert planned.counts == {"planned": 3}
        assert report.counts == {"done": 3, "failed": 1}
        assert "receives no `Paid`" in next(item.note for item in report.items if item.outcome == "failed")
        rows = await builder.list_workflows(workflow_type="Signals")
        assert [(await builder.load_workflow(row["workflow_id"])).state.total for row in rows] == [5, 5]

    asyncio.run(scene())


def test_a_rewind_says_what_would_be_undone_and_what_would_happen_again() -> None:
    """Then it is done, and every instance stands at the step."""

    async def scene() -> None:
        builder = reference_builder()
        workflows = await played(builder, "Undoable", 2, Box())
        planned = await builder.bulk(EVERYTHING, BulkRewind("square"), dry_run=True)
        assert {item.undone for item in planned.items} == {("square",)}
        report = await builder.bulk(EVERYTHING, BulkRewind("square", state={"total": 9}), actor="ann")
        assert {(item.outcome, item.status) for item in report.items} == {("done", "ACTIVE")}
        await workflows[0].refresh()
        assert (workflows[0].current_step_name, workflows[0].state.total) == ("square", 9)

    asyncio.run(scene())


def test_only_what_has_ended_and_owes_nobody_anything_is_purged() -> None:
    """A child that a live parent may have to undo stays."""

    async def scene() -> None:
        builder = reference_builder()
        await played(builder, "Middle")
        await played(builder, "Undoable", 2)
        for dry_run, outcome in ((True, "planned"), (False, "done")):
            report = await builder.bulk(EVERYTHING, BulkPurge(), dry_run=dry_run)
            by_type = {item.workflow_type: (item.outcome, item.note) for item in report.items}
            assert report.counts == {outcome: 2, "skipped": 2}
            assert by_type["Undoable"] == (outcome, "")
            assert "has not ended and may have to undo it" in by_type["Leaf"][1]
            assert by_type["Middle"] == ("skipped", "it has not ended (WAITING_HUMAN)")
        assert {row["workflow_type"] for row in await builder.list_workflows()} == {"Middle", "Leaf"}

    asyncio.run(scene())
