"""`transaction=True`: a step's SQL and its commit are one, whatever happens."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ruvon import World
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLITE_SCHEMA, SQLitePersistenceProvider
from ruvon.implementations.persistence.sqlite._session import Session
from ruvon.ir import CommitMode, Definition, ImportRoots, IRError, require_valid
from ruvon.providers import PersistenceError, StaleWorkflowError, Transition, UnsupportedError
from ruvon.testing import CrashExplorer, OutsideWorld, Scenario, SQLiteStores
from ruvon_dsl import compile_function, compile_source, require
from tests.support import ledger_flows as flows
from tests.support.engine_world import CountedIds, JumpingClock
from tests.support.ledger_flows import Books

TABLE = "CREATE TABLE IF NOT EXISTS bookings (cents INTEGER);"


@pytest.fixture(autouse=True)
def _fresh() -> None:
    _reset()


def _reset() -> None:
    flows.BODIES.clear()
    flows.FAILS.clear()


def make_builder(store: Any = None) -> WorkflowBuilder:
    made = WorkflowBuilder(
        persistence_provider=store, clock=JumpingClock(), ids=CountedIds(), plugins=False, import_roots=["tests"]
    )
    made.register(*_definitions())
    return made


@cache
def _definitions() -> tuple[Definition, ...]:
    """The workflows of `ledger_flows`, compiled once."""
    roots = ImportRoots({"tests"})
    found = [item for item in vars(flows).values() if hasattr(item, "__ruvon_workflow__")]
    results = [*(compile_function(item, roots=roots) for item in found)]
    results.append(compile_source(flows.PAUSES, kind="yaml", roots=roots))
    return tuple(item.definition for result in results for item in require(result))


@pytest.fixture(params=["FULL", "NORMAL", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SQLitePersistenceProvider:
    """Every way in which the SQLite store writes."""
    path = ":memory:" if request.param == "memory" else str(tmp_path / "books.db")
    durability: Any = "OFF" if request.param == "memory" else request.param
    return SQLitePersistenceProvider(path, durability=durability, schema=SQLITE_SCHEMA + TABLE)


Scene = Callable[[WorkflowBuilder], Coroutine[Any, Any, Any]]


def played(store: Any, scene: Scene) -> Any:
    """Play a scene on a fresh builder."""

    async def scenario() -> Any:
        builder = make_builder(store)
        await builder.initialize()
        try:
            return await scene(builder)
        finally:
            await builder.close()

    return asyncio.run(scenario())


async def bookings(store: SQLitePersistenceProvider) -> list[int]:
    async with store.transact() as sql:
        return [row[0] for row in await sql.execute("SELECT cents FROM bookings ORDER BY cents")]


def ran(store: SQLitePersistenceProvider, name: str) -> tuple[Any, list[int]]:
    """A run to its end, and the rows that are there then."""

    async def scene(builder: WorkflowBuilder) -> tuple[Any, list[int]]:
        run = await builder.create_workflow(name, {})
        await run.run()
        return run, await bookings(store)

    return played(store, scene)  # type: ignore[no-any-return]


# What is committed


def test_a_step_commits_its_rows_with_itself(store: SQLitePersistenceProvider) -> None:
    """Rows, state, conditions behind the step, retries: as without a transaction."""
    flows.FAILS["book again 50"] = 2
    run, rows = ran(store, "Booked")
    assert run.result == rows == [1, 2, 10, 11, 50]
    assert flows.BODIES.count("book again 50") == 3
    assert run.state.notes == ["between", "turn 10", "turn 11"]


def test_an_effect_behind_it_costs_no_commit_more(store: SQLitePersistenceProvider) -> None:
    """Between two steps with a transaction there is no commit that has nothing to say; what ends the run has one."""
    commits: list[list[str]] = []
    store_: Any = store

    async def scene(builder: WorkflowBuilder) -> None:
        run = await builder.create_workflow("Booked", {})
        inner = store_.commit

        async def commit(transition: Any, /) -> None:
            commits.append([item.kind for item in transition.entries])
            await inner(transition)

        store_.commit = commit
        await run.run()

    played(store, scene)
    assert commits == [["step"], ["advance"], ["advance"], ["advance"], ["end"]]


def test_a_transaction_that_is_lost_fails_no_step(
    store: SQLitePersistenceProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store's error reaches the caller, the instance stands where it stood, and the next drive goes on."""
    inner, lost = Session.execute, [True]

    async def execute(self: Any, sql: str, parameters: Any = (), /) -> Any:
        if lost and "INSERT" in sql:
            lost.clear()
            raise PersistenceError("the connection is gone")
        return await inner(self, sql, parameters)

    async def scene(builder: WorkflowBuilder) -> Any:
        run = await builder.create_workflow("Booked", {})
        with monkeypatch.context() as patch:
            patch.setattr(Session, "execute", execute)
            with pytest.raises(PersistenceError, match="the connection is gone"):
                await run.run()
        run = await builder.load_workflow(run.id)
        assert run.status.value == "ACTIVE"
        await run.run()
        return run.result, await bookings(store)

    result, rows = played(store, scene)
    assert result == rows == [1, 2, 10, 11, 50]


def test_branches_share_it_one_after_the_other(store: SQLitePersistenceProvider) -> None:
    """Other branches of the same instance commit before or after it, never inside."""
    run, rows = ran(store, "Branches")
    assert run.result == rows == [0, 1, 2, 3, 4]
    assert sorted(run.state.notes) in (["left"], ["left", "right"], ["right"])


def test_many_instances_take_turns(store: SQLitePersistenceProvider) -> None:
    """The store has one write turn."""

    async def scene(builder: WorkflowBuilder) -> list[int]:
        runs = [await builder.create_workflow("Branches", {}) for _ in range(5)]
        await asyncio.gather(*(run.run() for run in runs))
        assert all(run.status == "COMPLETED" for run in runs)
        return await bookings(store)

    assert played(store, scene) == sorted([0, 1, 2, 3, 4] * 5)


# What is rolled back


def test_a_failure_rolls_its_rows_back_and_can_be_caught(store: SQLitePersistenceProvider) -> None:
    """An error of the body, of a statement, a timeout: nothing of the step is left, and the workflow goes on."""
    flows.FAILS["book 5"] = 1
    run, rows = ran(store, "Caught")
    assert run.result == rows == [1]
    assert run.state.notes == ["refused", "wrong", "slow"]


def test_a_result_that_does_not_fit_rolls_back(store: SQLitePersistenceProvider) -> None:
    """The step has failed, so what it has written is not there."""
    run, rows = ran(store, "Misfit")
    assert (run.status, rows) == ("FAILED", [1])


def test_a_refused_commit_leaves_no_rows(store: SQLitePersistenceProvider) -> None:
    """Somebody else has changed the instance meanwhile."""
    store_: Any = store
    inner = store.transact

    @asynccontextmanager
    async def stale() -> AsyncGenerator[Any]:
        async with inner() as sql:
            session: Any = sql
            commit = session.commit

            async def too_late(transition: Transition, /) -> None:
                await commit(replace(transition, expected=transition.expected + 1))

            session.commit = too_late
            yield session

    async def scene(builder: WorkflowBuilder) -> list[int]:
        run = await builder.create_workflow("Booked", {})
        store_.transact = stale
        with pytest.raises(StaleWorkflowError):
            await run.run()
        store_.transact = inner
        return await bookings(store)

    assert played(store, scene) == []


def test_a_cancelled_step_leaves_no_rows(store: SQLitePersistenceProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever drives is cancelled while the body has written and not returned."""

    async def scene(builder: WorkflowBuilder) -> tuple[str, list[int]]:
        written = asyncio.Event()

        async def wait_for_ever() -> None:
            written.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(flows, "wait_for_ever", wait_for_ever)
        run = await builder.create_workflow("Halting", {})
        driving = asyncio.create_task(run.run())
        await written.wait()
        driving.cancel()
        await asyncio.gather(driving, return_exceptions=True)
        return (await builder.load_workflow(run.id)).status.value, await bookings(store)

    assert played(store, scene) == ("ACTIVE", [1])


def test_a_pause_keeps_what_was_written(store: SQLitePersistenceProvider) -> None:
    """The step is done, and its wait is seen by everybody."""

    async def scene(builder: WorkflowBuilder) -> tuple[Any, list[int]]:
        run = await builder.create_workflow("Pauses", {})
        await run.run()
        again = await builder.load_workflow(run.id)
        assert (again.status, again.state.total) == ("WAITING_HUMAN", 7)
        await again.answer({"text": "x"})
        return again, await bookings(store)

    run, rows = played(store, scene)
    assert run.status == "COMPLETED"
    assert run.state.rows == rows == [1, 7]


# Where it cannot be


def test_a_store_without_sql_refuses_the_instance() -> None:
    """Before anything is written, with the remedy."""
    store = MemoryPersistenceProvider()

    async def scene(builder: WorkflowBuilder) -> int:
        with pytest.raises(UnsupportedError, match="use the SQLite store"):
            await builder.create_workflow("Booked", {})
        return len(await store.list_workflows())

    assert played(store, scene) == 0


def test_a_child_on_a_store_without_sql_fails_with_the_remedy() -> None:
    """An instance that was not made by `create_workflow` fails at the step."""

    async def scene(builder: WorkflowBuilder) -> str:
        engine = builder.engine()
        program = engine.program_for("Booked", None)
        record, definition = engine.new_record(program, CountedIds().new_id(), {})
        program.shares_commits = False
        await engine.create(record, definition)
        run = await builder.load_workflow(record.workflow_id)
        await run.run()
        return f"{run.status.value} {run.error}"

    said = played(MemoryPersistenceProvider(), scene)
    assert said.startswith("FAILED")
    assert "use the SQLite store" in said


def test_a_step_without_transaction_is_told_what_to_write(store: SQLitePersistenceProvider) -> None:
    """`context.transaction` is there for those who declare it."""
    run, _ = ran(store, "Peeking")
    assert "@step(transaction=True)" in str(run.error)


def test_the_verifier_refuses_it_with_commits_of_turns() -> None:
    """Also for definitions that no front end has made."""
    definition = make_builder().get_definition("Booked")
    with pytest.raises(IRError, match="needs a commit of its own"):
        require_valid(replace(definition, commit=CommitMode.ITERATION))


# Local runs


@pytest.mark.parametrize(("flow", "wanted"), [(flows.booked, [1, 2, 10, 11, 50]), (flows.branches, [0, 1, 2, 3, 4])])
def test_a_local_run_writes_the_same_rows(flow: Any, wanted: list[int]) -> None:
    """`World(sql=)`: the law that the engine means what Python means."""
    connection = sqlite3.connect(":memory:")
    connection.execute(TABLE)
    flows.FAILS["book again 50"] = 2
    assert asyncio.run(flow.local(Books(), World(sql=connection))) == wanted
    assert not connection.in_transaction


def test_a_local_run_rolls_back_too() -> None:
    """What was caught has left nothing."""
    connection = sqlite3.connect(":memory:")
    connection.execute(TABLE)
    flows.FAILS["book 5"] = 1
    state = Books()
    assert asyncio.run(flows.caught.local(state, World(sql=connection))) == [1]
    assert state.notes == ["refused", "wrong", "slow"]


def test_a_local_run_without_a_database_names_the_argument() -> None:
    """What is missing, and where it is given."""
    with pytest.raises(Exception, match=r"World\(sql=sqlite3\.connect"):
        asyncio.run(flows.booked.local(Books(), World()))


@pytest.mark.parametrize("sql", ["COMMIT", "rollback;", "\nSAVEPOINT mine"])
def test_a_local_run_refuses_to_be_steered_like_a_store(sql: str, store: SQLitePersistenceProvider) -> None:
    """The step fails in both, with an error that it may catch, and what it wrote before is kept."""
    flows.STEERING[:] = [sql]
    connection = sqlite3.connect(":memory:")
    connection.execute(TABLE)
    state = Books()
    here = asyncio.run(flows.steered.local(state, World(sql=connection)))
    run, rows = ran(store, "Steered")
    assert here == run.result == rows == [4]
    assert state.notes == run.state.notes == ["StatementError"]


# Crashes


@pytest.mark.parametrize("name", ["Booked", "Branches"])
def test_rows_are_written_exactly_once_under_every_crash(name: str, tmp_path: Path) -> None:
    """The process dies before, inside and after every body and commit; the table has no key that would hide a repetition."""
    scenario = Scenario(
        make_builder(),
        name,
        Books(),
        outside=OutsideWorld((), reset=_reset),
        make_stores=lambda: SQLiteStores(tmp_path),
    )
    report = CrashExplorer(scenario, torn=True).explore(seeds=5, pairs=10)
    assert report.ok, "\n".join(f"{item.kind} [{item.schedule}]: {item.what}" for item in report.findings)
    assert report.runs > 50


VALUES: dict[str, object] = {
    "Collecting": ([1, 2, 3], [1, 2, 3]),
    "CollectingWhere": [1, 3, 5],
    "Gathering": [1, 2, 1],
    "Mapping": [0, 2, 4, 6],
    "Tolerating": ([0, 2, 3], 1),
    "Nesting": ([1, 2], 10),
    "Trying": [1000, 101, 1004],
    "Scoped": [0, 1],
    "Parenting": [4, 5, 6],
    "Racing": "number 7",
    "Booked": [1, 2, 10, 11, 50],
    "Branches": [0, 1, 2, 3, 4],
}
"""Workflows that take values from steps with a transaction, and what they return."""


def may_fail_in(name: str) -> None:
    """Of two workflows one body fails for good."""
    if name in {"Tolerating", "Trying"}:
        flows.FAILS["number 1"] = 1_000


class Died(BaseException):
    """The process died just after a commit."""


def dying_store() -> SQLitePersistenceProvider:
    """A store whose process dies after each commit, in whatever way it is written."""
    store: Any = SQLitePersistenceProvider(":memory:", durability="OFF", schema=SQLITE_SCHEMA + TABLE)
    plain, shared = store.commit, store.transact

    def deadly(inner: Callable[[Transition], Any]) -> Callable[[Transition], Any]:
        async def commit(transition: Transition, /) -> None:
            await inner(transition)
            if transition.entries:
                raise Died

        return commit

    @asynccontextmanager
    async def transact() -> AsyncGenerator[Any]:
        async with shared() as session:
            session.commit = deadly(session.commit)
            yield session

    store.commit, store.transact = deadly(plain), transact
    return store  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", sorted(VALUES))
def test_a_reload_after_every_commit_loses_no_value(name: str) -> None:
    """What a step has returned is as durable as its rows."""
    may_fail_in(name)

    async def scene(builder: WorkflowBuilder) -> object:
        made = await builder.create_workflow(name, {})
        for _ in range(100):
            run = await builder.load_workflow(made.id)
            if run.status.is_terminal:
                return run.result if run.error is None else run.error
            with suppress(Died):
                await run.run()
        pytest.fail("the workflow does not come to its end")

    wanted = VALUES[name]
    assert played(dying_store(), scene) == wanted
    may_fail_in(name)
    assert ran(SQLitePersistenceProvider(":memory:", schema=SQLITE_SCHEMA + TABLE), name)[0].result == wanted


@pytest.mark.parametrize("name", ["Collecting", "Nesting", "Parenting", "Trying"])
def test_values_survive_every_crash(name: str, tmp_path: Path) -> None:
    """Before, inside and after every body and commit; by pairs and by chance."""

    def begin() -> None:
        _reset()
        may_fail_in(name)

    scenario = Scenario(
        make_builder(), name, Books(), outside=OutsideWorld((), reset=begin), make_stores=lambda: SQLiteStores(tmp_path)
    )
    report = CrashExplorer(scenario, torn=True).explore(seeds=3, pairs=5)
    assert report.ok, "\n".join(f"{item.kind} [{item.schedule}]: {item.what}" for item in report.findings)
