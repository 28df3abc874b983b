"""Webhooks over HTTP: made, shown, changed, deleted, kept apart by tenant, and never sent to where nobody may go."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import pytest

from ruvon.implementations.egress import HttpEgress
from ruvon.providers import SystemClock, SystemIds
from ruvon_server.settings import ServerSettings, ServerSettingsError
from ruvon_server.webhooks import _endpoints
from ruvon_server.webhooks._courier import Courier, policy_for
from ruvon_server.webhooks._records import DeliveryRecord, Endpoint, Event, Secret
from tests.support.hand_clock import HandClock
from tests.support.hooks import HOOKS, hooked, made, receiving, settled, tried
from tests.support.serving import Client, People, asked, new_app, new_builder

URL = "https://shop.example/hook"


def in_org(name: str) -> dict[str, str]:
    return {"X-Org": name}


def test_a_webhook_is_made_shown_changed_and_deleted() -> None:
    """Its secret is in the answer that makes it, and in no other."""

    async def talk(client: Client) -> Any:
        hook = await made(client, URL, description="shop")
        path = f"{HOOKS}/{hook['webhook_id']}"
        shown = await client.get(path)
        changed = await client.patch(path, json={"events": ["step.failed"], "reason": "quieter"})
        listed = await client.get(HOOKS)
        ended = await client.delete(path)
        return hook, shown, changed.json(), listed, ended.status_code, (await client.get(path)).status_code

    hook, shown, changed, listed, ended, gone = asked(talk)

    secret = hook.pop("secret")
    assert secret.startswith("whsec_")
    assert shown.json() == hook
    assert changed == {**hook, "events": ["step.failed"]}
    assert listed.json() == {"items": [changed], "next_cursor": None}
    assert (ended, gone) == (204, 404)
    assert secret not in shown.text + listed.text


def test_a_rotation_shows_the_new_secret_once() -> None:
    """It is another one."""

    async def talk(client: Client) -> Any:
        hook = await made(client, URL)
        path = f"{HOOKS}/{hook['webhook_id']}"
        first = (await client.post(f"{path}/rotate", json={})).json()
        second = (await client.post(f"{path}/rotate", json={"overlap_s": 0})).json()
        return hook["secret"], first["secret"], first["secrets"], second["secrets"], (await client.get(path)).text

    old, new, during, after, shown = asked(talk)

    assert (old != new, during, after) == (True, 2, 1)
    assert new not in shown


def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Neither when a webhook is made nor when it is used."""
    clock = HandClock()

    async def talk(client: Client) -> Any:
        hook = await made(client, receiver.url)
        await client.post(f"{HOOKS}/{hook['webhook_id']}/test")
        await settled(lambda: len(receiver.came) == 1, clock)
        return hook["secret"]

    caplog.set_level(logging.DEBUG)
    with receiving(500) as receiver:
        secret = asked(talk, hooked(clock=clock))

    assert secret not in caplog.text
    assert secret.removeprefix("whsec_") not in caplog.text


def test_lists_are_pages() -> None:
    """Newest first; of webhooks and of deliveries."""

    async def pages(client: Client, path: str, name: str) -> list[Any]:
        found, cursor = [], {}
        while True:
            page = (await client.get(path, params={"limit": 2, **cursor})).json()
            found.append([item[name] for item in page["items"]])
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    async def talk(client: Client) -> Any:
        ids = [(await made(client, URL))["webhook_id"] for _ in range(5)]
        for _ in range(5):
            await client.post(f"{HOOKS}/{ids[0]}/test")
        hooks = await pages(client, HOOKS, "webhook_id")
        return ids, hooks, await pages(client, f"{HOOKS}/{ids[0]}/deliveries", "number")

    ids, hooks, deliveries = asked(talk)

    assert hooks == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
    assert deliveries == [[5, 4], [3, 2], [1]]


@pytest.mark.parametrize(
    "wanted",
    [
        {"url": "ftp://a.example/"},
        {"url": ""},
        {"url": URL, "events": []},
        {"url": URL, "events": ["workflow.exploded"]},
        {"url": URL, "events": ["flow.*"]},
        {"url": URL, "secret": "mine"},
    ],
)
def test_what_is_no_webhook_is_refused(wanted: dict[str, Any]) -> None:
    """With 422, before anything is stored."""

    async def talk(client: Client) -> Any:
        return (await client.post(HOOKS, json=wanted)).status_code, (await client.get(HOOKS)).json()["items"]

    assert asked(talk) == (422, [])


CLOSED = [
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://127.0.0.1/",
    "https://10.0.0.1/",
    "https://172.16.0.1/",
    "https://192.168.1.1/",
    "https://100.64.0.1/",
    "https://0.0.0.0/",
    "https://[::ffff:10.0.0.1]/",
    "https://[fe80::1]/",
    "https://[fd00:ec2::254]/",
    "https://[64:ff9b::a00:1]/",
    "https://224.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0177.0.0.1/",
    "https://a:b@shop.example/",
    "https://shop.example@10.0.0.1/",
    "http://shop.example/",
    "http://localhost/",
    "http://127.0.0.1:8000/",
]


def test_no_webhook_is_made_for_closed_places() -> None:
    """Nor is one changed to them."""

    async def talk(client: Client) -> Any:
        hook = await made(client, URL)
        path = f"{HOOKS}/{hook['webhook_id']}"
        found = {}
        for url in CLOSED:
            refused = await client.post(HOOKS, json={"url": url})
            changed = await client.patch(path, json={"url": url})
            found[url] = {refused.json()["code"], changed.json()["code"]}
        return found, [item["url"] for item in (await client.get(HOOKS)).json()["items"]]

    assert asked(talk) == ({url: {"webhook-url-refused"} for url in CLOSED}, [URL])


class Names:
    """A resolver that answers in turn; the last answer for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int, /) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def attempt(url: str, names: Names, *allow: str) -> DeliveryRecord:
    """One attempt by a courier that looks names up here."""
    policy = policy_for(allow)
    ids = SystemIds()
    endpoint = Endpoint(
        webhook_id="5d41402abc4b2a76", url=url, events=("*",), workflow_types=(), description="", owner_id=None,
        org_id=None, created_us=0, created_by="x", secrets=(Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),),
    )  # fmt: skip
    event = Event(event_id="msg_1", type="webhook.test", at_us=0, body=b"{}")

    async def whole() -> DeliveryRecord:
        egress = HttpEgress(policy, resolver=names)
        try:
            courier = Courier(egress, policy, SystemClock(), ids)
            return (await courier.attempt(endpoint, DeliveryRecord.first(endpoint.webhook_id, event, 0))).delivery
        finally:
            await egress.close()

    return asyncio.run(whole())


@pytest.mark.parametrize(
    "addresses", [["10.0.0.1"], ["169.254.169.254"], ["::1"], ["127.0.0.1"], ["1.1.1.1", "10.0.0.1"], ["fe80::1"]]
)
def test_a_name_that_leads_to_a_closed_place_is_not_asked(addresses: list[str]) -> None:
    """Also where it leads to an open one besides."""
    tried = attempt("https://shop.example/", Names(addresses))

    assert (tried.status, tried.attempts[0].status) == ("pending", None)
    assert "webhooks may not go" in str(tried.attempts[0].error)


def test_the_address_that_was_judged_is_the_one_that_is_asked() -> None:
    """A name is looked up once in an attempt, so a second answer changes nothing; the next attempt is judged anew."""
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    with receiving() as receiver:
        url = f"http://localhost:{receiver.server.port}/"
        first = attempt(url, names, "localhost")
        second = attempt(url, names, "localhost")

    assert (first.status, second.status, len(receiver.came)) == ("delivered", "pending", 1)
    assert names.asked == ["localhost", "localhost"]


def test_the_setting_opens_what_it_names() -> None:
    """And what is neither a name nor a network ends the start."""

    async def talk(client: Client) -> list[int]:
        urls = ["https://10.1.2.3/", "https://10.2.0.1/", "http://10.1.2.3/"]
        return [(await client.post(HOOKS, json={"url": url})).status_code for url in urls]

    assert asked(talk, new_app(webhook_allow=("10.1.0.0/16",))) == [201, 422, 422]
    with pytest.raises(ServerSettingsError, match="webhook_allow"):
        new_app(new_builder(), webhook_allow=("a/b",))
    assert ServerSettings().webhooks


@pytest.mark.usefixtures("one_cursor_key")
def test_pages_do_not_say_how_many_webhooks_others_have() -> None:
    """Where a page ends is counted among the webhooks that are there for whoever asks."""

    async def cursor(client: Client, strangers: int) -> Any:
        for _ in range(strangers):
            await made(client, URL, by=in_org("theirs"))
        for _ in range(2):
            await made(client, URL, by=in_org("ours"))
        return (await client.get(HOOKS, params={"limit": 1}, headers=in_org("ours"))).json()["next_cursor"]

    alone, among = (asked(lambda client, n=n: cursor(client, n), new_app(authenticator=People())) for n in (0, 3))

    assert alone is not None
    assert alone == among


def test_a_tenant_has_so_many_webhooks_and_takes_no_others_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that he makes for his owners count for him; others, and those of nobody, have their own number."""
    monkeypatch.setattr(_endpoints, "_MOST_OF_TENANT", 2)
    monkeypatch.setattr(_endpoints, "_MOST", 3)

    async def talk(client: Client) -> list[Any]:
        async def tried_by(by: dict[str, str], **wanted: Any) -> str:
            answer = await client.post(HOOKS, json={"url": URL, **wanted}, headers=by)
            return str(answer.json().get("code", answer.status_code))

        ours = [await tried_by(in_org("ours"), owner_id=owner) for owner in ("x", "y", "z")]
        for_ours = await tried_by({}, org_id="ours")
        theirs = [await tried_by(in_org("theirs")) for _ in range(3)]
        nobodys = [await tried_by({}) for _ in range(4)]
        listed = (await client.get(HOOKS, headers=in_org("ours"))).json()["items"]
        await client.delete(f"{HOOKS}/{listed[0]['webhook_id']}", headers=in_org("ours"))
        return [ours, for_ours, theirs, nobodys, await tried_by(in_org("ours"))]

    full = "too-many-webhooks"
    assert asked(talk, new_app(authenticator=People())) == [
        ["201", "201", full],
        full,
        ["201", "201", full],
        ["201", "201", "201", full],
        "201",
    ]


def test_tenants_hear_of_their_own_only() -> None:
    """And see their own webhooks only."""
    clock = HandClock()

    async def talk(client: Client) -> Any:
        ours = await made(client, receiver.url, by=in_org("ours"), events=["workflow.completed"])
        theirs = await made(client, other.url, by=in_org("theirs"), events=["workflow.completed"])
        for org in ("theirs", "ours"):
            body = {"workflow_type": "Greeting", "data": {"number": org}, "wait_s": 10}
            assert (await client.post("/api/v1/workflows", json=body, headers=in_org(org))).status_code == 201
        await settled(lambda: len(receiver.came) == 1 and len(other.came) == 1, clock)
        path = f"{HOOKS}/{theirs['webhook_id']}"
        by = in_org("ours")
        answers = [
            await client.get(path, headers=by),
            await client.patch(path, json={"enabled": False}, headers=by),
            await client.delete(path, headers=by),
            await client.post(f"{path}/rotate", json={}, headers=by),
            await client.post(f"{path}/test", headers=by),
            await client.get(f"{path}/deliveries", headers=by),
            await client.post(f"{path}/deliveries/1/replay", headers=by),
            await client.post(f"{path}/recover", json={"since": "2020-01-01T00:00:00Z"}, headers=by),
        ]
        listed = (await client.get(HOOKS, headers=by)).json()["items"]
        beyond = await client.post(HOOKS, json={"url": URL, "org_id": "theirs"}, headers=by)
        codes = {answer.json()["code"] for answer in answers}
        return codes, [item["webhook_id"] for item in listed] == [ours["webhook_id"]], beyond.json()["code"]

    with receiving() as receiver, receiving() as other:
        found = asked(talk, hooked_by_people(clock))

    assert found == ({"webhook-not-found"}, True, "other-tenant")
    assert b'"org_id":"ours"' in receiver.came[0].body
    assert b'"org_id":"theirs"' in other.came[0].body


def hooked_by_people(clock: HandClock) -> Any:
    """A server that sends, where everybody is who he says he is."""
    builder = new_builder(clock=clock)
    return new_app(builder, authenticator=People(), webhooks=True, webhook_allow=("127.0.0.1",))


def test_changes_of_webhooks_are_in_the_log_of_changes() -> None:
    """With who, and why."""

    async def talk(client: Client) -> Any:
        hook = await made(client, URL, reason="ticket 7")
        await client.delete(f"{HOOKS}/{hook['webhook_id']}")
        return [(item["operation"], item["reason"]) for item in (await client.get("/api/v1/changes")).json()["items"]]

    assert asked(talk) == [("delete_webhook", None), ("create_webhook", "ticket 7")]


def test_deliveries_are_narrowed_by_status() -> None:
    """Those that wait, that failed, that arrived."""
    clock = HandClock()

    async def talk(client: Client) -> Any:
        hook = await made(client, receiver.url)
        for count in (1, 2):
            await client.post(f"{HOOKS}/{hook['webhook_id']}/test")
            await settled(lambda count=count: len(receiver.came) == count, clock)  # type: ignore[misc]
        await settled(lambda: is_there(client, hook["webhook_id"]))
        found = [await tried(client, hook["webhook_id"], status=name) for name in ("delivered", "pending", "failed")]
        return [[item["number"] for item in items] for items in found]

    async def is_there(client: Client, webhook_id: str) -> bool:
        return all(item["attempts"] for item in await tried(client, webhook_id))

    with receiving(200, 500) as receiver:
        assert asked(talk, hooked(clock=clock)) == [[1], [2], []]


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", f"{HOOKS}/5d41402abc4b2a76", "webhook-not-found"),
        ("GET", f"{HOOKS}/s", "webhook-not-found"),
        ("POST", "{hook}/deliveries/7/replay", "delivery-not-found"),
        ("GET", "{hook}/deliveries?cursor=x", "bad-cursor"),
        ("GET", "{hook}/deliveries?status=lost", "invalid-request"),
    ],
)
def test_what_is_not_there_is_said_to_be_missing(method: str, path: str, code: str) -> None:
    """With a problem that says what."""

    async def talk(client: Client) -> Any:
        hook = await made(client, URL)
        filled = path.format(hook=f"{HOOKS}/{hook['webhook_id']}")
        return (await client.request(method, filled)).json()["code"]

    assert asked(talk) == code
