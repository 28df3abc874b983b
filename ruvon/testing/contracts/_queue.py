"""What every store promises about its queue: claims, leases, reports, dead letters, workers."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import orjson

from ruvon.providers import (
    InboxEntry,
    InboxKind,
    InstanceRecord,
    TaskClaim,
    TaskFilter,
    TaskKind,
    TaskRecord,
    TaskReport,
    Transition,
    WorkerRecord,
)
from ruvon.testing.contracts._records import create, creation, instance, step

LEASE_US = 1_000_000
LATER_US = 2**52


def task(record: InstanceRecord, name: str = "t", **fields: Any) -> TaskRecord:
    """A step of an instance in the queue."""
    return replace(TaskRecord(name, record.workflow_id, TaskKind.STEP, f"step {name}", payload=b"{}"), **fields)


def result(record: InstanceRecord, name: str = "t") -> InboxEntry:
    """What a worker tells of it."""
    return InboxEntry(record.workflow_id, InboxKind.TASK_RESULT, f"step {name}", b'{"x":1}', key=name)


async def queued(store: Any, *tasks_of: TaskRecord, record: InstanceRecord | None = None) -> InstanceRecord:
    """An instance with these tasks; made of its own where none is given."""
    made = record or await create(store)
    await store.commit(step(made, 1, tasks=tuple(replace(item, workflow_id=made.workflow_id) for item in tasks_of)))
    return made


async def claim(store: Any, worker: str = "w", now_us: int = 0, **options: Any) -> Sequence[TaskRecord]:
    """Claim whatever is due."""
    found: Sequence[TaskRecord] = await store.claim_tasks(
        worker, **{"limit": 10, "lease_us": LEASE_US, "now_us": now_us, **options}
    )
    return found


BLANK = TaskRecord("", uuid4(), TaskKind.STEP, "")


def blank(name: str, **fields: Any) -> TaskRecord:
    """A task whose instance is filled in by `queued`."""
    return replace(BLANK, task_id=name, activation=f"step {name}", payload=b"{}", **fields)


class QueueContract:
    """The part of the suite about the durable queue."""

    def test_a_transition_may_change_the_queue_and_no_instance(self, on_store: Any) -> None:
        """The net under a drive: put in and taken out without touching the row; a second time is harmless."""

        async def scenario(store: Any) -> None:
            record = await create(store)
            before = await store.load_instance(record.workflow_id)
            net = TaskRecord("net", record.workflow_id, TaskKind.WAKE, "", available_us=50)
            beside = Transition(record.workflow_id, 0, -1, 0, b"", "ACTIVE", b"", None, 1, [], 0)
            for _ in range(2):
                await store.commit(replace(beside, tasks=(net,)))
            (found,) = await store.find_tasks(TaskFilter())
            assert (found.task_id, found.kind, found.available_us, found.status) == ("net", "wake", 50, "pending")
            for _ in range(2):
                await store.commit(replace(beside, tasks_done=("net",)))
            assert list(await store.find_tasks(TaskFilter())) == []
            assert await store.load_instance(record.workflow_id) == before

        on_store(scenario)

    def test_a_claimed_task_is_read_back_as_queued(self, on_store: Any) -> None:
        """Every field; the claim adds worker, epoch and lease (S2-014)."""

        async def scenario(store: Any) -> None:
            wanted = blank("t", queue="q", available_us=5, priority=3, attempt=2, progress=b'{"a":1}')
            record = await queued(store, wanted)
            assert await claim(store, now_us=4) == []
            (found,) = await claim(store, now_us=5)
            whose = replace(wanted, workflow_id=record.workflow_id)
            assert found == replace(whose, status="claimed", worker_id="w", lease_epoch=1, lease_us=5 + LEASE_US)
            assert await store.get_task("t") == found

        on_store(scenario)

    def test_a_thousand_tasks_are_claimed_once_each(self, on_store: Any) -> None:
        """S2-014: several workers at a time, in batches; nothing twice, nothing left."""

        async def scenario(store: Any) -> None:
            await queued(store, *(blank(f"t{number}") for number in range(1_000)))

            async def work(name: str) -> list[str]:
                found: list[str] = []
                while batch := await claim(store, name, limit=17):
                    found += [item.task_id for item in batch]
                return found

            taken = await asyncio.gather(*(work(f"w{number}") for number in range(5)))
            assert sorted(item for one in taken for item in one) == sorted(f"t{number}" for number in range(1_000))

        on_store(scenario)

    def test_urgent_tasks_come_first_and_old_ones_before_young(self, on_store: Any) -> None:
        """Priority, then age; only the queues that are asked for."""

        async def scenario(store: Any) -> None:
            await queued(
                store,
                blank("young", available_us=2, queue="a"),
                blank("old", available_us=1, queue="a"),
                blank("urgent", available_us=3, priority=1, queue="b"),
                blank("elsewhere", priority=9, queue="c"),
            )
            found = await claim(store, now_us=10, queues=["a", "b"])
            assert [item.task_id for item in found] == ["urgent", "old", "young"]
            assert [item.task_id for item in await claim(store, now_us=10)] == ["elsewhere"]

        on_store(scenario)

    def test_one_task_is_claimed_by_its_id(self, on_store: Any) -> None:
        """For brokers: the message carries the id; a doubled one finds it taken."""

        async def scenario(store: Any) -> None:
            await queued(store, blank("t"))
            first = await store.claim_task("t", "w", lease_us=LEASE_US, now_us=7)
            assert first is not None
            assert (first.worker_id, first.lease_us, first.lease_epoch) == ("w", 7 + LEASE_US, 1)
            assert await store.claim_task("t", "v", lease_us=LEASE_US, now_us=7) is None
            assert await store.claim_task("unknown", "v", lease_us=LEASE_US, now_us=7) is None

        on_store(scenario)

    def test_a_report_is_the_message_and_the_end_of_the_task(self, on_store: Any) -> None:
        """Both or neither; a second report of the same claim does not count."""

        async def scenario(store: Any) -> None:
            record = await queued(store, blank("t"))
            (found,) = await claim(store)
            report = TaskReport("t", found.lease_epoch, result(record))
            assert list(await store.report_tasks([report, replace(report)])) == [True, False]
            assert list(await store.report_tasks([report])) == [False]
            (entry,) = await store.read_inbox(record.workflow_id)
            assert (entry.kind, entry.name, entry.key, entry.payload) == (
                InboxKind.TASK_RESULT, "step t", "t", b'{"x":1}',
            )  # fmt: skip
            assert await store.find_tasks(TaskFilter()) == []

        on_store(scenario)

    def test_a_worker_that_lost_its_lease_is_not_heard(self, on_store: Any) -> None:
        """The claim's epoch fences: late reports, releases and extensions do nothing, and the neighbours count."""

        async def scenario(store: Any) -> None:
            record = await queued(store, blank("t"), blank("n"))
            stale = {item.task_id: item for item in await claim(store)}
            await store.reap_tasks(LEASE_US)
            again = {item.task_id: item for item in await claim(store, "v", now_us=LEASE_US)}
            assert (stale["t"].lease_epoch, again["t"].lease_epoch) == (1, 2)

            late = TaskReport("t", 1, result(record))
            good = TaskReport("n", 2, result(record, "n"))
            assert list(await store.report_tasks([late, good])) == [False, True]
            await store.release_tasks([TaskClaim("t", 1)])
            assert await store.extend_leases([TaskClaim("t", 1)], until_us=9) == ["t"]
            held = await store.get_task("t")
            assert (held.status, held.worker_id, held.lease_us) == ("claimed", "v", 2 * LEASE_US)
            assert [entry.key for entry in await store.read_inbox(record.workflow_id)] == ["n"]

        on_store(scenario)

    def test_a_report_may_turn_the_task_into_the_driving_of_its_instance(self, on_store: Any) -> None:
        """The claim stays; if the worker dies over the drive, somebody else is told to drive."""

        async def scenario(store: Any) -> None:
            record = await queued(store, blank("t"))
            (found,) = await claim(store)
            assert list(await store.report_tasks([TaskReport("t", 1, result(record), drives=True)])) == [True]
            left = await store.get_task("t")
            assert (left.kind, left.status, left.payload, left.worker_id) == (TaskKind.WAKE, "claimed", b"", "w")
            await store.reap_tasks(found.lease_us, crash_budget=1)
            (woken,) = await claim(store, "v", now_us=found.lease_us)
            assert (woken.kind, woken.crashes) == (TaskKind.WAKE, 1)
            assert list(await store.report_tasks([TaskReport("t", 1)])) == [False]
            assert list(await store.report_tasks([TaskReport("t", 2)])) == [True]
            assert len(await store.read_inbox(record.workflow_id)) == 1

        on_store(scenario)

    def test_a_lease_is_extended_with_the_progress(self, on_store: Any) -> None:
        """What a body told last is there for the next attempt; None keeps it."""

        async def scenario(store: Any) -> None:
            await queued(store, blank("t"))
            await claim(store)
            assert await store.extend_leases([TaskClaim("t", 1, b'{"done":5}')], until_us=9 * LEASE_US) == []
            assert await store.extend_leases([TaskClaim("t", 1), TaskClaim("x", 1)], until_us=9 * LEASE_US) == ["x"]
            assert await store.reap_tasks(8 * LEASE_US) == []
            await store.reap_tasks(9 * LEASE_US)
            (again,) = await claim(store, now_us=9 * LEASE_US)
            assert orjson.loads(again.progress or b"null") == {"done": 5}

        on_store(scenario)

    def test_a_released_task_is_due_again_at_its_moment(self, on_store: Any) -> None:
        """S4-030; no crash is counted."""

        async def scenario(store: Any) -> None:
            await queued(store, blank("t"))
            await claim(store)
            await store.release_tasks([TaskClaim("t", 1, b"[1]")], available_us=50)
            assert await claim(store, now_us=49) == []
            (again,) = await claim(store, now_us=50)
            assert (again.lease_epoch, again.crashes, again.progress) == (2, 0, b"[1]")

        on_store(scenario)

    def test_a_task_that_kills_its_workers_becomes_a_dead_letter(self, on_store: Any) -> None:
        """S3-033: pending again within the crash budget; then kept, never claimed, and the instance is told."""

        async def scenario(store: Any) -> None:
            record = await queued(store, blank("t"))
            for crashes in (1, 2):
                (found,) = await claim(store, now_us=crashes * 2 * LEASE_US)
                assert await store.reap_tasks(found.lease_us - 1, crash_budget=2) == []
                (reaped,) = await store.reap_tasks(found.lease_us, crash_budget=2)
                assert reaped.crashes == crashes
            assert (reaped.status, reaped.worker_id) == ("dead", None)
            assert await claim(store, now_us=99 * LEASE_US) == []
            (entry,) = await store.read_inbox(record.workflow_id)
            assert (entry.kind, entry.name, entry.key) == (InboxKind.TASK_RESULT, "step t", "t")
            assert orjson.loads(entry.payload) == {"crashes": 2}
            (dead,) = await store.find_tasks(TaskFilter(statuses=("dead",)))
            assert dead.task_id == "t"
            assert await store.discard_task("t")
            assert not await store.discard_task("t")

        on_store(scenario)

    def test_a_task_is_withdrawn_unless_a_worker_has_it(self, on_store: Any) -> None:
        """The queue decides which was first; the instance is told with it."""

        async def scenario(store: Any) -> None:
            record = await queued(store, blank("t"), blank("n", available_us=5))
            await claim(store, now_us=0)
            assert not await store.withdraw_task("t", result(record))
            assert not await store.withdraw_task("unknown", result(record))
            assert await store.withdraw_task("n", result(record, "n"))
            assert [entry.key for entry in await store.read_inbox(record.workflow_id)] == ["n"]
            assert [item.task_id for item in await store.find_tasks(TaskFilter())] == ["t"]

        on_store(scenario)

    def test_a_transition_takes_tasks_out_of_the_queue(self, on_store: Any) -> None:
        """Claimed or not; the worker that has it learns it with its next sign of life."""

        async def scenario(store: Any) -> None:
            record = await queued(store, blank("t"), blank("n", available_us=5))
            await claim(store, now_us=0)
            await store.commit(step(record, 2, tasks_done=("t", "n", "unknown")))
            assert await store.extend_leases([TaskClaim("t", 1)], until_us=9) == ["t"]
            assert list(await store.report_tasks([TaskReport("t", 1, result(record))])) == [False]
            assert await store.find_tasks(TaskFilter()) == []
            assert await store.read_inbox(record.workflow_id) == []

        on_store(scenario)

    def test_a_transition_turns_a_claimed_task_into_the_driving_of_its_instance(self, on_store: Any) -> None:
        """The claim and its lease stay; what another attempt would need is gone (as a report with `drives` does)."""

        async def scenario(store: Any) -> None:
            record = await queued(store, blank("t", progress=b'{"a":1}'), blank("n", available_us=5))
            (found,) = await claim(store, now_us=0)
            wake = replace(found, kind=TaskKind.WAKE, payload=b"", progress=None)
            await store.commit(step(record, 2, tasks=(wake,), tasks_done=("n",)))
            (left,) = await store.find_tasks(TaskFilter())
            assert left == replace(wake, progress=None)
            assert await store.extend_leases([TaskClaim("t", 1)], until_us=9 * LEASE_US) == []
            await store.reap_tasks(9 * LEASE_US)
            (again,) = await claim(store, "v", now_us=9 * LEASE_US)
            assert (again.kind, again.lease_epoch, again.progress) == (TaskKind.WAKE, 2, None)
            assert list(await store.report_tasks([TaskReport("t", 2)])) == [True]
            assert await store.find_tasks(TaskFilter()) == []

        on_store(scenario)

    def test_a_transition_brings_a_task_that_is_claimed(self, on_store: Any) -> None:
        """A worker claims what it begins itself: nobody else gets it while the lease holds, and then anybody does."""

        async def scenario(store: Any) -> None:
            record = await create(store)
            mine = task(record, "t", status="claimed", worker_id="w", lease_epoch=1, lease_us=LEASE_US)
            await store.commit(step(record, 1, tasks=(mine,)))
            assert await claim(store, "v") == []
            assert await store.extend_leases([TaskClaim("t", 1)], until_us=2 * LEASE_US) == []
            (reaped,) = await store.reap_tasks(2 * LEASE_US, crash_budget=3)
            assert (reaped.crashes, reaped.status) == (1, "pending")
            (found,) = await claim(store, "v", now_us=2 * LEASE_US)
            assert found.lease_epoch == 2
            assert list(await store.report_tasks([TaskReport("t", 1, result(record))])) == [False]

        on_store(scenario)

    def test_a_creation_brings_tasks(self, on_store: Any) -> None:
        """A new instance that nobody drives is taken by a worker."""

        async def scenario(store: Any) -> None:
            record = instance()
            wake = task(record, "wake", kind=TaskKind.WAKE)
            await store.commit(replace(creation(record), tasks=(wake,)))
            (found,) = await claim(store)
            assert (found.kind, found.workflow_id) == (TaskKind.WAKE, record.workflow_id)

        on_store(scenario)

    def test_the_queue_knows_when_to_look_again(self, on_store: Any) -> None:
        """The earliest due task of the queues, or lease that runs out; None where there is neither."""

        async def scenario(store: Any) -> None:
            assert await store.next_task_us([]) is None
            await queued(store, blank("t", available_us=500, queue="a"), blank("n", available_us=900, queue="b"))
            assert await store.next_task_us([]) == 500
            assert await store.next_task_us(["b"]) == 900
            assert await store.next_task_us(["c"]) is None
            await claim(store, now_us=500, lease_us=100, queues=["a"])
            assert await store.next_task_us(["b"]) == 600

        on_store(scenario)

    def test_tasks_are_found_and_counted(self, on_store: Any) -> None:
        """By status, queue, instance, worker and lease."""

        async def scenario(store: Any) -> None:
            one = await queued(store, blank("a", queue="x", priority=1), blank("b", queue="y"))
            two = await queued(store, blank("c", queue="x"))
            await claim(store, "w", limit=1)

            async def ids(**wanted: Any) -> list[str]:
                return [item.task_id for item in await store.find_tasks(TaskFilter(**wanted))]

            assert await ids(statuses=("claimed",)) == ["a"]
            assert await ids(worker_id="w") == ["a"]
            assert sorted(await ids(queue="x")) == ["a", "c"]
            assert sorted(await ids(workflow_id=one.workflow_id)) == ["a", "b"]
            assert await ids(workflow_id=two.workflow_id, statuses=("pending", "dead")) == ["c"]
            assert await ids(lease_before_us=LEASE_US) == []
            assert await ids(lease_before_us=LEASE_US + 1) == ["a"]
            assert list(await store.count_tasks()) == [("x", "claimed", 1), ("x", "pending", 1), ("y", "pending", 1)]

        on_store(scenario)

    def test_tasks_are_found_page_by_page(self, on_store: Any) -> None:
        """Each that is there all along once, whatever comes and goes; also where the last one seen is gone."""

        async def scenario(store: Any) -> None:
            many = [blank(f"t{n}", priority=n % 3 - 1, available_us=n // 6) for n in range(24)]
            await queued(store, *many, blank("other", queue="other"))
            wanted, whole = TaskFilter(queue="default"), await store.find_tasks(TaskFilter(queue="default"))
            seen: list[str] = []
            after, gone = None, {whole[4].task_id, whole[12].task_id}
            while page := await store.find_tasks(wanted, limit=5, after=after):
                seen += [item.task_id for item in page]
                after = page[-1].place
                if len(seen) == 5:  # the one behind which it goes on, and one that comes later
                    for name in gone:
                        assert await store.claim_task(name, "w", lease_us=1, now_us=LATER_US) is not None
                    await store.reap_tasks(LATER_US + 1, crash_budget=1)
                    assert [await store.discard_task(name) for name in gone] == [True, True]
                    await queued(store, blank("urgent", priority=9), blank("late", priority=-9))
            assert len(seen) == len(set(seen))
            assert [name for name in seen if name != "late"] == [
                item.task_id for number, item in enumerate(whole) if number == 4 or item.task_id not in gone
            ]
            order = [(-item.priority, item.available_us) for item in whole]
            assert order == sorted(order)

        on_store(scenario)

    def test_workers_are_told_of_new_tasks(self, on_store: Any) -> None:
        """Pushed: after the commit, after a release, and no more after the listening has ended."""

        async def scenario(store: Any) -> None:
            heard = asyncio.Event()
            deaf = store.listen_tasks(heard.set)
            await queued(store, blank("t"))
            await asyncio.wait_for(heard.wait(), 10)
            await claim(store)
            heard.clear()
            await store.release_tasks([TaskClaim("t", 1)])
            await asyncio.wait_for(heard.wait(), 10)
            deaf()
            deaf()

        on_store(scenario)

    def test_workers_tell_of_themselves(self, on_store: Any) -> None:
        """Written again and again; forgotten when they leave."""

        async def scenario(store: Any) -> None:
            record = WorkerRecord("w", "host", 7, ("a", "b"), 4, 10, 20, ("t1",), lease_us=30_000_000)
            await store.put_worker(replace(record, seen_us=15))
            await store.put_worker(record)
            await store.put_worker(WorkerRecord("v", draining=True))
            assert list(await store.list_workers()) == [WorkerRecord("v", draining=True), record]
            await store.remove_worker("w")
            await store.remove_worker("w")
            assert [item.worker_id for item in await store.list_workers()] == ["v"]

        on_store(scenario)
