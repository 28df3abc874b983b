"""Human tasks: what waits for people, who has it, the answers, and links that give one."""

from collections.abc import Sequence

from litestar import Router
from litestar.di import Provide

from ruvon_server.parts import Parts
from ruvon_server.rooms.human_tasks.approvals import ApprovalService
from ruvon_server.rooms.human_tasks.handlers import APPROVALS, HANDLERS
from ruvon_server.rooms.human_tasks.links import Links
from ruvon_server.rooms.human_tasks.service import HumanTaskService

__all__ = ["room"]


def room(parts: Parts) -> Sequence[Router]:
    """The room's routers: the tasks, and the links that anybody may open who has one."""
    service = HumanTaskService(parts.builder, parts.drives)
    links = Links(parts.settings.approval_key, parts.builder.clock)
    approvals = ApprovalService(service, links, parts.builder.clock, parts.settings.public_url)
    provided = {
        "service": Provide(lambda: service, sync_to_thread=False),
        "approvals": Provide(lambda: approvals, sync_to_thread=False),
    }
    return [
        Router(path="/api/v1/human-tasks", route_handlers=HANDLERS, dependencies=provided, tags=["human tasks"]),
        Router(path="/api/v1/approvals", route_handlers=APPROVALS, dependencies=dict(provided), tags=["human tasks"]),
    ]
