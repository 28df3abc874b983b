"""Claims of human tasks whose tasks end where nobody looks at claims."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from ruvon import human, workflow
from ruvon.builder import BulkPurge, WorkflowBuilder
from ruvon.providers import InstanceFilter, WorkflowNotFoundError
from ruvon_server.rooms.human_tasks import claims
from tests.support.hand_clock import HandClock
from tests.support.server_flows import Order
from tests.support.serving import Client, People, asked, new_app, new_builder, on_every_store, until

TASKS = "/api/v1/human-tasks"
WORKFLOWS = "/api/v1/workflows"
YES = {"answer": {"approved": True}}
End = Callable[[Client, WorkflowBuilder, str], Awaitable[Any]]


class Said(BaseModel):
    """What a person says."""

    approved: bool


@workflow("Impatient", version="1.0.0")
async def impatient(state: Order) -> str:
    try:
        await human("asked.once", form=Said, timeout=timedelta(days=1))
    except TimeoutError:
        await human("asked.twice", form=Said)
    return state.number


@pytest.fixture(autouse=True)
def _one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """All claims lie beside each other."""
    monkeypatch.setattr(claims, "_DOCUMENTS", 1)


async def claimed(client: Client, who: str = "anna", kind: str = "Approval") -> dict[str, Any]:
    """The task of a new workflow, which somebody has claimed."""
    made = (await client.post(WORKFLOWS, json={"workflow_type": kind, "wait_s": 10})).json()
    items = (await client.get(TASKS)).json()["items"]
    task: dict[str, Any] = next(item for item in items if item["workflow_id"] == made["workflow_id"])
    answer = await client.post(f"{TASKS}/{task['task_id']}/claim", headers={"X-Who": who})
    assert answer.status_code == 200, answer.text
    return task


async def stored(builder: WorkflowBuilder) -> set[str]:
    """The workflows that have claims in the store."""
    try:
        return set((await builder.persistence.load_workflow("ruvon.server.claims.0"))["claims"])
    except WorkflowNotFoundError:
        return set()


async def cancelled(client: Client, _: WorkflowBuilder, workflow_id: str) -> None:
    await client.post(f"{WORKFLOWS}/{workflow_id}/cancel", json={})
    await until(client, workflow_id, "CANCELLED")


async def resumed(client: Client, _: WorkflowBuilder, workflow_id: str) -> None:
    await client.post(f"{WORKFLOWS}/{workflow_id}/resume", json={**YES, "wait_s": 10})


async def elsewhere(_: Client, builder: WorkflowBuilder, workflow_id: str) -> None:
    flow = await builder.load_workflow(workflow_id)
    await flow.answer({"approved": True})


async def deleted(client: Client, builder: WorkflowBuilder, workflow_id: str) -> None:
    await elsewhere(client, builder, workflow_id)
    report = await builder.bulk(InstanceFilter(statuses=("COMPLETED",)), BulkPurge())
    assert [item.workflow_id for item in report.items] == [workflow_id]


@on_every_store
@pytest.mark.parametrize("end", [cancelled, resumed, elsewhere, deleted])
def test_a_claim_does_not_outlive_its_task_for_long(end: End) -> None:
    """The next one who claims a task beside it takes it out of the store; what still waits is kept."""
    builder = new_builder()

    async def talk(client: Client) -> tuple[bool, bool]:
        over, kept = await claimed(client), await claimed(client, "bob")
        before = await stored(builder) == {over["workflow_id"], kept["workflow_id"]}
        await end(client, builder, over["workflow_id"])
        made = await claimed(client, "carl")
        return before, await stored(builder) == {kept["workflow_id"], made["workflow_id"]}

    assert asked(talk, new_app(builder, authenticator=People())) == (True, True)


@on_every_store
def test_a_claim_ends_with_the_patience_for_an_answer() -> None:
    """The workflow goes on and asks something else, which nobody has."""
    clock = HandClock()
    builder = new_builder(clock=clock)
    builder.register(impatient)

    async def talk(client: Client) -> tuple[list[Any], bool]:
        task = await claimed(client, kind="Impatient")
        clock.advance(86_400_000_000)
        await (await builder.load_workflow(task["workflow_id"])).run()
        tasks = [(item["name"], item["claimed_by"]) for item in (await client.get(TASKS)).json()["items"]]
        made = await claimed(client)
        return tasks, await stored(builder) == {made["workflow_id"]}

    assert asked(talk, new_app(builder, authenticator=People())) == ([("asked.twice", None)], True)


@on_every_store
def test_the_last_claim_leaves_nothing() -> None:
    """Not even an empty document."""
    builder = new_builder()

    async def talk(client: Client) -> tuple[int, set[str]]:
        task = await claimed(client)
        before = len(await stored(builder))
        answer = await client.post(f"{TASKS}/{task['task_id']}/answer", json=YES, headers={"X-Who": "anna"})
        assert answer.status_code == 200, answer.text
        return before, await stored(builder)

    assert asked(talk, new_app(builder, authenticator=People())) == (1, set())


@on_every_store
def test_a_question_that_is_asked_again_is_nobodys() -> None:
    """It was answered by another way and then rewound: whoever had it has it no more, and somebody else may take it."""

    async def talk(client: Client) -> tuple[bool, Any, int]:
        task = await claimed(client)
        run, path = f"{WORKFLOWS}/{task['workflow_id']}", f"{TASKS}/{task['task_id']}"
        await client.post(f"{run}/resume", json={**YES, "wait_s": 10})
        await client.post(f"{run}/rewind", json={"to": task["step"]})
        await until(client, task["workflow_id"], "WAITING_HUMAN")
        again = (await client.get(path)).json()
        taken = await client.post(f"{path}/claim", headers={"X-Who": "bob"})
        return again["wait_id"] == task["wait_id"], again["claimed_by"], taken.status_code

    assert asked(talk, new_app(authenticator=People())) == (True, None, 200)


@on_every_store
def test_a_task_that_is_answered_while_it_is_looked_at_is_not_claimed() -> None:
    """Whoever claims it has seen that it waits, and looks for answers when the workflow has taken the only one."""
    builder = new_builder()

    async def talk(client: Client) -> tuple[int, list[str]]:
        made = (await client.post(WORKFLOWS, json={"workflow_type": "Approval", "wait_s": 10})).json()
        (task,) = (await client.get(TASKS)).json()["items"]
        store, looks = builder.persistence, []
        read = store.read_inbox

        async def looked(workflow_id: UUID, /, *, after: int = 0) -> Any:
            looks.append(workflow_id)
            if len(looks) == 2:  # the first look is before it has the turn
                await elsewhere(client, builder, made["workflow_id"])
            return await read(workflow_id, after=after)

        store.read_inbox = looked  # type: ignore[method-assign]
        answer = await client.post(f"{TASKS}/{task['task_id']}/claim", headers={"X-Who": "anna"})
        store.read_inbox = read  # type: ignore[method-assign]
        return answer.status_code, list(await stored(builder))

    assert asked(talk, new_app(builder, authenticator=People())) == (404, [])
