"""The rooms of the API: one package for each area, with its service and handlers; models are in `ruvon_server.models`.

A room is a function from the parts of the server to routers; `ALL` lists them. Handlers parse, call their service and
shape the answer; services do the work and know nothing of HTTP.
"""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from litestar import Router

from ruvon_server.parts import Parts
from ruvon_server.rooms import (
    changes,
    definitions,
    documents,
    events,
    health,
    histories,
    human_tasks,
    keys,
    queues,
    schedules,
    webhooks,
    workflows,
)

__all__ = ["ALL", "Room"]

Room: TypeAlias = Callable[[Parts], Sequence[Router]]

ALL: Final[tuple[Room, ...]] = (
    health.room,
    workflows.room,
    human_tasks.room,
    histories.room,
    schedules.room,
    queues.room,
    definitions.room,
    events.room,
    webhooks.room,
    keys.room,
    changes.room,
    documents.room,
)
