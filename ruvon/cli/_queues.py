"""`ruvon queues`: which queues there are, and what their limits are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NoReturn

import rich_click as click

from ruvon.cli._options import argument, option
from ruvon.cli._output import Exit, fail, print_json, print_table
from ruvon.cli._remotely import remotely
from ruvon.cli._session import Store, again, await_it, opened, store_options

if TYPE_CHECKING:
    from ruvon.cli._session import Session
    from ruvon.providers import QueueLimits, QueueLoad

__all__ = ["Given", "print_limits", "print_queues", "queues", "refuse_unlimited", "shown_limits"]

_JSON = option("--json", "as_json", is_flag=True, help="Print JSON.")
_OFF: Final = "none"
_STATUSES: Final = ("pending", "claimed", "dead")
_DIGITS: Final = 100
"""A number of more digits is not read to its end: what there is of it is too large already."""
_COLUMNS: Final = (*_STATUSES, "concurrency", "per_key", "rate", "started")


@click.group()
def queues() -> None:
    """Look at the queues of the database, and limit what they run."""


@queues.command("list")
@_JSON
@store_options
@remotely("queues.list_queues")
def list_queues(*, as_json: bool, db: str | None) -> None:
    """List the queues that have tasks or limits: what waits, what runs, and the limits.

    Example: ruvon queues list
    """

    async def work() -> list[dict[str, Any]]:
        async with opened(Store(db)) as session:
            return await _rows(session)

    print_queues(await_it(work()), as_json=as_json)


def print_queues(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print what waits and runs in queues, and their limits."""
    if as_json:
        print_json(rows)
    else:
        print_table(rows, ["queue", *_COLUMNS])


@queues.command("set")
@argument("name")
@option("--concurrency", metavar="N", help="So many steps at a time, over all workers; 0 begins none.")
@option("--per-key", metavar="N", help="So many at a time with the same concurrency key.")
@option("--rate", metavar="N/PERIOD", help="So many starts in a period, such as 100/1m.")
@store_options
@remotely("queues.set_limits")
def set_limits(name: str, *, concurrency: str | None, per_key: str | None, rate: str | None, db: str | None) -> None:
    """Limit a queue; what is not given stays, and `none` lifts a limit.

    Example: ruvon queues set mail --concurrency 4 --rate 100/1m --per-key 1
    """
    given = Given(concurrency, per_key, rate)

    async def work() -> "QueueLimits":
        from ruvon.providers import InvalidLimitsError, QueueLimits  # noqa: PLC0415

        async with opened(Store(db), create=True) as session:
            known = {load.limits.queue: load.limits for load in await session.builder.queues.loads()}
            limits = given.over(known.get(name, QueueLimits(queue=name)))
            try:
                if limits.is_open:
                    await session.provider.remove_limits(name)
                else:
                    await session.provider.put_limits(limits)
            except InvalidLimitsError as exc:
                fail(str(exc), Exit.USAGE)
            return limits

    print_limits(await_it(work()))


@dataclass(frozen=True, slots=True)
class Given:
    """The limits that options name, as they were typed."""

    concurrency: str | None
    per_key: str | None
    rate: str | None

    def __post_init__(self) -> None:
        if self.concurrency is None and self.per_key is None and self.rate is None:
            fail("nothing to set; give --concurrency, --per-key or --rate", Exit.USAGE)

    def over(self, limits: "QueueLimits") -> "QueueLimits":
        """Limits with those that were given in place of what they had."""
        if self.concurrency is not None:
            limits = replace(limits, concurrency=_number("--concurrency", self.concurrency))
        if self.per_key is not None:
            limits = replace(limits, per_key=_number("--per-key", self.per_key))
        if self.rate is not None:
            number, period_us = _rate(self.rate)
            limits = replace(limits, rate=number, period_us=period_us)
        return limits


def print_limits(limits: "QueueLimits") -> None:
    """Say what the limits of a queue are now."""
    told = [f"{word} {value}" for word, value in shown_limits(limits).items() if value is not None]
    click.echo(f"{limits.queue}: {', '.join(told).replace('_', ' ') or 'no limits'}")


@queues.command()
@argument("name")
@store_options
@remotely("queues.unset")
def unset(name: str, *, db: str | None) -> None:
    """Lift all limits of a queue.

    Example: ruvon queues unset mail
    """

    async def work() -> bool:
        async with opened(Store(db)) as session:
            return await session.builder.queues.lift_limits(name)

    if not await_it(work()):
        refuse_unlimited(name)
    click.echo(f"{name}: no limits")


def refuse_unlimited(name: str) -> NoReturn:
    """End the command where a queue has no limits to lift."""
    fail(f"the queue {name} has no limits; see `ruvon queues list{again(code=False)}`", Exit.NOT_FOUND)


async def _rows(session: "Session") -> list[dict[str, Any]]:
    loads = {load.limits.queue: load for load in await session.builder.queues.loads()}
    counts: dict[str, dict[str, int]] = {}
    for queue, status, number in await session.provider.count_tasks():
        counts.setdefault(queue, {})[status] = number
    return [_row(name, counts.get(name, {}), loads.get(name)) for name in sorted({*loads, *counts})]


def _row(name: str, counts: dict[str, int], load: "QueueLoad | None") -> dict[str, Any]:
    numbers: dict[str, Any] = {status: counts.get(status, 0) for status in _STATUSES}
    limits: dict[str, Any] = dict.fromkeys(("concurrency", "per_key", "rate", "started"))
    if load is not None:
        from ruvon.providers._limits import Gate  # noqa: PLC0415

        starts = sum(count for _, count in Gate(load).starts)
        limits = {**shown_limits(load.limits), "started": starts if load.limits.rate is not None else None}
    return {"queue": name, **numbers, **limits}


def shown_limits(limits: "QueueLimits") -> dict[str, Any]:
    """Limits as people write them."""
    from ruvon.ir._text import duration_text  # noqa: PLC0415

    rate = f"{limits.rate}/{duration_text(limits.period_us)}" if limits.rate is not None else None
    return {"concurrency": limits.concurrency, "per_key": limits.per_key, "rate": rate}


def _number(name: str, given: str) -> int | None:
    if given == _OFF:
        return None
    if not given.isascii() or not given.isdecimal():
        fail(f"{name} is `{given}`; give a whole number of at least 0, or `{_OFF}`", Exit.USAGE)
    return int(given[:_DIGITS])


def _rate(given: str) -> tuple[int | None, int]:
    from ruvon_dsl.yaml._durations import parse_duration  # noqa: PLC0415

    if given == _OFF:
        return None, 0
    number, _, period = given.partition("/")
    if number == "0":
        period = period or "1s"
    period_us = parse_duration(period if period[:1].isdigit() else f"1{period}") if period else None
    if not number.isascii() or not number.isdecimal() or not period_us:
        fail(f"--rate is `{given}`; give a number of starts and a period, such as 100/1m, or `{_OFF}`", Exit.USAGE)
    return int(number[:_DIGITS]), period_us
