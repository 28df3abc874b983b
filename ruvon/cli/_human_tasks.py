"""`ruvon human-tasks`: what waits for people, who has it, and the answers.

On a database the commands do what a server does there, as somebody who may do everything under the name of `--actor`; claims
lie in the database, so both see the same ones.
"""

import shlex
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import rich_click as click

from ruvon.cli._audit import actor_option, audit_options
from ruvon.cli._input import data_options, read_data
from ruvon.cli._narrator import Narrator
from ruvon.cli._options import argument, option
from ruvon.cli._output import Exit, fail, moment, print_json, print_table, secho
from ruvon.cli._remotely import remotely, require_a_server
from ruvon.cli._report import flat
from ruvon.cli._runs import drive, ended_badly, how_to_go_on
from ruvon.cli._session import Session, Store, again, await_it, code_options, opened, store_options
from ruvon.cli._waits import print_waits

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from ruvon_server.models.human_tasks import HumanTask
    from ruvon_server.rooms.human_tasks.service import HumanTaskService

__all__ = ["given_answer", "human_tasks", "print_task", "print_tasks"]

_JSON = option("--json", "as_json", is_flag=True, help="Print JSON.")
_COLUMNS: Final = ("task_id", "name", "role", "assignee", "claimed_by", "due_at", "workflow_id")


@click.group("human-tasks")
def human_tasks() -> None:
    """What waits for people: list it, claim it, answer it. It needs the extra `server`."""


@human_tasks.command("list")
@option("--role", metavar="ROLE", help="Only those that this role may answer.")
@option("--assignee", metavar="NAME", help="Only those for this person alone.")
@option("--claimed-by", metavar="NAME", help="Only those that this person has claimed.")
@option("--unclaimed", is_flag=True, help="Only those that nobody has claimed.")
@option("--name", metavar="NAME", help="Only those of this name.")
@option("--type", "workflow_type", metavar="TYPE", help="Only those of this workflow type.")
@option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="At most so many.")
@_JSON
@store_options
@remotely("human_tasks.list_")
def list_(*, limit: int, as_json: bool, db: str | None, **wanted: Any) -> None:
    """List what waits for people, those of the newest runs first.

    Example: ruvon human-tasks list --role finance --unclaimed
    """

    async def work() -> "list[HumanTask]":
        async with opened(Store(db)) as session:
            return await _found(session, wanted, limit)

    print_tasks(await_it(work()), as_json=as_json)


async def _found(session: Session, wanted: Mapping[str, Any], limit: int) -> "list[HumanTask]":
    service, principal = _service(session), _anybody("")
    from ruvon_server.rooms.human_tasks.service import TaskFilter  # noqa: PLC0415 - an extra

    found, place = await service.find(principal, TaskFilter(**wanted), limit, None)
    while place is not None and len(found) < limit:
        more, place = await service.find(principal, TaskFilter(**wanted), limit, place)
        found += more
    return found[:limit]


@human_tasks.command("show")
@argument("task_id", metavar="TASK")
@_JSON
@store_options
@remotely("human_tasks.show")
def show(task_id: str, *, as_json: bool, db: str | None) -> None:
    """Show what a person is asked: what he is shown, and the fields of the answer.

    Example: ruvon human-tasks show PyqcQWqbSlWKJw0vWx8aEWFwcHJvdmU
    """

    async def work() -> "HumanTask":
        async with opened(Store(db)) as session:
            return await _one(session, task_id)

    print_task(await_it(work()), as_json=as_json)


@human_tasks.command("claim")
@argument("task_id", metavar="TASK")
@actor_option
@_JSON
@store_options
@remotely("human_tasks.claim")
def claim(task_id: str, *, actor: str, as_json: bool, db: str | None) -> None:
    """Take a task, so that nobody else answers it; harmless when repeated.

    Example: ruvon human-tasks claim PyqcQWqbSlWKJw0vWx8aEWFwcHJvdmU
    """

    async def work() -> "HumanTask":
        async with opened(Store(db)) as session, _mistakes():
            return await _service(session).claim(_anybody(actor), task_id)

    print_task(await_it(work()), as_json=as_json)


@human_tasks.command("release")
@argument("task_id", metavar="TASK")
@option("--force", is_flag=True, help="Also where somebody else has it.")
@actor_option
@_JSON
@store_options
@remotely("human_tasks.release")
def release(task_id: str, *, force: bool, actor: str, as_json: bool, db: str | None) -> None:
    """Give a task back; harmless when nobody has it.

    Example: ruvon human-tasks release PyqcQWqbSlWKJw0vWx8aEWFwcHJvdmU
    """

    async def work() -> "HumanTask":
        async with opened(Store(db)) as session, _mistakes():
            return await _service(session).release(_anybody(actor), task_id, force=force)

    print_task(await_it(work()), as_json=as_json)


@human_tasks.command("answer")
@argument("task_id", metavar="TASK")
@data_options("input", "-i", "The answer")
@option("--auto", is_flag=True, help="Go on through every step, retry and timer until somebody is needed.")
@audit_options
@_JSON
@code_options
@remotely("human_tasks.answer")
def answer(
    task_id: str,
    *,
    data: str | None,
    data_file: str | None,
    auto: bool,
    actor: str,
    reason: str,
    as_json: bool,
    store: Store,
) -> None:
    """Answer a task, and show how its run stands then; of two answers the first one is taken.

    Example: ruvon human-tasks answer PyqcQWqbSlWKJw0vWx8aEWFwcHJvdmU -i '{"approved": true}'
    """
    given = given_answer(data, data_file)
    narrator = Narrator(quiet=as_json)

    async def work() -> Mapping[str, Any]:
        async with opened(store, observers=[narrator]) as session:
            service = _service(session)
            async with _mistakes():
                task = await service.check(_anybody(actor), task_id, given)
            workflow = await session.builder.load_workflow(task.workflow_id)

            async def go() -> None:
                await workflow.answer(given, wait_id=task.wait_id, actor=actor, reason=reason)
                await service.close(task)
                if auto and not workflow.status.is_terminal:
                    await workflow.run()

            return await drive(session, workflow, narrator, go, as_json=as_json)

    ended_badly(await_it(work(), interrupted=lambda: how_to_go_on(narrator, store)))


@human_tasks.command("link")
@argument("task_id", metavar="TASK")
@data_options("input", "-i", "The answer that the link gives")
@option("--expires", type=click.IntRange(1, 365 * 24), default=24, show_default=True, metavar="HOURS", help="Its time.")
@option("--recipient", metavar="NAME", help="For whom it is; the history names him.")
@_JSON
@remotely("human_tasks.link")
def link(
    task_id: str, *, data: str | None, data_file: str | None, expires: int, recipient: str | None, as_json: bool
) -> None:
    """Make a link that gives one answer without a login, to be sent by mail; a server signs it.

    Example: ruvon human-tasks link PyqcQWqbSlWKJw0vWx8aEWFwcHJvdmU -i '{"approved": true}' --recipient anna@example.org
    """
    del task_id, data, data_file, expires, recipient, as_json
    require_a_server()


# What the commands share


def given_answer(data: str | None, data_file: str | None) -> object:
    """The answer; none ends the command."""
    given = read_data(data, data_file, "-i")
    if given is None:
        fail("""give the answer: -i '{"approved": true}', or --input-file FILE""", Exit.USAGE)
    return given


def _service(session: Session) -> "HumanTaskService":
    try:
        from ruvon_server.drives import Drives  # noqa: PLC0415 - an extra
        from ruvon_server.rooms.human_tasks.service import HumanTaskService  # noqa: PLC0415 - as above
    except ImportError as exc:
        fail(f"human tasks need the extra `server` ({exc.name} is missing): pip install 'ruvon[server]'", Exit.USAGE)
    return HumanTaskService(session.builder, Drives(session.builder.engine()))


def _anybody(actor: str) -> Any:
    """Whoever has the database may do everything with it."""
    from ruvon_server.auth import Principal  # noqa: PLC0415 - an extra

    return Principal.admin(actor)


@asynccontextmanager
async def _mistakes() -> "AsyncGenerator[None, None]":
    """End the command where the task waits no more."""
    from ruvon_server.problems import HumanTaskNotFoundError  # noqa: PLC0415 - an extra

    try:
        yield
    except HumanTaskNotFoundError as exc:
        fail(str(exc), Exit.NOT_FOUND)


async def _one(session: Session, task_id: str) -> "HumanTask":
    service = _service(session)
    async with _mistakes():
        return await service.show(_anybody(""), task_id)


def _data(task: "HumanTask") -> dict[str, Any]:
    found = task.model_dump(mode="json")
    return {**found, **{name: _at(getattr(task, name)) for name in ("due_at", "claimed_at", "waits_since")}}


def _at(when: "datetime | None") -> str | None:
    from ruvon.providers import microseconds_of  # noqa: PLC0415 - not for `--help`

    return moment(microseconds_of(when)) if when is not None else None


def print_tasks(tasks: "Sequence[HumanTask]", *, as_json: bool) -> None:
    """Print tasks, one a line."""
    rows = [_data(task) for task in tasks]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, _COLUMNS)


def print_task(task: "HumanTask", *, as_json: bool) -> None:
    """Print what a person is asked, and the commands that go on."""
    data = _data(task)
    if as_json:
        print_json(data)
        return
    secho(f"{task.name} {task.task_id}", bold=True)
    click.echo(f"  {task.workflow_type} {task.workflow_id}, since {data['waits_since']}")
    shown = {"role": task.role, "assignee": task.assignee, "show": task.show}
    wait = {"kind": "human", "step": task.step, "name": task.name, "due_at": data["due_at"], "show": shown}
    print_waits([{**wait, "form": task.form}])
    if task.claimed_by is not None:
        click.echo(f"  claimed by {task.claimed_by} at {data['claimed_at']}")
    else:
        click.echo(f"  claim: ruvon human-tasks claim {task.task_id}{again(code=False)}")
    click.echo(f"  answer: ruvon human-tasks answer {task.task_id}{again()} -i {shlex.quote(flat(task.answer))}")
