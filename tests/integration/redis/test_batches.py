"""Group commit on Redis: each transition of a batch stands alone."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from ruvon.implementations.persistence.redis import RedisPersistenceProvider
from ruvon.providers import (
    DuplicateIdempotencyKeyError,
    InboxEntry,
    InstanceRecord,
    OutboxRecord,
    PersistenceError,
    ScheduleRecord,
    StaleWorkflowError,
    TaskKind,
    TaskRecord,
    Transition,
    WorkflowNotFoundError,
)
from ruvon.testing.contracts._records import create, creation, instance, message, step
from tests.support.redis import client, prefix


async def at_once(opened: RedisPersistenceProvider, transitions: list[Transition]) -> list[BaseException | None]:
    """Commit all of them in one batch; the answer of each."""
    return await asyncio.gather(*(opened.commit(item) for item in transitions), return_exceptions=True)


def bad_text(record: InstanceRecord) -> Transition:
    """A text that is no UTF-8."""
    made = step(record, 1)
    made.entries[0].note = "a \udc80 b"
    return made


def stale(record: InstanceRecord) -> Transition:
    """Computed from a revision that is not there."""
    return step(record, 7)


def unknown(record: InstanceRecord) -> Transition:
    """Of an instance that is not there."""
    return replace(step(record, 1), workflow_id=uuid4(), key=987_654_321)


def other_key(record: InstanceRecord) -> Transition:
    """With the number of another instance."""
    return replace(step(record, 1), key=1)


def taken_key(record: InstanceRecord) -> Transition:
    """A new instance with an idempotency key that is taken."""
    return creation(instance(idempotency_key="taken"))


def second_child_refused(record: InstanceRecord) -> Transition:
    """A step whose second child is refused, with everything else that a step can write."""
    task = TaskRecord(f"task-{uuid4()}", record.workflow_id, TaskKind.STEP, "s")
    event = OutboxRecord("bad", b"{}", 1)
    children = (instance(), instance(idempotency_key="taken"))
    return step(record, 1, created=children, tasks=(task,), outbox=(event,), sent=(message(record, "self"),))


def too_large(record: InstanceRecord) -> Transition:
    """A moment that no sorted set orders exactly."""
    return step(record, 1, due_us=2**80)


def log_out_of_order(record: InstanceRecord) -> Transition:
    """Entries whose numbers fall."""
    made = step(record, 1)
    return replace(made, entries=[replace(made.entries[0], seq=2), made.entries[0]])


def log_written_before(record: InstanceRecord) -> Transition:
    """An entry number that the stream refuses, beside other things to write."""
    made = step(record, 1, snapshot=b"bad", outbox=(OutboxRecord("bad", b"{}", 1),))
    return replace(made, entries=[replace(made.entries[0], seq=0)])


POISONS = {
    "a bad text": (bad_text, PersistenceError),
    "a stale guard": (stale, StaleWorkflowError),
    "an unknown instance": (unknown, WorkflowNotFoundError),
    "a number of another one": (other_key, WorkflowNotFoundError),
    "a key that is taken": (taken_key, DuplicateIdempotencyKeyError),
    "a refused child": (second_child_refused, DuplicateIdempotencyKeyError),
    "a number too large": (too_large, PersistenceError),
    "a log out of order": (log_out_of_order, PersistenceError),
    "a log entry that is refused": (log_written_before, PersistenceError),
}


@pytest.mark.parametrize("rich", [False, True], ids=["lean neighbours", "rich neighbours"])
@pytest.mark.parametrize("name", POISONS)
def test_a_poisoned_transition_harms_nobody(on_store: Any, name: str, rich: bool) -> None:
    """Its neighbours in the batch are stored completely; of it there is nothing, and its answer is its own."""
    poison, error = POISONS[name]

    async def scenario(opened: RedisPersistenceProvider) -> None:
        await create(opened, idempotency_key="taken")
        good = [await create(opened) for _ in range(6)]
        victim = await create(opened)
        more: dict[str, Any] = {"snapshot": b"{}", "outbox": (OutboxRecord("good", b"{}", 1),)} if rich else {}
        batch = [step(record, 1, **more) for record in good]
        batch.insert(3, poison(victim))
        answers = await at_once(opened, batch)

        assert isinstance(answers.pop(3), error)
        assert answers == [None] * 6
        for record in good:
            assert (await opened.load_instance(record.workflow_id)).revision == 1
            assert [entry.seq for entry in await opened.read_log(record.workflow_id)] == [1]
        found = await opened.load_instance(victim.workflow_id)
        assert (found.revision, found.snapshot) == (0, victim.snapshot)
        assert list(await opened.read_log(victim.workflow_id)) == []
        assert list(await opened.read_inbox(victim.workflow_id)) == []
        assert [event.topic for event in await opened.read_outbox(limit=99)] == (["good"] * 6 if rich else [])
        assert (await opened.stats())["rows"]["workflows"] == 8
        assert (await opened.stats())["rows"]["tasks"] == 0
        assert await opened.check() == []

    on_store(scenario)


def test_all_poisons_in_one_batch(on_store: Any) -> None:
    """Each gets its own answer, and a hundred good ones are stored."""

    async def scenario(opened: RedisPersistenceProvider) -> None:
        await create(opened, idempotency_key="taken")
        records = [await create(opened) for _ in range(100)]
        victims = [await create(opened) for _ in POISONS]
        bad = [poison(victim) for (poison, _), victim in zip(POISONS.values(), victims, strict=True)]
        answers = await at_once(opened, [*bad, *(step(record, 1) for record in records)])
        for answer, (_, error) in zip(answers, POISONS.values(), strict=False):
            assert isinstance(answer, error)
        assert answers[len(bad) :] == [None] * 100

    on_store(scenario)


def test_what_a_refused_neighbour_would_have_taken_is_free(on_store: Any) -> None:
    """Two new instances want one key, and the first is refused for another reason: the second is created."""

    async def scenario(opened: RedisPersistenceProvider) -> None:
        await create(opened, idempotency_key="taken")
        refused = creation(instance(idempotency_key="free"), instance(idempotency_key="taken"))
        wanted = instance(idempotency_key="free")
        first, second = await at_once(opened, [refused, creation(wanted)])
        assert isinstance(first, DuplicateIdempotencyKeyError)
        assert second is None
        found = await opened.find_by_idempotency_key("free")
        assert found is not None
        assert found.workflow_id == wanted.workflow_id

    on_store(scenario)


def test_whatever_waits_is_one_call(on_store: Any) -> None:
    """Steps of many instances, two of each, and messages: all in the batch after the one that is under way."""

    async def scenario(opened: RedisPersistenceProvider) -> None:
        records = [await create(opened) for _ in range(30)]
        before = opened._open_writer().batches
        steps = [step(record, number) for number in (1, 2) for record in records]
        messages = [opened.append_inbox(message(record, "m")) for record in records]
        await asyncio.gather(*(opened.commit(item) for item in steps), *messages)
        assert opened._open_writer().batches == before + 1
        for record in records:
            assert [entry.seq for entry in await opened.read_log(record.workflow_id)] == [1, 2]

    on_store(scenario)


def test_a_batch_of_large_operations_is_cut(on_store: Any) -> None:
    """The server does nothing else while a script runs, so what it is given at once has a limit."""

    async def scenario(opened: RedisPersistenceProvider) -> None:
        records = [await create(opened) for _ in range(4)]
        before = opened._open_writer().batches
        answers = await at_once(opened, [step(record, 1, snapshot=bytes(3 << 20)) for record in records])
        assert answers == [None] * 4
        assert opened._open_writer().batches == before + 4

    on_store(scenario)


def test_bytes_and_texts_come_back_as_they_were(on_store: Any) -> None:
    """Whatever JSON, Lua and the protocol might do to them: zero bytes, line ends, escapes, large numbers, all of UTF-8."""
    odd = bytes(range(256)) + b"\n\r\n\x00"
    text = 'a\x00b\n"\\u0041" é \U0001f600 {x}:*'

    async def scenario(opened: RedisPersistenceProvider) -> None:
        record = instance(
            snapshot=odd, position=odd, owner_id=text, idempotency_key=text, current_step=text, workflow_type=text,
            metadata={text: [2**53, 1.0, None, text]}, created_us=2**53 - 1, priority=-(2**40),
        )  # fmt: skip
        await opened.commit(creation(record))
        read = await opened.load_instance(record.workflow_id)
        assert replace(read, key=0) == replace(record, key=0)
        made = step(read, 1, snapshot=odd, result=odd, error=b"", waiting_for=odd, transition_id=odd, position=odd)
        made.entries[0].note, made.entries[0].delta, made.entries[0].saga = text, odd, odd
        await opened.commit(made)
        assert (await opened.read_log(record.workflow_id))[0] == made.entries[0]
        read = await opened.load_instance(record.workflow_id)
        assert (read.result, read.error, read.waiting_for, read.transition_id) == (odd, b"", odd, odd)
        sent = InboxEntry(record.workflow_id, message(record, "").kind, text, odd, text, text, 2**53)
        await opened.append_inbox(sent)
        assert await opened.read_inbox(record.workflow_id) == [sent]
        await opened.put_schedule(ScheduleRecord(text, text, text, data=odd, next_us=2**53))
        assert (await opened.get_schedule(text)).data == odd
        assert await opened.check() == []

    on_store(scenario)


def test_every_key_has_the_hash_tag_and_goes_with_its_workflow(on_store: Any) -> None:
    """One prefix for all; when everything is deleted, what stays belongs to no workflow."""

    async def scenario(opened: RedisPersistenceProvider) -> None:
        record = await create(opened, idempotency_key="k", metadata={"a": 1}, owner_id="o")
        task = TaskRecord("t", record.workflow_id, TaskKind.STEP, "s")
        await opened.append_inbox(message(record, "m", dedup="d"))
        await opened.commit(step(record, 1, snapshot=b"{}", tasks=(task,), due_us=9))
        await opened.log_execution(record.workflow_id, "s", "INFO", "x")
        await opened.record_metric(record.workflow_id, "s", "n", 1.0)
        await opened.heartbeat_update(record.workflow_id, "w")
        await opened.claim_next_task("w")
        await (await opened.hold(record.workflow_id)).release()
        await opened.save_workflow("mine", {"status": "NEW"})
        assert await opened.delete_workflow(record.workflow_id)
        assert await opened.delete_workflow("mine")

    on_store(scenario)
    with client() as asked:
        names = {key.decode() for key in asked.scan_iter(match=f"*{prefix()}*", count=1000)}
        rest = {name.removeprefix(f"{{{prefix()}}}:") for name in names}
        assert asked.xlen(f"{{{prefix()}}}:metrics") == 0
    assert all(name.startswith(f"{{{prefix()}}}:") for name in names)
    assert {name for name in rest if not name.startswith(("n:", "def:", "w:"))} <= {"meta", "defs", "queues", "metrics"}


def test_a_server_that_forgot_the_scripts_is_told_again(on_store: Any) -> None:
    """SCRIPT FLUSH, or a restart."""

    async def scenario(opened: RedisPersistenceProvider) -> None:
        record = await create(opened)
        with client() as asked:
            asked.script_flush()
        await opened.commit(step(record, 1))
        with client() as asked:
            asked.script_flush()
        assert (await opened.load_instance(record.workflow_id)).revision == 1

    on_store(scenario)


def test_registering_from_many_sides_keeps_every_word(on_store: Callable[..., None]) -> None:
    """Transitions that register one schedule at the same moment are each prepared over what the one before left."""

    async def scenario(opened: RedisPersistenceProvider) -> None:
        records = [await create(opened) for _ in range(12)]
        made = [
            step(record, 1, schedules=(ScheduleRecord("nightly", "Order", f"{number} 3 * * *"),))
            for number, record in enumerate(records)
        ]
        assert await at_once(opened, made) == [None] * 12
        assert (await opened.get_schedule("nightly")).revision == 12

    on_store(scenario)


def test_the_caller_whose_call_was_cancelled_leaves_a_whole_batch(on_store: Any) -> None:
    """What was queued is written; the connection answers the next call as ever."""

    async def scenario(opened: RedisPersistenceProvider) -> None:
        record = await create(opened)
        call = asyncio.ensure_future(opened.commit(step(record, 1)))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        reads = [asyncio.ensure_future(opened.load_instance(record.workflow_id)) for _ in range(5)]
        await asyncio.sleep(0)
        for read in reads:
            read.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
        await opened.commit(step(record, 2))
        assert (await opened.load_instance(record.workflow_id)).revision == 2

    on_store(scenario)
