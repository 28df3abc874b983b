"""`ruvon worker`: the process that runs queued steps; `ruvon workers`: which there are."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from ruvon.cli._options import Span, option
from ruvon.cli._output import Exit, fail, maybe_moment, moment, print_json, print_table
from ruvon.cli._remotely import remotely
from ruvon.cli._session import Session, Store, await_it, code_options, opened, store_options

if TYPE_CHECKING:
    from ruvon.worker import Worker

__all__ = ["print_workers", "worker", "workers"]


@click.command()
@option("--queue", "queues", multiple=True, metavar="NAME", help="A queue to serve; default: all.")
@option("--concurrency", type=click.IntRange(1), default=8, show_default=True, help="Tasks at a time.")
@option("--grace", type=Span(0), default=30.0, show_default=True, help="Seconds to finish in at the end.")
@option("--lease", type=Span(0.1), default=30.0, show_default=True, help="Seconds until it counts as dead.")
@option("--poll", type=Span(0.01), default=1.0, show_default=True, help="Seconds between looks, unasked.")
@option("--health-file", metavar="FILE", help="Rewritten with each sign of life, deleted at the end.")
@option("--worker-id", metavar="ID", help="Its name; default: host, process and a random part.")
@option("--all", "adopt", is_flag=True, help="Go on with every run that nobody drives, not only with its tasks.")
@code_options
def worker(
    *,
    queues: tuple[str, ...],
    concurrency: int,
    grace: float,
    lease: float,
    poll: float,
    health_file: str | None,
    worker_id: str | None,
    adopt: bool,
    store: Store,
) -> None:
    """Run queued steps, timers and schedules, until Ctrl-C or SIGTERM; what runs then is finished or given back.

    Example: ruvon worker --workflows flows --queue default --concurrency 16
    """
    if store.execution is not None:
        fail("a worker claims tasks from the database, whoever queued them; leave --execution out", Exit.USAGE)
    if "" in queues:
        fail("--queue is empty; name a queue, or leave the option out to serve all", Exit.USAGE)
    if health_file is not None and not Path(health_file).absolute().parent.is_dir():
        fail(f"there is no folder for the health file {health_file}", Exit.USAGE)
    if health_file is not None and Path(health_file).is_dir():
        fail(f"the health file {health_file} is a folder; name a file in it", Exit.USAGE)
    if worker_id is not None and not worker_id.isprintable():
        fail("the id of a worker is one line of printable text", Exit.USAGE)
    settings: dict[str, Any] = {
        "queues": queues,
        "concurrency": concurrency,
        "grace": grace,
        "lease": lease,
        "poll": poll,
        "health_file": Path(health_file) if health_file is not None else None,
        "worker_id": worker_id,
        "adopt": adopt,
    }

    async def work() -> bool:
        async with opened(store, create=True, execution="queue", serves=True) as session:
            made = _made(session, settings)
            await _serve(made)
            return made.has_left_bodies

    left = await_it(work())
    click.echo("stopped", err=True)
    if left:  # a thread cannot be ended from outside, and the interpreter would wait for it
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _made(session: Session, settings: dict[str, Any]) -> "Worker":
    import logging  # noqa: PLC0415 - not for `--help`
    from datetime import timedelta  # noqa: PLC0415

    from ruvon.worker import Worker  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    seconds: dict[str, Any] = {name: timedelta(seconds=settings.pop(name)) for name in ("grace", "lease", "poll")}
    return Worker(session.builder, **seconds, **settings)


def _spare_collections() -> None:
    """Let the garbage collector leave alone what is loaded for good, and look less often at what comes and goes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


async def _serve(made: "Worker") -> None:
    """Work until a signal."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # a platform without them is ended by Ctrl-C at once
            loop.add_signal_handler(number, made.stop)
    click.echo(f"the worker {made.worker_id} runs; Ctrl-C ends it", err=True)
    _spare_collections()
    await made.run()


@click.command()
@option("--json", "as_json", is_flag=True, help="Print JSON.")
@store_options
@remotely("queues.workers")
def workers(*, as_json: bool, db: str | None) -> None:
    """Show the workers of the database: what they serve and run, and when they gave their last sign of life.

    One that has been silent for longer than its --lease looks dead, and since when; it stays on the list for a day.

    Example: ruvon workers
    """
    from ruvon.providers.tasks import looks_dead_since_us  # noqa: PLC0415 - not for `--help`

    async def work() -> list[dict[str, Any]]:
        async with opened(Store(db)) as session:
            now = session.builder.clock.now_us()
            return [
                {
                    "worker_id": found.worker_id,
                    "host": found.host,
                    "pid": found.pid,
                    "queues": list(found.queues),
                    "concurrency": found.concurrency,
                    "running": len(found.running),
                    "draining": found.draining,
                    "started": moment(found.started_us),
                    "seen": moment(found.seen_us),
                    "silent_seconds": round(max(0, now - found.seen_us) / 1_000_000, 3),
                    "looks_dead_since": maybe_moment(looks_dead_since_us(found, now)),
                }
                for found in await session.provider.list_workers()
            ]

    print_workers(await_it(work()), as_json=as_json)


def print_workers(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print what workers tell of themselves."""
    if as_json:
        print_json(rows)
        return
    shown = [{**row, "queues": ",".join(row["queues"]) or "all"} for row in rows]
    names = ("worker_id", "queues", "concurrency", "running", "draining", "seen", "silent_seconds", "looks_dead_since")
    print_table(shown, names)
