"""`OtelObserver`: one trace for each workflow, its steps and its children, through whatever processes they run.

| span | from | to | exported by |
|---|---|---|---|
| `workflow.<type>` | creation | end | the process that ends it |
| `step.<name>` | one attempt of a body | its return or error | the process that runs it |
| `compensate.<name>` | one attempt to undo a step | its return or error | the process that runs it |
| `wait.<name>` | the moment the workflow paused | what it waited for came | the process that goes on |

No span is kept open in memory over a wait. While a body runs its span is the current one, so spans that the body starts, and
headers that an instrumented client sends, belong to it.
"""

import asyncio
import inspect
from collections import Counter, OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast, final

from ruvon.implementations.observability._trace_ids import TRACEPARENT, PresetIds, TracePlace, place_of
from ruvon.models import (
    StartSubWorkflowDirective,
    WorkflowJumpDirective,
    WorkflowPauseDirective,
    WorkflowStatus,
)
from ruvon.providers import Clock, MissingExtraError, SystemClock
from ruvon.providers.observer import ObservedWorkflow, WorkflowObserver

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer, TracerProvider

    from ruvon.engine import StepCall

__all__ = ["OpenTelemetryObserver", "OtelObserver"]

_MOST_OPEN: Final = 10_000
"""Workflows whose events are kept for their span; the one that was quiet for the longest time is forgotten first."""
_MOST_EVENTS: Final = 128
"""Events of one workflow that are kept for its span, the newest."""
_NO_ERRORS: Final = (StartSubWorkflowDirective, WorkflowJumpDirective, WorkflowPauseDirective)
_TERMINAL: Final = frozenset(item.value for item in WorkflowStatus if item.is_terminal)
_NS: Final = 1000
"""Nanoseconds, in which spans count, in a microsecond."""


@final
@dataclass(slots=True)
class _Open:
    """What is known here of a workflow that has not ended."""

    begun_us: int
    reopened_us: int | None = None
    """When it went on after an end: retried, or undone as a part of its parent."""
    workflow_type: str = ""
    """Where the observer is told by hand, which says it only at the start."""
    events: deque[tuple[str, int, dict[str, Any]]] = field(default_factory=lambda: deque(maxlen=_MOST_EVENTS))
    paused: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    """When and why it began to wait, by step."""
    traced: Counter[str] = field(default_factory=Counter[str])
    """Attempts whose spans have ended and whose hook was not called yet, by step."""


@final
class OtelObserver(WorkflowObserver):
    """Makes OpenTelemetry spans; does nothing where `opentelemetry-api` is not installed.

    Args:
        tracer_provider: where spans go; the global provider, as it is at the first event, where none is given.
        service_name: the attribute `service.name` of workflow spans; the resource of the provider has its own.
        clock: what time it is.
    """

    def __init__(
        self,
        tracer_provider: "TracerProvider | None" = None,
        service_name: str = "ruvon",
        *,
        clock: Clock | None = None,
    ) -> None:
        try:
            from opentelemetry import trace  # noqa: PLC0415 - an optional dependency
        except ImportError:
            self._api: Any = None
        else:
            self._api = trace
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._provider = tracer_provider
        self._service_name = service_name
        self._tracer: Any = None
        self._ids: PresetIds | None = None
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._owns_provider = False

    @classmethod
    def exporting(cls, exporter: "SpanExporter", service_name: str = "ruvon-workflows") -> "OtelObserver":
        """An observer with a provider of its own, which exports in batches from a thread.

        Args:
            exporter: where spans go: `OTLPSpanExporter()` for Jaeger, Tempo and collectors, `ZipkinExporter()` for Zipkin.
            service_name: the resource's `service.name`.

        Raises:
            MissingExtraError: `opentelemetry-sdk` is not installed.
        """
        try:
            from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an optional dependency
            from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        except ImportError:
            raise MissingExtraError("otel", "opentelemetry-sdk") from None
        provider = TracerProvider(resource=Resource.create({"service.name": service_name}))
        provider.add_span_processor(BatchSpanProcessor(exporter))
        made = cls(provider, service_name)
        made._owns_provider = True
        return made

    async def close(self) -> None:
        """Export what a provider of its own still has; other providers are their owner's."""
        if self._owns_provider:
            await asyncio.to_thread(cast("Any", self._provider).force_flush)

    @property
    def open_workflows(self) -> int:
        """Workflows whose events are kept here until they end."""
        return len(self._open)

    # Contexts

    def _get_tracer(self) -> "Tracer":
        if self._tracer is None:
            provider = self._provider if self._provider is not None else self._api.get_tracer_provider()
            tracer: Any = provider.get_tracer("ruvon")
            if hasattr(tracer, "id_generator"):  # that of the SDK; others choose the ids by themselves
                self._ids = PresetIds(tracer.id_generator)
                tracer.id_generator = self._ids
            elif self._provider is None:
                return cast("Tracer", tracer)  # nobody has set a provider yet
            self._tracer = tracer
        return cast("Tracer", self._tracer)

    def _is_sampled(self, place: TracePlace, workflow_type: str) -> bool:
        if place.sampled is not None:
            return place.sampled
        sampler = getattr(self._get_tracer(), "sampler", None)
        if sampler is None:
            return True
        return bool(sampler.should_sample(None, place.trace_id, f"workflow.{workflow_type}").decision.is_sampled())

    def _context(self, place: TracePlace, span_id: int, *, sampled: bool) -> "Context":
        """A context below a span of any process."""
        api = self._api
        flags = api.TraceFlags(api.TraceFlags.SAMPLED if sampled else api.TraceFlags.DEFAULT)
        parent = api.SpanContext(place.trace_id, span_id, is_remote=True, trace_flags=flags)
        from opentelemetry.context import Context  # noqa: PLC0415 - present where the observer does anything

        return cast("Context", api.set_span_in_context(api.NonRecordingSpan(parent), Context()))

    def _below(self, workflow_id: str, workflow_type: str, metadata: Mapping[str, object]) -> "Context":
        """The context of what happens in a workflow."""
        place = place_of(workflow_id, metadata)
        return self._context(place, place.span_id, sampled=self._is_sampled(place, workflow_type))

    def metadata_for_new(self, parent: ObservedWorkflow | None) -> Mapping[str, object]:
        """The `traceparent` of a new instance: its parent's span, or the span that is current where it is created."""
        if self._api is None:
            return {}
        if parent is not None:
            place = place_of(parent.workflow_id, parent.metadata)
            sampled = self._is_sampled(place, parent.workflow_type)
            return {TRACEPARENT: f"00-{place.trace_id:032x}-{place.span_id:016x}-{int(sampled):02x}"}
        current = self._api.get_current_span().get_span_context()
        if not current.is_valid:
            return {}
        return {TRACEPARENT: f"00-{current.trace_id:032x}-{current.span_id:016x}-{current.trace_flags & 1:02x}"}

    # Bodies

    def intercept_step(self, call: "StepCall", proceed: Callable[[], Any]) -> Any:
        """Run a body inside a span."""
        if self._api is None:
            return proceed()
        begun_us = self._clock.now_us()
        span = self._begin(call, begun_us)
        try:
            with self._api.use_span(span, record_exception=False, set_status_on_exception=False):
                made = proceed()
        except BaseException as exc:
            self._finish(call, span, begun_us, error=exc)
            raise
        if inspect.isawaitable(made):
            return self._awaited(call, span, begun_us, made)
        self._finish(call, span, begun_us, made)
        return made

    async def _awaited(self, call: "StepCall", span: "Span", begun_us: int, made: Awaitable[Any]) -> Any:
        try:
            with self._api.use_span(span, record_exception=False, set_status_on_exception=False):
                result = await made
        except BaseException as exc:
            self._finish(call, span, begun_us, error=exc)
            raise
        self._finish(call, span, begun_us, result)
        return result

    def _begin(self, call: "StepCall", begun_us: int) -> "Span":
        name = f"{'compensate' if call.compensates else 'step'}.{call.step}"
        attributes: dict[str, Any] = {
            "workflow.id": call.workflow_id,
            "workflow.type": call.workflow_type,
            "step.name": call.step,
            "step.attempt": call.attempt,
            "step.activation": call.activation,
        }
        context = self._below(call.workflow_id, call.workflow_type, call.metadata)
        return self._get_tracer().start_span(name, context, attributes=attributes, start_time=begun_us * _NS)

    def _finish(
        self,
        call: "StepCall",
        span: "Span",
        begun_us: int,
        result: Any = None,
        error: BaseException | None = None,
    ) -> None:
        if not call.compensates:
            self._known(call.workflow_id, begun_us).traced[call.step] += 1
        if isinstance(error, asyncio.CancelledError):
            span.set_attribute("step.cancelled", True)
        elif error is not None and not isinstance(error, _NO_ERRORS):
            self._add_error(span, error)
        _add_status(span, result)
        now_us = self._clock.now_us()
        span.set_attribute("step.execution_time_ms", (now_us - begun_us) / 1000)
        span.end(now_us * _NS)

    def _add_error(self, span: "Span", error: BaseException, at_ns: int | None = None) -> None:
        span.record_exception(error, timestamp=at_ns)
        status = self._api.Status(self._api.StatusCode.ERROR, f"{type(error).__qualname__}: {error}")
        span.set_status(status)

    # Hooks

    def _known(self, workflow_id: str, at_us: int) -> _Open:
        found = self._open.get(workflow_id)
        if found is None:
            if len(self._open) >= _MOST_OPEN:
                self._open.popitem(last=False)
            found = self._open[workflow_id] = _Open(at_us)
        self._open.move_to_end(workflow_id)
        return found

    def _note(self, event: str, workflow_id: str, source: ObservedWorkflow | None, **attributes: Any) -> None:
        """Keep an event for the span of the workflow."""
        if self._api is not None:
            at_us = source.at_us if source is not None else self._clock.now_us()
            given = {name.replace("__", "."): value for name, value in attributes.items() if value is not None}
            self._known(workflow_id, at_us).events.append((event, at_us * _NS, given))

    async def on_workflow_started(
        self,
        workflow_id: str,
        workflow_type: str,
        initial_state: Mapping[str, Any] | None = None,
        *,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """Nothing is open from here on: the span is made when the workflow ends."""
        if source is None and self._api is not None:  # told by hand: the type comes only here
            self._known(workflow_id, self._clock.now_us()).workflow_type = workflow_type

    async def on_step_executed(
        self,
        workflow_id: str,
        step_name: str,
        result: Any,
        duration_ms: float | None = None,
        *,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """A span for a step that ran without one, which only happens where observers are told by hand."""
        if self._api is None or self._was_traced(workflow_id, step_name):
            return
        source = source or self._by_hand(workflow_id)
        end_ns = source.at_us * _NS
        span = self._get_tracer().start_span(
            f"step.{step_name}",
            self._below(workflow_id, source.workflow_type, source.metadata),
            attributes={"workflow.id": workflow_id, "workflow.type": source.workflow_type, "step.name": step_name},
            start_time=end_ns - int((duration_ms or 0) * 1_000_000),
        )
        if duration_ms is not None:
            span.set_attribute("step.execution_time_ms", duration_ms)
        _add_status(span, result)
        span.end(end_ns)

    def _was_traced(self, workflow_id: str, step: str) -> bool:
        known = self._open.get(workflow_id)
        if known is None or not known.traced[step]:
            return False
        known.traced[step] -= 1
        return True

    async def on_step_failed(
        self,
        workflow_id: str,
        step_name: str,
        error: BaseException,
        attempt: int = 1,
        *,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """An event of the workflow's span."""
        self._was_traced(workflow_id, step_name)
        name = type(error).__qualname__
        self._note("step_failed", workflow_id, source, step__name=step_name, step__attempt=attempt, error__type=name)

    async def on_workflow_status_changed(
        self, workflow_id: str, old_status: str, new_status: str, *, source: ObservedWorkflow | None = None
    ) -> None:
        """An event of the workflow's span."""
        if self._api is not None and old_status in _TERMINAL:
            at_us = source.at_us if source is not None else self._clock.now_us()
            self._known(workflow_id, at_us).reopened_us = at_us
        self._note("status_changed", workflow_id, source, old_status=old_status, new_status=new_status)

    async def on_workflow_paused(
        self, workflow_id: str, step_name: str, reason: str, *, source: ObservedWorkflow | None = None
    ) -> None:
        """An event of the workflow's span, and the beginning of a wait."""
        if self._api is not None:
            at_us = source.at_us if source is not None else self._clock.now_us()
            self._known(workflow_id, at_us).paused[step_name] = (at_us, reason)
            self._note("workflow_paused", workflow_id, source, step__name=step_name, reason=reason)

    async def on_workflow_resumed(
        self, workflow_id: str, step_name: str, resume_data: Any = None, *, source: ObservedWorkflow | None = None
    ) -> None:
        """An event of the workflow's span, and the span of the wait."""
        if self._api is None:
            return
        source = source or self._by_hand(workflow_id)
        known = self._known(workflow_id, source.at_us)
        # Paused by another process, it has waited since its row was written.
        begun_us, reason = known.paused.pop(step_name, (min(source.stored_us, source.at_us), source.status))
        attributes = {
            "workflow.id": workflow_id,
            "workflow.type": source.workflow_type,
            "step.name": step_name,
            "workflow.wait_reason": reason,
        }
        context = self._below(workflow_id, source.workflow_type, source.metadata)
        span = self._get_tracer().start_span(
            f"wait.{step_name}", context, attributes=attributes, start_time=begun_us * _NS
        )
        span.end(source.at_us * _NS)
        self._note("workflow_resumed", workflow_id, source, step__name=step_name)

    async def on_compensation_started(
        self, workflow_id: str, step_name: str, step_index: int = 0, *, source: ObservedWorkflow | None = None
    ) -> None:
        """An event of the workflow's span."""
        self._note("compensation_started", workflow_id, source, step__name=step_name, step__index=step_index)

    async def on_compensation_completed(
        self,
        workflow_id: str,
        step_name: str,
        success: bool = True,
        error: BaseException | None = None,
        is_empty: bool = False,
        *,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """An event of the workflow's span."""
        name = type(error).__qualname__ if error is not None else None
        said = {"success": success, "is_empty": is_empty or None, "error__type": name}
        self._note("compensation_completed", workflow_id, source, step__name=step_name, **said)

    async def on_child_workflow_started(
        self, parent_id: str, child_id: str, child_type: str, *, source: ObservedWorkflow | None = None
    ) -> None:
        """An event of the parent's span; the child's own is below it."""
        self._note("child_workflow_started", parent_id, source, child__id=child_id, child__type=child_type)

    async def on_workflow_completed(
        self,
        workflow_id: str,
        final_state: Mapping[str, Any] | None = None,
        duration_ms: float | None = None,
        *,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """The workflow's span."""
        self._end(workflow_id, source, {"workflow.status": "completed"})

    async def on_workflow_failed(
        self,
        workflow_id: str,
        error: BaseException,
        step_name: str | None = None,
        *,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """The workflow's span, with its error."""
        attributes = {"workflow.status": "failed"}
        if step_name is not None:
            attributes["workflow.failed_step"] = step_name
        self._end(workflow_id, source, attributes, error)

    # The span of a workflow

    def _by_hand(self, workflow_id: str) -> ObservedWorkflow:
        """What is known of a workflow whose observer is told by hand, without the engine."""
        known = self._open.get(workflow_id)
        now = self._clock.now_us()
        begun = known.begun_us if known is not None else now
        return ObservedWorkflow(
            workflow_id=workflow_id,
            workflow_type=known.workflow_type if known is not None else "",
            workflow_version="",
            status="",
            parent_id=None,
            metadata={},
            secret_fields=frozenset(),
            created_us=begun,
            stored_us=begun,
            at_us=now,
        )

    def _end(
        self,
        workflow_id: str,
        source: ObservedWorkflow | None,
        attributes: dict[str, Any],
        error: BaseException | None = None,
    ) -> None:
        if self._api is None:
            return
        source = source or self._by_hand(workflow_id)
        known = self._open.pop(workflow_id, None)
        attributes |= {
            "workflow.id": workflow_id,
            "workflow.type": source.workflow_type,
            "workflow.version": source.workflow_version,
            "workflow.final_status": source.status,
            "workflow.execution_time_ms": (source.at_us - source.created_us) / 1000,
            "service.name": self._service_name,
        }
        if source.parent_id is not None:
            attributes["workflow.parent_id"] = source.parent_id
        span = self._workflow_span(source, known.reopened_us if known is not None else None, attributes)
        for name, at_ns, given in known.events if known is not None else ():
            span.add_event(name, given, at_ns)
        if error is not None:
            self._add_error(span, error, source.at_us * _NS)
        span.end(source.at_us * _NS)

    def _workflow_span(
        self, source: ObservedWorkflow, reopened_us: int | None, attributes: Mapping[str, Any]
    ) -> "Span":
        from opentelemetry.context import Context  # noqa: PLC0415 - present where the observer does anything

        place = place_of(source.workflow_id, source.metadata)
        name = f"workflow.{source.workflow_type}"
        tracer = self._get_tracer()
        if reopened_us is not None:  # its first span has been exported: what came after it is a span below that
            context = self._below(source.workflow_id, source.workflow_type, source.metadata)
            return tracer.start_span(name, context, attributes=attributes, start_time=reopened_us * _NS)
        context = Context()
        if place.parent_id is not None:
            context = self._context(place, place.parent_id, sampled=bool(place.sampled))
        if self._ids is not None:
            self._ids.preset(place.trace_id, place.span_id)
        try:
            return tracer.start_span(name, context, attributes=attributes, start_time=source.created_us * _NS)
        finally:
            if self._ids is not None:
                self._ids.forget()


def _add_status(span: "Span", result: Any) -> None:
    """The `status` of a result that has one."""
    status = cast("Mapping[str, Any]", result).get("status") if isinstance(result, Mapping) else None
    if isinstance(status, str | int | float):
        span.set_attribute("step.status", status)


OpenTelemetryObserver = OtelObserver
