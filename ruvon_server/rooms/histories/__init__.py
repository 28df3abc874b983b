"""Histories and numbers: what has happened to workflows, and how often and how long."""

from collections.abc import Sequence

from litestar import Router
from litestar.di import Provide

from ruvon_server.parts import Parts
from ruvon_server.rooms.histories.handlers import OF_ALL, OF_ONE
from ruvon_server.rooms.histories.service import HistoryService

__all__ = ["room"]


def room(parts: Parts) -> Sequence[Router]:
    """The room's routers; those of one workflow have the singular path as an alias that no document has."""
    service = HistoryService(parts.builder)
    provided = {"service": Provide(lambda: service, sync_to_thread=False)}
    return [
        Router(path="/api/v1/workflows", route_handlers=OF_ONE, dependencies=provided, tags=["histories"]),
        Router(path="/api/v1/workflow", route_handlers=OF_ONE, dependencies=dict(provided), include_in_schema=False),
        Router(path="/api/v1/metrics", route_handlers=OF_ALL, dependencies=dict(provided), tags=["histories"]),
    ]
