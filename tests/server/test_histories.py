"""The histories room: histories, logs, and numbers of one workflow and of all."""

from typing import Any
from uuid import uuid4

import pytest

from ruvon.engine._repair import audit_note, audit_words
from tests.support.serving import Client, People, asked, new_app, new_builder, on_every_store

WORKFLOWS = "/api/v1/workflows"


async def started(client: Client, kind: str = "Greeting", headers: dict[str, str] | None = None, **more: Any) -> str:
    """The path of a workflow that has come to rest."""
    body = {"workflow_type": kind, "data": {"switch": "/nowhere"}, "wait_s": 10, **more}
    answer = await client.post(WORKFLOWS, json=body, headers=headers)
    return f"{WORKFLOWS}/{answer.json()['workflow_id']}"


async def got(client: Client, path: str, **query: Any) -> Any:
    """What a path answers."""
    answer = await client.get(path, params=query or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


@on_every_store
def test_a_history_is_read_in_pages() -> None:
    """The pages together are the whole, oldest first."""

    async def talk(client: Client) -> tuple[list[int], list[int]]:
        path = f"{await started(client)}/history"
        whole = await got(client, path)
        seen: list[int] = []
        page = await got(client, path, limit=2)
        seen += [item["seq"] for item in page["items"]]
        while page["next_cursor"]:
            page = await got(client, path, limit=2, cursor=page["next_cursor"])
            seen += [item["seq"] for item in page["items"]]
        return [item["seq"] for item in whole["items"]], seen

    whole, seen = asked(talk)

    assert len(whole) > 3
    assert seen == whole == sorted(whole)


@on_every_store
def test_a_repair_is_told_with_its_actor_and_reason() -> None:
    """Who asked for it and why are fields of the entry."""

    async def talk(client: Client) -> Any:
        path = await started(client, "Fragile")
        await client.post(f"{path}/retry", json={"reason": "the service: it is back", "wait_s": 5})
        return (await got(client, f"{path}/history"))["items"]

    repair = next(item for item in asked(talk, new_app(authenticator=People())) if item["kind"] == "repair")

    assert (repair["actor"], repair["reason"], repair["level"]) == ("anna", "the service: it is back", "WARNING")


@pytest.mark.parametrize(
    ("actor", "reason"),
    [("anna", ""), ("anna", "why: because"), ("a link of bob", "by mail"), ("anna", "two\nlines"), ("auth0:7", "why")],
)
def test_who_and_why_are_read_as_they_were_written(actor: str, reason: str) -> None:
    """What `audit_note` writes `audit_words` reads."""
    assert audit_words(f"migrate 1.0.0 -> 2.0.0{audit_note(actor, reason)}") == (actor, reason or None)


def test_a_note_without_an_actor_has_none() -> None:
    """Nothing is made up."""
    assert audit_words("retry") == (None, None)


@on_every_store
def test_a_secret_is_not_in_the_history() -> None:
    """Values are masked as everywhere."""

    async def talk(client: Client) -> str:
        path = await started(client, data={"token": "hunter2"})
        return (await client.get(f"{path}/history")).text

    assert "hunter2" not in asked(talk)


@on_every_store
def test_logs_are_narrowed() -> None:
    """By level, step and number; newest first."""
    builder = new_builder()
    wanted = {
        "": ["four", "three", "two"],
        "level=DEBUG": ["four", "three", "two", "one"],
        "level=WARNING": ["four", "three"],
        "limit=1": ["four"],
        "step=pack": ["three"],
    }

    async def talk(client: Client) -> dict[str, list[str]]:
        path = await started(client)
        workflow_id = path.rpartition("/")[2]
        for step, level, message in (
            ("note", "DEBUG", "one"),
            ("note", "INFO", "two"),
            ("pack", "WARNING", "three"),
            ("note", "ERROR", "four"),
        ):
            await builder.persistence.log_execution(workflow_id, step, level, message)
        found = {query: (await got(client, f"{path}/logs?{query}"))["items"] for query in wanted}
        return {query: [item["message"] for item in items] for query, items in found.items()}

    assert asked(talk, new_app(builder)) == wanted


@on_every_store
def test_who_has_started_a_workflow_is_in_its_metadata() -> None:
    """With the reason, in the commit that makes it; neither a second request nor what the first one says of itself changes that."""

    async def talk(client: Client) -> Any:
        first, again = [
            await started(
                client,
                "Approval",
                idempotency_key="a-1",
                metadata={"started_by": "ann", "started_why": "for fun"},
                reason=f"{who} was asked",
                headers={"X-Who": who},
            )
            for who in ("bob", "eve")
        ]
        assert first == again
        listed = await got(client, "/api/v1/workflows?metadata=started_by:bob")
        assert [item["workflow_id"] for item in listed["items"]] == [first.rpartition("/")[2]]
        return (await got(client, first))["metadata"]

    assert asked(talk, new_app(authenticator=People())) == {
        "started_by": "bob",
        "started_why": "bob was asked",
    }


@on_every_store
def test_a_signal_is_in_the_logs_with_its_actor_and_reason() -> None:
    """Who has sent it and why are fields of the line."""

    async def talk(client: Client) -> Any:
        path = await started(client, "Payment")
        body = {"name": "Paid", "payload": {"amount": 1}, "reason": "by cheque"}
        assert (await client.post(f"{path}/signal", json=body)).status_code == 202
        return (await got(client, f"{path}/logs"))["items"][0]

    line = asked(talk, new_app(authenticator=People()))

    assert (line["message"], line["actor"], line["reason"]) == (
        "signal Paid sent by anna: by cheque",
        "anna",
        "by cheque",
    )


@on_every_store
def test_an_answer_is_in_the_logs_with_its_actor_and_reason() -> None:
    """Who has sent it and why are fields of the line."""

    async def talk(client: Client) -> Any:
        path = await started(client, "Approval")
        await client.post(f"{path}/resume", json={"answer": {"approved": True}, "reason": "fine", "wait_s": 5})
        return (await got(client, f"{path}/logs"))["items"]

    items = asked(talk, new_app(authenticator=People()))
    line = next(item for item in items if item["message"].startswith("answer"))

    assert (line["actor"], line["reason"]) == ("anna", "fine")


@on_every_store
def test_the_numbers_of_a_workflow_are_those_of_its_steps() -> None:
    """The run itself first, then its steps."""

    async def talk(client: Client) -> Any:
        return (await got(client, f"{await started(client)}/metrics"))["steps"]

    rows = asked(talk)

    assert (rows[0]["step"], rows[0]["completed"]) == (None, 1)
    assert sum(row["completed"] for row in rows[1:]) == 3


@on_every_store
def test_the_numbers_of_all_have_counts_throughput_and_times() -> None:
    """By status, of the window, and by step."""

    async def talk(client: Client) -> Any:
        for kind in ("Greeting", "Greeting", "Approval", "Fragile"):
            await started(client, kind)
        return await got(client, "/api/v1/metrics", window_s=100)

    found = asked(talk)

    assert found["counts"] == {"COMPLETED": 2, "WAITING_HUMAN": 1, "FAILED": 1}
    assert (found["throughput"]["started"], found["throughput"]["completed"], found["throughput"]["failed"]) == (
        4,
        2,
        1,
    )
    assert found["throughput"]["completed_per_s"] == 0.02
    assert found["runs_counted"] == 4
    assert {row["workflow_type"] for row in found["steps"]} == {"Greeting", "Approval", "Fragile"}


@on_every_store
def test_a_tenant_gets_the_numbers_of_his_own() -> None:
    """Others' workflows count nowhere."""

    async def talk(client: Client) -> Any:
        await started(client, org_id="ours")
        await started(client, "Approval", org_id="theirs")
        return (await client.get("/api/v1/metrics", headers={"X-Org": "ours"})).json()

    found = asked(talk, new_app(authenticator=People()))

    assert (found["counts"], found["runs_counted"], found["throughput"]["started"]) == ({"COMPLETED": 1}, 1, 1)


@on_every_store
@pytest.mark.parametrize("rest", ["history", "logs", "metrics"])
def test_a_workflow_of_another_tenant_is_not_there(rest: str) -> None:
    """It is answered like an id that nobody has."""

    async def talk(client: Client) -> list[tuple[int, str]]:
        path = await started(client, org_id="ours")
        answers = [
            await client.get(f"{path}/{rest}", headers={"X-Org": "theirs"}),
            await client.get(f"{WORKFLOWS}/{uuid4()}/{rest}"),
        ]
        return [(item.status_code, item.json()["code"]) for item in answers]

    assert asked(talk, new_app(authenticator=People())) == [(404, "workflow-not-found")] * 2
