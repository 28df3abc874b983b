"""The durable queue on Redis beside its contract: the same as in memory for any history, and nothing left behind."""

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.redis import RedisPersistenceProvider
from ruvon.providers import (
    InboxEntry,
    InstanceRecord,
    TaskClaim,
    TaskFilter,
    TaskKind,
    TaskRecord,
    TaskReport,
    TaskStatus,
)
from ruvon.testing.contracts._queue import blank, claim, queued, result
from ruvon.testing.contracts._records import create, creation, instance, step
from tests.support.postgres_proxy import wire
from tests.support.redis import client, prefix, server, store

OnStore = Callable[[Callable[[RedisPersistenceProvider], Any]], Any]
QUEUES = ("a", "b", "c")
ORDERED = 2_000
"""So many tasks are put in order by one operation."""


class Pair:
    """One history on both stores; whatever is asked, both must say the same."""

    def __init__(self, redis: Any, memory: Any, chance: random.Random) -> None:
        self._stores = (redis, memory)
        self._chance = chance
        self._records: tuple[InstanceRecord, ...] = ()
        self._revision = 0
        self._names: list[str] = []
        self._claims: list[TaskClaim] = []
        self.now_us = 1_000

    async def start(self) -> None:
        """The same instance in both."""
        first = instance()
        self._records = (first, replace(first))
        for opened, record in zip(self._stores, self._records, strict=True):
            await opened.commit(creation(record))

    async def both(self, work: Callable[[Any], Any], order: Callable[[Any], Any] = lambda found: found) -> Any:
        """What both say."""
        here, there = [order(await work(opened)) for opened in self._stores]
        assert here == there
        return here

    async def commit(self, *, tasks: Iterable[TaskRecord] = (), done: Iterable[str] = ()) -> None:
        """One transition."""
        self._revision += 1
        for opened, record in zip(self._stores, self._records, strict=True):
            own = tuple(replace(task, workflow_id=record.workflow_id) for task in tasks)
            await opened.commit(step(record, self._revision, tasks=own, tasks_done=tuple(done)))

    async def act(self) -> None:
        """Do any one thing."""
        actions = (self._put, self._put, self._claim, self._claim, self._claim_one, self._report, self._extend)
        await self._chance.choice((*actions, self._release, self._reap, self._withdraw, self._discard, self._tell))()

    async def _put(self) -> None:
        made = [self._task() for _ in range(self._chance.randint(1, 4))]
        self._names += [task.task_id for task in made]
        await self.commit(tasks=made, done=self._some() if self._chance.random() < 0.2 else ())

    def _task(self) -> TaskRecord:
        return blank(
            f"t{self._chance.getrandbits(48):012x}",
            kind=self._chance.choice([TaskKind.STEP, TaskKind.STEP, TaskKind.WAKE]),
            queue=self._chance.choice(QUEUES),
            available_us=self._chance.choice([0, self.now_us, self.now_us + self._chance.randint(1, 200)]),
            priority=self._chance.choice([0, 0, 1, -3, 2**40]),
            progress=self._chance.choice([None, b"[1]"]),
        )

    def _some(self) -> list[str]:
        return [self._chance.choice(self._names)] if self._names else []

    async def _claim(self) -> None:
        options = {
            "queues": self._chance.choice([(), ("a",), ("b", "c", "b")]),
            "limit": self._chance.randint(1, 4),
            "lease_us": self._chance.randint(1, 100),
            "now_us": self.now_us,
        }
        found = await self.both(lambda opened: opened.claim_tasks("w", **options), list)
        self._claims += [TaskClaim(task.task_id, task.lease_epoch) for task in found]

    async def _claim_one(self) -> None:
        for name in self._some():
            found = await self.both(
                lambda opened, name=name: opened.claim_task(name, "v", lease_us=50, now_us=self.now_us)
            )
            self._claims += [TaskClaim(name, found.lease_epoch)] if found is not None else []

    def _had(self) -> list[TaskClaim]:
        return self._chance.sample(self._claims, min(len(self._claims), 2))

    def _entry(self, name: str) -> InboxEntry:
        return result(self._records[0], name)

    async def _report(self) -> None:
        drives = self._chance.random() < 0.3
        made = [TaskReport(item.task_id, item.lease_epoch, self._entry(item.task_id), drives) for item in self._had()]
        await self.both(lambda opened: opened.report_tasks(made), list)

    async def _extend(self) -> None:
        made = [replace(item, progress=self._chance.choice([None, b"[2]"])) for item in self._had()]
        await self.both(lambda opened: opened.extend_leases(made, until_us=self.now_us + 90), list)

    async def _release(self) -> None:
        made = [replace(item, progress=self._chance.choice([None, b"[3]"])) for item in self._had()]
        due = self._chance.choice([0, self.now_us + 30])
        await self.both(lambda opened: opened.release_tasks(made, available_us=due))

    async def _reap(self) -> None:
        self.now_us += self._chance.randint(1, 80)
        work = {"crash_budget": self._chance.choice([None, 1, 2]), "limit": 1_000}
        await self.both(lambda opened: opened.reap_tasks(self.now_us, **work), _by_id)

    async def _withdraw(self) -> None:
        for name in self._some():
            await self.both(lambda opened, name=name: opened.withdraw_task(name, self._entry(name)))

    async def _discard(self) -> None:
        dead = TaskFilter(statuses=("dead",))
        for task in await self.both(lambda opened: opened.find_tasks(dead), _by_id):
            assert await self.both(lambda opened, name=task.task_id: opened.discard_task(name))

    async def _tell(self) -> None:
        for task in (await self._stores[1].find_tasks(TaskFilter(statuses=("pending",))))[:1]:
            await self.both(lambda opened, name=task.task_id: opened.release_task(name, available_us=self.now_us + 7))

    async def compare(self) -> None:
        """Everything that can be asked."""
        key = self._records[0].workflow_id
        await self.both(
            lambda opened: opened.read_inbox(key), lambda found: sorted((item.key, item.payload) for item in found)
        )
        await self.both(lambda opened: opened.count_tasks(), list)
        for wanted in (
            TaskFilter(),
            TaskFilter(statuses=(TaskStatus.PENDING, TaskStatus.DEAD), queue="a"),
            TaskFilter(worker_id="v"),
            TaskFilter(workflow_id=key, lease_before_us=self.now_us + 20),
        ):
            await self.both(lambda opened, wanted=wanted: opened.find_tasks(wanted, limit=1_000), list)
        for queues in ((), ("a",), ("b", "c")):
            moments = [await opened.next_task_us(queues) for opened in self._stores]
            late = [moment is not None and moment <= self.now_us for moment in moments]
            assert all(late) or moments[0] == moments[1]

    async def finish(self) -> None:
        """Take every task out of the queue."""
        await self.commit(done=self._names)


def _by_id(found: Iterable[TaskRecord]) -> list[TaskRecord]:
    return sorted(found, key=lambda task: task.task_id)


def left() -> list[str]:
    """The keys of the queue that are in the store."""
    with client() as asked:
        names = [key.decode().partition("}:")[2] for key in asked.scan_iter(match=f"{{{prefix()}}}:*", count=1000)]
    wanted = ("task:", "wt:", "tw:", "tr:", "ta", "tl", "tn", "queues")
    return sorted(name for name in names if name.startswith(wanted))


@pytest.mark.parametrize("seed", range(12))
def test_any_history_of_the_queue_is_as_in_memory(on_store: OnStore, seed: int) -> None:
    """Claims, reports, leases, dead letters, order and counts; and no key is left when the tasks are gone (S2-014)."""

    async def scenario(opened: RedisPersistenceProvider) -> None:
        pair = Pair(opened, MemoryPersistenceProvider(), random.Random(seed))
        await pair.start()
        for _ in range(80):
            await pair.act()
            await pair.compare()
        await pair.finish()

    on_store(scenario)
    assert left() == []


def test_nothing_of_the_queue_is_left_of_a_deleted_workflow(on_store: OnStore) -> None:
    """Pending, seen to be due, claimed and dead."""

    async def scenario(opened: RedisPersistenceProvider) -> None:
        record = await queued(opened, *(blank(name) for name in "abc"), blank("d", available_us=99))
        for crashed in await claim(opened, limit=1):
            await opened.reap_tasks(crashed.lease_us, crash_budget=1)
        await claim(opened, limit=1)
        counts = [(status, count) for _, status, count in await opened.count_tasks()]
        assert counts == [("claimed", 1), ("dead", 1), ("pending", 2)]
        assert (await opened.stats())["rows"]["tasks"] == 4
        assert await opened.delete_workflow(record.workflow_id)

    on_store(scenario)
    assert left() == []


def test_priority_decides_among_any_number_that_become_due_at_once(on_store: OnStore) -> None:
    """More than one operation puts in order: the most urgent one, due last of all, is claimed first."""

    async def scenario(opened: RedisPersistenceProvider) -> None:
        count = 2 * ORDERED + 500
        await queued(
            opened,
            *(blank(f"t{number}", available_us=number + 1) for number in range(count)),
            blank("urgent", available_us=count + 1, priority=1),
        )
        found = await claim(opened, now_us=count + 1, limit=3)
        assert [task.task_id for task in found] == ["urgent", "t0", "t1"]
        everything = await opened.find_tasks(TaskFilter(statuses=("pending",)), limit=count)
        assert [task.task_id for task in everything] == [f"t{number}" for number in range(2, count)]

    on_store(scenario)


@pytest.mark.parametrize("before", [True, False], ids=["before the request", "before the answer"])
def test_a_claim_without_an_answer_is_made_once(before: bool) -> None:
    """The batch is sent again under its number: the worker gets the very claim that was written."""

    async def scenario() -> None:
        async with wire(server()) as cable:
            opened = store(cable.url)
            await opened.initialize()
            await queued(opened, blank("t"), blank("n"))
            cable.arm(b'"claim"', before=before)
            (found,) = await claim(opened, limit=1)
            assert cable.cuts == 1
            assert (found.task_id, found.lease_epoch) == ("t", 1)
            assert list(await opened.count_tasks()) == [("default", "claimed", 1), ("default", "pending", 1)]
            await opened.close()

    asyncio.run(scenario())


def test_workers_hear_again_after_the_connection_was_lost(on_store: OnStore) -> None:
    """They are told once it is back, because what came meanwhile was announced to nobody; and of other processes' tasks."""

    async def scenario(opened: RedisPersistenceProvider) -> None:
        heard = asyncio.Event()
        opened.listen_tasks(heard.set)
        assert opened._holds is not None
        number = opened._holds._owner.partition("@")[0]
        with client() as asked:
            asked.client_kill_filter(_id=number)
        await asyncio.wait_for(heard.wait(), 10)
        other = opened.another()
        await other.initialize()
        record = await create(other)
        heard.clear()
        await queued(other, blank("t"), record=record)
        await asyncio.wait_for(heard.wait(), 10)
        await other.close()

    on_store(scenario)


@pytest.mark.parametrize("wrong", [{"available_us": -1}, {"priority": 2**54}, {"lease_us": 2**54}])
def test_a_task_that_cannot_be_ordered_is_refused(on_store: OnStore, wrong: dict[str, int]) -> None:
    """With a sentence; nothing of the transition is written."""

    async def scenario(opened: RedisPersistenceProvider) -> None:
        record = await create(opened)
        with pytest.raises(Exception, match=r"2\*\*53|least moment") as caught:
            await queued(opened, blank("t", **wrong), record=record)
        assert type(caught.value).__name__ == "PersistenceError"
        assert (await opened.load_instance(record.workflow_id)).revision == record.revision

    on_store(scenario)
    assert left() == []
