"""Lists over many instances: they read what they show, whatever they are filtered by."""

import asyncio
import random
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.redis import RedisPersistenceProvider, _listing
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter, InstanceRecord
from ruvon.testing.contracts._records import create, creation, instance, step
from tests.support.redis import client, private_server

MANY = 12_000
STATUSES = ["COMPLETED"] * 60 + ["ACTIVE"] * 20 + ["PAUSED"] * 10 + ["WAITING_HUMAN"] * 8 + ["FAILED"] * 2

SELECTIVE = {
    "newest": InstanceFilter(),
    "a rare status": InstanceFilter(statuses=("FAILED",)),
    "three statuses": InstanceFilter(statuses=("ACTIVE", "FAILED", "PAUSED")),
    "a type": InstanceFilter(workflow_type="Type3"),
    "a type and a status": InstanceFilter(workflow_type="Type3", statuses=("FAILED",)),
    "a small owner": InstanceFilter(owner_id="owner7"),
    "metadata": InstanceFilter(metadata={"shard": 7}),
    "the large owner, a type it never had": InstanceFilter(owner_id="large", workflow_type="None"),
    "a parent": InstanceFilter(parent_id=UUID(int=5)),
}


def rows(count: int) -> list[InstanceRecord]:
    """Eight types, one large owner and five hundred small ones."""
    chance = random.Random(1)
    return [
        instance(
            workflow_id=UUID(int=chance.getrandbits(128)),
            workflow_type=f"Type{chance.randrange(8)}",
            status=chance.choice(STATUSES),
            owner_id="large" if number % 2 else f"owner{chance.randrange(500)}",
            metadata={"shard": number % 100},
            created_us=number // 3,
            updated_us=number,
        )
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """A server with many instances."""

    async def fill(url: str) -> None:
        one = RedisPersistenceProvider(url)
        await one.initialize()
        made = rows(MANY)
        for first in range(0, MANY, 500):
            await one.commit(creation(*made[first : first + 500]))
        await one.close()

    with private_server(Path(tmp_path_factory.mktemp("large"))) as far:
        asyncio.run(fill(far.url))
        yield far.url


@pytest.mark.parametrize("name", SELECTIVE)
def test_a_page_reads_few_rows(large: str, name: str) -> None:
    """Of many instances a page of a hundred looks at a few times as many members, and reads only the rows that it shows."""

    async def scenario() -> tuple[int, int, int]:
        one = RedisPersistenceProvider(large)
        await one.initialize()
        with client(large) as asked:
            asked.config_resetstat()
            found = await one.find_instances(SELECTIVE[name])
            stats = asked.info("commandstats")
        await one.close()
        calls = {command: item["calls"] for command, item in stats.items()}
        return len(found), calls.get("cmdstat_hmget", 0), calls.get("cmdstat_zscore", 0)

    found, read, looked_up = asyncio.run(scenario())

    assert read <= found * max(1, len(SELECTIVE[name].statuses)) + 400
    assert looked_up <= 2400


def test_every_page_is_that_of_a_plain_walk(on_store: Any) -> None:
    """Filters of every kind and number, cursors and counts, beside the store in memory; in portions of any size."""

    async def scenario(one: RedisPersistenceProvider) -> None:
        made = rows(400)
        plain = MemoryPersistenceProvider()
        for record in made:
            await plain.commit(creation(replace(record)))
        await one.commit(creation(*made))
        chance = random.Random(2)
        for number in range(150):
            monkeyed = chance.choice([3, 40, 2000])
            _listing._BUDGET = monkeyed  # type: ignore[misc]
            wanted = InstanceFilter(
                statuses=tuple(chance.sample(sorted(set(STATUSES)), chance.choice([0, 0, 1, 2, 4]))),
                workflow_type=chance.choice([None, None, "Type1", "Type2", "None"]),
                owner_id=chance.choice([None, None, "large", "owner7"]),
                metadata=chance.choice([{}, {}, {"shard": 3}]),
                created_after_us=chance.choice([None, 20]),
                created_before_us=chance.choice([None, 90]),
                updated_before_us=chance.choice([None, None, 250]),
                current_step=chance.choice([None, None, None, "s"]),
            )
            cursor = chance.choice(made)
            after = chance.choice([None, (cursor.created_us, cursor.key)])
            limit = chance.choice([1, 7, 100])
            expected = await plain.find_instances(wanted, limit=limit, after=after)
            found = await one.find_instances(wanted, limit=limit, after=after)
            assert [item.workflow_id for item in found] == [item.workflow_id for item in expected], (number, wanted)
            assert await one.count_instances(wanted) == await plain.count_instances(wanted)

    before = _listing._BUDGET
    try:
        on_store(scenario)
    finally:
        _listing._BUDGET = before  # type: ignore[misc]


def test_every_status_has_an_index(on_store: Any) -> None:
    """What is counted by status is what is listed, after any walk through the statuses."""

    async def scenario(one: RedisPersistenceProvider) -> None:
        record = await create(one)
        for number, status in enumerate(WorkflowStatus, 1):
            await one.commit(step(record, number, status=str(status)))
            assert (await one.stats())["by_status"] == {str(status): 1}
            assert [item.status for item in await one.find_instances(InstanceFilter(statuses=(str(status),)))] == [
                status
            ]
            (counted,) = await one.count_by_definition()
            assert counted[3:] == ((0, 1) if status.is_terminal else (1, 0))

    on_store(scenario)


def test_operators_see_what_there_is(on_store: Any) -> None:
    """Children oldest first, ids by their beginning, summaries by type and of numbers, dictionaries among the lists."""

    async def scenario(one: RedisPersistenceProvider) -> None:
        parent = await create(one)
        children = [
            await create(one, parent_id=parent.workflow_id, parent_activation=f"c{number}", created_us=5 + number)
            for number in range(3)
        ]
        found = await one.children_of(parent.workflow_id)
        assert [item["workflow_id"] for item in found] == [str(child.workflow_id) for child in children]
        assert [item["parent_activation"] for item in found] == ["c0", "c1", "c2"]
        assert await one.ids_like(str(parent.workflow_id)[:12]) == [str(parent.workflow_id)]
        assert await one.ids_like("zz") == []
        (row,) = await one.summarize()
        assert (row["workflow_type"], row["status"], row["workflows"]) == ("Order", "ACTIVE", 4)
        for number in range(5):
            await one.record_metric(parent.workflow_id, "s", "n", number, {"x": number})
        await one.record_metric(children[0].workflow_id, None, "other", 1.5)
        (numbers,) = await one.summarize_metrics(parent.workflow_id)
        assert (numbers["count"], numbers["min"], numbers["mean"], numbers["max"]) == (5, 0, 2.0, 4)
        assert [item["value"] for item in await one.read_metrics(limit=2)] == [4, 1.5]
        assert [item["value"] for item in await one.read_metrics(parent.workflow_id, limit=2)] == [3, 4]
        assert [item["value"] for item in await one.read_metrics(name="n", limit=9)] == [0, 1, 2, 3, 4]
        await one.log_execution(parent.workflow_id, "s", "INFO", "one", {"a": 1})
        await one.log_execution(parent.workflow_id, "s", "ERROR", "two")
        assert [item["message"] for item in await one.read_execution_logs(parent.workflow_id)] == ["one", "two"]
        assert [item["message"] for item in await one.read_execution_logs(parent.workflow_id, level="error")] == ["two"]
        await one.save_workflow("mine", {"status": "NEW", "workflow_type": "Mine"})
        assert (await one.list_workflows())[0]["workflow_id"] == "mine"
        assert [item["workflow_id"] for item in await one.list_workflows(workflow_type="Mine")] == ["mine"]

    on_store(scenario)


def test_long_streams_are_read_in_portions(on_store: Any) -> None:
    """Numbers and lines of which thousands do not fit before one that does."""

    async def scenario(one: RedisPersistenceProvider) -> None:
        record = await create(one)
        key = record.workflow_id
        await one.record_metric(key, None, "rare", 1.0)
        await one.log_execution(key, None, "ERROR", "rare")
        work = [one.record_metric(key, None, "often", 2.0) for _ in range(2100)]
        await asyncio.gather(*work, *(one.log_execution(key, None, "INFO", "often") for _ in range(2100)))
        assert [item["value"] for item in await one.read_metrics(key, name="rare")] == [1.0]
        assert [item["value"] for item in await one.read_metrics(name="rare")] == [1.0]
        assert [item["message"] for item in await one.read_execution_logs(key, level="ERROR")] == ["rare"]
        assert (await one.summarize_metrics(key, name="often"))[0]["count"] == 2100

    on_store(scenario)


def test_purging_goes_behind_what_must_stay(on_store: Any) -> None:
    """Hundreds of children of a living parent are older than the one that may go."""

    async def scenario(one: RedisPersistenceProvider) -> None:
        parent = await create(one)
        kept = [instance(status="COMPLETED", parent_id=parent.workflow_id, updated_us=5) for _ in range(450)]
        await one.commit(creation(*kept))
        await create(one, status="COMPLETED", updated_us=9)
        assert await one.purge_ended(10, limit=1) == 1
        assert await one.purge_ended(10) == 0
        await one.commit(step(parent, 1, status="COMPLETED"))
        assert await one.purge_ended(100, limit=1000) == 451

    on_store(scenario)


def test_damage_is_found(on_store: Any) -> None:
    """A lost entry, snapshot, definition, row: each is told with the workflow."""

    async def scenario(one: RedisPersistenceProvider) -> None:
        found: dict[str, str] = {}
        for number, damage in enumerate(DAMAGES):
            record = await create(one, digest=bytes([number]) * 32)
            await one.put_definition(replace(_definition(), digest=record.digest))
            for turn in range(1, 4):
                await one.commit(step(record, turn))
            with client() as asked:
                damage(asked, one._base, f"{record.key:015d}", record)
            found[str(record.workflow_id)] = list(DAMAGES.values())[number]
        told = {item["workflow_id"] or item["detail"]: item["problem"] for item in await one.check()}
        assert sorted(told.values()) == sorted(DAMAGES.values())

    on_store(scenario)


def _definition() -> Any:
    from ruvon.testing.contracts._records import DEFINITION

    return DEFINITION


DAMAGES: dict[Any, str] = {
    (lambda asked, base, key, _: asked.xdel(f"{base}l:{key}", "2-0")): "a log entry before this one is missing",
    (lambda asked, base, key, _: asked.xdel(f"{base}l:{key}", "3-0")): "its newest log entry is missing",
    (lambda asked, base, key, _: asked.delete(f"{base}s:{key}")): "its state is not stored",
    (lambda asked, base, _, row: asked.delete(f"{base}def:{row.digest.hex()}")): "its definition is not stored",
    (lambda asked, base, key, _: asked.delete(f"{base}i:{key}")): "a list names an instance that is not stored",
}
