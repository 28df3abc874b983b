"""Lists by what no index of steps serves: the statement that takes over finds what a plain walk finds."""

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider, _database
from ruvon.providers import InstanceFilter, InstanceRecord, PersistenceError
from ruvon.testing.contracts._records import creation, instance

PARENT = UUID(int=5)
METADATA: list[dict[str, Any]] = [
    {}, {"n": 1}, {"n": 1.0}, {"n": 11}, {"n": "1"}, {"n": True}, {"n": -0.0}, {"n": 0.0}, {"n": None}, {"n": 1, "m": 2},
    {"m": 2, "n": 12}, {"n": [1, 2]}, {"n": {"a": "x,}*?["}}, {"n": "x,}*?["}, {'k"ey': 'q"uote\\'}, {"Ö": "\u2028"},
]  # fmt: skip


def rows(number: int) -> list[InstanceRecord]:
    """Instances of every kind, several of each moment."""
    chance = random.Random(3)
    return [
        instance(
            status=chance.choice(["ACTIVE", "FAILED", "PAUSED"]),
            owner_id=chance.choice([None, "ann", "bob"]),
            parent_id=chance.choice([None, PARENT]),
            current_step=chance.choice([None, "pay", "ship"]),
            metadata=chance.choice(METADATA),
            created_us=place // 4,
            updated_us=place // 4 + chance.randrange(40),
        )
        for place in range(number)
    ]


def any_filter(chance: random.Random) -> InstanceFilter:
    """Filters of every kind and number."""
    return InstanceFilter(
        statuses=chance.choice([(), (), ("FAILED",), ("ACTIVE", "PAUSED")]),
        owner_id=chance.choice([None, None, "ann", "nobody"]),
        parent_id=chance.choice([None, None, PARENT]),
        current_step=chance.choice([None, None, "pay", "none"]),
        metadata=chance.choice([{}, *METADATA]),
        created_after_us=chance.choice([None, 20]),
        created_before_us=chance.choice([None, 60]),
        updated_before_us=chance.choice([None, None, 50]),
    )


@pytest.mark.parametrize("patience", [-1, 0, 100], ids=["at once", "after a little", "hardly ever"])
def test_every_page_is_that_of_a_plain_walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: int) -> None:
    """Pages, cursors and counts are those of the store in memory, whichever statement answers."""
    monkeypatch.setattr(_database, "_PATIENCE", patience)

    async def scenario() -> None:
        made, chance = rows(400), random.Random(4)
        plain, store = MemoryPersistenceProvider(), SQLitePersistenceProvider(tmp_path / "a.db", durability="OFF")
        await store.initialize()
        for record in made:
            await plain.commit(creation(replace(record)))
        await store.commit(creation(*made))
        for _ in range(200):
            wanted, cursor = any_filter(chance), chance.choice(made)
            after = chance.choice([None, (cursor.created_us, cursor.key)])
            expected = await plain.find_instances(wanted, limit=7, after=after)
            found = await store.find_instances(wanted, limit=7, after=after)
            assert [item.workflow_id for item in found] == [item.workflow_id for item in expected], wanted
            assert await store.count_instances(wanted) == await plain.count_instances(wanted), wanted
        await store.close()

    asyncio.run(scenario())


def test_a_fault_of_the_first_statement_is_told(tmp_path: Path) -> None:
    """Only patience that has run out leads to the other statement."""

    async def scenario() -> None:
        store = SQLitePersistenceProvider(tmp_path / "a.db")
        await store.initialize()
        with pytest.raises(PersistenceError, match="no such column: missing"):
            await store._scan("SELECT missing", {}, "SELECT 1")
        await store.close()

    asyncio.run(scenario())
