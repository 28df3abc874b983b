"""Group commit on PostgreSQL: each transition of a batch stands alone."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from ruvon.implementations.persistence.postgres import PostgresPersistenceProvider, _apply
from ruvon.providers import (
    DuplicateIdempotencyKeyError,
    InstanceRecord,
    OutboxRecord,
    PersistenceError,
    StaleWorkflowError,
    TaskKind,
    TaskRecord,
    Transition,
    WorkflowNotFoundError,
)
from ruvon.testing.contracts._records import create, creation, instance, message, step
from tests.support.postgres import database, emptied, needs_postgres, query, store

pytestmark = needs_postgres

Scenario = Callable[[PostgresPersistenceProvider], Awaitable[None]]


@pytest.fixture
def on_store() -> Callable[[Scenario], None]:
    """Run a scenario on empty tables."""
    emptied()

    def run(scenario: Scenario) -> None:
        async def whole() -> None:
            opened = store()
            await opened.initialize()
            try:
                await scenario(opened)
            finally:
                await opened.close()

        asyncio.run(whole())

    return run


async def at_once(opened: PostgresPersistenceProvider, transitions: list[Transition]) -> list[BaseException | None]:
    """Commit all of them in one batch; the answer of each."""
    return await asyncio.gather(*(opened.commit(item) for item in transitions), return_exceptions=True)


def bad_note(record: InstanceRecord) -> Transition:
    """A row that the server refuses."""
    made = step(record, 1)
    made.entries[0].note = "a \x00 b"
    return made


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
    task = TaskRecord(f"task-{uuid4()}", record.workflow_id, TaskKind.STEP, "s")
    event = OutboxRecord("bad", b"{}", 1)
    children = (instance(), instance(idempotency_key="taken"))
    return step(record, 1, created=children, tasks=(task,), outbox=(event,), sent=(message(record, "self"),))


def too_large(record: InstanceRecord) -> Transition:
    """A number that no column holds."""
    return step(record, 1, due_us=2**80)


def bad_message(record: InstanceRecord) -> Transition:
    """A message whose key the server refuses."""
    return step(record, 1, sent=(message(record, "x", key="\x00"),))


POISONS = {
    "a bad row": (bad_note, PersistenceError),
    "a stale guard": (stale, StaleWorkflowError),
    "an unknown instance": (unknown, WorkflowNotFoundError),
    "a key that is taken": (taken_key, DuplicateIdempotencyKeyError),
    "a refused child": (second_child_refused, DuplicateIdempotencyKeyError),
    "a number too large": (too_large, PersistenceError),
    "a bad message": (bad_message, PersistenceError),
}


@pytest.mark.parametrize("rich", [False, True], ids=["lean neighbours", "rich neighbours"])
@pytest.mark.parametrize("name", POISONS)
def test_a_poisoned_transition_harms_nobody(on_store: Callable[[Scenario], None], name: str, rich: bool) -> None:
    """Its neighbours in the batch are stored completely; of it there is nothing, and its answer is its own."""
    poison, error = POISONS[name]

    async def scenario(opened: PostgresPersistenceProvider) -> None:
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
        assert (await opened.load_instance(victim.workflow_id)).revision == 0
        assert list(await opened.read_log(victim.workflow_id)) == []
        assert list(await opened.read_inbox(victim.workflow_id)) == []
        assert [event.topic for event in await opened.read_outbox(limit=99)] == (["good"] * 6 if rich else [])
        assert (await opened.stats())["rows"]["workflows"] == 8
        assert (await opened.stats())["rows"]["tasks"] == 0
        assert await opened.check() == []

    on_store(scenario)


def test_all_poisons_in_one_batch(on_store: Callable[[Scenario], None]) -> None:
    """Each gets its own answer, and a hundred good ones are stored."""

    async def scenario(opened: PostgresPersistenceProvider) -> None:
        await create(opened, idempotency_key="taken")
        records = [await create(opened) for _ in range(100)]
        victims = [await create(opened) for _ in POISONS]
        bad = [poison(victim) for (poison, _), victim in zip(POISONS.values(), victims, strict=True)]
        answers = await at_once(opened, [*bad, *(step(record, 1) for record in records)])
        for answer, (_, error) in zip(answers, POISONS.values(), strict=False):
            assert isinstance(answer, error)
        assert answers[len(bad) :] == [None] * 100

    on_store(scenario)


def test_what_a_refused_neighbour_would_have_taken_is_free(on_store: Callable[[Scenario], None]) -> None:
    """Two new instances want one key, and the first is refused for another reason: the second is created."""

    async def scenario(opened: PostgresPersistenceProvider) -> None:
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


def test_steps_of_many_instances_are_one_statement(
    on_store: Callable[[Scenario], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever waits is written together; two transitions of one instance keep their order in two batches."""
    sizes: list[int] = []
    inner = _apply._advance

    async def counted(connection: Any, batch: Any, target: Any) -> Any:
        sizes.append(len(batch))
        return await inner(connection, batch, target)

    async def scenario(opened: PostgresPersistenceProvider) -> None:
        records = [await create(opened) for _ in range(30)]
        monkeypatch.setattr(_apply, "_advance", counted)
        steps = [step(record, number) for number in (1, 2) for record in records]
        assert await at_once(opened, steps) == [None] * 60
        assert sizes == [30, 30]
        records = [await create(opened) for _ in range(40)]
        sizes.clear()
        assert await at_once(opened, [step(record, 1) for record in records]) == [None] * 40
        assert sizes == [20, 20], "many that wait at once share two lanes"

    on_store(scenario)


ODD_TEXTS = ["", "NULL", 'say "so"', "a,b", "{a}", "back\\slash", '\\"', " kept ", "two\nlines", "Grüße 🎈"]


def test_texts_are_stored_as_they_are(on_store: Callable[[Scenario], None]) -> None:
    """Whatever the texts of a batch have in them, beside others and beside none."""

    async def scenario(opened: PostgresPersistenceProvider) -> None:
        records = [await create(opened) for _ in range(len(ODD_TEXTS) + 1)]
        steps = [step(record, 1) for record in records]
        for made, text in zip(steps, ODD_TEXTS, strict=False):
            made.current_step = made.entries[0].node = made.entries[0].activation = made.entries[0].note = text
        steps[-1].current_step = None
        assert await at_once(opened, steps) == [None] * len(steps)
        for record, text in zip(records, ODD_TEXTS, strict=False):
            (entry,) = await opened.read_log(record.workflow_id)
            assert (entry.node, entry.activation, entry.note) == (text, text, text)
            assert (await opened.load_instance(record.workflow_id)).current_step == text
        assert (await opened.load_instance(records[-1].workflow_id)).current_step is None

    on_store(scenario)


def test_steps_ends_and_creations_of_one_moment_each_stand_alone(on_store: Callable[[Scenario], None]) -> None:
    """A step, an end with its full state, a consumed message and event, a new instance, and one that is stale."""

    async def scenario(opened: PostgresPersistenceProvider) -> None:
        plain, ended, stale = [await create(opened) for _ in range(3)]
        await opened.append_inbox(message(ended, "m"))
        (waiting,) = await opened.read_inbox(ended.workflow_id)
        end = replace(
            step(ended, 1),
            snapshot=b'{"":{"cents":7}}',
            consumed=(waiting.seq,),
            outbox=(OutboxRecord("topic", b"{}", 5),),
        )
        late = replace(step(stale, 1), expected=7, snapshot=b'{"":{"cents":9}}')
        fresh = instance()
        answers = await at_once(opened, [step(plain, 1), end, creation(fresh), late])
        assert answers[:3] == [None, None, None]
        assert isinstance(answers[3], StaleWorkflowError)
        assert (await opened.load_workflow(ended.workflow_id))["state"] == {"cents": 7}
        assert await opened.read_inbox(ended.workflow_id) == []
        assert (await opened.load_instance(ended.workflow_id)).snapshot_seq == 1
        assert (await opened.load_instance(stale.workflow_id)).snapshot_seq == 0
        assert (await opened.load_instance(fresh.workflow_id)).key == fresh.key
        url = database()
        assert len(await asyncio.to_thread(query, url, "SELECT workflow_id FROM workflow_outbox")) == 1

    on_store(scenario)


def test_questions_of_one_moment_are_one_statement(
    on_store: Callable[[Scenario], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows and messages are read together, and each asker gets its own."""
    asked: list[str] = []

    async def scenario(opened: PostgresPersistenceProvider) -> None:
        records = [await create(opened) for _ in range(20)]
        await opened.append_inbox(message(records[3], "m"))
        inner = asyncpg.Connection.fetch

        async def counted(connection: Any, statement: str, *values: object, **options: Any) -> Any:
            asked.append(statement)
            return await inner(connection, statement, *values, **options)

        monkeypatch.setattr(asyncpg.Connection, "fetch", counted)
        found = await asyncio.gather(*(opened.load_instance(record.workflow_id) for record in records))
        assert [item.workflow_id for item in found] == [record.workflow_id for record in records]
        inboxes = await asyncio.gather(*(opened.read_inbox(record.workflow_id) for record in records))
        assert [len(inbox) for inbox in inboxes] == [int(number == 3) for number in range(20)]
        assert len(asked) == 2
        with pytest.raises(WorkflowNotFoundError):
            await opened.load_instance(uuid4())

    on_store(scenario)


def test_a_text_that_the_server_cannot_keep_is_named(on_store: Callable[[Scenario], None]) -> None:
    """U+0000 in a text or in metadata; the value itself, in bytes, may have it."""

    async def scenario(opened: PostgresPersistenceProvider) -> None:
        for bad in (instance(owner_id="a\x00"), instance(metadata={"k": "\x00"})):
            with pytest.raises(PersistenceError, match=r"has the character U\+0000, which PostgreSQL cannot keep"):
                await opened.commit(creation(bad))
        await opened.commit(creation(instance(snapshot=b'{"":{"a":"\\u0000"}}')))

    on_store(scenario)


def test_a_loaded_row_shows_its_state(on_store: Callable[[Scenario], None]) -> None:
    """The documented dictionary of an engine-driven workflow has the fields as of the last snapshot."""

    async def scenario(opened: PostgresPersistenceProvider) -> None:
        record = await create(opened, snapshot=b'{"":{"cents":500},"other":1}')
        assert (await opened.load_workflow(record.workflow_id))["state"] == {"cents": 500}

    on_store(scenario)


def test_a_message_is_seen_in_the_order_of_its_number(on_store: Callable[[Scenario], None]) -> None:
    """While one sender has not committed, another one's message to the same workflow waits: a reader misses none."""

    async def scenario(opened: PostgresPersistenceProvider) -> None:
        target = await create(opened)
        sender = await create(opened)
        seen: list[int] = []

        async def read() -> None:
            last = 0
            while len(seen) < 60:
                for entry in await opened.read_inbox(target.workflow_id, after=last):
                    seen.append(entry.seq)
                    last = entry.seq
                await asyncio.sleep(0)

        async def send() -> None:
            for number in range(1, 31):
                await opened.commit(step(sender, number, sent=(message(target, "a"),)))

        async def append() -> None:
            for _ in range(30):
                await opened.append_inbox(message(target, "b"))

        await asyncio.wait_for(asyncio.gather(read(), send(), append()), 60)
        assert seen == sorted(seen)

    on_store(scenario)


def test_state_is_a_projection(on_store: Callable[[Scenario], None]) -> None:
    """The column `state` is JSONB to query; the snapshot is given back byte by byte, whatever JSONB would do to it."""
    text = b'{"":{"b":1.0,"a":"\\u0000x","big":123456789012345678901234567890}}'

    async def scenario(opened: PostgresPersistenceProvider) -> None:
        record = await create(opened, snapshot=b'{"":{"cents":500}}')
        await opened.commit(step(record, 1, snapshot=text))
        other = await create(opened, snapshot=b'{"":{"cents":500}}')
        assert (await opened.load_instance(record.workflow_id)).snapshot == text
        url = database()
        found = await asyncio.to_thread(query, url, "SELECT id FROM workflow_executions WHERE state->>'cents' = '500'")
        assert found == [(str(other.workflow_id),)]
        (kind,) = await asyncio.to_thread(
            query,
            url,
            "SELECT data_type FROM information_schema.columns WHERE column_name = 'state' AND table_schema = 'public'",
        )
        assert kind == ("jsonb",)

    on_store(scenario)
