"""What every store promises: one suite that each implementation runs."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from ruvon.providers import (
    DefinitionNotFoundError,
    DefinitionRecord,
    DuplicateIdempotencyKeyError,
    InstanceRecord,
    OutboxRecord,
    PersistenceError,
    StaleWorkflowError,
    TaskKind,
    TaskNotFoundError,
    TaskRecord,
    WorkflowBusyError,
    WorkflowNotFoundError,
)
from ruvon.testing.contracts._batches import BatchesContract
from ruvon.testing.contracts._history import HistoryContract
from ruvon.testing.contracts._leftovers import LeftoversContract
from ruvon.testing.contracts._limits import LimitsContract
from ruvon.testing.contracts._lookup import LookupContract
from ruvon.testing.contracts._planned import PlannedContract
from ruvon.testing.contracts._queue import QueueContract
from ruvon.testing.contracts._records import DEFINITION, DIGEST, create, creation, instance, message, step

__all__ = ["PersistenceContract"]


class PersistenceContract(
    BatchesContract, HistoryContract, LeftoversContract, LimitsContract, LookupContract, PlannedContract, QueueContract
):
    """What every store promises; a subclass named `Test...` runs it on a provider of its own.

    It needs one fixture, `store_factory`, in the class, its module or a conftest: a function without arguments that makes
    a provider, not yet initialised, over a place that is empty when the test begins. The suite initialises what it is
    given and closes it. Tests are ordinary functions, each with an event loop of its own.

    Example:
        >>> class TestMyStore(PersistenceContract):
        ...     @pytest.fixture
        ...     def store_factory(self, tmp_path):
        ...         return lambda: MyStore(tmp_path / "db")
    """

    @pytest.fixture
    def on_store(self, store_factory: Callable[[], Any]) -> Callable[[Callable[[Any], Awaitable[Any]]], Any]:
        """Runs a scenario on a fresh store, and closes the store."""

        def run(scenario: Callable[[Any], Awaitable[Any]]) -> Any:
            async def whole() -> Any:
                store = store_factory()
                await store.initialize()
                try:
                    return await scenario(store)
                finally:
                    await store.close()

            return asyncio.run(whole())

        return run

    async def created(self, store: Any, **fields: Any) -> InstanceRecord:
        """A created instance, as read back."""
        return await create(store, **fields)

    def test_initialize_and_close_are_harmless_twice(self, on_store: Any) -> None:
        """S2-003, S2-017."""

        async def scenario(store: Any) -> None:
            await store.initialize()
            await store.close()
            await store.initialize()

        assert on_store(scenario) is None

    def test_an_instance_is_read_back_as_written(self, on_store: Any) -> None:
        """Every field of the row, bytes untouched."""

        async def scenario(store: Any) -> None:
            record = instance(
                position=b'{"\xc3\xa9": [1, 2]}',
                snapshot=b'{"z": 1, "a": 2}',
                owner_id="o",
                org_id="g",
                data_region="eu",
                priority=3,
                idempotency_key="k",
                metadata={"m": [1, "x"]},
                parent_id=uuid4(),
                parent_activation="child",
                saga_enabled=True,
                scheduled_for_us=99,
            )
            await store.commit(creation(record))
            found = await store.load_instance(record.workflow_id)
            assert replace(found, key=0, transition_id=b"") == replace(record, key=0, transition_id=b"")

        on_store(scenario)

    def test_a_transition_changes_row_and_log_together(self, on_store: Any) -> None:
        """Law 3."""

        async def scenario(store: Any) -> None:
            record = await self.created(store)
            await store.commit(step(record, 1, waiting_for=b"[]", due_us=7, snapshot=b"{}", result=b"1", error=b"{}"))
            found = await store.load_instance(record.workflow_id)
            assert (found.revision, found.position, found.transition_id) == (1, b'["p1",0,0]', b"t1")
            assert (found.current_step, found.waiting_for, found.due_us) == ("s1", b"[]", 7)
            assert (found.snapshot, found.snapshot_seq, found.last_seq) == (b"{}", 1, 1)
            assert (found.result, found.error) == (b"1", b"{}")
            (entry,) = await store.read_log(record.workflow_id)
            assert (entry.seq, entry.node, entry.delta, entry.result) == (1, "s1", b"d", b"1")

        on_store(scenario)

    def test_a_stale_transition_writes_nothing(self, on_store: Any) -> None:
        """The revision is the fence: no log entry, no message, no task of it is written."""

        async def scenario(store: Any) -> None:
            record = await self.created(store)
            other = await self.created(store)
            await store.commit(step(record, 1))
            task = TaskRecord("t-stale", record.workflow_id, TaskKind.STEP, "s1")
            stale = step(record, 1, sent=(message(other, "x"),), tasks=(task,), transition_id=b"other")
            with pytest.raises(StaleWorkflowError):
                await store.commit(stale)
            assert len(await store.read_log(record.workflow_id)) == 1
            assert list(await store.read_inbox(other.workflow_id)) == []
            with pytest.raises(TaskNotFoundError):
                await store.get_task("t-stale")

        on_store(scenario)

    def test_concurrent_transitions_of_many_instances_all_arrive(self, on_store: Any) -> None:
        """Group commit: each stands alone, each instance's stay in order."""

        async def scenario(store: Any) -> None:
            records = [await self.created(store) for _ in range(8)]

            async def drive(record: InstanceRecord) -> None:
                for number in range(1, 6):
                    await store.commit(step(record, number))

            await asyncio.gather(*(drive(record) for record in records))
            for record in records:
                assert [entry.seq for entry in await store.read_log(record.workflow_id)] == [1, 2, 3, 4, 5]

        on_store(scenario)

    def test_the_log_is_read_after_a_number_by_saga_and_up_to_a_limit(self, on_store: Any) -> None:
        """What the engine asks of `read_log`."""

        async def scenario(store: Any) -> None:
            record = await self.created(store)
            for number in range(1, 6):
                made = step(record, number)
                if number % 2:
                    made.entries[0].saga = b"{}"
                await store.commit(made)
            key = record.workflow_id
            assert [entry.seq for entry in await store.read_log(key, after=2)] == [3, 4, 5]
            assert [entry.seq for entry in await store.read_log(key, after=1, saga=True)] == [3, 5]
            assert [entry.seq for entry in await store.read_log(key, after=1, limit=1)] == [2]

        on_store(scenario)

    def test_messages_come_in_order_once_and_are_consumed(self, on_store: Any) -> None:
        """Section 8.1."""

        async def scenario(store: Any) -> None:
            record = await self.created(store)
            assert await store.append_inbox(message(record, "one", dedup="d"))
            assert not await store.append_inbox(message(record, "again", dedup="d"))
            assert await store.append_inbox(message(record, "two", key="k"))
            first, second = await store.read_inbox(record.workflow_id)
            assert (first.payload, second.payload, second.key) == (b"one", b"two", "k")
            assert [entry.payload for entry in await store.read_inbox(record.workflow_id, after=first.seq)] == [b"two"]
            await store.commit(step(record, 1, consumed=(first.seq,)))
            assert [entry.payload for entry in await store.read_inbox(record.workflow_id)] == [b"two"]
            assert not await store.append_inbox(message(record, "late", dedup="d"))

        on_store(scenario)

    def test_a_message_to_nobody_is_refused(self, on_store: Any) -> None:
        """An unknown workflow is a typed error."""

        async def scenario(store: Any) -> None:
            with pytest.raises(WorkflowNotFoundError):
                await store.append_inbox(message(instance(), "x"))

        on_store(scenario)

    def test_a_transition_sends_creates_and_queues(self, on_store: Any) -> None:
        """Child rows, messages, tasks and outbox ride in one commit; an existing child is left alone."""

        async def scenario(store: Any) -> None:
            record = await self.created(store)
            other = await self.created(store)
            child = instance(parent_id=record.workflow_id)
            task = TaskRecord("task-1", record.workflow_id, TaskKind.STEP, "s1", available_us=0)
            made = step(
                record,
                1,
                created=(child,),
                sent=(message(other, "hello"),),
                tasks=(task,),
                outbox=(OutboxRecord("topic", b"{}", 1),),
                definitions=(DEFINITION,),
            )
            await store.commit(made)
            assert (await store.load_instance(child.workflow_id)).parent_id == record.workflow_id
            assert [entry.payload for entry in await store.read_inbox(other.workflow_id)] == [b"hello"]
            assert (await store.get_task("task-1")).workflow_id == record.workflow_id
            again = replace(child, status="FAILED")
            await store.commit(step(record, 2, created=(again,)))
            assert (await store.load_instance(child.workflow_id)).status == "ACTIVE"

        on_store(scenario)

    def test_a_hold_excludes_others_until_it_is_released(self, on_store: Any) -> None:
        """Section 8.1."""

        async def scenario(store: Any) -> None:
            record = await self.created(store)
            hold = await store.hold(record.workflow_id)
            with pytest.raises(WorkflowBusyError):
                await store.hold(record.workflow_id)
            await hold.release()
            await hold.release()
            again = await store.hold(record.workflow_id)
            assert again.token != hold.token
            await again.release()

        on_store(scenario)

    def test_a_hold_that_was_released_leaves_no_trace_of_its_drive(self, on_store: Any) -> None:
        """Section 8.2: crash loops are counted on take-over, so an orderly end must not look like a death."""

        async def scenario(store: Any) -> None:
            record = await self.created(store)
            hold = await store.hold(record.workflow_id)
            assert not hold.died
            hold.driving()
            await hold.release()
            again = await store.hold(record.workflow_id)
            assert not again.died
            await again.release()

        on_store(scenario)

    def test_a_duty_is_had_by_one_at_a_time(self, on_store: Any) -> None:
        """Such as delivering the outbox; duties of different names do not meet."""

        async def scenario(store: Any) -> None:
            duty = await store.take_duty("outbox")
            assert duty is not None
            assert await store.take_duty("outbox") is None
            other = await store.take_duty("another")
            assert other is not None
            await duty.release()
            await duty.release()
            again = await store.take_duty("outbox")
            assert again is not None
            await again.release()
            await other.release()

        on_store(scenario)

    def test_a_holder_hears_of_messages(self, on_store: Any) -> None:
        """Section 8.1: appending wakes the holder, of that instance and of no other one, and only while it listens."""

        async def scenario(store: Any) -> None:
            record, other = await self.created(store), await self.created(store)
            hold, beside = await store.hold(record.workflow_id), await store.hold(other.workflow_id)
            heard, heard_beside = asyncio.Event(), asyncio.Event()
            hold.listen(heard.set)
            beside.listen(heard_beside.set)
            await store.read_inbox(record.workflow_id)
            assert not heard.is_set()
            assert await store.append_inbox(message(record, "x"))
            await asyncio.wait_for(heard.wait(), 5)
            assert [entry.payload for entry in await store.read_inbox(record.workflow_id)] == [b"x"]
            hold.listen(None)
            heard.clear()
            heard_beside.clear()
            assert await store.append_inbox(message(record, "y"))
            assert await store.append_inbox(message(other, "z"))
            await asyncio.wait_for(heard_beside.wait(), 5)
            assert not heard.is_set()
            await hold.release()
            await beside.release()

        on_store(scenario)

    def test_a_refused_child_leaves_no_trace(self, on_store: Any) -> None:
        """A transition whose second child has a key that is taken writes nothing: no row, no log, no first child."""

        async def scenario(store: Any) -> None:
            await self.created(store, idempotency_key="k")
            record = await self.created(store)
            first, second = instance(), instance(idempotency_key="k")
            with pytest.raises(DuplicateIdempotencyKeyError):
                await store.commit(step(record, 1, created=(first, second)))
            with pytest.raises(WorkflowNotFoundError):
                await store.load_instance(first.workflow_id)
            assert (await store.load_instance(record.workflow_id)).revision == 0
            assert list(await store.read_log(record.workflow_id)) == []

        on_store(scenario)

    def test_an_instance_is_created_once(self, on_store: Any) -> None:
        """Creating what exists is refused, together with everything that was to be created beside it."""

        async def scenario(store: Any) -> None:
            record = await self.created(store)
            beside = instance()
            with pytest.raises(StaleWorkflowError):
                await store.commit(creation(beside, replace(record, status="FAILED")))
            with pytest.raises(WorkflowNotFoundError):
                await store.load_instance(beside.workflow_id)
            assert (await store.load_instance(record.workflow_id)).status == "ACTIVE"

        on_store(scenario)

    def test_an_idempotency_key_is_taken_once(self, on_store: Any) -> None:
        """S2-027: the first run is untouched."""

        async def scenario(store: Any) -> None:
            first = await self.created(store, idempotency_key="k")
            with pytest.raises(DuplicateIdempotencyKeyError):
                await store.commit(creation(instance(idempotency_key="k")))
            found = await store.find_by_idempotency_key("k")
            assert found is not None
            assert found.workflow_id == first.workflow_id
            assert await store.find_by_idempotency_key("other") is None

        on_store(scenario)

    def test_definitions_are_kept_by_digest(self, on_store: Any) -> None:
        """DESIGN 3: stored once per digest."""

        async def scenario(store: Any) -> None:
            await store.put_definition(DEFINITION)
            await store.put_definition(replace(DEFINITION, text=b"other"))
            assert (await store.get_definition(DIGEST)).text == b"{}"
            with pytest.raises(DefinitionNotFoundError):
                await store.get_definition(bytes(32))

        on_store(scenario)

    def test_unknown_instances_are_not_found(self, on_store: Any) -> None:
        """S2-006, S2-026: WorkflowNotFoundError, a ValueError too."""

        async def scenario(store: Any) -> None:
            with pytest.raises(WorkflowNotFoundError):
                await store.load_instance(uuid4())
            with pytest.raises(ValueError, match="no workflow"):
                await store.load_workflow(str(uuid4()))

        on_store(scenario)

    def test_a_dictionary_is_saved_and_loaded(self, on_store: Any) -> None:
        """S2-004, S2-005, S2-018: a dict comes back equal; ids are UUIDs or their text."""

        async def scenario(store: Any) -> None:
            key = uuid4()
            data = {"status": "ACTIVE", "state": {"a": [1, {"b": None}], "é": "x"}}
            await store.save_workflow(key, data)
            assert await store.load_workflow(str(key)) == data
            assert await store.load_workflow(key) == data

        on_store(scenario)

    def test_a_dictionary_has_any_id_and_is_deleted(self, on_store: Any) -> None:
        """An id of the caller's own need not be a UUID."""

        async def scenario(store: Any) -> None:
            await store.save_workflow("mine", {"status": "NEW"})
            assert await store.delete_workflow("mine")
            assert not await store.delete_workflow("mine")
            with pytest.raises(WorkflowNotFoundError):
                await store.load_workflow("mine")

        on_store(scenario)

    def test_lists_filter_and_page(self, on_store: Any) -> None:
        """S2-007 to S2-010: 25 rows give 20 and 5, newest first, without state."""

        async def scenario(store: Any) -> None:
            for number in range(25):
                kind = "Even" if number % 2 == 0 else "Odd"
                await self.created(store, workflow_type=kind, created_us=100 + number, status="ACTIVE")
            first = await store.list_workflows()
            rest = await store.list_workflows(offset=20)
            assert (len(first), len(rest)) == (20, 5)
            assert len({item["workflow_id"] for item in [*first, *rest]}) == 25
            assert "snapshot" not in first[0]
            assert "state" not in first[0]
            assert len(await store.list_workflows(workflow_type="Odd", limit=100)) == 12
            assert await store.list_workflows(status="FAILED") == []

        on_store(scenario)

    def test_lists_leave_out_what_ruvon_keeps_for_itself(self, on_store: Any) -> None:
        """A dictionary whose name begins with `ruvon.` is loaded by its name only."""

        async def scenario(store: Any) -> None:
            await store.save_workflow("ruvon.server.keys", {"keys": []})
            assert await store.load_workflow("ruvon.server.keys") == {"keys": []}
            assert await store.list_workflows() == []

        on_store(scenario)

    def test_text_logs_and_metrics_are_accepted(self, on_store: Any) -> None:
        """S2-011, S2-012, S2-013: both spellings of the level; an unknown level is refused."""

        async def scenario(store: Any) -> None:
            record = await self.created(store)
            await store.log_execution(record.workflow_id, "s", "WARNING", "careful", {"a": 1})
            await store.log_execution(str(record.workflow_id), log_level="ERROR", message="bad")
            with pytest.raises((ValueError, PersistenceError)):
                await store.log_execution(record.workflow_id, "s", "LOUD", "x")
            await store.record_metric(record.workflow_id, "s", "duration_ms", 1.5, {})

        assert on_store(scenario) is None

    def test_each_task_is_claimed_once(self, on_store: Any) -> None:
        """S2-014: concurrent claims give every task to one worker; nothing left gives None."""

        async def scenario(store: Any) -> None:
            record = await self.created(store)
            tasks = tuple(TaskRecord(f"t{n}", record.workflow_id, TaskKind.STEP, "s") for n in range(50))
            await store.commit(step(record, 1, tasks=tasks))

            async def work(name: str) -> list[str]:
                found: list[str] = []
                while (task := await store.claim_next_task(name)) is not None:
                    found.append(task["task_id"])
                return found

            one, two = await asyncio.gather(work("a"), work("b"))
            assert sorted([*one, *two]) == sorted(task.task_id for task in tasks)

        on_store(scenario)

    def test_tasks_are_released_and_finished(self, on_store: Any) -> None:
        """S4-030, S2-028: a released task is claimed again with a higher epoch; an unknown one is a typed error."""

        async def scenario(store: Any) -> None:
            record = await self.created(store)
            await store.commit(step(record, 1, tasks=(TaskRecord("t", record.workflow_id, TaskKind.STEP, "s"),)))
            first = await store.claim_next_task("a")
            assert await store.claim_next_task("b") is None
            await store.release_task("t")
            second = await store.claim_next_task("b")
            assert second["lease_epoch"] > first["lease_epoch"]
            await store.commit(step(record, 2, tasks_done=("t",)))
            with pytest.raises(TaskNotFoundError):
                await store.set_task_status("t", "done")

        on_store(scenario)

    def test_old_heartbeats_are_found(self, on_store: Any) -> None:
        """S2-015, S2-016: an upsert per workflow; only the old are returned."""

        async def scenario(store: Any) -> None:
            record = await self.created(store)
            await store.heartbeat_update(record.workflow_id, "w", "s1", {})
            await store.heartbeat_update(record.workflow_id, "w", "s2", {})
            assert await store.scan_stale_heartbeats(3600) == []
            found = await store.scan_stale_heartbeats(-1)
            assert [(item["workflow_id"], item["current_step"]) for item in found] == [(str(record.workflow_id), "s2")]

        on_store(scenario)

    def test_a_heartbeat_is_forgotten_by_its_own_worker(self, on_store: Any) -> None:
        """S2-015: not by one that has been replaced; by the one that writes it, and twice."""

        async def scenario(store: Any) -> None:
            record = await self.created(store)
            await store.heartbeat_update(record.workflow_id, "w", "s", {})
            await store.remove_heartbeat(record.workflow_id, "v")
            assert [item["worker_id"] for item in await store.scan_stale_heartbeats(-1)] == ["w"]
            await store.remove_heartbeat(record.workflow_id, "w")
            await store.remove_heartbeat(record.workflow_id, "w")
            assert await store.scan_stale_heartbeats(-1) == []

        on_store(scenario)

    def test_a_workflow_is_deleted_with_everything(self, on_store: Any) -> None:
        """S4-030: delete."""

        async def scenario(store: Any) -> None:
            record = await self.created(store)
            await store.commit(step(record, 1))
            assert await store.delete_workflow(record.workflow_id)
            assert not await store.delete_workflow(record.workflow_id)
            with pytest.raises(WorkflowNotFoundError):
                await store.load_instance(record.workflow_id)

        on_store(scenario)

    def test_a_restart_replaces_history_and_definition(self, on_store: Any) -> None:
        """Section 12.9."""

        async def scenario(store: Any) -> None:
            record = await self.created(store)
            await store.commit(step(record, 1))
            other = DefinitionRecord(bytes(32), "Order", "2.0.0", b"{}")
            made = step(
                record,
                2,
                drop_log=True,
                digest=other.digest,
                workflow_version="2.0.0",
                definitions=(other,),
                snapshot=b"{}",
            )
            made.entries[0].seq = made.last_seq = 1
            await store.commit(made)
            found = await store.load_instance(record.workflow_id)
            assert (found.digest, found.workflow_version) == (other.digest, "2.0.0")
            assert [entry.seq for entry in await store.read_log(record.workflow_id)] == [1]

        on_store(scenario)
