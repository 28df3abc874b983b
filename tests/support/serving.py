"""The server in the process of a test: an application over a builder, and a client that asks it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from litestar.testing import AsyncTestClient

from ruvon.builder import WorkflowBuilder
from ruvon.providers import Clock, PersistenceProvider
from ruvon_server.app import create_app
from ruvon_server.auth import Authenticator, Principal
from ruvon_server.settings import ServerSettings
from tests.support import server_flows

__all__ = ["Client", "People", "asked", "new_app", "new_builder", "until"]

Client = AsyncTestClient[Any]
T = TypeVar("T")
_TURNS = 2_000


def new_builder(
    store: PersistenceProvider | None = None, execution: str = "sync", clock: Clock | None = None
) -> WorkflowBuilder:
    """A builder that knows the workflows of the tests, over memory where no store is given."""
    builder = WorkflowBuilder(
        persistence_provider=store, execution_provider=execution, clock=clock, plugins=False, import_roots=["tests"]
    )
    builder.register(*server_flows.ALL)
    return builder


def new_app(
    builder: WorkflowBuilder | None = None, *, authenticator: Authenticator | None = None, **settings: Any
) -> Any:
    """The application; without a worker, unless the settings say otherwise."""
    given = ServerSettings(**{"worker": False, "db": "memory", **settings})
    return create_app(given, builder=builder or new_builder(), authenticator=authenticator)


class People:
    """Authentication of tests: the header `X-Who` names who asks, `X-Org` to whom he belongs."""

    async def authenticate(self, connection: Any, /) -> Principal:
        """Somebody who may do what `X-May` says, everything where it is not there."""
        headers = connection.headers
        may = headers.get("X-May", "*").split(",")
        return Principal(name=headers.get("X-Who", "anna"), permissions=frozenset(may), org_id=headers.get("X-Org"))


def asked(talk: Callable[[Client], Awaitable[T]], app: Any = None) -> T:
    """Run a talk with a server that is started for it and ended after it."""

    async def whole() -> T:
        async with AsyncTestClient(app or new_app(), raise_server_exceptions=False) as client:
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
