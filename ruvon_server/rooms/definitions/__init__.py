"""Definitions: what can be started, in which versions, how they look and what differs."""

from collections.abc import Sequence

from litestar import Router
from litestar.di import Provide

from ruvon_server.parts import Parts
from ruvon_server.rooms.definitions.handlers import HANDLERS
from ruvon_server.rooms.definitions.service import DefinitionService

__all__ = ["room"]


def room(parts: Parts) -> Sequence[Router]:
    """The room's router."""
    service = DefinitionService(parts.builder, parts.uploads)
    return [
        Router(
            path="/api/v1/definitions",
            route_handlers=HANDLERS,
            dependencies={"service": Provide(lambda: service, sync_to_thread=False)},
            tags=["definitions"],
        )
    ]
