"""The commands that repair one run: retry, rewind, fork, jump, signal, retry-compensation."""

import shlex
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import rich_click as click

from ruvon.cli._audit import audit_options, note
from ruvon.cli._input import data_options, read_data
from ruvon.cli._narrator import Narrator
from ruvon.cli._options import argument, option
from ruvon.cli._output import Exit, fail, print_json, secho, shortened
from ruvon.cli._remotely import remotely
from ruvon.cli._report import flat
from ruvon.cli._runs import drive, ended_badly, how_to_go_on
from ruvon.cli._session import Session, Store, await_it, code_options, opened

if TYPE_CHECKING:
    from ruvon._workflow import Workflow
    from ruvon.engine import RepairPlan

__all__ = [
    "audit_options",
    "confirmed",
    "fork",
    "jump",
    "place_of",
    "plan_lines",
    "plan_text",
    "refuse_left_over",
    "retry",
    "retry_compensation",
    "rewind",
    "signal",
    "state_fields",
]

_JSON = option("--json", "as_json", is_flag=True, help="Print JSON.")
_AUTO = option("--auto", is_flag=True, help="Go on through every step, retry and timer until somebody is needed.")
_YES = option("--yes", "-y", is_flag=True, help="Do not ask.")


def confirmed(question: str, *, yes: bool, as_json: bool) -> None:
    """Ask before something is done; anything but a yes ends the command."""
    if yes:
        return
    if as_json:
        fail("with --json nobody can be asked; add --yes, or --dry-run to see what would happen", Exit.USAGE)
    if not click.confirm(question, default=False):
        fail("nothing was changed")


def state_fields(data: str | None, data_file: str | None) -> dict[str, Any] | None:
    """The fields of the state that an option gives."""
    state = read_data(data, data_file, "--state")
    if state is not None and not isinstance(state, dict):
        fail("--state takes the fields to change, as a JSON object", Exit.USAGE)
    return cast("dict[str, Any] | None", state)


def place_of(text: str) -> str | int:
    """A step or an activation, or the number of a log entry."""
    return int(text) if text.isdecimal() else text


def plan_lines(plan: "RepairPlan") -> list[str]:
    """What a rewind would do."""
    from ruvon.ir.values import mask  # noqa: PLC0415

    state = cast("Mapping[str, object]", mask(dict(plan.state)))
    return plan_text(plan.step, plan.activation, plan.undone, plan.kept, state)


def plan_text(
    step: str, activation: str, undone: Sequence[str], kept: Sequence[str], state: Mapping[str, object]
) -> list[str]:
    """What a rewind would do, in lines."""
    return [
        f"stands at {step} ({activation})",
        f"  undone, in this order: {', '.join(undone) or 'nothing'}",
        *([f"  not undone, and done again: {', '.join(kept)}"] if kept else []),
        *(f"  {name}: {flat(value)}" for name, value in state.items()),
    ]


def plan_data(plan: "RepairPlan") -> dict[str, Any]:
    """What a rewind would do, as data."""
    from ruvon.ir.values import mask  # noqa: PLC0415

    return {
        "step": plan.step,
        "activation": plan.activation,
        "undone": list(plan.undone),
        "kept": list(plan.kept),
        "state": mask(dict(plan.state)),
    }


def _driven(
    store: Store, workflow_id: str, act: Callable[[Session, "Workflow"], Awaitable[object]], *, as_json: bool
) -> None:
    """Load a run, do something with it, and print how it stands; code 1 where it has failed."""
    narrator = Narrator(quiet=as_json)

    async def work() -> Mapping[str, Any]:
        async with opened(store, observers=[narrator]) as session:
            workflow = await session.builder.load_workflow(await session.find_id(workflow_id))
            return await drive(session, workflow, narrator, lambda: act(session, workflow), as_json=as_json)

    ended_badly(await_it(work(), interrupted=lambda: how_to_go_on(narrator, store)))


@click.command()
@argument("workflow_id", metavar="ID")
@option("--from-step", metavar="STEP", help="Start again at this step instead of where it failed.")
@option("--auto", is_flag=True, help="Accepted for scripts: a retried run always goes on by itself.")
@audit_options
@_JSON
@code_options
@remotely("runs.retry")
def retry(
    workflow_id: str, *, from_step: str | None, auto: bool, actor: str, reason: str, as_json: bool, store: Store
) -> None:
    """Bring the failed run ID back, where it failed or at another step, and drive it on.

    Example: ruvon retry 3f2a9c41 --from-step Process_Payment
    """
    del auto
    _driven(
        store,
        workflow_id,
        lambda _, workflow: workflow.retry(from_step, actor=actor, reason=reason),
        as_json=as_json,
    )


@click.command()
@argument("workflow_id", metavar="ID")
@argument("to", metavar="TO")
@data_options("state", "-s", "Fields of the state to go on with in place of those that it had then")
@option("--no-compensate", is_flag=True, help="Leave what completed since standing; nothing is undone.")
@option("--dry-run", is_flag=True, help="Only show what would happen.")
@_YES
@_AUTO
@audit_options
@_JSON
@code_options
@remotely("runs.rewind")
def rewind(
    workflow_id: str,
    to: str,
    *,
    data: str | None,
    data_file: str | None,
    no_compensate: bool,
    dry_run: bool,
    yes: bool,
    auto: bool,
    actor: str,
    reason: str,
    as_json: bool,
    store: Store,
) -> None:
    """Let the run ID stand at TO again: a step, gather or loop (its newest execution), or an earlier one.

    An earlier execution is named by the `activation` or the `seq` of its line in `ruvon logs ID --json`.
    What completed since is undone first, newest first. The plan is shown, and asked about, before anything is changed.

    Example: ruvon rewind 3f2a9c41 Process_Payment --state '{"amount": 12}' --reason "wrong amount"
    """
    state = state_fields(data, data_file)
    plan = await_it(_planned(store, workflow_id, to, state))
    if dry_run and as_json:
        print_json({**plan_data(plan), "undone": [] if no_compensate else list(plan.undone), "dry_run": True})
        return
    if not as_json:
        _print_plan(plan, compensate=not no_compensate)
    if dry_run:
        return
    confirmed("rewind it?", yes=yes, as_json=as_json)

    async def act(_: Session, workflow: "Workflow") -> None:
        await workflow.rewind(place_of(to), state=state, compensate=not no_compensate, actor=actor, reason=reason)
        if auto and not workflow.status.is_terminal:
            await workflow.run()

    _driven(store, workflow_id, act, as_json=as_json)


async def _planned(store: Store, workflow_id: str, to: str, state: Mapping[str, object] | None) -> "RepairPlan":
    async with opened(store) as session:
        workflow = await session.builder.load_workflow(await session.find_id(workflow_id))
        return await workflow.plan_rewind(place_of(to), state=state)


def _print_plan(plan: "RepairPlan", *, compensate: bool) -> None:
    import dataclasses  # noqa: PLC0415

    shown = plan if compensate else dataclasses.replace(plan, undone=(), kept=(*reversed(plan.undone), *plan.kept))
    head, *lines = plan_lines(shown)
    secho(head, bold=True)
    click.echo("\n".join(lines))


@click.command()
@argument("workflow_id", metavar="ID")
@argument("to", metavar="TO")
@data_options("state", "-s", "Fields of the state to go on with in place of those that it had then")
@_AUTO
@audit_options
@_JSON
@code_options
@remotely("runs.fork")
def fork(
    workflow_id: str,
    to: str,
    *,
    data: str | None,
    data_file: str | None,
    auto: bool,
    actor: str,
    reason: str,
    as_json: bool,
    store: Store,
) -> None:
    """Create a run that stands where the run ID stood before TO; the old one is left alone.

    Example: ruvon fork 3f2a9c41 Process_Payment --state '{"amount": 12}' --auto
    """
    state = state_fields(data, data_file)
    narrator = Narrator(quiet=as_json)

    async def work() -> Mapping[str, Any]:
        async with opened(store, observers=[narrator]) as session:
            old = await session.builder.load_workflow(await session.find_id(workflow_id))
            new = await old.fork(place_of(to), state=state, actor=actor, reason=reason)
            await note(session, old.id, f"forked at {to} as {new.id}", actor, reason)
            await note(session, new.id, f"forked from {old.id} at {to}", actor, reason)
            return await drive(session, new, narrator, new.run if auto else new.refresh, as_json=as_json)

    ended_badly(await_it(work(), interrupted=lambda: how_to_go_on(narrator, store)))


@click.command()
@argument("workflow_id", metavar="ID")
@argument("step", metavar="STEP")
@_AUTO
@audit_options
@_JSON
@code_options
@remotely("runs.jump")
def jump(workflow_id: str, step: str, *, auto: bool, actor: str, reason: str, as_json: bool, store: Store) -> None:
    """Let the live run ID stand at STEP of its outermost list; nothing is undone, and `finally` of what it leaves runs.

    Example: ruvon jump 3f2a9c41 Manual_Check --reason "the service is down"
    """

    async def act(_: Session, workflow: "Workflow") -> None:
        await workflow.jump_to_step(step, actor=actor, reason=reason)
        if auto:
            await workflow.run()

    _driven(store, workflow_id, act, as_json=as_json)


@click.command()
@argument("workflow_id", metavar="ID")
@argument("message", metavar="TYPE")
@argument("payload", metavar="JSON", required=False)
@option("--key", metavar="KEY", help="The key that the run receives it by.")
@option("--dedup", metavar="TEXT", help="A second signal with the same one is dropped.")
@_AUTO
@audit_options
@_JSON
@code_options
@remotely("runs.signal")
def signal(
    workflow_id: str,
    message: str,
    payload: str | None,
    *,
    key: str | None,
    dedup: str | None,
    auto: bool,
    actor: str,
    reason: str,
    as_json: bool,
    store: Store,
) -> None:
    """Send the run ID a signal of TYPE (the name of its class) with the fields JSON; it lies there until it is received.

    Example: ruvon signal 3f2a9c41 Paid '{"amount": 12}' --key A-1
    """
    call = f"ruvon signal {shlex.quote(shortened(workflow_id))} {shlex.quote(message)}"
    fields = read_data(payload, None, call, what="the payload")

    async def act(_: Session, workflow: "Workflow") -> None:
        await workflow.signal(message, fields, key=key, dedup=dedup, actor=actor, reason=reason)
        _tell_other_key(workflow, message, key)
        if auto and not workflow.status.is_terminal:
            await workflow.run()

    _driven(store, workflow_id, act, as_json=as_json)


def _tell_other_key(workflow: "Workflow", message: str, key: str | None) -> None:
    """Say that a signal was not received, where the run waits for one of its type with another key."""
    waits = [wait for wait in workflow.waiting_for if wait["kind"] == "signal"]
    wanted = [wait for wait in waits if message in (wait.get("name"), str(wait.get("name")).partition(":")[2])]
    if not wanted or any(wait.get("key") == key for wait in wanted):
        return
    keys = ", ".join(f"`--key {shlex.quote(str(wait['key']))}`" if wait.get("key") else "no --key" for wait in wanted)
    given = f"with the key {key}" if key is not None else "without a key"
    click.echo(f"the signal {given} lies in the mailbox; the run waits for {message} with {keys}", err=True)


@click.command("retry-compensation")
@argument("workflow_id", metavar="ID")
@audit_options
@_JSON
@code_options
@remotely("runs.retry_compensation")
def retry_compensation(workflow_id: str, *, actor: str, reason: str, as_json: bool, store: Store) -> None:
    """Try those compensations of the run ID again that failed in its rollback.

    Example: ruvon retry-compensation 3f2a9c41 --reason "the hotel answers again"
    """
    narrator = Narrator(quiet=as_json)

    async def work() -> str:
        async with opened(store, observers=[narrator]) as session:
            workflow = await session.builder.load_workflow(await session.find_id(workflow_id))

            async def go() -> None:
                await workflow.retry_compensation(actor=actor, reason=reason)

            return str((await drive(session, workflow, narrator, go, as_json=as_json))["status"])

    refuse_left_over(await_it(work()))


def refuse_left_over(status: str) -> None:
    """End with code 1 where something is not undone yet."""
    if status != "FAILED_ROLLED_BACK":
        raise SystemExit(int(Exit.FAILURE))
