"""Changes of what is no workflow: who has made them, when and why."""

from collections.abc import Sequence

from litestar import Router
from litestar.di import Provide

from ruvon_server.parts import Parts
from ruvon_server.rooms.changes.handlers import HANDLERS
from ruvon_server.rooms.changes.service import ChangesService

__all__ = ["room"]


def room(parts: Parts) -> Sequence[Router]:
    """The room's router."""
    service = ChangesService(parts.builder.persistence)
    return [
        Router(
            path="/api/v1/changes",
            route_handlers=HANDLERS,
            dependencies={"service": Provide(lambda: service, sync_to_thread=False)},
            tags=["changes"],
        )
    ]
