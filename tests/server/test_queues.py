"""The queues room: workers, queues with their limits, dead letters."""

from dataclasses import replace
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.providers import WorkerRecord
from tests.support.serving import Client, People, asked, new_app, new_builder, on_every_store, until

QUEUES = "/api/v1/queues"
LETTERS = "/api/v1/dead-letters"
LATER_US = 2**52
OURS, THEIRS = {"X-Org": "ours"}, {"X-Org": "theirs"}


def serving(builder: WorkflowBuilder) -> Any:
    """A server of several people over a builder, without a worker."""
    return new_app(builder, authenticator=People())


async def died_over(client: Client, builder: WorkflowBuilder, **more: Any) -> tuple[str, str]:
    """A workflow that a worker died over, and the id of its dead letter."""
    body = {"workflow_type": "Fetch", "data": {"number": "A-1"}, "wait_s": 10, **more}
    made = (await client.post("/api/v1/workflows", json=body)).json()
    store = builder.persistence
    (task,) = await store.claim_tasks("host-7", lease_us=1, now_us=LATER_US, queues=["net"])
    await store.reap_tasks(LATER_US + 1, crash_budget=1)
    await client.post(f"/api/v1/workflows/{made['workflow_id']}/resume", json={"wait_s": 10})
    await until(client, made["workflow_id"], "FAILED_WORKER_CRASH")
    return made["workflow_id"], task.task_id


@on_every_store
def test_the_workers_of_the_store_are_listed() -> None:
    """With what they serve, what they have, how long they have been silent, and since when one looks dead."""
    builder = new_builder()

    async def talk(client: Client) -> Any:
        now_us = builder.clock.now_us()
        record = WorkerRecord("w-1", "host", 7, ("net",), 8, now_us, now_us, ("t-1", "t-2"), lease_us=30_000_000)
        await builder.persistence.put_worker(record)
        await builder.persistence.put_worker(replace(record, worker_id="w-2", seen_us=0))
        return (await client.get("/api/v1/workers")).json()["items"]

    found, dead = asked(talk, serving(builder))

    assert (found["worker_id"], found["queues"], found["concurrency"], found["running"]) == ("w-1", ["net"], 8, 2)
    assert found["silent_s"] >= 0
    assert found["looks_dead_since"] is None
    assert dead["looks_dead_since"] == "1970-01-01T00:00:30Z"


@on_every_store
def test_a_queue_is_listed_with_what_waits_and_its_limits() -> None:
    """Queues with tasks, with limits, or with both."""
    builder = new_builder(execution="queue")

    async def talk(client: Client) -> Any:
        await client.post("/api/v1/workflows", json={"workflow_type": "Fetch", "wait_s": 10})
        await client.put(f"{QUEUES}/net/limits", json={"concurrency": 2, "rate": 100, "period_s": 60})
        await client.put(f"{QUEUES}/mail/limits", json={"per_key": 1})
        return {item["name"]: item for item in (await client.get(QUEUES)).json()["items"]}

    found = asked(talk, serving(builder))

    assert (found["net"]["pending"], found["net"]["running"], found["net"]["started"]) == (1, 0, 0)
    assert found["net"]["limits"] == {"concurrency": 2, "per_key": None, "rate": 100, "period_s": 60.0}
    assert (found["mail"]["pending"], found["mail"]["limits"]["per_key"], found["mail"]["started"]) == (0, 1, None)


@on_every_store
def test_limits_are_replaced_and_lifted() -> None:
    """A PUT leaves nothing of the old ones; a DELETE lifts them, the second time there are none."""

    async def talk(client: Client) -> list[Any]:
        await client.put(f"{QUEUES}/mail/limits", json={"concurrency": 4})
        replaced = (await client.put(f"{QUEUES}/mail/limits", json={"per_key": 1})).json()
        statuses = [(await client.delete(f"{QUEUES}/mail/limits")).status_code for _ in range(2)]
        return [replaced["concurrency"], replaced["per_key"], *statuses, (await client.get(QUEUES)).json()["items"]]

    assert asked(talk) == [None, 1, 204, 404, []]


@on_every_store
def test_limits_without_any_lift_them() -> None:
    """An empty object opens the queue."""

    async def talk(client: Client) -> tuple[int, Any]:
        await client.put(f"{QUEUES}/mail/limits", json={"concurrency": 4})
        answer = await client.put(f"{QUEUES}/mail/limits", json={})
        return answer.status_code, (await client.get(QUEUES)).json()["items"]

    assert asked(talk) == (200, [])


@pytest.mark.parametrize(
    "body",
    [
        {"concurrency": -1},
        {"concurrency": 2**40},
        {"rate": 5},
        {"period_s": 5},
        {"rate": 5, "period_s": 0},
        {"more": 1},
    ],
)
def test_limits_that_cannot_be_are_refused(body: dict[str, Any]) -> None:
    """Nothing is limited."""

    async def talk(client: Client) -> tuple[int, str, Any]:
        answer = await client.put(f"{QUEUES}/mail/limits", json=body)
        return answer.status_code, answer.json()["code"], (await client.get(QUEUES)).json()["items"]

    assert asked(talk) == (422, "invalid-request", [])


def test_a_queue_with_a_name_that_cannot_be_shown_is_refused() -> None:
    """It is one line of text."""

    async def talk(client: Client) -> tuple[int, str]:
        answer = await client.put(f"{QUEUES}/a%01b/limits", json={"concurrency": 1})
        return answer.status_code, answer.json()["code"]

    assert asked(talk) == (422, "invalid-request")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/workers"), ("GET", QUEUES), ("PUT", f"{QUEUES}/m/limits"), ("DELETE", f"{QUEUES}/m/limits")],
)
def test_a_tenant_sees_nothing_of_the_store(method: str, path: str) -> None:
    """Workers and queues belong to nobody, so whoever is limited to a tenant is refused."""

    async def talk(client: Client) -> int:
        body = {"concurrency": 0} if method == "PUT" else None
        return (await client.request(method, path, headers=OURS, json=body)).status_code

    assert asked(talk, serving(new_builder())) == 403


@on_every_store
def test_a_dead_letter_is_queued_again() -> None:
    """Its workflow is retried, with who asked for it and why, and the letter is gone."""
    builder = new_builder(execution="queue")

    async def talk(client: Client) -> tuple[Any, int, Any, int]:
        workflow_id, task_id = await died_over(client, builder)
        shown = (await client.get(f"{LETTERS}/{task_id}")).json()
        answer = await client.post(f"{LETTERS}/{task_id}/requeue", json={"reason": "more memory"})
        history = (await client.get(f"/api/v1/workflows/{workflow_id}/history")).json()["items"]
        repair = next(item for item in history if item["kind"] == "repair")
        return shown, answer.status_code, repair, (await client.get(f"{LETTERS}/{task_id}")).status_code

    shown, status, repair, left = asked(talk, serving(builder))

    assert (shown["queue"], shown["crashes"]) == ("net", 1)
    assert (status, repair["actor"], repair["reason"], left) == (202, "anna", "more memory", 404)


@on_every_store
def test_a_dead_letter_is_forgotten() -> None:
    """It is in no list any more; its workflow stays failed."""
    builder = new_builder(execution="queue")

    async def talk(client: Client) -> tuple[int, int, Any]:
        _, task_id = await died_over(client, builder)
        before = len((await client.get(f"{LETTERS}?queue=net")).json()["items"])
        answer = await client.delete(f"{LETTERS}/{task_id}")
        return before, answer.status_code, (await client.get(LETTERS)).json()["items"]

    assert asked(talk, serving(builder)) == (1, 204, [])


@on_every_store
def test_a_task_that_lives_is_no_dead_letter() -> None:
    """It can be neither queued again nor forgotten."""
    builder = new_builder(execution="queue")

    async def talk(client: Client) -> list[tuple[int, str]]:
        await client.post("/api/v1/workflows", json={"workflow_type": "Fetch", "wait_s": 10})
        (task,) = await builder.persistence.claim_tasks("host-7", lease_us=1, now_us=LATER_US, queues=["net"])
        path = f"{LETTERS}/{task.task_id}"
        answers = [await client.post(f"{path}/requeue", json={}), await client.delete(path)]
        return [(item.status_code, item.json()["code"]) for item in answers]

    assert asked(talk, serving(builder)) == [(409, "not-dead")] * 2


@on_every_store
def test_a_dead_letter_of_another_tenant_is_not_there() -> None:
    """It is in no list and under no path."""
    builder = new_builder(execution="queue")

    async def talk(client: Client) -> tuple[Any, list[int], int]:
        _, task_id = await died_over(client, builder, org_id="ours")
        path = f"{LETTERS}/{task_id}"
        answers = [
            await client.get(path, headers=THEIRS),
            await client.post(f"{path}/requeue", json={}, headers=THEIRS),
            await client.delete(path, headers=THEIRS),
        ]
        listed = (await client.get(LETTERS, headers=THEIRS)).json()["items"]
        own = (await client.get(LETTERS, headers=OURS)).json()["items"]
        return listed, [item.status_code for item in answers], len(own)

    assert asked(talk, serving(builder)) == ([], [404, 404, 404], 1)
