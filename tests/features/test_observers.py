"""Observers: every documented hook fires, with its documented arguments, after the commit it tells of."""

import asyncio
import json
import logging
from itertools import pairwise
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.observability.logging import LoggingObserver
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.models import WorkflowStatus, may_become
from ruvon.providers.observer import HOOKS, NoopObserver, WorkflowObserver
from tests.features import flows
from tests.features.flows import Consent, Trip
from tests.support.engine_world import CountedIds, JumpingClock


class Recorder:
    """A plain class with every hook, without a base class."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        if name not in HOOKS:
            raise AttributeError(name)

        async def hook(**arguments: Any) -> None:
            self.heard.append((name, arguments))

        return hook

    def of(self, hook: str) -> list[dict[str, Any]]:
        """What one hook was told."""
        return [arguments for name, arguments in self.heard if name == hook]


def run(name: str, *observers: object, answer: bool = True) -> Any:
    """Run a workflow to its end before these observers."""

    async def work() -> Any:
        clock = JumpingClock()
        builder = WorkflowBuilder(
            persistence_provider=MemoryPersistenceProvider(clock),
            clock=clock,
            ids=CountedIds(),
            plugins=False,
            import_roots=["tests"],
            observers=observers,
        )
        builder.register(flows.part, flows.trip, flows.refused, flows.stubborn)
        workflow = await builder.create_workflow(name, Trip())
        await workflow.run()
        if workflow.waiting_for:
            clock.advance(1_000_000)
            await workflow.answer(Consent(given=answer))
        return workflow

    return asyncio.run(work())


@pytest.fixture
def good() -> tuple[Any, Recorder]:
    """A run that ends well, and what was heard of it."""
    recorder = Recorder()
    return run("FeatureTrip", recorder), recorder


@pytest.fixture
def undone() -> tuple[Any, Recorder]:
    """A run that is rolled back, and what was heard of it."""
    recorder = Recorder()
    return run("FeatureRefused", recorder), recorder


def test_started_tells_id_type_and_initial_state(good: tuple[Any, Recorder]) -> None:
    """S1-037, S2-048."""
    workflow, recorder = good
    first = recorder.of("on_workflow_started")[0]

    assert (first["workflow_id"], first["workflow_type"]) == (workflow.id, "FeatureTrip")
    assert first["initial_state"] == {"booked": [], "cancelled": []}


def test_step_executed_tells_step_result_and_duration(good: tuple[Any, Recorder]) -> None:
    """S1-038, S2-049: the time is a number of milliseconds for a step that ran here."""
    workflow, recorder = good
    steps = [item for item in recorder.of("on_step_executed") if item["workflow_id"] == workflow.id]

    assert steps[0]["step_name"] == "book"
    assert {"twice", "twice_2"} <= {item["step_name"] for item in steps[1:]}  # side by side, in any order
    assert steps[0]["result"] == {"booked": ["flight"]}
    assert steps[0]["duration_ms"] >= 0


def test_completed_tells_final_state_and_total_time_once(good: tuple[Any, Recorder]) -> None:
    """S1-039, S2-051: exactly once for each run, the person's time included."""
    workflow, recorder = good
    (told,) = [item for item in recorder.of("on_workflow_completed") if item["workflow_id"] == workflow.id]

    assert told["final_state"]["booked"] == ["flight"]
    assert told["duration_ms"] >= 1000


def test_failed_tells_error_and_step_once(undone: tuple[Any, Recorder]) -> None:
    """S1-040, S2-052."""
    workflow, recorder = undone
    (told,) = recorder.of("on_workflow_failed")

    assert (told["workflow_id"], told["step_name"]) == (workflow.id, "pay")
    assert isinstance(told["error"], flows.CardRefused)


@pytest.mark.parametrize("name", ["FeatureTrip", "FeatureRefused", "FeatureStubborn"])
def test_status_changes_are_a_walk_of_the_status_table(name: str) -> None:
    """S1-041, S2-053: each change begins where the one before has ended, and the table allows it."""
    recorder = Recorder()
    workflow = run(name, recorder)
    told = [item for item in recorder.of("on_workflow_status_changed") if item["workflow_id"] == workflow.id]
    pairs = [(WorkflowStatus(item["old_status"]), WorkflowStatus(item["new_status"])) for item in told]

    assert pairs[0][0] is WorkflowStatus.ACTIVE
    assert pairs[-1][1] is workflow.status
    assert all(before[1] is after[0] for before, after in pairwise(pairs))
    assert all(may_become(old, new) for old, new in pairs)


def test_paused_tells_the_step_and_why(good: tuple[Any, Recorder]) -> None:
    """S2-054: a person is waited for."""
    _, recorder = good

    assert [(item["step_name"], item["reason"]) for item in recorder.of("on_workflow_paused")] == [
        ("human", "WAITING_HUMAN")
    ]


def test_resumed_tells_what_arrived(good: tuple[Any, Recorder]) -> None:
    """S2-055."""
    workflow, recorder = good
    told = [item for item in recorder.of("on_workflow_resumed") if item["step_name"] == "human"]

    assert [item["workflow_id"] for item in told] == [workflow.id]
    assert "given" in str(told[0]["resume_data"])


def test_compensations_are_told_in_reverse(undone: tuple[Any, Recorder]) -> None:
    """S2-056, S2-057: each start with its index from the last completed step, each end with its success."""
    _, recorder = undone
    hooks = [name for name, _ in recorder.heard if "compensation" in name]
    started = [(item["step_name"], item["step_index"]) for item in recorder.of("on_compensation_started")]

    assert hooks == ["on_compensation_started", "on_compensation_completed"] * 2
    assert started == [("book_2", 0), ("book", 1)]
    assert all(item["success"] and item["error"] is None for item in recorder.of("on_compensation_completed"))


def test_a_compensation_that_fails_is_told_too() -> None:
    """S2-057: with its error; the other one is still tried."""
    recorder = Recorder()
    run("FeatureStubborn", recorder)
    told = [
        (item["step_name"], item["success"], str(item["error"])) for item in recorder.of("on_compensation_completed")
    ]

    assert told == [("book_2", False, "the hotel does not answer"), ("book", True, "None")]


def test_a_child_is_told_with_its_parent(good: tuple[Any, Recorder]) -> None:
    """S2-058."""
    workflow, recorder = good
    (told,) = recorder.of("on_child_workflow_started")
    children = [
        item["workflow_id"] for item in recorder.of("on_workflow_started") if item["workflow_id"] != workflow.id
    ]

    assert (told["parent_id"], told["child_type"]) == (workflow.id, "FeaturePart")
    assert children in ([], [told["child_id"]])


def test_a_subclass_overrides_what_it_wants() -> None:
    """S2-046, S2-047: the base class has a no-op for the rest, and what is duck-typed works beside it."""
    heard: list[str] = []

    class Derived(WorkflowObserver):
        async def on_step_executed(
            self, workflow_id: str, step_name: str, result: Any, duration_ms: float | None = None
        ) -> None:
            heard.append(f"derived {step_name}")

    class Duck:
        def on_step_executed(self, step_name: str) -> None:
            heard.append(f"duck {step_name}")

    workflow = run("FeatureRefused", Derived(), Duck())

    assert workflow.status == "FAILED_ROLLED_BACK"
    assert heard == ["derived book", "duck book", "derived book_2", "duck book_2"]


def test_a_class_with_one_hook_is_an_observer() -> None:
    """S1-036: no base class, and only the arguments that it names."""
    heard: list[str] = []

    class OneHook:
        async def on_workflow_started(self, workflow_type: str) -> None:
            heard.append(workflow_type)

    run("FeatureRefused", OneHook())

    assert heard == ["FeatureRefused"]


@pytest.mark.parametrize("hook", HOOKS)
def test_an_observer_that_raises_harms_nothing(hook: str, caplog: pytest.LogCaptureFixture) -> None:
    """S2-059: whichever hook fails, both runs end as without it, and it is logged."""
    recorder = Recorder()

    async def bad(**_: Any) -> None:
        raise RuntimeError("the observer is broken")

    broken = type("Broken", (), {hook: staticmethod(bad)})()
    ends = [run(name, broken, recorder).status for name in ("FeatureTrip", "FeatureRefused")]

    assert ends == ["COMPLETED", "FAILED_ROLLED_BACK"]
    assert recorder.of(hook)
    assert f"failed in {hook}" in caplog.text


def test_nobody_listens_by_default() -> None:
    """S2-066: without an observer a run is the same; the no-op one is in `ruvon.providers.observer`."""
    assert isinstance(NoopObserver(), WorkflowObserver)
    assert run("FeatureTrip").result == run("FeatureTrip", NoopObserver()).result == 20


def test_the_logging_observer_writes_one_json_object_a_line(caplog: pytest.LogCaptureFixture) -> None:
    """S2-064: each line has the event and the workflow's id, and a step's line its step."""
    caplog.set_level(logging.INFO, logger="ruvon.workflows")

    workflow = run("FeatureRefused", LoggingObserver())
    lines = [json.loads(record.getMessage()) for record in caplog.records if record.name == "ruvon.workflows"]

    assert {line["workflow_id"] for line in lines} == {workflow.id}
    assert [line["step"] for line in lines if line["event"] == "step_executed"] == ["book", "book_2"]
    assert lines[-1]["event"] in {"workflow_failed", "status_changed"}
