"""API keys over HTTP: made, shown once, recognised, limited, rotated, revoked, and kept as checksums only."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon_server.settings import ServerSettingsError
from tests.support.engine_world import JumpingClock
from tests.support.serving import Client, asked, new_app, new_builder, on_every_store, served, until
from tests.support.streaming import connected, streamed

KEYS = "/api/v1/keys"
EVENTS = "/api/v1/events"
ADMIN = "admin-key-of-the-tests-0123456789"
HOUR_US = 3_600_000_000
PREFIX = "ruvon_0123456789abcdef_"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


BY_ADMIN = bearer(ADMIN)


def keyed(builder: Any = None, **settings: Any) -> Any:
    """A server where keys are needed."""
    return new_app(builder or new_builder(), auth="api-key", admin_key=ADMIN, **settings)


async def made(client: Client, by: str = ADMIN, **wanted: Any) -> dict[str, Any]:
    answer = await client.post(KEYS, json={"name": "ci", **wanted}, headers=bearer(by))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def status(client: Client, key: str, path: str = "/api/v1/workflows") -> int:
    return int((await client.get(path, headers=bearer(key))).status_code)


def test_nobody_is_let_in_without_a_key() -> None:
    """401 says how to send one."""

    async def talk(client: Client) -> tuple[int, str, str]:
        answer = await client.get("/api/v1/workflows")
        return answer.status_code, answer.json()["code"], answer.headers["WWW-Authenticate"]

    assert asked(talk, keyed()) == (401, "not-authenticated", 'Bearer realm="ruvon"')


@pytest.mark.parametrize("headers", [BY_ADMIN, {"X-API-Key": ADMIN}, {"Authorization": f"bearer {ADMIN}"}])
def test_a_key_comes_in_either_header(headers: dict[str, str]) -> None:
    """As a bearer token, or by itself."""

    async def talk(client: Client) -> int:
        return int((await client.get(KEYS, headers=headers)).status_code)

    assert asked(talk, keyed()) == 200


@pytest.mark.parametrize(
    "key",
    ["", "x", "ruvon_", "ruvon__", "ruvon_0000000000000000_x", "ruvon_../../x_y", "ruvon_" + "a" * 9_000, ADMIN + "x"],
)
def test_what_is_no_key_is_not_recognised(key: str) -> None:
    """Whatever it looks like."""

    async def talk(client: Client) -> int:
        return await status(client, key)

    assert asked(talk, keyed()) == 401


def test_two_different_keys_at_once_are_none() -> None:
    """Nobody guesses which of them counts."""

    async def talk(client: Client) -> int:
        return int((await client.get(KEYS, headers={**BY_ADMIN, "X-API-Key": "other"})).status_code)

    assert asked(talk, keyed()) == 401


def test_a_key_does_what_its_roles_and_permissions_allow() -> None:
    """A viewer looks at workflows; more is refused with 403."""

    async def talk(client: Client) -> list[int]:
        viewer = (await made(client, roles=["viewer"]))["key"]
        reader = (await made(client, permissions=["keys:read"]))["key"]
        return [
            await status(client, viewer),
            await status(client, viewer, KEYS),
            await status(client, reader),
            await status(client, reader, KEYS),
        ]

    assert asked(talk, keyed()) == [200, 403, 403, 200]


@on_every_store
def test_a_key_is_shown_once() -> None:
    """Its secret is in the answer that makes it, and in no other."""

    async def talk(client: Client) -> tuple[str, str, str]:
        found = await made(client, roles=["viewer"])
        one = await client.get(f"{KEYS}/{found['key_id']}", headers=BY_ADMIN)
        all_ = await client.get(KEYS, headers=BY_ADMIN)
        return found["key"][len(PREFIX) :], one.text, all_.text

    secret, one, all_ = asked(talk, keyed())

    assert len(secret) >= 40
    assert secret not in one + all_


def test_the_store_has_no_key(tmp_path: Any) -> None:
    """In the file of the database there is the prefix, never the secret."""
    store = SQLitePersistenceProvider(tmp_path / "keys.db")

    async def talk(client: Client) -> tuple[str, int]:
        found = await made(client, roles=["viewer"])
        return found["key"], await status(client, found["key"])

    key, answered = asked(talk, keyed(new_builder(store)))
    written = b"".join(file.read_bytes() for file in tmp_path.iterdir())

    assert answered == 200
    assert key[len("ruvon_") : len(PREFIX) - 1].encode() in written
    assert key[len(PREFIX) :].encode() not in written


def with_clock(talk: Callable[[Client, JumpingClock], Awaitable[Any]]) -> Any:
    clock = JumpingClock()
    builder = new_builder()
    builder.clock = clock

    async def whole() -> Any:
        async with served(keyed(builder)) as client:
            return await talk(client, clock)

    return asyncio.run(whole())


def test_a_key_expires() -> None:
    """Behind its end it is not recognised, and its record says so."""

    async def talk(client: Client, clock: JumpingClock) -> list[Any]:
        found = await made(client, roles=["viewer"], expires_in_s=3_600)
        before = await status(client, found["key"])
        clock.advance(HOUR_US)
        shown = await client.get(f"{KEYS}/{found['key_id']}", headers=BY_ADMIN)
        return [before, await status(client, found["key"]), shown.json()["status"]]

    assert with_clock(talk) == [200, 401, "expired"]


@on_every_store
def test_a_rotated_key_has_its_grace() -> None:
    """Both are recognised for `grace_s`, then only the new one, which may do the same; a second rotation is refused."""

    async def talk(client: Client, clock: JumpingClock) -> list[Any]:
        old = await made(client, roles=["viewer"], org_id="ours")
        path = f"{KEYS}/{old['key_id']}/rotate"
        new = (await client.post(path, json={"grace_s": 60}, headers=BY_ADMIN)).json()
        again = (await client.post(path, json={}, headers=BY_ADMIN)).json()["code"]
        both = [await status(client, old["key"]), await status(client, new["key"])]
        clock.advance(60_000_000)
        return [
            new["org_id"],
            new["roles"],
            again,
            both,
            await status(client, old["key"]),
            await status(client, new["key"]),
        ]

    assert with_clock(talk) == ["ours", ["viewer"], "key-ended", [200, 200], 401, 200]


@on_every_store
def test_a_revoked_key_ends_at_once() -> None:
    """A second revocation changes nothing, and nothing brings it back."""

    async def talk(client: Client) -> list[Any]:
        found = await made(client, roles=["viewer"])
        path = f"{KEYS}/{found['key_id']}"
        before = await status(client, found["key"])
        said = [(await client.post(f"{path}/revoke", json={}, headers=BY_ADMIN)).json()["revoked_at"] for _ in "ab"]
        rotated = (await client.post(f"{path}/rotate", json={}, headers=BY_ADMIN)).json()["code"]
        return [before, said[0] == said[1], await status(client, found["key"]), rotated]

    assert asked(talk, keyed()) == [200, True, 401, "key-ended"]


@pytest.mark.parametrize("path", [f"{EVENTS}", "{workflow}/events"], ids=["all", "one"])
@pytest.mark.parametrize("change", ["revoke", "expire"])
def test_a_stream_ends_with_its_key(path: str, change: str) -> None:
    """Within a heartbeat, as server-sent events and as a WebSocket; that of another key goes on."""
    clock = JumpingClock()

    async def talk(client: Client) -> list[Any]:
        ending, staying = [await made(client, roles=["operator"], expires_in_s=seconds) for seconds in (3_600, 86_400)]
        began = await client.post("/api/v1/workflows", json={"workflow_type": "Greeting"}, headers=BY_ADMIN)
        target = path.format(workflow=f"/api/v1/workflows/{began.json()['workflow_id']}")
        mine, others = bearer(ending["key"]), bearer(staying["key"])
        async with (
            streamed(client.app, target, **mine) as stream,
            connected(client.app, target, **mine) as socket,
            streamed(client.app, target, **others) as other,
        ):
            await asyncio.gather(stream.event("opened"), socket.message("opened"), other.event("opened"))
            if change == "revoke":
                await client.post(f"{KEYS}/{ending['key_id']}/revoke", json={}, headers=BY_ADMIN)
            else:
                clock.advance(HOUR_US)
            ended = await stream.event("end")
            closed = await socket.message("closed")
            goes_on = [await other.block() for _ in range(3)]
        return ["has ended" in ended["data"]["detail"], closed["code"], None in goes_on]

    app = keyed(new_builder(clock=clock), stream_heartbeat_s=0.1)
    assert asked(talk, app) == [True, 4401, False]


def test_another_server_of_the_store_knows_it_at_once() -> None:
    """What one makes the other recognises, and what one revokes the other refuses."""
    store = MemoryPersistenceProvider()

    async def talk(client: Client) -> list[int]:
        async with served(keyed(new_builder(store))) as other:
            found = await made(client, roles=["viewer"])
            before = await status(other, found["key"])
            await other.post(f"{KEYS}/{found['key_id']}/revoke", json={}, headers=BY_ADMIN)
            return [before, await status(client, found["key"])]

    assert asked(talk, keyed(new_builder(store))) == [200, 401]


@on_every_store
def test_the_last_use_is_noted() -> None:
    """To the minute; a key that was never used says nothing."""

    async def talk(client: Client) -> list[bool]:
        found = await made(client, roles=["viewer"])
        path = f"{KEYS}/{found['key_id']}"
        before = (await client.get(path, headers=BY_ADMIN)).json()["used_at"]
        await status(client, found["key"])
        after = (await client.get(path, headers=BY_ADMIN)).json()["used_at"]
        return [before is None, after is not None]

    assert asked(talk, keyed()) == [True, True]


def test_nobody_handles_keys_that_may_do_more_than_he() -> None:
    """Neither making, nor rotating, nor revoking one is a way to more rights."""

    async def talk(client: Client) -> list[str]:
        clerk = (await made(client, permissions=["keys:write", "workflows:read"]))["key"]
        boss = await made(client, roles=["admin"])
        by = bearer(clerk)
        answers = [
            await client.post(KEYS, json={"name": "x", "roles": ["admin"]}, headers=by),
            await client.post(KEYS, json={"name": "x", "permissions": ["workflows:bulk"]}, headers=by),
            await client.post(f"{KEYS}/{boss['key_id']}/rotate", json={}, headers=by),
            await client.post(f"{KEYS}/{boss['key_id']}/revoke", json={}, headers=by),
        ]
        assert (await made(client, clerk, permissions=["workflows:read"]))["status"] == "valid"
        return [answer.json()["code"] for answer in answers]

    assert asked(talk, keyed()) == ["beyond-own-rights"] * 4


def test_nobody_gives_a_role_that_he_has_not() -> None:
    """Human tasks are for roles: one that allows no more than he may himself makes him somebody else all the same."""
    roles = ("clerk=keys:write+workflows:read+workflows:run", "legal=workflows:read+workflows:run")

    async def talk(client: Client) -> list[str]:
        clerk = (await made(client, roles=["clerk"]))["key"]
        lawyer = await made(client, roles=["legal"])
        answers = [
            await client.post(KEYS, json={"name": "x", "roles": ["legal"]}, headers=bearer(clerk)),
            await client.post(f"{KEYS}/{lawyer['key_id']}/rotate", json={}, headers=bearer(clerk)),
        ]
        assert (await made(client, clerk, roles=["clerk"]))["status"] == "valid"
        return [answer.json()["code"] for answer in answers]

    assert asked(talk, keyed(roles=roles)) == ["beyond-own-rights"] * 2


@pytest.mark.usefixtures("one_cursor_key")
def test_pages_do_not_say_how_many_keys_others_have() -> None:
    """Where a page ends is counted among the keys that are there for whoever asks."""

    async def cursor(client: Client, strangers: int) -> str:
        chief = (await made(client, roles=["admin"], org_id="ours"))["key"]
        for number in range(strangers):
            await made(client, org_id="theirs", name=f"stranger {number}")
        for _ in range(2):
            await made(client, chief)
        return str((await client.get(KEYS, params={"limit": 1}, headers=bearer(chief))).json()["next_cursor"])

    alone, among = (asked(lambda client, n=n: cursor(client, n), keyed()) for n in (0, 3))

    assert alone == among != "None"


@on_every_store
def test_a_tenants_administrator_handles_keys_of_his_tenant() -> None:
    """He makes them there only, and sees no others."""

    async def talk(client: Client) -> list[Any]:
        chief = (await made(client, roles=["admin"], org_id="ours"))["key"]
        stranger = await made(client, roles=["viewer"], org_id="theirs")
        mine = await made(client, chief, roles=["viewer"])
        stolen = await client.post(KEYS, json={"name": "x", "org_id": "theirs"}, headers=bearer(chief))
        hidden = await client.get(f"{KEYS}/{stranger['key_id']}", headers=bearer(chief))
        revoked = await client.post(f"{KEYS}/{stranger['key_id']}/revoke", json={}, headers=bearer(chief))
        listed = {item["org_id"] for item in (await client.get(KEYS, headers=bearer(chief))).json()["items"]}
        return [mine["org_id"], stolen.json()["code"], hidden.status_code, revoked.status_code, listed]

    assert asked(talk, keyed()) == ["ours", "other-tenant", 404, 404, {"ours"}]


def test_what_concerns_all_tenants_is_not_for_one_of_them() -> None:
    """The administrator of a tenant uploads no definition and reads neither numbers nor changes of all."""

    async def talk(client: Client) -> set[str]:
        chief = bearer((await made(client, roles=["admin"], org_id="ours"))["key"])
        answers = [
            await client.post("/api/v1/definitions", json={"source": "x"}, headers=chief),
            await client.get("/metrics", headers=chief),
            await client.get("/api/v1/changes", headers=chief),
        ]
        return {answer.json()["code"] for answer in answers}

    assert asked(talk, keyed()) == {"store-wide"}


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"roles": ["chief"]}, "unknown-role"),
        ({"roles": ["device"]}, "device-without-owner"),
        ({"permissions": ["*"]}, "invalid-request"),
        ({"name": ""}, "invalid-request"),
        ({"name": "a\nb"}, "invalid-request"),
        ({"expires_in_s": 0}, "invalid-request"),
        ({"nmae": "x"}, "invalid-request"),
    ],
)
def test_a_key_that_cannot_be_is_refused(wanted: dict[str, Any], code: str) -> None:
    """Each with its reason, and nothing is made."""

    async def talk(client: Client) -> tuple[str, list[Any]]:
        answer = await client.post(KEYS, json={"name": "ci", **wanted}, headers=BY_ADMIN)
        return answer.json()["code"], (await client.get(KEYS, headers=BY_ADMIN)).json()["items"]

    assert asked(talk, keyed()) == (code, [])


@on_every_store
def test_keys_are_listed_in_pages() -> None:
    """Newest first, each once."""

    async def talk(client: Client) -> list[str]:
        for number in range(5):
            await made(client, name=f"key {number}")
        names: list[str] = []
        cursor = None
        while True:
            params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
            page = (await client.get(KEYS, params=params, headers=BY_ADMIN)).json()
            names += [item["name"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return names

    assert asked(talk, keyed()) == [f"key {number}" for number in (4, 3, 2, 1, 0)]


def test_roles_of_the_settings_are_roles() -> None:
    """They are sets of permissions with a name."""

    async def talk(client: Client) -> list[int]:
        auditor = (await made(client, roles=["auditor"]))["key"]
        return [await status(client, auditor, path) for path in (KEYS, "/api/v1/changes", "/api/v1/workflows")]

    assert asked(talk, keyed(roles=("auditor=keys:read+changes:read",))) == [200, 200, 403]


@pytest.mark.parametrize(
    "settings",
    [
        {"auth": "password"},
        {"auth": "disabled,api-key"},
        {"auth": "jwt"},
        {"admin_key": "short"},
        {"admin_key_file": "nowhere.key", "admin_key": None},
        {"roles": ("auditor",)},
        {"roles": ("admin=workflows:read",)},
        {"roles": ("auditor=workflows:raed",)},
        {"trusted_proxies": ("proxy",)},
    ],
    ids=str,
)
def test_settings_that_cannot_be_used_end_the_start(settings: dict[str, Any]) -> None:
    """Not the first request, and without saying a secret."""
    with pytest.raises(ServerSettingsError) as caught:
        new_app(**{"auth": "api-key", "admin_key": ADMIN, **settings})

    assert "short" not in str(caught.value)


def test_the_administrators_key_comes_from_a_file(tmp_path: Any) -> None:
    """What stands around it does not count."""
    (tmp_path / "admin.key").write_text(f"  {ADMIN}\n")

    async def talk(client: Client) -> int:
        return await status(client, ADMIN, KEYS)

    assert asked(talk, new_app(auth="api-key", admin_key_file=str(tmp_path / "admin.key"))) == 200


@on_every_store
def test_every_change_is_in_the_log_of_changes() -> None:
    """Who, what, from where and why; refused requests and looking are not there."""

    async def talk(client: Client) -> list[Any]:
        found = await made(client, roles=["viewer"], reason="for the tests")
        await client.post(KEYS, json={"name": ""}, headers=BY_ADMIN)
        await client.get(KEYS, headers=BY_ADMIN)
        path = f"{KEYS}/{found['key_id']}/revoke"
        await client.post(path, json={"reason": "lost"}, headers=BY_ADMIN)
        items = (await client.get("/api/v1/changes", headers=BY_ADMIN)).json()["items"]
        return [(item["operation"], item["actor"], item["reason"], item["status"]) for item in items]

    assert asked(talk, keyed()) == [
        ("revoke_key", "admin-key", "lost", 200),
        ("create_key", "admin-key", "for the tests", 201),
    ]


@on_every_store
def test_the_history_says_which_key_has_done_it() -> None:
    """Signals, answers and repairs carry the name of the key."""

    async def talk(client: Client) -> str:
        found = await made(client, roles=["operator"])
        by = bearer(found["key"])
        start = {"workflow_type": "Approval", "wait_s": 5}
        run = (await client.post("/api/v1/workflows", json=start, headers=by)).json()["workflow_id"]
        await client.post(f"/api/v1/workflows/{run}/cancel", json={"reason": "done"}, headers=by)
        client.headers.update(by)
        await until(client, run, "CANCELLED")  # it is ended behind the answer
        shown = await client.get(f"/api/v1/workflows/{run}", headers=by)
        return f"key/{found['key_id']}/ci" if f"key/{found['key_id']}/ci" in shown.text else shown.text

    assert asked(talk, keyed()).startswith("key/")
