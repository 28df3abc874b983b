"""Starting workflows over HTTP, in process: answers, dry runs, idempotency keys, and who goes on with them."""

from typing import Any

import pytest

from tests.server.test_workflows import WORKFLOWS, started
from tests.support.serving import Client, People, asked, new_app, new_builder, until


def test_a_start_that_waits_answers_with_the_result() -> None:
    """`wait_s` gives the end of a workflow that ends in that time."""
    found = asked(lambda client: started(client, data={"number": "A-1"}))

    assert (found["status"], found["result"]) == ("COMPLETED", "hello A-1")


def test_a_dry_run_of_a_start_starts_nothing() -> None:
    """It says which definition would be started; no workflow is there, and the key is free."""

    async def talk(client: Client) -> tuple[int, Any, list[Any], int]:
        body = {"workflow_type": "Greeting", "data": {"number": "A-1"}, "idempotency_key": "k", "wait_s": 10}
        answer = await client.post(WORKFLOWS, json={**body, "dry_run": True})
        listed = (await client.get(WORKFLOWS)).json()["items"]
        return answer.status_code, answer.json(), listed, (await client.post(WORKFLOWS, json=body)).status_code

    status, plan, listed, later = asked(talk)

    assert (status, listed, later) == (200, [], 201)
    assert (plan["workflow_type"], plan["workflow_version"], plan["dry_run"]) == ("Greeting", "1.0.0", True)
    assert len(plan["digest"]) == 64


@pytest.mark.parametrize(
    ("body", "headers", "code"),
    [
        ({"data": {"number": []}}, {}, "invalid-initial-data"),
        ({"workflow_type": "Greting"}, {}, "unknown-workflow-type"),
        ({"version": "9.9.9"}, {}, "unknown-workflow-type"),
        ({"org_id": "theirs"}, {"X-Org": "ours"}, "other-tenant"),
    ],
)
def test_a_dry_run_of_a_start_is_refused_like_the_start(body: Any, headers: dict[str, str], code: str) -> None:
    """With the same problem."""

    async def talk(client: Client) -> list[Any]:
        wanted = {"workflow_type": "Greeting", **body}
        given = (wanted, {**wanted, "dry_run": True})
        return [(await client.post(WORKFLOWS, json=body, headers=headers)).json() for body in given]

    start, dry = asked(talk, new_app(authenticator=People()))

    assert (start["code"], dry) == (code, start)


def test_fields_that_the_state_does_not_have_are_refused() -> None:
    """In the words of the command line, with the field that is written most like it; nothing is started or planned."""

    async def talk(client: Client) -> tuple[list[Any], list[Any]]:
        wanted = {"workflow_type": "Greeting", "data": {"nummer": "A-1", "amount": 1}}
        plan = {**wanted, "name": "weekly", "cron": "0 9 * * MON"}
        asked_for = ((WORKFLOWS, wanted), (WORKFLOWS, {**wanted, "dry_run": True}), ("/api/v1/schedules", plan))
        answers = [(await client.post(path, json=body)).json() for path, body in asked_for]
        left = [(await client.get(path)).json()["items"] for path in (WORKFLOWS, "/api/v1/schedules")]
        return [(answer["code"], [item["detail"] for item in answer["errors"]]) for answer in answers], left

    told, left = asked(talk)

    words = "there is no field `nummer`; did you mean `number`? the fields are `amount`, `lines`, `number`, `switch`, `token`"
    assert told == [("invalid-initial-data", [words])] * 3
    assert left == [[], []]


def test_everything_that_can_go_on_is_let_go() -> None:
    """What was never let go ends or waits, what waits for somebody is left alone, and the second time there is nothing."""

    async def talk(client: Client) -> tuple[set[Any], set[Any], list[Any]]:
        await started(client, "Approval")
        data = {"switch": "/nowhere"}
        made = [await started(client, kind, data, run=False) for kind in ("Greeting", "Approval", "Fragile")]
        done, again = [(await client.post(f"{WORKFLOWS}/resume")).json() for _ in range(2)]
        stands = {(item["workflow_id"], item["status"], item["driven"], item["problem"]) for item in done["items"]}
        kinds = ("COMPLETED", "WAITING_HUMAN", "FAILED")
        wanted = {(item["workflow_id"], status, False, "") for item, status in zip(made, kinds, strict=True)}
        return stands, wanted, [done["finished"], again]

    stands, wanted, rest = asked(talk)

    assert stands == wanted
    assert rest == [True, {"items": [], "finished": True}]


def test_a_tenant_lets_only_his_own_go_on() -> None:
    """What others have stands where it stood, and nothing is said of it."""

    async def talk(client: Client) -> tuple[Any, list[str]]:
        made = [await started_for(client, org) for org in ("ours", "theirs")]
        done = (await client.post(f"{WORKFLOWS}/resume", headers={"X-Org": "ours"})).json()["items"]
        shown = [(await client.get(f"{WORKFLOWS}/{item}")).json()["status"] for item in made]
        return [item["workflow_id"] == made[0] for item in done], shown

    assert asked(talk, new_app(authenticator=People())) == ([True], ["COMPLETED", "ACTIVE"])


async def started_for(client: Client, org: str) -> str:
    """A workflow of an organisation that nobody drives."""
    body = {"workflow_type": "Greeting", "run": False}
    return str((await client.post(WORKFLOWS, json=body, headers={"X-Org": org})).json()["workflow_id"])


def test_a_start_says_where_the_workflow_is() -> None:
    """The header Location is the path of the new workflow."""

    async def talk(client: Client) -> tuple[str, str]:
        answer = await client.post(WORKFLOWS, json={"workflow_type": "Greeting", "run": False})
        return answer.headers["Location"], answer.json()["workflow_id"]

    location, workflow_id = asked(talk)

    assert location == f"{WORKFLOWS}/{workflow_id}"


def test_a_start_goes_on_behind_the_answer() -> None:
    """Without `wait_s` the workflow is driven although nobody waits for it."""

    async def talk(client: Client) -> dict[str, Any]:
        made = (await client.post(WORKFLOWS, json={"workflow_type": "Greeting"})).json()
        return await until(client, made["workflow_id"], "COMPLETED")

    assert asked(talk)["result"] == "hello "


def test_a_worker_in_the_process_goes_on_with_what_is_queued() -> None:
    """With an executor that queues, the server's own worker drives what was started."""

    async def talk(client: Client) -> dict[str, Any]:
        made = (await client.post(WORKFLOWS, json={"workflow_type": "Greeting"})).json()
        return await until(client, made["workflow_id"], "COMPLETED")

    assert asked(talk, new_app(new_builder(execution="queue"), worker=True))["result"] == "hello "


def test_nothing_of_a_workflow_runs_unasked() -> None:
    """With `run: false` it stands at its first step until `next`."""

    async def talk(client: Client) -> tuple[dict[str, Any], dict[str, Any]]:
        made = await started(client, run=False)
        answer = await client.post(f"{WORKFLOWS}/{made['workflow_id']}/next", json={})
        return made, answer.json()

    before, after = asked(talk)

    assert (before["status"], before["current_step"]) == ("ACTIVE", "note")
    assert after["status"] == "COMPLETED"


def test_a_second_start_with_the_same_key_makes_nothing() -> None:
    """It answers 200 with what the first one has made."""

    async def talk(client: Client) -> tuple[int, str, int, str]:
        body = {"workflow_type": "Greeting", "idempotency_key": "order-1"}
        first = await client.post(WORKFLOWS, json=body)
        second = await client.post(WORKFLOWS, json=body)
        return first.status_code, first.json()["workflow_id"], second.status_code, second.json()["workflow_id"]

    first, one, second, other = asked(talk)

    assert (first, second) == (201, 200)
    assert one == other


def test_the_key_may_be_a_header() -> None:
    """`Idempotency-Key` counts like the field."""

    async def talk(client: Client) -> set[str]:
        headers = {"Idempotency-Key": "order-2"}
        answers = [await client.post(WORKFLOWS, json={"workflow_type": "Greeting"}, headers=headers) for _ in range(2)]
        return {answer.json()["workflow_id"] for answer in answers}

    assert len(asked(talk)) == 1


def test_a_key_of_another_request_is_refused() -> None:
    """A key that another type was started with is a mistake of the caller."""

    async def talk(client: Client) -> tuple[int, str]:
        await client.post(WORKFLOWS, json={"workflow_type": "Greeting", "idempotency_key": "k"})
        answer = await client.post(WORKFLOWS, json={"workflow_type": "Approval", "idempotency_key": "k"})
        return answer.status_code, answer.json()["code"]

    assert asked(talk) == (422, "idempotency-key-reused")
