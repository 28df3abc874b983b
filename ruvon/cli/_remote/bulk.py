"""One action on many runs: `ruvon bulk`."""

from collections.abc import Mapping
from typing import Any, Final, cast

import rich_click as click

from ruvon.builder import BulkItem, BulkReport
from ruvon.cli._bulk import perform, print_item, signal_fields
from ruvon.cli._output import Exit, fail
from ruvon.cli._remotely import Place
from ruvon.cli._repair import state_fields
from ruvon.providers import InstanceFilter, datetime_of
from ruvon_server.models import workflows as models

__all__ = ["cancel", "filter_of", "limit_of", "purge", "retry", "rewind", "signal", "told"]

_MOST: Final = 1000


def cancel(place: Place, *, force: bool, **given: Any) -> None:
    """`ruvon bulk cancel`."""
    _perform(place, given, action="cancel", compensate=not force)


def retry(place: Place, *, from_step: str | None, **given: Any) -> None:
    """`ruvon bulk retry`."""
    _perform(place, given, action="retry", from_step=from_step)


def signal(place: Place, message: str, payload: str | None, *, key: str | None, **given: Any) -> None:
    """`ruvon bulk signal`."""
    _perform(place, given, action="signal", name=message, payload=signal_fields(message, payload), key=key)


def rewind(
    place: Place, to: str, *, data: str | None, data_file: str | None, no_compensate: bool, **given: Any
) -> None:
    """`ruvon bulk rewind`."""
    _perform(place, given, action="rewind", to=to, state=state_fields(data, data_file), compensate=not no_compensate)


def purge(place: Place, **given: Any) -> None:
    """`ruvon bulk purge`."""
    _perform(place, given, action="purge")


def _perform(place: Place, given: Mapping[str, Any], **action: Any) -> None:
    """Ask the server what would happen and to do it; it drives so many at once as it likes."""
    limit = limit_of(given)

    def run(wanted: InstanceFilter, dry_run: bool) -> BulkReport:
        filters = {**filter_of(wanted), "workflow_type": wanted.workflow_type}
        chosen = {**action, "limit": limit, "reason": given["reason"], "filter": filters}
        report = place.client.bulk_workflows(**cast("Any", chosen), dry_run=dry_run)
        return told(place, given, report, "repeat it for others")

    perform(str(action["action"]), given, run)


def limit_of(given: Mapping[str, Any]) -> int:
    """At most so many runs; more than a server takes at a time end the command."""
    limit = int(given["limit"] or _MOST)
    if limit > _MOST:
        fail(f"a server takes {_MOST} runs at a time; give --limit {_MOST} or less, and repeat it", Exit.USAGE)
    return limit


def filter_of(wanted: InstanceFilter) -> dict[str, Any]:
    """Which runs, as a server is asked, but for their type."""
    found: dict[str, Any] = {
        "status": list(wanted.statuses),
        "workflow_version": wanted.workflow_version,
        "owner_id": wanted.owner_id,
        "current_step": wanted.current_step,
    }
    if wanted.updated_before_us is not None:
        found["updated_before"] = datetime_of(wanted.updated_before_us)
    return found


def told(place: Place, given: Mapping[str, Any], report: models.BulkReport, others: str) -> BulkReport:
    """Print what a server has done with each run; where that are not all, say so, and how to reach the others."""
    items = [_item(item) for item in report.items]
    for item in items if not given["as_json"] else ():
        print_item(item)
    if not report.finished:
        click.echo(f"the server goes on with the others; see `ruvon list{place.again}`", err=True)
    if given["limit"] is None and len(items) == _MOST:
        click.echo(f"these are the newest {_MOST}; {others}", err=True)
    return BulkReport(tuple(items))


def _item(item: models.BulkItem) -> BulkItem:
    lists: dict[str, Any] = {"undone": tuple(item.undone), "kept": tuple(item.kept), "reasons": tuple(item.reasons)}
    return BulkItem(**{**item.model_dump(mode="json"), **lists})
