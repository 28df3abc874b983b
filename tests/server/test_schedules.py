"""The schedules room: each operation, and what a tenant sees."""

from typing import Any

import pytest

from tests.support.engine_world import JumpingClock
from tests.support.serving import Client, People, asked, new_app, new_builder, on_every_store

SCHEDULES = "/api/v1/schedules"
WEEKLY = {"name": "weekly", "workflow_type": "Greeting", "cron": "0 9 * * MON", "timezone": "Europe/Rome"}


def app() -> Any:
    """A server of several people whose clock stands still, at 2023-11-14 22:13:20 UTC."""
    return new_app(new_builder(clock=JumpingClock()), authenticator=People())


@on_every_store
def test_a_schedule_is_told_in_words_with_its_next_moments() -> None:
    """In its own time zone."""

    async def talk(client: Client) -> tuple[int, Any]:
        added = await client.post(SCHEDULES, json=WEEKLY)
        return added.status_code, (await client.get(f"{SCHEDULES}/weekly?count=2")).json()

    status, found = asked(talk, app())

    assert status == 201
    assert found["words"] == "every Monday at 09:00 (Europe/Rome)"
    assert found["next"] == ["2023-11-20T09:00:00+01:00", "2023-11-27T09:00:00+01:00"]
    assert found["next_at"] == "2023-11-20T08:00:00Z"


@on_every_store
def test_a_schedule_of_the_same_name_is_changed() -> None:
    """The second time it is answered with 200."""

    async def talk(client: Client) -> tuple[int, Any]:
        await client.post(SCHEDULES, json=WEEKLY)
        answer = await client.post(SCHEDULES, json={**WEEKLY, "cron": "0 8 * * *", "overlap": "allow"})
        return answer.status_code, (await client.get(SCHEDULES)).json()["items"]

    status, items = asked(talk, app())

    assert status == 200
    assert [(item["name"], item["cron"], item["overlap"]) for item in items] == [("weekly", "0 8 * * *", "allow")]


@on_every_store
def test_a_pause_says_who_and_why_and_ends() -> None:
    """While it is paused nothing is planned; resuming plans the next moment."""

    async def talk(client: Client) -> tuple[Any, Any]:
        await client.post(SCHEDULES, json=WEEKLY)
        headers = {"X-Who": "bob"}
        paused = await client.post(f"{SCHEDULES}/weekly/pause", json={"reason": "holidays"}, headers=headers)
        return paused.json(), (await client.post(f"{SCHEDULES}/weekly/resume")).json()

    paused, resumed = asked(talk, app())

    assert (paused["paused"], paused["note"], paused["next"]) == (True, "paused by bob: holidays", [])
    assert (resumed["paused"], resumed["note"], len(resumed["next"])) == (False, "", 5)


@on_every_store
def test_a_removed_schedule_is_gone() -> None:
    """It is answered with 204, and the second time with 404."""

    async def talk(client: Client) -> list[int]:
        await client.post(SCHEDULES, json=WEEKLY)
        return [(await client.delete(f"{SCHEDULES}/weekly")).status_code for _ in range(2)]

    assert asked(talk, app()) == [204, 404]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"cron": "every day"}, 422, "invalid-schedule"),
        ({"timezone": "Europe/Nowhere"}, 422, "invalid-schedule"),
        ({"timezone": "../../etc/passwd"}, 422, "invalid-schedule"),
        ({"name": "a" * 201}, 422, "invalid-request"),
        ({"workflow_type": "Nothing"}, 404, "unknown-workflow-type"),
        ({"data": {"amount": "much"}}, 422, "invalid-initial-data"),
        ({"overlap": "perhaps"}, 422, "invalid-request"),
        ({"catch_up": -1}, 422, "invalid-request"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(change: dict[str, Any], status: int, code: str) -> None:
    """With the code of what is wrong; nothing is added."""

    async def talk(client: Client) -> tuple[int, str, Any]:
        answer = await client.post(SCHEDULES, json=WEEKLY | change)
        return answer.status_code, answer.json()["code"], (await client.get(SCHEDULES)).json()["items"]

    assert asked(talk, app()) == (status, code, [])


@on_every_store
def test_a_schedule_of_another_tenant_is_not_there() -> None:
    """It is in no list and under no path, and its name cannot be taken over."""
    ours, theirs = {"X-Org": "ours"}, {"X-Org": "theirs"}

    async def talk(client: Client) -> tuple[Any, list[int], Any]:
        await client.post(SCHEDULES, json=WEEKLY, headers=ours)
        path = f"{SCHEDULES}/weekly"
        answers = [
            await client.get(path, headers=theirs),
            await client.post(f"{path}/pause", json={}, headers=theirs),
            await client.post(f"{path}/resume", headers=theirs),
            await client.delete(path, headers=theirs),
            await client.post(SCHEDULES, json=WEEKLY, headers=theirs),
            await client.post(SCHEDULES, json={**WEEKLY, "name": "other", "org_id": "ours"}, headers=theirs),
        ]
        listed = (await client.get(SCHEDULES, headers=theirs)).json()["items"]
        return listed, [item.status_code for item in answers], (await client.get(path, headers=ours)).json()["org_id"]

    assert asked(talk, app()) == ([], [404, 404, 404, 404, 409, 403], "ours")
