"""`history=` and `commit="iteration"`: loops of years in bounded space, and nothing lost that somebody still needs."""

import asyncio
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.engine import RepairError
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.ir import CommitMode, Definition, ImportRoots
from ruvon.providers import LogEntry
from ruvon.testing import (
    CrashExplorer,
    Fault,
    FaultKind,
    MemoryStores,
    OutsideWorld,
    Scenario,
    Schedule,
    Script,
    ScriptedSignal,
    SQLiteStores,
    Stores,
)
from ruvon_dsl import compile_function, compile_source, require
from tests.support import device_flows as flows
from tests.support.cases import CAMPAIGN
from tests.support.device_flows import Device, Reading
from tests.support.engine_world import CountedIds, JumpingClock

PROVIDERS: dict[str, Callable[[Path], Any]] = {
    "memory": lambda _: MemoryPersistenceProvider(),
    "file": lambda folder: SQLitePersistenceProvider(folder / "device.db", durability="OFF"),
}


@pytest.fixture(autouse=True)
def _fresh() -> None:
    flows.DONE.clear()
    flows.KEYS.clear()


@pytest.fixture(params=PROVIDERS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Each store."""
    return PROVIDERS[request.param](tmp_path)


def make_builder(store: Any = None) -> WorkflowBuilder:
    made = WorkflowBuilder(
        persistence_provider=store, clock=JumpingClock(), ids=CountedIds(), plugins=False, import_roots=["tests"]
    )
    made.register(*_definitions())
    return made


@cache
def _definitions() -> tuple[Definition, ...]:
    """The workflows of `device_flows`, compiled once."""
    roots = ImportRoots({"tests"})
    found = [item for item in vars(flows).values() if hasattr(item, "__ruvon_workflow__")]
    results = [*(compile_function(item, roots=roots) for item in found)]
    results.append(compile_source(flows.BY_HAND, kind="yaml", roots=roots))
    return tuple(item.definition for result in results for item in require(result))


def watch_log(store: Any) -> list[int]:
    """How many rows the log of the instance has after each commit, without those of the saga log."""
    found: list[int] = []
    inner = store.commit

    async def commit(transition: Any, /) -> None:
        await inner(transition)
        log = await store.read_log(transition.workflow_id)
        found.append(len([item for item in log if item.saga is None and item.kind != "compensate"]))

    store.commit = commit
    return found


async def driven(builder: WorkflowBuilder, name: str, until: int, *, anew: bool = False) -> Any:
    """A run to its end; `anew` loads it from the store for each of its moves."""
    await builder.initialize()
    run = await builder.create_workflow(name, Device(until=until))
    if anew:
        for _ in range(10_000):
            if run.status.is_terminal:
                break
            builder.engine().clock.advance(1_000_000)  # type: ignore[attr-defined]
            run = await builder.load_workflow(run.id)
            await run.next_step()
    else:
        await run.run()
    return run


# The bound


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 20])
def test_no_commit_leaves_more_rows_than_the_limit(limit: int, store: Any) -> None:
    """Whatever the limit, and the result is that of a run without one."""
    builder = make_builder(store)
    builder.register(replace(builder.get_definition("Logger"), history=limit))
    rows = watch_log(store)

    async def scenario() -> Any:
        run = await driven(builder, "Logger", 30)
        await builder.close()
        return run

    run = asyncio.run(scenario())
    assert run.result == sum(2 * turn for turn in range(30))
    assert max(rows) == max(limit // 2 * 2, 1)
    assert len(rows) > 60


@pytest.mark.parametrize("name", ["Logger", "Remembering", "Turning"])
@pytest.mark.parametrize("limit", [1, 2, 5, 8, 64])
def test_a_reload_at_every_wait_changes_nothing(name: str, limit: int, store: Any) -> None:
    """Also where a live position refers to a result that is long forgotten."""
    endless = asyncio.run(driven(make_builder(), name, 25))
    builder = make_builder(store)
    builder.register(replace(builder.get_definition(name), history=limit))
    rows = watch_log(store)

    async def scenario() -> tuple[Any, int]:
        run = await driven(builder, name, 25, anew=True)
        log = await store.read_log(UUID(run.id), saga=True)
        await builder.close()
        return run, len(log)

    run, saga_entries = asyncio.run(scenario())
    assert (run.result, run.state) == (endless.result, endless.state)
    assert max(rows) <= limit
    assert saga_entries == 1


def test_the_previous_result_outlives_its_log_entry() -> None:
    """`context.previous_step_result` is that of the step before the loop, whose entry was forgotten years ago."""
    run = asyncio.run(driven(make_builder(), "Remembering", 40, anew=True))
    builder = make_builder()
    builder.register(replace(builder.get_definition("Remembering"), history=None))
    assert run.result == asyncio.run(driven(builder, "Remembering", 40)).result
    assert run.result == "{'result': 0} {'result': 'booted'}"


def test_compensations_outlive_the_limit(store: Any) -> None:
    """What a rollback needs is kept beside the limit."""
    builder = make_builder(store)

    async def scenario() -> Any:
        run = await driven(builder, "Wearing", 40)
        await builder.close()
        return run

    assert asyncio.run(scenario()).status == "FAILED_ROLLED_BACK"
    assert flows.DONE[-1] == "shut down after booted"


def test_repairs_reach_back_as_far_as_the_log(store: Any) -> None:
    """A retry goes on where it failed, a rewind to what is kept, and to no more."""
    builder = make_builder(store)
    builder.register(replace(builder.get_definition("Wearing"), saga=False))

    async def scenario() -> tuple[list[dict[str, Any]], Any, list[str]]:
        run = await driven(builder, "Wearing", 20)
        await run.retry()
        history = await run.history()
        with pytest.raises(RepairError, match="not kept any more"):
            await run.plan_rewind("while[19]/keep")
        with pytest.raises(RepairError, match="is recorded"):
            await run.plan_rewind("while[0]/keep")
        flows.DONE.clear()
        await run.rewind("break_down")
        await run.run()
        done = list(flows.DONE)
        await builder.close()
        return history, run, done

    history, run, done = asyncio.run(scenario())
    assert run.status == "FAILED"
    assert run.state.turns == 20
    assert done == []
    assert len(history) <= 6 + 1


def test_messages_do_not_lengthen_the_log(store: Any) -> None:
    """A device that only listens: every message is a drive of its own."""
    builder = make_builder(store)
    rows = watch_log(store)

    async def scenario() -> Any:
        await builder.initialize()
        run = await builder.create_workflow("Listening", Device(until=30))
        await run.run()
        for value in range(30):
            await (await builder.load_workflow(run.id)).signal(Reading(value=value))
        ended = await builder.load_workflow(run.id)
        await builder.close()
        return ended

    assert asyncio.run(scenario()).result == sum(range(30))
    assert max(rows) <= 6


# Space


@pytest.mark.campaign
def test_a_hundred_thousand_turns_need_no_more_than_a_few_thousand(tmp_path: Path) -> None:
    """Section 12.9: the file and the memory of a device loop do not grow with its turns."""
    few, small, peak = _measured(tmp_path / "few.db", 3_000)
    many, large, higher = _measured(tmp_path / "many.db", max(CAMPAIGN * 50, 20_000))
    assert (few, many) == (3_000, max(CAMPAIGN * 50, 20_000))
    assert large <= small * 1.2
    assert higher <= peak * 1.2


def _measured(path: Path, turns: int) -> tuple[int, int, int]:
    """Result, bytes of all files, most bytes of memory at once."""
    builder = make_builder(SQLitePersistenceProvider(path, durability="OFF"))

    async def scenario() -> tuple[int, int, int]:
        await builder.initialize()
        run = await builder.create_workflow("Fast", Device(until=turns))
        tracemalloc.start()
        try:
            await run.run()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        size = sum(item.stat().st_size for item in path.parent.glob(f"{path.name}*"))
        await builder.close()
        return run.result, size, peak

    return asyncio.run(scenario())


# Commits


async def commits_of(name: str, until: int) -> list[list[str]]:
    """The steps in each commit of a run."""
    builder = make_builder(store := MemoryPersistenceProvider())
    found: list[list[str]] = []
    inner = store.commit

    async def commit(transition: Any, /) -> None:
        entries: list[LogEntry] = transition.entries
        found.append([item.node for item in entries if item.node])
        await inner(transition)

    store.commit = commit  # type: ignore[method-assign]
    await driven(builder, name, until)
    return found[1:]


def test_one_commit_a_turn_and_one_a_wait() -> None:
    """The inner loop commits nothing of its own."""
    wanted = [["boot"]]
    for _ in range(2):
        wanted += [["measure", "keep", "keep"], ["sleep", "measure_2"]]
    assert asyncio.run(commits_of("Turning", 4)) == wanted


def test_a_loop_in_a_try_commits_once_a_turn_too() -> None:
    """The outermost loop is meant, wherever in the body it stands."""
    assert asyncio.run(commits_of("Guarded", 3)) == [["measure", "keep"]] * 3 + [["remember"]]


def test_a_rollback_in_a_turn_sees_the_steps_of_the_turn() -> None:
    """What is to be undone is committed before the first compensation begins."""
    commits = asyncio.run(commits_of("Undoing", 1))
    assert flows.DONE == [
        "reserve",
        "keep 0",
        "release",
        "reserve",
        "keep 1",
        "release",
        "reserve",
        "keep 2",
        "release",
    ]
    assert commits[:2] == [["reserve", "keep", "break_down"], ["reserve"]]


def test_an_undo_by_hand_in_a_turn_is_not_undone_again() -> None:
    """The entry that is undone is found among those of the turn, too."""
    asyncio.run(commits_of("ByHand", 1))
    assert flows.DONE == ["reserve", "keep 1", "give back"] * 2


# Crashes


SCRIPTS = {"Listening": Script(signals=[ScriptedSignal(Reading(value=n), after=timedelta(hours=n)) for n in range(6)])}


def scenario_of(name: str, until: int, stores: Callable[[], Stores] = MemoryStores) -> Scenario:
    outside = OutsideWorld((), probes={"effects by key": lambda: dict(flows.KEYS)}, reset=flows.KEYS.clear)
    script = SCRIPTS.get(name, Script())
    return Scenario(make_builder(), name, Device(until=until), script=script, outside=outside, make_stores=stores)


@pytest.mark.parametrize("name", ["Logger", "Remembering", "Listening", "Turning", "Guarded"])
def test_every_crash_leads_to_the_same_end(name: str, tmp_path: Path) -> None:
    """Law 4 for what is bounded: before and after every body, commit and message."""
    stores = (lambda: SQLiteStores(tmp_path)) if name == "Turning" else MemoryStores
    report = CrashExplorer(scenario_of(name, 6, stores)).explore(seeds=5, pairs=5)
    assert report.ok, "\n".join(f"{item.kind} [{item.schedule}]: {item.what}" for item in report.findings)


@pytest.mark.parametrize("name", ["Rough", "RoughSaga", "RoughScope", "RoughCollect", "RoughParent"])
def test_a_turn_with_everything_in_it_survives_every_crash(name: str) -> None:
    """Handlers, branches, retries, events, children, rollbacks, `continue` and `break`: all within turns."""
    report = CrashExplorer(scenario_of(name, 6)).explore(seeds=5, pairs=5)
    assert report.ok, "\n".join(f"{item.kind} [{item.schedule}]: {item.what}" for item in report.findings)


@pytest.mark.parametrize("name", ["Rough", "RoughSaga", "RoughScope", "RoughCollect", "RoughParent"])
def test_commits_of_turns_change_no_effect_and_no_result(name: str) -> None:
    """As with a commit for each step and the whole history, and as from a store after each wait."""
    found: list[tuple[Any, ...]] = []
    for plain, anew in [(True, False), (False, False), (False, True)]:
        builder = make_builder()
        if plain:
            builder.register(replace(builder.get_definition(name), history=None, commit=CommitMode.STEP))
        flows.DONE.clear()
        run = asyncio.run(driven(builder, name, 6, anew=anew))
        found.append((run.status, run.result, str(run.error), run.state, sorted(flows.DONE)))
    assert found[0] == found[1] == found[2]


def test_an_event_rides_in_the_commit_of_its_turn() -> None:
    """One for each step that published one."""
    store = MemoryPersistenceProvider()
    asyncio.run(driven(make_builder(store), "Rough", 6))
    events = asyncio.run(store.read_outbox())
    assert [event.topic for event in events] == ["readings"] * 3
    assert [what for what in flows.DONE if what.startswith("report")] == ["report 0", "report 2", "report 3"]


def test_a_crash_repeats_no_more_than_the_turn() -> None:
    """Under the same keys, at whatever point of the run it happens."""
    scenario = scenario_of("Turning", 6)
    points = len(scenario.run().ledger.points)
    undisturbed = len(flows.DONE)
    most = 0
    for number, kind in product(range(points), (FaultKind.DIE_BEFORE, FaultKind.DIE_AFTER)):
        flows.DONE.clear()
        scenario.run(Schedule((Fault(0, number, kind),)))
        most = max(most, len(flows.DONE) - undisturbed)
    assert most == 3
