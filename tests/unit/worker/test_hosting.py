"""What drives of a worker hand over, and the tasks that it claims in the commit that queues them."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from ruvon import StepContext, gather, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import (
    PersistenceError,
    QueueLimits,
    SystemClock,
    TaskFilter,
    TaskKind,
    TaskRecord,
    TaskReport,
    TaskStatus,
    Transition,
    WorkflowBusyError,
)
from ruvon.worker import Worker
from ruvon.worker._hosting import Hosting
from tests.support import queued_flows as flows
from tests.support.workers import until, working

Make = Callable[..., WorkflowBuilder]
RUN = uuid4()
LEASE_US = 1_000_000
BODIES: Counter[str] = Counter()


@step(queue="q")
async def link(context: StepContext, name: str) -> str:
    BODIES[name] += 1
    return name


AT_ONCE: Counter[str] = Counter()


@step(queue="q")
async def part(number: int) -> int:
    AT_ONCE["now"] += 1
    AT_ONCE["most"] = max(AT_ONCE["most"], AT_ONCE["now"])
    await asyncio.sleep(0.002 * (number % 3))
    AT_ONCE["now"] -= 1
    return number


@workflow("QParts")
async def parts(state: flows.Doc) -> int:
    found = await gather(*(part(number) for number in range(12)))
    await part(0)
    return len(found)


@step
async def beside() -> int:
    """What the drive does itself."""
    AT_ONCE["now"] += 1
    AT_ONCE["most"] = max(AT_ONCE["most"], AT_ONCE["now"])
    await asyncio.sleep(0.01)
    AT_ONCE["now"] -= 1
    return 1


@workflow("QBeside")
async def both(state: flows.Doc) -> int:
    found = await gather(part(1), beside(), part(2))
    return len(found)


@workflow("QChain")
async def chain(state: flows.Doc) -> str:
    await link("a")
    await link("b")
    return await link("c")


class Counting(MemoryPersistenceProvider):
    """Counts what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()
        self.failing = 0
        """The number of the commit that fails, once."""

    async def commit(self, transition: Transition, /) -> None:
        """As always."""
        self.asked["commits"] += 1
        if self.asked["commits"] == self.failing:
            raise PersistenceError("the disk is away for a moment")
        await super().commit(transition)

    async def claim_tasks(self, worker_id: str, /, **options: Any) -> Sequence[TaskRecord]:
        """As always."""
        found = await super().claim_tasks(worker_id, **options)
        self.asked["claimed"] += len(found)
        return found

    async def report_tasks(self, reports: Sequence[TaskReport], /) -> Sequence[bool | PersistenceError]:
        """As always."""
        self.asked["reports"] += sum(report.entry is not None for report in reports)
        return await super().report_tasks(reports)

    async def hold(self, *arguments: Any, **options: Any) -> Any:
        """As always."""
        self.asked["holds"] += 1
        return await super().hold(*arguments, **options)


def chained(store: MemoryPersistenceProvider) -> WorkflowBuilder:
    """A builder with the chain."""
    BODIES.clear()
    builder = WorkflowBuilder(
        persistence_provider=store,
        execution_provider=QueuedExecutionProvider(),
        plugins=False,
        import_roots=["tests"],
    )
    builder.register(chain, parts, both)
    return builder


def test_a_chain_of_queued_steps_is_one_claim_and_one_commit_for_each_step() -> None:
    """The worker that drives it keeps it, begins each next step itself and writes no report."""

    async def scenario() -> None:
        store = Counting()
        builder = chained(store)
        async with working(builder):
            workflow = await builder.create_workflow("QChain", {}, background=True)
            await until(workflow)
            while await store.find_tasks(TaskFilter()):  # noqa: ASYNC110 - the worker reports behind the end
                await asyncio.sleep(0.005)
        assert workflow.result == "c"
        assert store.asked == {"commits": 5, "claimed": 1, "holds": 1}  # the creation, its beginning, and three steps
        assert BODIES == {"a": 1, "b": 1, "c": 1}

    asyncio.run(scenario())


def test_a_result_whose_commit_failed_is_not_lost_and_its_body_is_not_run_again() -> None:
    """The drive is thrown away with what was handed over to it; the slot that did so drives in its place."""

    async def scenario() -> None:
        store = Counting()
        builder = chained(store)
        store.failing = 4  # behind the creation, its beginning, and the first step
        async with working(builder, poll=timedelta(milliseconds=20)):
            workflow = await builder.create_workflow("QChain", {}, background=True)
            await until(workflow)
        assert workflow.status is WorkflowStatus.COMPLETED
        assert store.asked["holds"] == 2
        assert BODIES == {"a": 1, "b": 1, "c": 1}

    asyncio.run(scenario())


@pytest.mark.parametrize("concurrency", [1, 3])
def test_slots_that_are_lent_let_no_more_bodies_run_at_a_time(concurrency: int) -> None:
    """`concurrency` counts bodies, whatever waits for a commit beside them."""

    async def scenario() -> None:
        builder = chained(MemoryPersistenceProvider())
        AT_ONCE.clear()
        made = [await builder.create_workflow("QParts", {}, background=True) for _ in range(6)]
        async with working(builder, concurrency=concurrency):
            for workflow in made:
                await until(workflow)
        assert [workflow.result for workflow in made] == [12] * 6

    asyncio.run(scenario())
    assert (AT_ONCE["now"], AT_ONCE["most"]) == (0, concurrency)


def test_a_drive_that_runs_a_body_itself_gives_its_slot_to_no_other() -> None:
    """With one slot, a branch that is queued begins when the branch that runs in the drive has ended."""

    async def scenario() -> None:
        builder = chained(MemoryPersistenceProvider())
        AT_ONCE.clear()
        made = [await builder.create_workflow("QBeside", {}, background=True) for _ in range(3)]
        async with working(builder, concurrency=1):
            for workflow in made:
                await until(workflow)
        assert [workflow.result for workflow in made] == [3] * 3

    asyncio.run(scenario())
    assert (AT_ONCE["now"], AT_ONCE["most"]) == (0, 1)


def test_chains_that_fill_a_worker_go_on_without_a_look_into_the_queue() -> None:
    """Each goes on in its own slot, whatever the others do: one claim and one hold for each of them."""

    async def scenario() -> None:
        store = Counting()
        builder = chained(store)
        made = [await builder.create_workflow("QChain", {}, background=True) for _ in range(30)]
        async with working(builder, concurrency=6):
            for workflow in made:
                await until(workflow)
        assert store.asked["claimed"] == store.asked["holds"] == 30

    asyncio.run(scenario())
    assert BODIES == {"a": 30, "b": 30, "c": 30}


def test_a_result_that_nobody_takes_is_driven_on_when_the_holder_has_gone_meanwhile(queued: Make) -> None:
    """The worker finds the instance held, tells the store, and looks once more: it does not wait for a lease."""

    class Parting(Counting):
        """Whoever holds the instance lets it go a moment before the worker tells the store."""

        held: Any = None

        async def report_tasks(self, reports: Sequence[TaskReport], /) -> Sequence[bool | PersistenceError]:
            """As always."""
            held, self.held = self.held, None
            if held is not None:
                await held.release()
            return await super().report_tasks(reports)

    async def scenario() -> None:
        store = Parting()
        builder = queued(persistence_provider=store)
        async with working(builder, lease=timedelta(hours=1)):
            workflow = await builder.create_workflow("QHold", {}, background=True)
            await until(workflow, there=lambda: bool(flows.SEEN))
            while store.held is None:
                try:
                    store.held = await store.hold(UUID(workflow.id))
                except WorkflowBusyError:
                    await asyncio.sleep(0.005)
            flows.gate("a").set()
            await until(workflow)
        assert workflow.status is WorkflowStatus.COMPLETED
        assert store.asked["reports"] == 1

    asyncio.run(scenario())


def test_a_queue_with_limits_is_left_to_the_store() -> None:
    """Each of its tasks is claimed there, where the limit is kept."""

    async def scenario() -> None:
        store = Counting()
        builder = chained(store)
        await builder.initialize()
        await store.put_limits(QueueLimits(queue="q", concurrency=1))
        async with working(builder):
            workflow = await builder.create_workflow("QChain", {}, background=True)
            await until(workflow)
        assert store.asked["claimed"] == 4

    asyncio.run(scenario())


def test_what_was_claimed_and_not_begun_is_given_back_when_the_worker_ends() -> None:
    """The worker is told to stop while the commit that queues the next step is on its way: anybody has that step at once."""

    class Stopping(Counting):
        """A commit that brings the step `b` stops the worker before it is durable."""

        worker: Worker | None = None

        async def commit(self, transition: Transition, /) -> None:
            """As always."""
            if self.worker is not None and self.asked["commits"] == 2 and transition.tasks:
                self.worker.stop()
            await super().commit(transition)

    async def scenario() -> None:
        store = Stopping()
        builder = chained(store)
        async with working(builder, lease=timedelta(hours=1)) as store.worker:
            workflow = await builder.create_workflow("QChain", {}, background=True)
            await until(workflow, there=lambda: store.asked["commits"] == 3)
        assert BODIES == {"a": 1}
        (step,) = await store.find_tasks(TaskFilter(queue="q"))
        assert (step.status, step.worker_id, step.crashes, step.lease_epoch) == (TaskStatus.PENDING, None, 0, 1)
        async with working(builder):
            await until(workflow)
        assert BODIES == {"a": 1, "b": 1, "c": 1}

    asyncio.run(scenario())


# --- whose turn it is -------------------------------------------------------------------------------------------------


def hosting(*, taken: int = 0, concurrency: int = 4, queues: tuple[str, ...] = ()) -> Hosting:
    """That of a worker with so many slots taken, which has looked for limits and found none."""
    made = Hosting(
        "w", queues=queues, concurrency=concurrency, lease_us=LEASE_US, clock=SystemClock(),
        taken=lambda: taken, begin=lambda _: None, wake=lambda: None,
    )  # fmt: skip
    asyncio.run(made.look(MemoryPersistenceProvider()))
    return made


def fresh(name: str = "t", **options: Any) -> TaskRecord:
    """A new task of a step."""
    return TaskRecord(name, RUN, TaskKind.STEP, "s", **{"queue": "q", **options})


def adopted(made: Hosting, *tasks: TaskRecord, streak: int = 0, is_spare: bool = True) -> list[str]:
    """The ids of those that the worker claims."""
    made.adopt(tasks, streak, is_spare=is_spare)
    return [task.task_id for task in tasks if task.status == TaskStatus.CLAIMED]


def test_a_drive_gets_its_own_slot_for_its_next_task_and_those_that_are_free() -> None:
    """Of a wide fan-out the rest waits in the queue, for anybody."""
    names = [fresh(f"t{number}") for number in range(6)]
    assert adopted(hosting(taken=4), *names) == ["t0"]
    assert adopted(hosting(taken=2), *(fresh(f"t{number}") for number in range(6))) == ["t0", "t1", "t2"]


@pytest.mark.parametrize(
    "task",
    [
        TaskRecord("t", RUN, TaskKind.WAKE, "", queue="q"),
        fresh(attempt=2),
        fresh(available_us=2**62),
        fresh(queue="elsewhere"),
    ],
    ids=["wake", "again", "later", "another queue"],
)
def test_only_new_steps_of_its_queues_that_are_due_are_claimed_so(task: TaskRecord) -> None:
    """Everything else goes through the queue."""
    assert adopted(hosting(queues=("q",)), task) == []


def test_while_others_wait_the_urgent_go_first_and_nobody_goes_on_for_ever() -> None:
    """A backlog of a higher priority has the slot; after many commits in a row, any backlog has."""
    made = hosting()
    made.claimed([fresh("x", priority=5)], 1)
    assert made.has_backlog
    assert adopted(made, fresh(priority=4)) == []
    assert adopted(made, fresh(priority=5)) == ["t"]
    assert adopted(made, fresh(priority=5), streak=16) == []
    made.claimed([], 1)
    assert adopted(made, fresh(), streak=16) == ["t"]


def test_nothing_is_claimed_behind_the_end() -> None:
    """A worker that was told to stop takes no new task, also where its last look for limits comes late."""
    made = hosting()
    made.shut()
    asyncio.run(made.look(MemoryPersistenceProvider()))
    assert adopted(made, fresh()) == []
