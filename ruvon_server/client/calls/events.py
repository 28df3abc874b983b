"""The calls of the events room; their answers are streams."""

from collections.abc import Sequence

from ruvon.models import WorkflowStatus
from ruvon_server.client._call import API, Call, WorkflowRef, nothing, one, query

__all__ = ["stream_events", "stream_workflow_events"]


def stream_events(
    *,
    status: Sequence[WorkflowStatus | str] = (),
    workflow_type: str | None = None,
    after: str | None = None,
    for_s: float | None = None,
) -> Call[None]:
    """Follow the changes of all workflows, from now on or behind the message with the id `after`."""
    wanted = query({"status": tuple(status), "workflow_type": workflow_type, "after": after, "for_s": for_s})
    return Call("stream_events", "GET", f"{API}/events", nothing, wanted, repeatable=True)


def stream_workflow_events(
    workflow_id: WorkflowRef, /, *, after: str | None = None, for_s: float | None = None
) -> Call[None]:
    """Follow the history of a workflow, from its beginning or behind the message with the id `after`."""
    name, wanted = "stream_workflow_events", query({"after": after, "for_s": for_s})
    return Call(name, "GET", one(name, workflow_id, "/events"), nothing, wanted, repeatable=True)
