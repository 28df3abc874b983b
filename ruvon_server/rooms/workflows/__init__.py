"""Workflows: starting, looking, going on, ending and repairing them."""

from collections.abc import Sequence

from litestar import Router
from litestar.di import Provide

from ruvon_server.parts import Parts
from ruvon_server.rooms.workflows.handlers import OF_ALL, OF_ONE
from ruvon_server.rooms.workflows.service import WorkflowService

__all__ = ["room"]


def room(parts: Parts) -> Sequence[Router]:
    """The room's routers: the plural paths, and the singular one as an alias that no document has."""
    service = WorkflowService(parts.builder, parts.drives, parts.uploads, parts.settings.wait_limit_s)
    provided = {"service": Provide(lambda: service, sync_to_thread=False)}
    return [
        Router(path="/api/v1/workflows", route_handlers=[*OF_ALL, *OF_ONE], dependencies=provided, tags=["workflows"]),
        Router(path="/api/v1/workflow", route_handlers=OF_ONE, dependencies=dict(provided), include_in_schema=False),
    ]
