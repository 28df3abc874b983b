"""The calls of the workflows room."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import TypeAdapter

from ruvon.models import WorkflowStatus
from ruvon_server.client._call import API, Call, WorkflowRef, asking, asking_one, json_of, one, part, query
from ruvon_server.models import migrations
from ruvon_server.models import workflows as models

__all__ = [
    "bulk_workflows",
    "cancel_workflow",
    "check_start",
    "find_workflow_ids",
    "fork_workflow",
    "get_current_step",
    "get_workflow",
    "get_workflow_state",
    "jump_workflow",
    "list_workflows",
    "migrate_workflow",
    "migrate_workflows",
    "resume_workflow",
    "resume_workflows",
    "retry_compensation",
    "retry_workflow",
    "rewind_workflow",
    "run_next_step",
    "signal_workflow",
    "start_workflow",
]

_LONG_S: Final = 60.0
"""So long the server itself waits for work that says nothing of its patience."""
_INFO = json_of(models.WorkflowInfo)
_REWOUND: TypeAdapter[models.WorkflowInfo | models.RewindPlan] = TypeAdapter(models.WorkflowInfo | models.RewindPlan)
_MOVED: TypeAdapter[models.WorkflowInfo | migrations.MigrationCheck] = TypeAdapter(
    models.WorkflowInfo | migrations.MigrationCheck
)

start_workflow = asking("start_workflow", "/workflows", models.NewWorkflow, _INFO, keyed=True)
check_start = asking(
    "start_workflow",
    "/workflows",
    models.StartWorkflow,
    json_of(models.StartPlan),
    fixed={"dry_run": True},
    repeatable=True,
)
bulk_workflows = asking(
    "bulk_workflows", "/workflows/bulk", models.BulkRequest, json_of(models.BulkReport), patience_s=_LONG_S
)
run_next_step = asking_one("run_next_step", "/next", models.GoOn, _INFO)
resume_workflow = asking_one("resume_workflow", "/resume", models.ResumeWorkflow, _INFO)
signal_workflow = asking_one("signal_workflow", "/signal", models.SignalWorkflow, _INFO)
cancel_workflow = asking_one("cancel_workflow", "/cancel", models.CancelWorkflow, _INFO)
retry_compensation = asking_one("retry_compensation", "/retry-compensation", models.RetryCompensation, _INFO)
retry_workflow = asking_one("retry_workflow", "/retry", models.RetryWorkflow, _INFO)
rewind_workflow = asking_one(
    "rewind_workflow", "/rewind", models.RewindWorkflow, _REWOUND.validate_json, patience_s=_LONG_S
)
fork_workflow = asking_one("fork_workflow", "/fork", models.ForkWorkflow, _INFO)
jump_workflow = asking_one("jump_workflow", "/jump", models.JumpWorkflow, _INFO)
migrate_workflow = asking_one(
    "migrate_workflow", "/migrate", migrations.MigrateWorkflow, _MOVED.validate_json, patience_s=_LONG_S
)
migrate_workflows = asking(
    "migrate_workflows",
    "/workflows/migrate",
    migrations.MigrateWorkflows,
    json_of(migrations.MigrationReport),
    patience_s=_LONG_S,
)


def list_workflows(
    *,
    status: Sequence[WorkflowStatus | str] = (),
    workflow_type: str | None = None,
    workflow_version: str | None = None,
    owner_id: str | None = None,
    org_id: str | None = None,
    parent_id: UUID | str | None = None,
    current_step: str | None = None,
    created_after: datetime | None = None,
    created_before: datetime | None = None,
    updated_before: datetime | None = None,
    metadata: Sequence[str] = (),
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[models.WorkflowPage]:
    """A page of the workflows that fit, newest first; `metadata` are texts such as `customer:C-7`."""
    wanted = query(
        {
            "status": (status,) if isinstance(status, str) else tuple(status),
            "workflow_type": workflow_type,
            "workflow_version": workflow_version,
            "owner_id": owner_id,
            "org_id": org_id,
            "parent_id": parent_id,
            "current_step": current_step,
            "created_after": created_after,
            "created_before": created_before,
            "updated_before": updated_before,
            "metadata": (metadata,) if isinstance(metadata, str) else tuple(metadata),
            "limit": limit,
            "cursor": cursor,
        }
    )
    read = json_of(models.WorkflowPage)
    return Call("list_workflows", "GET", f"{API}/workflows", read, wanted, repeatable=True)


def find_workflow_ids(begin: str, /) -> Call[models.WorkflowIds]:
    """The ids of workflows that begin like this, newest first."""
    name = "find_workflow_ids"
    path = f"{API}/workflows/ids/{part(name, begin)}"
    return Call(name, "GET", path, json_of(models.WorkflowIds), repeatable=True)


def resume_workflows() -> Call[models.ResumeReport]:
    """Let every workflow go on that can, and that nobody drives."""
    name, path = "resume_workflows", f"{API}/workflows/resume"
    return Call(name, "POST", path, json_of(models.ResumeReport), repeatable=True, patience_s=_LONG_S)


def get_workflow(workflow_id: WorkflowRef, /) -> Call[models.WorkflowInfo]:
    """How a workflow stands: its status, what it waits for, its result or error."""
    return Call("get_workflow", "GET", one("get_workflow", workflow_id), _INFO, repeatable=True)


def get_workflow_state(workflow_id: WorkflowRef, /) -> Call[models.WorkflowState]:
    """The state of a workflow; secrets are `***`."""
    name = "get_workflow_state"
    return Call(name, "GET", one(name, workflow_id, "/state"), json_of(models.WorkflowState), repeatable=True)


def get_current_step(workflow_id: WorkflowRef, /) -> Call[models.CurrentStep]:
    """Where a workflow stands, with the JSON Schema of what that step takes."""
    name = "get_current_step"
    return Call(name, "GET", one(name, workflow_id, "/step"), json_of(models.CurrentStep), repeatable=True)
