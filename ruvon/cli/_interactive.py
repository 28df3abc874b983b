"""`ruvon interactive`: a run in conversation, from the initial data to the last answer."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import rich_click as click

from ruvon.cli._definitions import Runnable, require_runnable
from ruvon.cli._family import register_family, require_children
from ruvon.cli._input import data_options, read_data
from ruvon.cli._narrator import Narrator
from ruvon.cli._options import argument, option
from ruvon.cli._output import Exit, fail
from ruvon.cli._remotely import remotely
from ruvon.cli._session import Session, Store, await_it, code_options, opened
from ruvon.cli._unknown import refuse_unknown

if TYPE_CHECKING:
    from ruvon._workflow import Workflow

__all__ = ["interactive"]


@click.group()
def interactive() -> None:
    """Run workflows in conversation."""


@interactive.command("run")
@argument("target")
@data_options("data", "-d", "Initial data that need not be asked for")
@option("--workflow", "name", metavar="TYPE", help="Which workflow, where the target holds several.")
@option("--json", "as_json", is_flag=True, help="Print JSON at the end; questions go to standard error.")
@code_options
@remotely("interactive.run")
def run(target: str, *, data: str | None, data_file: str | None, name: str | None, as_json: bool, store: Store) -> None:
    """Ask for the initial data of TARGET, drive it, ask at each human step, and go on to the end.

    Example: ruvon interactive run flows/order.py
    """
    from ruvon.cli._runs import ended_badly, finish, how_to_go_on  # noqa: PLC0415  # shared with the commands that do not ask

    runnable = require_runnable(target, store, name)
    store = runnable.store
    known = read_data(data, data_file)
    narrator = Narrator(quiet=as_json)

    async def work() -> Mapping[str, Any]:
        async with opened(store, create=True, memory=True, observers=[narrator]) as session:
            workflow = await _create(session, runnable, known)
            narrator.workflow_id = workflow.id
            try:
                with narrator.apart():
                    await converse(session, workflow)
            finally:
                await narrator.store(session.provider)
            return await finish(session, workflow, as_json=as_json)

    ended_badly(await_it(work(), interrupted=lambda: how_to_go_on(narrator, store)))


async def _create(session: Session, runnable: Runnable, known: object) -> "Workflow":
    """Create the workflow, asking for its data until it is valid."""
    definition = runnable.definition
    from ruvon.cli._forms import ask_until_valid  # noqa: PLC0415
    from ruvon.engine import InvalidInitialDataError  # noqa: PLC0415

    refuse_unknown(definition, definition.state, known, "the initial data")
    if known is not None and not isinstance(known, dict):
        fail("the initial data is no JSON object", Exit.USAGE)
    await require_children(session, register_family(session.builder, runnable))
    engine = session.builder.engine()
    program = engine.program_for(definition.workflow_type, None)
    probe = session.builder.ids.new_id()

    def problems(data: dict[str, Any]) -> Sequence[str]:
        try:
            engine.new_record(program, probe, data)
        except InvalidInitialDataError as exc:
            return exc.problems
        return ()

    click.secho(f"{definition.workflow_type}: the initial data", err=True, bold=True)
    data = ask_until_valid(definition.schemas.get(definition.state), problems, cast("dict[str, Any] | None", known))
    return await session.builder.create_workflow(definition.workflow_type, data)


async def converse(session: Session, workflow: "Workflow") -> None:
    """Drive a workflow, and ask whenever somebody is needed, children included, until nothing more can be asked."""
    while not workflow.status.is_terminal:
        await workflow.run()
        asker, wait = await _who_asks(session, workflow)
        if asker is None or wait is None:
            return
        await _answer(session, asker, wait)
        await workflow.refresh()


async def _who_asks(session: Session, workflow: "Workflow") -> "tuple[Workflow | None, Mapping[str, Any] | None]":
    """The first wait that a person can end: of the workflow, or of a child that it waits for."""
    from ruvon._described import answerable  # noqa: PLC0415

    own = answerable(workflow.waiting_for)
    if own:
        return workflow, own[0]
    for wait in workflow.waiting_for:
        if wait["kind"] == "child" and wait.get("key"):
            child = await session.builder.load_workflow(str(wait["key"]))
            asker, found = await _who_asks(session, child)
            if asker is not None:
                return asker, found
    return None, None


async def _answer(session: Session, workflow: "Workflow", wait: Mapping[str, Any]) -> None:
    """Ask for the form of a wait until the workflow takes it."""
    from ruvon._described import form_of  # noqa: PLC0415
    from ruvon.cli._forms import ask_form, fields_named  # noqa: PLC0415
    from ruvon.cli._runs import give  # noqa: PLC0415
    from ruvon.cli._waits import print_waits  # noqa: PLC0415
    from ruvon.engine import InvalidInputError  # noqa: PLC0415

    record = await session.provider.load_instance(UUID(workflow.id))
    program = await session.builder.engine().program_of(record)
    form = form_of(program.definition, wait)
    print_waits([wait], err=True)
    data = ask_form(form)
    while True:
        try:
            await give(workflow, data, wait, actor="", reason="")
        except InvalidInputError as exc:
            for problem in exc.problems:
                click.secho(f"  {problem}", err=True, fg="red")
            fields = frozenset((form or {}).get("properties", {}))
            data |= ask_form(form, only=fields_named(exc.problems, fields) or None)
        else:
            return
