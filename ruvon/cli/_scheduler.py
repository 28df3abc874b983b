"""`ruvon scheduler`: the process that makes planned things happen."""

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any

import rich_click as click

from ruvon.cli._options import Span, option
from ruvon.cli._output import Exit, fail, print_json
from ruvon.cli._session import Session, Store, await_it, code_options, opened
from ruvon.cli._targets import import_roots

if TYPE_CHECKING:
    from ruvon.scheduler import Scheduler, Turn

__all__ = ["scheduler"]


@click.command()
@option("--once", is_flag=True, help="Do what is due now, and end.")
@option("--poll", type=Span(0.01), default=1.0, show_default=True, help="Seconds between looks.")
@option("--concurrency", type=click.IntRange(1), default=32, show_default=True, help="Runs driven at a time.")
@option("--retention", type=Span(0), metavar="DAYS", help="Delete ended runs that are older.")
@option("--publisher", metavar="MODULE:OBJECT", help="Where events go: an object with `publish`.")
@option("--all", "adopt", is_flag=True, help="Go on with every run that nobody drives, not only with planned ones.")
@option("--json", "as_json", is_flag=True, help="With --once: print what was done as JSON.")
@code_options
def scheduler(
    *,
    once: bool,
    poll: float,
    concurrency: int,
    retention: float | None,
    publisher: str | None,
    adopt: bool,
    as_json: bool,
    store: Store,
) -> None:
    """Start what is planned, wake what sleeps, deliver events and delete old runs, until Ctrl-C or SIGTERM.

    With --once: exit code 1 where a run could not be driven, or a schedule not started; which and why is said.

    Example: ruvon scheduler --workflows flows --retention 90
    """
    settings: dict[str, Any] = {
        "poll": poll,
        "concurrency": concurrency,
        "retention": retention,
        "publisher": publisher,
    }
    settings["adopt"] = adopt

    async def work() -> "Turn | None":
        async with opened(store, create=True, drives=True, serves=not once) as session:
            made = _made(session, settings)
            if once:
                turn = await made.run_once()
                if turn.problems and not session.builder.registered_types():
                    hint = "no workflow is known here: name the files or folders of workflows with --workflows"
                    click.echo(f"{hint}, or with `ruvon config set-default workflows PATH`", err=True)
                return turn
            await _serve(made)
            return None

    done = await_it(work())
    if done is None:
        click.echo("stopped", err=True)
    else:
        _tell(done, as_json=as_json)


def _made(session: Session, settings: dict[str, Any]) -> "Scheduler":
    import logging  # noqa: PLC0415 - not for `--help`
    from datetime import timedelta  # noqa: PLC0415

    from ruvon.scheduler import Scheduler  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    retention, path = settings["retention"], settings["publisher"]
    return Scheduler(
        session.builder,
        publisher=_publisher(path, session.store) if path is not None else None,
        poll=timedelta(seconds=settings["poll"]),
        concurrency=settings["concurrency"],
        retention=timedelta(days=retention) if retention is not None else None,
        adopt=settings["adopt"],
    )


def _publisher(path: str, store: Store) -> Any:
    """The object that events are given to."""
    roots = import_roots(store.roots)
    roots.allow_package(path.partition(":")[0].partition(".")[0])
    found: Any = roots.load(path)
    if isinstance(found, type) or not callable(getattr(found, "publish", None)):
        fail(f"{path} is no object with a method `publish(topic, payload, key)`", Exit.USAGE)
    return found


def _tell(done: "Turn", *, as_json: bool) -> None:
    """Print what one turn did; what it could not do ends the command with code 1."""
    counts = {"started": done.started, "driven": done.driven, "delivered": done.delivered, "deleted": done.deleted}
    if as_json:
        print_json({**counts, "problems": dict(done.problems)})
    else:
        click.echo(", ".join(f"{name}: {count}" for name, count in counts.items()))
        for name, why in done.problems.items():
            click.echo(f"{name} could not go on: {why}", err=True)
    if done.problems:
        raise SystemExit(int(Exit.FAILURE))


async def _serve(made: "Scheduler") -> None:
    """Run until a signal; what is being driven then comes to rest first."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # a platform without them is ended by Ctrl-C at once
            loop.add_signal_handler(number, made.stop)
    click.echo("the scheduler runs; Ctrl-C ends it", err=True)
    await made.run()
