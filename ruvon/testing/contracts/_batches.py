"""What every store promises about batches: what is written at once stands alone, and a bad neighbour harms nobody."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from ruvon.providers import (
    DuplicateIdempotencyKeyError,
    InstanceRecord,
    OutboxRecord,
    PersistenceError,
    StaleWorkflowError,
    TaskKind,
    TaskRecord,
    TaskReport,
    Transition,
    WorkflowNotFoundError,
)
from ruvon.testing.contracts._queue import blank, claim, queued, result
from ruvon.testing.contracts._records import create, creation, instance, message, step

Poison = Callable[[InstanceRecord], Transition]


def stale(record: InstanceRecord) -> Transition:
    """Computed from a revision that is not there."""
    return step(record, 7)


def unknown(record: InstanceRecord) -> Transition:
    """Of an instance that is not there."""
    return replace(step(record, 1), workflow_id=uuid4(), key=987_654_321)


def taken_key(record: InstanceRecord) -> Transition:
    """A new instance with an idempotency key that is taken."""
    return creation(instance(idempotency_key="taken"))


def second_child_refused(record: InstanceRecord) -> Transition:
    """A step whose second child is refused, with everything else that a step can write."""
    return step(
        record,
        1,
        created=(instance(), instance(idempotency_key="taken")),
        tasks=(TaskRecord(f"task-{uuid4()}", record.workflow_id, TaskKind.STEP, "s"),),
        outbox=(OutboxRecord("bad", b"{}", 1),),
        sent=(message(record, "self"),),
    )


GUARDED: list[tuple[Poison, type[PersistenceError]]] = [
    (stale, StaleWorkflowError),
    (unknown, WorkflowNotFoundError),
    (taken_key, DuplicateIdempotencyKeyError),
    (second_child_refused, DuplicateIdempotencyKeyError),
]
ODD: dict[str, dict[str, Any]] = {
    "number": {"due_us": 2**80},
    "character": {"current_step": "a \x00 b"},
    "half a character": {"current_step": "a \ud800 b"},
}
ODD_REPORTS: dict[str, dict[str, Any]] = {
    "number": {"at_us": 2**80},
    "character": {"name": "a \x00 b"},
    "half a character": {"name": "a \ud800 b"},
}


class BatchesContract:
    """The part of the suite about what is written at once."""

    @pytest.mark.parametrize(("poison", "error"), GUARDED, ids=[made.__name__ for made, _ in GUARDED])
    def test_a_refused_transition_harms_nobody(
        self, on_store: Any, poison: Poison, error: type[PersistenceError]
    ) -> None:
        """Its neighbours are stored completely; of it there is nothing, and its answer is its own."""

        async def scenario(store: Any) -> None:
            await create(store, idempotency_key="taken")
            victim = await create(store)
            answer = await beside_good_ones(store, poison(victim))
            assert isinstance(answer, error)
            assert (await store.load_instance(victim.workflow_id)).revision == 0
            assert list(await store.read_log(victim.workflow_id)) == []
            assert list(await store.read_inbox(victim.workflow_id)) == []
            assert list(await store.read_outbox(limit=9)) == []

        on_store(scenario)

    @pytest.mark.parametrize("odd", ODD)
    def test_a_value_that_a_store_cannot_keep_harms_nobody(self, on_store: Any, odd: str) -> None:
        """Stores differ in what they can keep; it is kept whole, or refused whole with a typed error."""

        async def scenario(store: Any) -> None:
            victim = await create(store)
            answer = await beside_good_ones(store, step(victim, 1, **ODD[odd]))
            found = await store.load_instance(victim.workflow_id)
            length = len(await store.read_log(victim.workflow_id))
            if answer is None:
                assert (found.revision, length) == (1, 1)
                assert getattr(found, *ODD[odd]) == next(iter(ODD[odd].values()))
            else:
                assert isinstance(answer, PersistenceError)
                assert (found.revision, length) == (0, 0)

        on_store(scenario)

    @pytest.mark.parametrize("odd", ODD_REPORTS)
    def test_a_report_that_a_store_cannot_keep_harms_nobody(self, on_store: Any, odd: str) -> None:
        """The others of its batch count; it counts too, or its answer is an error, its task stays, and nobody is told."""

        async def scenario(store: Any) -> None:
            names = ["a", "b", "bad", "c", "d"]
            record = await queued(store, *(blank(name) for name in names))
            await claim(store)
            reports = [TaskReport(name, 1, result(record, name)) for name in names]
            entry = reports[2].entry
            assert entry is not None
            reports[2] = replace(reports[2], entry=replace(entry, **ODD_REPORTS[odd]))
            answers = list(await store.report_tasks(reports))
            bad = answers.pop(2)
            assert answers == [True] * 4
            told = [entry.key for entry in await store.read_inbox(record.workflow_id)]
            assert [key for key in told if key != "bad"] == ["a", "b", "c", "d"]
            assert bad is True or isinstance(bad, PersistenceError)
            assert ("bad" in told) == (bad is True)
            if bad is not True:
                assert (await store.get_task("bad")).status == "claimed"
                assert list(await store.report_tasks([TaskReport("bad", 1, result(record, "bad"))])) == [True]

        on_store(scenario)

    def test_reports_without_a_claim_harm_nobody(self, on_store: Any) -> None:
        """A lost lease, an unknown task and a second report of the same claim beside ones that count."""

        async def scenario(store: Any) -> None:
            record = await queued(store, blank("a"), blank("b"))
            await claim(store)
            first, last = (TaskReport(name, 1, result(record, name)) for name in "ab")
            batch = [first, replace(last, lease_epoch=9), replace(first, task_id="unknown"), replace(first), last]
            assert list(await store.report_tasks(batch)) == [True, False, False, False, True]
            assert [entry.key for entry in await store.read_inbox(record.workflow_id)] == ["a", "b"]

        on_store(scenario)


async def beside_good_ones(store: Any, poison: Transition) -> BaseException | None:
    """Commit a transition in the middle of six good ones, which must be stored; its answer."""
    good = [await create(store) for _ in range(6)]
    batch = [step(record, 1) for record in good]
    batch.insert(3, poison)
    answers = list(await asyncio.gather(*(store.commit(item) for item in batch), return_exceptions=True))
    answer: BaseException | None = answers.pop(3)
    assert answers == [None] * 6
    for record in good:
        assert (await store.load_instance(record.workflow_id)).revision == 1
        assert [entry.seq for entry in await store.read_log(record.workflow_id)] == [1]
    return answer
