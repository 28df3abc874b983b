"""Traces: one for each workflow, through its steps, its children, its waits and its processes."""

import asyncio
import builtins
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, TraceIdRatioBased

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.observability.otel import OpenTelemetryObserver, OtelObserver
from tests.support import tracing_flows as flows
from tests.unit.observability.conftest import World, play


class Traces:
    """A provider that keeps its spans in memory."""

    def __init__(self, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(**options)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (found,) = self.named(name)
        return found


def observer_of(traces: Traces, world: World) -> OtelObserver:
    """An observer on the clock of the engine."""
    return OtelObserver(traces.provider, clock=world.clock)


@pytest.fixture
def traces() -> Traces:
    """A fresh provider."""
    return Traces()


def test_a_workflow_is_one_trace(traces: Traces, world: World, played: Callable[..., Any]) -> None:
    """S1-042, S1-045, S1-046, S2-060: the root, its steps and waits below it, the child below the parent with its own steps."""
    run = played(observer_of(traces, world))
    root, below = traces.one("workflow.Traced"), traces.one("workflow.TracedBelow")
    assert {span.context.trace_id for span in traces.spans} == {root.context.trace_id}
    assert root.parent is None
    assert (root.attributes["workflow.id"], root.attributes["workflow.type"]) == (run.id, "Traced")
    under_root = {span.name for span in traces.spans if span.parent and span.parent.span_id == root.context.span_id}
    assert under_root == {"step.charge", "workflow.TracedBelow", "wait.human", "step.finish"}
    assert {span.parent.span_id for span in traces.named("step.insist")} == {below.context.span_id}
    assert below.attributes["workflow.parent_id"] == run.id
    charge = traces.one("step.charge")
    assert charge.attributes["step.name"] == "charge"
    assert charge.attributes["step.execution_time_ms"] >= 0
    assert charge.attributes["step.status"] == "charged"


def test_completion_ends_the_root(traces: Traces, world: World, played: Callable[..., Any]) -> None:
    """S1-047, S1-049: from creation to the end by the engine's clock, with the walk of the status."""
    played(observer_of(traces, world))
    root = traces.one("workflow.Traced")
    assert root.attributes["workflow.status"] == "completed"
    assert root.attributes["workflow.execution_time_ms"] >= 3_600_000
    assert (root.end_time - root.start_time) / 1_000_000 == root.attributes["workflow.execution_time_ms"]
    assert root.status.is_ok or root.status.is_unset
    changes = [dict(item.attributes) for item in root.events if item.name == "status_changed"]
    assert changes[-1] == {"old_status": "ACTIVE", "new_status": "COMPLETED"}
    assert all(before["new_status"] == after["old_status"] for before, after in pairwise(changes))


def test_failure_marks_the_root(traces: Traces, world: World, played: Callable[..., Any]) -> None:
    """S1-048: the status, the failed step, the exception; compensations have spans and events."""
    played(observer_of(traces, world), fails=True)
    root = traces.one("workflow.Traced")
    assert root.attributes["workflow.status"] == "failed"
    assert root.attributes["workflow.final_status"] == "FAILED_ROLLED_BACK"
    assert root.attributes["workflow.failed_step"] == "finish"
    assert not root.status.is_ok
    assert root.status.description == "ValueError: no good"
    raised = next(item for item in root.events if item.name == "exception")
    assert (raised.attributes["exception.type"], raised.attributes["exception.message"]) == ("ValueError", "no good")
    names = [item.name for item in root.events]
    assert names.index("compensation_started") < names.index("compensation_completed") < names.index("exception")
    first, again = traces.named("workflow.TracedBelow")  # it had completed before it was undone with its parent
    assert again.parent.span_id == first.context.span_id
    assert again.start_time >= first.end_time
    undo = traces.one("compensate.charge")
    assert undo.parent.span_id == root.context.span_id
    step = traces.one("step.finish")
    assert step.status.status_code is trace.StatusCode.ERROR
    assert [item.name for item in step.events] == ["exception"]


def test_each_attempt_is_a_span(traces: Traces, world: World, played: Callable[..., Any]) -> None:
    """The failed one with its error; the failure is an event of its workflow too."""
    played(observer_of(traces, world))
    attempts = [(span.attributes["step.attempt"], span.status.status_code.name) for span in traces.named("step.insist")]
    assert attempts == [(1, "ERROR"), (2, "UNSET")]
    failed = next(item for item in traces.one("workflow.TracedBelow").events if item.name == "step_failed")
    assert dict(failed.attributes) == {"step.name": "insist", "step.attempt": 1, "error.type": "ConnectionError"}


def test_another_process_goes_on_with_the_trace(world: World) -> None:
    """Nothing but the store is shared: the second process exports the root, and the wait with its whole length."""
    before, after = Traces(), Traces()

    async def work() -> Any:
        first, second = world.builder(observer_of(before, world)), world.builder(observer_of(after, world))
        return await play(first, second)

    run = asyncio.run(work())
    assert run.status == "COMPLETED"
    root = after.one("workflow.Traced")
    assert before.named("workflow.Traced") == []
    everything = (*before.spans, *after.spans)
    assert {span.context.trace_id for span in everything} == {root.context.trace_id}
    for span in (before.one("step.charge"), after.one("step.finish"), before.one("workflow.TracedBelow")):
        assert span.parent.span_id == root.context.span_id
    wait = after.one("wait.human")
    assert (wait.end_time - wait.start_time) / 1_000_000_000 >= 3600
    assert wait.attributes["workflow.wait_reason"] == "WAITING_HUMAN"
    assert root.start_time <= before.one("step.charge").start_time <= wait.start_time


def test_a_workflow_joins_the_trace_that_creates_it(traces: Traces, world: World) -> None:
    """The current span where it is created becomes its parent; the metadata keeps it."""

    async def work() -> Any:
        builder = world.builder(observer_of(traces, world))
        with traces.provider.get_tracer("caller").start_as_current_span("request"):
            run = await builder.create_workflow("Traced", flows.Order())
        await run.run()
        await run.answer(flows.Said(yes=True))

    asyncio.run(work())
    request, root = traces.one("request"), traces.one("workflow.Traced")
    assert root.parent.span_id == request.context.span_id
    assert {span.context.trace_id for span in traces.spans} == {request.context.trace_id}


def test_spans_of_a_body_are_below_its_step(traces: Traces, world: World) -> None:
    """What an instrumented client does inside a body belongs to the step."""
    tracer = traces.provider.get_tracer("client")
    observer = observer_of(traces, world)

    async def work() -> None:
        class Client:
            def intercept_step(self, call: Any, proceed: Callable[[], Any]) -> Any:
                with tracer.start_as_current_span(f"query {call.step}"):
                    return proceed()

        builder = world.builder(observer, Client())
        await play(builder, builder)

    asyncio.run(work())
    assert traces.one("query charge").parent.span_id == traces.one("step.charge").context.span_id


def test_no_workflow_stays_open(traces: Traces) -> None:
    """S1-050: after ten thousand of them, told by hand as the documents show, the table is empty."""

    async def work() -> OtelObserver:
        observer = OtelObserver(Traces(sampler=ALWAYS_OFF).provider)
        for number in range(10_000):
            await observer.on_workflow_started(f"id-{number}", "Type")
            await observer.on_step_executed(f"id-{number}", "one", {}, 1.0)
            await observer.on_workflow_completed(f"id-{number}")
        return observer

    assert asyncio.run(work()).open_workflows == 0


def test_hooks_told_by_hand_make_the_same_spans(traces: Traces) -> None:
    """Without the engine: the type comes from the start, the step's length from its duration."""

    async def work() -> None:
        observer = OtelObserver(traces.provider, "shop")
        await observer.on_workflow_started("id-1", "Shop")
        await observer.on_step_executed("id-1", "pay", {"status": "paid"}, 250.0)
        await observer.on_workflow_failed("id-1", ValueError("no"), "pay")

    asyncio.run(work())
    root, step = traces.one("workflow.Shop"), traces.one("step.pay")
    assert step.parent.span_id == root.context.span_id
    assert step.context.trace_id == root.context.trace_id
    assert dict(step.attributes) | {"step.status": "paid", "step.execution_time_ms": 250.0} == dict(step.attributes)
    assert root.attributes["service.name"] == "shop"


def test_the_global_provider_is_used_where_none_is_given(monkeypatch: pytest.MonkeyPatch, traces: Traces) -> None:
    """S2-061: as it is at the first event, not when the observer is made."""
    observer = OtelObserver()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: traces.provider)
    asyncio.run(observer.on_workflow_completed("id-1"))
    assert len(traces.spans) == 1


def test_the_resource_names_the_service() -> None:
    """S1-043, S1-044: an observer with an exporter of its own; everything is exported when it is closed."""
    exporter = InMemorySpanExporter()

    async def work(observer: OtelObserver) -> None:
        await observer.on_workflow_completed("id-1")
        await observer.close()

    asyncio.run(work(OtelObserver.exporting(exporter)))
    (span,) = exporter.get_finished_spans()
    assert span.resource.attributes["service.name"] == "ruvon-workflows"
    assert Resource.create({}).attributes["service.name"] != "ruvon-workflows"


def test_a_trace_is_kept_or_dropped_as_a_whole(world: World) -> None:
    """The sampler's word about a trace holds for its steps and children, in every process."""
    kept: list[int] = []

    async def work() -> None:
        for _ in range(40):
            before, after = Traces(sampler=TraceIdRatioBased(0.5)), Traces(sampler=TraceIdRatioBased(0.5))
            await play(world.builder(observer_of(before, world)), world.builder(observer_of(after, world)))
            kept.append(len(before.spans) + len(after.spans))

    asyncio.run(work())
    assert set(kept) == {0, max(kept)}


def test_without_the_package_nothing_happens(monkeypatch: pytest.MonkeyPatch, played: Callable[..., Any]) -> None:
    """S2-063: the observer can be made, and runs end as they would."""
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return real(name, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(builtins, "__import__", without)
        observer = OtelObserver()
    assert played(observer, fails=True).status == "FAILED_ROLLED_BACK"
    assert observer.open_workflows == 0
    assert OpenTelemetryObserver is OtelObserver


def test_the_builder_takes_it_beside_others(traces: Traces) -> None:
    """A builder without a run closes it, too."""
    asyncio.run(WorkflowBuilder(plugins=False, observer=OtelObserver(traces.provider)).close())
    assert traces.spans == ()
