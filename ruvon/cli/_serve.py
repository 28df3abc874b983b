"""`ruvon serve`: the process that answers over HTTP."""

from functools import partial
from typing import TYPE_CHECKING, Any

import rich_click as click

from ruvon.cli._options import Span, option
from ruvon.cli._output import Exit, fail
from ruvon.cli._session import MEMORY, Store, await_it, code_options, new_builder, register_types

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from ruvon.builder import WorkflowBuilder
    from ruvon_server.settings import ServerSettings

__all__ = ["serve"]


@click.command()
@option("--host", metavar="ADDRESS", help="The address to listen on; default: 127.0.0.1.")
@option("--port", type=click.IntRange(0, 65_535), help="The port; 0 takes a free one; default: 8000.")
@option("--dev", is_flag=True, help="For a developer's machine: run everything in this process, and say more.")
@option(
    "--worker/--no-worker",
    default=None,
    help="Run steps here, or leave them to workers.",
)
@option(
    "--auth", metavar="PROVIDER", help="Who says who asks: disabled, api-key, jwt or api-key,jwt; default: disabled."
)
@option("--admin-key-file", metavar="FILE", help="Holds a key that may do everything, to make the first keys with.")
@option("--insecure-no-auth", is_flag=True, help="Listen where others reach it although nobody says who he is.")
@option("--grace", type=Span(0), help="Seconds that requests and steps under way have at the end; default: 3.")
@code_options
def serve(
    *,
    host: str | None,
    port: int | None,
    dev: bool,
    worker: bool | None,
    auth: str | None,
    admin_key_file: str | None,
    insecure_no_auth: bool,
    grace: float | None,
    store: Store,
) -> None:
    """Serve workflows over HTTP until Ctrl-C or SIGTERM: the API under /api/v1, its document at /openapi.json.

    On a SQLite file steps run in this process; on a server's database `ruvon worker` runs them, unless --worker is given.
    Every option can be a variable RUVON_SERVER_...

    Example: ruvon serve --workflows flows --port 8080
    """
    given: dict[str, Any] = {
        "host": host,
        "port": port,
        "worker": worker,
        "auth": auth,
        "admin_key_file": admin_key_file,
        "shutdown_grace_s": grace,
        "dev": dev or None,
        "insecure_no_auth": insecure_no_auth or None,
        "db": store.file(memory=dev, create=True),
        "execution": store.execution,
    }
    settings = _settings(given)
    _set_up_logging(settings)
    await_it(_serve(store, settings), new_loop=_fast_loop())
    click.echo("stopped", err=True)


async def _serve(store: Store, settings: "ServerSettings") -> None:
    from ruvon.implementations.observability.prometheus import PrometheusObserver  # noqa: PLC0415
    from ruvon_server.app import new_registry  # noqa: PLC0415 - an extra
    from ruvon_server.serve import serve as serve_until_told  # noqa: PLC0415 - as above
    from ruvon_server.settings import ServerSettingsError  # noqa: PLC0415 - as above

    registry = new_registry()
    builder = _builder(store, settings, PrometheusObserver(registry))
    try:
        await builder.initialize()
    except BaseException:
        await builder.close()
        raise
    try:
        await serve_until_told(settings, builder=builder, registry=registry, tell=partial(_tell, settings))
    except ServerSettingsError as exc:
        await builder.close()
        fail(str(exc), Exit.USAGE)


def _fast_loop() -> "Callable[[], asyncio.AbstractEventLoop] | None":
    """The loop of uvloop, where it is installed: it does not exist for every system."""
    try:
        import uvloop  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return uvloop.new_event_loop


def _settings(given: dict[str, Any]) -> "ServerSettings":
    try:
        from ruvon_server import serve as _  # noqa: F401, PLC0415 - an extra
        from ruvon_server.settings import ServerSettings, ServerSettingsError  # noqa: PLC0415 - as above
    except ImportError as exc:
        fail(f"the server needs the extra `server` ({exc.name} is missing): pip install 'ruvon[server]'", Exit.USAGE)
    try:
        return ServerSettings.from_environment(**given)
    except ServerSettingsError as exc:
        fail(str(exc), Exit.USAGE)


def _builder(store: Store, settings: "ServerSettings", numbers: object) -> "WorkflowBuilder":
    """The builder of every command, with the executor of the server; not open yet."""
    from ruvon.cli._provider import SERVING_PATIENCE_S, new_execution, new_provider  # noqa: PLC0415
    from ruvon.cli._session import configured_observers  # noqa: PLC0415

    place = MEMORY if settings.db == MEMORY else settings.db
    provider = new_provider(place, migrate=True, drives=True, patience_s=SERVING_PATIENCE_S)
    builder = new_builder(
        store,
        persistence_provider=provider,
        execution_provider=new_execution(settings.execution),
        observers=[*configured_observers(), numbers],
    )
    register_types(builder, store)
    return builder


def _set_up_logging(settings: "ServerSettings") -> None:
    import logging  # noqa: PLC0415 - not for `--help`

    level = logging.INFO if settings.dev else logging.WARNING
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if not settings.is_open:
        logging.getLogger("ruvon.server.changes").setLevel(logging.INFO)  # who has changed what is always said


def _tell(settings: "ServerSettings", url: str) -> None:
    click.echo(f"Ruvon answers on {url}; Ctrl-C ends it", err=True)
    click.echo(f"what it can do: {url}/docs", err=True)
    if not settings.runs_steps and settings.execution != "sync":
        workers = "`celery -A ruvon.celery_app worker`" if settings.execution == "celery" else "`ruvon worker`"
        click.echo(f"steps are run by {workers} on the same database; this process runs none", err=True)
