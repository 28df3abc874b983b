"""The server in the process of a test: an application over a builder, and a client that asks it."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeVar

import httpx
import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.providers import Clock, PersistenceProvider
from ruvon_server.app import create_app
from ruvon_server.auth import Authenticator, Principal
from ruvon_server.documents import document_of
from ruvon_server.settings import ServerSettings
from tests.support import server_flows

__all__ = [
    "Client",
    "People",
    "asked",
    "document",
    "new_app",
    "new_builder",
    "on_every_store",
    "over",
    "served",
    "until",
]

T = TypeVar("T")
_TURNS = 2_000
_STORES: ContextVar[Callable[[], PersistenceProvider] | None] = ContextVar("stores of builders", default=None)

on_every_store = pytest.mark.usefixtures("every_store")
"""Run a test once with each kind of store behind its builders."""


@contextmanager
def over(new_store: Callable[[], PersistenceProvider]) -> Iterator[None]:
    """Let builders that are given no store ask for one here."""
    token = _STORES.set(new_store)
    try:
        yield
    finally:
        _STORES.reset(token)


class Client(httpx.AsyncClient):
    """Asks an application in the event loop of the test, so that requests sent at once are under way at once."""

    def __init__(self, app: Any) -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        super().__init__(transport=transport, base_url="http://testserver.local", follow_redirects=True, timeout=None)
        self.app = app


@asynccontextmanager
async def served(app: Any) -> AsyncGenerator[Client, None]:
    """A client of an application that is started for it and ended after it."""
    async with app.lifespan(), Client(app) as client:
        yield client


def new_builder(
    store: PersistenceProvider | None = None, execution: str = "sync", clock: Clock | None = None
) -> WorkflowBuilder:
    """A builder that knows the workflows of the tests, over memory where no store is given or set."""
    chosen = _STORES.get()
    builder = WorkflowBuilder(
        persistence_provider=store if store is not None or chosen is None else chosen(),
        execution_provider=execution,
        clock=clock,
        plugins=False,
        import_roots=["tests"],
    )
    builder.register(*server_flows.ALL)
    return builder


def new_app(
    builder: WorkflowBuilder | None = None, *, authenticator: Authenticator | None = None, **settings: Any
) -> Any:
    """The application; it runs no steps and sends no webhooks, unless the settings say otherwise."""
    given = ServerSettings(**{"worker": False, "webhooks": False, "db": "memory", **settings})
    return create_app(given, builder=builder or new_builder(), authenticator=authenticator)


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document of the server; made once for all modules that take their cases from it, and not to be changed."""
    return document_of(new_app())


class People:
    """Authentication of tests: the header `X-Who` names who asks, `X-Org` to whom he belongs, `X-Roles` what he is."""

    async def authenticate(self, connection: Any, /) -> Principal:
        """Somebody who may do what `X-May` says, everything where it is not there."""
        headers = connection.headers
        may = headers.get("X-May", "*").split(",")
        return Principal(
            name=headers.get("X-Who", "anna"),
            roles=frozenset(headers.get("X-Roles", "").split(",")),
            permissions=frozenset(may),
            org_id=headers.get("X-Org"),
        )


def asked(talk: Callable[[Client], Awaitable[T]], app: Any = None) -> T:
    """Run a talk with a server that is started for it and ended after it."""

    async def whole() -> T:
        async with served(app or new_app()) as client:
            return await talk(client)

    return asyncio.run(whole())


async def until(client: Client, workflow_id: str, *statuses: str) -> dict[str, Any]:
    """How a workflow stands when it has one of these statuses."""
    for _ in range(_TURNS):
        found: dict[str, Any] = (await client.get(f"/api/v1/workflows/{workflow_id}")).json()
        if found["status"] in statuses:
            return found
        await asyncio.sleep(0.005)
    raise AssertionError(f"it stays {found['status']}: {found}")
