"""`ruvon migrate`: waiting runs go on with another definition of their type."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar, cast
from uuid import UUID

import rich_click as click

from ruvon.cli._bulk import each_of, print_item, span
from ruvon.cli._options import argument, option
from ruvon.cli._output import Exit, fail, print_json, secho
from ruvon.cli._repair import audit_options, confirmed
from ruvon.cli._session import Store, await_it, code_options, opened
from ruvon.cli._show import STATUSES
from ruvon.cli._stored import REFERENCE, Chosen, chosen_definition
from ruvon.cli._versions import version_name

if TYPE_CHECKING:
    from ruvon.builder import BulkReport
    from ruvon.engine._migrate import Migration
    from ruvon.providers import InstanceFilter

__all__ = ["migrate"]

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
def plan(workflow_type: str, *, to: str, **given: Any) -> None:
    """Show which live runs of TYPE would move, and what stands against the others; nothing is changed.

    Exit code 1 where something stands against one of them.

    Example: ruvon migrate plan OrderProcessing --to flows/order.py
    """
    as_json = bool(given["as_json"])
    chosen = await_it(_chosen(workflow_type, to, given))
    report = await_it(_run(chosen, given, dry_run=True, quiet=as_json))
    _conclude(chosen, report, as_json=as_json, dry_run=True)
    if not report.ok or "skipped" in report.counts:
        raise SystemExit(int(Exit.FAILURE))


@migrate.command("check")
@argument("workflow_id", metavar="ID")
@_TO
@_JSON
@code_options
def check(workflow_id: str, *, to: str, as_json: bool, store: Store) -> None:
    """Say whether the run ID can be moved, where it stands, and all that stands against it; nothing is changed.

    Example: ruvon migrate check 3f2a9c41 --to flows/order.py
    """

    async def work() -> "tuple[Chosen, Migration]":
        from ruvon.engine._migrate import check_migration  # noqa: PLC0415

        async with opened(store) as session:
            record = await session.provider.load_instance(UUID(await session.find_id(workflow_id)))
        chosen = await chosen_definition(store, to, name=record.workflow_type)
        async with opened(chosen.store) as session:
            return chosen, await check_migration(session.builder.engine(), record.workflow_id, chosen.definition)

    chosen, found = await_it(work())
    if as_json:
        print_json(
            {
                "to": _named(chosen),
                "workflow_id": str(found.record.workflow_id),
                "workflow_version": found.record.workflow_version,
                "status": found.record.status,
                "stands": list(found.stands),
                "movable": not found.problems,
                "problems": list(found.problems),
            }
        )
    else:
        _print_check(chosen, found)
    if found.problems:
        raise SystemExit(int(Exit.FAILURE))


def _print_check(chosen: Chosen, found: "Migration") -> None:
    record = found.record
    secho(f"{record.workflow_type} {record.workflow_version} {record.workflow_id}", bold=True)
    click.echo(f"  {record.status}" + (f" at {' / '.join(found.stands)}" if found.stands else ""))
    can = "cannot" if found.problems else "can"
    secho(f"  {can} be moved to {version_name(chosen.definition)}", fg="red" if found.problems else "green")
    for problem in found.problems:
        click.echo(f"    {problem}")


@migrate.command("apply")
@option("--dry-run", is_flag=True, help="Only show what would happen to each run.")
@option("--yes", "-y", is_flag=True, help="Do not ask.")
@audit_options
@_which
def apply(workflow_type: str, *, to: str, dry_run: bool, yes: bool, actor: str, reason: str, **given: Any) -> None:
    """Move every waiting run of TYPE that fits; the plan is shown, and asked about, before anything is changed.

    Each move is one transition, so a run is moved or it is not. Runs that do not fit are left alone; exit code 1 only
    where a move failed.

    Example: ruvon migrate apply OrderProcessing --to flows/order.py --from 1.2.0 --reason "new discount"
    """
    as_json = bool(given["as_json"])
    if as_json and not dry_run and not yes:
        confirmed("", yes=False, as_json=True)
    chosen = await_it(_chosen(workflow_type, to, given))
    if dry_run or not yes:
        planned = await_it(_run(chosen, given, dry_run=True, quiet=as_json))
        count = planned.counts.get("planned", 0)
        if dry_run or not count:
            _conclude(chosen, planned, as_json=as_json, dry_run=True)
            _end(planned)
            return
        confirmed(
            f"move {count} run{'s' * (count != 1)} to {version_name(chosen.definition)}?", yes=False, as_json=as_json
        )
    done = await_it(_run(chosen, given, dry_run=False, quiet=as_json, said=(actor, reason)))
    _conclude(chosen, done, as_json=as_json, dry_run=False)
    _end(done)


def _end(report: "BulkReport") -> None:
    if not report.ok:
        raise SystemExit(int(Exit.FAILURE))


async def _chosen(workflow_type: str, to: str, given: Mapping[str, Any]) -> Chosen:
    chosen = await chosen_definition(cast("Store", given["store"]), to, name=workflow_type)
    found = chosen.definition.workflow_type
    if found != workflow_type:
        fail(f"{to} is a {found}, not a {workflow_type}", Exit.USAGE)
    return chosen


async def _run(
    chosen: Chosen, given: Mapping[str, Any], *, dry_run: bool, quiet: bool, said: tuple[str, str] = ("", "")
) -> "BulkReport":
    from ruvon.builder import BulkMigrate  # noqa: PLC0415

    async with opened(chosen.store) as session:
        return await session.builder.bulk(
            _wanted(chosen, given),
            BulkMigrate(chosen.definition),
            dry_run=dry_run,
            limit=given["limit"],
            concurrency=given["concurrency"],
            actor=said[0],
            reason=said[1],
            on_item=None if quiet else print_item,
        )


def _wanted(chosen: Chosen, given: Mapping[str, Any]) -> "InstanceFilter":
    from ruvon.engine._against import LIVE  # noqa: PLC0415
    from ruvon.providers import InstanceFilter, SystemClock, duration_us  # noqa: PLC0415

    names = ("workflow_version", "owner_id", "current_step")
    wanted: dict[str, Any] = {name: given[name] for name in names if given[name]}
    if given["older_than"] is not None:
        wanted["updated_before_us"] = SystemClock().now_us() - duration_us(given["older_than"])
    return InstanceFilter(
        statuses=tuple(given["statuses"]) or LIVE, workflow_type=chosen.definition.workflow_type, **wanted
    )


def _named(chosen: Chosen) -> dict[str, str]:
    from ruvon import ir  # noqa: PLC0415

    definition = chosen.definition
    return {
        "type": definition.workflow_type,
        "version": definition.workflow_version,
        "digest": ir.digest(definition).hex(),
    }


def _conclude(chosen: Chosen, report: "BulkReport", *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        runs = [asdict(item) for item in report.items]
        print_json(
            {
                "to": _named(chosen),
                "dry_run": dry_run,
                "counts": report.counts,
                "reasons": report.reasons,
                "runs": runs,
            }
        )
        return
    if not report.items:
        click.echo(f"no live run of another definition than {version_name(chosen.definition)} fits")
        return
    verb = "would move to" if dry_run else "moved to"
    counts = report.counts
    secho(f"{counts.get('planned' if dry_run else 'done', 0)} {verb} {version_name(chosen.definition)}", bold=True)
    for outcome, text in (("skipped", "stay as they are"), ("failed", "failed")):
        if counts.get(outcome):
            click.echo(f"{counts[outcome]} {text}")
    for reason, number in report.reasons.items():
        click.echo(f"  {number} x {reason}")
