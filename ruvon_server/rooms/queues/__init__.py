"""Workers, queues, tasks and dead letters: who runs queued steps, what waits for them, and what they died over."""

from collections.abc import Sequence

from litestar import Router
from litestar.di import Provide

from ruvon_server.parts import Parts
from ruvon_server.rooms.queues.dead_letters import DeadLetterService
from ruvon_server.rooms.queues.handlers import DEAD_LETTERS, QUEUES, TASKS, WORKERS
from ruvon_server.rooms.queues.service import QueueService

__all__ = ["room"]


def room(parts: Parts) -> Sequence[Router]:
    """The room's routers."""
    queues, letters = QueueService(parts.builder), DeadLetterService(parts.builder, parts.drives)
    of_all = {"service": Provide(lambda: queues, sync_to_thread=False)}
    of_letters = {"letters": Provide(lambda: letters, sync_to_thread=False)}
    return [
        Router(path="/api/v1/workers", route_handlers=WORKERS, dependencies=of_all, tags=["queues"]),
        Router(path="/api/v1/queues", route_handlers=QUEUES, dependencies=dict(of_all), tags=["queues"]),
        Router(path="/api/v1/tasks", route_handlers=TASKS, dependencies=dict(of_all), tags=["queues"]),
        Router(path="/api/v1/dead-letters", route_handlers=DEAD_LETTERS, dependencies=of_letters, tags=["queues"]),
    ]
