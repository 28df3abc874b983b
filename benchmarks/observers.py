"""Sequential no-op steps a second, in memory, before observers of every kind; a hanging one is to slow nothing.

    python -m benchmarks observers

Real time, not processor time: an observer that is waited for would show. What is left is the price of collecting an event
for each step, of calling a hook that returns at once, and of what the observer itself does.
"""

import asyncio
import gc
import io
import logging
import time
from collections.abc import Callable

from benchmarks.engine import definition
from benchmarks.table import Row, Table, show
from ruvon.builder import WorkflowBuilder

STEPS = 12_000
ROUNDS = 3


class Prompt:
    async def on_step_executed(self) -> None:
        """Returns at once."""


class Hanging:
    async def on_step_executed(self) -> None:
        await asyncio.Event().wait()


class Slow:
    async def on_step_executed(self) -> None:
        await asyncio.sleep(0.01)


def _logging() -> object:
    from ruvon.implementations.observability.logging import LoggingObserver

    logger = logging.getLogger("benchmark")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.handlers = [logging.StreamHandler(io.StringIO())]
    return LoggingObserver(logger)


def _prometheus() -> object:
    from ruvon.implementations.observability.prometheus import PrometheusObserver

    return PrometheusObserver()


def _otel() -> object:
    from opentelemetry.sdk.trace import TracerProvider

    from ruvon.implementations.observability.otel import OtelObserver

    return OtelObserver(TracerProvider())


async def rate(observer: object | None) -> float:
    """Steps a second."""
    made = definition("noop", STEPS)
    builder = WorkflowBuilder(plugins=False, import_roots=["benchmarks"], observer=observer)
    builder.register(made)
    workflow = await builder.create_workflow(made.workflow_type, {})
    gc.collect()
    begin = time.perf_counter()
    await workflow.run()
    took = time.perf_counter() - begin
    if workflow.status.value != "COMPLETED":
        raise RuntimeError(f"the workflow failed: {workflow.error}")
    return STEPS / took


CASES: dict[str, Callable[[], object]] = {
    "nobody": lambda: None,
    "a hook that returns at once": Prompt,
    "a hook that hangs": Hanging,
    "a hook of 10 ms": Slow,
    "LoggingObserver": _logging,
    "PrometheusObserver": _prometheus,
    "OtelObserver, no exporter": _otel,
}


def main() -> Table:
    """Measure and print the table."""
    logging.getLogger("ruvon.observers").addHandler(logging.NullHandler())
    logging.getLogger("ruvon.observers").propagate = False
    best: dict[str, float] = {}
    for _ in range(ROUNDS):  # side by side, so that other work on the machine slows all of them
        for name, make in CASES.items():
            best[name] = max(best.get(name, 0.0), asyncio.run(rate(make())))
    base = 1e6 / best["nobody"]
    rows = [
        Row(f"{name}: {found:,.0f} steps/s", 1e6 / found, "us/step", "nobody", base) for name, found in best.items()
    ]
    return show("Observers, in memory", rows)


if __name__ == "__main__":
    main()
