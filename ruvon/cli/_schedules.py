"""`ruvon schedule`: what is planned; and `ruvon scheduler`: the process that starts it."""

import difflib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypedDict, TypeVar, cast

import rich_click as click

from ruvon.cli._definitions import require_runnable
from ruvon.cli._family import register_family
from ruvon.cli._input import data_options, read_data
from ruvon.cli._options import Whose, argument, option, owner_options
from ruvon.cli._output import Exit, fail, maybe_moment, print_json, print_table, secho, shortened
from ruvon.cli._remotely import remotely
from ruvon.cli._session import Session, Store, again, await_it, code_options, opened, store_options
from ruvon.cli._unknown import refuse_unknown

if TYPE_CHECKING:
    from ruvon.cron import Plan
    from ruvon.providers import ScheduleRecord

__all__ = ["DATES", "When", "print_next", "print_schedule", "print_schedules", "refuse_unknown_name", "schedule"]

F = TypeVar("F", bound=Callable[..., Any])

_JSON = option("--json", "as_json", is_flag=True, help="Print JSON.")
DATES: Final = 5
"""So many planned moments are shown."""


class When(TypedDict):
    """When runs are started, as arguments of `schedules.add`."""

    cron: str
    timezone: str
    overlap: str | None
    catch_up: int | None


def _when_options(command: F) -> F:
    """When runs are started; the command gets one `when`."""

    @functools.wraps(command)
    def call(*args: Any, cron: str, timezone: str, overlap: str | None, catch_up: int | None, **others: Any) -> Any:
        when = When(cron=cron, timezone=timezone, overlap=overlap, catch_up=catch_up)
        return command(*args, when=when, **others)

    for decorate in (
        option("--catch-up", type=click.IntRange(0), help="How many missed runs are made up; default: 1."),
        option(
            "--overlap",
            metavar="POLICY",
            help="While a run goes on: skip (default), buffer_one, allow or cancel_running.",
        ),
        option("--tz", "timezone", default="UTC", show_default=True, help="The time zone of --cron."),
        option("--cron", required=True, help='When: minute, hour, day, month, weekday, such as "0 9 * * MON".'),
    ):
        call = decorate(call)
    return cast("F", call)


@click.group()
def schedule() -> None:
    """Plan recurring starts; `ruvon scheduler` starts what is planned."""


@schedule.command("list")
@_JSON
@store_options
@remotely("schedules.list_")
def list_(*, as_json: bool, db: str | None) -> None:
    """List the schedules with their next planned moment.

    Example: ruvon schedule list --json
    """

    async def work() -> list[dict[str, Any]]:
        async with opened(Store(db)) as session:
            return [_row(item) for item in await session.builder.schedules.list()]

    print_schedules(await_it(work()), as_json=as_json)


def print_schedules(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print schedules, one a line."""
    if as_json:
        print_json(rows)
    else:
        print_table(rows, ("schedule", "workflow_type", "cron", "timezone", "state", "next_at", "last_at"))


@schedule.command()
@argument("name")
@_JSON
@store_options
@remotely("schedules.show")
def show(name: str, *, as_json: bool, db: str | None) -> None:
    """Show a schedule in words, with its next five dates.

    Example: ruvon schedule show weekly-report
    """

    async def work() -> tuple["ScheduleRecord", int]:
        async with opened(Store(db)) as session:
            return await _found(session, name), session.builder.clock.now_us()

    record, now = await_it(work())
    _print_schedule(record, now, as_json=as_json)


@schedule.command()
@argument("name")
@argument("target")
@_when_options
@owner_options
@data_options("data", "-d", "The initial data of every run")
@option("--workflow", "which", metavar="TYPE", help="Which workflow, where the target holds several.")
@_JSON
@code_options
@remotely("schedules.add")
def add(
    name: str,
    target: str,
    *,
    when: When,
    whose: Whose,
    data: str | None,
    data_file: str | None,
    which: str | None,
    as_json: bool,
    store: Store,
) -> None:
    """Plan recurring starts of TARGET; a schedule that has NAME already is changed.

    Example: ruvon schedule add weekly-report flows/report.yaml --cron "0 9 * * MON" --tz Europe/Rome
    """
    runnable = require_runnable(target, store, which)
    definition = runnable.definition
    initial = read_data(data, data_file)

    async def work() -> tuple["ScheduleRecord", int]:
        async with opened(runnable.store, create=True) as session:
            register_family(session.builder, runnable)
            refuse_unknown(definition, definition.state, initial, "the initial data")
            made = await session.builder.schedules.add(name, definition.workflow_type, initial, **when, **whose)
            return made, session.builder.clock.now_us()

    record, now = await_it(work())
    _print_schedule(record, now, as_json=as_json)


@schedule.command()
@argument("name")
@option("--reason", default="", help="Why; `show` tells it.")
@store_options
@remotely("schedules.pause")
def pause(name: str, *, reason: str, db: str | None) -> None:
    """Start nothing more of a schedule until it is resumed.

    Example: ruvon schedule pause weekly-report --reason "no reports in August"
    """

    async def work() -> str:
        async with opened(Store(db)) as session:
            known = await _found(session, name)
            return (await session.builder.schedules.pause(known.schedule_id, reason)).schedule_id

    click.echo(f"{await_it(work())}: paused")


@schedule.command()
@argument("name")
@store_options
@remotely("schedules.resume")
def resume(name: str, *, db: str | None) -> None:
    """Go on with the next planned moment; what was missed during the pause is not made up.

    Example: ruvon schedule resume weekly-report
    """

    async def work() -> "ScheduleRecord":
        async with opened(Store(db)) as session:
            return await session.builder.schedules.resume((await _found(session, name)).schedule_id)

    record = await_it(work())
    print_next(record.schedule_id, maybe_moment(record.next_us))


def print_next(name: str, next_at: str | None) -> None:
    """Say that a schedule goes on."""
    click.echo(f"{name}: next {next_at or 'never'}")


@schedule.command()
@argument("name")
@store_options
@remotely("schedules.remove")
def remove(name: str, *, db: str | None) -> None:
    """Delete a schedule; what it has started goes on.

    Example: ruvon schedule remove weekly-report
    """

    async def work() -> None:
        async with opened(Store(db)) as session:
            await session.builder.schedules.remove((await _found(session, name)).schedule_id)

    await_it(work())
    click.echo(f"{name}: removed")


@schedule.command("next")
@argument("cron")
@option("--tz", "timezone", default="UTC", show_default=True, help="The time zone.")
@option("--count", type=click.IntRange(1, 1000), default=DATES, show_default=True, help="How many dates.")
@option("--after", type=click.DateTime(), help="Dates after this moment (UTC); default: now.")
@_JSON
def next_(cron: str, *, timezone: str, count: int, after: Any, as_json: bool) -> None:
    """Say in words what a cron expression means, and when it falls due next.

    Example: ruvon schedule next "0 9 * * MON" --tz Europe/Rome
    """
    from ruvon.cron import Plan, explain  # noqa: PLC0415 - not for `--help`
    from ruvon.providers import SystemClock, microseconds_of  # noqa: PLC0415

    plan = Plan(cron, timezone)
    words = explain(cron, timezone)
    dates = _dates(plan, SystemClock().now_us() if after is None else microseconds_of(after), count)
    if as_json:
        print_json({"cron": cron, "timezone": timezone, "words": words, "next": dates})
        return
    secho(words, bold=True)
    _print_dates(dates)


async def _found(session: Session, name: str) -> "ScheduleRecord":  # noqa: RET503  # `fail` never returns
    """The schedule of a name; one that is not there ends the command with those that are spelt alike."""
    from ruvon.providers import ScheduleNotFoundError  # noqa: PLC0415 - not for `--help`

    try:
        return await session.builder.schedules.get(name)
    except ScheduleNotFoundError:
        known = [item.schedule_id for item in await session.builder.schedules.list()]
    refuse_unknown_name(name, known)


def refuse_unknown_name(name: str, known: Sequence[str]) -> NoReturn:
    """End the command where no schedule has a name, with those that are spelt alike."""
    near = difflib.get_close_matches(name, known, n=1)
    guess = f"did you mean `{near[0]}`? " if near else ""
    listed = f"see `ruvon schedule list{again(code=False)}`"
    fail(f"there is no schedule named `{shortened(name)}`; {guess}{listed}", Exit.NOT_FOUND)


# What is printed


def _dates(plan: "Plan", after_us: int, count: int) -> list[str]:
    """The next planned moments in the plan's own time zone."""
    from itertools import islice  # noqa: PLC0415

    from ruvon.providers import datetime_of  # noqa: PLC0415

    return [datetime_of(item).astimezone(plan.zone).isoformat() for item in islice(plan.after(after_us), count)]


def _print_dates(dates: list[str]) -> None:
    from datetime import datetime  # noqa: PLC0415

    for text in dates or ["never within fifty years"]:
        shown = f"{datetime.fromisoformat(text):%A}  {text.replace('T', ' ')}" if dates else text
        click.echo(f"  {shown}")


def _row(record: "ScheduleRecord") -> dict[str, Any]:
    return {
        "schedule": record.schedule_id,
        "workflow_type": record.workflow_type,
        "version": record.version,
        "cron": record.cron,
        "timezone": record.timezone,
        "state": "paused" if record.paused else "active",
        "note": record.note,
        "overlap": record.overlap,
        "catch_up": record.catch_up,
        "buffered": record.buffered,
        "owner_id": record.owner_id,
        "org_id": record.org_id,
        "data_region": record.data_region,
        "next_at": maybe_moment(record.next_us),
        "last_at": maybe_moment(record.last_us),
        "last_workflow_id": record.last_workflow_id,
    }


_SHOWN: Final = (
    "workflow_type", "version", "cron", "state", "note", "overlap", "catch_up", "buffered", "owner_id", "org_id",
    "data_region",
)  # fmt: skip


def _print_schedule(record: "ScheduleRecord", now_us: int, *, as_json: bool) -> None:
    from ruvon.cron import Plan, explain  # noqa: PLC0415

    words = explain(record.cron, record.timezone)
    dates = [] if record.paused else _dates(Plan(record.cron, record.timezone), now_us, DATES)
    print_schedule(_row(record), words, dates, as_json=as_json)


def print_schedule(row: Mapping[str, Any], words: str, dates: list[str], *, as_json: bool) -> None:
    """Print a schedule.

    Args:
        row: as the list has it.
        words: what its cron expression says.
        dates: its next planned moments, in its own time zone.
        as_json: print JSON.
    """
    if as_json:
        print_json({**row, "words": words, "next": dates})
        return
    secho(f"{row['schedule']}: {words}", bold=True)
    for name in _SHOWN:
        if row[name] not in {None, "", 0} or name == "catch_up":
            click.echo(f"  {name.replace('_', ' ')}: {row[name]}")
    if row["last_at"] is not None:
        click.echo(f"  last: {row['last_at']} (run {row['last_workflow_id']})")
    if row["state"] == "paused":
        click.echo(f"  next: `ruvon schedule resume {row['schedule']}{again(code=False)}` goes on")
        return
    click.echo("  next:")
    _print_dates(dates)
