"""What the workflows room is asked and answers about migration."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ruvon.models import WorkflowStatus
from ruvon_server.models.workflows import ID, BulkReport, Filter, Name, Reason

__all__ = ["MigrateWorkflow", "MigrateWorkflows", "MigrationCheck", "MigrationFilter", "MigrationReport", "Target"]

_TARGET: dict[str, Any] = {
    "workflow_type": "OrderProcessing",
    "workflow_version": "1.3.0",
    "digest": "6d1f0c8b6a2e9d4f7c3b5a1e0f9d8c7b6a5e4d3c2b1a0f9e8d7c6b5a4e3d2c1b",
}


def _config(*examples: dict[str, Any], closed: bool = False) -> ConfigDict:
    extra: Literal["forbid", "ignore"] = "forbid" if closed else "ignore"
    return ConfigDict(use_attribute_docstrings=True, extra=extra, json_schema_extra={"examples": list(examples)})


class Target(BaseModel):
    """The definition to go on with."""

    model_config = _config(_TARGET)

    workflow_type: str
    workflow_version: str
    digest: str


class MigrateWorkflow(BaseModel):
    """Let a workflow that waits go on with another definition of its type."""

    model_config = _config(
        {"to": "1.3.0", "reason": "no audits any more"}, {"to": "1.3.0", "dry_run": True}, closed=True
    )

    to: Name
    """A version that the server has of the workflow's type, or at least six characters of its digest."""
    dry_run: bool = False
    """Only say whether it can be moved, and what stands against it."""
    reason: Reason = ""
    """Why; kept in the history."""


class MigrationCheck(BaseModel):
    """Whether a workflow can be moved."""

    model_config = _config(
        {
            "to": _TARGET,
            "workflow_id": ID,
            "workflow_version": "1.2.0",
            "status": "WAITING_HUMAN",
            "stands": ["audit"],
            "movable": False,
            "problems": ["it stands at `audit`, which is not there any more"],
        }
    )

    to: Target
    workflow_id: str
    workflow_version: str
    """The version that it has now."""
    status: WorkflowStatus
    stands: list[str]
    """The steps that it stands at, outermost first."""
    movable: bool
    problems: list[str]
    """Why it cannot be moved; empty where it can."""


class MigrationFilter(Filter):
    """Which workflows of the type are meant: those that fit everything that is given."""

    model_config = _config({"status": ["WAITING_HUMAN"], "workflow_version": "1.2.0"}, closed=True)

    status: list[WorkflowStatus] = Field(default=[])
    """Any of these; empty is any that has not ended."""


class MigrateWorkflows(BaseModel):
    """Let every workflow of a type that waits, and that fits, go on with another definition of it."""

    model_config = _config(
        {
            "workflow_type": "OrderProcessing",
            "to": "1.3.0",
            "filter": {"workflow_version": "1.2.0"},
            "dry_run": True,
            "reason": "no audits any more",
        },
        closed=True,
    )

    workflow_type: Name
    to: Name
    """A version that the server has of the type, or at least six characters of its digest."""
    filter: MigrationFilter = MigrationFilter()
    """Those that have the definition already are never meant."""
    dry_run: bool = False
    """Only say what would happen to each."""
    limit: int = Field(default=100, ge=1, le=1_000)
    """At most so many, the newest."""
    reason: Reason = ""
    """Why; kept in the histories."""


class MigrationReport(BulkReport):
    """What was moved, or would be; `reasons` of those that stay have each thing that stands against it."""

    model_config = _config({"to": _TARGET, "items": [], "counts": {"planned": 3}, "finished": True})

    to: Target
