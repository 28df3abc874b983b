"""`ruvon crash-test`: a workflow under every crash that could happen, and what it does not survive."""

import contextlib
import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping
from datetime import timedelta
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import rich_click as click

from ruvon.cli._definitions import Runnable, require_runnable
from ruvon.cli._family import register_family
from ruvon.cli._input import data_options, read_data
from ruvon.cli._options import Span, argument, option
from ruvon.cli._output import Exit, fail, print_json, secho
from ruvon.cli._session import Store, code_options, new_builder, register_types
from ruvon.cli._targets import import_roots
from ruvon.cli._unknown import refuse_unknown

if TYPE_CHECKING:
    from ruvon.builder import WorkflowBuilder
    from ruvon.testing import CrashReport, Script

__all__ = ["crash_test"]

_DECLARED = ("__ruvon_step__", "__ruvon_compensation__", "__ruvon_workflow__")
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
@option("--reset", metavar="MODULE:FUNCTION", help="A function called before each run, to empty what probes look at.")
@option(
    "--stubs",
    metavar="FILE.py",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What stands in for steps: a function, a value or an exception, each under the name of a step.",
)
@option("--may-fail", is_flag=True, help="Do not mind that the run without faults ends FAILED.")
@option(
    "--patience",
    type=Span(0),
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a body may run without awaiting anything; 0: for ever.",
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
    reset: str | None,
    stubs: Path | None,
    may_fail: bool,
    patience: float,
    replay: str | None,
    show_output: bool,
    as_json: bool,
    name: str | None,
    store: Store,
) -> None:
    """Crash TARGET at every point, restart it, and compare its end with that of a run without faults.

    The steps really run, many times: give them fakes for whatever must not be called. What they keep in variables of
    their modules is put back before each run and compared after it; --probe compares more, --reset puts more back. A step
    whose body is only a placeholder answers with a value of its declared type; --stubs says what others answer.

    Example: ruvon crash-test flows/order.py -d @order.json --script '{"answers": {"approve": [{"approved": true}]}}'
    """
    runnable = require_runnable(target, store, name)
    definition, store = runnable.definition, runnable.store
    initial = read_data(data, data_file)
    refuse_unknown(definition, definition.state, initial, "the initial data")
    builder = _builder_of(runnable)
    with _folder() as folder, _silence(show=show_output), _progress(quiet=as_json) as progress, _in_sentences():
        from ruvon import testing  # noqa: PLC0415 - the kit loads when it is used

        report = testing.crash_test(
            definition.workflow_type,
            initial,
            builder=builder,
            version=definition.workflow_version,
            script=_script(script),
            probes={path: _function("probe", path, store) for path in probes},
            reset=_function("reset", reset, store) if reset is not None else None,
            seeds=seeds,
            pairs=pairs,
            folder=folder if kept_in == "sqlite" else None,
            replay=replay,
            progress=progress,
            stubs=_stubs(stubs) if stubs is not None else None,
            patience=timedelta(seconds=patience),
        )
    if as_json:
        print_json(report.to_tree())
    else:
        _tell(report)
    if not report.ok or (report.failed and not may_fail):
        raise SystemExit(int(Exit.FAILURE))


@contextlib.contextmanager
def _in_sentences() -> Generator[None]:
    """What cannot be tried is told with what to do."""
    from ruvon.providers import UnsupportedError  # noqa: PLC0415 - with the kit
    from ruvon.testing import HarnessError, ScheduleError, ScriptError  # noqa: PLC0415 - the kit loads when it is used

    try:
        yield
    except (ScheduleError, ScriptError) as exc:
        fail(str(exc), Exit.USAGE)
    except HarnessError as exc:
        fail(str(exc))
    except UnsupportedError as exc:
        fail(f"{exc}; keep the runs in SQLite files with --store sqlite", Exit.USAGE)


def _builder_of(runnable: Runnable) -> "WorkflowBuilder":
    builder = new_builder(runnable.store)
    register_types(builder, runnable.store)
    register_family(builder, runnable)
    return builder


@contextlib.contextmanager
def _progress(*, quiet: bool) -> "Generator[Callable[[int, int], None] | None]":
    """A bar on standard error, where a person looks at it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label="crashing", file=sys.stderr) as bar:
        shown: Any = bar

        def progress(done: int, known: int) -> None:
            shown.length = known
            shown.update(done - shown.pos)

        yield progress


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


def _stubs(file: Path) -> Mapping[str, object]:
    """The answers in a file: its public names, without what it imports."""
    spec = spec_from_file_location(f"ruvon_stubs_{file.stem}", file)
    if spec is None or spec.loader is None:
        fail(f"the stubs {file} are no file of Python", Exit.USAGE)
    module = module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as exc:  # noqa: BLE001 - an author's file
        fail(f"the stubs {file} cannot be loaded: {type(exc).__name__}: {exc}", Exit.USAGE)
    found = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return {name: value for name, value in found.items() if not _is_imported(value, module.__name__)}


def _is_imported(value: object, module: str) -> bool:
    """Whether a name of a file of stubs is no answer of its own: a class, a module, a function or step of elsewhere."""
    if isinstance(value, type | ModuleType) or any(hasattr(value, mark) for mark in _DECLARED):
        return True
    return callable(value) and getattr(value, "__module__", module) != module


def _script(given: str | None) -> "Script":
    from ruvon.testing import Script  # noqa: PLC0415

    if given is None:
        return Script()
    if not given.startswith("@"):
        return Script.of_json(given)
    try:
        text = Path(given[1:]).read_text(encoding="utf-8")
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        fail(f"the script {given[1:]} cannot be read: {reason}", Exit.USAGE)
    return Script.of_json(text)


def _function(what: str, path: str, store: Store) -> "Callable[[], object]":
    """The function that an option names; whatever it raises ends the command with a sentence."""
    found = import_roots(store.roots).load(path)
    if not callable(found):
        fail(f"the {what} {path} is no function", Exit.USAGE)
    function: Callable[[], object] = found

    def call() -> object:
        try:
            return function()
        except Exception as exc:  # noqa: BLE001 - an author's function
            fail(f"the {what} {path} raised {type(exc).__name__}: {exc}")

    return call


def _tell(report: "CrashReport") -> None:
    from ruvon.testing import describe  # noqa: PLC0415

    for line in describe(report):
        if "NOT IDEMPOTENT" in line or line[:1].isdigit():
            secho(line, fg="red", bold=True)
        else:
            click.echo(line)
