"""`ruvon definitions`: what is stored, who runs it, and what differs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import rich_click as click

from ruvon.cli._definitions import draw, in_form
from ruvon.cli._options import argument, option
from ruvon.cli._output import Exit, fail, moment, print_json, print_table, secho, shortened
from ruvon.cli._remotely import remotely, require_a_server
from ruvon.cli._session import Session, Store, again, await_it, code_options, opened, store_options
from ruvon.cli._stored import chosen_definition

if TYPE_CHECKING:
    from ruvon.ir import Definition
    from ruvon.ir._diff import Change

__all__ = [
    "definitions",
    "print_definition",
    "print_versions",
    "refuse_unknown_type",
    "tell_differences",
    "tell_history",
    "version_name",
]

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
@remotely("definitions.list_")
def list_(*, workflow_type: str | None, as_json: bool, db: str | None) -> None:
    """List every stored version with its digest, and how many runs go on, wait, and have ended with it.

    Example: ruvon definitions list --type OrderProcessing
    """

    async def work() -> list[dict[str, Any]]:
        async with opened(Store(db)) as session:
            return await _counted(session, workflow_type)

    print_versions(await_it(work()), as_json=as_json)


def print_versions(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print versions, one a line, with the runs of each."""
    if as_json:
        print_json(rows)
        return
    rows = [{**row, "digest": row["digest"][:12]} for row in rows]
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
@remotely("definitions.show")
def show(reference: str, *, form: str, store: Store) -> None:
    """Print a DEFINITION: TYPE@VERSION or the first characters of a digest for a stored one, or a TARGET.

    Example: ruvon definitions show OrderProcessing@1.2.0 --format graph
    """
    print_definition(await_it(chosen_definition(store, reference)).definition, form)


def print_definition(found: "Definition", form: str) -> None:
    """Print a definition in one of its forms."""
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
@remotely("definitions.diff")
def diff(old: str, new: str, *, name: str | None, as_json: bool, store: Store) -> None:
    """Say what differs between two definitions: steps, edges, conditions, options, functions, fields and types.

    Each is TYPE@VERSION or the first characters of a digest for a stored one, or a TARGET. Comments, order and spelling
    are no difference. As with `diff`, the exit code is 0 where they mean the same, and 1 where they differ.

    Example: ruvon definitions diff OrderProcessing@1.2.0 flows/order.py
    """

    async def work() -> "tuple[Definition, Definition]":
        before = await chosen_definition(store, old, name=name)
        return before.definition, (await chosen_definition(store, new, name=name)).definition

    tell_differences(*await_it(work()), as_json=as_json)


def tell_differences(before: "Definition", after: "Definition", *, as_json: bool) -> None:
    """Print what differs; code 1 where something does."""
    from ruvon.ir._diff import diff as differences  # noqa: PLC0415

    found = differences(before, after)
    if as_json:
        print_json(_as_data(before, after, found))
    else:
        _print(before, after, found)
    if found:
        raise SystemExit(int(Exit.FAILURE))


def _named(item: "Definition") -> dict[str, Any]:
    from ruvon import ir  # noqa: PLC0415

    return {"type": item.workflow_type, "version": item.workflow_version, "digest": ir.digest(item).hex()}


def _as_data(before: "Definition", after: "Definition", found: "tuple[Change, ...]") -> dict[str, Any]:
    return {name: _named(item) for name, item in (("old", before), ("new", after))} | {"changes": _changes(found)}


def _changes(found: "Sequence[Change]") -> list[dict[str, Any]]:
    return [
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


@definitions.command("history")
@argument("workflow_type", metavar="TYPE")
@_JSON
@store_options
@remotely("definitions.history")
def history(workflow_type: str, *, as_json: bool, db: str | None) -> None:
    """List the stored versions of TYPE, oldest first, each with what differs from the one before.

    Example: ruvon definitions history OrderProcessing
    """

    async def work() -> "list[tuple[Definition, str | None]]":
        from ruvon.ir import load  # noqa: PLC0415

        async with opened(Store(db)) as session:
            known = await session.provider.list_definitions(workflow_type)
            if not known:
                refuse_unknown_type(workflow_type)
            return [(load(item.text), moment(item.stored_us)) for item in known]

    tell_history(await_it(work()), as_json=as_json)


def refuse_unknown_type(workflow_type: str) -> NoReturn:
    """End the command where nothing of a type is stored."""
    listed = f"see `ruvon definitions list{again(code=False)}`"
    fail(f"no definition of a {shortened(workflow_type)} is stored; {listed}", Exit.NOT_FOUND)


def tell_history(versions: "Sequence[tuple[Definition, str | None]]", *, as_json: bool) -> None:
    """Print versions, oldest first, each with the moment when it was stored and what differs from the one before."""
    from ruvon.ir._diff import diff as differences  # noqa: PLC0415

    rows: list[dict[str, Any]] = []
    before: Definition | None = None
    for definition, stored_at in versions:
        found = differences(before, definition) if before is not None else ()
        before = definition
        if as_json:
            rows.append({**_named(definition), "stored_at": stored_at, "changes": _changes(found)})
            continue
        secho(f"{version_name(definition)}  {stored_at or 'not stored yet'}", bold=True)
        for item in found:
            secho(f"  {item}", fg=_COLOURS[str(item)[0]])
    if as_json:
        print_json(rows)


@definitions.command("upload")
@argument("target")
@option("--workflow", "name", metavar="TYPE", help="Which workflow, where the target holds several.")
@option("--dry-run", is_flag=True, help="Only check it.")
@_JSON
@code_options
@remotely("definitions.upload")
def upload(target: str, *, name: str | None, dry_run: bool, as_json: bool, store: Store) -> None:
    """Give a server a definition: a YAML file as it is, any other TARGET compiled; the code must be there already.

    Every server of the same store starts it from now on, and a version is never changed.

    Example: ruvon definitions upload flows/order.yaml --server https://flows.example.org
    """
    del target, name, dry_run, as_json, store
    require_a_server()


def _print(before: "Definition", after: "Definition", found: "tuple[Change, ...]") -> None:
    if not found:
        click.echo(f"{version_name(before)} and {version_name(after)} mean the same")
        return
    secho(f"{version_name(before)} -> {version_name(after)}", bold=True)
    for item in found:
        text = str(item)
        secho(text, fg=_COLOURS[text[0]])
