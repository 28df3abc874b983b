"""Observers: every documented hook with its documented arguments; whatever one does, workflows go on."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.ir import Definition, ImportRoots
from ruvon.providers.observer import HOOKS, WorkflowObserver
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
        assert set(given) == wanted, name


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


def test_one_that_hangs_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    """Its hook is cancelled after five seconds, in which nothing but the run that waited for it stands still."""
    cancelled: list[str] = []

    class Hanging:
        async def on_step_executed(self, step_name: str) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append(step_name)

        async def on_workflow_completed(self) -> None:
            cancelled.append("told more")

    recorder = Recorder()
    with caplog.at_level(logging.ERROR), TestHarness(builder=make_builder(Hanging(), recorder)) as harness:
        run = harness.start("Observed", Case())
        run.answer(Said(yes=True))
        assert run.status == "COMPLETED"
    assert cancelled == ["prepare"]
    assert "on_workflow_completed" in [name for name, _ in recorder.told]
    assert [item.getMessage() for item in caplog.records if item.name == "ruvon.observers"] == [
        "the observer Hanging did not return from on_step_executed within 5 seconds; it is told nothing more"
    ]


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
