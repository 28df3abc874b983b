"""`ruvon crash-test`: a workflow under every crash that could happen, and what it does not survive."""

import contextlib
import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import rich_click as click

from ruvon.cli._definitions import require_runnable
from ruvon.cli._input import data_options, read_data
from ruvon.cli._options import argument, option
from ruvon.cli._output import Exit, fail, print_json, secho
from ruvon.cli._session import Store, code_options

if TYPE_CHECKING:
    from ruvon.builder import WorkflowBuilder
    from ruvon.ir import Definition
    from ruvon.testing import CrashReport, Scenario, Script, Stores

__all__ = ["crash_test"]

_STORES = click.Choice(["memory", "sqlite"])


@click.command("crash-test")
@argument("target")
@data_options("data", "-d", "The initial data")
@option("--script", metavar="JSON|@FILE", help="What people and senders do: answers, signals, cancel_after_s.")
@option("--seeds", type=click.IntRange(0), default=100, show_default=True, help="Runs under random schedules.")
@option("--pairs", type=click.IntRange(0), default=50, show_default=True, help="Runs that die again while recovering.")
@option(
    "--store", "kept_in", type=_STORES, default="memory", show_default=True, help="Where the runs keep their state."
)
@option(
    "--probe", "probes", multiple=True, metavar="MODULE:FUNCTION", help="A function whose answer must stay the same."
)
@option("--replay", metavar="SCHEDULE", help="Run one schedule again, as a report printed it.")
@option(
    "--show-output", is_flag=True, help="Show what the steps print, which happens once for each of hundreds of runs."
)
@option("--json", "as_json", is_flag=True, help="Print JSON.")
@option("--workflow", "name", metavar="TYPE", help="Which workflow, where the target holds several.")
@code_options
def crash_test(
    target: str,
    *,
    data: str | None,
    data_file: str | None,
    script: str | None,
    seeds: int,
    pairs: int,
    kept_in: str,
    probes: tuple[str, ...],
    replay: str | None,
    show_output: bool,
    as_json: bool,
    name: str | None,
    store: Store,
) -> None:
    """Crash TARGET at every point, restart it, and compare its end with that of a run without faults.

    The steps really run, many times: give them fakes for whatever must not be called. What they keep in variables of
    their modules is put back before each run and compared after it; --probe compares more.

    Example: ruvon crash-test flows/order.py -d @order.json --script '{"answers": {"approve": [{"approved": true}]}}'
    """
    from ruvon.testing import CrashExplorer, Schedule  # noqa: PLC0415 - the kit loads when it is used

    definition, needed = require_runnable(target, store.roots, name)
    store = store.also(needed)
    initial = read_data(data, data_file)
    with _folder() as folder, _silence(show=show_output):
        scenario = _scenario(definition, store, initial, _script(script), probes, _stores(kept_in, folder))
        explorer = CrashExplorer(scenario, torn=kept_in == "sqlite")
        if replay is not None:
            report = explorer.replay(Schedule.parse(replay))
        else:
            report = _explored(explorer.explore, pairs, seeds, quiet=as_json)
    if as_json:
        print_json(report.to_tree())
    else:
        _tell(report)
    if not report.ok:
        raise SystemExit(int(Exit.FAILURE))


def _explored(explore: "Callable[..., CrashReport]", pairs: int, seeds: int, *, quiet: bool) -> "CrashReport":
    if quiet or not sys.stderr.isatty():
        return explore(pairs=pairs, seeds=seeds)
    with click.progressbar(length=1, label="crashing", file=sys.stderr) as bar:
        shown: Any = bar

        def progress(done: int, known: int) -> None:
            shown.length = known
            shown.update(done - shown.pos)

        return explore(pairs=pairs, seeds=seeds, progress=progress)


@contextlib.contextmanager
def _folder() -> Generator[Path]:
    """A folder for the files of the runs, in memory where the machine has such a place."""
    shared = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it
    made = Path(tempfile.mkdtemp(prefix="ruvon-crash-", dir=shared if shared.is_dir() else None))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def _silence(*, show: bool) -> Generator[None]:
    """Keep what steps print out of the report."""
    if show:
        yield
        return
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _script(given: str | None) -> "Script":
    from ruvon.testing import Script  # noqa: PLC0415

    if given is None:
        return Script()
    if given.startswith("@"):
        path = Path(given[1:])
        if not path.is_file():
            fail(f"there is no file {path}", Exit.NOT_FOUND)
        given = path.read_text(encoding="utf-8")
    return Script.of_json(given)


def _stores(kept_in: str, folder: Path) -> "Callable[[], Stores]":
    from ruvon.testing import MemoryStores, SQLiteStores  # noqa: PLC0415

    return MemoryStores if kept_in == "memory" else lambda: SQLiteStores(folder)


def _scenario(
    definition: "Definition",
    store: Store,
    initial: object,
    script: "Script",
    probes: tuple[str, ...],
    stores: "Callable[[], Stores]",
) -> "Scenario":
    from ruvon.builder import WorkflowBuilder  # noqa: PLC0415
    from ruvon.cli._targets import import_roots  # noqa: PLC0415
    from ruvon.testing import OutsideWorld, Scenario  # noqa: PLC0415

    roots = import_roots(store.roots)
    builder = WorkflowBuilder(import_roots=roots)
    builder.register(*store.workflows)
    builder.register(definition)
    watched = [builder.get_definition(item) for item in builder.registered_types()]
    _load_all(builder, watched)
    looks = {path: cast("Callable[[], object]", roots.load(path)) for path in probes}
    return Scenario(
        builder,
        definition.workflow_type,
        initial,
        script=script,
        outside=OutsideWorld(watched, looks),
        make_stores=stores,
        version=definition.workflow_version,
    )


def _load_all(builder: "WorkflowBuilder", definitions: "list[Definition]") -> None:
    """Import the modules of the functions, so that their variables can be watched from the first run on."""
    engine = builder.engine()
    for definition in definitions:
        engine.program_for(definition.workflow_type, definition.workflow_version)


def _tell(report: "CrashReport") -> None:
    from ruvon.testing import describe  # noqa: PLC0415

    for line in describe(report):
        if "NOT IDEMPOTENT" in line or line[:1].isdigit():
            secho(line, fg="red", bold=True)
        else:
            click.echo(line)
