"""`ruvon bulk`: one action on every run that a filter finds, shown first."""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import rich_click as click

from ruvon.cli._input import data_options, read_data
from ruvon.cli._options import argument, one_of, option
from ruvon.cli._output import Exit, fail, print_json, secho
from ruvon.cli._remotely import remotely
from ruvon.cli._repair import audit_options, confirmed, state_fields
from ruvon.cli._session import Store, await_it, code_options, opened
from ruvon.cli._show import STATUSES

if TYPE_CHECKING:
    from ruvon.builder import BulkAction, BulkItem, BulkReport
    from ruvon.providers import InstanceFilter

__all__ = ["bulk", "each_of", "perform", "print_item", "signal_fields", "span"]

F = TypeVar("F", bound=Callable[..., Any])

_SPAN: Final = re.compile(r"(\d+)\s*(s|m|h|d|w)")
_UNITS: Final[Mapping[str, str]] = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_COLOURS: Final = {"failed": "red", "skipped": "yellow", "done": "green"}


def span(_: click.Context, __: click.Parameter, value: str | None) -> timedelta | None:
    """`90s`, `15m`, `12h`, `7d`, `2w`."""
    if value is None:
        return None
    found = _SPAN.fullmatch(value.strip())
    if found is None:
        raise click.BadParameter(f"`{value}` is no span of time; write it like 90s, 15m, 12h, 7d or 2w")
    return timedelta(**{_UNITS[found.group(2)]: int(found.group(1))})


def _filter_options(command: F) -> F:
    """Which runs; the command gets the values of `_wanted`, and `dry_run`, `yes`, `limit`, `actor`, `reason`, `as_json`."""
    for decorate in (
        code_options,
        option("--json", "as_json", is_flag=True, help="Print JSON."),
        audit_options,
        option("--limit", type=click.IntRange(1, 2**31), help="At most so many runs, the newest."),
        option("--concurrency", type=click.IntRange(1, 1000), default=8, show_default=True, help="So many at once."),
        option("--yes", "-y", is_flag=True, help="Do not ask."),
        option("--dry-run", is_flag=True, help="Only show what would happen to each run."),
        option("--all", "everything", is_flag=True, help="Every run; needed where nothing else says which."),
        option(
            "--older-than", callback=span, metavar="SPAN", help="Only runs without a change for so long, such as 7d."
        ),
        option("--step", "current_step", metavar="STEP", help="Only runs that stand at this step."),
        option("--owner", "owner_id", metavar="ID", help="Only runs of this owner."),
        option("--version", "workflow_version", metavar="VERSION", help="Only runs of this version."),
        option("--type", "workflow_type", metavar="TYPE", help="Only runs of this workflow type."),
        option(
            "--status",
            "statuses",
            multiple=True,
            metavar="STATUS",
            help="Only runs of this status; give it again for others.",
            **each_of(STATUSES),
        ),
    ):
        command = decorate(command)
    return command


def each_of(names: tuple[str, ...]) -> dict[str, Any]:
    """`one_of` for an option that may be given several times."""
    single = one_of(names)

    def choose(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(single["callback"](context, parameter, value) for value in values)

    return {**single, "callback": choose}


@click.group()
def bulk() -> None:
    """Do one thing with many runs: each is shown first, and one that fails stops no other.

    Exit code 1 where something failed.
    """


@bulk.command("cancel")
@option("--force", is_flag=True, help="End them without running their compensations.")
@_filter_options
@remotely("bulk.cancel")
def cancel(*, force: bool, **given: Any) -> None:
    """End every live run that fits.

    Example: ruvon bulk cancel --type OrderProcessing --older-than 30d --dry-run
    """
    from ruvon.builder import BulkCancel  # noqa: PLC0415

    _local(BulkCancel(compensate=not force), "cancel", given)


@bulk.command("retry")
@option("--from-step", metavar="STEP", help="Start again at this step instead of where each failed.")
@_filter_options
@remotely("bulk.retry")
def retry(*, from_step: str | None, **given: Any) -> None:
    """Bring every failed run that fits back, and drive it as far as it goes now.

    Example: ruvon bulk retry --status FAILED --type OrderProcessing --reason "the gateway is back"
    """
    from ruvon.builder import BulkRetry  # noqa: PLC0415

    _local(BulkRetry(from_step), "retry", given)


@bulk.command("signal")
@argument("message", metavar="TYPE")
@argument("payload", metavar="JSON", required=False)
@option("--key", metavar="KEY", help="The key that the runs receive it by.")
@_filter_options
@remotely("bulk.signal")
def signal(message: str, payload: str | None, *, key: str | None, **given: Any) -> None:
    """Send every live run that fits a signal of TYPE with the fields JSON.

    Example: ruvon bulk signal Paid '{"amount": 12}' --type OrderProcessing --yes
    """
    from ruvon.builder import BulkSignal  # noqa: PLC0415

    _local(BulkSignal(message, signal_fields(message, payload), key), "signal", given)


def signal_fields(message: str, payload: str | None) -> Any:
    """The fields of a signal."""
    return read_data(payload, None, f"ruvon bulk signal {shlex.quote(message)}", what="the payload")


@bulk.command("rewind")
@argument("to", metavar="TO")
@data_options("state", "-s", "Fields of the state to go on with")
@option("--no-compensate", is_flag=True, help="Leave what completed since standing; nothing is undone.")
@_filter_options
@remotely("bulk.rewind")
def rewind(to: str, *, data: str | None, data_file: str | None, no_compensate: bool, **given: Any) -> None:
    """Let every run that fits stand at the newest execution of the step TO again.

    Example: ruvon bulk rewind Process_Payment --status FAILED --type OrderProcessing --dry-run
    """
    from ruvon.builder import BulkRewind  # noqa: PLC0415

    _local(BulkRewind(to, state_fields(data, data_file), compensate=not no_compensate), "rewind", given)


@bulk.command("purge")
@_filter_options
@remotely("bulk.purge")
def purge(**given: Any) -> None:
    """Delete every ended run that fits, with its history; a child that a live run may have to undo stays.

    Example: ruvon bulk purge --status COMPLETED --older-than 90d --yes
    """
    from ruvon.builder import BulkPurge  # noqa: PLC0415

    _local(BulkPurge(), "purge", given)


def perform(verb: str, given: Mapping[str, Any], run: "Callable[[InstanceFilter, bool], BulkReport]") -> None:
    """Show what would happen, ask, do it, and say what came of it.

    Args:
        verb: what is done, for the question.
        given: the values of the options.
        run: does it, or only says what would happen where the second argument is true.
    """
    as_json = bool(given["as_json"])
    if not given["dry_run"] and not given["yes"] and as_json:
        confirmed("", yes=False, as_json=True)
    wanted = _wanted(given)
    if given["dry_run"] or not given["yes"]:
        plan = run(wanted, True)
        planned = plan.counts.get("planned", 0)
        if given["dry_run"] or not planned:
            _conclude(plan, as_json=as_json, dry_run=True)
            return
        confirmed(f"{verb} {planned} run{'s' * (planned != 1)}?", yes=False, as_json=as_json)
    _conclude(run(wanted, False), as_json=as_json, dry_run=False)


def _local(action: "BulkAction", verb: str, given: Mapping[str, Any]) -> None:
    perform(verb, given, lambda wanted, dry_run: await_it(_run(action, wanted, given, dry_run=dry_run)))


def _wanted(given: Mapping[str, Any]) -> "InstanceFilter":
    from ruvon.providers import InstanceFilter, SystemClock, duration_us  # noqa: PLC0415

    names = ("statuses", "workflow_type", "workflow_version", "owner_id", "current_step")
    chosen = {name: given[name] for name in names if given[name]}
    age = cast("timedelta | None", given["older_than"])
    if age is not None:
        chosen["updated_before_us"] = SystemClock().now_us() - duration_us(age)
    if not chosen and not given["everything"]:
        fail("say which runs: --status, --type, --version, --owner, --step, --older-than, or --all", Exit.USAGE)
    return InstanceFilter(**chosen)


async def _run(
    action: "BulkAction", wanted: "InstanceFilter", given: Mapping[str, Any], *, dry_run: bool
) -> "BulkReport":
    store = cast("Store", given["store"])
    async with opened(store, drives=True) as session:
        return await session.builder.bulk(
            wanted,
            action,
            dry_run=dry_run,
            limit=given["limit"],
            concurrency=given["concurrency"],
            actor=given["actor"],
            reason=given["reason"],
            on_item=None if given["as_json"] else print_item,
        )


def print_item(item: "BulkItem") -> None:
    """One run: what would happen, or happened, to it."""
    text = f"{item.outcome:<8} {item.workflow_id}  {item.workflow_type} {item.workflow_version}  {item.status}"
    secho(f"{text}  {item.note}".rstrip(), fg=_COLOURS.get(item.outcome))
    if item.undone:
        click.echo(f"           undone, in this order: {', '.join(item.undone)}")
    if item.kept:
        click.echo(f"           not undone, and done again: {', '.join(item.kept)}")


def _conclude(report: "BulkReport", *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json({"dry_run": dry_run, "counts": report.counts, "runs": [asdict(item) for item in report.items]})
    else:
        counts = ", ".join(f"{number} {outcome}" for outcome, number in sorted(report.counts.items()))
        click.echo(counts or "no run fits")
    if not report.ok:
        raise SystemExit(int(Exit.FAILURE))
