"""The server over each store that it may have, with the worker in its process that goes on behind answers."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.persistence.redis import RedisPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import PersistenceProvider
from ruvon_server.rooms.workflows import service
from tests.support import postgres
from tests.support.redis import private_server
from tests.support.serving import Client, People, asked, new_app, new_builder, until

WORKFLOWS = "/api/v1/workflows"
STORES = [
    "sqlite",
    pytest.param("postgres", marks=postgres.needs_postgres),
    "redis",
]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PersistenceProvider]:
    """An empty store of each kind."""
    match request.param:
        case "sqlite":
            yield SQLitePersistenceProvider(str(tmp_path / "ruvon.db"))
        case "postgres":
            postgres.emptied()
            yield postgres.store()
        case _:
            with private_server(tmp_path) as server:
                yield RedisPersistenceProvider(server.url)


def app(store: PersistenceProvider) -> Any:
    """A server with a worker over a store."""
    return new_app(new_builder(store, "queue"), worker=True)


async def start(client: Client, kind: str, **more: Any) -> str:
    answer = await client.post(WORKFLOWS, json={"workflow_type": kind, **more})
    assert answer.status_code in {200, 201}, answer.text
    found: str = answer.json()["workflow_id"]
    return found


def test_a_workflow_is_started_answered_and_finished(store: PersistenceProvider) -> None:
    """The worker drives it before the answer of a person and behind it."""

    async def talk(client: Client) -> tuple[str, Any]:
        workflow_id = await start(client, "Approval", data={"number": "A-1"})
        await until(client, workflow_id, "WAITING_HUMAN")
        answer = await client.post(f"{WORKFLOWS}/{workflow_id}/resume", json={"answer": {"approved": True}})
        assert answer.status_code == 202, answer.text
        done = await until(client, workflow_id, "COMPLETED")
        return done["result"], (await client.get(f"{WORKFLOWS}/{workflow_id}/state")).json()["state"]["lines"]

    assert asked(talk, app(store)) == ("yes", ["before"])


def test_a_failed_workflow_is_retried_behind_the_answer(store: PersistenceProvider, tmp_path: Path) -> None:
    """The worker goes on with it; what is done is not done again."""
    switch = tmp_path / "up"

    async def talk(client: Client) -> Any:
        workflow_id = await start(client, "Fragile", data={"switch": str(switch)})
        await until(client, workflow_id, "FAILED")
        switch.touch()
        answer = await client.post(f"{WORKFLOWS}/{workflow_id}/retry", json={})
        assert answer.status_code == 202, answer.text
        await until(client, workflow_id, "COMPLETED")
        return (await client.get(f"{WORKFLOWS}/{workflow_id}/state")).json()["state"]["lines"]

    assert asked(talk, app(store)) == ["before", "after"]


def test_a_cancelled_workflow_is_ended_behind_the_answer(store: PersistenceProvider) -> None:
    """The worker takes the request to end it."""

    async def talk(client: Client) -> Any:
        workflow_id = await start(client, "Payment", data={"number": "A-1"})
        await until(client, workflow_id, "PAUSED")
        await client.post(f"{WORKFLOWS}/{workflow_id}/cancel", json={"reason": "late"})
        return (await until(client, workflow_id, "CANCELLED"))["error"]

    assert asked(talk, app(store)) == "cancelled: late (by local)"


def test_a_key_makes_one_workflow(store: PersistenceProvider) -> None:
    """A second start is answered with the first one's id."""

    async def talk(client: Client) -> set[str]:
        return {await start(client, "Greeting", idempotency_key="order-ä/1") for _ in range(3)}

    assert len(asked(talk, app(store))) == 1


def test_lists_are_filtered_and_paged(store: PersistenceProvider) -> None:
    """Type, metadata and cursor work alike on every store."""

    async def talk(client: Client) -> tuple[list[int], int]:
        for number in range(5):
            await start(client, "Greeting", run=False, metadata={"n": number, "even": number % 2 == 0})
        sizes, seen, cursor = [], set(), {}
        while True:
            page = (await client.get(WORKFLOWS, params={"limit": 2, "status": "ACTIVE", **cursor})).json()
            sizes.append(len(page["items"]))
            seen |= {item["workflow_id"] for item in page["items"]}
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert len(seen) == 5
        return sizes, len((await client.get(WORKFLOWS, params={"metadata": "even:true"})).json()["items"])

    assert asked(talk, app(store)) == ([2, 2, 1], 3)


def test_ids_of_others_are_in_nobodys_way(store: PersistenceProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of others begin alike, a tenant finds his own, and them only."""
    monkeypatch.setattr(service, "_MOST_IDS", 3)

    async def talk(client: Client) -> tuple[str, list[str], int]:
        async def start(org: str) -> str:
            body = {"workflow_type": "Approval", "run": False}
            found: str = (await client.post("/api/v1/workflows", json=body, headers={"X-Org": org})).json()[
                "workflow_id"
            ]
            return found

        mine = await start("ours")
        for _ in range(4):
            await start("theirs")
        path = f"/api/v1/workflows/ids/{mine[:4]}"
        found, all_of_them = await client.get(path, headers={"X-Org": "ours"}), await client.get(path)
        return mine, found.json()["items"], len(all_of_them.json()["items"])

    mine, found, count = asked(talk, new_app(new_builder(store), authenticator=People()))

    assert (found, count) == ([mine], 3)


def test_an_uploaded_definition_is_stored(store: PersistenceProvider) -> None:
    """It is listed with its version and can be started."""
    source = "workflow_type: Hello\nsteps:\n  - {name: greet, type: RETURN, value: hello}\n"

    async def talk(client: Client) -> tuple[Any, Any]:
        answer = await client.post("/api/v1/definitions", json={"source": source})
        assert answer.status_code == 201, answer.text
        workflow_id = await start(client, "Hello")
        done = await until(client, workflow_id, "COMPLETED")
        listed = (await client.get("/api/v1/definitions/Hello/versions")).json()["items"]
        return done["result"], [(item["workflow_version"], item["ended"]) for item in listed]

    assert asked(talk, app(store)) == ("hello", [("1.0.0", 1)])
