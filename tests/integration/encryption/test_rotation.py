"""Rotation in every store: everything under the new key, from any key or none, at any moment, while it is used."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.encryption import Box, EncryptedPersistence, Rotation, RotationReport, survey
from ruvon.providers import PersistenceError
from ruvon.testing.contracts._records import create, message, step
from tests.support.encrypted import CANARY, FIRST, OTHER, SECOND, STORES, bare_store, fill, read_back, ring, seen

pytestmark = pytest.mark.parametrize("kind", STORES)


async def rotate(store: Any, *keys: str, **options: Any) -> RotationReport:
    """Rotate to the first of some keys."""
    return await Rotation(store, Box(ring(*keys)), **options).run()


def test_everything_is_under_the_new_key(kind: str, tmp_path: Path) -> None:
    """From plain to the first key to the second, with the same data at each moment; the old key is not needed any more."""

    async def scenario() -> None:
        plain = bare_store(kind, tmp_path)
        await plain.initialize()
        whose = await fill(plain)
        before = await read_back(plain, whose)
        first = await rotate(plain, FIRST, batch=3)
        assert (first.left, first.unreadable, first.passes) == (0, 0, 2)
        assert first.by_key == {"": first.to_change}
        await plain.compact_stored()
        if kind != "memory":  # a dictionary in memory is read without a store's help below
            assert CANARY not in seen(plain)
        assert await read_back(EncryptedPersistence(plain, ring(FIRST)), whose) == before
        second = await rotate(plain, SECOND, FIRST)
        assert second.left == second.unreadable == 0
        assert "k1" in second.by_key
        assert await read_back(EncryptedPersistence(plain, ring(SECOND)), whose) == before
        again = await rotate(plain, SECOND)
        assert (again.to_change, again.passes) == (0, 1)
        await plain.close()

    asyncio.run(scenario())


def test_everything_can_be_decrypted_again(kind: str, tmp_path: Path) -> None:
    """Before encryption is switched off everything is written in plain."""

    async def scenario() -> None:
        plain = bare_store(kind, tmp_path)
        await plain.initialize()
        store = EncryptedPersistence(plain, ring(FIRST))
        whose = await fill(store)
        before = await read_back(store, whose)
        report = await rotate(plain, FIRST, decrypt=True)
        assert (report.left, report.unreadable) == (0, 0)
        assert await read_back(plain, whose) == before
        await plain.close()

    asyncio.run(scenario())


def test_a_dry_run_counts_the_same_twice_and_changes_nothing(kind: str, tmp_path: Path) -> None:
    """Its figures are those of the rotation that follows."""

    async def scenario() -> None:
        plain = bare_store(kind, tmp_path)
        await plain.initialize()
        await fill(plain)
        await fill(EncryptedPersistence(plain, ring(FIRST)))
        before = seen(plain)
        once, twice = [await rotate(plain, SECOND, FIRST, dry_run=True) for _ in range(2)]
        assert once == twice
        assert seen(plain) == before
        done = await rotate(plain, SECOND, FIRST)
        assert (done.to_change, done.by_key) == (once.to_change, once.by_key)
        assert {name: count.rows for name, count in done.tables.items()} == {
            name: count.rows for name, count in once.tables.items()
        }
        await plain.close()

    asyncio.run(scenario())


def test_a_survey_finds_what_a_rotation_finds(kind: str, tmp_path: Path) -> None:
    """Under which keys things are can be seen without any; of a large table the oldest rows are looked at."""

    async def scenario() -> None:
        plain = bare_store(kind, tmp_path)
        await plain.initialize()
        await fill(plain)
        found = await survey(plain)
        assert (found.by_key, found.is_complete) == ({}, True)
        assert found.plain == (await rotate(plain, FIRST, dry_run=True)).by_key[""]
        await fill(EncryptedPersistence(plain, ring(FIRST)))
        await fill(EncryptedPersistence(plain, ring(SECOND)))
        counted = (await rotate(plain, SECOND, FIRST, dry_run=True)).by_key
        found = await survey(plain)
        assert {"": found.plain, **found.by_key} == counted
        assert found.not_under("k2") == counted[""] + counted["k1"]
        part = await survey(plain, most_rows=1)
        assert part.is_complete == (kind == "memory")  # which gives everything at once
        assert (part == found) == part.is_complete
        await plain.close()

    asyncio.run(scenario())


def test_what_cannot_be_read_stays_as_it_is(kind: str, tmp_path: Path) -> None:
    """A missing or wrong key is reported by value; the other rows are rotated, and nothing is lost."""

    async def scenario() -> None:
        plain = bare_store(kind, tmp_path)
        await plain.initialize()
        store = EncryptedPersistence(plain, ring(FIRST))
        whose = await fill(store)
        before = await read_back(store, whose)
        for keys, words in (((SECOND,), "`k1`, which this process does not have"), ((SECOND, OTHER), "is not the one")):
            report = await rotate(plain, *keys)
            assert report.unreadable > 0
            assert words in report.problems[0]
        assert await read_back(EncryptedPersistence(plain, ring(SECOND, FIRST)), whose) == before
        await plain.close()

    asyncio.run(scenario())


def test_a_rotation_that_was_stopped_goes_on(kind: str, tmp_path: Path) -> None:
    """Stopped after each number of batches, the store is readable with both keys; the next rotation does the rest."""

    class StoppedError(PersistenceError):
        pass

    async def scenario() -> None:
        plain = bare_store(kind, tmp_path)
        await plain.initialize()
        store = EncryptedPersistence(plain, ring(FIRST))
        whose = await fill(store)
        before = await read_back(store, whose)
        for stop_after in range(1, 12, 2):
            batches = 0

            def told(_report: RotationReport, stop_after: int = stop_after) -> None:
                nonlocal batches
                batches += 1
                if batches == stop_after:
                    raise StoppedError("stopped")

            with pytest.raises(StoppedError):
                await rotate(plain, SECOND, FIRST, batch=1, told=told)
            assert await read_back(EncryptedPersistence(plain, ring(FIRST, SECOND)), whose) == before
        assert (await rotate(plain, SECOND, FIRST)).left == 0
        assert await read_back(EncryptedPersistence(plain, ring(SECOND)), whose) == before
        await plain.close()

    asyncio.run(scenario())


def test_a_commit_between_reading_and_swapping_is_not_lost(kind: str, tmp_path: Path) -> None:
    """Each row is written only where it still is what was read; what came in between is taken in the next pass."""

    async def scenario() -> None:
        plain = bare_store(kind, tmp_path)
        await plain.initialize()
        store = EncryptedPersistence(plain, ring(FIRST))
        record = await create(store)

        class Interrupting:
            """The store, in which a commit and a message come between each reading and its swap."""

            stored_tables = plain.stored_tables
            steps = 0

            async def read_stored(self, *args: Any, **options: Any) -> Any:
                found = await plain.read_stored(*args, **options)
                if self.steps < 8:
                    self.steps += 1
                    await store.commit(step(record, self.steps))
                    await store.append_inbox(message(record, f"m{self.steps}"))
                return found

            async def swap_stored(self, *args: Any) -> int:
                done: int = await plain.swap_stored(*args)
                return done

        report = await rotate(Interrupting(), SECOND, FIRST)
        assert report.tables["workflow_executions"].missed >= (kind != "memory")
        assert report.left == 0
        fresh = EncryptedPersistence(plain, ring(SECOND))
        assert (await fresh.load_instance(record.workflow_id)).position == b'["p8",0,0]'
        assert len(await fresh.read_log(record.workflow_id)) == 8
        assert [entry.payload for entry in await fresh.read_inbox(record.workflow_id)] == [
            b"m%d" % i for i in range(1, 9)
        ]
        await plain.close()

    asyncio.run(scenario())
