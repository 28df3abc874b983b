"""The OpenAPI document, and the page that shows it."""

from collections.abc import Sequence

from litestar import Router

from ruvon_server.parts import Parts
from ruvon_server.rooms.documents.handlers import HANDLERS

__all__ = ["room"]


def room(parts: Parts) -> Sequence[Router]:
    """The room's router; none where the settings switch it off."""
    return [Router(path="/", route_handlers=HANDLERS, include_in_schema=False)] if parts.settings.docs else []
