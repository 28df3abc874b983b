"""Migrations between the API and the library."""

from collections.abc import Sequence

from ruvon.builder import BulkItem
from ruvon.engine._against import LIVE
from ruvon.engine._migrate import Migration
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter
from ruvon_server.models import migrations as models
from ruvon_server.rooms.workflows.bulk import bulk_report
from ruvon_server.rooms.workflows.filters import microseconds
from ruvon_server.versions import Version

__all__ = ["migration_check", "migration_filter", "migration_report"]


def migration_filter(wanted: models.MigrateWorkflows) -> InstanceFilter:
    """The filter of the store."""
    given = wanted.filter
    return InstanceFilter(
        statuses=tuple(item.value for item in given.status) or LIVE,
        workflow_type=wanted.workflow_type,
        workflow_version=given.workflow_version,
        owner_id=given.owner_id,
        org_id=given.org_id,
        parent_id=given.parent_id,
        current_step=given.current_step,
        created_after_us=microseconds(given.created_after),
        created_before_us=microseconds(given.created_before),
        updated_before_us=microseconds(given.updated_before),
        metadata=given.metadata,
    )


def migration_check(found: Migration, to: Version) -> models.MigrationCheck:
    """What the API answers about one workflow."""
    return models.MigrationCheck(
        to=_target(to),
        workflow_id=str(found.record.workflow_id),
        workflow_version=found.record.workflow_version,
        status=WorkflowStatus(found.record.status),
        stands=list(found.stands),
        movable=not found.problems,
        problems=list(found.problems),
    )


def migration_report(items: Sequence[BulkItem], to: Version, *, finished: bool) -> models.MigrationReport:
    """What the API answers about many."""
    found = bulk_report(items, finished=finished)
    return models.MigrationReport(to=_target(to), items=found.items, counts=found.counts, finished=found.finished)


def _target(version: Version) -> models.Target:
    return models.Target(
        workflow_type=version.definition.workflow_type,
        workflow_version=version.definition.workflow_version,
        digest=version.digest.hex(),
    )
