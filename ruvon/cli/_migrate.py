"""`ruvon migrate`: waiting runs go on with another definition of their type."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

import rich_click as click

from ruvon.cli._bulk import each_of, print_item, span
from ruvon.cli._options import argument, option
from ruvon.cli._output import Exit, fail, print_json, secho
from ruvon.cli._remotely import remotely
from ruvon.cli._repair import audit_options, confirmed
from ruvon.cli._session import Store, await_it, code_options, opened
from ruvon.cli._show import STATUSES
from ruvon.cli._stored import REFERENCE, Chosen, chosen_definition
from ruvon.cli._versions import version_name

if TYPE_CHECKING:
    from ruvon.builder import BulkReport
    from ruvon.ir import Definition
    from ruvon.providers import InstanceFilter

__all__ = ["migrate", "perform", "refuse_another_type", "refuse_unasked", "tell_check", "tell_plan"]

F = TypeVar("F", bound=Callable[..., Any])

_TO = option("--to", "to", required=True, metavar="DEFINITION", help=f"The definition to go on with: {REFERENCE}.")
_JSON = option("--json", "as_json", is_flag=True, help="Print JSON.")


def _which(command: F) -> F:
    """Which runs; the command gets the values of `_wanted`."""
    for decorate in (
        code_options,
        _JSON,
        option("--concurrency", type=click.IntRange(1, 1000), default=8, show_default=True, help="So many at once."),
        option("--limit", type=click.IntRange(1, 2**31), help="At most so many runs, the newest."),
        option(
            "--older-than", callback=span, metavar="SPAN", help="Only runs without a change for so long, such as 7d."
        ),
        option("--step", "current_step", metavar="STEP", help="Only runs that stand at this step."),
        option("--owner", "owner_id", metavar="ID", help="Only runs of this owner."),
        option("--from", "workflow_version", metavar="VERSION", help="Only runs of this version."),
        option(
            "--status",
            "statuses",
            multiple=True,
            metavar="STATUS",
            help="Only runs of this status; give it again for others.",
            **each_of(STATUSES),
        ),
        _TO,
        argument("workflow_type", metavar="TYPE"),
    ):
        command = decorate(command)
    return command


@click.group()
def migrate() -> None:
    """Move waiting runs of a TYPE to another definition, where their place and their values exist there too.

    What a run waits for, its timers, messages and children are kept. Nothing that has run is run again, and what was
    done can still be undone. A run that does not fit stays as it is, with every reason said.
    """


@migrate.command("plan")
@_which
@remotely("migrations.plan")
def plan(workflow_type: str, *, to: str, **given: Any) -> None:
    """Show which live runs of TYPE would move, and what stands against the others; nothing is changed.

    Exit code 1 where something stands against one of them.

    Example: ruvon migrate plan OrderProcessing --to flows/order.py
    """
    chosen = await_it(_chosen(workflow_type, to, given))
    tell_plan(chosen.definition, given, _runner(chosen, given))


def tell_plan(to: "Definition", given: Mapping[str, Any], run: "Callable[[InstanceFilter, bool], BulkReport]") -> None:
    """Show what would happen; code 1 where something stands against one of the runs.

    Args:
        to: the definition to go on with.
        given: the values of the options.
        run: moves them, or only says what would happen where the second argument is true.
    """
    report = run(_wanted(to, given), True)
    _conclude(to, report, as_json=bool(given["as_json"]), dry_run=True)
    if not report.ok or "skipped" in report.counts:
        raise SystemExit(int(Exit.FAILURE))


@migrate.command("check")
@argument("workflow_id", metavar="ID")
@_TO
@_JSON
@code_options
@remotely("migrations.check")
def check(workflow_id: str, *, to: str, as_json: bool, store: Store) -> None:
    """Say whether the run ID can be moved, where it stands, and all that stands against it; nothing is changed.

    Example: ruvon migrate check 3f2a9c41 --to flows/order.py
    """

    async def work() -> "tuple[Definition, str, dict[str, Any]]":
        from ruvon.engine._migrate import check_migration  # noqa: PLC0415

        async with opened(store) as session:
            record = await session.provider.load_instance(UUID(await session.find_id(workflow_id)))
        chosen = await chosen_definition(store, to, name=record.workflow_type)
        async with opened(chosen.store) as session:
            found = await check_migration(session.builder.engine(), record.workflow_id, chosen.definition)
        data = {
            "workflow_id": str(found.record.workflow_id),
            "workflow_version": found.record.workflow_version,
            "status": found.record.status,
            "stands": list(found.stands),
            "movable": not found.problems,
            "problems": list(found.problems),
        }
        return chosen.definition, record.workflow_type, data

    tell_check(*await_it(work()), as_json=as_json)


def tell_check(to: "Definition", workflow_type: str, found: Mapping[str, Any], *, as_json: bool) -> None:
    """Print whether a run can be moved; code 1 where it cannot."""
    if as_json:
        print_json({"to": _named(to), **found})
    else:
        secho(f"{workflow_type} {found['workflow_version']} {found['workflow_id']}", bold=True)
        click.echo(f"  {found['status']}" + (f" at {' / '.join(found['stands'])}" if found["stands"] else ""))
        can = "can" if found["movable"] else "cannot"
        secho(f"  {can} be moved to {version_name(to)}", fg="green" if found["movable"] else "red")
        for problem in found["problems"]:
            click.echo(f"    {problem}")
    if not found["movable"]:
        raise SystemExit(int(Exit.FAILURE))


@migrate.command("apply")
@option("--dry-run", is_flag=True, help="Only show what would happen to each run.")
@option("--yes", "-y", is_flag=True, help="Do not ask.")
@audit_options
@_which
@remotely("migrations.apply")
def apply(workflow_type: str, *, to: str, **given: Any) -> None:
    """Move every waiting run of TYPE that fits; the plan is shown, and asked about, before anything is changed.

    Each move is one transition, so a run is moved or it is not. Runs that do not fit are left alone; exit code 1 only
    where a move failed.

    Example: ruvon migrate apply OrderProcessing --to flows/order.py --from 1.2.0 --reason "new discount"
    """
    refuse_unasked(given)
    chosen = await_it(_chosen(workflow_type, to, given))
    perform(chosen.definition, given, _runner(chosen, given, (given["actor"], given["reason"])))


def refuse_unasked(given: Mapping[str, Any]) -> None:
    """End the command where JSON is wanted and nobody has said yes."""
    if given["as_json"] and not given["dry_run"] and not given["yes"]:
        confirmed("", yes=False, as_json=True)


def perform(to: "Definition", given: Mapping[str, Any], run: "Callable[[InstanceFilter, bool], BulkReport]") -> None:
    """Show what would happen, ask, move what fits, and say what came of it; arguments as `tell_plan`."""
    as_json, dry_run = bool(given["as_json"]), bool(given["dry_run"])
    wanted = _wanted(to, given)
    if dry_run or not given["yes"]:
        planned = run(wanted, True)
        count = planned.counts.get("planned", 0)
        if dry_run or not count:
            _conclude(to, planned, as_json=as_json, dry_run=True)
            _end(planned)
            return
        confirmed(f"move {count} run{'s' * (count != 1)} to {version_name(to)}?", yes=False, as_json=as_json)
    done = run(wanted, False)
    _conclude(to, done, as_json=as_json, dry_run=False)
    _end(done)


def _end(report: "BulkReport") -> None:
    if not report.ok:
        raise SystemExit(int(Exit.FAILURE))


async def _chosen(workflow_type: str, to: str, given: Mapping[str, Any]) -> Chosen:
    chosen = await chosen_definition(cast("Store", given["store"]), to, name=workflow_type)
    refuse_another_type(chosen.definition, to, workflow_type)
    return chosen


def refuse_another_type(definition: "Definition", text: str, workflow_type: str) -> None:
    """End the command where a text means a definition of another type."""
    found = definition.workflow_type
    if found != workflow_type:
        fail(f"{text} is a {found}, not a {workflow_type}", Exit.USAGE)


def _runner(
    chosen: Chosen, given: Mapping[str, Any], said: tuple[str, str] = ("", "")
) -> "Callable[[InstanceFilter, bool], BulkReport]":
    """Moves runs of a database, or says what would happen."""

    async def work(wanted: "InstanceFilter", dry_run: bool) -> "BulkReport":
        from ruvon.builder import BulkMigrate  # noqa: PLC0415

        async with opened(chosen.store) as session:
            return await session.builder.bulk(
                wanted,
                BulkMigrate(chosen.definition),
                dry_run=dry_run,
                limit=given["limit"],
                concurrency=given["concurrency"],
                actor=said[0],
                reason=said[1],
                on_item=None if given["as_json"] else print_item,
            )

    return lambda wanted, dry_run: await_it(work(wanted, dry_run))


def _wanted(to: "Definition", given: Mapping[str, Any]) -> "InstanceFilter":
    from ruvon.engine._against import LIVE  # noqa: PLC0415
    from ruvon.providers import InstanceFilter, SystemClock, duration_us  # noqa: PLC0415

    names = ("workflow_version", "owner_id", "current_step")
    wanted: dict[str, Any] = {name: given[name] for name in names if given[name]}
    if given["older_than"] is not None:
        wanted["updated_before_us"] = SystemClock().now_us() - duration_us(given["older_than"])
    return InstanceFilter(statuses=tuple(given["statuses"]) or LIVE, workflow_type=to.workflow_type, **wanted)


def _named(to: "Definition") -> dict[str, str]:
    from ruvon import ir  # noqa: PLC0415

    return {"type": to.workflow_type, "version": to.workflow_version, "digest": ir.digest(to).hex()}


def _conclude(to: "Definition", report: "BulkReport", *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        runs = [asdict(item) for item in report.items]
        print_json(
            {
                "to": _named(to),
                "dry_run": dry_run,
                "counts": report.counts,
                "reasons": report.reasons,
                "runs": runs,
            }
        )
        return
    if not report.items:
        click.echo(f"no live run of another definition than {version_name(to)} fits")
        return
    verb = "would move to" if dry_run else "moved to"
    counts = report.counts
    secho(f"{counts.get('planned' if dry_run else 'done', 0)} {verb} {version_name(to)}", bold=True)
    for outcome, text in (("skipped", "stay as they are"), ("failed", "failed")):
        if counts.get(outcome):
            click.echo(f"{counts[outcome]} {text}")
    for reason, number in report.reasons.items():
        click.echo(f"  {number} x {reason}")
