"""What every store promises about the past of an instance: positions, snapshots, forgetting."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from ruvon.providers import DefinitionRecord, HistoryForgottenError, WorkflowNotFoundError
from ruvon.testing.contracts._records import create, step


async def walk(store: Any, steps: int, *, snapshots: tuple[int, ...] = (), saga: tuple[int, ...] = ()) -> Any:
    """An instance after so many steps, some of which wrote a snapshot or a saga entry."""
    record = await create(store)
    for number in range(1, steps + 1):
        made = step(record, number, snapshot=b"s%d" % number if number in snapshots else None)
        if number in saga:
            made.entries[0].saga = b"{}"
        await store.commit(made)
    return record


class HistoryContract:
    """The part of the suite about history."""

    def test_each_entry_keeps_the_position_after_it(self, on_store: Any) -> None:
        """What the last entry of a transition says, and nothing on the others."""

        async def scenario(store: Any) -> None:
            record = await create(store)
            made = step(record, 1)
            made.entries = [replace(made.entries[0]), replace(made.entries[0], seq=2, position=b"[1]")]
            made.last_seq = 2
            await store.commit(made)
            assert [entry.position for entry in await store.read_log(record.workflow_id)] == [b"", b"[1]"]

        on_store(scenario)

    def test_every_snapshot_is_kept(self, on_store: Any) -> None:
        """The newest one at or before an entry is given with its `seq`; loading gives the newest of all."""

        async def scenario(store: Any) -> None:
            record = await walk(store, 7, snapshots=(3, 6))
            key = record.workflow_id
            assert await store.read_snapshot(key, at=0) == (0, record.snapshot)
            assert await store.read_snapshot(key, at=2) == (0, record.snapshot)
            assert await store.read_snapshot(key, at=3) == (3, b"s3")
            assert await store.read_snapshot(key, at=5) == (3, b"s3")
            assert await store.read_snapshot(key, at=99) == (6, b"s6")
            found = await store.load_instance(key)
            assert (found.snapshot, found.snapshot_seq) == (b"s6", 6)

        on_store(scenario)

    def test_snapshots_of_nobody_are_not_found(self, on_store: Any) -> None:
        """An unknown workflow is a typed error."""

        async def scenario(store: Any) -> None:
            with pytest.raises(WorkflowNotFoundError):
                await store.read_snapshot(uuid4(), at=1)

        on_store(scenario)

    def test_old_history_is_forgotten_in_the_transition(self, on_store: Any) -> None:
        """Entries and snapshots before a number go; what came later is read as before, and saga entries stay."""

        async def scenario(store: Any) -> None:
            record = await walk(store, 8, snapshots=(2, 5, 8), saga=(1, 4))
            key = record.workflow_id
            await store.commit(step(record, 9, forget_before=5))
            assert [entry.seq for entry in await store.read_log(key)] == [1, 4, 5, 6, 7, 8, 9]
            assert [entry.seq for entry in await store.read_log(key, after=1)] == [4, 5, 6, 7, 8, 9]
            assert [entry.seq for entry in await store.read_log(key, after=6)] == [7, 8, 9]
            assert [entry.seq for entry in await store.read_log(key, saga=True)] == [1, 4]
            assert await store.read_snapshot(key, at=6) == (5, b"s5")
            with pytest.raises(HistoryForgottenError, match="forgotten"):
                await store.read_snapshot(key, at=4)
            await store.commit(step(record, 10, forget_before=8))
            assert [entry.seq for entry in await store.read_log(key)] == [1, 4, 8, 9, 10]
            assert await store.read_snapshot(key, at=10) == (8, b"s8")

        on_store(scenario)

    def test_what_loading_needs_is_never_forgotten(self, on_store: Any) -> None:
        """The newest snapshot, all entries after it and the newest entry stay, whatever is asked."""

        async def scenario(store: Any) -> None:
            record = await walk(store, 4, snapshots=(2,))
            key = record.workflow_id
            await store.commit(step(record, 5, forget_before=99))
            assert [entry.seq for entry in await store.read_log(key)] == [3, 4, 5]
            assert (await store.load_instance(key)).snapshot_seq == 2
            await store.commit(step(record, 6, snapshot=b"s6", forget_before=99))
            assert [entry.seq for entry in await store.read_log(key)] == [6]
            assert await store.read_snapshot(key, at=6) == (6, b"s6")
            await store.commit(step(record, 7))
            assert [entry.seq for entry in await store.read_log(key)] == [6, 7]

        on_store(scenario)

    def test_a_restart_forgets_every_snapshot(self, on_store: Any) -> None:
        """History begins anew: what was before cannot be read under the numbers of what comes."""

        async def scenario(store: Any) -> None:
            record = await walk(store, 4, snapshots=(1, 4))
            other = DefinitionRecord(bytes(32), "Order", "2.0.0", b"{}")
            made = step(record, 5, drop_log=True, digest=other.digest, definitions=(other,), snapshot=b"fresh")
            made.entries[0].seq = made.last_seq = 1
            await store.commit(made)
            assert await store.read_snapshot(record.workflow_id, at=4) == (1, b"fresh")
            with pytest.raises(HistoryForgottenError):
                await store.read_snapshot(record.workflow_id, at=0)

        on_store(scenario)
