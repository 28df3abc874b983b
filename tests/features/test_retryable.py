"""The documented custom step type RETRYABLE (`examples/retryable`): calls, waits, filters, and what the log says."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from examples.retryable.models import Exchange, HTTPError
from examples.retryable.step_type import RetryableStep
from examples.retryable.steps import OUTAGE
from examples.retryable.workflow import resilient_workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.testing import HarnessRun, TestHarness
from tests.support.engine_world import CountedIds, JumpingClock

HERE = Path(__file__).parents[2] / "examples" / "retryable"
YAML = """
workflow_type: PlainRetryable
initial_state_model: examples.retryable.models:Exchange
module: [examples.retryable.steps, examples.retryable.step_type]
steps:
  - {name: Call, type: RETRYABLE, function: call_external_api}
"""


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[TestHarness]:
    """The example, and the step with its defaults."""
    (tmp_path / "plain.yaml").write_text(YAML)
    builder = WorkflowBuilder(plugins=False, import_roots=["examples"])
    builder.register_step_type(RetryableStep)
    builder.register(tmp_path / "plain.yaml")
    with TestHarness(resilient_workflow, builder=builder) as made:
        yield made
    OUTAGE.clear()


def down(harness: TestHarness, *failures: Exception, name: str = "ResilientWorkflow") -> HarnessRun:
    """A run while the service fails like this, to its end."""
    OUTAGE["https://x"] = list(failures)
    run = harness.start(name, Exchange(url="https://x"))
    run.finish()
    return run


def lines(harness: TestHarness) -> list[Any]:
    """The execution log."""
    store: Any = harness.store
    return list(store.execution_logs)


def test_defaults_are_the_documented_ones(harness: TestHarness) -> None:
    """S1-027: three retries, five seconds, doubled, whatever the error; the definition holds them written out."""
    step = RetryableStep(name="x")

    assert (step.max_retries, step.retry_delay_seconds, step.backoff_multiplier) == (3, 5, 2.0)
    assert step.retry_on_exceptions == []
    assert down(harness, *[ValueError("x")] * 3, name="PlainRetryable").status == "COMPLETED"


def test_it_makes_one_attempt_more_than_retries(harness: TestHarness) -> None:
    """S1-028, S1-034: four calls with the default; then an error with the count and the last error."""
    run = down(harness, *[ValueError(f"no {n}") for n in range(9)], name="PlainRetryable")

    assert [call.attempt for call in harness.calls_of("Call")] == [1, 2, 3, 4]
    assert run.status == "FAILED"
    assert isinstance(run.error, RuntimeError)
    assert "after 3 retries" in str(run.error)
    assert "no 3" in str(run.error)


def test_waits_grow_by_the_factor(harness: TestHarness) -> None:
    """S1-029, S1-033: 5, 10 and 20 seconds; each wait is a line WARNING with attempt, maximum, delay and error."""
    began = harness.clock.now()
    down(harness, *[ValueError("no")] * 3, name="PlainRetryable")
    told = lines(harness)

    assert harness.clock.now() - began == timedelta(seconds=35)
    assert [line["level"] for line in told] == ["WARNING"] * 3
    assert [line["metadata"]["delay_seconds"] for line in told] == [5, 10, 20]
    assert [(line["metadata"]["retry_count"], line["metadata"]["max_retries"]) for line in told] == [
        (1, 3),
        (2, 3),
        (3, 3),
    ]
    assert {line["metadata"]["error"] for line in told} == {"ValueError: no"}


def test_a_hundred_wait_at_once() -> None:
    """S1-030: the waits of a hundred runs overlap: all together take as long as one."""
    clock = JumpingClock()

    async def scenario() -> int:
        builder = WorkflowBuilder(
            persistence_provider=MemoryPersistenceProvider(clock), clock=clock, ids=CountedIds(), plugins=False
        )
        builder.register_step_type(RetryableStep)
        builder.register(resilient_workflow)
        runs = [await builder.create_workflow("ResilientWorkflow", Exchange(url=f"https://{n}")) for n in range(100)]
        OUTAGE.update({f"https://{n}": [ConnectionError("no"), ConnectionError("no")] for n in range(100)})
        began = clock.now_us()
        await asyncio.gather(*(run.run() for run in runs))
        assert {run.status.value for run in runs} == {"COMPLETED"}
        return clock.now_us() - began

    assert asyncio.run(scenario()) == 30_000_000


@pytest.mark.parametrize(
    ("error", "calls"),
    [(ConnectionError("x"), 6), (ConnectionRefusedError("x"), 6), (HTTPError("x"), 6), (ValueError("x"), 1)],
    ids=["listed", "subclass of a listed one", "the author's own", "not listed"],
)
def test_only_listed_classes_are_repeated(harness: TestHarness, error: Exception, calls: int) -> None:
    """S1-031: by the name of the class; one that is not listed fails at once, as itself."""
    run = down(harness, *[error] * 9)

    assert len(harness.calls_of("Call_External_API")) == calls
    assert isinstance(run.error, RuntimeError if calls > 1 else type(error))


def test_the_step_sees_count_and_last_error(harness: TestHarness) -> None:
    """S1-032: what it is told belongs to this activation, and a success ends it."""
    run = down(harness, ConnectionError("first"), HTTPError("second"))

    assert run.state.retry_count == 2
    assert "second" in run.state.last_error
    again = down(harness)
    assert (again.state.retry_count, again.state.last_error) == (0, None)


def test_the_example_of_the_document_loads_and_runs(harness: TestHarness) -> None:
    """S1-035: 5 retries, 10 seconds, doubled, three classes of errors; both forms are one graph."""
    builder = WorkflowBuilder(plugins=False, import_roots=["examples"])
    builder.register_step_type(RetryableStep)
    builder.register(HERE / "retryable.yaml")
    began = harness.clock.now()

    run = down(harness, *[TimeoutError("slow")] * 5)

    assert run.status == "COMPLETED"
    assert harness.clock.now() - began == timedelta(seconds=10 + 20 + 40 + 80 + 160)
    delays = [line["metadata"]["delay_seconds"] for line in lines(harness)]
    assert all(later == 2 * earlier for earlier, later in pairwise(delays))
    assert builder.get_definition("ResilientWorkflow").workflow_type == resilient_workflow.name
