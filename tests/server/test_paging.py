"""Cursors: they say nothing, and are good for one list of one tenant, on every server of the store."""

import asyncio
import base64
from typing import Any

from ruvon.builder import WorkflowBuilder
from tests.support.serving import Client, People, asked, new_app, new_builder, on_every_store, served

WORKFLOWS = "/api/v1/workflows"
KEYS = "/api/v1/keys"
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
