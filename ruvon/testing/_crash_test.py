"""`crash_test` and `assert_crash_safe`: the crash explorer in one call."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from ruvon.builder import WorkflowBuilder
from ruvon.ir import Definition, ImportRoots, Start, walk_nodes
from ruvon.testing._errors import HarnessError
from ruvon.testing._explore import CrashExplorer, Progress
from ruvon.testing._outside import OutsideWorld
from ruvon.testing._report import CrashReport
from ruvon.testing._scenario import Scenario
from ruvon.testing._schedule import Schedule
from ruvon.testing._script import Script
from ruvon.testing._scripted import check_answers
from ruvon.testing._standins import StandIns
from ruvon.testing._stores import MemoryStores, SQLiteStores, Stores
from ruvon.testing._watchdog import Watchdog
from ruvon.testing._words import describe

__all__ = ["assert_crash_safe", "crash_test"]


def crash_test(
    workflow: object,
    data: object = None,
    *,
    script: Script | None = None,
    probes: Mapping[str, Callable[[], object]] | None = None,
    reset: Callable[[], object] | None = None,
    also: Iterable[object] = (),
    resources: Iterable[object] = (),
    import_roots: ImportRoots | Iterable[str | Path] = (),
    seeds: int = 20,
    pairs: int = 10,
    folder: Path | None = None,
    replay: str | None = None,
    builder: WorkflowBuilder | None = None,
    version: str | None = None,
    progress: Progress | None = None,
    stubs: Mapping[Any, object] | None = None,
    patience: timedelta = timedelta(seconds=10),
) -> CrashReport:
    """Crash a workflow at every point, restart it, and compare its end with that of a run without faults.

    The steps really run, many times; one that is only a placeholder answers by its declared type. What they keep in
    variables of their modules is put back before each run and compared after it, and once more at the end.

    Args:
        workflow: a `@workflow` function, or the name of a type that `builder` knows.
        data: its initial data, or a function that makes it.
        script: what people and senders do.
        probes: by name, functions that answer with what must come out the same, such as the charges of a fake bank.
        reset: called before each run, to empty what the probes look at.
        also: further workflows that it starts.
        resources: objects that steps ask for with `context.get`.
        import_roots: packages and folders that definitions may take code from.
        seeds: runs under random schedules, beside one for each single fault.
        pairs: at most so many runs that die a second time while they recover.
        folder: keep the runs' state in SQLite files there; in memory where none is given.
        replay: run this one schedule only, as a report printed it.
        builder: a builder of the test's own, instead of `resources` and `import_roots`.
        version: the version of the workflow; the current one where none is given.
        progress: told after each run how many are done, and of how many.
        stubs: by step, what stands in for its body: a function of the call's arguments, a value, or an exception.
        patience: how long a body may run without awaiting anything, in real time; zero is for ever.

    Raises:
        InvalidInitialDataError: the data does not fit.
        ScriptError, ScheduleError: the script does not fit the workflow, or what is to be replayed is no schedule.
        HarnessError: a body ends the whole process, or never awaits; or a stub is for no step.
        StuckError: a step awaits something that never comes.
    """
    made = builder or WorkflowBuilder(resources=resources, import_roots=import_roots, plugins=False)
    name = _registered(made, workflow, also)
    loaded = _loaded(made, name, version)
    outside, stand_ins = OutsideWorld(loaded, probes, reset), _checked(loaded, script, stubs)
    scenario = Scenario(
        made, name, data, script=script, outside=outside, make_stores=_stores(folder), version=version,
        stand_ins=stand_ins, dog=Watchdog(patience.total_seconds()),
    )  # fmt: skip
    with _around(scenario):
        report = _explored(CrashExplorer(scenario, torn=folder is not None), replay, seeds, pairs, progress)
    return replace(report, stood_in=tuple(sorted(stand_ins.stood_in)))


def _stores(folder: Path | None) -> Callable[[], Stores]:
    return MemoryStores if folder is None else lambda: SQLiteStores(folder)


def _explored(
    explorer: CrashExplorer, replay: str | None, seeds: int, pairs: int, progress: Progress | None
) -> CrashReport:
    if replay is not None:
        return explorer.replay(Schedule.parse(replay))
    return explorer.explore(seeds=seeds, pairs=pairs, progress=progress)


def _checked(loaded: list[Definition], script: Script | None, stubs: Mapping[Any, object] | None) -> StandIns:
    """What stands in for bodies, when every name of it and of the script is one of the workflows."""
    check_answers(script or Script(), loaded)
    stand_ins = StandIns(stubs)
    stand_ins.check(_stubbed_names(loaded))
    return stand_ins


@contextmanager
def _around(scenario: Scenario) -> Generator[None]:
    """The watch over bodies; at the end everything is as it was."""
    try:
        with _told_of_exits(), scenario.dog:
            yield
    finally:
        scenario.outside.restore()


@contextmanager
def _told_of_exits() -> Generator[None]:
    try:
        yield
    except SystemExit as exc:
        raise HarnessError(
            f"a body ends the whole process (SystemExit {exc.code}), so nothing can be compared; "
            "let it raise an error of its own instead of calling exit()"
        ) from exc


def _loaded(builder: WorkflowBuilder, name: str, version: str | None) -> list[Definition]:
    """What is run, with the modules of its functions imported, so that their variables can be watched."""
    definitions = list(_reachable(builder, name, version))
    for definition in definitions:
        builder.engine().program_for(definition.workflow_type, definition.workflow_version)
    return definitions


def _stubbed_names(definitions: Iterable[Definition]) -> Iterator[str]:
    for definition in definitions:
        yield from (node.id for node in walk_nodes(definition.graph))
        for path in definition.contracts:
            yield path
            yield path.rpartition(":")[2].rpartition(".")[2]


def _reachable(builder: WorkflowBuilder, name: str, version: str | None) -> Iterator[Definition]:
    """The definition of a type, and those of all that it may start, as far as they are registered."""
    known = set(builder.registered_types())
    wanted: list[tuple[str, str | None]] = [(name, version)]
    seen: set[tuple[str, str | None]] = set()
    while wanted:
        here = wanted.pop()
        if here in seen:
            continue
        seen.add(here)
        definition = builder.get_definition(*here)
        yield definition
        actions = [node.action for node in walk_nodes(definition.graph)]
        wanted += [(item.child, item.version) for item in actions if isinstance(item, Start) and item.child in known]


def _registered(builder: WorkflowBuilder, workflow: object, also: Iterable[object]) -> str:
    builder.register(*also)
    declared = getattr(workflow, "__ruvon_workflow__", None)
    if declared is not None:
        builder.register(workflow)
        name: object = declared.workflow_type
    else:
        name = workflow
    if not isinstance(name, str):
        raise HarnessError("crash_test() takes a @workflow function or the name of a registered type")
    return name


def assert_crash_safe(workflow: object, data: object = None, **options: object) -> CrashReport:
    """`crash_test` as an assertion; a failing one prints the whole report.

    Raises:
        AssertionError: some run did not end as it should.
    """
    report = crash_test(workflow, data, **options)  # type: ignore[arg-type]
    if not report.ok:
        raise AssertionError("\n".join(describe(report)))
    return report
