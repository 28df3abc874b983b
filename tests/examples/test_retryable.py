"""RETRYABLE, the documented step type of one's own: its fields, waits, filter, log, errors, and where it is found."""

import asyncio
import importlib
from collections.abc import Callable, Iterator
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
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.ir import ImportRoots
from ruvon_dsl import CompileResult, compile_file, compile_source, require
from tests.support.engine_world import CountedIds, JumpingClock
from tests.support.golden import GOLDEN

HOME = Path(__file__).parents[2] / "examples" / "retryable"
URL = "https://a.example"
PLAIN = """
workflow_type: Plain
module: [examples.retryable.steps, examples.retryable.step_type]
initial_state_model: examples.retryable.models:Exchange
automate_next: true
saga_enabled: {saga}
steps:
  - {{name: Ask, type: RETRYABLE, function: call_external_api{keys}}}
  - {{name: Then, function: process_answer}}
"""


@pytest.fixture(autouse=True)
def _line() -> Iterator[None]:
    OUTAGE.clear()
    yield
    OUTAGE.clear()


def plain(keys: str = "", *, saga: bool = False) -> CompileResult:
    """A workflow with a step of the type and these keys."""
    text = PLAIN.format(keys=keys, saga=str(saga).lower())
    return compile_source(text, kind="yaml", roots=ImportRoots({"examples"}))


def down(*errors: Exception) -> None:
    """The next calls fail like this."""
    OUTAGE[URL] = list(errors)


def driven(result: CompileResult, store: Any = None) -> tuple[Any, Any, JumpingClock]:
    """A run to its end, its store, and the clock."""
    clock = JumpingClock()
    store = store or MemoryPersistenceProvider(clock)
    builder = WorkflowBuilder(
        persistence_provider=store, clock=clock, ids=CountedIds(), plugins=False, import_roots=["examples"]
    )
    builder.register_step_type(RetryableStep)
    builder.register(*(item.definition for item in require(result)))

    async def scenario() -> Any:
        run = await builder.create_workflow("Plain", Exchange(url=URL))
        await run.run()
        return run

    return asyncio.run(scenario()), store, clock


def waits(run: Any) -> list[float]:
    """Seconds between an attempt that failed and the next."""
    entries = asyncio.run(run.history())
    moments = [entry["at_us"] for entry in entries if entry["step"] == "Ask"]
    return [(late - early) / 1_000_000 for early, late in pairwise(moments)]


def test_both_forms_are_one_graph() -> None:
    """`call("RETRYABLE", ...)` and `type: RETRYABLE` have one digest (S1-035)."""
    python, yaml = (require(compile_file(HOME / name))[0].digest for name in ("workflow.py", "retryable.yaml"))
    assert python is not None
    assert python == yaml


def test_its_defaults() -> None:
    """Three retries, 5 seconds, twice as long each time, any error (S1-027)."""
    made = RetryableStep(name="Ask")
    kept = (made.max_retries, made.retry_delay_seconds, made.backoff_multiplier, made.retry_on_exceptions)
    assert kept == (3, 5, 2.0, [])


def test_it_is_called_four_times_with_growing_waits_and_then_gives_up() -> None:
    """`max_retries` + 1 calls, 5, 10 and 20 seconds apart, then an error that names both (S1-028, S1-029, S1-034)."""
    down(*(ConnectionError(f"refused {number}") for number in range(9)))
    run, _, _ = driven(plain())
    assert run.status == "FAILED"
    assert len(OUTAGE[URL]) == 9 - 4
    assert waits(run) == [5, 10, 20]
    assert (type(run.error), str(run.error)) == (
        RuntimeError,
        "Step Ask failed after 3 retries. Last error: refused 3",
    )


def test_a_saga_follows_its_failure() -> None:
    """Workflow failure handling is that of any step (S1-034)."""
    down(*(ConnectionError("refused") for _ in range(9)))
    run, _, _ = driven(plain(saga=True))
    assert run.status == "FAILED_ROLLED_BACK"


@pytest.mark.parametrize(
    ("listed", "error", "calls"),
    [
        ("[ConnectionError]", ConnectionError("x"), 2),
        ("[ConnectionError]", ConnectionResetError("a class below it"), 2),
        ("[ConnectionError, HTTPError]", HTTPError("503"), 2),
        ("[ConnectionError]", ValueError("no"), 1),
        ("[]", ValueError("any"), 2),
    ],
)
def test_errors_are_chosen_by_the_names_of_their_classes(listed: str, error: Exception, calls: int) -> None:
    """One that is not listed fails at once, as itself; an empty list means all (S1-031)."""
    down(error)
    run, _, _ = driven(plain(f", retry_on_exceptions: {listed}"))
    assert run.status == ("COMPLETED" if calls == 2 else "FAILED")
    assert type(run.error) is (type(None) if calls == 2 else type(error))
    assert run.state.retry_count == calls - 1


def test_count_and_last_error_are_there_while_it_is_retried_and_gone_afterwards() -> None:
    """The function sees them; the step behind it begins anew (S1-032)."""
    down(ConnectionError("refused"), HTTPError("503"))
    run, _, _ = driven(plain())
    assert (run.state.retry_count, run.state.last_error) == (2, "HTTPError: 503")
    assert [entry["attempt"] for entry in asyncio.run(run.history()) if entry["step"] == "Then"] == [1]


def test_each_retry_is_a_warning_in_the_log() -> None:
    """Attempt, maximum, delay; the error in the metadata (S1-033)."""
    down(ConnectionError("refused"), HTTPError("503"))
    _, store, _ = driven(plain())
    lines = [(line["level"], line["message"], line["metadata"]["error"]) for line in store.execution_logs]
    assert lines == [
        ("WARNING", "Step Ask failed (attempt 1 of 4), retrying in 5 s", "ConnectionError: refused"),
        ("WARNING", "Step Ask failed (attempt 2 of 4), retrying in 10 s", "HTTPError: 503"),
    ]
    assert store.execution_logs[1]["metadata"]["delay_seconds"] == 10


def test_waiting_holds_up_nobody() -> None:
    """A hundred runs that wait side by side need as long as one (S1-030)."""
    clock = JumpingClock()
    builder = WorkflowBuilder(clock=clock, ids=CountedIds(), plugins=False, import_roots=["examples"])
    builder.register(*(item.definition for item in require(plain())))
    builder.register_step_type(RetryableStep)
    urls = [f"https://{number}.example" for number in range(100)]
    OUTAGE.update({url: [ConnectionError("refused"), ConnectionError("refused")] for url in urls})
    begun = clock.now_us()

    async def scenario() -> list[Any]:
        runs = [await builder.create_workflow("Plain", Exchange(url=url)) for url in urls]
        await asyncio.gather(*(run.run() for run in runs))
        return runs

    assert {run.status.value for run in asyncio.run(scenario())} == {"COMPLETED"}
    assert clock.now_us() - begun == 15_000_000


def test_another_process_goes_on_with_the_count(tmp_path: Path) -> None:
    """Attempt and last error are in the store (S1-032)."""
    down(ConnectionError("refused"), HTTPError("503"))

    async def one_call(run_id: str | None, hour: int) -> Any:
        clock = JumpingClock()
        clock.advance(hour * 3_600_000_000)
        builder = WorkflowBuilder(
            persistence_provider=SQLitePersistenceProvider(tmp_path / "runs.db", durability="OFF", clock=clock),
            clock=clock,
            plugins=False,
            import_roots=["examples"],
        )
        builder.register_step_type(RetryableStep)
        builder.register(*(item.definition for item in require(plain())))
        await builder.initialize()
        run = await (
            builder.create_workflow("Plain", Exchange(url=URL)) if run_id is None else builder.load_workflow(run_id)
        )
        await run.next_step()
        await builder.close()
        return run

    run = asyncio.run(one_call(None, 0))
    assert run.status == "PAUSED"
    run = asyncio.run(one_call(run.id, 1))
    run = asyncio.run(one_call(run.id, 2))
    assert (run.status, run.state.retry_count, run.state.last_error) == ("COMPLETED", 2, "HTTPError: 503")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (", max_retries: many", "does not fit its field"),
        (", max_retries: -1", "does not fit its field"),
        (", max_retrys: 2", "max_retrys"),
    ],
)
def test_a_wrong_field_is_a_finding(keys: str, said: str) -> None:
    """Before anything runs (S1-025)."""
    result = plain(keys)
    assert not result.ok
    assert said in "\n".join(item.message for item in result.diagnostics)


def test_a_file_brings_its_types_along(tmp_path: Path) -> None:
    """Nobody registers the class; the second builder has the definition from the cache (S1-024)."""
    for _ in range(2):
        builder = WorkflowBuilder(plugins=False, import_roots=["examples"])
        builder.register(HOME / "retryable.yaml")
        run = builder.create_workflow_sync("ResilientWorkflow", Exchange(url=URL))
        asyncio.run(run.run())
        assert run.status == "COMPLETED"
    assert builder.step_types["RETRYABLE"] is RetryableStep


def test_a_stored_run_finds_its_type_in_a_registered_file(tmp_path: Path) -> None:
    """A process that only loads the instance compiles the file for the type."""
    store = SQLitePersistenceProvider(tmp_path / "runs.db", durability="OFF")
    first = WorkflowBuilder(persistence_provider=store, plugins=False, import_roots=["examples"])
    first.register(resilient_workflow)
    second = WorkflowBuilder(persistence_provider=store, plugins=False, import_roots=["examples"])
    second.register(HOME / "retryable.yaml")

    async def scenario() -> Any:
        await first.initialize()
        made = await first.create_workflow("ResilientWorkflow", Exchange(url=URL))
        run = await second.load_workflow(made.id)
        await run.run()
        await first.close()
        return run

    assert asyncio.run(scenario()).status == "COMPLETED"


def test_the_demonstration_prints_what_is_kept(
    capsys: pytest.CaptureFixture[str], golden: Callable[[Path, str], None]
) -> None:
    """`python -m examples.retryable`: what waits, what fails, what is not repeated."""
    importlib.import_module("examples.retryable.__main__").main()
    golden(GOLDEN / "examples" / "retryable.txt", capsys.readouterr().out)
