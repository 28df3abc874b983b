"""Query parameters that an operation does not have are refused, whatever the operation."""

import re
from typing import Any

import pytest
from litestar.routes import HTTPRoute

from ruvon_server.auth import PUBLIC
from ruvon_server.documents import document_of
from ruvon_server.parameters import known_parameters
from ruvon_server.routes import route_table
from tests.support.serving import Client, People, asked, new_app
from tests.support.streaming import connected

WORKFLOWS = "/api/v1/workflows"
OF_THE_FRAMEWORK = "/docs/schema"
"""Its own document, which is beside ours."""
ID = "3f2a9c41-6a9b-4a55-8a27-0d2f5b1f1a11"


def test_every_operation_refuses_a_parameter_that_it_does_not_have() -> None:
    """Also those that take none, and those that change something: nothing is done."""

    async def talk(client: Client) -> dict[str, Any]:
        told = {}
        for route in route_table(client.app):
            if route.path.startswith(OF_THE_FRAMEWORK) or route.permission == PUBLIC:
                continue
            path = re.sub(r"\{\w+:(\w+)\}", lambda found: {"uuid": ID, "int": "1"}.get(found[1], "0196a1"), route.path)
            answer = await client.request(route.method, path, params={"nothing_like_it": "1"}, json={})
            told[f"{route.method} {route.path}"] = (answer.status_code, "unknown-parameter" in answer.text)
        return told

    told = asked(talk)

    assert len(told) > 75
    assert {name: answer for name, answer in told.items() if answer != (400, True)} == {}


def test_what_is_open_to_everybody_takes_what_others_put_behind_its_address() -> None:
    """A link of a mail comes back with parameters of those who count clicks."""

    async def talk(client: Client) -> set[int]:
        return {(await client.get(f"{path}?utm_source=mail")).status_code for path in ("/", "/health", "/ready")}

    assert asked(talk) == {200}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            f"{WORKFLOWS}?stauts=FAILED&stauts=ACTIVE&lim=1",
            "`stauts` (did you mean `status`?); there is no parameter `lim` (did you mean `limit`?); this operation takes",
        ),
        ("/api/v1/keys?zzz=1", "there is no parameter `zzz`; this operation takes `limit`, `cursor`"),
        ("/metrics?t=1", "there is no parameter `t`; this operation takes none"),
        (f"{WORKFLOWS}?Limit=1", "there is no parameter `Limit` (did you mean `limit`?)"),
    ],
)
def test_a_refusal_names_the_nearest_parameter(path: str, said: str) -> None:
    """And those that there are."""

    async def talk(client: Client) -> str:
        return str((await client.get(path)).json()["detail"])

    assert said in asked(talk)


def test_whoever_may_not_ask_is_not_told_what_there_is() -> None:
    """The permission is looked at first."""

    async def talk(client: Client) -> int:
        return (await client.get(f"{WORKFLOWS}?stauts=FAILED", headers={"X-May": "keys:read"})).status_code

    assert asked(talk, new_app(authenticator=People())) == 403


def test_a_socket_is_closed_that_asks_for_an_unknown_parameter() -> None:
    """With the status of the problem above 4000."""

    async def talk(client: Client) -> dict[str, Any]:
        async with connected(client.app, "/api/v1/events?stauts=FAILED") as socket:
            return dict(await socket.message())

    told = asked(talk)

    assert told["code"] == 4400


def test_the_guard_knows_what_the_document_says() -> None:
    """The parameters of every operation are those of its documentation."""
    app = new_app()
    documented = {
        item["operationId"]: {given["name"] for given in item.get("parameters", []) if given["in"] == "query"}
        for methods in document_of(app)["paths"].values()
        for item in methods.values()
    }
    handlers = [handler for route in app.routes if isinstance(route, HTTPRoute) for handler in route.route_handlers]
    known = {str(item.operation_id): set(known_parameters(item)) for item in handlers}

    assert {name: known[name] for name in documented} == documented
