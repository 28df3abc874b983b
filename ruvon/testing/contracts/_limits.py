"""What every store promises about the limits of queues: never more than they say, and nobody starves behind a full key."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from ruvon.providers import InvalidLimitsError, QueueLimits, TaskClaim, TaskKind, TaskRecord, TaskReport
from ruvon.testing.contracts._queue import LEASE_US, blank, claim, queued, result

MINUTE_US = 60_000_000
START_US = 1_000_000_000


async def limit(store: Any, queue: str = "q", **limits: Any) -> None:
    """Give a queue limits."""
    await store.put_limits(QueueLimits(queue=queue, **limits))


def names(found: Sequence[TaskRecord]) -> list[str]:
    """The ids of tasks."""
    return [item.task_id for item in found]


def many(count: int, **fields: Any) -> list[TaskRecord]:
    """Tasks of the queue q in their order."""
    return [blank(f"t{number:03d}", available_us=number, **{"queue": "q", **fields}) for number in range(count)]


async def finish(store: Any, *tasks: TaskRecord) -> None:
    """Report that the tasks are done."""
    await store.report_tasks([TaskReport(item.task_id, item.lease_epoch) for item in tasks])


class LimitsContract:
    """The part of the suite about limits of queues."""

    def test_no_more_of_a_queue_are_claimed_than_its_limit(self, on_store: Any) -> None:
        """What is done makes room; other queues are not concerned."""

        async def scenario(store: Any) -> None:
            await limit(store, concurrency=2)
            await queued(store, *many(5), blank("free", queue="other", available_us=9))
            first = await claim(store, now_us=100)
            assert names(first) == ["t000", "t001", "free"]
            assert await claim(store, now_us=100) == []
            await finish(store, first[0])
            assert names(await claim(store, now_us=100)) == ["t002"]
            (load,) = await store.queue_loads()
            assert (load.limits.queue, load.running) == ("q", 2)

        on_store(scenario)

    def test_a_full_key_is_passed_over(self, on_store: Any) -> None:
        """Those behind it begin; tasks without a key have no limit of a key."""

        async def scenario(store: Any) -> None:
            await limit(store, per_key=1)
            keys = ["a", "a", "a", "b", None, None, "b", "c"]
            tasks = [replace(item, concurrency_key=key) for item, key in zip(many(8), keys, strict=True)]
            await queued(store, *tasks)
            first = await claim(store, now_us=100)
            assert names(first) == ["t000", "t003", "t004", "t005", "t007"]
            assert first[0].concurrency_key == "a"
            assert await claim(store, now_us=100) == []
            await finish(store, first[0])
            assert names(await claim(store, now_us=100)) == ["t001"]
            (load,) = await store.queue_loads()
            assert dict(load.by_key) == {"a": 1, "b": 1, "c": 1}

        on_store(scenario)

    def test_a_deep_backlog_of_one_key_starves_nobody(self, on_store: Any) -> None:
        """The other key stands behind thousands of tasks, and begins at once."""

        async def scenario(store: Any) -> None:
            await limit(store, per_key=1)
            noisy = [blank(f"n{number:04d}", queue="q", concurrency_key="noisy") for number in range(4_500)]
            await queued(store, *noisy, blank("quiet", queue="q", available_us=1, concurrency_key="quiet"))
            assert names(await claim(store, now_us=1, limit=1)) == ["n0000"]
            assert names(await claim(store, now_us=1, limit=2)) == ["quiet"]
            assert await claim(store, now_us=1) == []

        on_store(scenario)

    def test_no_more_start_in_a_period_than_the_rate(self, on_store: Any) -> None:
        """Counted are starts, not what runs; the window slides."""

        async def scenario(store: Any) -> None:
            await limit(store, rate=3, period_us=MINUTE_US)
            await queued(store, *many(9))
            first = await claim(store, now_us=START_US, limit=2)
            await finish(store, *first)
            assert names(await claim(store, now_us=START_US + 10)) == ["t002"]
            assert await claim(store, now_us=START_US + MINUTE_US - 1) == []
            assert names(await claim(store, now_us=START_US + MINUTE_US)) == ["t003", "t004"]
            assert names(await claim(store, now_us=START_US + MINUTE_US + 10)) == ["t005"]

        on_store(scenario)

    def test_a_large_rate_is_kept_too(self, on_store: Any) -> None:
        """Starts of a 64th of a period are kept as one: never too many, and late by no more than that."""

        async def scenario(store: Any) -> None:
            await limit(store, rate=100, period_us=64_000)
            await queued(store, *many(400))
            started: list[int] = []
            now = START_US
            for _ in range(300):
                started += [now] * len(await claim(store, now_us=now, limit=7))
                now += 997
            for moment in started:
                assert sum(1 for other in started if moment <= other < moment + 64_000) <= 100
            assert len(started) == 400

        on_store(scenario)

    def test_the_queue_says_when_the_rate_opens_it_again(self, on_store: Any) -> None:
        """So that no worker looks again and again at tasks that it may not have."""

        async def scenario(store: Any) -> None:
            await limit(store, rate=1, period_us=MINUTE_US)
            await queued(store, *many(3), blank("later", queue="q", available_us=START_US + 5))
            (first,) = await claim(store, now_us=START_US, queues=["q"], lease_us=9 * MINUTE_US)
            assert await claim(store, now_us=START_US + 1, queues=["q"]) == []
            assert await store.next_task_us(["q"]) == START_US + 5
            assert await claim(store, now_us=START_US + 6, queues=["q"]) == []
            assert await store.next_task_us(["q"]) == START_US + MINUTE_US
            await finish(store, first)
            assert await store.next_task_us(["q"]) == START_US + MINUTE_US

        on_store(scenario)

    def test_a_full_queue_is_not_looked_at_before_something_happens(self, on_store: Any) -> None:
        """Due tasks that may not begin are no reason to look."""

        async def scenario(store: Any) -> None:
            await limit(store, concurrency=1)
            await queued(store, *many(3))
            (first,) = await claim(store, now_us=100, queues=["q"])
            assert await claim(store, now_us=101, queues=["q"]) == []
            assert await store.next_task_us(["q"]) == first.lease_us

        on_store(scenario)

    def test_workers_are_told_that_there_is_room(self, on_store: Any) -> None:
        """After a report, and after the limits have changed."""

        async def scenario(store: Any) -> None:
            await limit(store, concurrency=1)
            await queued(store, *many(2))
            (first,) = await claim(store, now_us=100)
            for happening in (finish(store, first), limit(store, concurrency=2), store.remove_limits("q")):
                heard = asyncio.Event()
                await asyncio.sleep(0.05)  # what was told before is not what is waited for
                deaf = store.listen_tasks(heard.set)
                await happening
                await asyncio.wait_for(heard.wait(), 10)
                deaf()

        on_store(scenario)

    def test_a_dead_worker_counts_until_it_is_reaped(self, on_store: Any) -> None:
        """Its lease is its claim; afterwards the task, or another one, may begin."""

        async def scenario(store: Any) -> None:
            await limit(store, concurrency=1)
            await queued(store, *many(2))
            (dead,) = await claim(store, now_us=100)
            assert await claim(store, "v", now_us=dead.lease_us) == []
            await store.reap_tasks(dead.lease_us)
            assert names(await claim(store, "v", now_us=dead.lease_us)) == ["t000"]
            assert not (await store.report_tasks([TaskReport("t000", dead.lease_epoch)]))[0]
            assert await claim(store, "w", now_us=dead.lease_us) == []

        on_store(scenario)

    def test_who_drives_the_instance_no_longer_counts(self, on_store: Any) -> None:
        """The step is over with its report; a task given back makes room too."""

        async def scenario(store: Any) -> None:
            await limit(store, concurrency=1)
            record = await queued(store, *many(3))
            (first,) = await claim(store, now_us=100)
            assert (await store.report_tasks([TaskReport("t000", 1, result(record, "t000"), drives=True)]))[0]
            (second,) = await claim(store, now_us=100)
            assert await claim(store, now_us=100) == []
            await store.release_tasks([TaskClaim(second.task_id, second.lease_epoch)], available_us=50)
            assert names(await claim(store, now_us=100)) == ["t002"]
            assert (await store.get_task(first.task_id)).kind is TaskKind.WAKE

        on_store(scenario)

    def test_priorities_hold_under_limits(self, on_store: Any) -> None:
        """The largest first among those that may begin, over all queues."""

        async def scenario(store: Any) -> None:
            await limit(store, concurrency=2, per_key=1)
            await limit(store, "p", concurrency=1)
            await queued(
                store,
                blank("low", queue="q"),
                blank("mid", queue="q", priority=5, concurrency_key="a"),
                blank("top", queue="q", priority=9, concurrency_key="a"),
                blank("p1", queue="p", priority=7),
                blank("p2", queue="p", priority=8),
                blank("open", queue="r", priority=1),
            )
            assert names(await claim(store, limit=3)) == ["top", "p2", "open"]
            assert names(await claim(store)) == ["low"]

        on_store(scenario)

    def test_a_claim_by_id_respects_the_limits(self, on_store: Any) -> None:
        """For brokers: the message is no permission."""

        async def scenario(store: Any) -> None:
            await limit(store, concurrency=1, rate=2, period_us=MINUTE_US)
            await limit(store, "k", per_key=1)
            await queued(
                store, *many(4), *(blank(name, queue="k", concurrency_key="a") for name in ("k1", "k2")), blank("free")
            )

            async def take(task_id: str, now_us: int = START_US) -> Any:
                return await store.claim_task(task_id, "w", lease_us=LEASE_US, now_us=now_us)

            first = await take("t000")
            assert first is not None
            assert await take("t001") is None
            await finish(store, first)
            second = await take("t001")
            assert second is not None
            await finish(store, second)
            assert await take("t002") is None
            assert await take("t002", START_US + MINUTE_US) is not None
            assert await take("k1") is not None
            assert await take("k2") is None
            assert await take("free") is not None
            assert await take("unknown") is None

        on_store(scenario)

    def test_limits_change_while_tasks_run(self, on_store: Any) -> None:
        """Fewer: nothing begins until enough have ended. None: as if there had never been any."""

        async def scenario(store: Any) -> None:
            await limit(store, concurrency=3, rate=100, period_us=MINUTE_US)
            await queued(store, *many(6))
            running = await claim(store, now_us=START_US)
            assert len(running) == 3
            await limit(store, concurrency=1, rate=100, period_us=MINUTE_US)
            await finish(store, *running[:2])
            assert await claim(store, now_us=START_US) == []
            await finish(store, running[2])
            assert len(await claim(store, now_us=START_US)) == 1
            await limit(store, rate=4, period_us=MINUTE_US)
            assert await claim(store, now_us=START_US) == []
            assert await store.remove_limits("q")
            assert not await store.remove_limits("q")
            assert names(await claim(store, now_us=START_US)) == ["t004", "t005"]
            assert await store.queue_loads() == []

        on_store(scenario)

    @pytest.mark.parametrize("shut", [{"concurrency": 0}, {"rate": 0, "period_us": 1}, {"per_key": 0}])
    def test_zero_shuts_the_queue(self, on_store: Any, shut: dict[str, Any]) -> None:
        """Until it is set to something else."""

        async def scenario(store: Any) -> None:
            await limit(store, **shut)
            await queued(store, *many(2, concurrency_key="a"))
            assert await claim(store, now_us=100) == []
            assert await store.claim_task("t000", "w", lease_us=LEASE_US, now_us=100) is None
            assert await store.next_task_us([]) is None
            await limit(store)
            assert len(await claim(store, now_us=100)) == 2

        on_store(scenario)

    @pytest.mark.parametrize("queues", [[], ["q"], ["q", "other"]])
    @pytest.mark.parametrize("shut", [{"concurrency": 0}, {"rate": 0, "period_us": 1}, {"per_key": 0}])
    def test_who_drives_an_instance_is_never_held_back(
        self, on_store: Any, shut: dict[str, Any], queues: list[str]
    ) -> None:
        """A wake is no step: a drive whose worker died goes on while its queue is shut, and counts nowhere."""

        async def scenario(store: Any) -> None:
            record = await queued(store, *many(3, concurrency_key="a"))
            (first,) = await claim(store, now_us=100, limit=1)
            report = TaskReport("t000", first.lease_epoch, result(record, "t000"), drives=True)
            assert (await store.report_tasks([report]))[0]
            await limit(store, **shut)
            wake = replace(blank("wake", queue="q", priority=-5), kind=TaskKind.WAKE)
            await queued(store, wake, replace(wake, task_id="later", available_us=first.lease_us + 1))
            await store.reap_tasks(first.lease_us)
            found = await claim(store, "v", now_us=first.lease_us, queues=queues)
            assert names(found) == ["t000", "wake"]
            assert await claim(store, "v", now_us=first.lease_us, queues=queues) == []
            assert names(await claim(store, "v", now_us=first.lease_us + 1, queues=queues)) == ["later"]
            (load,) = await store.queue_loads()
            assert (load.running, list(load.starts)) == (0, [])

        on_store(scenario)

    def test_a_wake_behind_a_full_queue_is_claimed_with_the_last_step(self, on_store: Any) -> None:
        """What fills the queue hides no wake behind it; the message of one is no less worth."""

        async def scenario(store: Any) -> None:
            await limit(store, concurrency=1, per_key=1)
            wakes = [replace(blank(name, queue="q", available_us=50), kind=TaskKind.WAKE) for name in ("w1", "w2")]
            await queued(store, *many(5, concurrency_key="a"), *wakes)
            assert names(await claim(store, now_us=100, limit=2)) == ["t000", "w1"]
            assert await store.claim_task("t001", "w", lease_us=LEASE_US, now_us=100) is None
            assert await store.claim_task("w2", "w", lease_us=LEASE_US, now_us=100) is not None

        on_store(scenario)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"concurrency": -1},
            {"per_key": -1},
            {"rate": -1, "period_us": 1},
            {"rate": 1},
            {"period_us": 1},
            {"rate": 1, "period_us": -1},
            {"rate": 10**18, "period_us": 1},
            {"rate": 1, "period_us": 10**18},
            {"concurrency": True},
            {"concurrency": 1.5},
            {"queue": ""},
            {"queue": "a\nb"},
        ],
    )
    def test_limits_that_cannot_be_are_refused(self, on_store: Any, wrong: dict[str, Any]) -> None:
        """With a sentence that says what to give; nothing is stored."""

        async def scenario(store: Any) -> None:
            with pytest.raises(InvalidLimitsError, match="give"):
                await limit(store, **wrong)
            assert await store.queue_loads() == []

        on_store(scenario)

    def test_the_largest_numbers_are_kept(self, on_store: Any) -> None:
        """A huge rate costs no more than a small one."""

        async def scenario(store: Any) -> None:
            most = 1_000_000_000
            await limit(store, "größe", concurrency=most, per_key=most, rate=most, period_us=366 * 86_400_000_000)
            await queued(store, *many(50, queue="größe", concurrency_key="ключ"))
            assert len(await claim(store, now_us=START_US, limit=50)) == 50
            (load,) = await store.queue_loads()
            assert (load.limits.rate, load.limits.period_us) == (most, 366 * 86_400_000_000)
            assert list(load.starts) == [(START_US, 50)]
            assert dict(load.by_key) == {"ключ": 50}

        on_store(scenario)

    @pytest.mark.parametrize("seed", range(4))
    def test_many_claimers_never_exceed_a_limit(self, on_store: Any, seed: int) -> None:
        """Property: whatever is claimed, reported, given back and reaped by whom, no limit is ever exceeded."""

        async def scenario(store: Any) -> None:
            chance = random.Random(seed)
            most, per_key = chance.randint(1, 4), chance.randint(1, 2)
            await limit(store, concurrency=most, per_key=per_key)
            keys = [chance.choice(["a", "b", "c", None]) for _ in range(60)]
            tasks = [replace(item, concurrency_key=key) for item, key in zip(many(60), keys, strict=True)]
            await queued(store, *tasks)
            running: dict[str, str | None] = {}
            done: set[str] = set()

            async def work(name: str) -> None:
                while len(done) < len(tasks):
                    found = await claim(store, name, now_us=100, limit=chance.randint(1, 5))
                    running.update({item.task_id: item.concurrency_key for item in found})
                    assert len(running) <= most
                    assert all(list(running.values()).count(key) <= per_key for key in ("a", "b", "c"))
                    for item in found:
                        await asyncio.sleep(0)
                        running.pop(item.task_id)
                        if chance.random() < 0.2:
                            await store.release_tasks([TaskClaim(item.task_id, item.lease_epoch)], available_us=1)
                        else:
                            done.add(item.task_id)
                            await finish(store, item)
                    await asyncio.sleep(0)

            await asyncio.wait_for(asyncio.gather(*(work(f"w{number}") for number in range(6))), 60)

        on_store(scenario)
