"""What the workflows room is asked and answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ruvon.models import WorkflowStatus

__all__ = [
    "BulkFilter",
    "BulkItem",
    "BulkReport",
    "BulkRequest",
    "CancelWorkflow",
    "CurrentStep",
    "Filter",
    "ForkWorkflow",
    "GoOn",
    "JumpWorkflow",
    "Key",
    "NewWorkflow",
    "ResumeReport",
    "ResumeWorkflow",
    "ResumedWorkflow",
    "RetryWorkflow",
    "RewindPlan",
    "RewindWorkflow",
    "SignalWorkflow",
    "StartPlan",
    "StartWorkflow",
    "Wait",
    "WorkflowInfo",
    "WorkflowPage",
    "WorkflowRow",
    "WorkflowState",
]

NAME_PATTERN = r"^[^\x00-\x1f\x7f]+$"
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=NAME_PATTERN)]
"""The name of something: one line."""
Key = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=NAME_PATTERN)]
"""A key that the sender makes up."""
Reason = Annotated[str, StringConstraints(max_length=2_000)]
_WAIT = "So many seconds the answer may wait until the workflow has ended or waits for somebody."
WaitFor = Annotated[float, Field(ge=0, le=3_600, description=_WAIT)]
ID = "3f2a9c41-6a9b-4a55-8a27-0d2f5b1f1a11"
_MOMENT = "2026-11-21T12:00:00Z"


Metadata = Annotated[
    dict[Name, Any],
    Field(
        json_schema_extra={
            "propertyNames": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": NAME_PATTERN}
        }
    ),
]


def _config(*examples: dict[str, Any], closed: bool = False, rules: Sequence[dict[str, Any]] = ()) -> ConfigDict:
    extra: Literal["forbid", "ignore"] = "forbid" if closed else "ignore"
    more: dict[str, Any] = {"examples": list(examples), **({"allOf": list(rules)} if rules else {})}
    return ConfigDict(use_attribute_docstrings=True, extra=extra, json_schema_extra=more)


def _takes(action: str, name: str) -> dict[str, Any]:
    """The rule that an action takes a field."""
    then: dict[str, Any] = {"required": [name], "properties": {name: {"type": "string"}}}
    return {"if": {"properties": {"action": {"const": action}}}, "then": then}


_ROW: dict[str, Any] = {
    "workflow_id": ID,
    "workflow_type": "OrderProcessing",
    "workflow_version": "1.2.0",
    "status": "WAITING_HUMAN",
    "current_step": "approve",
    "owner_id": None,
    "org_id": None,
    "parent_id": None,
    "priority": 0,
    "created_at": _MOMENT,
    "updated_at": _MOMENT,
    "driven": False,
}


_RESUMED: dict[str, Any] = {"workflow_id": ID, "status": "COMPLETED", "driven": False, "problem": ""}


class NewWorkflow(BaseModel):
    """A workflow to start."""

    model_config = _config(
        {"workflow_type": "OrderProcessing", "data": {"order_id": "A-1"}, "idempotency_key": "order-A-1"}, closed=True
    )

    workflow_type: Name
    """A type that the server knows; `GET /api/v1/definitions` lists them."""
    version: Name | None = None
    """A version of its definition; the current one where none is given."""
    data: dict[str, Any] = {}
    """The initial data: fields of the workflow's state."""
    idempotency_key: Key | None = None
    """A second start with the same key makes nothing and answers with what the first one has made. The header
    `Idempotency-Key` is another place for it."""
    owner_id: Name | None = None
    """Whose it is; yours, where you belong to one."""
    org_id: Name | None = None
    """Whose organisation's it is; yours, where you belong to one."""
    data_region: Name | None = None
    """Where its data may be kept."""
    priority: int = Field(default=0, ge=-(2**31), lt=2**31)
    """Larger is sooner, where work is queued."""
    metadata: Metadata = {}
    """Whatever you want to find it by; `?metadata=key:value` looks for it."""
    run: bool = True
    """Let it go on at once. Without it nothing of it runs until `next`."""
    reason: Reason = ""
    """Why it is started; `started_why` in its metadata."""
    wait_s: WaitFor = 0


class StartWorkflow(NewWorkflow):
    """A workflow to start, or to check."""

    dry_run: bool = False
    """Only say what would be started."""


class StartPlan(BaseModel):
    """What a start would start."""

    model_config = _config(
        {"workflow_type": "OrderProcessing", "workflow_version": "1.2.0", "digest": "6d1f0c…", "dry_run": True}
    )

    workflow_type: str
    workflow_version: str
    digest: str
    """The digest of its definition."""
    dry_run: Literal[True]


class WorkflowRow(BaseModel):
    """A workflow in a list."""

    model_config = _config(_ROW)

    workflow_id: str
    workflow_type: str
    workflow_version: str
    status: WorkflowStatus
    current_step: str | None
    """The step of the outermost list where it stands."""
    owner_id: str | None
    org_id: str | None
    parent_id: str | None
    """The workflow that started it."""
    priority: int
    created_at: datetime
    updated_at: datetime
    driven: bool = False
    """Whether a process has it in hand now; false where the store cannot say that."""


class WorkflowPage(BaseModel):
    """A page of workflows, newest first."""

    model_config = _config(
        {"items": [_ROW], "next_cursor": "8horApdlMpUxQIXsOv1nutfPbjYAULa71Q8-ISBIEFYJOF7AuELwfZXNu10zF7O5"}
    )

    items: list[WorkflowRow]
    next_cursor: str | None
    """Give it as `cursor` to get the next page; None on the last one."""


class Wait(BaseModel):
    """Something that a workflow waits for."""

    model_config = _config(
        {
            "kind": "human",
            "step": "approve",
            "id": "approve",
            "name": "finance.approve",
            "form": {"type": "object", "properties": {"approved": {"type": "boolean"}}, "required": ["approved"]},
            "answer": {"approved": True},
        }
    )

    kind: Literal["human", "input", "signal", "timer", "retry", "child", "task"]
    """Who or what it waits for."""
    step: str
    id: str | None = None
    name: str | None = None
    """The person's task, the signal's class, the child's type or the queue."""
    key: str | None = None
    """The signal's key, or the child's id."""
    due_at: datetime | None = None
    """When a timer or retry is due, or the patience with somebody ends."""
    show: Any = None
    """What a person is shown."""
    form: dict[str, Any] | None = None
    """The JSON Schema of the answer; None where anything goes."""
    answer: Any = None
    """An answer to start from."""


class WorkflowInfo(WorkflowRow):
    """How a workflow stands."""

    model_config = _config(
        {
            "workflow_id": ID,
            "workflow_type": "OrderProcessing",
            "workflow_version": "1.2.0",
            "status": "COMPLETED",
            "current_step": None,
            "owner_id": None,
            "org_id": None,
            "parent_id": None,
            "priority": 0,
            "created_at": _MOMENT,
            "updated_at": _MOMENT,
            "waiting_for": [],
            "result": {"order_id": "A-1", "total": "42.00"},
            "result_error": None,
            "error": None,
            "traceback": None,
            "saga_enabled": True,
            "data_region": None,
            "metadata": {"customer": "C-7"},
            "digest": "6d1f0c…",
            "revision": 5,
            "idempotency_key": None,
        }
    )

    waiting_for: list[Wait]
    """What it waits for now."""
    result: Any = None
    """What it has returned, once it is completed; secrets are `***`."""
    result_error: str | None = None
    """Why the result cannot be shown here."""
    error: str | None = None
    """Why it has failed or was cancelled."""
    traceback: str | None = None
    """Where that error was raised."""
    saga_enabled: bool
    """Whether an error that nobody catches undoes what has completed."""
    data_region: str | None
    metadata: dict[str, Any]
    digest: str
    """The digest of its definition."""
    revision: int
    """Rises with each change."""
    idempotency_key: str | None = None
    """The key that it was started with."""


class WorkflowState(BaseModel):
    """The state of a workflow."""

    model_config = _config(
        {"workflow_id": ID, "revision": 5, "state": {"order_id": "A-1", "status": "paid"}, "state_error": None}
    )

    workflow_id: str
    revision: int
    state: dict[str, Any] | None
    """Its fields; secrets are `***`."""
    state_error: str | None = None
    """Why it cannot be shown here."""


class CurrentStep(BaseModel):
    """Where a workflow stands, and what that step takes."""

    model_config = _config(
        {
            "workflow_id": ID,
            "status": "WAITING_HUMAN_INPUT",
            "step": "Collect_Address",
            "kind": "STANDARD",
            "input_schema": {"type": "object", "properties": {"street": {"type": "string"}}, "required": ["street"]},
            "waiting_for": [],
        }
    )

    workflow_id: str
    status: WorkflowStatus
    step: str | None
    """The step; None when the workflow has ended."""
    kind: str | None
    """The step's documented kind, such as STANDARD, DECISION or HUMAN_IN_LOOP."""
    input_schema: dict[str, Any] | None
    """The JSON Schema of the input that `next` takes for it; None where it takes none."""
    waiting_for: list[Wait]


class GoOn(BaseModel):
    """Let a workflow go on by a step, with the input of that step where it takes one."""

    model_config = _config({"input": {"street": "Main St 1"}}, {}, closed=True)

    input: dict[str, Any] | None = None
    """The input of the step that runs next, or the answer that the workflow waits for."""
    wait_s: WaitFor = 30


class ResumeWorkflow(BaseModel):
    """An answer to what a workflow asks; without one, it goes on as far as it can."""

    model_config = _config({"answer": {"approved": True}, "step": "approve"}, closed=True)

    answer: Any = None
    """The answer; None where nothing is asked."""
    step: Name | None = None
    """The step that asks, where several do."""
    wait_id: Annotated[str, StringConstraints(max_length=1_000)] | None = None
    """The id of the wait; an answer to an earlier turn is refused."""
    reason: Reason = ""
    """Why; kept in the history."""
    wait_s: WaitFor = 0


class SignalWorkflow(BaseModel):
    """A signal; it lies there until the workflow receives it."""

    model_config = _config({"name": "Paid", "payload": {"amount": 12}, "key": "A-1"}, closed=True)

    name: Name
    """The signal's class, with or without its module."""
    payload: dict[str, Any] | None = None
    """Its fields."""
    key: Key | None = None
    """The key that the workflow receives it by."""
    dedup: Key | None = None
    """A second signal with the same one is dropped."""
    reason: Reason = ""
    """Why; kept in the history."""


class CancelWorkflow(BaseModel):
    """End a workflow: its children first, then what it has done is undone where saga mode is on."""

    model_config = _config({"reason": "ordered twice"}, closed=True)

    reason: Reason = ""
    """Why; kept in the history."""
    compensate: bool = True
    """Undo what has completed, where saga mode is on."""


class RetryCompensation(BaseModel):
    """Try those compensations again that failed."""

    model_config = _config({"reason": "the hotel answers again"}, closed=True)

    reason: Reason = ""
    """Why; kept in the history."""
    wait_s: WaitFor = 30


class WorkflowIds(BaseModel):
    """Ids of workflows, newest first."""

    model_config = _config({"items": [ID]})

    items: list[str]


class RetryWorkflow(BaseModel):
    """Bring a failed workflow back."""

    model_config = _config({"from_step": "charge", "reason": "the gateway is back"}, closed=True)

    from_step: Name | None = None
    """A step of the outermost list; the one that failed where none is given."""
    reason: Reason = ""
    """Why; kept in the history."""
    wait_s: WaitFor = 0


class _Repair(BaseModel):
    to: Annotated[str, StringConstraints(min_length=1, max_length=1_000)] | Annotated[int, Field(ge=0, lt=2**63)]
    """A step, PARALLEL or LOOP (its newest execution), an activation, or the number of an entry of the history."""
    state: dict[str, Any] | None = None
    """Fields to go on with in place of those that it had then."""
    reason: Reason = ""
    """Why; kept in the history."""
    run: bool = False
    """Let it go on at once."""


class RewindWorkflow(_Repair):
    """Undo what came since a step was begun, and stand there again."""

    model_config = _config({"to": "charge", "state": {"amount": 12}, "reason": "wrong amount"}, closed=True)

    compensate: bool = True
    """Undo what completed since; without it those effects stay."""
    dry_run: bool = False
    """Only say what would happen."""


class ForkWorkflow(_Repair):
    """Make a new workflow that stands where this one stood."""

    model_config = _config({"to": "charge", "state": {"amount": 12}}, closed=True)


class JumpWorkflow(BaseModel):
    """Let a workflow stand at another step; nothing is undone."""

    model_config = _config({"step": "manual_check", "reason": "the service is down"}, closed=True)

    step: Name
    """A step of the outermost list."""
    reason: Reason = ""
    """Why; kept in the history."""
    run: bool = False
    """Let it go on at once."""


class ResumedWorkflow(BaseModel):
    """A workflow that could go on."""

    model_config = _config(_RESUMED)

    workflow_id: str
    status: str
    """Where it stands now; `deleted` where it is gone."""
    driven: bool
    """Somebody else drives it, so it was left to him."""
    problem: str
    """Why it could not go on; empty where it could."""


class ResumeReport(BaseModel):
    """What came of the workflows that could go on."""

    model_config = _config({"items": [_RESUMED], "finished": True})

    items: list[ResumedWorkflow]
    finished: bool
    """False where the server has not waited for the rest, which goes on behind the answer."""


class Filter(BaseModel):
    """Which workflows are meant, of whatever type: those that fit everything that is given."""

    status: list[WorkflowStatus] = []
    workflow_version: Name | None = None
    owner_id: Name | None = None
    org_id: Name | None = None
    parent_id: UUID | None = None
    current_step: Name | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    updated_before: datetime | None = None
    metadata: Metadata = {}
    """Keys of the metadata with exactly these values."""


class BulkFilter(Filter):
    """Which workflows are meant: those that fit everything that is given."""

    model_config = _config({"status": ["FAILED"], "workflow_type": "OrderProcessing"}, closed=True)

    status: list[WorkflowStatus] = []
    """Any of these; empty is any at all."""
    workflow_type: Name | None = None


class BulkRequest(BaseModel):
    """One thing to do with many workflows."""

    model_config = _config(
        {
            "action": "retry",
            "filter": {"status": ["FAILED"], "workflow_type": "OrderProcessing"},
            "dry_run": True,
            "reason": "the gateway is back",
        },
        closed=True,
        rules=(_takes("signal", "name"), _takes("rewind", "to")),
    )

    action: Literal["cancel", "retry", "signal", "rewind", "purge"]
    filter: BulkFilter
    dry_run: bool = False
    """Only say what would happen to each."""
    limit: int = Field(default=100, ge=1, le=1_000)
    """At most so many, the newest."""
    reason: Reason = ""
    """Why; kept in the histories."""
    compensate: bool = True
    """For `cancel` and `rewind`: undo what has completed."""
    from_step: Name | None = None
    """For `retry`: the step to begin at."""
    to: Name | None = None
    """For `rewind`: the step to stand at again."""
    state: dict[str, Any] | None = None
    """For `rewind`: fields to go on with in place of those that it had then."""
    name: Name | None = None
    """For `signal`: its class."""
    payload: dict[str, Any] | None = None
    """For `signal`: its fields."""
    key: Key | None = None
    """For `signal`: the key that it is received by."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.action == "signal" and self.name is None:
            raise ValueError("a signal takes `name`")
        if self.action == "rewind" and self.to is None:
            raise ValueError("a rewind takes `to`")
        return self


class BulkItem(BaseModel):
    """What happened, or would happen, to one workflow."""

    model_config = _config(
        {
            "workflow_id": ID,
            "workflow_type": "OrderProcessing",
            "workflow_version": "1.2.0",
            "status": "FAILED",
            "outcome": "planned",
            "note": "",
            "undone": [],
            "kept": [],
            "reasons": [],
        }
    )

    workflow_id: str
    workflow_type: str
    workflow_version: str
    status: WorkflowStatus
    """How it stood before; after the action where that was done."""
    outcome: Literal["planned", "done", "skipped", "failed"]
    note: str
    """Why it was skipped or failed."""
    undone: list[str]
    """Planned: the activations that would be compensated, in that order."""
    kept: list[str]
    """Planned rewind: the activations without compensation that would happen again."""
    reasons: list[str] = []
    """Skipped: each thing that stands against it."""


class BulkReport(BaseModel):
    """What was done, or would be."""

    model_config = _config({"items": [], "counts": {"planned": 3}, "finished": True})

    items: list[BulkItem]
    counts: dict[str, int]
    """How many had each outcome."""
    finished: bool
    """Whether that is all; if not, the rest is done behind the answer."""


class RewindPlan(BaseModel):
    """What a rewind would do."""

    model_config = _config(
        {"step": "charge", "activation": "charge", "undone": ["ship"], "kept": [], "state": {"amount": 12}}
    )

    step: str
    """Where the workflow would stand."""
    activation: str
    undone: list[str]
    """The activations that would be compensated, in that order."""
    kept: list[str]
    """The activations without compensation, which would happen again."""
    state: dict[str, Any]
    """The state that it would go on with; secrets are `***`."""
