"""Receivers of webhooks, real ones on loopback, and a server whose time a test moves."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ruvon.providers import Clock, PersistenceProvider, datetime_of
from ruvon_server.webhooks import VerifiedWebhook, verify
from tests.support.hand_clock import HandClock
from tests.support.http_server import Asked, Server, answer, serving
from tests.support.serving import Client, new_app, new_builder

__all__ = ["HOOKS", "Receiver", "hooked", "made", "receiving", "settled", "tried"]

HOOKS = "/api/v1/webhooks"
_TURNS = 4_000
_TURN_US = 100_000


@dataclass
class Receiver:
    """What came, and what is answered: status and headers in turn, the last ones for ever."""

    server: Server
    answers: list[tuple[int, dict[str, str]]]
    behave: Callable[[Asked, asyncio.StreamWriter], Awaitable[None]] | None = None
    came: list[Asked] = field(default_factory=list[Asked])

    @property
    def url(self) -> str:
        return f"{self.server.url}/hook"

    @property
    def ids(self) -> list[str]:
        return [asked.headers["webhook-id"] for asked in self.came]

    def events(self, secret: str) -> list[str]:
        """The events that came, each of them verified as of the moment that it says."""
        return [found.json()["type"] for found in self.verified(secret)]

    def verified(self, *secrets: str) -> list[VerifiedWebhook]:
        return [
            verify(
                asked.body, asked.headers, secrets, now=datetime_of(int(asked.headers["webhook-timestamp"]) * 1_000_000)
            )
            for asked in self.came
        ]


@contextmanager
def receiving(*answers: int | tuple[int, dict[str, str]], behave: Any = None) -> Iterator[Receiver]:
    """A receiver that answers 200 where nothing else is said."""
    given = [item if isinstance(item, tuple) else (item, {}) for item in answers] or [(200, {})]
    held: list[Receiver] = []

    async def answering(asked: Asked, writer: asyncio.StreamWriter) -> None:
        receiver = held[0]
        receiver.came.append(asked)
        if receiver.behave is not None:
            await receiver.behave(asked, writer)
            return
        status, headers = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
        answer(writer, status, b"said", headers)

    with serving(answering) as server:
        held.append(Receiver(server, given, behave))
        yield held[0]


def hooked(store: PersistenceProvider | None = None, clock: Clock | None = None, **settings: Any) -> Any:
    """A server that sends webhooks to this machine."""
    builder = new_builder(store, clock=clock)
    return new_app(builder, **{"webhooks": True, "webhook_allow": ("127.0.0.1",), "shutdown_grace_s": 10.0, **settings})


async def made(client: Client, url: str, *, by: dict[str, str] | None = None, **wanted: Any) -> dict[str, Any]:
    """A webhook."""
    answered = await client.post(HOOKS, json={"url": url, **wanted}, headers=by)
    assert answered.status_code == 201, answered.text
    found: dict[str, Any] = answered.json()
    return found


async def settled(condition: Callable[[], bool | Awaitable[bool]], clock: HandClock | None = None) -> None:
    """Wait until something is so; a clock that stands still is moved on meanwhile, a tenth of a second each time."""
    for _ in range(_TURNS):
        found = condition()
        if found if isinstance(found, bool) else await found:
            return
        if clock is not None:
            clock.advance(_TURN_US)
        await asyncio.sleep(0.005)
    raise AssertionError("it never was so")


async def tried(client: Client, webhook_id: str, **query: Any) -> list[dict[str, Any]]:
    """The deliveries of a webhook, newest first."""
    answered = await client.get(f"{HOOKS}/{webhook_id}/deliveries", params=query)
    assert answered.status_code == 200, answered.text
    found: list[dict[str, Any]] = answered.json()["items"]
    return found
