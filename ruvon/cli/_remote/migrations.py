"""Migrations on a server: `ruvon migrate`."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ruvon import ir
from ruvon.builder import BulkReport
from ruvon.cli._migrate import perform, refuse_another_type, refuse_unasked, tell_check, tell_plan
from ruvon.cli._output import Exit, fail
from ruvon.cli._remote.bulk import filter_of, limit_of, told
from ruvon.cli._remote.definitions import chosen
from ruvon.cli._remote.shown import PAGE, find_id
from ruvon.cli._remotely import Place
from ruvon.cli._versions import version_name
from ruvon.providers import InstanceFilter
from ruvon_server.models.migrations import MigrationCheck, MigrationFilter

if TYPE_CHECKING:
    from ruvon.ir import Definition

__all__ = ["apply", "check", "plan"]

_OTHERS = "choose others with --from, --status, --step or --older-than"


def plan(place: Place, workflow_type: str, *, to: str, **given: Any) -> None:
    """`ruvon migrate plan`."""
    definition = _known(place, to, workflow_type)
    tell_plan(definition, given, _runner(place, definition, given))


def check(place: Place, workflow_id: str, *, to: str, as_json: bool) -> None:
    """`ruvon migrate check`."""
    info = place.client.get_workflow(find_id(place, workflow_id))
    definition = _known(place, to, info.workflow_type)
    found = place.client.migrate_workflow(info.workflow_id, to=ir.digest(definition).hex(), dry_run=True)
    if isinstance(found, MigrationCheck):
        data = found.model_dump(mode="json", exclude={"to"})
        tell_check(definition, info.workflow_type, data, as_json=as_json)


def apply(place: Place, workflow_type: str, *, to: str, **given: Any) -> None:
    """`ruvon migrate apply`."""
    refuse_unasked(given)
    definition = _known(place, to, workflow_type)
    perform(definition, given, _runner(place, definition, given, given["reason"]))


def _runner(
    place: Place, definition: "Definition", given: Mapping[str, Any], reason: str = ""
) -> Callable[[InstanceFilter, bool], BulkReport]:
    limit = limit_of(given)

    def run(wanted: InstanceFilter, dry_run: bool) -> BulkReport:
        report = place.client.migrate_workflows(
            workflow_type=definition.workflow_type,
            to=ir.digest(definition).hex(),
            filter=MigrationFilter(**filter_of(wanted)),
            dry_run=dry_run,
            limit=limit,
            reason=reason,
        )
        return told(place, given, report, _OTHERS)

    return run


def _known(place: Place, text: str, workflow_type: str) -> "Definition":
    """The definition that a text means, which the server has; else the command ends."""
    definition = chosen(place, text, workflow_type)
    refuse_another_type(definition, text, workflow_type)
    digest = ir.digest(definition).hex()
    if all(item.digest != digest for item in place.client.each_definition(limit=PAGE)):
        fail(
            f"the server has no {version_name(definition)}; give it with "
            f"`ruvon definitions upload {text}{place.again}`, or start it with the file that defines it",
            Exit.NOT_FOUND,
        )
    return definition
