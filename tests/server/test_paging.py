"""Cursors: they say nothing, and are good for one list of one tenant, on every server of the store."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from tests.support.serving import Client, People, asked, new_app, new_builder, on_every_store, served

WORKFLOWS = "/api/v1/workflows"
DEFINITIONS = "/api/v1/definitions"
LATER_US = 2**52
OURS, THEIRS = {"X-Org": "ours"}, {"X-Org": "theirs"}


async def two_workflows(client: Client, headers: dict[str, str]) -> list[str]:
    """The ids of two workflows that nobody drives."""
    body = {"workflow_type": "Greeting", "run": False}
    return [(await client.post(WORKFLOWS, json=body, headers=headers)).json()["workflow_id"] for _ in range(2)]


async def cursor_of(client: Client, path: str, headers: dict[str, str] = OURS) -> str:
    """The cursor of the first page, which has one item."""
    return str((await client.get(path, params={"limit": 1}, headers=headers)).json()["next_cursor"])


async def code(client: Client, path: str, cursor: str, headers: dict[str, str]) -> tuple[int, Any]:
    """How a page behind a cursor is answered: its status, and the code where it is a problem."""
    answer = await client.get(path, params={"cursor": cursor}, headers=headers)
    return answer.status_code, answer.json().get("code")


def serving(builder: WorkflowBuilder | None = None) -> Any:
    """A server of several people."""
    return new_app(builder, authenticator=People())


def test_a_cursor_is_good_for_its_tenant_alone() -> None:
    """Whoever belongs to nobody, or to somebody else, is refused."""

    async def talk(client: Client) -> list[Any]:
        await two_workflows(client, OURS)
        cursor = await cursor_of(client, WORKFLOWS)
        return [await code(client, WORKFLOWS, cursor, headers) for headers in (OURS, THEIRS, {})]

    assert asked(talk, serving()) == [(200, None), (400, "bad-cursor"), (400, "bad-cursor")]


def test_a_cursor_is_good_for_its_list_alone() -> None:
    """Another list, the same list of another workflow, and what somebody made himself are refused."""

    async def talk(client: Client) -> list[Any]:
        one, other = await two_workflows(client, OURS)
        for item in (one, other):
            await client.post(f"{WORKFLOWS}/{item}/resume", json={"wait_s": 10}, headers=OURS)
        history = f"{WORKFLOWS}/{one}/history"
        cursor = await cursor_of(client, history)
        made = base64.urlsafe_b64encode(b"[1,2]").decode().rstrip("=")
        return [
            await code(client, history, cursor, OURS),
            await code(client, history.replace("/workflows/", "/workflow/"), cursor, OURS),
            await code(client, f"{WORKFLOWS}/{other}/history", cursor, OURS),
            await code(client, WORKFLOWS, cursor, OURS),
            await code(client, history, made, OURS),
            await code(client, history, cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB"), OURS),
            await code(client, history, "", OURS),
        ]

    assert asked(talk, serving()) == [(200, None)] * 2 + [(400, "bad-cursor")] * 5


def test_a_cursor_does_not_show_how_many_workflows_others_have() -> None:
    """Nothing of the store's own numbers can be read from it, nor from its length."""

    async def talk(client: Client) -> list[bytes]:
        found = []
        for _ in range(12):  # the number of the second one has two digits at last
            await two_workflows(client, OURS)
            cursor = await cursor_of(client, WORKFLOWS)
            found.append(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return found

    found = asked(talk, serving())

    assert len(set(found)) == 12
    assert len({len(item) for item in found}) == 1


@on_every_store
def test_a_cursor_is_good_on_every_server_of_the_store() -> None:
    """Also where two servers make the key at the same time."""

    async def talk() -> list[Any]:
        async with served(serving()) as one, served(serving()) as other:
            made = await two_workflows(one, OURS)
            cursors = await asyncio.gather(*(cursor_of(server, WORKFLOWS) for server in (one, other)))
            pages = [
                (await server.get(WORKFLOWS, params={"cursor": cursor}, headers=OURS)).json()
                for server, cursor in zip((other, one), cursors, strict=True)
            ]
            return [made[0], *([item["workflow_id"] for item in page["items"]] for page in pages)]

    oldest, *pages = asyncio.run(talk())

    assert pages == [[oldest], [oldest]]


async def each_page(client: Client, path: str, between: Callable[[], Awaitable[None]], **query: Any) -> list[Any]:
    """The items of all pages of two, while something changes behind the first one."""
    page = (await client.get(path, params={"limit": 2, **query})).json()
    found = page["items"]
    await between()
    while page["next_cursor"] is not None:
        page = (await client.get(path, params={"limit": 2, "cursor": page["next_cursor"], **query})).json()
        assert len(page["items"]) <= 2
        found += page["items"]
    return found


async def died_over(client: Client, builder: WorkflowBuilder, number: int, org: str | None = None) -> list[str]:
    """The ids of so many dead letters."""
    store = builder.persistence
    for _ in range(number):
        body = {"workflow_type": "Fetch", "org_id": org, "wait_s": 10}
        await client.post(WORKFLOWS, json=body)
    tasks = await store.claim_tasks("host-7", limit=number, lease_us=1, now_us=LATER_US, queues=["net"])
    await store.reap_tasks(LATER_US + 1, crash_budget=1)
    return [task.task_id for task in tasks]


@on_every_store
@pytest.mark.parametrize(("path", "query"), [("/api/v1/dead-letters", {}), ("/api/v1/tasks", {"dead": True})])
def test_dead_letters_are_read_page_by_page(path: str, query: dict[str, Any]) -> None:
    """Each that is there all along once, while others come and the last one that was seen goes."""
    builder = new_builder(execution="queue")

    async def talk(client: Client) -> tuple[list[str], list[str], list[str]]:
        await died_over(client, builder, 7)
        before = [item["task_id"] for item in (await client.get("/api/v1/dead-letters")).json()["items"]]
        added: list[str] = []

        async def change() -> None:
            added.extend(await died_over(client, builder, 2))
            for task_id in (before[1], before[4]):
                assert (await client.delete(f"/api/v1/dead-letters/{task_id}")).status_code == 204

        found = await each_page(client, path, change, **query)
        return before, [item["task_id"] for item in found], added

    before, seen, added = asked(talk, serving(builder))

    assert len(before) == 7
    assert [name for name in seen if name not in added] == [name for name in before if name != before[4]]
    assert len(seen) == len(set(seen))


@on_every_store
def test_a_tenant_reads_his_dead_letters_page_by_page() -> None:
    """Among those of others, which his pages do not count."""
    builder = new_builder(execution="queue")

    async def talk(client: Client) -> tuple[list[str], list[str]]:
        made: dict[str, list[str]] = {"ours": [], "theirs": []}
        for org in ("theirs", "ours", "theirs", "ours", "ours"):
            made[org] += await died_over(client, builder, 1, org)
        client.headers["X-Org"] = "ours"
        return made["ours"], [item["task_id"] for item in await each_page(client, "/api/v1/dead-letters", nothing)]

    ours, seen = asked(talk, serving(builder))

    assert seen == ours


async def nothing() -> None:
    """Change nothing."""


@on_every_store
@pytest.mark.parametrize(("query", "kept"), [({}, 5), ({"level": "ERROR"}, 2), ({"step": "odd"}, 2)])
def test_log_lines_are_read_page_by_page(query: dict[str, Any], kept: int) -> None:
    """Newest first, each once, while others are written."""
    builder = new_builder()

    async def write(workflow_id: str, number: int) -> None:
        level, step = "ERROR" if number % 2 else "INFO", "odd" if number % 2 else "even"
        await builder.persistence.log_execution(workflow_id, step, level, str(number))

    async def talk(client: Client) -> list[str]:
        workflow_id = (await two_workflows(client, {}))[0]
        for number in range(5):
            await write(workflow_id, number)
        path = f"{WORKFLOWS}/{workflow_id}/logs"
        found = await each_page(client, path, lambda: write(workflow_id, 99), **query)
        return [item["message"] for item in found if item["message"].isdigit()]

    seen = asked(talk, serving(builder))

    assert seen == [str(number) for number in range(4, -1, -1) if kept == 5 or number % 2]
    assert len(seen) == kept


@on_every_store
def test_definitions_are_read_page_by_page() -> None:
    """Each version that is there all along once, while others are uploaded and started."""

    async def upload(client: Client, kind: str, version: str) -> None:
        source = (
            f"workflow_type: {kind}\nworkflow_version: {version}\nsteps:\n  - {{name: a, type: RETURN, value: 1}}\n"
        )
        assert (await client.post(DEFINITIONS, json={"source": source})).status_code == 201

    async def talk(client: Client) -> tuple[list[Any], list[Any]]:
        for version in ("1.0.0", "1.1.0", "1.2.0"):
            await upload(client, "Adder", version)
        before = (await client.get(DEFINITIONS)).json()["items"]

        async def change() -> None:
            await upload(client, "Adder", "1.3.0")
            await upload(client, "Aaa", "1.0.0")
            await upload(client, "Zoo", "1.0.0")
            await two_workflows(client, {})  # what only files define is stored now

        return before, await each_page(client, DEFINITIONS, change)

    def name(item: dict[str, Any]) -> tuple[str, str]:
        return item["workflow_type"], item["workflow_version"]

    before, seen = (list(map(name, items)) for items in asked(talk))

    assert [item for item in seen if item in before] == before
    assert [item for item in seen if item not in before] == [("Adder", "1.3.0"), ("Zoo", "1.0.0")]


@on_every_store
def test_a_cursor_survives_the_end_of_its_workflow() -> None:
    """The list goes on where it was, although the last one that was seen is gone."""
    builder = new_builder()

    async def talk(client: Client) -> tuple[list[str], list[str]]:
        made = [*await two_workflows(client, OURS), *await two_workflows(client, OURS)]
        cursor = await cursor_of(client, WORKFLOWS)
        await builder.persistence.delete_workflow(made[-1])
        page = (await client.get(WORKFLOWS, params={"cursor": cursor}, headers=OURS)).json()
        return made, [item["workflow_id"] for item in page["items"]]

    made, seen = asked(talk, serving(builder))

    assert seen == made[2::-1]
