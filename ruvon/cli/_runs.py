"""The commands that make runs, drive them and end them: run, start, resume, cancel."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

import rich_click as click

from ruvon._described import answerable, form_type
from ruvon.cli._audit import Starter, audit_options, starter_options
from ruvon.cli._definitions import Runnable, require_runnable
from ruvon.cli._family import register_family, require_children
from ruvon.cli._input import data_options, read_data
from ruvon.cli._narrator import Narrator
from ruvon.cli._options import Whose, argument, option, owner_options
from ruvon.cli._output import Exit, fail, print_json, secho
from ruvon.cli._remotely import remotely
from ruvon.cli._report import record_data, tell, workflow_data
from ruvon.cli._resume import refuse_beside_all, resume_everything
from ruvon.cli._session import Session, Store, again, await_it, code_options, opened
from ruvon.cli._unknown import refuse_unknown

if TYPE_CHECKING:
    from ruvon._workflow import Workflow

__all__ = [
    "asked",
    "cancel",
    "drive",
    "ended_badly",
    "finish",
    "give",
    "how_to_go_on",
    "print_start_plan",
    "resume",
    "run_",
    "start",
]

_WORKFLOW = option("--workflow", "name", metavar="TYPE", help="Which workflow, where the target holds several.")
_KEY = option("--key", metavar="KEY", help="Idempotency key: a second start with the same one is refused.")
_JSON = option("--json", "as_json", is_flag=True, help="Print JSON.")
_AUTO = option("--auto", is_flag=True, help="Go on through every step, retry and timer until somebody is needed.")


@click.command("run")
@argument("target")
@data_options("data", "-d", "The initial data")
@_KEY
@owner_options
@starter_options
@_JSON
@_WORKFLOW
@code_options
@remotely("runs.run")
def run_(
    target: str,
    *,
    data: str | None,
    data_file: str | None,
    key: str | None,
    whose: Whose,
    starter: Starter,
    as_json: bool,
    name: str | None,
    store: Store,
) -> None:
    """Create a run of TARGET and drive it until it ends or somebody is needed, showing each step.

    Example: ruvon run flows/order.py -d '{"order_id": "A-1"}'
    """
    runnable = require_runnable(target, store, name)
    store = runnable.store
    initial = read_data(data, data_file)
    narrator = Narrator(quiet=as_json)

    async def work() -> Mapping[str, Any]:
        async with opened(store, create=True, memory=True, observers=[narrator]) as session:
            workflow = await _create(session, runnable, initial, key, whose, starter)
            return await drive(session, workflow, narrator, workflow.run, as_json=as_json)

    ended_badly(await_it(work(), interrupted=lambda: how_to_go_on(narrator, store)))


@click.command()
@argument("target")
@data_options("data", "-d", "The initial data")
@option("--interactive", "-i", is_flag=True, help="Ask for the initial data field by field.")
@option("--dry-run", is_flag=True, help="Check the definition and the data; store nothing.")
@_AUTO
@_KEY
@owner_options
@starter_options
@_JSON
@_WORKFLOW
@code_options
@remotely("runs.start")
def start(
    target: str,
    *,
    data: str | None,
    data_file: str | None,
    interactive: bool,
    dry_run: bool,
    auto: bool,
    key: str | None,
    whose: Whose,
    starter: Starter,
    as_json: bool,
    name: str | None,
    store: Store,
) -> None:
    """Create a run of TARGET; nothing of it runs yet, unless --auto is given.

    With an executor that has workers (`queue`, `postgres`, `celery`) one of them runs it at once.

    Example: ruvon start OrderProcessing --data-file order.json --auto
    """
    runnable = require_runnable(target, store, name)
    definition, store = runnable.definition, runnable.store
    initial = read_data(data, data_file)
    if interactive:
        from ruvon.cli._forms import ask_initial  # noqa: PLC0415

        initial = ask_initial(definition.workflow_type, definition.schemas.get(definition.state), initial)
    narrator = Narrator(quiet=as_json)

    async def work() -> Mapping[str, Any]:
        async with opened(store, create=not dry_run, memory=dry_run, observers=[narrator]) as session:
            background = not auto and session.builder.execution.runs_queued("default")
            workflow = await _create(session, runnable, initial, key, whose, starter, background=background)
            if auto:
                return await drive(session, workflow, narrator, workflow.run, as_json=as_json)
            return await finish(session, workflow, as_json=as_json, background=background)

    if dry_run:
        await_it(_dry_run(runnable, initial, whose, starter, store, as_json=as_json))
    else:
        ended_badly(await_it(work(), interrupted=lambda: how_to_go_on(narrator, store)))


async def _dry_run(
    runnable: Runnable, initial: object, whose: Whose, starter: Starter, store: Store, *, as_json: bool
) -> None:
    """Check what `start` would do, in a database of its own that is thrown away."""
    definition = runnable.definition
    from ruvon import ir  # noqa: PLC0415

    place = Store("memory", store.roots, store.workflows, store.types)
    async with opened(place, memory=True, execution=store.execution or "sync") as session:
        await _create(session, runnable, initial, None, whose, starter)
    print_start_plan(
        definition.workflow_type, definition.workflow_version, ir.digest(definition).hex(), as_json=as_json
    )


def print_start_plan(workflow_type: str, workflow_version: str, digest: str, *, as_json: bool) -> None:
    """Print what `start` would start."""
    if as_json:
        found = {"workflow_type": workflow_type, "workflow_version": workflow_version}
        print_json({**found, "digest": digest, "dry_run": True})
    else:
        secho(f"{workflow_type} {workflow_version} could start with this data; nothing was stored")


async def _create(
    session: Session,
    runnable: Runnable,
    initial: object,
    key: str | None,
    whose: Whose,
    starter: Starter,
    *,
    background: bool = False,
) -> "Workflow":
    definition = runnable.definition
    refuse_unknown(definition, definition.state, initial, "the initial data")
    await require_children(session, register_family(session.builder, runnable))
    return await session.builder.create_workflow(
        definition.workflow_type,
        {} if initial is None else initial,
        idempotency_key=key,
        background=background,
        **whose,
        **starter,
    )


async def drive(
    session: Session,
    workflow: "Workflow",
    narrator: Narrator,
    go: Callable[[], Any],
    *,
    as_json: bool,
    ending: bool = False,
) -> Mapping[str, Any]:
    """Let a workflow go, keep the times of its steps, and print how it stands."""
    narrator.workflow_id = workflow.id
    try:
        with narrator.apart():
            await go()
    finally:
        await narrator.store(session.provider)
    return await finish(session, workflow, as_json=as_json, ending=ending)


async def finish(
    session: Session, workflow: "Workflow", *, as_json: bool, ending: bool = False, background: bool = False
) -> Mapping[str, Any]:
    """Print how a workflow stands now.

    Args:
        session: the database.
        workflow: which one.
        as_json: print JSON.
        ending: it was asked to end, which another process may have to do.
        background: it was left to the workers.
    """
    data = await workflow_data(session, workflow)
    if background and not as_json:
        data["left_to_workers"] = True
    if ending:
        data["driven"] = data["asked_to_end"] = bool(await session.driven(data))
    tell(data, as_json=as_json, again=session.again)
    return data


def ended_badly(data: Mapping[str, Any]) -> None:
    """End with code 1 when the workflow has failed."""
    if str(data["status"]).startswith("FAILED"):
        raise SystemExit(int(Exit.FAILURE))


def how_to_go_on(narrator: Narrator, store: Store) -> str:
    """What to do after Ctrl-C."""
    if narrator.workflow_id is None:
        return ""
    if store.in_memory:
        return "the workflow was in memory only and is gone"
    return f"what was done is stored; go on with: ruvon resume {narrator.workflow_id}{store.again} --auto"


@click.command()
@argument("workflow_id", metavar="[ID]", required=False)
@option(
    "--all", "everything", is_flag=True, help="Every run that can go on and that nobody drives, in place of one ID."
)
@data_options("input", "-i", "The answer, input or signal that it waits for")
@option("--step", metavar="STEP", help="Which waiting step the input is for, where several wait.")
@_AUTO
@audit_options
@_JSON
@code_options
@remotely("runs.resume")
def resume(
    workflow_id: str | None,
    *,
    everything: bool,
    data: str | None,
    data_file: str | None,
    step: str | None,
    auto: bool,
    actor: str,
    reason: str,
    as_json: bool,
    store: Store,
) -> None:
    """Let the run ID go on, with what it waits for if that is given.

    With --all: every run whose process died, whose timer is due, or that has a message or was never driven.

    Example: ruvon resume 3f2a9c41 -i '{"approved": true}'
    """
    given = read_data(data, data_file, "-i")
    if everything:
        refuse_beside_all(workflow_id, given, step, auto=auto)
        resume_everything(store, as_json=as_json)
        return
    if workflow_id is None:
        fail("say which run: `ruvon resume ID`, or `ruvon resume --all`", Exit.USAGE)
    narrator = Narrator(quiet=as_json)

    async def work() -> Mapping[str, Any]:
        async with opened(store, observers=[narrator]) as session:
            workflow = await session.builder.load_workflow(await session.find_id(workflow_id))

            async def go() -> None:
                if given is not None:
                    await _refuse_unknown_answer(session, workflow, given, step)
                    await give(
                        workflow,
                        given,
                        asked(answerable(workflow.waiting_for), workflow.id, step),
                        actor=actor,
                        reason=reason,
                    )
                elif not auto:
                    await workflow.next_step()
                if auto and not workflow.status.is_terminal:
                    await workflow.run()

            return await drive(session, workflow, narrator, go, as_json=as_json)

    ended_badly(await_it(work(), interrupted=lambda: how_to_go_on(narrator, store)))


async def _refuse_unknown_answer(session: Session, workflow: "Workflow", given: object, step: str | None) -> None:
    record = await session.provider.load_instance(UUID(workflow.id))
    definition = await session.definition_of(record)
    for wait in answerable(workflow.waiting_for)[:1] if step is None else answerable(workflow.waiting_for):
        if step is None or wait["step"] == step:
            refuse_unknown(definition, form_type(definition, wait), given, "the input")


def asked(
    known: Sequence[Mapping[str, Any]], workflow_id: str, step: str | None, options: str | None = None
) -> Mapping[str, Any] | None:
    """The wait that an answer is for; None where nobody waits, and the input is for the step that runs next.

    Args:
        known: the waits of the run that take an answer.
        workflow_id: the run.
        step: the step that waits, where one was named.
        options: the options that find the run, for messages; those of the command under way where none are given.
    """
    waits = [wait for wait in known if step is None or wait["step"] == step]
    if len(waits) > 1 and step is None:
        names = ", ".join(f"`{wait['step']}`" for wait in waits)
        fail(f"several steps wait ({names}); name one with --step", Exit.USAGE)
    if step is not None and not waits:
        if known:
            names = ", ".join(f"`{wait['step']}`" for wait in known)
            fail(f"no step `{step}` waits for anything; those that do: {names}")
        fail(
            f"no step `{step}` waits for anything; see `ruvon show {workflow_id}{again() if options is None else options}`"
        )
    signals = [wait for wait in waits if wait["kind"] == "signal"]
    return next(iter(signals or waits), None)


async def give(
    workflow: "Workflow", given: object, wait: "Mapping[str, Any] | None", *, actor: str, reason: str
) -> None:
    """Hand over an answer, a signal, or the input of the step that runs next; what is taken is in the history."""
    if wait is None:
        await workflow.next_step(given)
    elif wait["kind"] == "signal":
        await workflow.signal(wait["name"], given, key=wait.get("key"), actor=actor, reason=reason)
    else:
        await workflow.answer(given, step=wait["step"], actor=actor, reason=reason)


@click.command()
@argument("workflow_id", metavar="ID")
@option("--reason", default="", help="Why; it is kept in the history.")
@option("--force", is_flag=True, help="End it without running its compensations.")
@_JSON
@code_options
@remotely("runs.cancel")
def cancel(workflow_id: str, *, reason: str, force: bool, as_json: bool, store: Store) -> None:
    """End the run ID: its children first, then what it has done is undone where saga mode is on.

    Example: ruvon cancel 3f2a9c41 --reason "ordered twice"
    """
    narrator = Narrator(quiet=as_json)

    async def work() -> None:
        async with opened(store, observers=[narrator]) as session:
            found = await session.find_id(workflow_id)
            workflow = await _load_to_end(session, found, force=force)
            if workflow is None:
                await _abandon(session, found, reason, as_json=as_json)
                return

            def end() -> Coroutine[Any, Any, None]:
                return workflow.cancel(reason, compensate=not force)

            await drive(session, workflow, narrator, end, as_json=as_json, ending=True)

    await_it(work())


async def _load_to_end(session: Session, workflow_id: str, *, force: bool) -> "Workflow | None":
    """The run that is to be cancelled; None where it is to end by force and its code cannot be loaded."""
    from ruvon.ir import RuvonError  # noqa: PLC0415

    try:
        return await session.builder.load_workflow(workflow_id)
    except RuvonError:
        if force:
            return None
        raise


async def _abandon(session: Session, workflow_id: str, reason: str, *, as_json: bool) -> None:
    """End a run without its code, and print how it stands."""
    from ruvon.engine._abandon import abandon  # noqa: PLC0415

    record = await abandon(session.builder.engine(), UUID(workflow_id), reason)
    tell(record_data(record, await session.definition_of(record)), as_json=as_json, again=session.again)
