"""The operations of the histories room."""

from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from ruvon_server.auth import Permission, Principal
from ruvon_server.models import histories as models
from ruvon_server.models.workflows import Name
from ruvon_server.paging import DEFAULT_LIMIT, NUMBER, Cursor, Limit, Paging
from ruvon_server.rooms.histories.service import HistoryService
from ruvon_server.routes import reads

__all__ = ["OF_ALL", "OF_ONE"]

Id: TypeAlias = Annotated[UUID, PathParameter(description="The id of a workflow.")]
Service: TypeAlias = NamedDependency[HistoryService]
Asker: TypeAlias = NamedDependency[Principal]
_ONE: Final = ("workflow-not-found",)


@reads(
    "/{workflow_id:uuid}/history",
    name="get_workflow_history",
    permission=Permission.WORKFLOWS_READ,
    problems=(*_ONE, "bad-cursor"),
)
async def get_workflow_history(
    workflow_id: Id,
    service: Service,
    principal: Asker,
    pages: Paging,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> models.HistoryPage:
    """Tell what has happened to a workflow, oldest first; repairs with who asked for them and why."""
    (after,) = await pages.place(cursor, NUMBER) or (0,)
    items, last = await service.history(principal, workflow_id, limit, after)
    return models.HistoryPage(items=items, next_cursor=await pages.cursor((last,) if last is not None else None))


@reads(
    "/{workflow_id:uuid}/logs",
    name="get_workflow_logs",
    permission=Permission.WORKFLOWS_READ,
    problems=(*_ONE, "unsupported", "bad-cursor"),
)
async def get_workflow_logs(
    workflow_id: Id,
    service: Service,
    principal: Asker,
    pages: Paging,
    level: Annotated[models.Level, QueryParameter(description="Only this level and worse.")] = "INFO",
    step: Annotated[Name | None, QueryParameter(description="Only those of this step.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> models.LogPage:
    """The lines that steps and people have left beside the history, newest first."""
    (before,) = await pages.place(cursor, NUMBER) or (None,)
    items, last = await service.logs(principal, workflow_id, level, step, limit, before)
    return models.LogPage(items=items, next_cursor=await pages.cursor((last,) if last is not None else None))


@reads(
    "/{workflow_id:uuid}/metrics",
    name="get_workflow_metrics",
    permission=Permission.WORKFLOWS_READ,
    problems=_ONE,
)
async def get_workflow_metrics(workflow_id: Id, service: Service, principal: Asker) -> models.WorkflowMetrics:
    """How often the steps of a workflow ran, how long they took, and the numbers that were recorded."""
    return await service.metrics(principal, workflow_id)


@reads("/", name="get_fleet_metrics", permission=Permission.WORKFLOWS_READ)
async def get_fleet_metrics(
    service: Service,
    principal: Asker,
    workflow_type: Annotated[Name | None, QueryParameter(description="Only workflows of this type.")] = None,
    window_s: Annotated[int, QueryParameter(ge=1, le=31_536_000, description="Throughput of so many seconds.")] = 3_600,
    runs: Annotated[int, QueryParameter(ge=0, le=1_000, description="Steps of so many newest workflows.")] = 200,
) -> models.FleetMetrics:
    """How many workflows have each status, how many come and end, and how long they and their steps take."""
    return await service.fleet(principal, workflow_type, window_s, runs)


@reads(
    "/recorded",
    name="get_recorded_metrics",
    permission=Permission.METRICS_READ,
    problems=(*_ONE, "unsupported"),
)
async def get_recorded_metrics(
    service: Service,
    workflow_id: Annotated[UUID | None, QueryParameter(description="Only those of this workflow.")] = None,
    name: Annotated[Name | None, QueryParameter(description="Only those of this name.")] = None,
    limit: Limit = DEFAULT_LIMIT,
) -> models.RecordedMetrics:
    """The newest numbers that were recorded, and what all of them come to."""
    return await service.recorded(workflow_id, name, limit)


OF_ALL: Final[list[Any]] = [get_fleet_metrics, get_recorded_metrics]
"""The operations on all workflows."""
OF_ONE: Final[list[Any]] = [get_workflow_history, get_workflow_logs, get_workflow_metrics]
"""The operations on one."""
