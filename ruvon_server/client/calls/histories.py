"""The calls of the histories room."""

from ruvon_server.client._call import API, Call, WorkflowRef, json_of, one, query
from ruvon_server.models import histories as models

__all__ = [
    "get_fleet_metrics",
    "get_recorded_metrics",
    "get_workflow_history",
    "get_workflow_logs",
    "get_workflow_metrics",
]


def get_workflow_history(
    workflow_id: WorkflowRef, /, *, limit: int | None = None, cursor: str | None = None
) -> Call[models.HistoryPage]:
    """A page of the history of a workflow."""
    name = "get_workflow_history"
    return Call(
        name,
        "GET",
        one(name, workflow_id, "/history"),
        json_of(models.HistoryPage),
        query({"limit": limit, "cursor": cursor}),
        repeatable=True,
    )


def get_workflow_logs(
    workflow_id: WorkflowRef,
    /,
    *,
    level: str | None = None,
    step: str | None = None,
    limit: int | None = None,
    cursor: str | None = None,
) -> Call[models.LogPage]:
    """A page of what a workflow has logged, newest first."""
    name = "get_workflow_logs"
    return Call(
        name,
        "GET",
        one(name, workflow_id, "/logs"),
        json_of(models.LogPage),
        query({"level": level, "step": step, "limit": limit, "cursor": cursor}),
        repeatable=True,
    )


def get_workflow_metrics(workflow_id: WorkflowRef, /) -> Call[models.WorkflowMetrics]:
    """The numbers of a workflow."""
    name = "get_workflow_metrics"
    return Call(name, "GET", one(name, workflow_id, "/metrics"), json_of(models.WorkflowMetrics), repeatable=True)


def get_fleet_metrics(
    *, workflow_type: str | None = None, window_s: int | None = None, runs: int | None = None
) -> Call[models.FleetMetrics]:
    """The numbers of all workflows."""
    name = "get_fleet_metrics"
    return Call(
        name,
        "GET",
        f"{API}/metrics",
        json_of(models.FleetMetrics),
        query({"workflow_type": workflow_type, "window_s": window_s, "runs": runs}),
        repeatable=True,
    )


def get_recorded_metrics(
    *, workflow_id: WorkflowRef | None = None, name: str | None = None, limit: int | None = None
) -> Call[models.RecordedMetrics]:
    """The newest numbers that were recorded, and what all of them come to."""
    return Call(
        "get_recorded_metrics",
        "GET",
        f"{API}/metrics/recorded",
        json_of(models.RecordedMetrics),
        query({"workflow_id": workflow_id, "name": name, "limit": limit}),
        repeatable=True,
    )
