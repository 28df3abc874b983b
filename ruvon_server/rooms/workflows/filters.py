"""From the parameters of a list, and from bodies, to the filter of the store."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import orjson

from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter
from ruvon_server.models.workflows import Filter
from ruvon_server.problems import BadFilterError

__all__ = ["filter_of", "stored_filter"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MOST: Final = 16


def filter_of(
    *,
    status: Sequence[WorkflowStatus] | None,
    workflow_type: str | None,
    workflow_version: str | None,
    owner_id: str | None,
    org_id: str | None,
    parent_id: UUID | None,
    current_step: str | None,
    created_after: datetime | None,
    created_before: datetime | None,
    updated_before: datetime | None,
    metadata: Sequence[str] | None,
) -> InstanceFilter:
    """The filter that parameters say.

    Raises:
        BadFilterError: a metadata parameter is not written `key:value`, or there are too many.
    """
    return InstanceFilter(
        statuses=tuple(item.value for item in status or ()),
        workflow_type=workflow_type,
        workflow_version=workflow_version,
        owner_id=owner_id,
        org_id=org_id,
        parent_id=parent_id,
        current_step=current_step,
        created_after_us=_microseconds(created_after),
        created_before_us=_microseconds(created_before),
        updated_before_us=_microseconds(updated_before),
        metadata=_metadata(metadata or ()),
    )


def stored_filter(given: Filter, workflow_type: str | None) -> InstanceFilter:
    """The filter of the store that a body says."""
    return InstanceFilter(
        statuses=tuple(item.value for item in given.status),
        workflow_type=workflow_type,
        workflow_version=given.workflow_version,
        owner_id=given.owner_id,
        org_id=given.org_id,
        parent_id=given.parent_id,
        current_step=given.current_step,
        created_after_us=_microseconds(given.created_after),
        created_before_us=_microseconds(given.created_before),
        updated_before_us=_microseconds(given.updated_before),
        metadata=given.metadata,
    )


def _microseconds(moment: datetime | None) -> int | None:
    """A moment as the store has it; without a zone it is UTC."""
    if moment is None:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND


def _metadata(texts: Sequence[str]) -> dict[str, object]:
    if len(texts) > _MOST:
        raise BadFilterError(f"at most {_MOST} metadata parameters are taken")
    found: dict[str, object] = {}
    for text in texts:
        key, separator, value = text.partition(":")
        if not key or not separator or "\0" in text:
            raise BadFilterError("metadata is written `key:value`, such as `metadata=customer:C-7`")
        try:
            found[key] = orjson.loads(value)
        except orjson.JSONDecodeError:
            found[key] = value
    return found
