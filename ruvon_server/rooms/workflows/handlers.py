"""The operations of the workflows room."""

from datetime import datetime
from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

from litestar import Response
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, JSONBody, PathParameter, QueryParameter

from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter
from ruvon_server.auth import Permission, Principal
from ruvon_server.models import migrations
from ruvon_server.models import workflows as models
from ruvon_server.paging import DEFAULT_LIMIT, PAIR, Cursor, Limit, Paging
from ruvon_server.rooms.workflows.filters import filter_of
from ruvon_server.rooms.workflows.service import WorkflowService
from ruvon_server.routes import reads, writes

__all__ = ["OF_ALL", "OF_ONE"]

Id: TypeAlias = Annotated[UUID, PathParameter(description="The id of a workflow.")]
Begin: TypeAlias = Annotated[
    str,
    PathParameter(min_length=4, max_length=36, pattern="^[0-9a-fA-F-]+$", description="The first characters of an id."),
]
Service: TypeAlias = NamedDependency[WorkflowService]
Asker: TypeAlias = NamedDependency[Principal]
_ONE: Final = ("workflow-not-found",)
_CHANGE: Final = (*_ONE, "workflow-busy", "workflow-changed", "definition-drift", "cannot-run-here")
_LATER: Final = {
    202: ResponseSpec(models.WorkflowInfo, generate_examples=False, description="It is taken, and the workflow goes on")
}
_STARTED: Any = models.WorkflowInfo | models.StartPlan


def _answer(found: tuple[models.WorkflowInfo, bool]) -> Response[models.WorkflowInfo]:
    info, done = found
    return Response(info, status_code=200 if done else 202)


@writes(
    "/",
    name="start_workflow",
    permission=Permission.WORKFLOWS_START,
    status_code=201,
    problems=(
        "unknown-workflow-type",
        "invalid-initial-data",
        "invalid-definition",
        "not-storable",
        "code-not-found",
        "cannot-run-here",
        "idempotency-key-reused",
        "other-tenant",
        "unsupported",
    ),
    answers={
        200: ResponseSpec(
            _STARTED,
            generate_examples=False,
            description="A workflow was started with this key before, or nothing was to be started",
        )
    },
    response_headers=[
        ResponseHeader(name="Location", value="/api/v1/workflows/...", description="Its path.", documentation_only=True)
    ],
)
async def start_workflow(
    data: JSONBody[models.StartWorkflow],
    service: Service,
    principal: Asker,
    idempotency_key: Annotated[
        models.Key | None, HeaderParameter(name="Idempotency-Key", description="In place of the field of that name.")
    ] = None,
) -> Response[models.WorkflowInfo | models.StartPlan]:
    """Start a workflow, which goes on behind the answer unless `run` is false; with `dry_run` only check that it can."""
    if data.dry_run:
        return Response(await service.plan_start(principal, data), status_code=200)
    if idempotency_key is not None and data.idempotency_key is None:
        data = data.model_copy(update={"idempotency_key": idempotency_key})
    info, is_new = await service.start(principal, data)
    return Response(
        info,
        status_code=201 if is_new else 200,
        headers={"Location": f"/api/v1/workflows/{info.workflow_id}"},
    )


@reads(
    "/",
    name="list_workflows",
    permission=Permission.WORKFLOWS_READ,
    problems=("bad-cursor", "bad-filter"),
)
async def list_workflows(
    service: Service,
    principal: Asker,
    pages: Paging,
    status: Annotated[
        list[WorkflowStatus] | None, QueryParameter(description="Only those of these statuses; may be there often.")
    ] = None,
    workflow_type: Annotated[models.Name | None, QueryParameter(description="Only those of this type.")] = None,
    workflow_version: Annotated[models.Name | None, QueryParameter(description="Only those of this version.")] = None,
    owner_id: Annotated[models.Name | None, QueryParameter(description="Only what this owner has.")] = None,
    org_id: Annotated[models.Name | None, QueryParameter(description="Only what this organisation has.")] = None,
    parent_id: Annotated[UUID | None, QueryParameter(description="Only those that this one has started.")] = None,
    current_step: Annotated[models.Name | None, QueryParameter(description="Only those at this step.")] = None,
    created_after: Annotated[datetime | None, QueryParameter(description="Only those made then or later.")] = None,
    created_before: Annotated[datetime | None, QueryParameter(description="Only those made earlier.")] = None,
    updated_before: Annotated[datetime | None, QueryParameter(description="Only those that rest since.")] = None,
    metadata: Annotated[
        list[str] | None,
        QueryParameter(description="Only those with `key:value` in their metadata; may be there often."),
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> models.WorkflowPage:
    """List workflows, newest first."""
    wanted: InstanceFilter = filter_of(
        status=status,
        workflow_type=workflow_type,
        workflow_version=workflow_version,
        owner_id=owner_id,
        org_id=org_id,
        parent_id=parent_id,
        current_step=current_step,
        created_after=created_after,
        created_before=created_before,
        updated_before=updated_before,
        metadata=metadata,
    )
    after = await pages.place(cursor, PAIR)
    items, place = await service.find(principal, wanted, limit, after)
    return models.WorkflowPage(items=items, next_cursor=await pages.cursor(place))


@reads("/ids/{begin:str}", name="find_workflow_ids", permission=Permission.WORKFLOWS_READ, problems=("unsupported",))
async def find_workflow_ids(begin: Begin, service: Service, principal: Asker) -> models.WorkflowIds:
    """The ids of workflows that begin like this, for people who type only the first characters."""
    return await service.ids(principal, begin)


@reads("/{workflow_id:uuid}", name="get_workflow", permission=Permission.WORKFLOWS_READ, problems=_ONE)
async def get_workflow(workflow_id: Id, service: Service, principal: Asker) -> models.WorkflowInfo:
    """Show how a workflow stands: its status, what it waits for, its result or error."""
    return await service.show(principal, workflow_id)


@reads("/{workflow_id:uuid}/state", name="get_workflow_state", permission=Permission.WORKFLOWS_READ, problems=_ONE)
async def get_workflow_state(workflow_id: Id, service: Service, principal: Asker) -> models.WorkflowState:
    """Show the state of a workflow; secrets are `***`."""
    return await service.state(principal, workflow_id)


@reads("/{workflow_id:uuid}/step", name="get_current_step", permission=Permission.WORKFLOWS_READ, problems=_ONE)
async def get_current_step(workflow_id: Id, service: Service, principal: Asker) -> models.CurrentStep:
    """Show where a workflow stands, with the JSON Schema of what that step takes."""
    return await service.step(principal, workflow_id)


@writes(
    "/{workflow_id:uuid}/next",
    name="run_next_step",
    permission=Permission.WORKFLOWS_RUN,
    problems=(*_CHANGE, "workflow-finished", "not-waiting", "invalid-input", "task-of-another", "task-of-role"),
    answers=_LATER,
)
async def run_next_step(
    workflow_id: Id,
    data: JSONBody[models.GoOn],
    service: Service,
    principal: Asker,
) -> Response[models.WorkflowInfo]:
    """Run the current step, and those after it while they go on by themselves."""
    return _answer(await service.next(principal, workflow_id, data))


@writes(
    "/{workflow_id:uuid}/resume",
    name="resume_workflow",
    permission=Permission.WORKFLOWS_RUN,
    problems=(*_CHANGE, "workflow-finished", "not-waiting", "invalid-input", "task-of-another", "task-of-role"),
    answers=_LATER,
)
async def resume_workflow(
    workflow_id: Id,
    data: JSONBody[models.ResumeWorkflow],
    service: Service,
    principal: Asker,
) -> Response[models.WorkflowInfo]:
    """Answer what a workflow asks, or let it go on where it asks nothing."""
    return _answer(await service.resume(principal, workflow_id, data))


@writes(
    "/{workflow_id:uuid}/signal",
    name="signal_workflow",
    permission=Permission.WORKFLOWS_RUN,
    problems=(*_CHANGE, "invalid-input"),
    status_code=202,
)
async def signal_workflow(
    workflow_id: Id,
    data: JSONBody[models.SignalWorkflow],
    service: Service,
    principal: Asker,
) -> models.WorkflowInfo:
    """Send a workflow a signal; it lies there until it is received."""
    return await service.signal(principal, workflow_id, data)


@writes(
    "/{workflow_id:uuid}/cancel",
    name="cancel_workflow",
    permission=Permission.WORKFLOWS_CANCEL,
    problems=(*_CHANGE, "workflow-finished"),
    status_code=202,
)
async def cancel_workflow(
    workflow_id: Id,
    data: JSONBody[models.CancelWorkflow],
    service: Service,
    principal: Asker,
) -> models.WorkflowInfo:
    """Ask a workflow to end: its children first, then what it has done is undone where saga mode is on."""
    return await service.cancel(principal, workflow_id, data)


@writes(
    "/{workflow_id:uuid}/retry",
    name="retry_workflow",
    permission=Permission.WORKFLOWS_REPAIR,
    problems=(*_CHANGE, "repair-refused"),
    answers=_LATER,
)
async def retry_workflow(
    workflow_id: Id,
    data: JSONBody[models.RetryWorkflow],
    service: Service,
    principal: Asker,
) -> Response[models.WorkflowInfo]:
    """Bring a failed workflow back, at the step that failed or at another one."""
    return _answer(await service.retry(principal, workflow_id, data))


@writes(
    "/{workflow_id:uuid}/retry-compensation",
    name="retry_compensation",
    permission=Permission.WORKFLOWS_REPAIR,
    problems=(*_CHANGE, "repair-refused"),
    answers=_LATER,
)
async def retry_compensation(
    workflow_id: Id,
    data: JSONBody[models.RetryCompensation],
    service: Service,
    principal: Asker,
) -> Response[models.WorkflowInfo]:
    """Try those compensations again that failed when a workflow was rolled back."""
    return _answer(await service.retry_compensation(principal, workflow_id, data))


@writes(
    "/{workflow_id:uuid}/rewind",
    name="rewind_workflow",
    permission=Permission.WORKFLOWS_REPAIR,
    problems=(*_CHANGE, "repair-refused", "invalid-input", "history-forgotten"),
    answers=_LATER,
)
async def rewind_workflow(
    workflow_id: Id,
    data: JSONBody[models.RewindWorkflow],
    service: Service,
    principal: Asker,
) -> Response[models.WorkflowInfo | models.RewindPlan]:
    """Undo what came since a step was begun, and stand there again; with `dry_run` only say what would happen."""
    if data.dry_run:
        return Response(await service.plan_rewind(principal, workflow_id, data), status_code=200)
    info, done = await service.rewind(principal, workflow_id, data)
    return Response(info, status_code=200 if done else 202)


@writes(
    "/{workflow_id:uuid}/fork",
    name="fork_workflow",
    permission=Permission.WORKFLOWS_REPAIR,
    problems=(*_CHANGE, "repair-refused", "invalid-input", "history-forgotten"),
    status_code=201,
)
async def fork_workflow(
    workflow_id: Id,
    data: JSONBody[models.ForkWorkflow],
    service: Service,
    principal: Asker,
) -> models.WorkflowInfo:
    """Make a new workflow that stands where this one stood; this one is left alone."""
    return await service.fork(principal, workflow_id, data)


@writes(
    "/{workflow_id:uuid}/jump",
    name="jump_workflow",
    permission=Permission.WORKFLOWS_REPAIR,
    problems=(*_CHANGE, "repair-refused"),
)
async def jump_workflow(
    workflow_id: Id,
    data: JSONBody[models.JumpWorkflow],
    service: Service,
    principal: Asker,
) -> models.WorkflowInfo:
    """Let a live workflow stand at another step of its outermost list; nothing is undone."""
    return await service.jump(principal, workflow_id, data)


@writes(
    "/{workflow_id:uuid}/migrate",
    name="migrate_workflow",
    permission=Permission.WORKFLOWS_REPAIR,
    problems=(*_CHANGE, "repair-refused", "unknown-workflow-type", "code-not-found"),
)
async def migrate_workflow(
    workflow_id: Id,
    data: JSONBody[migrations.MigrateWorkflow],
    service: Service,
    principal: Asker,
) -> models.WorkflowInfo | migrations.MigrationCheck:
    """Let a workflow that waits go on with another definition of its type; with `dry_run` only say whether it can."""
    if data.dry_run:
        return await service.check_migration(principal, workflow_id, data)
    return await service.migrate(principal, workflow_id, data)


@writes(
    "/migrate",
    name="migrate_workflows",
    permission=Permission.WORKFLOWS_REPAIR,
    problems=("unknown-workflow-type",),
    answers={
        202: ResponseSpec(
            migrations.MigrationReport, generate_examples=False, description="The rest is done behind the answer"
        )
    },
)
async def migrate_workflows(
    data: JSONBody[migrations.MigrateWorkflows], service: Service, principal: Asker
) -> Response[migrations.MigrationReport]:
    """Move every workflow of a type that waits, and that fits, to another definition. With `dry_run` nothing is done."""
    found = await service.migrate_all(principal, data)
    return Response(found, status_code=200 if found.finished else 202)


@writes(
    "/bulk",
    name="bulk_workflows",
    permission=Permission.WORKFLOWS_BULK,
    answers={
        202: ResponseSpec(models.BulkReport, generate_examples=False, description="The rest is done behind the answer")
    },
)
async def bulk_workflows(
    data: JSONBody[models.BulkRequest], service: Service, principal: Asker
) -> Response[models.BulkReport]:
    """Do one thing with many workflows, newest first; one that fails stops no other. With `dry_run` nothing is done."""
    found = await service.bulk(principal, data)
    return Response(found, status_code=200 if found.finished else 202)


@writes(
    "/resume",
    name="resume_workflows",
    permission=Permission.WORKFLOWS_BULK,
    answers={
        202: ResponseSpec(
            models.ResumeReport, generate_examples=False, description="The rest goes on behind the answer"
        )
    },
)
async def resume_workflows(service: Service, principal: Asker) -> Response[models.ResumeReport]:
    """Let every workflow go on that can, and that nobody drives. It takes no body."""
    found = await service.resume_all(principal)
    return Response(found, status_code=200 if found.finished else 202)


OF_ALL: Final[list[Any]] = [
    start_workflow,
    list_workflows,
    find_workflow_ids,
    bulk_workflows,
    migrate_workflows,
    resume_workflows,
]
"""The operations on all workflows."""
OF_ONE: Final[list[Any]] = [
    get_workflow,
    get_workflow_state,
    get_current_step,
    run_next_step,
    resume_workflow,
    signal_workflow,
    cancel_workflow,
    retry_workflow,
    retry_compensation,
    rewind_workflow,
    fork_workflow,
    jump_workflow,
    migrate_workflow,
]
"""The operations on one."""
