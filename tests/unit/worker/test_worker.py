"""What a worker does with a task, and what becomes of tasks that nobody wants, nobody takes, or everybody dies over."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.models import WorkflowStatus
from ruvon.providers import (
    InboxEntry,
    InboxKind,
    TaskFilter,
    TaskKind,
    TaskRecord,
    TaskReport,
    TaskStatus,
    Transition,
)
from ruvon.providers.egress import EgressAnswer, EgressRequest
from ruvon.worker import Worker
from tests.support import queued_flows as flows
from tests.support.engine_world import JumpingClock
from tests.support.workers import until, working

Make = Callable[..., WorkflowBuilder]
EVERYTHING = TaskFilter()


async def seen(what: object) -> None:
    """Until a body has told it."""
    for _ in range(2_000):
        if what in flows.SEEN:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{what} is not in {flows.SEEN}")


async def started(builder: WorkflowBuilder, name: str, **options: Any) -> Any:
    """A workflow that has come to its queued step."""
    workflow = await builder.create_workflow(name, {}, **options)
    await workflow.run()
    return workflow


def test_the_holder_waits_and_the_worker_goes_on(queued: Make) -> None:
    """`run` returns at the queued step as PENDING_ASYNC with one task; a worker brings it to its end (S4-007)."""

    async def scenario() -> None:
        builder = queued()
        workflow = await started(builder, "QHold")
        assert workflow.status is WorkflowStatus.PENDING_ASYNC
        (task,) = await builder.persistence.find_tasks(EVERYTHING)
        assert (task.queue, task.attempt, task.status) == ("q", 1, "pending")
        async with working(builder):
            flows.gate("a").set()
            await until(workflow)
        assert (workflow.status, workflow.result) == (WorkflowStatus.COMPLETED, "a")
        assert await builder.persistence.find_tasks(EVERYTHING) == []
        assert await builder.persistence.list_workers() == []

    asyncio.run(scenario())


def test_every_branch_is_a_task_of_its_own(queued: Make) -> None:
    """Forty branches, four slots: no more at a time, all of them once."""

    async def scenario() -> None:
        builder = queued()
        workflow = await started(builder, "QMany")
        assert len(await builder.persistence.find_tasks(EVERYTHING)) == 40
        async with working(builder, concurrency=4):
            await until(workflow)
        assert workflow.result == sum(range(40))

    asyncio.run(scenario())


def test_a_failed_attempt_is_another_task_with_what_the_one_before_told(queued: Make) -> None:
    """Retries by the step's policy; attempt, error, progress and key reach the next one; events ride with the result."""

    async def scenario() -> None:
        builder = queued()
        async with working(builder):
            workflow = await started(builder, "QCounting")
            await until(workflow)
        assert workflow.result == 3
        attempts, progress, errors, keys = zip(*flows.SEEN, strict=True)
        assert attempts == (1, 2, 3)
        assert progress == (None, {"done": 10}, {"done": 20})
        assert errors == (None, "ValueError: not yet 1", "ValueError: not yet 2")
        assert len(set(keys)) == 1
        assert [item["kind"] for item in await workflow.history()] == ["retry", "retry", "step", "end"]
        (event,) = await builder.persistence.read_outbox()
        assert (event.topic, orjson.loads(event.payload)) == ("counted", {"text": "3"})
        assert len(builder.persistence.execution_logs) == 3

    asyncio.run(scenario())


def test_a_step_that_finds_no_worker_in_time_fails(queued: Make) -> None:
    """`queue_timeout` limits the wait for a worker: the task is withdrawn, and the body never runs."""

    async def scenario() -> None:
        builder = queued()
        workflow = await started(builder, "QImpatient")
        await asyncio.sleep(0.06)
        await builder.engine().poke(UUID(workflow.id))
        await workflow.refresh()
        assert (workflow.status, workflow.result) == (WorkflowStatus.COMPLETED, "no worker")
        assert await builder.persistence.find_tasks(EVERYTHING) == []
        assert flows.SEEN == []

    asyncio.run(scenario())


def test_a_task_that_a_worker_has_is_not_withdrawn_for_waiting_too_long(queued: Make) -> None:
    """Who has found a worker may take as long as it takes."""

    async def scenario() -> None:
        builder = queued()
        store, engine = builder.persistence, builder.engine()
        workflow = await started(builder, "QImpatient")
        now = builder.clock.now_us()
        (task,) = await store.claim_tasks("w", lease_us=10_000_000, now_us=now)
        await asyncio.sleep(0.06)
        await engine.poke(UUID(workflow.id))
        await workflow.refresh()
        assert workflow.status is WorkflowStatus.PENDING_ASYNC
        assert (await store.get_task(task.task_id)).status == "claimed"

    asyncio.run(scenario())


def test_a_body_in_a_thread_that_takes_too_long_is_left_and_not_heard(queued: Make) -> None:
    """`timeout` counts from the start of the body; a thread cannot be stopped, so its late result is discarded."""

    async def scenario() -> None:
        builder = queued()
        async with working(builder):
            workflow = await started(builder, "QBlocks")
            await until(workflow)
        assert "did not end within" in str(workflow.result)

    asyncio.run(scenario())


def test_a_cancelled_workflow_withdraws_its_task(queued: Make) -> None:
    """At once, whether or not a worker would have come."""

    async def scenario() -> None:
        builder = queued()
        workflow = await started(builder, "QHold")
        await workflow.cancel("no more")
        assert workflow.status is WorkflowStatus.CANCELLED
        assert await builder.persistence.find_tasks(EVERYTHING) == []

    asyncio.run(scenario())


def test_a_worker_learns_that_nobody_waits_any_more(queued: Make) -> None:
    """With its next sign of life: the body is cancelled, nothing of it is heard, and a line of text says so."""

    async def scenario() -> None:
        builder = queued()
        async with working(builder, lease=timedelta(milliseconds=150)) as worker:
            workflow = await started(builder, "QHold")
            await seen("begin a")
            await workflow.cancel()
            assert workflow.status is WorkflowStatus.CANCELLED
            await until(workflow, there=lambda: not worker.running)
        assert flows.SEEN == ["begin a"]
        assert "dropped" in builder.persistence.execution_logs[-1]["message"]

    asyncio.run(scenario())


@pytest.mark.parametrize("beats", [False, True])
def test_a_worker_that_gets_its_own_task_again_does_it_once(queued: Make, *, beats: bool) -> None:
    """Stopped or cut off for longer than its lease: the body of before is ended, the new claim is kept alive."""

    async def scenario() -> None:
        builder = queued()
        store = builder.persistence
        lease = timedelta(milliseconds=900) if beats else timedelta(seconds=60)
        async with working(builder, lease=lease) as worker:
            workflow = await started(builder, "QHold")
            await seen("begin a")
            (before,) = worker.running
            flows.SEEN.clear()
            await store.reap_tasks(before.lease_us + 3_600_000_000)
            await seen("begin a")
            (running,) = worker.running
            assert running.lease_epoch == before.lease_epoch + 1
            if beats:
                (task,) = await store.find_tasks(EVERYTHING)
                await until(workflow, there=lambda: store._tasks[task.task_id].lease_us > running.lease_us)
            assert [item.lease_epoch for item in worker.running] == [running.lease_epoch]
            flows.gate("a").set()
            await until(workflow)
            await until(workflow, there=lambda: not worker.running)
        assert workflow.result == "a"
        assert flows.SEEN == ["begin a", "end a"]
        assert await store.find_tasks(EVERYTHING) == []
        assert [line["message"] for line in store.execution_logs if "dropped" in line["message"]] != []

    asyncio.run(scenario())


def test_the_loser_of_a_race_is_withdrawn(queued: Make) -> None:
    """The winner's report ends the race; the other task is gone with the same commit."""

    async def scenario() -> None:
        builder = queued()
        async with working(builder, lease=timedelta(milliseconds=150)):
            workflow = await started(builder, "QRace")
            await seen("begin slow")
            flows.gate("fast").set()
            await until(workflow)
            left = await builder.persistence.find_tasks(EVERYTHING)
            assert [task for task in left if task.kind is TaskKind.STEP] == []
        assert (workflow.result, workflow.state.notes) == ("fast", ["after"])
        assert "end slow" not in flows.SEEN

    asyncio.run(scenario())


def test_the_time_to_find_a_worker_counts_again_when_a_worker_died(queued: Make) -> None:
    """Its task is pending again, and nobody takes it: it fails with `TimedOut`, not never."""

    async def scenario() -> None:
        clock = JumpingClock()
        builder = queued(clock=clock)
        store, engine = builder.persistence, builder.engine()
        workflow = await started(builder, "QImpatient")
        (task,) = await store.claim_tasks("w", lease_us=10_000_000, now_us=clock.now_us())

        async def look() -> int | None:
            record = await store.load_instance(UUID(workflow.id))
            if record.due_us is not None:
                await clock.sleep_us(max(record.due_us - clock.now_us(), 0))
                await engine.poke(UUID(workflow.id))
            await workflow.refresh()
            return record.due_us

        assert await look() is not None
        assert workflow.status is WorkflowStatus.PENDING_ASYNC
        assert (await store.get_task(task.task_id)).status == "claimed"
        assert await look() is not None, "a worker has it, and may die"
        await store.reap_tasks(clock.now_us() + 10_000_000)
        assert await look() is not None
        assert workflow.status is WorkflowStatus.PENDING_ASYNC, "it has just begun to wait again"
        assert await look() is not None
        assert (workflow.status, workflow.result) == (WorkflowStatus.COMPLETED, "no worker")
        assert await store.find_tasks(EVERYTHING) == []
        assert flows.SEEN == []

    asyncio.run(scenario())


def test_a_worker_that_reaps_a_dead_letter_ends_its_workflow(queued: Make) -> None:
    """The last death of the budget is noticed by a worker: nobody else has to drive the instance."""

    async def scenario() -> None:
        builder = queued(crash_budget=1)
        workflow = await started(builder, "QHold")
        assert await builder.persistence.claim_tasks("dead", lease_us=0, now_us=builder.clock.now_us())
        async with working(builder):
            await until(workflow)
        assert workflow.status is WorkflowStatus.FAILED_WORKER_CRASH

    asyncio.run(scenario())


def test_a_worker_takes_all_that_a_dead_one_had_at_once(queued: Make) -> None:
    """More than fits into one transaction of the reaper."""

    async def scenario() -> None:
        builder = queued()
        store = builder.persistence
        tasks = tuple(TaskRecord(f"t{n}", uuid4(), TaskKind.WAKE, "", queue="q") for n in range(1_200))
        await store.commit(Transition(uuid4(), 0, -1, 0, b"", "ACTIVE", b"", None, 0, [], 0, tasks=tasks))
        assert len(await store.claim_tasks("dead", limit=2_000, lease_us=0, now_us=1)) == 1_200
        async with working(builder, queues=["other"], poll=timedelta(hours=1)):
            for _ in range(2_000):
                if not await store.find_tasks(TaskFilter(statuses=(TaskStatus.CLAIMED,))):
                    break
                await asyncio.sleep(0.005)
            assert await store.find_tasks(TaskFilter(statuses=(TaskStatus.CLAIMED,))) == []

    asyncio.run(scenario())


def test_a_report_that_joins_a_drive_about_to_end_waits_for_no_poll(queued: Make) -> None:
    """Whatever a slot reports is read by the drive that it joins: nobody looks again for an hour here."""

    async def scenario() -> None:
        builder = queued()
        async with working(builder, poll=timedelta(hours=1), concurrency=16, schedules=False):
            made = [await started(builder, "QMany") for _ in range(20)]
            for workflow in made:
                await until(workflow, seconds=60)
        assert {(item.status, item.result) for item in made} == {(WorkflowStatus.COMPLETED, sum(range(40)))}

    asyncio.run(scenario())


def test_a_step_that_kills_its_workers_fails_the_workflow_and_can_be_retried(queued: Make) -> None:
    """S3-033: FAILED_WORKER_CRASH after the crash budget, a dead letter to look at, and `retry` queues the step anew."""

    async def scenario() -> None:
        builder = queued(crash_budget=2)
        store, now = builder.persistence, builder.clock.now_us()
        workflow = await started(builder, "QHold")
        for lease in (1, 2):
            now = builder.clock.now_us()
            assert await store.claim_tasks(f"w{lease}", lease_us=0, now_us=now)
            (task,) = await store.reap_tasks(now, crash_budget=2)
        await builder.engine().poke(UUID(workflow.id))
        await workflow.refresh()
        assert (workflow.status, task.status) == (WorkflowStatus.FAILED_WORKER_CRASH, "dead")
        assert "2 times" in str(workflow.error)

        await workflow.retry()
        assert workflow.status is WorkflowStatus.PENDING_ASYNC
        flows.gate("a").set()
        async with working(builder):
            await until(workflow)
        assert workflow.result == "a"
        assert [item.status for item in await store.find_tasks(EVERYTHING)] == ["dead"]

    asyncio.run(scenario())


def test_the_result_of_another_wait_is_dropped_and_audited(queued: Make) -> None:
    """An entry for a task that the strand does not wait for changes nothing but the history."""

    async def scenario() -> None:
        builder = queued()
        workflow = await started(builder, "QHold")
        stray = InboxEntry(UUID(workflow.id), InboxKind.TASK_RESULT, "hold", b"{}", key="another")
        await builder.persistence.append_inbox(stray)
        await builder.engine().poke(UUID(workflow.id))
        await workflow.refresh()
        assert workflow.status is WorkflowStatus.PENDING_ASYNC
        assert [item["kind"] for item in await workflow.history()][-1] == "dropped"

    asyncio.run(scenario())


def test_directives_steer_from_a_worker(queued: Make) -> None:
    """A jump, then a pause, then the answer: the holder goes where the body says, with what the body changed."""

    async def scenario() -> None:
        builder = queued()
        async with working(builder):
            workflow = await started(builder, "QDirects")
            await until(workflow, there=lambda: workflow.status.is_waiting and workflow.state.n == 2)
            assert workflow.status is WorkflowStatus.WAITING_HUMAN
            await workflow.answer({})
            await until(workflow)
        assert (workflow.state.n, workflow.state.notes) == (2, ["behind"])

    asyncio.run(scenario())


def test_input_is_checked_by_the_holder_and_reaches_the_worker(queued: Make) -> None:
    """A queued step with an input model waits for it first."""

    async def scenario() -> None:
        builder = queued()
        async with working(builder):
            workflow = await started(builder, "QWants")
            assert workflow.status is WorkflowStatus.WAITING_HUMAN_INPUT
            await workflow.answer({"text": "hello"})
            await until(workflow)
        assert (workflow.result, workflow.state.notes) == ("hello", ["hello"])

    asyncio.run(scenario())


def test_a_body_knows_its_loop_and_the_step_before(queued: Make) -> None:
    """What the context offers is the same as at a holder."""

    async def scenario() -> None:
        builder = queued()
        async with working(builder):
            workflow = await started(builder, "QTurns")
            await until(workflow)
        assert workflow.result == ["0:x:None", "1:y:None"]

    asyncio.run(scenario())


def test_the_execution_context_travels_to_the_worker(queued: Make) -> None:
    """S2-033, S2-034: trace and actor of the run's metadata, workflow, step and attempt."""

    async def scenario() -> None:
        builder = queued()
        async with working(builder):
            workflow = await started(builder, "QAbout", metadata={"trace_id": "t-1", "actor_id": "ada"})
            await until(workflow)
        assert workflow.result == ["t-1", "ada", True, "about", 1]

    asyncio.run(scenario())


def test_a_worker_that_drains_gives_back_what_it_cannot_finish(queued: Make) -> None:
    """After the grace the body is cancelled and its task is pending again, with no crash counted."""

    async def scenario() -> None:
        builder = queued()
        async with working(builder, grace=timedelta(milliseconds=20)):
            workflow = await started(builder, "QHold")
            await seen("begin a")
        (task,) = await builder.persistence.find_tasks(EVERYTHING)
        assert (task.status, task.crashes) == ("pending", 0)
        flows.gate("a").set()
        async with working(builder):
            await until(workflow)
        assert workflow.result == "a"

    asyncio.run(scenario())


def test_a_worker_that_drains_finishes_what_it_can(queued: Make) -> None:
    """Nothing new is claimed, and what runs is reported."""

    async def scenario() -> None:
        builder = queued()
        worker = Worker(builder, grace=timedelta(seconds=10))
        serving = asyncio.create_task(worker.run())
        workflow = await started(builder, "QHold")
        await seen("begin a")
        worker.stop()
        other = await started(builder, "QHold")
        flows.gate("a").set()
        await serving
        await workflow.refresh()
        assert (workflow.result, other.status) == ("a", WorkflowStatus.PENDING_ASYNC)
        (left,) = await builder.persistence.find_tasks(EVERYTHING)
        assert left.status == "pending"

    asyncio.run(scenario())


def test_only_named_queues_are_served(queued: Make) -> None:
    """A worker of another queue leaves the task alone."""

    async def scenario() -> None:
        builder = queued()
        flows.gate("a").set()
        async with working(builder, queues=["other"]):
            workflow = await started(builder, "QHold")
            await asyncio.sleep(0.1)
            await workflow.refresh()
            assert workflow.status is WorkflowStatus.PENDING_ASYNC
        async with working(builder, queues=["q"]):
            await until(workflow)

    asyncio.run(scenario())


def test_the_health_file_lives_as_long_as_the_worker(queued: Make, tmp_path: Any) -> None:
    """Rewritten with each sign of life, deleted at the end."""
    path = tmp_path / "health.json"

    async def scenario() -> None:
        builder = queued()
        async with working(builder, health_file=path) as worker:
            await asyncio.sleep(0.05)
            assert orjson.loads(path.read_bytes())["worker_id"] == worker.worker_id
            (told,) = await builder.persistence.list_workers()
            assert (told.worker_id, told.concurrency) == (worker.worker_id, 8)

    asyncio.run(scenario())
    assert not path.exists()


def test_a_drive_that_a_worker_died_over_is_taken_up(queued: Make) -> None:
    """The report turned the task into a wake: when its lease runs out, another worker drives the instance."""

    async def scenario() -> None:
        builder = queued()
        store = builder.persistence
        workflow = await started(builder, "QWants")
        await workflow.answer({"text": "hello"})
        now = builder.clock.now_us()
        (task,) = await store.claim_tasks("dying", lease_us=1_000, now_us=now)
        payload = orjson.dumps(
            {"verdict": {"kind": "done", "result": "hi", "writes": [{}, []], "saga": None}, "duration_us": 5}
        )
        entry = InboxEntry(UUID(workflow.id), InboxKind.TASK_RESULT, task.activation, payload, key=task.task_id)
        assert list(await store.report_tasks([TaskReport(task.task_id, 1, entry, drives=True)])) == [True]
        async with working(builder, lease=timedelta(milliseconds=90)):
            await until(workflow)
        assert workflow.result == "hi"
        assert await store.find_tasks(EVERYTHING) == []

    asyncio.run(scenario())


@pytest.mark.parametrize("damage", [b"{}", b"not json"])
def test_a_payload_that_cannot_be_read_is_put_off_and_stays(queued: Make, damage: bytes) -> None:
    """It is due again later, for a worker of another version; nothing is lost."""

    async def scenario() -> None:
        builder = queued()
        store: Any = builder.persistence
        workflow = await started(builder, "QHold")
        (task,) = await store.find_tasks(EVERYTHING)
        store._tasks[task.task_id].payload = damage
        async with working(builder):
            await until(workflow, there=lambda: store._tasks[task.task_id].lease_epoch == 1)
            await asyncio.sleep(0.05)
        (left,) = await store.find_tasks(EVERYTHING)
        assert left.status == "pending"
        assert left.available_us > builder.clock.now_us() + 20_000_000

    asyncio.run(scenario())


def test_observers_are_told_of_a_queued_step_when_its_result_is_recorded(queued: Make) -> None:
    """S2-050: nothing when the step is only dispatched; then the time that the worker measured."""

    class Recorder:
        def __init__(self) -> None:
            self.told: list[tuple[str, float | None]] = []

        async def on_step_executed(self, workflow_id: str, step_name: str, duration_ms: float | None) -> None:
            self.told.append((step_name, duration_ms))

    async def scenario() -> None:
        recorder = Recorder()
        builder = queued(observers=[recorder])
        workflow = await started(builder, "QHold")
        assert recorder.told == []
        async with working(builder):
            await seen("begin a")
            await asyncio.sleep(0.03)
            flows.gate("a").set()
            await until(workflow)
        ((name, duration),) = recorder.told
        assert name == "hold"
        assert duration is not None
        assert duration >= 25

    asyncio.run(scenario())


def test_secrets_never_lie_in_the_queue(queued: Make) -> None:
    """The expression travels, and the worker looks the value up."""

    async def scenario() -> None:
        builder = queued(secrets=lambda name: f"value of {name}")
        workflow = await started(builder, "QSecret")
        (task,) = await builder.persistence.find_tasks(EVERYTHING)
        assert b"value of" not in task.payload
        async with working(builder):
            await until(workflow)
        assert workflow.result == len("value of TOKEN")

    asyncio.run(scenario())


def test_a_request_is_sent_by_the_worker_with_its_own_secrets(queued: Make) -> None:
    """HTTP steps queue like all others: the fields are evaluated where the request is sent."""

    class Egress:
        def __init__(self) -> None:
            self.sent: list[EgressRequest] = []

        def is_online(self) -> bool:
            return True

        async def send(self, request: EgressRequest, /) -> EgressAnswer:
            self.sent.append(request)
            return EgressAnswer(status=200, headers={}, content=b"{}")

        async def close(self) -> None:
            """Nothing to close."""

    async def scenario() -> None:
        egress: Any = Egress()
        builder = queued(secrets=lambda name: f"value of {name}", egress=egress)
        workflow = await started(builder, "QHttp")
        (task,) = await builder.persistence.find_tasks(EVERYTHING)
        assert (b"value of" in task.payload, egress.sent) == (False, [])
        async with working(builder):
            await until(workflow)
        assert (workflow.error, workflow.result, len(egress.sent)) == (None, 200, 1)
        assert (egress.sent[0].url, egress.sent[0].headers["Authorization"]) == (
            "https://example.test/0",
            "value of TOKEN",
        )

    asyncio.run(scenario())
