"""`ruvon metrics`: numbers that were recorded, and what the logs of runs say of their steps."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import rich_click as click

from ruvon._told import dated
from ruvon.cli._options import option
from ruvon.cli._output import Exit, fail, print_json, print_table
from ruvon.cli._remotely import remotely
from ruvon.cli._session import Session, Store, await_it, opened, store_options

__all__ = ["metrics", "print_numbers", "refuse_together"]

_ALL: Final = 2**31
_NUMBERS: Final = ("at", "workflow_id", "step_name", "name", "value")
_SUMS: Final = ("name", "step_name", "count", "min", "mean", "max")
_RUNS: Final = ("workflow_type", "status", "workflows", "mean_s", "longest_s")
_COUNTS: Final = ("started", "completed", "failed", "retries", "mean_s", "p50_s", "p95_s", "longest_s")
_WHOLE_RUN: Final = "(whole run)"


@click.command()
@option("--workflow-id", "-w", metavar="ID", help="Only this run.")
@option("--type", "name", metavar="NAME", help="Only this metric, such as duration_ms.")
@option("--steps", is_flag=True, help="How often each step ran and how long it took, whoever ran it.")
@option("--summary", is_flag=True, help="Least, mean and largest of each, the runs by type and status, and the steps.")
@option("--limit", type=click.IntRange(1, _ALL), default=50, show_default=True, help="Only the newest.")
@option("--runs", type=click.IntRange(1, _ALL), default=1000, show_default=True, help="Steps of so many newest runs.")
@option("--json", "as_json", is_flag=True, help="Print JSON.")
@store_options
@remotely("histories.metrics")
def metrics(
    *,
    workflow_id: str | None,
    name: str | None,
    steps: bool,
    summary: bool,
    limit: int,
    runs: int,
    as_json: bool,
    db: str | None,
) -> None:
    """Show recorded numbers, such as the time that steps took; where none are, what the logs say of the steps.

    Example: ruvon metrics --steps
    """
    refuse_together(name, steps=steps, summary=summary)

    async def work() -> dict[str, list[dict[str, Any]]]:
        async with opened(Store(db)) as session:
            found = await session.find_id(workflow_id) if workflow_id is not None else None
            if found is not None:
                await session.provider.load_workflow(found)
            if summary:
                return await _summary(session, found, name, runs)
            if steps:
                return {"steps": await _steps(session, found, runs)}
            rows = [dated(row) for row in await session.provider.read_metrics(found, name=name, limit=limit)]
            if rows or as_json or name is not None:
                return {"metrics": rows}
            return {"steps": await _steps(session, found, runs)}

    print_numbers(await_it(work()), steps=steps, summary=summary, as_json=as_json)


def refuse_together(name: str | None, *, steps: bool, summary: bool) -> None:
    """End the command where its options do not go together."""
    if steps and (name is not None or summary):
        fail("--steps is a list of its own; leave --type and --summary out", Exit.USAGE)


def print_numbers(found: Mapping[str, Sequence[dict[str, Any]]], *, steps: bool, summary: bool, as_json: bool) -> None:
    """Print numbers: `metrics`, `workflows` and `steps` with a summary, else `metrics` or `steps`."""
    if as_json:
        print_json(found if summary else found["steps" if steps else "metrics"])
    elif summary:
        print_table(found["metrics"], _SUMS)
        for rows, columns in (
            (found["workflows"], _RUNS),
            (_named(found["steps"]), ("workflow_type", "step", *_COUNTS)),
        ):
            if rows:
                click.echo()
                print_table(rows, columns)
    elif "steps" in found:
        print_table(_named(found["steps"]), ("workflow_type", "step", *_COUNTS))
    else:
        print_table(found["metrics"], _NUMBERS)


async def _summary(
    session: Session, workflow_id: str | None, name: str | None, runs: int
) -> dict[str, list[dict[str, Any]]]:
    found = await session.provider.summarize() if workflow_id is None else []
    return {
        "metrics": await session.provider.summarize_metrics(workflow_id, name=name),
        "workflows": [_in_seconds(row) for row in found],
        "steps": await _steps(session, workflow_id, runs) if name is None else [],
    }


def _in_seconds(row: Mapping[str, Any]) -> dict[str, Any]:
    spans = {name: row[f"{name}_us"] / 1_000_000 for name in ("mean", "longest")}
    names = ("workflow_type", "status", "workflows")
    return {**{name: row[name] for name in names}, **{f"{name}_s": value for name, value in spans.items()}}


def _named(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """As people read them: the rows of whole runs say so."""
    return [{**row, "step": row["step"] if row["step"] is not None else _WHOLE_RUN} for row in rows]


async def _steps(session: Session, workflow_id: str | None, runs: int) -> list[dict[str, Any]]:
    """Counts and times of the newest runs' steps."""
    from ruvon._step_numbers import step_numbers  # noqa: PLC0415 - the engine loads when it is used
    from ruvon.providers import InstanceFilter  # noqa: PLC0415 - as above

    provider = session.provider
    chosen = InstanceFilter() if workflow_id is None else await provider.load_instance(UUID(workflow_id))
    return (await step_numbers(provider, chosen, session.definition_of, runs=runs))[0]
