"""The operations of the schedules room."""

from typing import Annotated, Any, Final, TypeAlias

from litestar import Response
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, PathParameter, QueryParameter

from ruvon_server.auth import Permission, Principal
from ruvon_server.models import schedules as models
from ruvon_server.models.workflows import NAME_PATTERN
from ruvon_server.rooms.schedules.service import ScheduleService
from ruvon_server.routes import deletes, reads, writes

__all__ = ["HANDLERS"]

Name: TypeAlias = Annotated[
    str, PathParameter(max_length=200, pattern=NAME_PATTERN, description="The name of a schedule.")
]
Count: TypeAlias = Annotated[int, QueryParameter(ge=0, le=100, description="So many of its next moments.")]
Service: TypeAlias = NamedDependency[ScheduleService]
Asker: TypeAlias = NamedDependency[Principal]
_ONE: Final = ("schedule-not-found",)
_DATES: Final = 5


@reads("/", name="list_schedules", permission=Permission.SCHEDULES_READ)
async def list_schedules(service: Service, principal: Asker) -> models.ScheduleList:
    """List the schedules, by name."""
    return await service.find(principal)


@writes(
    "/",
    name="add_schedule",
    permission=Permission.SCHEDULES_WRITE,
    status_code=201,
    problems=(
        "invalid-schedule",
        "unknown-workflow-type",
        "invalid-initial-data",
        "invalid-definition",
        "not-storable",
        "code-not-found",
        "cannot-run-here",
        "other-tenant",
        "schedule-taken",
        "busy-elsewhere",
    ),
    answers={
        200: ResponseSpec(models.Schedule, generate_examples=False, description="The one of this name is changed")
    },
)
async def add_schedule(
    data: JSONBody[models.AddSchedule], service: Service, principal: Asker, count: Count = _DATES
) -> Response[models.Schedule]:
    """Plan recurring starts of a workflow; the schedule that has the name already is changed."""
    found, is_new = await service.add(principal, data, count)
    return Response(found, status_code=201 if is_new else 200)


@reads("/{name:str}", name="get_schedule", permission=Permission.SCHEDULES_READ, problems=_ONE)
async def get_schedule(name: Name, service: Service, principal: Asker, count: Count = _DATES) -> models.Schedule:
    """Show a schedule in words, with its next moments."""
    return await service.show(principal, name, count)


@writes(
    "/{name:str}/pause",
    name="pause_schedule",
    permission=Permission.SCHEDULES_WRITE,
    problems=_ONE,
)
async def pause_schedule(
    name: Name, data: JSONBody[models.PauseSchedule], service: Service, principal: Asker
) -> models.Schedule:
    """Start nothing more of a schedule until it is resumed; what goes on, goes on."""
    return await service.pause(principal, name, data.reason, _DATES)


@writes("/{name:str}/resume", name="resume_schedule", permission=Permission.SCHEDULES_WRITE, problems=_ONE)
async def resume_schedule(name: Name, service: Service, principal: Asker) -> models.Schedule:
    """Go on with the next planned moment; what was missed during the pause is not made up. It takes no body."""
    return await service.resume(principal, name, _DATES)


@deletes("/{name:str}", name="remove_schedule", permission=Permission.SCHEDULES_WRITE, problems=_ONE)
async def remove_schedule(name: Name, service: Service, principal: Asker) -> None:
    """Delete a schedule; what it has started goes on."""
    await service.remove(principal, name)


HANDLERS: Final[list[Any]] = [
    list_schedules,
    add_schedule,
    get_schedule,
    pause_schedule,
    resume_schedule,
    remove_schedule,
]
