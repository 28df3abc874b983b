"""What the human tasks room is asked and answers."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ruvon_server.models.workflows import ID, Name, Reason, WaitFor

__all__ = [
    "AnswerTask",
    "ApprovalLink",
    "ApprovalResult",
    "ApprovalView",
    "HumanTask",
    "HumanTaskPage",
    "MakeLink",
    "ReleaseTask",
]

TASK_ID = "PyqcQWqbSlWKJw0vWx8aEWFwcHJvdmU"
_MOMENT = "2026-11-21T12:00:00Z"
_TASK: dict[str, Any] = {
    "task_id": TASK_ID,
    "name": "finance.approve",
    "role": "finance",
    "assignee": None,
    "show": {"number": "A-1"},
    "due_at": _MOMENT,
    "form": {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]},
    "answer": {"approved": True},
    "claimed_by": None,
    "claimed_at": None,
    "workflow_id": ID,
    "workflow_type": "OrderProcessing",
    "workflow_version": "1.2.0",
    "step": "approve",
    "wait_id": "approve",
    "owner_id": None,
    "org_id": None,
    "waits_since": _MOMENT,
}


def _config(*examples: dict[str, Any], closed: bool = False) -> ConfigDict:
    extra: Literal["forbid", "ignore"] = "forbid" if closed else "ignore"
    return ConfigDict(use_attribute_docstrings=True, extra=extra, json_schema_extra={"examples": list(examples)})


class HumanTask(BaseModel):
    """Something that a person is asked."""

    model_config = _config(_TASK)

    task_id: str
    """Its id; it is another one whenever the step asks again."""
    name: str
    """The name that the workflow gives it."""
    role: str | None
    """Who may answer."""
    assignee: str | None
    """The one person who may answer."""
    show: Any
    """What the person is shown; secrets are `***`."""
    due_at: datetime | None
    """When the workflow's patience ends."""
    form: dict[str, Any] | None
    """The JSON Schema of the answer; None where anything goes."""
    answer: Any
    """An answer to start from."""
    claimed_by: str | None
    """Who has it."""
    claimed_at: datetime | None
    workflow_id: str
    workflow_type: str
    workflow_version: str
    step: str
    wait_id: str
    """The id of the wait, as `resume` takes it."""
    owner_id: str | None
    org_id: str | None
    waits_since: datetime
    """When the workflow changed last; it asks since then at the latest."""


class HumanTaskPage(BaseModel):
    """A page of tasks."""

    model_config = _config({"items": [_TASK], "next_cursor": None})

    items: list[HumanTask]
    """Those of the newest workflows first. There may be fewer than asked for, and none, although more pages follow."""
    next_cursor: str | None
    """Give it as `cursor` to get the next page; None on the last one."""


class ReleaseTask(BaseModel):
    """Give a task back."""

    model_config = _config({}, {"force": True}, closed=True)

    force: bool = False
    """Also where somebody else has it; that takes `workflows:repair`."""


class AnswerTask(BaseModel):
    """The answer to a task."""

    model_config = _config({"answer": {"approved": True}, "reason": "a regular customer"}, closed=True)

    answer: Any
    """It has to fit the form."""
    reason: Reason = ""
    """Why; kept in the history."""
    wait_s: WaitFor = 0


class MakeLink(BaseModel):
    """A link that gives one answer."""

    model_config = _config(
        {"answer": {"approved": True}, "expires_in_s": 86_400, "recipient": "anna@example.org"}, closed=True
    )

    answer: Any
    """The answer that the link gives; it has to fit the form."""
    expires_in_s: int = Field(default=86_400, ge=1, le=31_536_000)
    """So long it is of use, in seconds."""
    recipient: Name | None = None
    """For whom it is; the history names him."""


class ApprovalLink(BaseModel):
    """A link. Whoever has it can give the answer, and read what it says."""

    model_config = _config({"url": "/api/v1/approvals/WyJQeXF…", "token": "WyJQeXF…", "expires_at": _MOMENT})

    url: str
    """Its path; with the server before it where `RUVON_SERVER_PUBLIC_URL` says that."""
    token: str
    expires_at: datetime


class ApprovalView(BaseModel):
    """What a link does. Opening it does nothing."""

    model_config = _config(
        {
            "is_open": True,
            "name": "finance.approve",
            "workflow_type": "OrderProcessing",
            "show": {"number": "A-1"},
            "answer": {"approved": True},
            "recipient": "anna@example.org",
            "expires_at": _MOMENT,
        }
    )

    is_open: bool
    """Whether the task still waits; if not, the link is of no use any more."""
    name: str | None
    """The task's name, while it waits."""
    workflow_type: str | None
    show: Any
    """What the person is shown, while it waits."""
    answer: Any
    """The answer that a POST gives."""
    recipient: str | None
    expires_at: datetime


class ApprovalResult(BaseModel):
    """The answer was given."""

    model_config = _config({"answered": True, "answer": {"approved": True}})

    answered: Literal[True] = True
    answer: Any
