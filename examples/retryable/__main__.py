"""The step type at work, in virtual time: `python -m examples.retryable`."""

from collections.abc import Mapping
from typing import Any, cast

from examples.narrator import heading
from examples.retryable.models import Exchange, HTTPError
from examples.retryable.step_type import RetryableStep
from examples.retryable.steps import OUTAGE
from examples.retryable.workflow import resilient_workflow
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.testing import HarnessRun, TestHarness


def main() -> None:
    """Ask a service that comes back, one that does not, and one that says that asking again is no use."""
    builder = WorkflowBuilder(plugins=False)
    builder.register_step_type(RetryableStep)
    with TestHarness(resilient_workflow, builder=builder) as harness:
        heading("1. Down twice: the calls are 10 and 20 seconds apart")
        OUTAGE["https://slow.example"] = [ConnectionError("refused"), HTTPError("503")]
        show(harness, harness.start(resilient_workflow, Exchange(url="https://slow.example")))
        heading("2. Down for good: after five more calls the workflow fails")
        OUTAGE["https://gone.example"] = [ConnectionError("refused") for _ in range(6)]
        show(harness, harness.start(resilient_workflow, Exchange(url="https://gone.example")))
        heading("3. An error that is not in the list is not repeated")
        OUTAGE["https://odd.example"] = [ValueError("no such page")]
        show(harness, harness.start(resilient_workflow, Exchange(url="https://odd.example")))


def show(harness: TestHarness, run: HarnessRun) -> None:
    """How a run ends, and what the execution log says about it."""
    run.finish()
    for line in lines_of(harness, run):
        print(f"   {line['level']:8}{line['message']}: {line['metadata']['error']}")
    print(f"   {run.status.value:12}{run.error or run.state.answer}")


def lines_of(harness: TestHarness, run: HarnessRun) -> list[Mapping[str, Any]]:
    """The execution log of a run."""
    store = cast("MemoryPersistenceProvider", harness.store)
    return [line for line in store.execution_logs if line["workflow_id"] == run.id]


if __name__ == "__main__":
    main()
