"""Whether the server lives and can work, and its numbers."""

from collections.abc import Sequence

from litestar import Router
from litestar.di import Provide

from ruvon_server.parts import Parts
from ruvon_server.rooms.health.handlers import HANDLERS
from ruvon_server.rooms.health.service import HealthService

__all__ = ["room"]


def room(parts: Parts) -> Sequence[Router]:
    """The room's router."""
    service = HealthService(parts.builder, parts.registry)
    return [
        Router(
            path="/",
            route_handlers=HANDLERS,
            dependencies={"service": Provide(lambda: service, sync_to_thread=False)},
            tags=["health"],
        )
    ]
