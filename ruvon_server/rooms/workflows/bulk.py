"""Bulk operations between the API and the library."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

from ruvon.builder import BulkAction, BulkCancel, BulkItem, BulkPurge, BulkRetry, BulkRewind, BulkSignal
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter
from ruvon_server.models import workflows as models
from ruvon_server.rooms.workflows.filters import stored_filter

__all__ = ["bulk_action", "bulk_filter", "bulk_report"]


def bulk_filter(given: models.BulkFilter) -> InstanceFilter:
    """The filter of the store."""
    return stored_filter(given, given.workflow_type)


def bulk_action(given: models.BulkRequest) -> BulkAction:
    """What the library is to do."""
    match given.action:
        case "cancel":
            return BulkCancel(compensate=given.compensate)
        case "retry":
            return BulkRetry(given.from_step)
        case "signal":
            return BulkSignal(given.name or "", given.payload, given.key)
        case "rewind":
            return BulkRewind(given.to or "", given.state, compensate=given.compensate)
        case "purge":
            return BulkPurge()


def bulk_report(items: Sequence[BulkItem], *, finished: bool) -> models.BulkReport:
    """What the API answers."""
    rows = [
        models.BulkItem(
            workflow_id=item.workflow_id,
            workflow_type=item.workflow_type,
            workflow_version=item.workflow_version,
            status=WorkflowStatus(item.status),
            outcome=cast("Any", item.outcome),
            note=item.note,
            undone=list(item.undone),
            kept=list(item.kept),
            reasons=list(item.reasons),
        )
        for item in items
    ]
    return models.BulkReport(items=rows, counts=dict(Counter(item.outcome for item in items)), finished=finished)
