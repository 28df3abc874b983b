"""The calls of the human tasks room."""

from ruvon_server.client._call import API, Call, asking_named, json_of, part, query
from ruvon_server.models import human_tasks as models

__all__ = [
    "answer_human_task",
    "claim_human_task",
    "get_approval",
    "get_human_task",
    "list_human_tasks",
    "make_approval_link",
    "release_human_task",
    "use_approval",
]

release_human_task = asking_named(
    "release_human_task", "/human-tasks/{}/release", models.ReleaseTask, json_of(models.HumanTask)
)
answer_human_task = asking_named(
    "answer_human_task", "/human-tasks/{}/answer", models.AnswerTask, json_of(models.ApprovalResult)
)
make_approval_link = asking_named(
    "make_approval_link", "/human-tasks/{}/links", models.MakeLink, json_of(models.ApprovalLink)
)


def list_human_tasks(
    *,
    role: str | None = None,
    assignee: str | None = None,
    claimed_by: str | None = None,
    unclaimed: bool | None = None,
    name: str | None = None,
    workflow_type: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[models.HumanTaskPage]:
    """A page of what people are asked."""
    return Call(
        "list_human_tasks",
        "GET",
        f"{API}/human-tasks",
        json_of(models.HumanTaskPage),
        query(
            {
                "role": role,
                "assignee": assignee,
                "claimed_by": claimed_by,
                "unclaimed": unclaimed,
                "name": name,
                "workflow_type": workflow_type,
                "limit": limit,
                "cursor": cursor,
            }
        ),
        repeatable=True,
    )


def get_human_task(task_id: str, /) -> Call[models.HumanTask]:
    """What a person is asked."""
    name = "get_human_task"
    return Call(name, "GET", f"{API}/human-tasks/{part(name, task_id)}", json_of(models.HumanTask), repeatable=True)


def claim_human_task(task_id: str, /) -> Call[models.HumanTask]:
    """Take a task, so that nobody else does."""
    name = "claim_human_task"
    return Call(name, "POST", f"{API}/human-tasks/{part(name, task_id)}/claim", json_of(models.HumanTask))


def get_approval(token: str, /) -> Call[models.ApprovalView]:
    """What a signed link asks."""
    name = "get_approval"
    return Call(name, "GET", f"{API}/approvals/{part(name, token)}", json_of(models.ApprovalView), repeatable=True)


def use_approval(token: str, /) -> Call[models.ApprovalResult]:
    """Give the answer of a signed link."""
    name = "use_approval"
    return Call(name, "POST", f"{API}/approvals/{part(name, token)}", json_of(models.ApprovalResult))
