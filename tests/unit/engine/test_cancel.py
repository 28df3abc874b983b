"""Cancelling reaches whatever runs, on both stores; a process that dies in the middle leaves it to the next one."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.engine import _drive
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.memory._tables import MemoryHold
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.implementations.persistence.sqlite._locks import InstanceHold
from ruvon.ir import Definition
from ruvon.models import WorkflowStatus
from ruvon.providers import InboxEntry, InboxKind, InstanceFilter, PersistenceError, Transition
from ruvon.scheduler import resume_all
from tests.support import cancel_flows as flows
from tests.support.cancel_flows import DONE

SCOPED = {
    "CancelScope": ["arrange", "prepare", "undo", "undone", "disarrange"],
    "CancelScopeBranch": ["arrange", "prepare", "hang", "undo", "undone", "disarrange"],
    "CancelScopeFinal": ["prepare", "undo", "undone", "tidy"],
    "CancelScopeChild": ["arrange", "prepare", "undo", "undone", "disarrange"],
}
"""What is done when a scope inside is being rolled back as the request comes."""
CRASHING = ["CancelStep", "CancelBranches", "CancelFamily", "CancelSaga"]


@cache
def _definitions() -> tuple[Definition, ...]:
    """The workflows, compiled once."""
    builder = WorkflowBuilder(plugins=False)
    builder.register(*flows.ALL)
    return tuple(builder.get_definition(name) for name in builder.registered_types())


class Place:
    """A store, and processes over it."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.gates = flows.fresh()
        self.commits = 0

    def builder(self) -> WorkflowBuilder:
        """A process."""
        made = WorkflowBuilder(persistence_provider=self.store, plugins=False, import_roots=["tests"])
        made.register(*_definitions())
        return made

    async def running(self, name: str) -> "tuple[Any, asyncio.Task[Any]]":
        """An instance whose step runs now, and the drive."""
        made = await self.builder().create_workflow(name, {})
        task = asyncio.ensure_future(made.run())
        waiter = asyncio.ensure_future(self.gates.running.wait())
        await asyncio.wait((task, waiter), return_when=asyncio.FIRST_COMPLETED, timeout=30)
        waiter.cancel()
        assert not task.done(), task.exception()
        assert self.gates.running.is_set()
        return await self.builder().load_workflow(made.id), task

    async def status(self, workflow_id: str) -> WorkflowStatus:
        """Where an instance stands."""
        return WorkflowStatus((await self.store.load_instance(UUID(workflow_id))).status)

    async def requested(self, workflow_id: str) -> bool:
        """Whether a request to cancel was sent; it may be taken already."""
        entries = await self.store.read_inbox(UUID(workflow_id))
        return any(entry.kind is InboxKind.CANCEL for entry in entries) or ("cancel", "") in await self.kinds(
            workflow_id
        )

    async def has_logged(self, workflow_id: str, kind: str, node: str) -> bool:
        """Whether the log of an instance has an entry."""
        return (kind, node) in await self.kinds(workflow_id)

    async def kinds(self, workflow_id: str) -> list[tuple[str, str]]:
        """Kind and node of what is in the log of an instance."""
        return [(entry.kind, entry.node) for entry in await self.store.read_log(UUID(workflow_id))]

    def die_at(self, number: int) -> None:
        """Let the commit of this number from now on fail, and all after it, as those of a dead process do."""
        inner: Callable[[Transition], Any] = type(self.store).commit.__get__(self.store)
        self.commits = 0

        async def commit(transition: Transition, /) -> None:
            self.commits += 1
            if self.commits >= number:
                raise PersistenceError("the process is dead")
            await inner(transition)

        self.store.commit = commit

    def revive(self) -> None:
        """The process is gone with its holds, which it did not release; the next one has a store that works."""
        self.store.__dict__.pop("commit", None)
        if isinstance(self.store, MemoryPersistenceProvider):
            self.store.drop_holds()
            return
        locks = self.store._open_locks()
        for hold in locks._holds.values():
            locks._set(hold.key, lock=False)
        locks._holds.clear()


async def until(there: Callable[[], Coroutine[Any, Any, bool]]) -> None:
    """Until something is so; what runs beside gets its turns."""
    for number in range(10_000):
        if await there():
            return
        await asyncio.sleep(0 if number < 1_000 else 0.002)
    raise AssertionError("it never came")


async def _says(word: str) -> bool:
    return word in DONE


async def _unreleased(hold: Any) -> None:
    """A dead process releases nothing."""


@pytest.fixture(params=["memory", "sqlite"])
def in_place(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Any], None]:
    """Run a scenario over a fresh store of each kind."""

    def run(scenario: Callable[[Place], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            store: Any = MemoryPersistenceProvider()
            if request.param == "sqlite":
                store = SQLitePersistenceProvider(tmp_path / "runs.db")
            await store.initialize()
            try:
                async with asyncio.timeout(60):
                    await scenario(Place(store))
            finally:
                await store.close()

        asyncio.run(main())

    return run


def test_a_running_step_is_cancelled_and_cleans_up(in_place: Any) -> None:
    """SEMANTICS 8.6: the async body is cancelled, its own `finally` runs, then that of the workflow."""

    async def scenario(place: Place) -> None:
        run, task = await place.running("CancelStep")
        await run.cancel("enough")
        await task
        assert await place.status(run.id) is WorkflowStatus.CANCELLED
        assert DONE == ["prepare", "hang", "hang cleaned up", "tidy", "quick"]
        assert [kind for kind, node in await place.kinds(run.id) if node == "hang"] == ["cancelled"]
        await run.refresh()
        assert run.state.notes == ["prepared", "tidied"]

    in_place(scenario)


def test_nothing_begins_beside_a_child_that_is_ending(in_place: Any) -> None:
    """SEMANTICS 8.6: awaited children end first. What runs beside them is done with its step, and begins no other one."""

    async def scenario(place: Place) -> None:
        run, task = await place.running("CancelBeside")
        await until(lambda: _says("pass by"))
        await run.cancel("enough")
        await until(lambda: _says("linger"))
        place.gates.beside.set()
        await until(lambda: place.has_logged(run.id, "step", "pass_by"))
        for _ in range(50):
            await asyncio.sleep(0)
        assert "prepare" not in DONE
        place.gates.hold.set()
        await task
        assert await place.status(run.id) is WorkflowStatus.CANCELLED
        assert sorted(DONE) == sorted(["hang", "pass by", "hang cleaned up", "linger", "passed by", "tidy"])

    in_place(scenario)


def test_a_blocking_step_comes_to_nothing(in_place: Any) -> None:
    """SEMANTICS 8.6: its thread cannot be cancelled, so its late result is discarded; the run ends at once."""

    async def scenario(place: Place) -> None:
        made = await place.builder().create_workflow("CancelBlocked", {})
        task = asyncio.ensure_future(made.run())
        assert await asyncio.to_thread(place.gates.thread_runs.wait, 30)
        run = await place.builder().load_workflow(made.id)
        await run.cancel("enough")
        await task
        assert await place.status(run.id) is WorkflowStatus.CANCELLED
        place.gates.thread_goes.set()
        await run.refresh()
        assert (run.state.notes, DONE) == ([], ["block"])

    in_place(scenario)


def test_branches_are_cancelled_each_with_its_cleanup(in_place: Any) -> None:
    """Both bodies, and the `finally` of the branch that has one."""

    async def scenario(place: Place) -> None:
        run, task = await place.running("CancelBranches")
        await run.cancel("enough")
        await task
        assert await place.status(run.id) is WorkflowStatus.CANCELLED
        assert sorted(DONE) == ["hang", "hang", "hang cleaned up", "hang cleaned up", "tidy"]

    in_place(scenario)


def test_children_end_first_at_every_depth(in_place: Any) -> None:
    """The grandchild's step, its `finally`, the child's, and then the parent."""

    async def scenario(place: Place) -> None:
        run, task = await place.running("CancelFamily")
        await run.cancel("enough")
        await task
        rows = await place.store.find_instances(InstanceFilter())
        assert {row.workflow_type: row.status for row in rows} == {
            "CancelFamily": "CANCELLED",
            "CancelChild": "CANCELLED",
            "CancelGrandchild": "CANCELLED",
        }
        assert DONE == ["hang", "hang cleaned up", "tidy", "quick"]

    in_place(scenario)


def test_what_was_done_is_undone_where_saga_is_on(in_place: Any) -> None:
    """And not where the operator says so."""

    async def scenario(place: Place) -> None:
        for compensate in (True, False):
            place.gates = flows.fresh()
            run, task = await place.running("CancelSaga")
            await run.cancel("enough", compensate=compensate)
            await task
            assert await place.status(run.id) is WorkflowStatus.CANCELLED
            assert ("disarrange" in DONE) is compensate

    in_place(scenario)


def test_a_rollback_in_progress_comes_to_its_end(in_place: Any) -> None:
    """A cancel interrupts no compensation: half an undoing would be worse than either."""

    async def scenario(place: Place) -> None:
        run, task = await place.running("CancelRollback")
        cancelling = asyncio.ensure_future(run.cancel("enough"))
        await asyncio.sleep(0)
        place.gates.hold.set()
        await cancelling
        await task
        assert await place.status(run.id) is WorkflowStatus.FAILED_ROLLED_BACK
        assert DONE == ["arrange", "prepare", "undo", "undone", "disarrange"]
        assert await place.store.read_inbox(UUID(run.id)) == []

    in_place(scenario)


@pytest.mark.parametrize("name", sorted(SCOPED))
def test_a_request_during_the_rollback_of_a_scope_takes_effect_behind_it(in_place: Any, name: str) -> None:
    """The scope is undone to its end; no handler and nothing behind runs, and what is around is left as by a cancel."""

    async def scenario(place: Place) -> None:
        run, task = await place.running(name)
        cancelling = asyncio.ensure_future(run.cancel("enough"))
        await until(lambda: place.requested(run.id))
        place.gates.hold.set()
        await cancelling
        await task
        await run.refresh()
        assert run.status is WorkflowStatus.CANCELLED
        assert [item for item in DONE if item != "hang cleaned up"] == SCOPED[name]
        assert [kind for kind, _ in await place.kinds(run.id)].count("cancel") == 1
        assert await place.store.read_inbox(UUID(run.id)) == []

    in_place(scenario)


@pytest.mark.parametrize("name", sorted(SCOPED))
@pytest.mark.parametrize("at", range(1, 6))
def test_a_death_during_the_rollback_of_a_scope_forgets_no_request(in_place: Any, name: str, at: int) -> None:
    """At each commit from the request on: the next process ends the run as cancelled, and nothing runs forward."""

    async def scenario(place: Place) -> None:
        run, task = await place.running(name)
        place.die_at(at)
        with pytest.MonkeyPatch.context() as patch:
            for kind in (MemoryHold, InstanceHold):
                patch.setattr(kind, "release", _unreleased)
            cancelling = asyncio.ensure_future(run.cancel("enough"))
            await until(lambda: place.requested(run.id))
            place.gates.hold.set()
            await asyncio.gather(cancelling, task, return_exceptions=True)
            await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
        place.revive()
        await resume_all(place.builder())
        await resume_all(place.builder())
        assert await place.status(run.id) is WorkflowStatus.CANCELLED
        assert set(SCOPED[name]) == set(DONE) - {"hang cleaned up"}

    in_place(scenario)


def test_a_branch_that_is_stopped_while_it_rolls_back_runs_nothing_more(in_place: Any) -> None:
    """Another branch fails meanwhile: the scope is undone to its end, its handler does not run, and that error is raised."""

    async def scenario(place: Place) -> None:
        run, task = await place.running("ScopeBesideFailure")
        await until(lambda: place.has_logged(run.id, "error", "fails_late"))
        place.gates.hold.set()
        await task
        await run.refresh()
        assert run.status is WorkflowStatus.FAILED_ROLLED_BACK
        assert isinstance(run.error, KeyError)
        assert DONE == ["arrange", "prepare", "undo", "undone", "disarrange"]

    in_place(scenario)


@pytest.mark.parametrize("name", CRASHING)
@pytest.mark.parametrize("at", range(1, 6))
def test_a_death_in_the_middle_leaves_it_to_the_next_process(in_place: Any, name: str, at: int) -> None:
    """At each commit of the cancellation: the next process comes to the same end, and no body begins anew."""

    async def scenario(place: Place) -> None:
        run, task = await place.running(name)
        begun = DONE.count("hang")
        place.die_at(at)
        with pytest.MonkeyPatch.context() as patch:
            for kind in (MemoryHold, InstanceHold):
                patch.setattr(kind, "release", _unreleased)
            found = await asyncio.gather(run.cancel("enough"), task, return_exceptions=True)
            await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()}, return_exceptions=True)
        assert all(not isinstance(item, Exception) or "dead" in str(item) for item in found)
        place.revive()
        await resume_all(place.builder())
        rows = await place.store.find_instances(InstanceFilter())
        assert {row.status for row in rows} == {"CANCELLED"}
        if (
            name != "CancelFamily"
        ):  # a grandchild that had not heard of it begins its step again, and is cancelled in it
            assert DONE.count("hang") == begun
        for expected in {"CancelStep": ["tidy", "quick"], "CancelSaga": ["disarrange"]}.get(name, ["tidy"]):
            assert expected in DONE

    in_place(scenario)


def test_a_request_that_comes_while_a_death_is_counted_runs_the_cleanup(in_place: Any) -> None:
    """The next process has looked into the inbox already, and has not come to the effect over which the last one died."""

    async def scenario(place: Place) -> None:
        run, task = await place.running("CancelGrandchild")
        with pytest.MonkeyPatch.context() as patch:
            for kind in (MemoryHold, InstanceHold):
                patch.setattr(kind, "release", _unreleased)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        place.revive()
        read = type(place.store).read_inbox.__get__(place.store)
        request = InboxEntry(UUID(run.id), InboxKind.CANCEL, "", orjson.dumps({"reason": "enough", "compensate": True}))

        async def read_just_before(workflow_id: UUID, /, *, after: int = 0) -> Any:
            found = await read(workflow_id, after=after)
            if place.store.read_inbox is read_just_before:
                del place.store.read_inbox
                await place.store.append_inbox(request)
            return found

        place.store.read_inbox = read_just_before
        await (await place.builder().load_workflow(run.id)).run()
        assert await place.status(run.id) is WorkflowStatus.CANCELLED
        assert DONE == ["hang", "hang cleaned up", "tidy"]

    in_place(scenario)


def test_a_request_during_a_body_that_blocks_the_loop_is_taken_before_the_next_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process asks while nothing of this one can listen; the step behind is not begun."""

    monkeypatch.setattr(_drive, "_LOOK_AGAIN_US", 0)

    async def scenario() -> None:
        store = SQLitePersistenceProvider(tmp_path / "runs.db")
        await store.initialize()
        place = Place(store)
        made = await place.builder().create_workflow("CancelBlocking", {})
        flows.DURING.append(lambda: _cancel_elsewhere(tmp_path / "runs.db", made.id))
        await made.run()
        assert await place.status(made.id) is WorkflowStatus.CANCELLED
        assert DONE == ["block the loop"]
        await store.close()

    asyncio.run(scenario())


def _cancel_elsewhere(path: Path, workflow_id: str) -> None:
    """A process of its own, as far as the store can tell; it has come to its end when this returns."""

    async def ask() -> None:
        store = SQLitePersistenceProvider(path)
        await store.initialize()
        entry = InboxEntry(
            UUID(workflow_id), InboxKind.CANCEL, "", orjson.dumps({"reason": "enough", "compensate": None})
        )
        await store.append_inbox(entry)
        await store.close()

    thread = threading.Thread(target=lambda: asyncio.run(ask()))
    thread.start()
    thread.join()
