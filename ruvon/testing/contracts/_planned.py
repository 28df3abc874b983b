"""What every store promises about schedules and about events that wait to be delivered."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from ruvon.providers import (
    DuplicateIdempotencyKeyError,
    OutboxRecord,
    ScheduleNotFoundError,
    ScheduleRecord,
    StaleScheduleError,
    StaleWorkflowError,
    WorkflowNotFoundError,
)
from ruvon.testing.contracts._records import DEFINITION, create, instance, step


def schedule(name: str = "nightly", **fields: Any) -> ScheduleRecord:
    """A schedule of orders."""
    return replace(ScheduleRecord(name, "Order", "0 3 * * *"), **fields)


class PlannedContract:
    """The part of the suite about schedules and the outbox."""

    def test_a_schedule_is_read_back_as_written(self, on_store: Any) -> None:
        """Every field, with the revision raised by each write."""

        async def scenario(store: Any) -> None:
            record = schedule(
                timezone="Europe/Berlin",
                data=b'{"z": 1}',
                version="2",
                overlap="buffer_one",
                catch_up=3,
                paused=True,
                next_us=10,
                last_us=5,
                last_workflow_id=uuid4(),
                buffered=1,
                owner_id="o",
                org_id="g",
                data_region="eu",
                note="holidays",
                created_us=1,
                updated_us=2,
            )
            await store.put_schedule(record)
            assert await store.get_schedule("nightly") == replace(record, revision=1)
            await store.put_schedule(replace(record, paused=False))
            assert await store.get_schedule("nightly") == replace(record, paused=False, revision=2)

        on_store(scenario)

    def test_schedules_are_listed_and_deleted(self, on_store: Any) -> None:
        """By name; an unknown one is a typed error, a LookupError too."""

        async def scenario(store: Any) -> None:
            for name in ("b", "c", "a"):
                await store.put_schedule(schedule(name))
            assert [item.schedule_id for item in await store.list_schedules()] == ["a", "b", "c"]
            assert await store.delete_schedule("b")
            assert not await store.delete_schedule("b")
            assert [item.schedule_id for item in await store.list_schedules()] == ["a", "c"]
            with pytest.raises(ScheduleNotFoundError):
                await store.get_schedule("b")
            with pytest.raises(LookupError, match="no schedule named 'b'"):
                await store.advance_schedule(schedule("b"))

        on_store(scenario)

    def test_a_read_schedule_is_a_copy(self, on_store: Any) -> None:
        """Changing what was read changes nothing in the store."""

        async def scenario(store: Any) -> None:
            written = schedule(next_us=1)
            await store.put_schedule(written)
            written.note = "changed"
            for found in (
                await store.get_schedule("nightly"),
                (await store.list_schedules())[0],
                (await store.due_schedules(5))[0],
            ):
                found.paused = True
            assert await store.get_schedule("nightly") == schedule(next_us=1, revision=1)

        on_store(scenario)

    def test_due_schedules_are_those_with_something_to_start(self, on_store: Any) -> None:
        """Not paused, and due or with a run waiting; earliest first, up to a limit."""

        async def scenario(store: Any) -> None:
            await store.put_schedule(schedule("late", next_us=90))
            await store.put_schedule(schedule("second", next_us=20))
            await store.put_schedule(schedule("first", next_us=10))
            await store.put_schedule(schedule("paused", next_us=10, paused=True))
            await store.put_schedule(schedule("never"))
            await store.put_schedule(schedule("waiting", next_us=95, buffered=1))
            found = [item.schedule_id for item in await store.due_schedules(20)]
            assert found == ["first", "second", "waiting"]
            assert [item.schedule_id for item in await store.due_schedules(20, limit=1)] == ["first"]

        on_store(scenario)

    def test_advancing_writes_schedule_and_runs_together(self, on_store: Any) -> None:
        """The new moment and the started instance with its definition; an instance that exists is left alone."""

        async def scenario(store: Any) -> None:
            await store.put_schedule(schedule(next_us=10))
            read = await store.get_schedule("nightly")
            run, existing = instance(), await create(store, status="PAUSED")
            moved = replace(read, next_us=20, last_us=10, last_workflow_id=run.workflow_id, updated_us=11)
            created = (run, replace(existing, status="ACTIVE"))
            await store.advance_schedule(moved, created=created, definitions=(DEFINITION,))
            assert await store.get_schedule("nightly") == replace(moved, revision=read.revision + 1)
            assert (await store.load_instance(run.workflow_id)).snapshot == run.snapshot
            assert await store.read_snapshot(run.workflow_id, at=0) == (0, run.snapshot)
            assert (await store.load_instance(existing.workflow_id)).status == "PAUSED"
            assert (await store.get_definition(DEFINITION.digest)).workflow_type == "Order"

        on_store(scenario)

    def test_a_stale_advance_writes_nothing(self, on_store: Any) -> None:
        """Of two that read the same schedule one starts the run."""

        async def scenario(store: Any) -> None:
            await store.put_schedule(schedule(next_us=10))
            read = await store.get_schedule("nightly")
            await store.advance_schedule(replace(read, next_us=20))
            run = instance()
            with pytest.raises(StaleScheduleError):
                await store.advance_schedule(replace(read, next_us=30), created=(run,))
            assert (await store.get_schedule("nightly")).next_us == 20
            with pytest.raises(WorkflowNotFoundError):
                await store.load_instance(run.workflow_id)

        on_store(scenario)

    def test_an_advance_whose_run_is_refused_writes_nothing(self, on_store: Any) -> None:
        """A key that is taken leaves the schedule and the other runs as they were."""

        async def scenario(store: Any) -> None:
            await create(store, idempotency_key="k")
            await store.put_schedule(schedule(next_us=10))
            read = await store.get_schedule("nightly")
            first = instance()
            with pytest.raises(DuplicateIdempotencyKeyError):
                await store.advance_schedule(replace(read, next_us=20), created=(first, instance(idempotency_key="k")))
            assert await store.get_schedule("nightly") == read
            with pytest.raises(WorkflowNotFoundError):
                await store.load_instance(first.workflow_id)

        on_store(scenario)

    def test_a_transition_registers_schedules(self, on_store: Any) -> None:
        """A new one as it is; a known one keeps its plan and pause while cron and zone stay, and what its runs left."""

        async def scenario(store: Any) -> None:
            record = await create(store)
            await store.commit(step(record, 1, schedules=(schedule(next_us=10, data=b"1"),)))
            found = await store.get_schedule("nightly")
            assert found == schedule(next_us=10, data=b"1", created_us=11, updated_us=11, revision=1)
            left = {"last_us": 10, "last_workflow_id": uuid4(), "buffered": 1}
            await store.put_schedule(replace(found, next_us=20, paused=True, note="by ann", **left))
            await store.commit(step(record, 2, schedules=(schedule(next_us=15, data=b"2", overlap="allow"),)))
            same = await store.get_schedule("nightly")
            assert (same.next_us, same.paused, same.note) == (20, True, "by ann")
            assert (same.data, same.overlap, same.revision) == (b"2", "allow", 3)
            await store.commit(step(record, 3, schedules=(schedule(next_us=15, cron="0 4 * * *"),)))
            moved = await store.get_schedule("nightly")
            assert (moved.next_us, moved.paused, moved.note, moved.cron) == (15, False, "", "0 4 * * *")
            assert {name: getattr(moved, name) for name in left} == left
            assert (moved.created_us, moved.updated_us) == (11, 13)
            await store.commit(step(record, 4, schedules=(schedule(cron="0 4 * * *", timezone="Asia/Tokyo"),)))
            assert (await store.get_schedule("nightly")).next_us is None

        on_store(scenario)

    def test_a_stale_transition_registers_no_schedule(self, on_store: Any) -> None:
        """It leaves no trace."""

        async def scenario(store: Any) -> None:
            record = await create(store)
            with pytest.raises(StaleWorkflowError):
                await store.commit(step(record, 3, schedules=(schedule(),), outbox=(OutboxRecord("t", b"1"),)))
            assert list(await store.list_schedules()) == []
            assert list(await store.read_outbox()) == []

        on_store(scenario)

    def test_events_are_read_in_order_until_they_are_deleted(self, on_store: Any) -> None:
        """With rising ids, the workflow they are of, and their key; read again as long as nobody deletes them."""

        async def scenario(store: Any) -> None:
            record = await create(store)
            other = uuid4()
            one, two = OutboxRecord("a", b"1", 5, key="s1.0"), OutboxRecord("b", b"2", 6, workflow_id=other)
            await store.commit(step(record, 1, outbox=(one, two)))
            await store.commit(step(record, 2, outbox=(OutboxRecord("c", b"3", 7),)))
            found = await store.read_outbox()
            assert [(item.topic, item.payload, item.at_us, item.key) for item in found] == [
                ("a", b"1", 5, "s1.0"),
                ("b", b"2", 6, ""),
                ("c", b"3", 7, ""),
            ]
            assert [item.workflow_id for item in found] == [record.workflow_id, other, record.workflow_id]
            ids = [item.id for item in found]
            assert ids == sorted(set(ids))
            assert ids[0] > 0
            assert [item.id for item in await store.read_outbox(limit=1, after=ids[0])] == ids[1:2]
            await store.delete_outbox([ids[0], ids[2], 999])
            await store.delete_outbox([ids[0]])
            assert [item.id for item in await store.read_outbox()] == ids[1:2]
            await store.delete_outbox([ids[1]])
            await store.commit(step(record, 3, outbox=(OutboxRecord("d", b"4"),)))
            assert (await store.read_outbox())[0].id > ids[2]

        on_store(scenario)
