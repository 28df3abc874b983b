"""What every store promises about looking for instances: filters, pages, counts, due ones, old ones."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from ruvon.models import TERMINAL_STATUSES
from ruvon.providers import (
    DefinitionRecord,
    InboxEntry,
    InboxKind,
    InstanceFilter,
    LogEntry,
    OutboxRecord,
    TaskKind,
    TaskNotFoundError,
    TaskRecord,
    WorkflowNotFoundError,
)
from ruvon.testing.contracts._records import DIGEST, create, creation, instance, step

PARENT = UUID("6f2c3a52-6a0e-4d7b-9a55-0d7f4a1c2b33")
OTHER_DIGEST = bytes(32)

FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "a b c d e f"),
    ({"statuses": ("FAILED",)}, "d"),
    ({"statuses": ("FAILED", "PAUSED", "FAILED")}, "b d"),
    ({"statuses": ("CANCELLED",)}, ""),
    ({"workflow_type": "Order"}, "a b d e f"),
    ({"workflow_type": "Order", "statuses": ("ACTIVE",)}, "a e f"),
    ({"workflow_type": "Nothing"}, ""),
    ({"workflow_version": "2.0.0"}, "b"),
    ({"digest": OTHER_DIGEST}, "b"),
    ({"owner_id": "ann"}, "a c d"),
    ({"owner_id": "ann", "workflow_type": "Order"}, "a d"),
    ({"owner_id": "ann", "statuses": ("FAILED",)}, "d"),
    ({"org_id": "acme"}, "c"),
    ({"parent_id": PARENT}, "e"),
    ({"parent_id": PARENT, "statuses": ("FAILED",)}, ""),
    ({"current_step": "pay"}, "c"),
    ({"created_after_us": 300}, "c d e f"),
    ({"created_before_us": 300}, "a b"),
    ({"created_after_us": 200, "created_before_us": 400}, "b c"),
    ({"updated_before_us": 303}, "a b"),
    ({"updated_before_us": 401, "statuses": ("ACTIVE",)}, "a c"),
    ({"updated_before_us": 450}, "a b c d"),
    ({"updated_before_us": 303, "created_before_us": 200}, "a"),
    ({"updated_before_us": 100}, ""),
    ({"metadata": {"tier": 1}}, "a"),
    ({"metadata": {"tier": 1.0}}, "b"),
    ({"metadata": {"tier": True}}, "c"),
    ({"metadata": {"tier": "1"}}, "d"),
    ({"metadata": {"tier": None}}, "e"),
    ({"metadata": {"where": {"city": "Köln", "zip": [1, "x"]}}}, "a"),
    ({"metadata": {"where": {"city": "Köln"}}}, ""),
    ({"metadata": {"tier": 1, "where": None}}, ""),
    ({"metadata": {"tier": 1}, "owner_id": "ann"}, "a"),
    ({"metadata": {"tier": "1"}, "statuses": ("FAILED",)}, "d"),
    ({"metadata": {"tier": "1"}, "statuses": ("ACTIVE",)}, ""),
    ({"metadata": {"tier": 1}, "current_step": "pay"}, ""),
    ({"current_step": "pay", "owner_id": "ann", "updated_before_us": 304}, "c"),
    ({"current_step": "pay", "parent_id": PARENT}, ""),
]


async def shop(store: Any) -> dict[str, str]:
    """Six instances that differ in everything; their letters by id."""
    rows = {
        "a": instance(owner_id="ann", metadata={"tier": 1, "where": {"city": "Köln", "zip": [1, "x"]}}, updated_us=1),
        "b": instance(
            status="PAUSED", digest=OTHER_DIGEST, workflow_version="2.0.0", metadata={"tier": 1.0}, updated_us=2
        ),
        "c": instance(
            workflow_type="Refund", owner_id="ann", org_id="acme", current_step="pay", metadata={"tier": True}
        ),
        "d": instance(status="FAILED", owner_id="ann", metadata={"tier": "1"}),
        "e": instance(parent_id=PARENT, metadata={"tier": None}),
        "f": instance(),
    }
    for number, (name, row) in enumerate(rows.items(), 1):
        row.created_us = number * 100 if name != "f" else 500  # the last two are of one moment
        row.updated_us = row.created_us + number
        other = DefinitionRecord(OTHER_DIGEST, "Order", "2.0.0", b"{}")
        await store.commit(replace(creation(row), definitions=(other,) if name == "b" else ()))
    return {str(row.workflow_id): name for name, row in rows.items()}


class LookupContract:
    """The part of the suite about many instances."""

    @pytest.mark.parametrize(("fields", "letters"), FILTERS, ids=[str(fields) for fields, _ in FILTERS])
    def test_instances_are_found_by_what_is_given(self, on_store: Any, fields: dict[str, Any], letters: str) -> None:
        """Everything given must fit; the newest come first; the count is that of the list."""

        async def scenario(store: Any) -> None:
            names = await shop(store)
            wanted = InstanceFilter(**fields)
            found = await store.find_instances(wanted)
            assert [names[item.workflow_id] for item in found] == letters.split()[::-1]
            assert await store.count_instances(wanted) == len(letters.split())

        on_store(scenario)

    def test_a_summary_says_what_a_list_shows(self, on_store: Any) -> None:
        """Every field of it is that of the row."""

        async def scenario(store: Any) -> None:
            row = await create(
                store, owner_id="o", org_id="g", parent_id=uuid4(), priority=4, due_us=9, current_step="s"
            )
            (found,) = await store.find_instances(InstanceFilter())
            assert found.workflow_id == str(row.workflow_id)
            assert found.parent_id == str(row.parent_id)
            for name in (
                "workflow_type", "workflow_version", "status", "current_step", "owner_id", "org_id", "priority",
                "created_us", "updated_us", "key", "digest", "due_us",
            ):  # fmt: skip
                assert getattr(found, name) == getattr(row, name), name

        on_store(scenario)

    @pytest.mark.parametrize("fields", [{}, {"workflow_type": "Order"}, {"owner_id": "me"}, {"digest": DIGEST}])
    def test_pages_go_on_behind_the_last_one_seen(self, on_store: Any, fields: dict[str, Any]) -> None:
        """Through all pages every instance comes once, in order, also where many are of one moment and new ones come."""

        async def scenario(store: Any) -> None:
            for number in range(20):
                status = ("ACTIVE", "PAUSED", "COMPLETED")[number % 3]
                await create(store, created_us=100 + number // 5, status=status, owner_id="me")
            wanted = InstanceFilter(**fields)
            whole = [item.key for item in await store.find_instances(wanted)]
            pages: list[int] = []
            after = None
            while page := await store.find_instances(wanted, limit=3, after=after):
                pages += [item.key for item in page]
                after = (page[-1].created_us, page[-1].key)
                await create(store, created_us=1000, owner_id="me")
            assert len(whole) == 20
            assert pages == whole

        on_store(scenario)

    def test_an_instance_is_found_where_it_stands_now(self, on_store: Any) -> None:
        """Status, step, due moment and moment of change are those of the newest transition."""

        async def scenario(store: Any) -> None:
            record = await create(store)
            await store.commit(step(record, 1, status="PAUSED", due_us=70))
            assert await store.count_instances(InstanceFilter(statuses=("ACTIVE",))) == 0
            (found,) = await store.find_instances(InstanceFilter(statuses=("PAUSED",), current_step="s1"))
            assert (found.due_us, found.updated_us) == (70, 11)

        on_store(scenario)

    def test_definitions_are_counted_by_their_instances(self, on_store: Any) -> None:
        """Live and ended ones, by type, version and digest; a definition without instances is left out."""

        async def scenario(store: Any) -> None:
            await store.put_definition(DefinitionRecord(b"\xff" * 32, "Unused", "1", b"{}"))
            for status in (*sorted(TERMINAL_STATUSES), "ACTIVE", "PAUSED"):
                await create(store, status=str(status))
            other = DefinitionRecord(OTHER_DIGEST, "Refund", "7", b"{}")
            row = instance(workflow_type="Refund", workflow_version="7", digest=OTHER_DIGEST)
            await store.commit(replace(creation(row), definitions=(other,)))
            order = (DIGEST, "Order", "1.0.0", 2, len(TERMINAL_STATUSES))
            refund = (OTHER_DIGEST, "Refund", "7", 1, 0)
            assert list(await store.count_by_definition()) == [order, refund]
            assert list(await store.count_by_definition("Refund")) == [refund]

        on_store(scenario)

    def test_definitions_are_listed_in_the_order_of_storing(self, on_store: Any) -> None:
        """Newest last, with the moment; one of a transition is stored at its moment, and storing again changes nothing."""

        async def scenario(store: Any) -> None:
            later = DefinitionRecord(b"\x01" * 32, "Order", "2", b"{}", stored_us=50)
            await store.put_definition(later)
            record = instance()
            first = DefinitionRecord(b"\x02" * 32, "Order", "1", b"{}")
            await store.commit(replace(creation(record), at_us=7, definitions=(first,)))
            await store.put_definition(DefinitionRecord(b"\x03" * 32, "Refund", "1", b"{}"))
            await store.put_definition(replace(first, stored_us=99))
            found = await store.list_definitions("Order")
            assert [(item.workflow_version, item.stored_us) for item in found] == [("1", 7), ("2", 50)]
            whole = await store.list_definitions()
            assert [item.workflow_type for item in whole] == ["Order", "Order", "Refund"]
            assert whole[-1].stored_us > 50

        on_store(scenario)

    def test_changes_are_read_in_order_of_their_moments(self, on_store: Any) -> None:
        """Each instance stands where its last change was: new ones, waiting ones without an entry, ended ones."""

        async def scenario(store: Any) -> None:
            first, second, third = [await create(store, created_us=100, updated_us=100) for _ in range(3)]
            await store.commit(step(second, 1, status="COMPLETED", at_us=300))
            await store.commit(step(first, 1, status="PAUSED", at_us=200, entries=[], last_seq=0))
            found = await store.changed_instances((0, 0))
            assert [item.workflow_id for item in found] == [str(row.workflow_id) for row in (third, first, second)]
            assert [(item.updated_us, item.status) for item in found] == [
                (100, "ACTIVE"), (200, "PAUSED"), (300, "COMPLETED"),
            ]  # fmt: skip

        on_store(scenario)

    def test_changes_are_read_on_behind_the_last_one_seen(self, on_store: Any) -> None:
        """Pages hold each once, in the order of moment and key, whether ended or not."""

        async def scenario(store: Any) -> None:
            rows = [
                await create(store, created_us=100, updated_us=100, status=status)
                for status in ("ACTIVE", "COMPLETED", "ACTIVE", "FAILED", "CANCELLED")
            ]
            seen: list[str] = []
            after = (0, 0)
            while page := await store.changed_instances(after, limit=2):
                assert len(page) <= 2
                seen += [item.workflow_id for item in page]
                after = (page[-1].updated_us, page[-1].key)
            assert seen == [str(row.workflow_id) for row in sorted(rows, key=lambda row: row.key)]
            await store.commit(step(rows[0], 1, at_us=400))
            assert [item.workflow_id for item in await store.changed_instances(after)] == [str(rows[0].workflow_id)]

        on_store(scenario)

    def test_old_ends_are_not_among_the_changes_since(self, on_store: Any) -> None:
        """Beyond many entries of the log only what changed after the moment is read."""

        async def scenario(store: Any) -> None:
            base = 10_000_000_000
            old, new = await create(store), await create(store)
            await store.commit(step(old, 1, status="COMPLETED", at_us=base))
            entries = [LogEntry(seq, "step", "s", "s", base + seq) for seq in range(1, 1_500)]
            await store.commit(step(new, 1, at_us=base + 2_000, entries=entries, last_seq=len(entries)))
            later = base + 1_000_000_000
            end = [LogEntry(len(entries) + 1, "end", "", "", later)]
            await store.commit(
                replace(step(new, 2, status="COMPLETED", at_us=later, entries=end), last_seq=len(entries) + 1)
            )
            found = await store.changed_instances((later - 1, 0))
            assert [item.workflow_id for item in found] == [str(new.workflow_id)]

        on_store(scenario)

    def test_instances_with_messages_are_found(self, on_store: Any) -> None:
        """Each with its newest message, ended ones included; not what failed and keeps its messages for a retry."""

        async def scenario(store: Any) -> None:
            first, second, silent, failed, ended = [await create(store) for _ in range(5)]
            for row in (first, second, first, failed, ended):
                await store.append_inbox(InboxEntry(row.workflow_id, InboxKind.SIGNAL, "m", b"1"))
            await store.commit(step(failed, 1, status="FAILED"))
            await store.commit(step(ended, 1, status="COMPLETED"))
            await store.append_inbox(InboxEntry(failed.workflow_id, InboxKind.SIGNAL, "m", b"1"))
            told = list(await store.unread_instances())
            assert [item[0] for item in told] == [second.workflow_id, first.workflow_id, ended.workflow_id]
            await store.commit(step(ended, 2, status="COMPLETED", consumed=(told[-1][1],)))
            found = list(await store.unread_instances())
            assert [item[0] for item in found] == [second.workflow_id, first.workflow_id]
            assert silent.workflow_id not in dict(found)
            assert list(await store.unread_instances(limit=1)) == found[:1]
            assert list(await store.unread_instances(after=found[0][1])) == found[1:]
            mail = [entry.seq for entry in await store.read_inbox(first.workflow_id)]
            await store.commit(step(first, 1, consumed=tuple(mail)))
            assert list(await store.unread_instances()) == found[:1]

        on_store(scenario)

    def test_due_instances_come_earliest_first(self, on_store: Any) -> None:
        """Those whose moment has come, up to a limit; a later transition moves or ends it."""

        async def scenario(store: Any) -> None:
            rows = {due: await create(store, due_us=due) for due in (30, 10, 20, 40)}
            await create(store)
            assert list(await store.due_instances(30)) == [rows[due].workflow_id for due in (10, 20, 30)]
            assert list(await store.due_instances(30, limit=1)) == [rows[10].workflow_id]
            await store.commit(step(rows[10], 1, due_us=None))
            await store.commit(step(rows[20], 1, due_us=99))
            assert list(await store.due_instances(30)) == [rows[30].workflow_id]

        on_store(scenario)

    def test_ended_instances_are_purged_with_all_that_is_theirs(self, on_store: Any) -> None:
        """Old and ended ones go, with log, snapshots, messages and tasks; the others stay."""

        async def scenario(store: Any) -> None:
            record = await create(store, idempotency_key="k")
            await store.append_inbox(InboxEntry(record.workflow_id, InboxKind.SIGNAL, "n", b"1", dedup="d"))
            task = TaskRecord("t", record.workflow_id, TaskKind.STEP, "s1")
            event = OutboxRecord("topic", b"{}", 1)
            await store.commit(step(record, 1, status="COMPLETED", snapshot=b"{}", tasks=(task,), outbox=(event,)))
            live = await create(store)
            late = await create(store, status="FAILED", updated_us=500)
            assert await store.purge_ended(11) == 0  # changed at 11, which is not before 11
            assert await store.purge_ended(400) == 1
            with pytest.raises(WorkflowNotFoundError):
                await store.load_instance(record.workflow_id)
            with pytest.raises(WorkflowNotFoundError):
                await store.read_snapshot(record.workflow_id, at=1)
            with pytest.raises(TaskNotFoundError):
                await store.get_task("t")
            assert list(await store.read_inbox(record.workflow_id)) == []
            assert await store.find_by_idempotency_key("k") is None
            assert len(await store.read_outbox()) == 1
            found = await store.find_instances(InstanceFilter())
            assert {item.key for item in found} == {live.key, late.key}

        on_store(scenario)

    def test_what_a_live_line_may_undo_is_not_purged(self, on_store: Any) -> None:
        """A child stays while its parent lives, and a grandchild too; when the line has ended, all go."""

        async def scenario(store: Any) -> None:
            root = await create(store)
            child = await create(store, status="COMPLETED", parent_id=root.workflow_id)
            await create(store, status="COMPLETED", parent_id=child.workflow_id)
            orphan = await create(store, status="COMPLETED", parent_id=uuid4())
            assert await store.purge_ended(100) == 1
            with pytest.raises(WorkflowNotFoundError):
                await store.load_instance(orphan.workflow_id)
            await store.commit(step(root, 1, status="COMPLETED"))
            assert await store.purge_ended(100) == 3

        on_store(scenario)

    def test_purging_goes_in_portions_and_by_type(self, on_store: Any) -> None:
        """At most `limit` in one call, and only of a type where one is given."""

        async def scenario(store: Any) -> None:
            for number in range(5):
                await create(store, status="CANCELLED", workflow_type="Even" if number % 2 == 0 else "Odd")
            assert await store.purge_ended(100, workflow_type="Even", limit=2) == 2
            assert await store.purge_ended(100, workflow_type="Even", limit=2) == 1
            assert await store.purge_ended(100, workflow_type="Even", limit=2) == 0
            assert await store.purge_ended(100) == 2

        on_store(scenario)
