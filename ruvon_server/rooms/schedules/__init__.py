"""Schedules: what is started again and again."""

from collections.abc import Sequence

from litestar import Router
from litestar.di import Provide

from ruvon_server.parts import Parts
from ruvon_server.rooms.schedules.handlers import HANDLERS
from ruvon_server.rooms.schedules.service import ScheduleService

__all__ = ["room"]


def room(parts: Parts) -> Sequence[Router]:
    """The room's router."""
    service = ScheduleService(parts.builder, parts.uploads)
    return [
        Router(
            path="/api/v1/schedules",
            route_handlers=HANDLERS,
            dependencies={"service": Provide(lambda: service, sync_to_thread=False)},
            tags=["schedules"],
        )
    ]
