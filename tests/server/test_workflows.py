"""The workflows room over HTTP, in process: every operation on what was started."""

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from ruvon.providers import WorkflowBusyError
from tests.support.serving import Client, asked, new_app, new_builder, until

WORKFLOWS = "/api/v1/workflows"


async def started(
    client: Client, kind: str = "Greeting", data: dict[str, Any] | None = None, **more: Any
) -> dict[str, Any]:
    """A workflow that was started and has come to rest."""
    body = {"workflow_type": kind, "data": data or {}, "wait_s": 10, **more}
    answer = await client.post(WORKFLOWS, json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_list_is_filtered_by_status() -> None:
    """`?status=ACTIVE` lists those alone."""

    async def talk(client: Client) -> tuple[str, list[str]]:
        await started(client)
        active = await started(client, run=False)
        found = (await client.get(WORKFLOWS, params={"status": "ACTIVE"})).json()["items"]
        return active["workflow_id"], [item["workflow_id"] for item in found]

    active, listed = asked(talk)

    assert listed == [active]


def test_a_list_is_filtered_by_metadata() -> None:
    """`?metadata=key:value` finds what was started with it, numbers as numbers."""

    async def talk(client: Client) -> list[int]:
        await started(client, run=False, metadata={"customer": "C-7", "tier": 1})
        await started(client, run=False, metadata={"customer": "C-8", "tier": 1})
        counts = []
        for wanted in (["customer:C-7"], ["tier:1"], ['tier:"1"'], ["customer:C-8", "tier:1"]):
            found = await client.get(WORKFLOWS, params={"metadata": wanted})
            counts.append(len(found.json()["items"]))
        return counts

    assert asked(talk) == [1, 2, 0, 1]


def test_pages_hold_every_workflow_once() -> None:
    """Following `next_cursor` gives all of them, newest first, and ends with none."""

    async def talk(client: Client) -> tuple[list[str], list[str]]:
        made = [(await started(client, run=False))["workflow_id"] for _ in range(5)]
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = (await client.get(WORKFLOWS, params={"limit": 2, **cursor})).json()
            seen += [item["workflow_id"] for item in page["items"]]
            if page["next_cursor"] is None:
                return made, seen
            cursor = {"cursor": page["next_cursor"]}

    made, seen = asked(talk)

    assert sorted(seen) == sorted(made)
    assert len(seen) == len(made)


def test_secrets_are_masked_in_the_state() -> None:
    """The state shows `***` where the model says that a field is secret."""

    async def talk(client: Client) -> dict[str, Any]:
        made = await started(client, data={"number": "A-1", "token": "hunter2"})
        answer = await client.get(f"{WORKFLOWS}/{made['workflow_id']}/state")
        assert "hunter2" not in answer.text
        found: dict[str, Any] = answer.json()
        return found

    state = asked(talk)["state"]

    assert (state["token"], state["lines"]) == ("***", ["one", "two", "three"])


def test_the_current_step_has_the_form_of_its_answer() -> None:
    """A step that asks a person shows the JSON Schema of the answer."""

    async def talk(client: Client) -> dict[str, Any]:
        made = await started(client, "Approval", {"number": "A-1"})
        found: dict[str, Any] = (await client.get(f"{WORKFLOWS}/{made['workflow_id']}/step")).json()
        return found

    found = asked(talk)

    assert (found["kind"], found["status"]) == ("HUMAN_IN_LOOP", "WAITING_HUMAN")
    assert found["input_schema"]["required"] == ["approved"]
    assert found["waiting_for"][0]["name"] == "finance.approve"


def test_an_answer_lets_a_workflow_go_on() -> None:
    """`resume` gives a person's answer and, with `wait_s`, the end."""

    async def talk(client: Client) -> dict[str, Any]:
        made = await started(client, "Approval")
        path = f"{WORKFLOWS}/{made['workflow_id']}/resume"
        answer = await client.post(path, json={"answer": {"approved": True}, "wait_s": 10})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    assert asked(talk)["result"] == "yes"


def test_an_answer_without_patience_is_taken() -> None:
    """Without `wait_s` the answer is 202, and the workflow goes on behind it."""

    async def talk(client: Client) -> tuple[int, dict[str, Any]]:
        made = await started(client, "Approval")
        path = f"{WORKFLOWS}/{made['workflow_id']}/resume"
        answer = await client.post(path, json={"answer": {"approved": False}})
        return answer.status_code, await until(client, made["workflow_id"], "COMPLETED")

    status, found = asked(talk)

    assert (status, found["result"]) == (202, "no")


def test_an_answer_that_does_not_fit_is_refused_with_its_field() -> None:
    """The workflow keeps waiting, and the problem names what is wrong."""

    async def talk(client: Client) -> tuple[int, dict[str, Any], str]:
        made = await started(client, "Approval")
        path = f"{WORKFLOWS}/{made['workflow_id']}"
        answer = await client.post(f"{path}/resume", json={"answer": {"approved": "perhaps"}})
        return answer.status_code, answer.json(), (await client.get(path)).json()["status"]

    code, problem, status = asked(talk)

    assert (code, problem["code"], status) == (422, "invalid-input", "WAITING_HUMAN")
    assert "approved" in problem["errors"][0]["detail"]


def test_a_signal_is_received() -> None:
    """`signal` with its key lets the workflow that waits for it go on."""

    async def talk(client: Client) -> dict[str, Any]:
        made = await started(client, "Payment", {"number": "A-1"})
        body = {"name": "Paid", "payload": {"amount": 12}, "key": "A-1"}
        answer = await client.post(f"{WORKFLOWS}/{made['workflow_id']}/signal", json=body)
        assert answer.status_code == 202, answer.text
        return await until(client, made["workflow_id"], "COMPLETED")

    assert asked(talk)["result"] == 12


def test_a_cancelled_workflow_ends_with_its_reason() -> None:
    """`cancel` ends it, and the error says why and by whom."""

    async def talk(client: Client) -> dict[str, Any]:
        made = await started(client, "Approval")
        answer = await client.post(f"{WORKFLOWS}/{made['workflow_id']}/cancel", json={"reason": "ordered twice"})
        assert answer.status_code == 202, answer.text
        return await until(client, made["workflow_id"], "CANCELLED")

    assert asked(talk)["error"] == "cancelled: ordered twice (by local)"


def test_an_ended_workflow_is_not_cancelled() -> None:
    """It is answered with a conflict of its own code."""

    async def talk(client: Client) -> tuple[int, str]:
        made = await started(client)
        answer = await client.post(f"{WORKFLOWS}/{made['workflow_id']}/cancel", json={})
        return answer.status_code, answer.json()["code"]

    assert asked(talk) == (409, "workflow-finished")


def test_a_failed_workflow_is_retried(tmp_path: Path) -> None:
    """`retry` goes on where it failed; what is done is not done again."""
    switch = tmp_path / "up"

    async def talk(client: Client) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        failed = await started(client, "Fragile", {"switch": str(switch)})
        switch.touch()
        path = f"{WORKFLOWS}/{failed['workflow_id']}"
        done = (await client.post(f"{path}/retry", json={"wait_s": 10, "reason": "it is back"})).json()
        return failed, done, (await client.get(f"{path}/state")).json()

    failed, done, state = asked(talk)

    assert failed["status"] == "FAILED"
    assert "the service is down" in failed["error"]
    assert done["result"] == "done"
    assert state["state"]["lines"] == ["before", "after"]


def test_a_retry_from_a_step_goes_on_behind_the_answer(tmp_path: Path) -> None:
    """`POST /api/v1/workflows/{id}/retry` takes `from_step`; without `wait_s` it is answered at once."""
    switch = tmp_path / "up"

    async def talk(client: Client) -> tuple[int, dict[str, Any], dict[str, Any]]:
        failed = await started(client, "Fragile", {"switch": str(switch)})
        switch.touch()
        path = f"{WORKFLOWS}/{failed['workflow_id']}"
        answer = await client.post(f"{path}/retry", json={"from_step": "note"})
        done = await until(client, failed["workflow_id"], "COMPLETED", "FAILED")
        return answer.status_code, done, (await client.get(f"{path}/state")).json()

    status, done, state = asked(talk)

    assert (status, done["status"]) == (202, "COMPLETED")
    assert state["state"]["lines"] == ["before", "before", "after"]


def test_a_workflow_that_has_not_failed_is_not_retried() -> None:
    """It is answered with a conflict."""

    async def talk(client: Client) -> tuple[int, str]:
        made = await started(client, "Approval")
        answer = await client.post(f"{WORKFLOWS}/{made['workflow_id']}/retry", json={})
        return answer.status_code, answer.json()["code"]

    assert asked(talk) == (409, "repair-refused")


def test_a_dry_rewind_says_what_would_be_undone() -> None:
    """Nothing is changed by it."""

    async def talk(client: Client) -> tuple[dict[str, Any], str]:
        made = await started(client, "Undoable")
        path = f"{WORKFLOWS}/{made['workflow_id']}"
        plan = (await client.post(f"{path}/rewind", json={"to": "note", "dry_run": True})).json()
        return plan, (await client.get(path)).json()["status"]

    plan, status = asked(talk)

    assert (plan["step"], plan["undone"], status) == ("note", ["note"], "WAITING_HUMAN")


def test_a_rewound_workflow_goes_on_with_changed_fields() -> None:
    """`rewind` undoes, changes the state, and with `run` goes on."""

    async def talk(client: Client) -> dict[str, Any]:
        made = await started(client, "Undoable")
        path = f"{WORKFLOWS}/{made['workflow_id']}"
        answer = await client.post(f"{path}/rewind", json={"to": "note", "state": {"number": "B-2"}, "run": True})
        assert answer.status_code == 200, answer.text
        await until(client, made["workflow_id"], "WAITING_HUMAN")
        found: dict[str, Any] = (await client.get(f"{path}/state")).json()
        return found

    state = asked(talk)["state"]

    assert (state["number"], state["lines"]) == ("B-2", ["one"])


def test_a_fork_is_a_new_workflow() -> None:
    """The old one is left alone."""

    async def talk(client: Client) -> tuple[str, dict[str, Any]]:
        made = await started(client, data={"number": "A-1"})
        path = f"{WORKFLOWS}/{made['workflow_id']}"
        answer = await client.post(f"{path}/fork", json={"to": "note_2", "state": {"number": "C"}, "run": True})
        assert answer.status_code == 201, answer.text
        return made["workflow_id"], await until(client, answer.json()["workflow_id"], "COMPLETED")

    old, new = asked(talk)

    assert new["workflow_id"] != old
    assert new["result"] == "hello C"


def test_a_jump_stands_at_another_step() -> None:
    """Nothing runs until it goes on."""

    async def talk(client: Client) -> dict[str, Any]:
        made = await started(client, run=False)
        answer = await client.post(f"{WORKFLOWS}/{made['workflow_id']}/jump", json={"step": "note_3"})
        found: dict[str, Any] = answer.json()
        return found

    assert asked(talk)["current_step"] == "note_3"


def test_the_singular_path_is_an_alias() -> None:
    """`/api/v1/workflow/{id}` answers the same, and no document has it."""

    async def talk(client: Client) -> tuple[Any, Any, list[str]]:
        made = await started(client)
        both = [await client.get(f"/api/v1/{name}/{made['workflow_id']}") for name in ("workflow", "workflows")]
        document = (await client.get("/openapi.json")).json()
        return both[0].json(), both[1].json(), list(document["paths"])

    one, other, paths = asked(talk)

    assert one == other
    assert not [path for path in paths if path.startswith("/api/v1/workflow/")]


def test_an_unknown_id_is_not_there() -> None:
    """Every operation on one workflow answers 404 with its code."""

    async def talk(client: Client) -> set[tuple[int, str]]:
        path = f"{WORKFLOWS}/{uuid4()}"
        answers = [await client.get(f"{path}{rest}") for rest in ("", "/state", "/step")]
        for name, body in (
            ("next", {}),
            ("resume", {}),
            ("signal", {"name": "Paid"}),
            ("cancel", {}),
            ("retry", {}),
            ("rewind", {"to": "note"}),
            ("fork", {"to": "note"}),
            ("jump", {"step": "note"}),
        ):
            answers.append(await client.post(f"{path}/{name}", json=body))
        return {(answer.status_code, answer.json()["code"]) for answer in answers}

    assert asked(talk) == {(404, "workflow-not-found")}


def test_an_unknown_type_is_not_there() -> None:
    """The problem names the types that are near."""

    async def talk(client: Client) -> tuple[int, str, str]:
        answer = await client.post(WORKFLOWS, json={"workflow_type": "Greetings"})
        return answer.status_code, answer.json()["code"], answer.json()["detail"]

    status, code, detail = asked(talk)

    assert (status, code) == (404, "unknown-workflow-type")
    assert "did you mean `Greeting`?" in detail


def test_data_that_does_not_fit_is_refused_with_its_fields() -> None:
    """Each field that does not fit is an item of the problem."""

    async def talk(client: Client) -> tuple[int, str, str]:
        body = {"workflow_type": "Greeting", "data": {"amount": "many"}}
        answer = await client.post(WORKFLOWS, json=body)
        return answer.status_code, answer.json()["code"], answer.json()["errors"][0]["detail"]

    status, code, detail = asked(talk)

    assert (status, code) == (422, "invalid-initial-data")
    assert "amount" in detail


def test_a_dry_bulk_says_what_would_happen() -> None:
    """Nothing is done by it."""

    async def talk(client: Client) -> tuple[Any, str]:
        made = await started(client, "Approval")
        body = {"action": "cancel", "filter": {"workflow_type": "Approval"}, "dry_run": True}
        answer = await client.post(f"{WORKFLOWS}/bulk", json=body)
        return answer.json(), (await client.get(f"{WORKFLOWS}/{made['workflow_id']}")).json()["status"]

    report, status = asked(talk)

    assert (report["counts"], report["finished"], status) == ({"planned": 1}, True, "WAITING_HUMAN")


def test_a_bulk_does_one_thing_with_all_that_fit() -> None:
    """Those that do not fit are left alone, those that the action does not fit are skipped."""

    async def talk(client: Client) -> tuple[dict[str, int], list[str]]:
        for kind in ("Approval", "Approval", "Greeting"):
            await started(client, kind, metadata={"batch": "b"})
        await started(client, "Approval")
        answer = await client.post(
            f"{WORKFLOWS}/bulk", json={"action": "cancel", "filter": {"metadata": {"batch": "b"}}}
        )
        listed = (await client.get(WORKFLOWS)).json()["items"]
        return answer.json()["counts"], sorted(item["status"] for item in listed)

    counts, statuses = asked(talk)

    assert counts == {"done": 2, "skipped": 1}
    assert statuses == ["CANCELLED", "CANCELLED", "COMPLETED", "WAITING_HUMAN"]


def test_a_bulk_signal_takes_a_name() -> None:
    """A request that is not whole is refused before anything is done."""

    async def talk(client: Client) -> tuple[int, str]:
        answer = await client.post(f"{WORKFLOWS}/bulk", json={"action": "signal", "filter": {}})
        return answer.status_code, answer.json()["detail"]

    status, detail = asked(talk)

    assert status == 422
    assert "a signal takes `name`" in detail


def failing_builder(tmp_path: Path, busy: int) -> tuple[Any, Path]:
    """A builder whose store refuses the next so many turns once the file is there that lets workflows go on."""
    builder, switch = new_builder(), tmp_path / "up"
    hold, refused = builder.persistence.hold, [busy]

    async def sometimes(workflow_id: UUID) -> Any:
        if switch.exists() and refused[0] > 0:
            refused[0] -= 1
            raise WorkflowBusyError(workflow_id)
        return await hold(workflow_id)

    builder.persistence.hold = sometimes  # type: ignore[method-assign]
    return builder, switch


@pytest.mark.parametrize(("busy", "status"), [(2, 200), (10_000, 409)])
def test_a_repair_waits_a_moment_for_whoever_lets_go(tmp_path: Path, busy: int, status: int) -> None:
    """A driver that has just ended a workflow may still hold it; one that keeps it is told as a conflict."""
    builder, switch = failing_builder(tmp_path, busy)

    async def talk(client: Client) -> tuple[int, str | None]:
        failed = await started(client, "Fragile", {"switch": str(switch)})
        switch.touch()
        answer = await client.post(f"{WORKFLOWS}/{failed['workflow_id']}/retry", json={"wait_s": 10})
        return answer.status_code, answer.headers.get("Retry-After")

    assert asked(talk, new_app(builder)) == (status, None if status == 200 else "1")
