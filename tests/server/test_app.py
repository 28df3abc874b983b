"""The assembly: settings, routes, permissions, health, pages."""

import asyncio
from typing import Any

import pytest
from litestar import Litestar, get

from ruvon_server.auth import PUBLIC, Permission, Principal
from ruvon_server.routes import route_table
from ruvon_server.settings import ServerSettings, ServerSettingsError
from tests.support.serving import Client, asked, new_app, new_builder, served

WORKFLOWS = "/api/v1/workflows"


class Everybody:
    """An authentication provider that says the same of everybody."""

    def __init__(self, principal: Principal) -> None:
        self.principal = principal

    async def authenticate(self, _: object) -> Principal:
        return self.principal


def test_every_route_says_what_it_asks_for() -> None:
    """No handler is without a permission, and every permission is one that exists."""
    asks = {route.permission for route in route_table(new_app())}

    assert asks <= {PUBLIC, *Permission}


def test_only_these_routes_are_public() -> None:
    """Whatever else is reached without a principal was made public by mistake."""
    public = {route.path for route in route_table(new_app()) if route.permission == PUBLIC}

    assert public == {
        "/",
        "/api/v1/approvals/{token:str}",  # whoever has a signed link
        "/docs",
        "/docs/docs.css",
        "/docs/docs.js",
        "/docs/schema",
        "/docs/schema/openapi.json",
        "/docs/schema/{path:str}",
        "/health",
        "/openapi.json",
        "/ready",
    }


def test_names_of_operations_are_unique() -> None:
    """Each documented operation has a name of its own, which clients call it by."""
    names = [route.name for route in route_table(new_app()) if route.is_documented]

    assert len(names) == len(set(names))


def test_whoever_may_do_nothing_is_refused_everywhere() -> None:
    """Every route that is not public answers 403 to a principal without permissions, before it looks at anything."""

    async def talk(client: Client) -> set[int]:
        answers = set()
        for route in route_table(client.app):
            if route.permission != PUBLIC:
                path = route.path.replace("{workflow_id:uuid}", "3f2a9c41-6a9b-4a55-8a27-0d2f5b1f1a11")
                path = path.replace("{number:int}", "1")
                answers.add((await client.request(route.method, path)).status_code)
        return answers

    assert asked(talk, new_app(authenticator=Everybody(Principal(name="nobody")))) == {403}


def test_a_handler_that_says_nothing_is_closed() -> None:
    """A route without a permission is open to nobody, not even to the administrator."""

    @get("/forgotten", sync_to_thread=False)
    def forgotten() -> str:
        return "open"

    app: Litestar = new_app()
    app.register(forgotten)

    async def talk() -> int:
        async with served(app) as client:
            return (await client.get("/forgotten")).status_code

    assert asyncio.run(talk()) == 403


def tenant(owner: str | None = None, org: str | None = None) -> Everybody:
    return Everybody(Principal(name=f"{owner}@{org}", permissions=frozenset({"*"}), owner_id=owner, org_id=org))


def test_what_another_tenant_has_is_not_there() -> None:
    """Lists leave it out, and its id is answered as one that nobody has; the same key makes another workflow."""
    builder = new_builder()
    ours = new_app(builder, authenticator=tenant(org="ours"))
    theirs = new_app(builder, authenticator=tenant(org="theirs"))
    body = {"workflow_type": "Greeting", "idempotency_key": "k", "wait_s": 5}

    async def talk() -> tuple[Any, ...]:
        async with served(ours) as one, served(theirs) as other:
            made = await one.post(WORKFLOWS, json=body)
            path = made.headers["Location"]
            seen = await other.get(path)
            listed = await other.get(WORKFLOWS, params={"org_id": "ours"})
            again = await other.post(WORKFLOWS, json=body)
            stolen = await other.post(WORKFLOWS, json={**body, "org_id": "ours"})
            return (
                made.json()["org_id"],
                seen.status_code,
                listed.json()["items"],
                again.status_code,
                stolen.json()["code"],
            )

    assert asyncio.run(talk()) == ("ours", 404, [], 201, "other-tenant")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.org"])  # noqa: S104 - what is refused
def test_an_open_address_without_authentication_is_refused(host: str) -> None:
    """Whoever wants that says so by name."""
    with pytest.raises(ServerSettingsError, match="insecure"):
        ServerSettings.from_environment({}, host=host)

    assert ServerSettings.from_environment({}, host=host, insecure_no_auth=True).host == host


def test_settings_come_from_variables_and_arguments_weigh_more() -> None:
    """`RUVON_SERVER_*` and the variables of every command are read; lists are written with commas."""
    found = ServerSettings.from_environment(
        {"RUVON_SERVER_PORT": "9000", "RUVON_SERVER_CORS_ORIGINS": "https://a, https://b", "RUVON_DB_URL": "x.db"},
        port=9001,
    )

    assert (found.port, found.cors_origins, found.db) == (9001, ("https://a", "https://b"), "x.db")


def test_a_variable_that_is_no_setting_is_refused() -> None:
    """A misspelt variable would otherwise be forgotten silently."""
    with pytest.raises(ServerSettingsError, match="RUVON_SERVER_PROT is no setting"):
        ServerSettings.from_environment({"RUVON_SERVER_PROT": "9000"})


def test_the_variable_of_the_command_line_is_no_mistake() -> None:
    """RUVON_SERVER_URL says to commands where a server is; a server that is started beside them leaves it alone."""
    assert ServerSettings.from_environment({"RUVON_SERVER_URL": "http://127.0.0.1:8000"}).port == 8000


def test_a_value_that_cannot_be_used_is_named() -> None:
    """The sentence has the setting and what it said."""
    with pytest.raises(ServerSettingsError, match="port is '99999'"):
        ServerSettings.from_environment({"RUVON_SERVER_PORT": "99999"})


def test_the_server_lives_and_is_ready() -> None:
    """`/health` and `/ready` answer without a principal."""

    async def talk(client: Client) -> list[tuple[int, str]]:
        return [
            ((answer := await client.get(path)).status_code, answer.json()["status"]) for path in ("/health", "/ready")
        ]

    assert asked(talk, new_app(authenticator=Everybody(Principal(name="nobody")))) == [(200, "ok"), (200, "ready")]


@pytest.mark.parametrize(("docs", "shown"), [(True, ("/docs", "/openapi.json")), (False, (None, None))])
def test_the_root_says_what_this_is(*, docs: bool, shown: tuple[str | None, str | None]) -> None:
    """To everybody: a name, and where the operations are, if they are shown; no version."""

    async def talk(client: Client) -> tuple[int, Any, list[int]]:
        answer = await client.get("/")
        found = answer.json()
        linked = [(await client.get(found[name])).status_code for name in ("docs", "openapi") if found[name]]
        return answer.status_code, found, linked

    status, found, linked = asked(talk, new_app(authenticator=Everybody(Principal(name="nobody")), docs=docs))

    assert (status, linked) == (200, [200, 200] if docs else [])
    assert found == {
        "name": "Ruvon",
        "description": "Durable workflows over HTTP.",
        "docs": shown[0],
        "openapi": shown[1],
    }


def test_the_page_loads_nothing_from_elsewhere() -> None:
    """`/docs` and what it names come from this server, and the policy forbids the rest."""

    async def talk(client: Client) -> tuple[str, list[int], str]:
        page = await client.get("/docs")
        parts = [(await client.get(f"/docs/{name}")).status_code for name in ("docs.js", "docs.css")]
        return page.text, parts, page.headers["Content-Security-Policy"]

    page, parts, policy = asked(talk)

    assert "http" not in page
    assert parts == [200, 200]
    assert "default-src 'none'" in policy


def test_the_document_is_complete() -> None:
    """OpenAPI 3.1: each operation has a name, a summary, a description, and the problems that it may answer."""

    async def talk(client: Client) -> dict[str, Any]:
        found: dict[str, Any] = (await client.get("/openapi.json")).json()
        return found

    document = asked(talk)
    operations = [found for path in document["paths"].values() for found in path.values()]

    assert document["openapi"].startswith("3.1")
    assert all({"operationId", "summary", "description"} <= operation.keys() for operation in operations)
    assert all("application/problem+json" in operation["responses"]["500"]["content"] for operation in operations)


def test_the_pages_can_be_switched_off() -> None:
    """With `docs` off there is no document and no page."""

    async def talk(client: Client) -> list[int]:
        return [(await client.get(path)).status_code for path in ("/docs", "/openapi.json")]

    assert asked(talk, new_app(docs=False)) == [404, 404]


def test_hosts_that_are_not_named_are_refused() -> None:
    """With `allowed_hosts` another `Host` is answered with a problem of the client."""

    async def talk(client: Client) -> list[int]:
        answers = [await client.get("/health", headers={"Host": host}) for host in ("ruvon.example", "evil.example")]
        return [answer.status_code for answer in answers]

    assert asked(talk, new_app(allowed_hosts=("ruvon.example",))) == [200, 400]


def test_other_origins_may_read_nothing_unless_they_are_named() -> None:
    """CORS is off by default."""

    async def talk(client: Client) -> str | None:
        answer = await client.get("/health", headers={"Origin": "https://page.example"})
        found: str | None = answer.headers.get("Access-Control-Allow-Origin")
        return found

    assert asked(talk) is None
    assert asked(talk, new_app(cors_origins=("https://page.example",))) == "https://page.example"
