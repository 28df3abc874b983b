"""The operation of the changes room."""

from typing import Any, Final, TypeAlias

from litestar.di import NamedDependency

from ruvon_server.auth import Permission
from ruvon_server.models.changes import Changes
from ruvon_server.paging import DEFAULT_LIMIT, Limit
from ruvon_server.rooms.changes.service import ChangesService
from ruvon_server.routes import reads

__all__ = ["HANDLERS"]

Service: TypeAlias = NamedDependency[ChangesService]


@reads("/", name="list_changes", permission=Permission.CHANGES_READ, problems=("unsupported",))
async def list_changes(service: Service, limit: Limit = DEFAULT_LIMIT) -> Changes:
    """List who has changed keys, definitions and whatever else is no workflow, newest first."""
    return await service.find(limit)


HANDLERS: Final[list[Any]] = [list_changes]
"""The operations of the room."""
