"""API keys: made, shown once, rotated and revoked."""

from collections.abc import Sequence

from litestar import Router
from litestar.di import Provide

from ruvon_server.parts import Parts
from ruvon_server.rooms.keys.handlers import HANDLERS
from ruvon_server.rooms.keys.service import KeyService

__all__ = ["room"]


def room(parts: Parts) -> Sequence[Router]:
    """The room's router."""
    service = KeyService(parts.keys, parts.roles, parts.builder.clock)
    return [
        Router(
            path="/api/v1/keys",
            route_handlers=HANDLERS,
            dependencies={"service": Provide(lambda: service, sync_to_thread=False)},
            tags=["keys"],
        )
    ]
