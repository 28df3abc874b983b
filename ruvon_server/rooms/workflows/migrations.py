"""Migrations between the API and the library."""

from collections.abc import Sequence
from dataclasses import replace

from ruvon.builder import BulkItem
from ruvon.engine._against import LIVE
from ruvon.engine._migrate import Migration
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter
from ruvon_server.models import migrations as models
from ruvon_server.rooms.workflows.bulk import bulk_report
from ruvon_server.rooms.workflows.filters import stored_filter
from ruvon_server.versions import Version

__all__ = ["migration_check", "migration_filter", "migration_report"]


def migration_filter(wanted: models.MigrateWorkflows) -> InstanceFilter:
    """The filter of the store."""
    chosen = stored_filter(wanted.filter, wanted.workflow_type)
    return chosen if chosen.statuses else replace(chosen, statuses=LIVE)


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
