"""What looking for instances has in common in every store: the values of a filter, and the pages of `list_workflows`."""

import heapq
from collections.abc import Iterable, Sequence
from typing import Any, Final

import orjson

from ruvon.providers.persistence import InstanceFilter, WorkflowSummary

__all__ = ["CLOCKS_US", "END_OF_TIME", "created_before", "filter_values", "listed", "page"]

END_OF_TIME: Final = 2**63 - 1
"""A moment, or a key, that nothing lies behind."""

CLOCKS_US: Final = 60_000_000
"""So far may the clocks of processes that write into one store lie apart."""

_LISTED: Final = (
    "workflow_id",
    "workflow_type",
    "workflow_version",
    "status",
    "current_step",
    "owner_id",
    "org_id",
    "parent_id",
    "priority",
    "created_us",
    "updated_us",
)


def filter_values(wanted: InstanceFilter) -> dict[str, object]:
    """The values that a statement binds for a filter, by name and in a fixed order; None where anything fits.

    Statuses are a list; moments are bounds, `from_us` included and `until_us` not; metadata is JSON.
    """
    until = created_before(wanted)
    return {
        "statuses": list(wanted.statuses) if wanted.statuses else None,
        "type": wanted.workflow_type,
        "version": wanted.workflow_version,
        "digest": wanted.digest,
        "owner": wanted.owner_id,
        "org": wanted.org_id,
        "parent": str(wanted.parent_id) if wanted.parent_id is not None else None,
        "step": wanted.current_step,
        "from_us": wanted.created_after_us if wanted.created_after_us is not None else -END_OF_TIME,
        "until_us": until if until is not None else END_OF_TIME,
        "updated_before": wanted.updated_before_us,
        "metadata": orjson.dumps(dict(wanted.metadata)).decode() if wanted.metadata else None,
    }


def created_before(wanted: InstanceFilter) -> int | None:
    """Before when an instance must have been created: what has not changed since a moment was there before it."""
    given = [moment for moment in (wanted.created_before_us, wanted.updated_before_us) if moment is not None]
    return min(given, default=None)


def listed(item: WorkflowSummary) -> dict[str, Any]:
    """What `list_workflows` says of an instance."""
    return {name: getattr(item, name) for name in _LISTED}


def page(
    instances: Iterable[WorkflowSummary], documents: Sequence[dict[str, Any]], *, limit: int, offset: int
) -> list[dict[str, Any]]:
    """Instances and the caller's own dictionaries, each newest first, as one list: `limit` of them behind `offset`."""
    merged = heapq.merge(map(listed, instances), documents, key=lambda item: -item["created_us"])
    return list(merged)[offset : offset + limit]
