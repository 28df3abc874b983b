"""`PrometheusObserver`: counters, durations and a gauge of what runs, in a registry of `prometheus-client`.

| metric | type | labels |
|---|---|---|
| `ruvon_workflows_started_total`, `_completed_total` | counter | `workflow_type` |
| `ruvon_workflows_failed_total` | counter | `workflow_type`, `status` |
| `ruvon_workflow_duration_seconds` | histogram | `workflow_type` |
| `ruvon_workflows_active` | gauge | `workflow_type` |
| `ruvon_workflow_waits_total` | counter | `workflow_type`, `reason` |
| `ruvon_step_duration_seconds` | histogram | `workflow_type`, `step` |
| `ruvon_step_failures_total`, `ruvon_step_retries_total` | counter | `workflow_type`, `step` |
| `ruvon_compensations_total` | counter | `workflow_type`, `step`, `outcome` (`undone`, `failed`) |

No label holds an id, an error's text or anything else without a bound, and beyond `max_series` pairs of type and step
further ones are counted as `other`.

Where `PROMETHEUS_MULTIPROC_DIR` names a folder when `prometheus_client` is imported, every process that has this setting
writes its numbers there, and whichever is asked gives the sums of all of them.
"""

from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, final

from ruvon.implementations.observability._together import Together
from ruvon.models import WorkflowStatus
from ruvon.providers import MissingExtraError
from ruvon.providers.observer import ObservedWorkflow, WorkflowObserver

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

__all__ = ["PrometheusObserver"]

_BUCKETS_S: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 600.0, 3600.0)
_LONG_BUCKETS_S: Final = (0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0, 21_600.0, 86_400.0, 604_800.0, 2_592_000.0)
_MOST_ACTIVE: Final = 100_000
"""Running instances that the gauge keeps apart; the oldest is forgotten first."""
_OTHER: Final = "other"
_UNKNOWN: Final = "unknown"


@final
class PrometheusObserver(WorkflowObserver):
    """Counts what happens in this process, or in all that share a folder of `prometheus_client`'s multiprocess mode.

    Args:
        registry: where the metrics are registered; one of its own where none is given. `prometheus_client.REGISTRY` puts
            them beside those of the process. A registry takes one observer.
        max_series: pairs of workflow type and step that get labels of their own.
        buckets: upper bounds of the durations of steps, in seconds.

    Raises:
        MissingExtraError: `prometheus-client` is not installed.
    """

    def __init__(
        self,
        registry: "CollectorRegistry | None" = None,
        *,
        max_series: int = 1000,
        buckets: Sequence[float] = _BUCKETS_S,
    ) -> None:
        try:
            import prometheus_client as client  # noqa: PLC0415 - an optional dependency
        except ImportError:
            raise MissingExtraError("prometheus", "prometheus-client") from None
        self.registry = made = registry if registry is not None else client.CollectorRegistry()
        self._max_series = max_series
        self._pairs: set[tuple[str, str]] = set()
        self._running: OrderedDict[str, str] = OrderedDict()
        self._active_of: Counter[str] = Counter()
        self._server: Any = None
        self._users = 1
        kind, pair = ["workflow_type"], ["workflow_type", "step"]
        self._started = client.Counter("ruvon_workflows_started", "Workflows created here.", kind, registry=made)
        self._completed = client.Counter("ruvon_workflows_completed", "Workflows ended well here.", kind, registry=made)
        self._failed = client.Counter(
            "ruvon_workflows_failed",
            "Workflows ended otherwise here, by final status.",
            [*kind, "status"],
            registry=made,
        )
        self._lasted = client.Histogram(
            "ruvon_workflow_duration_seconds",
            "From creation to a good end, waits included.",
            kind,
            registry=made,
            buckets=_LONG_BUCKETS_S,
        )
        self._active = client.Gauge(
            "ruvon_workflows_active",
            "Workflows that this process works on: not waiting, not ended.",
            kind,
            registry=made,
            multiprocess_mode="livesum",
        )
        self._waits = client.Counter(
            "ruvon_workflow_waits", "Waits for a person, a signal or a moment.", [*kind, "reason"], registry=made
        )
        self._took = client.Histogram(
            "ruvon_step_duration_seconds", "Attempts that succeeded.", pair, registry=made, buckets=buckets
        )
        self._step_failures = client.Counter("ruvon_step_failures", "Attempts that failed.", pair, registry=made)
        self._retries = client.Counter("ruvon_step_retries", "Attempts behind the first.", pair, registry=made)
        self._undone = client.Counter(
            "ruvon_compensations", "Compensations that were tried.", [*pair, "outcome"], registry=made
        )

    # For readers

    def expose(self) -> str:
        """All metrics of the registry, or of the processes that share a folder, in the text format of Prometheus."""
        from prometheus_client import generate_latest  # noqa: PLC0415 - present, or this could not be constructed

        return generate_latest(self._shown()).decode()

    def _shown(self) -> "CollectorRegistry":
        """What is exposed: the own registry, or one that reads what the processes have written."""
        from prometheus_client import CollectorRegistry, values  # noqa: PLC0415 - as above

        if not getattr(values.ValueClass, "_multiprocess", False):
            return self.registry
        shown = CollectorRegistry()
        shown.register(Together())
        return shown

    def start_http(self, port: int = 9464, address: str = "127.0.0.1") -> int:
        """Serve the metrics on `http://ADDRESS:PORT/metrics` from a thread, until `close`.

        Args:
            port: the port; 0 takes a free one.
            address: the address to listen on; `0.0.0.0` is everywhere.

        Returns:
            The port.

        Raises:
            OSError: it cannot listen there.
        """
        from prometheus_client import start_http_server  # noqa: PLC0415 - as above

        self._stop()
        self._server = start_http_server(port, address, self._shown())
        return int(self._server[0].server_port)

    @property
    def serves(self) -> int | None:
        """The port that the metrics are served on, or None."""
        return int(self._server[0].server_port) if self._server is not None else None

    def joined(self) -> "PrometheusObserver":
        """This observer, for one more builder of the process: it is closed when each of them has closed it."""
        self._users += 1
        return self

    def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server[0].shutdown()
            server[0].server_close()
            server[1].join()

    async def close(self) -> None:
        """Stop serving, when all who share it have closed it; the metrics stay."""
        self._users -= 1
        if self._users <= 0:
            self._stop()

    # Labels

    def _pair(self, source: ObservedWorkflow | None, step: str) -> tuple[str, str]:
        return self._labels(source.workflow_type if source is not None else _UNKNOWN, step)

    def _labels(self, kind: str, step: str) -> tuple[str, str]:
        pair = (kind, step)
        if pair in self._pairs:
            return pair
        if len(self._pairs) >= self._max_series:
            return (_OTHER, _OTHER)
        self._pairs.add(pair)
        return pair

    def _kind(self, source: ObservedWorkflow | None) -> str:
        return self._pair(source, "")[0]

    # What runs

    def _runs(self, source: ObservedWorkflow | None) -> None:
        """Keep the gauge: an instance is active from its first event until it waits or ends."""
        if source is None:
            return
        status = WorkflowStatus(source.status)
        if status.is_terminal or status.is_waiting:
            kind = self._running.pop(source.workflow_id, None)
            if kind is not None:
                self._count(kind, -1)
        elif source.workflow_id not in self._running:
            if len(self._running) >= _MOST_ACTIVE:
                self._count(self._running.popitem(last=False)[1], -1)
            kind = self._running[source.workflow_id] = self._kind(source)
            self._count(kind, 1)

    def _count(self, kind: str, change: int) -> None:
        self._active_of[kind] += change
        self._active.labels(kind).set(self._active_of[kind])

    # Hooks

    async def on_workflow_started(
        self,
        workflow_id: str,
        workflow_type: str,
        initial_state: Mapping[str, Any] | None = None,
        *,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """A workflow was created."""
        self._started.labels(self._labels(workflow_type, "")[0]).inc()

    async def on_step_executed(
        self,
        workflow_id: str,
        step_name: str,
        result: Any,
        duration_ms: float | None = None,
        *,
        attempt: int = 1,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """A step completed."""
        self._runs(source)
        pair = self._pair(source, step_name)
        if duration_ms is not None:
            self._took.labels(*pair).observe(duration_ms / 1000)
        if attempt > 1:
            self._retries.labels(*pair).inc()

    async def on_step_failed(
        self,
        workflow_id: str,
        step_name: str,
        error: BaseException,
        attempt: int = 1,
        *,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """An attempt failed."""
        self._runs(source)
        pair = self._pair(source, step_name)
        self._step_failures.labels(*pair).inc()
        if attempt > 1:
            self._retries.labels(*pair).inc()

    async def on_workflow_status_changed(
        self, workflow_id: str, old_status: str, new_status: str, *, source: ObservedWorkflow | None = None
    ) -> None:
        """The status changed."""
        self._runs(source)

    async def on_workflow_completed(
        self,
        workflow_id: str,
        final_state: Mapping[str, Any] | None = None,
        duration_ms: float | None = None,
        *,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """A workflow ended well."""
        kind = self._kind(source)
        self._completed.labels(kind).inc()
        if duration_ms is not None:
            self._lasted.labels(kind).observe(duration_ms / 1000)

    async def on_workflow_failed(
        self,
        workflow_id: str,
        error: BaseException,
        step_name: str | None = None,
        *,
        source: ObservedWorkflow | None = None,
    ) -> None:
        """A workflow ended with an error, or was cancelled."""
        status = source.status if source is not None else WorkflowStatus.FAILED.value
        self._failed.labels(self._kind(source), status).inc()

    async def on_workflow_paused(
        self, workflow_id: str, step_name: str, reason: str, *, source: ObservedWorkflow | None = None
    ) -> None:
        """A workflow waits."""
        self._waits.labels(self._kind(source), reason).inc()

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
        """A compensation was tried."""
        outcome = "failed" if not success else "empty" if is_empty else "undone"
        self._undone.labels(*self._pair(source, step_name), outcome).inc()
