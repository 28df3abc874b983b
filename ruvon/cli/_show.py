"""The commands that look at runs: list and show."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import rich_click as click

from ruvon.cli._options import argument, one_of, option
from ruvon.cli._output import moment, print_json, print_table, secho
from ruvon.cli._remotely import remotely
from ruvon.cli._report import flat, print_instance, record_data, traceback_text
from ruvon.cli._session import Session, Store, await_it, code_options, opened, store_options

if TYPE_CHECKING:
    from ruvon.providers import InstanceRecord

__all__ = ["STATUSES", "list_", "print_rows", "print_run", "show"]

STATUSES: Final = (
    "ACTIVE",
    "PENDING_ASYNC",
    "PENDING_SUB_WORKFLOW",
    "PAUSED",
    "WAITING_HUMAN",
    "WAITING_HUMAN_INPUT",
    "WAITING_CHILD_HUMAN_INPUT",
    "COMPENSATING",
    "COMPLETED",
    "FAILED",
    "FAILED_ROLLED_BACK",
    "FAILED_CHILD_WORKFLOW",
    "FAILED_WORKER_CRASH",
    "CANCELLED",
)
"""The names of all statuses, known here so that `--help` and completion load no engine."""


@click.command("list")
@option("--status", metavar="STATUS", help="Only runs of this status, such as WAITING_HUMAN.", **one_of(STATUSES))
@option("--type", "workflow_type", metavar="TYPE", help="Only runs of this workflow type.")
@option("--limit", type=click.IntRange(1, 100_000), default=20, show_default=True, help="At most so many.")
@option("--offset", type=click.IntRange(0, 2**31), default=0, help="Leave out so many of the newest.")
@option("--verbose", "-v", is_flag=True, help="Version, owner and parent too.")
@option("--json", "as_json", is_flag=True, help="Print JSON.")
@store_options
@remotely("runs.list_")
def list_(
    *,
    status: str | None,
    workflow_type: str | None,
    limit: int,
    offset: int,
    verbose: bool,
    as_json: bool,
    db: str | None,
) -> None:
    """List runs, newest first.

    Example: ruvon list --status WAITING_HUMAN --json
    """

    async def work() -> list[dict[str, Any]]:
        async with opened(Store(db)) as session:
            found = await session.builder.list_workflows(
                status=status, workflow_type=workflow_type, limit=limit, offset=offset
            )
            driven = await session.driven(*found)
            return [{**row, "driven": str(row["workflow_id"]) in driven} for row in found]

    print_rows([_summary(row) for row in await_it(work())], verbose=verbose, as_json=as_json)


def print_rows(rows: Sequence[dict[str, Any]], *, verbose: bool, as_json: bool) -> None:
    """Print runs, one a line."""
    if as_json:
        print_json(rows)
        return
    rows = [{**row, "status": f"{row['status']}{' (driven)' if row['driven'] else ''}"} for row in rows]
    extra = ("workflow_version", "owner_id", "parent_id") if verbose else ()
    print_table(rows, ("workflow_id", "workflow_type", "status", "current_step", "created_at", "updated_at", *extra))


def _summary(row: dict[str, Any]) -> dict[str, Any]:
    found = {name: value for name, value in row.items() if not name.endswith("_us")}
    return found | {f"{name}_at": moment(row[f"{name}_us"]) for name in ("created", "updated") if f"{name}_us" in row}


@click.command()
@argument("workflow_id", metavar="ID")
@option("--state/--no-state", default=True, help="Its state, secrets masked (default).")
@option("--logs", is_flag=True, help="Its history.")
@option("--metrics", is_flag=True, help="The numbers recorded of it.")
@option("--verbose", "-v", is_flag=True, help="All of that, and its digest, owner and children.")
@option("--json", "as_json", is_flag=True, help="Print JSON.")
@code_options
@remotely("runs.show")
def show(
    workflow_id: str, *, state: bool, logs: bool, metrics: bool, verbose: bool, as_json: bool, store: Store
) -> None:
    """Show the run ID: where it stands, what it waits for, its state, result or error.

    Example: ruvon show 3f2a9c41 --logs
    """

    async def work() -> tuple[dict[str, Any], str]:
        async with opened(store) as session:
            found = UUID(await session.find_id(workflow_id))
            record = await session.provider.load_instance(found)
            data = record_data(record, await session.definition_of(record))
            data["driven"] = bool(await session.driven(data))
            if state:
                data |= await _values(session, record)
            if verbose:
                data |= await _more(session, record)
            if logs or verbose:
                from ruvon.cli._observe import everything  # noqa: PLC0415  # only where it is wanted

                data["history"] = await everything(session, record)
            if metrics or verbose:
                from ruvon._told import dated  # noqa: PLC0415

                data["metrics"] = [dated(row) for row in await session.provider.read_metrics(found)]
            return data, session.again

    data, again = await_it(work())
    if as_json:
        print_json(data)
    else:
        print_run(data, again)


async def _values(session: Session, record: "InstanceRecord") -> dict[str, Any]:
    """State and result, masked; where the author's code cannot be loaded, the reason."""
    from ruvon.ir import RuvonError  # noqa: PLC0415
    from ruvon.ir.values import mask  # noqa: PLC0415

    try:
        workflow = await session.builder.load_workflow(record.workflow_id)
        found: dict[str, Any] = {"state": mask(workflow.state)}
        if record.result is not None:
            found["result"] = mask(workflow.result)
    except RuvonError as exc:
        return {"state_error": str(exc)}
    return found


async def _more(session: Session, record: "InstanceRecord") -> dict[str, Any]:
    children = await session.provider.children_of(record.workflow_id)
    return {
        "digest": record.digest.hex(),
        "revision": record.revision,
        "owner_id": record.owner_id,
        "org_id": record.org_id,
        "data_region": record.data_region,
        "priority": record.priority,
        "idempotency_key": record.idempotency_key,
        "metadata": dict(record.metadata),
        "traceback": traceback_text(record.error),
        "children": [_summary(child) for child in children],
    }


_MORE: Final = ("digest", "revision", "parent_id", "owner_id", "org_id", "data_region", "priority", "idempotency_key")


def print_run(data: dict[str, Any], again: str) -> None:
    """What is known of a run, for people."""
    print_instance(data, again=again)
    click.echo(f"  version {data['workflow_version']}, created {data['created_at']}, changed {data['updated_at']}")
    for name in _MORE:
        if data.get(name) not in {None, ""}:
            click.echo(f"  {name.replace('_', ' ')}: {data[name]}")
    if "state" in data:
        secho("\nstate", bold=True)
        for name, value in data["state"].items():
            click.echo(f"  {name}: {flat(value)}")
    elif "state_error" in data:
        click.echo(f"  its state cannot be shown here: {data['state_error']}")
    if data.get("traceback"):
        secho("\ntraceback", bold=True)
        click.echo(data["traceback"].rstrip())
    if data.get("children"):
        secho("\nchildren", bold=True)
        print_table(data["children"], ("workflow_id", "workflow_type", "status", "current_step"))
    if "history" in data:
        from ruvon.cli._observe import print_created, print_history, print_waiting  # noqa: PLC0415

        secho("\nhistory", bold=True)
        print_created(data, data["history"])
        print_history(data["history"])
        print_waiting(data)
    if "metrics" in data:
        secho("\nmetrics", bold=True)
        print_table(data["metrics"], ("name", "step_name", "value", "at"))
