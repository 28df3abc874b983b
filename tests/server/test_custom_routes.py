"""Routes of others: named by a setting, or brought by installed plugins."""

import importlib.metadata
import logging
from typing import Any

import pytest

from ruvon_server import custom
from ruvon_server.settings import ServerSettings, ServerSettingsError
from tests.support.serving import Client, People, asked, new_app

ROUTES = "tests.support.server_routes"


def app(*names: str) -> Any:
    """A server of several people with some of the routes."""
    return new_app(authenticator=People(), custom_routers=tuple(f"{ROUTES}.{name}" for name in names))


def test_the_example_router_answers() -> None:
    """S1-015, S1-016, S1-021, S1-022: the routes of the documents, with and without the optional parameter."""

    async def talk(client: Client) -> list[Any]:
        answers = [
            await client.get("/api/v1/payments/summary?device_id=d-1"),
            await client.get("/api/v1/payments/summary"),
            await client.post("/api/v1/payments/void/t-1"),
        ]
        return [answer.json() for answer in answers]

    assert asked(talk, app("router")) == [
        {"total_today": 0, "device_id": "d-1"},
        {"total_today": 0, "device_id": None},
        {"voided": True, "txn_id": "t-1"},
    ]


def test_several_are_separated_by_commas() -> None:
    """S1-017: blanks and a comma at the end do no harm; routers, controllers and handlers are taken."""
    text = f" {ROUTES}.router , {ROUTES}.Shop,{ROUTES}.ping,"
    names = ServerSettings.from_environment({"RUVON_CUSTOM_ROUTERS": text}).custom_routers

    async def talk(client: Client) -> list[int]:
        paths = ("/api/v1/payments/summary", "/shop/who", "/ping")
        return [(await client.get(path)).status_code for path in paths]

    assert asked(talk, new_app(custom_routers=names)) == [200, 200, 200]


def test_custom_routes_are_in_the_document() -> None:
    """S1-019, S1-020: with their prefix and tags, and the page is there."""

    async def talk(client: Client) -> tuple[int, Any]:
        page = await client.get("/docs")
        return page.status_code, (await client.get("/openapi.json")).json()["paths"]

    status, paths = asked(talk, app("router"))

    assert status == 200
    assert paths["/api/v1/payments/summary"]["get"]["tags"] == ["payments"]
    assert "post" in paths["/api/v1/payments/void/{txn_id}"]


def test_a_custom_route_gets_who_asks_and_the_workflows() -> None:
    """By naming `principal` and `builder`."""

    async def talk(client: Client) -> Any:
        return (await client.get("/shop/who")).json()

    who, *types = asked(talk, app("Shop"))

    assert who == "anna"
    assert "Greeting" in types


@pytest.mark.parametrize(
    ("path", "may", "status"),
    [
        ("/shop/who", "workflows:read", 403),
        ("/shop/who", "custom:use", 200),
        ("/ping", "workflows:read", 200),
    ],
)
def test_a_custom_route_is_guarded(path: str, may: str, status: int) -> None:
    """One that says nothing asks for `custom:use`; `public` is open."""

    async def talk(client: Client) -> int:
        return (await client.get(path, headers={"X-May": may})).status_code

    assert asked(talk, app("Shop", "ping")) == status


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("router", "no dot"),
        ("no_such_module.router", "no_such_module"),
        (f"{ROUTES}.missing", "has no missing"),
        (f"{ROUTES}.nothing", "it is str"),
        ("tests.support.server_routes_broken.router", "the module is broken"),
        ("os.path.join", "it is function"),
        ("..", "cannot be used"),
    ],
)
def test_a_path_that_cannot_be_used_ends_the_start(
    path: str, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """S1-018: the sentence has the path and the reason."""

    def imported(name: str) -> object:
        if name.endswith("_broken"):
            raise RuntimeError("the module is broken")
        return _IMPORT(name)

    monkeypatch.setattr(importlib, "import_module", imported)

    with pytest.raises(ServerSettingsError, match="RUVON_CUSTOM_ROUTERS") as caught:
        new_app(custom_routers=(path,))

    assert path in str(caught.value)
    assert said in str(caught.value)


_IMPORT = importlib.import_module


def test_a_route_that_is_taken_ends_the_start() -> None:
    """What the server answers itself cannot be replaced."""
    with pytest.raises(ServerSettingsError, match="/health"):
        app("taken")


def installed(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Let a plugin be installed that brings something."""
    point = importlib.metadata.EntryPoint("shop", value, custom.GROUP)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point] if group == custom.GROUP else [])


def test_an_installed_plugin_brings_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    """By an entry point."""
    installed(monkeypatch, f"{ROUTES}:router")

    async def talk(client: Client) -> int:
        return (await client.get("/api/v1/payments/summary")).status_code

    assert asked(talk, app()) == 200


def test_a_broken_plugin_is_left_out(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The server starts without it, and the log says why."""
    installed(monkeypatch, f"{ROUTES}:nothing")

    async def talk(client: Client) -> int:
        return (await client.get("/health")).status_code

    with caplog.at_level(logging.WARNING, "ruvon.server"):
        assert asked(talk, app()) == 200
    assert "`shop`" in caplog.text
