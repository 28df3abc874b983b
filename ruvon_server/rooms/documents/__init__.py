"""What is at `/`, the OpenAPI document, and the page that shows it."""

from collections.abc import Sequence

from litestar import Router

from ruvon_server.parts import Parts
from ruvon_server.rooms.documents.handlers import HANDLERS, get_root

__all__ = ["room"]


def room(parts: Parts) -> Sequence[Router]:
    """The room's router; without the document and its page where the settings switch them off."""
    handlers = [get_root, *HANDLERS] if parts.settings.docs else [get_root]
    return [Router(path="/", route_handlers=handlers, include_in_schema=False)]
