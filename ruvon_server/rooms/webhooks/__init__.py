"""Webhooks: who is told what happens to workflows, and what was sent."""

from collections.abc import Sequence

from litestar import Router
from litestar.di import Provide

from ruvon_server.parts import Parts
from ruvon_server.rooms.webhooks.handlers import HANDLERS
from ruvon_server.rooms.webhooks.service import WebhookService

__all__ = ["room"]


def room(parts: Parts) -> Sequence[Router]:
    """The room's router."""
    service = WebhookService(parts.webhooks, parts.builder.clock, parts.builder.ids)
    return [
        Router(
            path="/api/v1/webhooks",
            route_handlers=HANDLERS,
            dependencies={"service": Provide(lambda: service, sync_to_thread=False)},
            tags=["webhooks"],
        )
    ]
