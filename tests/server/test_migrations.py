"""Workflows move to other definitions over HTTP."""

import logging
from typing import Any

import pytest

from tests.support.serving import Client, People, asked, new_app, on_every_store, until

WORKFLOWS = "/api/v1/workflows"
FLOW = """workflow_type: Shop
workflow_version: {version}
steps:
  - {{name: {step}, type: HUMAN_IN_LOOP, task: {step}}}
  - {{name: finish, type: RETURN, value: "{version}"}}
"""


async def upload(client: Client, version: str, step: str = "approve") -> str:
    """Store a version; its digest."""
    body = {"source": FLOW.format(version=version, step=step)}
    answer = await client.post("/api/v1/definitions", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["items"][0]["digest"])


async def waiting(client: Client, **headers: str) -> str:
    """A run of the current version that waits."""
    answer = await client.post(WORKFLOWS, json={"workflow_type": "Shop", "wait_s": 10}, headers=headers)
    assert answer.json()["status"] == "WAITING_HUMAN", answer.text
    return str(answer.json()["workflow_id"])


async def moved(client: Client, workflow_id: str, **body: Any) -> Any:
    answer = await client.post(f"{WORKFLOWS}/{workflow_id}/migrate", json=body)
    return answer.status_code, answer.json()


@on_every_store
def test_a_workflow_that_waits_goes_on_with_another_definition() -> None:
    """Named by its version or by the beginning of its digest; who and why are in the history."""

    async def talk(client: Client) -> tuple[Any, ...]:
        first = await upload(client, "1.0.0")
        made = await waiting(client)
        await upload(client, "1.1.0")
        there = await moved(client, made, to="1.1.0", reason="ticket 4711")
        back = await moved(client, made, to=first[:8])
        history = (await client.get(f"{WORKFLOWS}/{made}/history")).json()["items"]
        await client.post(f"{WORKFLOWS}/{made}/resume", json={"answer": {}})
        return (
            there,
            back,
            [item["note"] for item in history if item["kind"] == "repair"],
            await until(client, made, "COMPLETED"),
        )

    there, back, notes, ended = asked(talk)

    assert (there[0], there[1]["workflow_version"], there[1]["status"]) == (200, "1.1.0", "WAITING_HUMAN")
    assert (back[0], back[1]["workflow_version"], ended["result"]) == (200, "1.0.0", "1.0.0")
    assert [note.endswith(end) for note, end in zip(notes, ("ticket 4711", ""), strict=True)] == [True, True]


def test_a_check_changes_nothing_and_says_all_that_stands_against_it() -> None:
    """What does not fit is refused with the same words."""

    async def talk(client: Client) -> tuple[Any, ...]:
        await upload(client, "1.0.0")
        made = await waiting(client)
        digest = await upload(client, "1.1.0", "sign")
        found = await moved(client, made, to="1.1.0", dry_run=True)
        refused = await moved(client, made, to="1.1.0")
        version = (await client.get(f"{WORKFLOWS}/{made}")).json()["workflow_version"]
        return digest, found, refused, version

    digest, (status, check), (refused, problem), version = asked(talk)

    assert (status, check["movable"], check["stands"], check["to"]["digest"]) == (200, False, ["approve"], digest)
    assert (refused, problem["code"], version) == (409, "repair-refused", "1.0.0")
    assert all(reason in problem["detail"] for reason in check["problems"])


def test_all_that_fit_are_moved_and_the_others_stay() -> None:
    """By the filter; with a plan first, which changes nothing."""

    async def talk(client: Client) -> tuple[Any, ...]:
        await upload(client, "1.0.0")
        first = [await waiting(client) for _ in range(2)]
        await upload(client, "1.1.0", "sign")
        other = await waiting(client)
        await upload(client, "1.2.0")
        wanted = {"workflow_type": "Shop", "to": "1.2.0"}
        plan = (await client.post(f"{WORKFLOWS}/migrate", json={**wanted, "dry_run": True})).json()
        done = (await client.post(f"{WORKFLOWS}/migrate", json={**wanted, "limit": 3})).json()
        again = (
            await client.post(f"{WORKFLOWS}/migrate", json={**wanted, "filter": {"workflow_version": "1.0.0"}})
        ).json()
        return first, other, plan, done, again

    first, other, plan, done, again = asked(talk)

    assert (plan["counts"], plan["finished"]) == ({"planned": 2, "skipped": 1}, True)
    assert {item["workflow_id"]: item["outcome"] for item in done["items"]} == {
        **dict.fromkeys(first, "done"),
        other: "skipped",
    }
    assert [item["reasons"] for item in done["items"] if item["outcome"] == "skipped"] == [
        ["it stands at `sign`, which is not there any more"]
    ]
    assert (again["items"], again["to"]["workflow_version"]) == ([], "1.2.0")


def test_what_another_tenant_has_is_not_there() -> None:
    """One is not found, of many nothing is seen, and nothing is moved."""

    async def talk(client: Client) -> tuple[Any, ...]:
        await upload(client, "1.0.0")
        made = await waiting(client, **{"X-Org": "theirs"})
        await upload(client, "1.1.0")
        ours = {"X-Org": "ours"}
        one = await client.post(f"{WORKFLOWS}/{made}/migrate", json={"to": "1.1.0"}, headers=ours)
        bodies = ({}, {"filter": {"org_id": "theirs"}})
        many = [
            await client.post(
                f"{WORKFLOWS}/migrate", json={"workflow_type": "Shop", "to": "1.1.0", **body}, headers=ours
            )
            for body in bodies
        ]
        version = (await client.get(f"{WORKFLOWS}/{made}")).json()["workflow_version"]
        return one.json()["code"], [item.json()["items"] for item in many], version

    assert asked(talk, new_app(authenticator=People())) == ("workflow-not-found", [[], []], "1.0.0")


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("{made}/migrate", {"to": "9.9.9"}, "unknown-workflow-type"),
        ("{made}/migrate", {}, "invalid-request"),
        ("{ended}/migrate", {"to": "1.1.0"}, "repair-refused"),
        ("{made}/migrate", {"to": "1.0.0"}, "repair-refused"),
        ("3f2a9c41-6a9b-4a55-8a27-0d2f5b1f1a11/migrate", {"to": "1.1.0"}, "workflow-not-found"),
        ("migrate", {"workflow_type": "Ship", "to": "1.1.0"}, "unknown-workflow-type"),
        ("migrate", {"workflow_type": "Shop", "to": "9.9.9"}, "unknown-workflow-type"),
        ("migrate", {"workflow_type": "Shop", "to": "1.1.0", "limit": 1_001}, "invalid-request"),
        ("migrate", {"workflow_type": "Shop", "to": "1.1.0", "filter": {"workflow_type": "X"}}, "invalid-request"),
    ],
)
def test_what_cannot_be_is_a_problem(path: str, body: dict[str, Any], code: str) -> None:
    """Each mistake has its code, and nothing is moved."""

    async def talk(client: Client) -> tuple[str, str]:
        await upload(client, "1.0.0")
        made, ended = await waiting(client), await waiting(client)
        await client.post(f"{WORKFLOWS}/{ended}/cancel", json={})
        await until(client, ended, "CANCELLED")
        await upload(client, "1.1.0")
        answer = await client.post(f"{WORKFLOWS}/{path.format(made=made, ended=ended)}", json=body)
        return answer.json()["code"], (await client.get(f"{WORKFLOWS}/{made}")).json()["workflow_version"]

    assert asked(talk) == (code, "1.0.0")


def test_a_move_is_in_the_log_of_changes(caplog: pytest.LogCaptureFixture) -> None:
    """One line of who has asked; a refused one has none."""
    caplog.set_level(logging.INFO, "ruvon.server.changes")

    async def talk(client: Client) -> None:
        await upload(client, "1.0.0")
        made = await waiting(client)
        await upload(client, "1.1.0")
        await moved(client, made, to="9.9.9")
        await moved(client, made, to="1.1.0")
        await client.post(f"{WORKFLOWS}/migrate", json={"workflow_type": "Shop", "to": "1.0.0"})

    asked(talk)

    told = [record.getMessage().split()[0] for record in caplog.records if record.name == "ruvon.server.changes"]
    assert [name for name in told if name.startswith("migrate")] == ["migrate_workflow", "migrate_workflows"]
