"""`ruvon resume --all`: everything that can go on."""

from collections.abc import Mapping, Sequence

import rich_click as click

from ruvon.cli._output import Exit, fail, print_json, print_table
from ruvon.cli._session import Store, await_it, opened

__all__ = ["print_resumed", "refuse_beside_all", "resume_everything"]


def refuse_beside_all(*given: object, auto: bool) -> None:
    """End the command where something stands beside `--all` that is for one run."""
    if auto or any(item is not None for item in given):
        fail("--all takes no ID, no input, no --step and no --auto", Exit.USAGE)


def resume_everything(store: Store, *, as_json: bool) -> None:
    """Drive every run that can go on and print how each stands; code 1 where one has failed or cannot be driven."""

    async def work() -> list[dict[str, object]]:
        from ruvon.scheduler import resume_all  # noqa: PLC0415 - not for `--help`

        async with opened(store, drives=True) as session:
            return [
                {
                    "workflow_id": str(item.workflow_id),
                    "status": item.status,
                    "driven": item.busy,
                    "problem": item.problem,
                }
                for item in await resume_all(session.builder)
            ]

    print_resumed(await_it(work()), as_json=as_json)


def print_resumed(rows: Sequence[Mapping[str, object]], *, as_json: bool) -> None:
    """Print how each run stands; code 1 where one has failed or cannot be driven."""
    if as_json:
        print_json(rows)
    elif not rows:
        click.echo("nothing can go on")
    else:
        shown = [{**row, "status": f"{row['status']} (driven)" if row["driven"] else row["status"]} for row in rows]
        print_table(shown, ("workflow_id", "status", "problem"))
    if any(row["problem"] or str(row["status"]).startswith("FAILED") for row in rows):
        raise SystemExit(int(Exit.FAILURE))
