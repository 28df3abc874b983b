"""What is planned: `ruvon schedule`."""

from typing import Any

import rich_click as click

from ruvon.cli._options import Whose
from ruvon.cli._remote.definitions import initial_data
from ruvon.cli._remote.shown import maybe, require_a_type
from ruvon.cli._remotely import Place
from ruvon.cli._schedules import DATES, When, print_next, print_schedule, print_schedules, refuse_unknown_name
from ruvon_server.client import ProblemError
from ruvon_server.models import schedules as models

__all__ = ["add", "list_", "pause", "remove", "resume", "show"]


def list_(place: Place, *, as_json: bool) -> None:
    """`ruvon schedule list`."""
    print_schedules([_row(item) for item in place.client.list_schedules().items], as_json=as_json)


def show(place: Place, name: str, *, as_json: bool) -> None:
    """`ruvon schedule show`."""
    _print(_found(place, name), as_json=as_json)


def add(
    place: Place,
    name: str,
    target: str,
    *,
    when: When,
    whose: Whose,
    data: str | None,
    data_file: str | None,
    which: str | None,
    as_json: bool,
) -> None:
    """`ruvon schedule add`: of a type that the server knows."""
    workflow_type = require_a_type(place, target, which)
    wanted: dict[str, Any] = {
        "name": name,
        "workflow_type": workflow_type,
        "data": initial_data(place, workflow_type, data, data_file),
        **when,
        **whose,
    }
    _print(place.client.add_schedule(**wanted), as_json=as_json)


def pause(place: Place, name: str, *, reason: str) -> None:
    """`ruvon schedule pause`."""
    _found(place, name)
    click.echo(f"{place.client.pause_schedule(name, reason=reason).name}: paused")


def resume(place: Place, name: str) -> None:
    """`ruvon schedule resume`."""
    _found(place, name)
    found = place.client.resume_schedule(name)
    print_next(found.name, maybe(found.next_at))


def remove(place: Place, name: str) -> None:
    """`ruvon schedule remove`."""
    _found(place, name)
    place.client.remove_schedule(name)
    click.echo(f"{name}: removed")


def _found(place: Place, name: str) -> models.Schedule:
    """The schedule of a name; one that is not there ends the command with those that are spelt alike."""
    try:
        return place.client.get_schedule(name, count=DATES)
    except ProblemError as exc:
        if exc.code == "schedule-not-found":
            refuse_unknown_name(name, [item.name for item in place.client.list_schedules().items])
        raise


def _row(item: models.ScheduleRow) -> dict[str, Any]:
    return {
        "schedule": item.name,
        "workflow_type": item.workflow_type,
        "version": item.version,
        "cron": item.cron,
        "timezone": item.timezone,
        "state": "paused" if item.paused else "active",
        "note": item.note,
        "overlap": item.overlap,
        "catch_up": item.catch_up,
        "buffered": item.waiting_runs,
        "owner_id": item.owner_id,
        "org_id": item.org_id,
        "data_region": item.data_region,
        "next_at": maybe(item.next_at),
        "last_at": maybe(item.last_at),
        "last_workflow_id": item.last_workflow_id,
    }


def _print(found: models.Schedule, *, as_json: bool) -> None:
    print_schedule(_row(found), found.words, [item.isoformat() for item in found.next], as_json=as_json)
