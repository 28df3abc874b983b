"""`ruvon tasks`: what lies in the queue; `ruvon scan-zombies` and `ruvon zombie-daemon`: what the dead have left there."""

import asyncio
import contextlib
import signal
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

import orjson
import rich_click as click

from ruvon.cli._audit import audit_options
from ruvon.cli._options import Span, argument, option
from ruvon.cli._output import Exit, fail, moment, print_json, print_table
from ruvon.cli._remotely import remotely
from ruvon.cli._session import Store, await_it, code_options, opened, store_options

if TYPE_CHECKING:
    from ruvon.providers import TaskRecord
    from ruvon.zombie_scanner import Zombie, ZombieScanner

__all__ = ["print_task", "print_tasks", "refuse_living", "scan_zombies", "tasks", "zombie_daemon"]

_LABELS: Final = {"lease_epoch": "claims so far", "digest": "definition"}
_JSON = option("--json", "as_json", is_flag=True, help="Print JSON.")
_THRESHOLD = option("--threshold", type=Span(0), default=60.0, show_default=True, help="Seconds without a heartbeat.")


@click.group()
def tasks() -> None:
    """Look at the queue: what waits, what runs, and what its workers died over."""


@tasks.command("list")
@option("--dead", is_flag=True, help="Only dead letters: tasks that their workers died over.")
@option("--queue", metavar="NAME", help="Only tasks of this queue.")
@option("--workflow-id", metavar="ID", help="Only tasks of this run.")
@option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at most.")
@_JSON
@store_options
@remotely("queues.list_tasks")
def list_tasks(
    *, dead: bool, queue: str | None, workflow_id: str | None, limit: int, as_json: bool, db: str | None
) -> None:
    """List tasks, the most urgent first.

    Example: ruvon tasks list --dead
    """

    async def work() -> list[dict[str, Any]]:
        from uuid import UUID  # noqa: PLC0415

        from ruvon.providers import TaskFilter  # noqa: PLC0415
        from ruvon.providers._limits import DELAYED, why_waiting  # noqa: PLC0415

        async with opened(Store(db)) as session:
            found = UUID(await session.find_id(workflow_id)) if workflow_id is not None else None
            wanted = TaskFilter(statuses=("dead",) if dead else (), queue=queue, workflow_id=found)
            listed = await session.provider.find_tasks(wanted, limit=limit)
            loads = {load.limits.queue: load for load in await session.provider.queue_loads()}
            now = session.builder.clock.now_us()

            def reason(task: "TaskRecord") -> str | None:
                said = why_waiting(task, loads.get(task.queue), now)
                return f"its moment: {moment(task.available_us)}" if said == DELAYED else said or None

            return [{**_row(task), "waits_for": reason(task)} for task in listed]

    print_tasks(await_it(work()), as_json=as_json)


def print_tasks(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print tasks, one a line."""
    if as_json:
        print_json(rows)
    else:
        print_table(
            rows, ["task_id", "status", "queue", "kind", "step", "attempt", "crashes", "worker_id", "waits_for"]
        )


@tasks.command("show")
@argument("task_id")
@_JSON
@store_options
@remotely("queues.show_task")
def show_task(task_id: str, *, as_json: bool, db: str | None) -> None:
    """Show one task: when it is due, who has it, how far its body is. The state that it carries is not shown.

    Example: ruvon tasks show 0196a1.4b7c
    """

    async def work() -> dict[str, Any]:
        async with opened(Store(db)) as session:
            task = await session.provider.get_task(task_id)
            return {
                **_row(task),
                "available": moment(task.available_us),
                "priority": task.priority,
                "concurrency_key": task.concurrency_key,
                "lease_until": moment(task.lease_us) if task.lease_us else None,
                "lease_epoch": task.lease_epoch,
                "progress": orjson.loads(task.progress) if task.progress else None,
                "digest": orjson.loads(task.payload)["digest"] if task.payload else None,
                "payload_bytes": len(task.payload),
            }

    print_task(await_it(work()), as_json=as_json)


def print_task(found: Mapping[str, Any], *, as_json: bool) -> None:
    """Print all that is known of a task."""
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        label = _LABELS.get(name, name.replace("_", " "))
        click.echo(f"{label:15} {'-' if value is None or value == '' else value}")


@tasks.command()
@argument("task_id")
@audit_options
@code_options
@remotely("queues.requeue")
def requeue(task_id: str, *, actor: str, reason: str, store: Store) -> None:
    """Retry the run of a dead letter: its step is queued again with a fresh crash budget.

    Example: ruvon tasks requeue 0196a1.4b7c --reason "more memory"
    """

    async def work() -> str:
        async with opened(store, execution="queue", drives=True) as session:
            task = await _dead(session.provider, task_id)
            workflow = await session.builder.load_workflow(task.workflow_id)
            await workflow.retry(actor=actor, reason=reason)
            await session.provider.discard_task(task_id)
            return f"{workflow.id} is {workflow.status.value}"

    click.echo(await_it(work()))


@tasks.command()
@argument("task_id")
@store_options
@remotely("queues.discard")
def discard(task_id: str, *, db: str | None) -> None:
    """Forget a dead letter; its run stays as it is.

    Example: ruvon tasks discard 0196a1.4b7c
    """

    async def work() -> None:
        async with opened(Store(db)) as session:
            await _dead(session.provider, task_id)
            await session.provider.discard_task(task_id)

    await_it(work())
    click.echo(f"{task_id} is forgotten")


@click.command("scan-zombies")
@option("--fix", is_flag=True, help="Queue tasks again and drive runs, within the crash budget.")
@_THRESHOLD
@_JSON
@code_options
def scan_zombies(*, fix: bool, threshold: float, as_json: bool, store: Store) -> None:
    """Look once for what dead workers held: leases that ran out, heartbeats that stopped.

    Example: ruvon scan-zombies --fix
    """

    async def work() -> list[dict[str, Any]]:
        from ruvon.zombie_scanner import ZombieScanner  # noqa: PLC0415

        async with opened(store, execution="queue", drives=fix) as session:
            scanner = ZombieScanner(session.builder, threshold=timedelta(seconds=threshold))
            return _shown(await scanner.scan(fix=fix))

    rows = await_it(work())
    if as_json:
        print_json(rows)
    elif rows:
        print_table(rows, ["workflow_id", "step", "worker_id", "silent_seconds", "outcome"])
    else:
        click.echo("no zombies")


@click.command("zombie-daemon")
@option("--interval", type=Span(0.01), default=30.0, show_default=True, help="Seconds between scans.")
@_THRESHOLD
@code_options
def zombie_daemon(*, interval: float, threshold: float, store: Store) -> None:
    """Look for what dead workers held and mend it, again and again, until Ctrl-C or SIGTERM.

    Example: ruvon zombie-daemon --interval 30
    """

    async def work() -> None:
        from ruvon.zombie_scanner import ZombieScanner  # noqa: PLC0415

        async with opened(store, create=True, execution="queue", serves=True) as session:
            scanner = ZombieScanner(
                session.builder, threshold=timedelta(seconds=threshold), interval=timedelta(seconds=interval)
            )
            await _scan_until_told(scanner)

    await_it(work())
    click.echo("stopped", err=True)


async def _scan_until_told(scanner: "ZombieScanner") -> None:
    task = asyncio.ensure_future(scanner.run(_tell))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # a platform without them is ended by Ctrl-C at once
            loop.add_signal_handler(number, task.cancel)
    click.echo("the zombie daemon runs; Ctrl-C ends it", err=True)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _tell(found: "Sequence[Zombie]") -> None:
    for row in _shown(found):
        click.echo(f"{row['workflow_id']} {row['step']}: {row['outcome']} (worker {row['worker_id']})")


def _shown(found: "Sequence[Zombie]") -> list[dict[str, Any]]:
    return [
        {
            "workflow_id": item.workflow_id,
            "step": item.step,
            "worker_id": item.worker_id,
            "task_id": item.task_id,
            "silent_seconds": round(item.silent_us / 1_000_000, 3),
            "outcome": item.outcome,
        }
        for item in found
    ]


def _row(task: "TaskRecord") -> dict[str, Any]:
    return {
        "task_id": task.task_id,
        "workflow_id": str(task.workflow_id),
        "status": str(task.status),
        "queue": task.queue,
        "kind": str(task.kind),
        "step": task.activation,
        "attempt": task.attempt,
        "crashes": task.crashes,
        "worker_id": task.worker_id,
    }


async def _dead(provider: Any, task_id: str) -> "TaskRecord":
    """The dead letter with this id; anything else ends the command."""
    task: TaskRecord = await provider.get_task(task_id)
    if task.status != "dead":
        refuse_living(task_id, task.status)
    return task


def refuse_living(task_id: str, status: str) -> NoReturn:
    """End the command where a task is no dead letter."""
    fail(
        f"the task {task_id} is {status}; only a dead letter can be queued again or forgotten "
        "(to withdraw a task, cancel its run)",
        Exit.FAILURE,
    )
