"""What a receiver gets: events, signatures, repetitions in the published schedule, and an end where it wants none."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from ruvon_server.webhooks import WebhookVerificationError
from tests.support.hand_clock import HandClock
from tests.support.hooks import HOOKS, Receiver, hooked, made, receiving, settled, tried
from tests.support.http_server import Asked, answer
from tests.support.serving import Client, asked

WORKFLOWS = "/api/v1/workflows"
SCHEDULE_S = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400]
"""The waits behind the attempts, as the specification's example and the page about webhooks have them."""


async def start(client: Client, kind: str = "Greeting", **more: Any) -> str:
    answered = await client.post(WORKFLOWS, json={"workflow_type": kind, "wait_s": 10, **more})
    assert answered.status_code in {200, 201, 202}, answered.text
    found: str = answered.json()["workflow_id"]
    return found


def moment_s(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_what_happens_is_told_signed_and_in_its_form() -> None:
    """Three headers, a body of type, timestamp and data; each event once."""
    clock = HandClock()

    async def talk(client: Client) -> Any:
        hook = await made(client, receiver.url, events=["workflow.started", "workflow.completed"])
        workflow_id = await start(client)
        await settled(lambda: len(receiver.came) == 2, clock)
        return hook["secret"], workflow_id

    with receiving() as receiver:
        secret, workflow_id = asked(talk, hooked(clock=clock))

    told = [found.json() for found in receiver.verified(secret)]
    assert sorted(item["type"] for item in told) == ["workflow.completed", "workflow.started"]
    assert {item["data"]["workflow_id"] for item in told} == {workflow_id}
    assert all(set(item) == {"type", "timestamp", "data"} for item in told)
    assert {found.method for found in receiver.came} == {"POST"}
    assert {found.headers["content-type"] for found in receiver.came} == {"application/json"}
    assert len(set(receiver.ids)) == 2


def test_a_whole_life_is_told() -> None:
    """Steps, a wait for a person, a failed attempt, and the end with its error."""
    clock = HandClock()

    async def talk(client: Client) -> Any:
        hook = await made(client, receiver.url, events=["*"])
        workflow_id = await start(client, "Approval", data={"number": "A-1"})
        await settled(lambda: "workflow.waiting" in receiver.events(hook["secret"]), clock)
        await client.post(f"{WORKFLOWS}/{workflow_id}/resume", json={"answer": {"approved": True}, "wait_s": 10})
        await start(client, "Fragile", data={"switch": "/nowhere"})
        await settled(lambda: "workflow.failed" in receiver.events(hook["secret"]), clock)
        await settled(lambda: "workflow.completed" in receiver.events(hook["secret"]), clock)
        return hook["secret"]

    with receiving() as receiver:
        secret = asked(talk, hooked(clock=clock))

    told = [found.json() for found in receiver.verified(secret)]
    kinds = [item["type"] for item in told]
    assert {"workflow.started", "step.completed", "step.failed"} <= set(kinds)
    (waits,) = [item["data"]["waiting_for"] for item in told if item["type"] == "workflow.waiting"]
    assert [(item["kind"], bool(item["wait_id"])) for item in waits] == [("human", True)]
    (failed,) = [item["data"] for item in told if item["type"] == "workflow.failed"]
    assert failed["status"] == "FAILED"
    assert failed["error"]
    assert len(receiver.ids) == len(set(receiver.ids)), "nothing is told twice"


def test_only_what_is_wanted_is_told() -> None:
    """By event and by type of workflow."""
    clock = HandClock()

    async def talk(client: Client) -> list[str]:
        hook = await made(client, receiver.url, events=["workflow.started"], workflow_types=["Approval"])
        await start(client, "Greeting")
        await start(client, "Approval", data={"number": "A-1"})
        await settled(lambda: len(receiver.came) == 1, clock)
        return [item["event"] for item in await tried(client, hook["webhook_id"])]

    with receiving() as receiver:
        assert asked(talk, hooked(clock=clock)) == ["workflow.started"]

    assert b'"Approval"' in receiver.came[0].body


def test_attempts_follow_the_schedule() -> None:
    """Ten of them under one id, each signed anew; the waits are those of the page and up to a tenth longer."""
    clock = HandClock()
    planned: list[float] = []

    async def talk(client: Client) -> Any:
        hook = await made(client, receiver.url, events=["workflow.completed"])
        await start(client)
        while True:
            await settled(lambda: len(receiver.came) == len(planned) + 1, clock)
            await settled(lambda: has(client, hook["webhook_id"], len(planned) + 1))
            (item,) = await tried(client, hook["webhook_id"])
            if item["next_at"] is None:
                return hook["secret"], item, (await client.get(f"{HOOKS}/{hook['webhook_id']}")).json()
            planned.append(moment_s(item["next_at"]))
            clock.advance(round(planned[-1] * 1e6) - clock.now_us())

    async def has(client: Client, webhook_id: str, count: int) -> bool:
        (item,) = await tried(client, webhook_id)
        return len(item["attempts"]) == count

    with receiving(500) as receiver:
        secret, item, hook = asked(talk, hooked(clock=clock))

    began = [moment_s(tried["at"]) for tried in item["attempts"]]
    ended = [at + tried["duration_ms"] / 1_000 for at, tried in zip(began, item["attempts"], strict=True)]
    waits = [due - end for due, end in zip(planned, ended, strict=False)]
    assert len(waits) == len(SCHEDULE_S)
    assert all(delay - 0.01 <= wait <= delay * 1.1 + 1 for delay, wait in zip(SCHEDULE_S, waits, strict=True)), waits
    assert all(due <= at + 0.01 for due, at in zip(planned, began[1:], strict=True))
    assert item["status"] == "failed"
    assert {tried["response_code"] for tried in item["attempts"]} == {500}
    assert len(set(receiver.ids)) == 1
    assert len({found.headers["webhook-timestamp"] for found in receiver.came}) == 10
    assert len(receiver.verified(secret)) == 10
    assert (hook["enabled"], "whole schedule" in hook["disabled_reason"]) == (False, True)


def first_attempt(receiver: Receiver, events: list[str] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    """The delivery and the webhook behind one attempt."""
    clock = HandClock()

    async def talk(client: Client) -> Any:
        hook = await made(client, receiver.url, events=events or ["workflow.completed"])
        await start(client)

        async def is_tried() -> bool:
            found = await tried(client, hook["webhook_id"])
            return bool(found and found[0]["attempts"])

        await settled(is_tried, clock)
        (item,) = await tried(client, hook["webhook_id"])
        return item, (await client.get(f"{HOOKS}/{hook['webhook_id']}")).json()

    found: tuple[dict[str, Any], dict[str, Any]] = asked(talk, hooked(clock=clock))
    return found


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_2xx_is_success(status: int) -> None:
    """Nothing is sent again."""
    with receiving(status) as receiver:
        item, hook = first_attempt(receiver)

    assert (item["status"], item["next_at"], len(receiver.came)) == ("delivered", None, 1)
    assert hook["failing_since"] is None


def test_410_switches_the_webhook_off() -> None:
    """At once, with the reason."""
    with receiving(410) as receiver:
        item, hook = first_attempt(receiver)

    assert (item["status"], hook["enabled"]) == ("failed", False)
    assert "410" in hook["disabled_reason"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_failures(status: int) -> None:
    """They are not followed."""
    with receiving() as other, receiving((status, {"location": other.url})) as receiver:
        item, _ = first_attempt(receiver)

        assert (item["status"], item["attempts"][0]["response_code"], other.came) == ("pending", status, [])
    assert "redirect" in item["attempts"][0]["error"]


@pytest.mark.parametrize(("said", "wait_s"), [("120", 120), ("1", 5), ("99999999", 86_400), ("rubbish", 5)])
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_within_bounds(said: str, wait_s: int, status: int) -> None:
    """It makes the wait longer, never shorter, by a day at most."""
    with receiving((status, {"retry-after": said})) as receiver:
        item, _ = first_attempt(receiver)

    waited = moment_s(item["next_at"]) - moment_s(item["attempts"][0]["at"])
    assert wait_s <= waited <= wait_s * 1.1 + 3


def test_a_huge_answer_is_cut_off() -> None:
    """The status counts, and a few hundred characters of the body are kept."""

    async def endless(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 Word\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")
            await writer.drain()

    with receiving(behave=endless) as receiver:
        item, _ = first_attempt(receiver)

    assert (item["status"], item["attempts"][0]["answer"]) == ("delivered", "x" * 500)


def test_nobody_there_is_a_failure_that_is_repeated() -> None:
    """The delivery says why."""
    with receiving() as receiver:
        pass
    item, hook = first_attempt(receiver)

    assert (item["status"], item["attempts"][0]["response_code"]) == ("pending", None)
    assert "no connection" in item["attempts"][0]["error"]
    assert hook["failing_since"] is not None


def test_a_slow_receiver_keeps_nobody_waiting() -> None:
    """While one does not answer at all another one gets everything."""
    clock = HandClock()
    over = asyncio.Event()

    async def silent(_: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()
        answer(writer)

    async def talk(client: Client) -> int:
        await made(client, slow.url, events=["workflow.completed"])
        await made(client, quick.url, events=["workflow.completed"])
        for _ in range(10):
            await start(client)
        await settled(lambda: len(quick.came) == 10, clock)
        over.set()
        return len(slow.came)

    with receiving(behave=silent) as slow, receiving() as quick:
        assert 1 <= asked(talk, hooked(clock=clock, shutdown_grace_s=0.0)) <= 4


def test_after_a_rotation_both_secrets_sign_until_the_old_one_ends() -> None:
    """Receivers with either of them believe; later only those with the new one."""
    clock = HandClock()

    async def talk(client: Client) -> Any:
        hook = await made(client, receiver.url, events=["workflow.completed"])
        path = f"{HOOKS}/{hook['webhook_id']}"
        new = (await client.post(f"{path}/rotate", json={"overlap_s": 60})).json()
        assert new["secrets"] == 2
        await start(client)
        await settled(lambda: len(receiver.came) == 1, clock)
        clock.advance(61_000_000)
        await start(client)
        await settled(lambda: len(receiver.came) == 2, clock)
        assert (await client.get(path)).json()["secrets"] == 1
        return hook["secret"], new["secret"]

    with receiving() as receiver:
        old, new = asked(talk, hooked(clock=clock))

    assert len(receiver.verified(new)) == 2
    both, only_new = receiver.came
    assert [len(found.headers["webhook-signature"].split()) for found in (both, only_new)] == [2, 1]
    receiver.came = [both]
    assert len(receiver.verified(old)) == 1
    receiver.came = [only_new]
    with pytest.raises(WebhookVerificationError):
        receiver.verified(old)


def test_a_delivery_is_replayed_under_its_id() -> None:
    """As a new delivery that names the old one."""
    clock = HandClock()

    async def talk(client: Client) -> Any:
        hook = await made(client, receiver.url, events=["workflow.completed"])
        await start(client)
        await settled(lambda: len(receiver.came) == 1, clock)
        answered = await client.post(f"{HOOKS}/{hook['webhook_id']}/deliveries/1/replay")
        assert answered.status_code == 202, answered.text
        await settled(lambda: len(receiver.came) == 2, clock)
        return await tried(client, hook["webhook_id"])

    with receiving() as receiver:
        new, old = asked(talk, hooked(clock=clock))

    assert (new["replay_of"], new["number"]) == (old["number"], 2)
    assert new["event_id"] == old["event_id"] == receiver.ids[0] == receiver.ids[1]
    assert receiver.came[0].body == receiver.came[1].body


def test_what_failed_is_recovered_once() -> None:
    """A webhook that was off is on again and gets what it has missed; a second request repeats nothing."""
    clock = HandClock()

    async def talk(client: Client) -> Any:
        hook = await made(client, receiver.url, events=["workflow.completed"])
        path = f"{HOOKS}/{hook['webhook_id']}"
        await start(client)
        await settled(lambda: is_off(client, path), clock)
        refused = await client.post(f"{path}/recover", json={"since": "2020-01-01T00:00:00Z"})
        await client.patch(path, json={"enabled": True})
        first = await client.post(f"{path}/recover", json={"since": "2020-01-01T00:00:00Z"})
        await settled(lambda: len(receiver.came) == 2, clock)
        second = await client.post(f"{path}/recover", json={"since": "2020-01-01T00:00:00Z"})
        return refused.json()["code"], first.json(), second.json()

    async def is_off(client: Client, path: str) -> bool:
        return not (await client.get(path)).json()["enabled"]

    with receiving(410, 200) as receiver:
        found = asked(talk, hooked(clock=clock))

    assert found == ("webhook-disabled", {"replayed": 1, "more": False}, {"replayed": 0, "more": False})


def test_the_others_hear_that_a_webhook_was_switched_off() -> None:
    """Those that want `webhook.disabled`."""
    clock = HandClock()

    async def talk(client: Client) -> Any:
        other = await made(client, quiet.url, events=["webhook.disabled"])
        gone = await made(client, receiver.url, events=["workflow.completed"])
        await start(client)
        await settled(lambda: len(quiet.came) == 1, clock)
        return other["secret"], gone["webhook_id"]

    with receiving(410) as receiver, receiving() as quiet:
        secret, webhook_id = asked(talk, hooked(clock=clock))

    (told,) = [found.json() for found in quiet.verified(secret)]
    assert (told["type"], told["data"]["webhook_id"]) == ("webhook.disabled", webhook_id)


def test_a_test_is_sent_whatever_the_webhook_wants() -> None:
    """It gets the event `webhook.test`."""

    async def talk(client: Client) -> Any:
        hook = await made(client, receiver.url, events=["workflow.failed"])
        answered = await client.post(f"{HOOKS}/{hook['webhook_id']}/test")
        assert answered.status_code == 202, answered.text
        await settled(lambda: len(receiver.came) == 1)
        return hook["secret"]

    with receiving() as receiver:
        secret = asked(talk, hooked())

    assert receiver.events(secret) == ["webhook.test"]


def test_what_happens_while_a_webhook_is_off_is_not_told() -> None:
    """What waited when it was switched off is."""
    clock = HandClock()

    async def talk(client: Client) -> Any:
        hook = await made(client, receiver.url, events=["workflow.completed"])
        path = f"{HOOKS}/{hook['webhook_id']}"
        first = await start(client)
        await settled(lambda: len(receiver.came) == 1, clock)
        await client.patch(path, json={"enabled": False})
        clock.advance(1_000_000)
        await start(client)
        clock.advance(10_000_000)
        await client.patch(path, json={"enabled": True})
        await settled(lambda: len(receiver.came) == 2, clock)
        last = await start(client)
        await settled(lambda: len(receiver.came) == 3, clock)
        return hook["secret"], [first, first, last]

    with receiving(500, 200) as receiver:
        secret, expected = asked(talk, hooked(clock=clock))

    assert [found.json()["data"]["workflow_id"] for found in receiver.verified(secret)] == expected
