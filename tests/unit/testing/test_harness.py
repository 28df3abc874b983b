"""`TestHarness`: stubs, time, messages from outside, and what it says when it is asked for the impossible."""

import asyncio
import os
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ruvon import StepContext, TimedOut
from ruvon.builder import WorkflowBuilder
from ruvon.engine import InvalidInputError, NotWaitingForInputError
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.testing import HarnessError, HarnessRun, StuckError, TestHarness
from tests.support import kit_flows as flows
from tests.support.kit_flows import Cart, Paid

YES = {"given": True}
MONTH = timedelta(days=30)


def bought(harness: TestHarness, **options: Any) -> HarnessRun:
    """A run of the buying workflow whose bank is a stub, up to its last wait."""
    harness.stub(flows.call_bank, **options or {"returns": "done"})
    run = harness.start(flows.buying, Cart(total=4))
    run.answer(YES)
    harness.advance(MONTH)
    return run


# Stubs


@pytest.mark.parametrize(
    "step",
    [flows.call_bank, "call_bank", flows.call_bank.__ruvon_step__.function],
    ids=["the step", "its name", "its function"],
)
def test_a_stub_stands_in_for_a_step(harness: TestHarness, step: object) -> None:
    """However the step is named, its body does not run, and the call is recorded."""
    stub = harness.stub(step, returns="done")
    run = harness.start("Buying", {"total": 4})
    run.answer(YES)
    run.finish()

    (call,) = stub.calls
    assert (call.arguments, call.attempt, call.stubbed, call.result) == ({"amount": 5}, 1, True, "done")
    assert (call.name, call.function) == ("call_bank", "tests.support.kit_flows:call_bank")
    assert call.idempotency_key
    assert call.state.notes == ["Ada", "BOB"]
    assert harness.calls_of(step) == [call]
    assert [item.stubbed for item in harness.calls] == [False, False, True]


def test_a_stub_that_raises_is_retried_as_the_step_would_be(harness: TestHarness) -> None:
    """Three attempts with the waits of the policy, then the workflow fails with the stub's error."""
    run = bought(harness, raises=ConnectionError("closed"))
    run.finish()

    calls = harness.calls_of("call_bank")
    assert [call.attempt for call in calls] == [1, 2, 3]
    assert [later.at - calls[0].at for later in calls] == [timedelta(minutes=minutes) for minutes in (0, 10, 30)]
    assert run.status == "FAILED"
    assert (type(run.error), str(run.error)) == (ConnectionError, "closed")


def test_results_are_given_call_by_call(harness: TestHarness) -> None:
    """An exception among them is raised, the last one is given again."""
    run = bought(harness, results=[ConnectionError("closed"), "done"])
    run.finish()
    run.signal(Paid(amount=7))

    assert [call.error is None for call in harness.calls_of("call_bank")] == [False, True]
    assert (run.status, run.result, run.state.total) == ("COMPLETED", "done", 7)


def test_a_function_in_the_place_of_a_step(harness: TestHarness) -> None:
    """It gets what it names of state, context and arguments; what it does to the state counts; it may be async."""
    seen: list[int] = []

    async def does(state: Cart, context: StepContext, amount: int) -> str:
        seen.append(amount)
        state.tag = f"attempt {context.attempt}"
        return "by hand"

    run = bought(harness, does=does)

    assert seen == [5]
    assert run.state.tag == "attempt 1"


def test_a_function_may_take_everything(harness: TestHarness) -> None:
    """`**given` holds all there is."""
    taken: list[set[str]] = []

    bought(harness, does=lambda **given: taken.append(set(given)) or "done")

    assert taken == [{"state", "context", "amount"}]


def test_the_declared_result_is_checked(harness: TestHarness) -> None:
    """A stub that gives what the step may not give fails the step."""
    run = bought(harness, returns=17)

    assert run.status == "FAILED"


def test_a_stub_without_an_outcome_gives_none(harness: TestHarness) -> None:
    """For steps whose result nobody uses."""
    harness.stub(flows.append)

    assert harness.start(flows.appending).status == "COMPLETED"
    assert flows.LEDGER == []


def test_a_step_and_its_compensation_have_stubs_of_their_own(harness: TestHarness) -> None:
    """By name the step alone is meant, `NAME:compensate` is its compensation, as is the `@compensate` object."""
    step = harness.stub("reserve", returns="by a stub")
    by_name = harness.stub("reserve:compensate")
    run = harness.start(flows.releasing)

    assert run.status == "FAILED_ROLLED_BACK"
    assert [call.compensates for call in step.calls] == [False]
    assert [call.compensates for call in by_name.calls] == [True]
    assert len(harness.calls_of(flows.release)) == len(harness.calls_of("reserve:compensate")) == 1

    harness.stub("reserve:compensate", raises=ConnectionError("closed"))
    by_object = harness.stub(flows.release)
    harness.start(flows.releasing)
    assert by_object.calls == []  # the name was there first, and goes before the function


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda h: h.stub(flows.pay, returns=1, raises=ValueError()), "a stub does one thing"),
        (lambda h: h.stub(3), "3 is no step: give the @step object"),
        (lambda h: h.stub("call_bnk"), "no registered workflow has a step `call_bnk`; did you mean `call_bank`?"),
        (lambda h: h.stub("zzz"), "no registered workflow has a step `zzz`; there are "),
        (lambda h: h.start(flows.pay), r"start\(\) takes a @workflow function or the name"),
    ],
    ids=["two things", "no step", "misspelt", "unknown", "no workflow"],
)
def test_what_cannot_be_is_refused_with_a_sentence(harness: TestHarness, call: Any, sentence: str) -> None:
    """The sentence says what to do instead."""
    with pytest.raises(HarnessError, match=sentence):
        call(harness)


# Time


def test_months_pass_at_once(harness: TestHarness) -> None:
    """`advance` rings what falls due, in its order, and no further; what a body takes on top is on the clock."""
    run = bought(harness)
    assert harness.clock.now() == datetime(2026, 1, 31, 0, 0, 20, tzinfo=UTC)
    assert run.waiting_for[0]["kind"] == "signal"

    other = harness.start(flows.buying)
    other.answer(YES)
    harness.advance(MONTH - timedelta(seconds=1))
    assert other.waiting_for[0]["kind"] == "timer"
    harness.advance(timedelta(seconds=1))
    assert other.waiting_for[0]["kind"] == "signal"


def test_nobody_answers_in_time(harness: TestHarness) -> None:
    """`finish` lets the time limit ring; the workflow catches it."""
    run = harness.start(flows.impatient)

    assert run.finish() == "COMPLETED"
    assert run.result == "nobody"
    assert harness.clock.now() == datetime(2026, 1, 4, tzinfo=UTC)


def test_a_body_on_the_loop_takes_virtual_time(harness: TestHarness) -> None:
    """`asyncio.sleep` in a step passes at once, and its timeout is held against the same clock."""
    run = bought(harness)
    assert run.state.notes == ["Ada", "BOB"]

    async def too_long(name: str) -> str:
        await asyncio.sleep(3_600)
        return name

    harness.stub(flows.look_up, does=too_long)
    slow = bought(harness)
    assert isinstance(slow.error, TimedOut)


def test_workflows_without_end_are_no_endless_test(harness: TestHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """`finish` gives up with a sentence; `advance` goes as far as it is told."""
    monkeypatch.setattr("ruvon.testing._harness._MAX_MOVES", 50)
    run = harness.start(flows.endless)
    harness.advance(timedelta(hours=10))
    assert run.status == "PAUSED"

    with pytest.raises(HarnessError, match=r"go on for ever; use advance\(\)"):
        run.finish()


def test_a_step_that_hangs_is_told(harness: TestHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that awaits what nobody sets ends the test, not the patience of who runs it."""
    monkeypatch.setattr("ruvon.testing._loop._PATIENCE_S", 0.05)

    with pytest.raises(StuckError, match="awaits an event that nobody sets"):
        harness.start(flows.stuck)


# From outside


def test_an_answer_that_does_not_fit_is_refused(harness: TestHarness) -> None:
    """The step keeps waiting, and takes a good one."""
    run = harness.start(flows.buying)
    with pytest.raises(InvalidInputError):
        run.answer({"given": "perhaps"})
    assert run.status == "WAITING_HUMAN"
    run.answer({"given": False}, step="human")

    assert run.result == "refused"
    with pytest.raises(NotWaitingForInputError):
        run.answer(YES)


def test_a_signal_by_its_name(harness: TestHarness) -> None:
    """The model's name and its fields will do."""
    run = bought(harness)
    run.signal("Paid", {"amount": 3})

    assert (run.status, run.state.total) == ("COMPLETED", 3)


def test_a_cancel_rolls_back(harness: TestHarness) -> None:
    """What was done is undone, and the test sees the calls, the history and the events."""
    run = harness.start(flows.undoing, Cart(total=2))
    run.cancel("changed my mind")

    assert run.status == "CANCELLED"
    assert [call.name for call in harness.calls] == ["pay", "pay:compensate"]
    assert run.steps == ["pay"]
    assert "compensate" in [entry["kind"] for entry in run.history]
    assert harness.events == [("paid", {"text": "2"})]


def test_a_failed_run_is_brought_back(harness: TestHarness) -> None:
    """`retry` goes on where it failed, with the stub that is there now."""
    run = bought(harness, raises=ConnectionError("closed"))
    run.finish()
    assert run.status == "FAILED"
    harness.stub(flows.call_bank, returns="late")
    run.retry()
    run.signal(Paid(amount=1))

    assert (run.status, run.result) == ("COMPLETED", "late")


def test_children_have_handles(harness: TestHarness) -> None:
    """The child asks; the parent goes on when it is answered."""
    harness.stub(flows.call_bank, returns="done")
    run = harness.start(flows.parental)
    (child,) = run.children
    assert run.status == "WAITING_CHILD_HUMAN_INPUT"
    assert child.current_step == "human"

    child.answer({"given": False})

    assert (run.status, run.result) == ("COMPLETED", "refused")
    assert [item.id for item in harness.runs()] == [run.id, child.id]
    assert [item.id for item in harness.runs("Buying")] == [child.id]
    assert harness.load(child.id).result == "refused"
    assert child.children == []


def test_one_step_at_a_time(harness: TestHarness) -> None:
    """`next_step` takes an answer too, and says which step is next."""
    run = harness.start(flows.asking)

    assert run.next_step(YES).next_step is None
    assert repr(run) == f"<HarnessRun Asking {run.id} COMPLETED>"


# Where it stands


def test_inside_a_running_loop(harness: TestHarness) -> None:
    """An async test may use it too: its loop is another one."""

    async def a_test() -> str:
        run = harness.start(flows.impatient)
        return run.finish().value

    assert asyncio.run(a_test()) == "COMPLETED"


def test_a_file_of_an_earlier_test(tmp_path: Path) -> None:
    """A harness over a store finds the instances that lie there; the second one has another clock."""
    path = tmp_path / "runs.db"
    with TestHarness(flows.impatient, import_roots=["tests"], store=SQLitePersistenceProvider(path)) as first:
        run_id = first.start(flows.impatient).id
    later = datetime(2026, 6, 1, tzinfo=UTC)
    with TestHarness(
        flows.impatient, import_roots=["tests"], store=SQLitePersistenceProvider(path), start=later
    ) as second:
        second.settle()
        assert second.load(run_id).result == "nobody"


def test_a_builder_of_the_tests_own() -> None:
    """It is used as it is, and stays open."""
    builder = WorkflowBuilder(plugins=False, import_roots=["tests"])
    with TestHarness(flows.sound, builder=builder) as harness:
        assert harness.start(flows.sound).status == "COMPLETED"
    assert asyncio.run(builder.list_workflows())[0]["status"] == "COMPLETED"


def test_the_same_seed_gives_the_same_ids() -> None:
    """Ids are drawn from the seed, so a failing test fails again."""

    def ids(seed: int) -> list[str]:
        with TestHarness(flows.sound, import_roots=["tests"], seed=seed) as harness:
            return [harness.start(flows.sound).id for _ in range(2)]

    assert ids(1) == ids(1)
    assert len({*ids(1), *ids(2)}) == 4


def test_secrets_and_resources(tmp_path: Path) -> None:
    """They are given to the harness as to a builder."""
    (tmp_path / "greets.yaml").write_text(
        "workflow_type: Greets\nworkflow_version: '1'\ninitial_state_model: tests.support.kit_flows:Cart\nsteps:\n"
        "  - name: Greet\n    function: tests.support.kit_flows.greet\n    automate_next: true\n"
        "    inputs: {text: hello, key: '=secret(\"KEY\")'}\n"
    )
    with TestHarness(tmp_path / "greets.yaml", import_roots=["tests"], secrets={"KEY": "k"}) as harness:
        run = harness.start("Greets")

        assert run.state.tag == "hello k"


def test_closing_twice_is_harmless(harness: TestHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fixtures and `with` may both close it: the first call ends everything, the second one does nothing."""
    closed: list[WorkflowBuilder] = []
    usual = WorkflowBuilder.close

    async def close(builder: WorkflowBuilder) -> None:
        closed.append(builder)
        await usual(builder)

    monkeypatch.setattr(WorkflowBuilder, "close", close)
    harness.close()
    assert harness._loop.is_closed()
    harness.close()

    assert closed == [harness.builder]


TEST = """
from tests.support import kit_flows as flows

made = []

def test_one(ruvon_harness):
    made.append(ruvon_harness(flows.sound, import_roots=["tests"]))
    assert made[0].start(flows.sound).status == "COMPLETED"
    made.append(ruvon_harness(flows.sound, import_roots=["tests"], seed=1))

def test_two():
    assert [harness._closed for harness in made] == [True, True]
"""


def test_the_fixture_makes_harnesses(tmp_path: Path) -> None:
    """With the plugin a test asks for `ruvon_harness`, and what it made is closed behind it."""
    (tmp_path / "test_it.py").write_text(TEST)
    root = str(Path(__file__).parents[3])
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": root}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "ruvon.testing.plugin",
        "--rootdir",
        str(tmp_path),
        "test_it.py",
    ]

    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60, check=False)

    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_the_plugin_is_declared() -> None:
    """Installing Ruvon is all that a project does to get it."""
    declared = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())

    assert declared["project"]["entry-points"]["pytest11"] == {"ruvon": "ruvon.testing.plugin"}
