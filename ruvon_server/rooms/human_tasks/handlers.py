"""The operations of the human tasks room."""

from typing import Annotated, Any, Final, TypeAlias

from litestar import Request, Response
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody, PathParameter, QueryParameter

from ruvon_server.auth import PUBLIC, Permission, Principal
from ruvon_server.models import human_tasks as models
from ruvon_server.models.workflows import Name
from ruvon_server.paging import DEFAULT_LIMIT, PAIR, Cursor, Limit, Paging
from ruvon_server.rooms.human_tasks.approvals import ApprovalService
from ruvon_server.rooms.human_tasks.page import POLICY, done_page, view_page
from ruvon_server.rooms.human_tasks.service import HumanTaskService, TaskFilter
from ruvon_server.routes import reads, writes

__all__ = ["APPROVALS", "HANDLERS"]

Id: TypeAlias = Annotated[str, PathParameter(max_length=2_000, description="The id of a task.")]
Token: TypeAlias = Annotated[str, PathParameter(max_length=20_000, description="The token of a link.")]
Service: TypeAlias = NamedDependency[HumanTaskService]
Approvals: TypeAlias = NamedDependency[ApprovalService]
Asker: TypeAlias = NamedDependency[Principal]
_ONE: Final = ("human-task-not-found",)
_FREE: Final = (*_ONE, "task-of-another", "busy-elsewhere")
_HIS: Final = (*_ONE, "task-of-another", "task-of-role")
_ANSWERS: Final = (*_HIS, "not-waiting", "invalid-input", "definition-drift", "cannot-run-here", "workflow-finished")
_LINK: Final = ("links-off", "link-not-found", "link-expired")
_HTML: Final = "text/html"


@reads("/", name="list_human_tasks", permission=Permission.WORKFLOWS_READ, problems=("bad-cursor",))
async def list_human_tasks(
    service: Service,
    principal: Asker,
    pages: Paging,
    role: Annotated[Name | None, QueryParameter(description="Only those that this role may answer.")] = None,
    assignee: Annotated[Name | None, QueryParameter(description="Only those for this person alone.")] = None,
    claimed_by: Annotated[Name | None, QueryParameter(description="Only those that this person has claimed.")] = None,
    unclaimed: Annotated[bool, QueryParameter(description="Only those that nobody has claimed.")] = False,
    name: Annotated[Name | None, QueryParameter(description="Only those of this name.")] = None,
    workflow_type: Annotated[Name | None, QueryParameter(description="Only those of this type.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> models.HumanTaskPage:
    """List what waits for a person, those of the newest workflows first."""
    wanted = TaskFilter(
        role=role,
        assignee=assignee,
        claimed_by=claimed_by,
        unclaimed=unclaimed,
        name=name,
        workflow_type=workflow_type,
    )
    after = await pages.place(cursor, PAIR)
    items, place = await service.find(principal, wanted, limit, after)
    return models.HumanTaskPage(items=items, next_cursor=await pages.cursor(place))


@reads("/{task_id:str}", name="get_human_task", permission=Permission.WORKFLOWS_READ, problems=_ONE)
async def get_human_task(task_id: Id, service: Service, principal: Asker) -> models.HumanTask:
    """Show a task that waits: what the person is shown, and the form of the answer."""
    return await service.show(principal, task_id)


@writes(
    "/{task_id:str}/claim",
    name="claim_human_task",
    permission=Permission.WORKFLOWS_RUN,
    problems=(*_HIS, "busy-elsewhere"),
)
async def claim_human_task(task_id: Id, service: Service, principal: Asker) -> models.HumanTask:
    """Take a task, so that nobody else answers it here; harmless when repeated. It takes no body."""
    return await service.claim(principal, task_id)


@writes(
    "/{task_id:str}/release",
    name="release_human_task",
    permission=Permission.WORKFLOWS_RUN,
    problems=_FREE,
)
async def release_human_task(
    task_id: Id, data: JSONBody[models.ReleaseTask], service: Service, principal: Asker
) -> models.HumanTask:
    """Give a task back; harmless when nobody has it."""
    return await service.release(principal, task_id, force=data.force)


@writes(
    "/{task_id:str}/answer",
    name="answer_human_task",
    permission=Permission.WORKFLOWS_RUN,
    problems=(*_ANSWERS, "workflow-busy", "workflow-changed", "busy-elsewhere"),
)
async def answer_human_task(
    task_id: Id, data: JSONBody[models.AnswerTask], service: Service, principal: Asker
) -> models.ApprovalResult:
    """Answer a task; its workflow goes on. Of two answers the first one is taken."""
    await service.answer(principal, task_id, data.answer, data.reason, wait_s=data.wait_s)
    return models.ApprovalResult(answer=data.answer)


@writes(
    "/{task_id:str}/links",
    name="make_approval_link",
    permission=Permission.WORKFLOWS_RUN,
    status_code=201,
    problems=(*_ANSWERS, "links-off"),
)
async def make_approval_link(
    task_id: Id, data: JSONBody[models.MakeLink], approvals: Approvals, principal: Asker
) -> models.ApprovalLink:
    """Make a link that gives one answer to this task: for a mail, without a login. Opening it does nothing yet."""
    return await approvals.make(principal, task_id, data)


@reads(
    "/{token:str}",
    name="get_approval",
    permission=PUBLIC,
    problems=_LINK,
    answers={200: ResponseSpec(models.ApprovalView, generate_examples=False, description="What the link does")},
)
async def get_approval(token: Token, approvals: Approvals, request: Request[Any, Any, Any]) -> Response[Any]:
    """Show what an approval link does; nothing is done. A browser gets a page with a button."""
    view = await approvals.show(token)
    return _page(view_page(view)) if _wants_page(request) else _data(view)


@writes(
    "/{token:str}",
    name="use_approval",
    permission=PUBLIC,
    problems=(*_LINK, "link-used", "invalid-input", "definition-drift", "cannot-run-here", "busy-elsewhere"),
    answers={200: ResponseSpec(models.ApprovalResult, generate_examples=False, description="The answer was given")},
)
async def use_approval(token: Token, approvals: Approvals, request: Request[Any, Any, Any]) -> Response[Any]:
    """Give the answer of an approval link. It takes no body; the second time there is nothing to answer any more."""
    result = await approvals.use(token)
    return _page(done_page(result)) if _wants_page(request) else _data(result)


def _wants_page(request: Request[Any, Any, Any]) -> bool:
    return _HTML in request.headers.get("Accept", "")


def _page(text: str) -> Response[Any]:
    headers = {"Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
    return Response(text, media_type="text/html; charset=utf-8", headers=headers)


def _data(found: models.ApprovalView | models.ApprovalResult) -> Response[Any]:
    return Response(found, headers={"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"})


HANDLERS: Final[list[Any]] = [
    list_human_tasks,
    get_human_task,
    claim_human_task,
    release_human_task,
    answer_human_task,
    make_approval_link,
]
"""The operations on tasks."""
APPROVALS: Final[list[Any]] = [get_approval, use_approval]
"""The operations that a link alone opens."""
