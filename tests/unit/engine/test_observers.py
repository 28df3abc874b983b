"""Observers: every documented hook with its documented arguments; whatever one does, workflows go on."""

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.engine import StepCall, _courier
from ruvon.ir import Definition, ImportRoots
from ruvon.providers.observer import HOOKS, ObservedWorkflow, WorkflowObserver
from ruvon.testing import TestHarness
from ruvon_dsl import compile_function, require
from tests.support import observed_flows as flows
from tests.support.engine_world import CountedIds, JumpingClock
from tests.support.observed_flows import Case, Said


@cache
def _definitions() -> tuple[Definition, ...]:
    roots = ImportRoots({"tests"})
    found = (compile_function(item, roots=roots) for item in (flows.below, flows.observed))
    return tuple(item.definition for result in found for item in require(result))


def make_builder(*observers: object) -> WorkflowBuilder:
    builder = WorkflowBuilder(
        clock=JumpingClock(), ids=CountedIds(), plugins=False, import_roots=["tests"], observers=observers
    )
    builder.register(*_definitions())
    return builder


class Recorder(WorkflowObserver):
    """Has every hook of the base class, with its arguments."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []


def _recording(name: str) -> Callable[..., Awaitable[None]]:
    async def hook(self: Recorder, **given: Any) -> None:
        self.told.append((name, given))

    return hook


for _name in HOOKS:
    setattr(Recorder, _name, _recording(_name))


async def driven(builder: WorkflowBuilder, *, yes: bool) -> Any:
    run = await builder.create_workflow("Observed", Case())
    await run.run()
    await run.answer(Said(yes=yes))
    return run


def told_of(*, yes: bool) -> tuple[Any, list[tuple[str, dict[str, Any]]]]:
    """A run, and what an observer heard of it and of its child."""
    recorder = Recorder()
    run = asyncio.run(driven(make_builder(recorder), yes=yes))
    return run, recorder.told


def test_every_hook_is_called_with_every_documented_argument() -> None:
    """Those of the base class, no more and no fewer (S2-048 to S2-058, S1-037 to S1-041)."""
    told = told_of(yes=True)[1] + told_of(yes=False)[1]
    assert {name for name, _ in told} == set(HOOKS)
    for name, given in told:
        wanted = set(inspect.signature(getattr(WorkflowObserver, name)).parameters) - {"self"}
        more = {"source", "attempt"} if name == "on_step_executed" else {"source"}
        assert set(given) == wanted | more, name


def test_every_event_says_which_instance_it_is_of() -> None:
    """Beside its own arguments: type, version, parent and status of the instance, and when it happened."""
    run, told = told_of(yes=True)
    mine = [given["source"] for _, given in told if given["source"].workflow_id == run.id]
    below = [given["source"] for _, given in told if given["source"].workflow_id != run.id]
    assert {item.workflow_type for item in mine} == {"Observed"}
    assert {(item.workflow_type, item.parent_id) for item in below} == {("Below", run.id)}
    assert [item.at_us for item in mine] == sorted(item.at_us for item in mine)
    assert mine[-1].status == "COMPLETED"
    attempts = [
        given["attempt"] for name, given in told if name == "on_step_executed" and given["step_name"] == "insist"
    ]
    assert attempts == [2]


def test_a_child_is_told_as_an_instance_of_its_own() -> None:
    """Its start comes behind the event of its parent, once, with its own initial state (S2-048, S2-058)."""
    run, told = told_of(yes=True)
    begun = [given for name, given in told if name == "on_workflow_started"]
    assert [(item["workflow_type"], item["initial_state"]) for item in begun] == [
        ("Observed", {"number": 0, "good": True}),
        ("Below", {"number": 5, "good": True}),
    ]
    names = [name for name, _ in told]
    assert names.index("on_child_workflow_started") + 1 == names.index("on_workflow_started", 1)


def test_a_run_that_completes_is_told_in_order() -> None:
    """The parent's own story, from its start to its end."""
    run, told = told_of(yes=True)
    own = [(name, given) for name, given in told if run.id in (given.get("workflow_id"), given.get("parent_id"))]
    assert [name.removeprefix("on_") for name, _ in own] == [
        "workflow_started",
        "step_executed",
        "child_workflow_started",
        "workflow_status_changed",
        "workflow_status_changed",
        "workflow_paused",
        "workflow_resumed",
        "workflow_status_changed",
        "step_executed",
        "workflow_status_changed",
        "workflow_completed",
    ]
    changes = [(given["old_status"], given["new_status"]) for name, given in own if name.endswith("status_changed")]
    assert changes == [
        ("ACTIVE", "PENDING_SUB_WORKFLOW"),
        ("PENDING_SUB_WORKFLOW", "WAITING_HUMAN"),
        ("WAITING_HUMAN", "ACTIVE"),
        ("ACTIVE", "COMPLETED"),
    ]
    said = dict(own)
    assert said["on_workflow_resumed"]["resume_data"] == Said(yes=True)
    assert said["on_workflow_completed"]["final_state"] == {"number": 1, "good": True}
    assert said["on_workflow_completed"]["duration_ms"] == 1000.0


def test_a_child_that_had_nothing_to_undo_is_not_called_undone() -> None:
    """The hook and the log of the parent say so."""
    run, told = told_of(yes=False)
    ends = [(given["step_name"], given["is_empty"]) for name, given in told if name == "on_compensation_completed"]
    notes = [(item["step"], item.get("note")) for item in asyncio.run(run.history()) if item["kind"] == "compensate"]
    assert ends == [("Below", True), ("prepare", False)]
    assert notes == [("Below", "it had done nothing that could be undone"), ("prepare", None)]


def test_a_rollback_is_told_newest_first() -> None:
    """Each compensation with its place; the failure once, at its end."""
    run, told = told_of(yes=False)
    undone = [
        (name, given["step_name"], given.get("step_index"), given.get("success"))
        for name, given in told
        if "compensation" in name
    ]
    assert undone == [
        ("on_compensation_started", "Below", 0, None),
        ("on_compensation_completed", "Below", None, True),
        ("on_compensation_started", "prepare", 1, None),
        ("on_compensation_completed", "prepare", None, True),
    ]
    failed = [given for name, given in told if name == "on_workflow_failed" and given["workflow_id"] == run.id]
    assert [(type(given["error"]), given["step_name"]) for given in failed] == [(ValueError, "finish")]


def test_what_is_told_is_stored_already() -> None:
    """A hook that looks into the store sees what it is told (S4-040)."""
    seen: list[tuple[str, str]] = []

    class Looking:
        builder: WorkflowBuilder

        async def on_workflow_status_changed(self, workflow_id: str, new_status: str) -> None:
            seen.append(((await self.builder.load_workflow(workflow_id)).status.value, new_status))

    watcher = Looking()
    watcher.builder = make_builder(watcher)
    asyncio.run(driven(watcher.builder, yes=True))
    assert seen
    assert all(stored in {new, "COMPLETED"} for stored, new in seen)


class Broken:
    """Raises whatever it can in every hook."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        if name not in HOOKS:
            raise AttributeError(name)

        async def hook(**_: Any) -> None:
            raise self.error

        return hook


@pytest.mark.parametrize("error", [RuntimeError("broken"), asyncio.CancelledError()], ids=["raises", "cancels itself"])
def test_several_at_once_of_which_one_is_broken(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """The others hear everything, and the workflow ends as it would (S2-059)."""
    before, after = Recorder(), Recorder()
    run = asyncio.run(driven(make_builder(before, Broken(error), after), yes=False))
    assert run.status == "FAILED_ROLLED_BACK"
    alone = told_of(yes=False)[1]
    for heard in (before.told, after.told):  # between a parent and its child chance decides
        assert sorted(name for name, _ in heard) == sorted(name for name, _ in alone)
    assert "the observer Broken failed in on_step_executed" in caplog.text


class Hanging:
    """Waits for ever in its first hook."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def on_step_executed(self, step_name: str) -> None:
        self.heard.append(step_name)
        try:
            await asyncio.Event().wait()
        finally:
            self.heard.append("cancelled")

    async def on_workflow_completed(self) -> None:
        self.heard.append("completed")


def _elapsed(*observers: object) -> tuple[timedelta, str]:
    """The virtual time that a run takes, and its status."""
    with TestHarness(builder=make_builder(*observers)) as harness:
        begun = harness.clock.now()
        run = harness.start("Observed", Case())
        run.answer(Said(yes=True))
        return harness.clock.now() - begun, run.status


def test_one_that_hangs_holds_up_nothing() -> None:
    """In virtual time a run before it takes exactly as long as one before nobody; the others hear everything."""
    recorder = Recorder()
    assert _elapsed(Hanging(), recorder) == _elapsed()
    assert [name for name, _ in recorder.told] == [name for name, _ in told_of(yes=True)[1]]


def test_one_that_hangs_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    """Its hook is cancelled after five seconds, and it is told nothing more."""
    hanging = Hanging()
    with caplog.at_level(logging.ERROR), TestHarness(builder=make_builder(hanging)) as harness:
        run = harness.start("Observed", Case())
        harness.advance(timedelta(seconds=6))
        run.answer(Said(yes=True))
        assert run.status == "COMPLETED"
        assert hanging.heard == ["prepare", "cancelled"]
    assert [item.getMessage() for item in caplog.records if item.name == "ruvon.observers"] == [
        "the observer Hanging did not return from on_step_executed within 5 seconds; it is told nothing more"
    ]


class Late:
    """Waits in its first hook until it is let go."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.heard: list[str] = []

    async def on_step_executed(self, step_name: str) -> None:
        await self.gate.wait()
        self.heard.append(step_name)


def test_closing_the_builder_tells_the_rest() -> None:
    """A slow observer has heard everything in order when `close` returns."""

    async def work() -> list[str]:
        late = Late()
        builder = make_builder(late)
        run = await driven(builder, yes=True)
        assert (run.status.value, late.heard) == ("COMPLETED", [])
        asyncio.get_running_loop().call_soon(late.gate.set)
        await builder.close()
        return late.heard

    assert asyncio.run(work()) == ["prepare", "insist", "finish"]


def test_a_loop_that_ends_without_close_tells_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    """The hook under way is cancelled with its loop; what has queued up behind it is told then."""
    heard: list[str] = []

    class First:
        async def on_step_executed(self, step_name: str) -> None:
            if step_name == "prepare":
                await asyncio.Event().wait()
            heard.append(step_name)

    asyncio.run(driven(make_builder(First()), yes=True))
    assert heard == ["insist", "finish"]
    assert "the observer First failed in on_step_executed: it was cancelled" in caplog.text


def test_what_a_slow_one_cannot_hear_is_dropped_and_counted(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory is bounded: beyond so many waiting calls further ones are dropped, which is logged with their number."""
    monkeypatch.setattr(_courier, "_MOST_QUEUED", 1)

    async def work() -> list[str]:
        late = Late()
        builder = make_builder(late)
        await driven(builder, yes=True)
        late.gate.set()
        await builder.close()
        return late.heard

    assert asyncio.run(work()) == ["prepare", "insist"]
    assert "the observer Late is too slow: 1 calls wait for it" in caplog.text
    assert "the observer Late has caught up; 1 calls were dropped" in caplog.text


def test_a_function_that_holds_up_the_loop_is_called_in_a_thread(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its second call on, with a warning; in order still."""
    monkeypatch.setattr(_courier, "_LONGEST_BLOCK_S", -1.0)
    heard: list[tuple[str, bool]] = []

    class Blocking:
        def on_step_executed(self, step_name: str) -> None:
            heard.append((step_name, threading.current_thread() is threading.main_thread()))

    async def work() -> None:
        builder = make_builder(Blocking())
        await driven(builder, yes=True)
        await builder.close()

    asyncio.run(work())
    assert heard == [("prepare", True), ("insist", False), ("finish", False)]
    assert "the observer Blocking held up everything in on_step_executed" in caplog.text


def test_one_observer_needs_no_list_and_is_closed_with_the_builder() -> None:
    """`observer=` takes one or several; what derives from the base class is closed, and a failure of that is logged."""
    heard: list[str] = []

    class Closing(WorkflowObserver):
        async def close(self) -> None:
            heard.append("closed")

    class Failing(WorkflowObserver):
        async def close(self) -> None:
            heard.append("fails")
            raise OSError("gone")

    async def work() -> None:
        for given in (Closing(), [Failing(), Closing()]):
            await WorkflowBuilder(plugins=False, observer=given).close()

    asyncio.run(work())
    assert heard == ["closed", "fails", "closed"]


def test_an_observer_may_bring_metadata_and_an_interceptor() -> None:
    """What it gives is stored with a new instance and with each child; what it raises there touches nothing."""
    seen: list[tuple[str, int]] = []

    class Bringing(WorkflowObserver):
        def metadata_for_new(self, parent: ObservedWorkflow | None) -> dict[str, object]:
            return {"from": parent.workflow_type if parent is not None else "outside"}

        def intercept_step(self, call: StepCall, proceed: Callable[[], Any]) -> Any:
            seen.append((call.step, call.attempt))
            return proceed()

    class Broken(WorkflowObserver):
        def metadata_for_new(self, parent: ObservedWorkflow | None) -> dict[str, object]:
            raise LookupError("nothing")

    recorder = Recorder()
    run = asyncio.run(driven(make_builder(Bringing(), Broken(), recorder), yes=True))
    assert run.status == "COMPLETED"
    kept = {given["source"].workflow_type: dict(given["source"].metadata) for _, given in recorder.told}
    assert kept == {"Observed": {"from": "outside"}, "Below": {"from": "Observed"}}
    assert seen == [("prepare", 1), ("insist", 1), ("insist", 2), ("finish", 1)]


def test_a_hook_that_gives_up_a_limit_of_its_own_reaches_no_step() -> None:
    """A hook runs in a task of its own, so what it does to its task is its own affair."""

    class Impatient:
        async def on_step_executed(self) -> None:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.Event().wait()

    run = asyncio.run(driven(make_builder(Impatient()), yes=True))
    assert run.status == "COMPLETED"
