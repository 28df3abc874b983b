"""Who may answer a human task, and of whom one alone does: roles, persons, and people who are there at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ruvon.providers import PersistenceProvider
from tests.server.test_human_tasks import KEY, RUNS, TASKS, app, link_to, waiting, who
from tests.support.serving import Client, People, asked, new_app, new_builder, on_every_store, served, until

WORKFLOWS = "/api/v1/workflows"
YES, NO = {"answer": {"approved": True}}, {"answer": {"approved": False}}
REPAIRS = f"{RUNS},workflows:repair"
WAYS = ("claim", "answer", "links", "resume", "next")


def being(*roles: str, name: str = "bob", may: str = RUNS) -> dict[str, str]:
    """The headers of somebody with roles."""
    return {**who(name, may=may), "X-Roles": ",".join(roles)}


async def tried(client: Client, way: str, task: dict[str, Any], headers: dict[str, str]) -> tuple[int, str | None]:
    """What a way to answer a task, or to keep others from it, comes to for somebody."""
    match way:
        case "claim":
            answer = await client.post(f"{TASKS}/{task['task_id']}/claim", headers=headers)
        case "resume":
            answer = await client.post(f"{WORKFLOWS}/{task['workflow_id']}/resume", json=YES, headers=headers)
        case "next":
            body = {"input": YES["answer"]}
            answer = await client.post(f"{WORKFLOWS}/{task['workflow_id']}/next", json=body, headers=headers)
        case _:
            answer = await client.post(f"{TASKS}/{task['task_id']}/{way}", json=YES, headers=headers)
    return answer.status_code, answer.json().get("code")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("headers", "is_let"),
    [
        (being("legal"), True),
        (being("sales", "legal"), True),
        (being("admin", may="*"), True),
        (being("sales"), False),
        (being(), False),
        (being("admin"), False),
        (being(may=REPAIRS), False),
        (being("LEGAL"), False),
    ],
    ids=["role", "among others", "administrator", "other role", "none", "name alone", "repairs", "other letters"],
)
def test_a_task_for_a_role_is_for_whoever_has_it(way: str, headers: dict[str, str], *, is_let: bool) -> None:
    """Nobody else claims it, answers it or makes a link that does, on whatever path; an administrator stands in."""

    async def talk(client: Client) -> tuple[tuple[int, str | None], bool]:
        task = await waiting(client, "Review")
        found = await tried(client, way, task, headers)
        left = (await client.get(f"{TASKS}/{task['task_id']}")).json()
        return found, left.get("claimed_by", "answered") is None

    (status, code), is_untouched = asked(talk, app())

    assert (status < 300, code) == ((True, None) if is_let else (False, "task-of-role"))
    assert is_let or is_untouched


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "is_let"), [("bob", True), ("eve", False)])
def test_a_task_for_a_person_is_for_him(way: str, name: str, *, is_let: bool) -> None:
    """On whatever path; a role alone is not enough."""

    async def talk(client: Client) -> tuple[int, str | None]:
        return await tried(client, way, await waiting(client, "Review", "bob"), being("legal", name=name))

    status, code = asked(talk, app())

    assert (status < 300, code) == ((True, None) if is_let else (False, "task-of-another"))


def test_an_answer_by_next_is_in_the_logs_with_its_actor() -> None:
    """As one by any other path."""

    async def talk(client: Client) -> list[str | None]:
        task = await waiting(client)
        await tried(client, "next", task, who("bob"))
        lines = (await client.get(f"{WORKFLOWS}/{task['workflow_id']}/logs")).json()["items"]
        return [line["actor"] for line in lines if line["message"].startswith("answer")]

    assert asked(talk, app()) == ["bob"]


def on_two(new_store: Callable[[], PersistenceProvider], talk: Callable[[Client, Client], Awaitable[Any]]) -> Any:
    """A talk with two servers of one store; where it is no memory, each stands for a process."""

    def server() -> Any:
        return new_app(new_builder(new_store()), authenticator=People(), approval_key=KEY)

    async def whole() -> Any:
        async with served(server()) as one, served(server()) as other:
            return await talk(one, other)

    return asyncio.run(whole())


def test_of_many_who_claim_a_task_at_once_one_has_it(new_store: Callable[[], PersistenceProvider]) -> None:
    """On either server; the others are told whose it is."""
    names = [f"user-{number}" for number in range(8)]

    async def talk(one: Client, other: Client) -> tuple[list[str], list[str], set[str]]:
        path = f"{TASKS}/{(await waiting(one))['task_id']}"
        pairs = zip(names, [one, other] * 4, strict=True)
        answers = await asyncio.gather(*(client.post(f"{path}/claim", headers=who(name)) for name, client in pairs))
        won = [name for name, answer in zip(names, answers, strict=True) if answer.status_code == 200]
        owners = [(await client.get(path)).json()["claimed_by"] for client in (one, other)]
        return won, owners, {answer.json()["code"] for answer in answers if answer.status_code != 200}

    won, owners, refused = on_two(new_store, talk)

    assert len(won) == 1
    assert owners == won * 2
    assert refused == {"task-of-another"}


def test_of_answers_and_links_at_once_one_is_taken(new_store: Callable[[], PersistenceProvider]) -> None:
    """Whoever is told that his answer was given, it was; the others are told that somebody was sooner."""

    async def talk(one: Client, other: Client) -> tuple[list[bool], str, set[str]]:
        task = await waiting(one)
        path = f"{TASKS}/{task['task_id']}/answer"
        links = [await link_to(one, task), await link_to(other, task, answer={"approved": False})]
        answers = await asyncio.gather(
            one.post(path, json=YES),
            other.post(path, json=NO),
            one.post(links[1]),
            other.post(links[0]),
            one.post(links[0]),
        )
        ended = await until(other, task["workflow_id"], "COMPLETED")
        given = [answer.json()["answer"]["approved"] for answer in answers if answer.status_code == 200]
        return given, ended["result"], {answer.json()["code"] for answer in answers if answer.status_code != 200}

    given, result, refused = on_two(new_store, talk)

    assert len(given) == 1
    assert result == ("yes" if given[0] else "no")
    assert refused <= {"not-waiting", "link-used", "human-task-not-found"}


def test_nobody_answers_what_somebody_has_claimed_meanwhile(new_store: Callable[[], PersistenceProvider]) -> None:
    """An answer and a claim at once: either the task is answered before it is claimed, or the answer is refused."""

    async def talk(one: Client, other: Client) -> set[tuple[int, int]]:
        found = set()
        for _ in range(4):
            path = f"{TASKS}/{(await waiting(one))['task_id']}"
            answered, claimed = await asyncio.gather(
                one.post(f"{path}/answer", json=YES, headers=who("bob")),
                other.post(f"{path}/claim", headers=who("anna")),
            )
            found.add((answered.status_code, claimed.status_code))
        return found

    assert on_two(new_store, talk) <= {(200, 404), (409, 200)}


@on_every_store
def test_a_late_release_leaves_the_claim_of_another() -> None:
    """Who gives a task back twice at once does not give back what the next one has claimed."""

    async def talk(client: Client) -> tuple[set[int], str]:
        path = f"{TASKS}/{(await waiting(client))['task_id']}"
        await client.post(f"{path}/claim", headers=who("anna"))
        answers = await asyncio.gather(
            client.post(f"{path}/release", json={}, headers=who("anna")),
            _claimed_at_last(client, path),
            client.post(f"{path}/release", json={}, headers=who("anna")),
        )
        return {answers[0].status_code, answers[2].status_code}, (await client.get(path)).json()["claimed_by"]

    statuses, owner = asked(talk, app())

    assert statuses <= {200, 409}
    assert owner == "bob"


async def _claimed_at_last(client: Client, path: str) -> None:
    """Claim a task as soon as it is free."""
    while (await client.post(f"{path}/claim", headers=who("bob"))).status_code != 200:
        pass


@on_every_store
def test_a_cancelled_workflow_takes_no_answer() -> None:
    """Neither from a person nor from a link, also while nobody has ended it yet."""

    async def talk(client: Client) -> tuple[list[str], str]:
        task = await waiting(client)
        link = await link_to(client, task)
        path = f"{WORKFLOWS}/{task['workflow_id']}"
        assert (await client.post(f"{path}/cancel", json={"reason": "late"})).status_code == 202
        answers = [
            await client.post(f"{TASKS}/{task['task_id']}/answer", json=YES),
            await client.post(link),
            await client.post(f"{path}/resume", json=YES),
        ]
        return [item.json().get("code") for item in answers]

    queued = new_app(new_builder(execution="queue"), authenticator=People(), approval_key=KEY)
    codes = asked(talk, queued)

    assert codes[0] in {"not-waiting", "human-task-not-found"}
    assert codes[1] == "link-used"
    assert codes[2] in {"not-waiting", "workflow-finished"}


@on_every_store
def test_a_task_of_an_ended_workflow_is_not_claimed() -> None:
    """It is not there any more, and nothing is kept of the attempt."""

    async def talk(client: Client) -> list[Any]:
        task = await waiting(client)
        await client.post(f"{WORKFLOWS}/{task['workflow_id']}/cancel", json={})
        await until(client, task["workflow_id"], "CANCELLED")
        path = f"{TASKS}/{task['task_id']}"
        return [(await client.post(f"{path}/claim")).status_code, (await client.get(path)).status_code]

    assert asked(talk, app()) == [404, 404]
