"""`ruvon definitions`: what is stored, who runs it, and what differs."""

from typing import TYPE_CHECKING, Any

import rich_click as click

from ruvon.cli._definitions import draw, in_form
from ruvon.cli._options import argument, option
from ruvon.cli._output import Exit, moment, print_json, print_table, secho
from ruvon.cli._remotely import remotely
from ruvon.cli._session import Session, Store, await_it, code_options, opened, store_options
from ruvon.cli._stored import chosen_definition

if TYPE_CHECKING:
    from ruvon.ir import Definition
    from ruvon.ir._diff import Change

__all__ = ["definitions", "version_name"]

_JSON = option("--json", "as_json", is_flag=True, help="Print JSON.")
_FORMS = ("text", "graph", "json", "yaml", "python", "mermaid", "dot", "svg")
_COLOURS = {"+": "green", "-": "red", "~": "yellow"}


def version_name(definition: "Definition", *, length: int = 8) -> str:
    """A definition in one word or two: type, version and the beginning of the digest."""
    from ruvon import ir  # noqa: PLC0415

    return f"{definition.workflow_type} {definition.workflow_version} ({ir.digest(definition).hex()[:length]})"


@click.group()
def definitions() -> None:
    """The definitions that the database has: every version that a run ever had, with who runs it now.

    A run keeps the definition that it began with, whatever is deployed, until `ruvon migrate` moves it. Its digest is a
    checksum of all that it means: two definitions with one digest are the same.
    """


@definitions.command("list")
@option("--type", "workflow_type", metavar="TYPE", help="Only definitions of this workflow type.")
@_JSON
@store_options
@remotely("definitions")
def list_(*, workflow_type: str | None, as_json: bool, db: str | None) -> None:
    """List every stored version with its digest, and how many runs go on, wait, and have ended with it.

    Example: ruvon definitions list --type OrderProcessing
    """

    async def work() -> list[dict[str, Any]]:
        async with opened(Store(db)) as session:
            return await _counted(session, workflow_type)

    rows = await_it(work())
    if as_json:
        print_json(rows)
        return
    for row in rows:
        row["digest"] = row["digest"][:12]
    print_table(rows, ("type", "version", "digest", "running", "waiting", "ended", "stored_at"))


async def _counted(session: Session, workflow_type: str | None) -> list[dict[str, Any]]:
    from ruvon._versions import stored_versions  # noqa: PLC0415

    return [
        {
            "type": item.record.workflow_type,
            "version": item.record.workflow_version,
            "digest": item.record.digest.hex(),
            "running": item.running,
            "waiting": item.waiting,
            "ended": item.ended,
            "stored_at": moment(item.record.stored_us),
        }
        for item in await stored_versions(session.provider, workflow_type)
    ]


@definitions.command("show")
@argument("reference", metavar="DEFINITION")
@option("--format", "form", type=click.Choice(_FORMS), default="text", show_default=True)
@code_options
def show(reference: str, *, form: str, store: Store) -> None:
    """Print a DEFINITION: TYPE@VERSION or the first characters of a digest for a stored one, or a TARGET.

    Example: ruvon definitions show OrderProcessing@1.2.0 --format graph
    """
    found = await_it(chosen_definition(store, reference)).definition
    if form in ("mermaid", "dot", "svg", "graph"):
        click.echo(draw(found, "text" if form == "graph" else form))
    else:
        click.echo(in_form(found, form).rstrip("\n"))


@definitions.command("diff")
@argument("old", metavar="OLD")
@argument("new", metavar="NEW")
@option("--workflow", "name", metavar="TYPE", help="Which workflow, where a target holds several.")
@_JSON
@code_options
def diff(old: str, new: str, *, name: str | None, as_json: bool, store: Store) -> None:
    """Say what differs between two definitions: steps, edges, conditions, options, functions, fields and types.

    Each is TYPE@VERSION or the first characters of a digest for a stored one, or a TARGET. Comments, order and spelling
    are no difference. As with `diff`, the exit code is 0 where they mean the same, and 1 where they differ.

    Example: ruvon definitions diff OrderProcessing@1.2.0 flows/order.py
    """
    from ruvon.ir._diff import diff as differences  # noqa: PLC0415

    async def work() -> "tuple[Definition, Definition]":
        before = await chosen_definition(store, old, name=name)
        return before.definition, (await chosen_definition(store, new, name=name)).definition

    before, after = await_it(work())
    found = differences(before, after)
    if as_json:
        print_json(_as_data(before, after, found))
    else:
        _print(before, after, found)
    if found:
        raise SystemExit(int(Exit.FAILURE))


def _as_data(before: "Definition", after: "Definition", found: "tuple[Change, ...]") -> dict[str, Any]:
    from ruvon import ir  # noqa: PLC0415

    return {
        name: {
            "type": item.workflow_type,
            "version": item.workflow_version,
            "digest": ir.digest(item).hex(),
        }
        for name, item in (("old", before), ("new", after))
    } | {
        "changes": [
            {
                "area": item.area.value,
                "kind": item.kind.value,
                "subject": item.subject,
                "field": item.field or None,
                "before": item.before,
                "after": item.after,
            }
            for item in found
        ]
    }


def _print(before: "Definition", after: "Definition", found: "tuple[Change, ...]") -> None:
    if not found:
        click.echo(f"{version_name(before)} and {version_name(after)} mean the same")
        return
    secho(f"{version_name(before)} -> {version_name(after)}", bold=True)
    for item in found:
        text = str(item)
        secho(text, fg=_COLOURS[text[0]])
