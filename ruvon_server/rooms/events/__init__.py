"""Live events: what changes in workflows, as server-sent events and over WebSockets."""

from collections.abc import Sequence

from litestar import Router
from litestar.di import Provide

from ruvon_server.parts import Parts
from ruvon_server.rooms.events.handlers import OF_ALL, OF_ONE
from ruvon_server.rooms.events.service import EventService

__all__ = ["room"]


def room(parts: Parts) -> Sequence[Router]:
    """The room's routers: all workflows, one of them, and the singular path as an alias that no document has."""
    service = EventService(parts.builder, parts.feed, parts.settings.stream_heartbeat_s)
    provided = {"service": Provide(lambda: service, sync_to_thread=False)}
    return [
        Router(path="/api/v1/events", route_handlers=OF_ALL, dependencies=provided, tags=["events"]),
        Router(path="/api/v1/workflows", route_handlers=OF_ONE, dependencies=dict(provided), tags=["events"]),
        Router(path="/api/v1/workflow", route_handlers=OF_ONE, dependencies=dict(provided), include_in_schema=False),
    ]
