"""Sections 8.1, 8.3 and 8.4: timers, signals, people and input."""

import asyncio
from typing import Any

import pytest

from ruvon.engine import InvalidInputError, NotWaitingForInputError, WorkflowFinishedError
from tests.support import engine_flows as flows
from tests.support.engine_world import START_US

DAY_US = 86_400_000_000


def test_a_long_timer_rings_on_the_clock(builder: Any, clock: Any) -> None:
    """Section 8.3: run() sleeps on the Clock; a month takes no time."""

    async def scenario() -> Any:
        workflow = await builder.create_workflow("Sleeper", {})
        await workflow.run()
        return workflow

    workflow = asyncio.run(scenario())
    assert workflow.result == "slept"
    assert clock.now_us() - START_US >= 30 * DAY_US


def test_next_step_does_not_wait_for_a_timer(builder: Any, clock: Any) -> None:
    """Section 8.3: polling a timer starts nothing, and takes what has arrived."""

    async def scenario() -> Any:
        workflow = await builder.create_workflow("Sleeper", {})
        first = await workflow.next_step()
        again = await workflow.next_step()
        assert first == again
        assert (workflow.status, workflow.current_step_name) == ("PAUSED", "sleep")
        assert workflow.waiting_for[0]["kind"] == "timer"
        with pytest.raises(NotWaitingForInputError):
            await workflow.next_step({"x": 1})
        clock.advance(31 * DAY_US)
        await workflow.next_step()
        return workflow

    assert asyncio.run(scenario()).status == "COMPLETED"


def test_an_early_signal_lies_in_the_mailbox(builder: Any) -> None:
    """Section 8.1: signals are kept in order until the workflow receives them."""

    async def scenario() -> Any:
        workflow = await builder.create_workflow("Mailbox", {})
        store = builder.persistence
        await store.append_inbox(_entry(workflow, flows.Note(text="one")))
        await workflow.signal(flows.Note(text="two"))
        return workflow

    assert asyncio.run(scenario()).result == ["one", "two"]


def _entry(workflow: Any, note: flows.Note) -> Any:
    from ruvon.engine._answers import encode_signal
    from ruvon.providers import InboxEntry, InboxKind

    name, data = encode_signal(workflow._run, note, None)
    return InboxEntry(workflow._run.record.workflow_id, InboxKind.SIGNAL, name, data)


def test_a_signal_drives_the_workflow_on(builder: Any) -> None:
    """Section 8.1: with no holder, whoever appends takes the instance itself."""

    async def scenario() -> Any:
        workflow = await builder.create_workflow("Mailbox", {})
        await workflow.run()
        await workflow.signal("Note", {"text": "a"})
        await workflow.signal("Note", {"text": "b"})
        return workflow

    workflow = asyncio.run(scenario())
    assert (workflow.status, workflow.result) == ("COMPLETED", ["a", "b"])


def test_an_unknown_or_invalid_signal_is_refused(builder: Any) -> None:
    """A signal that the definition does not receive, or that does not fit, changes nothing."""

    async def scenario() -> None:
        workflow = await builder.create_workflow("Mailbox", {})
        with pytest.raises(InvalidInputError, match=r"the signal `Nothing` is not valid: .* receives no `Nothing`"):
            await workflow.signal("Nothing", {})
        with pytest.raises(InvalidInputError, match=r"the signal `Note` is not valid: `signal.text`"):
            await workflow.signal("Note", {})
        with pytest.raises(InvalidInputError, match="the class `Note`; give an instance"):
            await workflow.signal(flows.Note)

    asyncio.run(scenario())


def test_a_race_is_won_by_the_first(builder: Any) -> None:
    """Section 12.7: the signal wins over the timer, and the loser's timer is gone."""

    async def scenario() -> Any:
        workflow = await builder.create_workflow("Race", {})
        await workflow.next_step()
        await workflow.signal(flows.Note(text="me"), key="k")
        return workflow

    workflow = asyncio.run(scenario())
    assert (workflow.result, workflow.waiting_for) == ("me", [])


def test_what_was_due_before_a_signal_was_sent_wins_the_race(builder: Any, clock: Any) -> None:
    """Section 12.7: the first completion wins, also when nobody drove in between."""

    async def scenario() -> Any:
        workflow = await builder.create_workflow("Race", {})
        await workflow.next_step()
        clock.advance(2 * 3_600_000_000)
        await workflow.signal(flows.Note(text="me"), key="k")
        return workflow

    assert asyncio.run(scenario()).result == "late"


def test_a_race_ignores_a_signal_with_another_key(builder: Any) -> None:
    """Section 12.7: mailboxes are by model and key."""

    async def scenario() -> Any:
        workflow = await builder.create_workflow("Race", {})
        await workflow.next_step()
        await workflow.signal(flows.Note(text="me"), key="other")
        assert workflow.status == "PAUSED"
        await workflow.run()
        return workflow

    assert asyncio.run(scenario()).result == "late"


def test_a_person_is_asked_and_answers(builder: Any) -> None:
    """S2-067: a waiting status, what is shown, and the answer that goes on."""

    async def scenario() -> Any:
        workflow = await builder.create_workflow("Approval", {"n": 3})
        await workflow.run()
        assert workflow.status == "WAITING_HUMAN"
        wait = workflow.waiting_for[0]
        assert wait["show"] == {"task": "approve", "show": {"n": 3}, "role": "boss"}
        await workflow.answer({"approved": True, "reason": "fine"})
        return workflow

    workflow = asyncio.run(scenario())
    assert (workflow.result, flows.LEDGER) == ("fine", ["before", "after"])


def test_an_answer_that_does_not_fit_changes_nothing(builder: Any) -> None:
    """S4-036: validated before anything is written; the step keeps waiting."""

    async def scenario() -> None:
        workflow = await builder.create_workflow("Approval", {})
        await workflow.run()
        revision = workflow._run.record.revision
        for bad in ({"approved": "maybe"}, {"approved": True, "reason": "x" * 11}, {}):
            with pytest.raises(InvalidInputError):
                await workflow.answer(bad)
        with pytest.raises(InvalidInputError):
            await workflow.next_step({"approved": "maybe"})
        await workflow.refresh()
        assert (workflow.status, workflow._run.record.revision) == ("WAITING_HUMAN", revision)
        await workflow.next_step({"approved": True})
        assert workflow.status == "COMPLETED"

    asyncio.run(scenario())


def test_an_answer_to_another_turn_is_refused(builder: Any) -> None:
    """Section 6: an answer may name the wait it is for."""

    async def scenario() -> None:
        workflow = await builder.create_workflow("Approval", {})
        await workflow.run()
        with pytest.raises(NotWaitingForInputError):
            await workflow.answer({"approved": True}, wait_id="human#7")

    asyncio.run(scenario())


def test_a_human_wait_times_out(builder: Any, clock: Any) -> None:
    """Section 8.6: an expired wait raises TimedOut, which the body can catch."""

    async def scenario() -> Any:
        workflow = await builder.create_workflow("ApprovalTimeout", {})
        await workflow.run()
        clock.advance(3 * DAY_US)
        await workflow.run()
        return workflow

    assert asyncio.run(scenario()).result == "nobody"


def test_manual_steps_run_one_at_a_time(builder: Any) -> None:
    """S3-010, S1-066: without automate_next each call runs one step and says where it stands."""

    async def scenario() -> list[Any]:
        workflow = await builder.create_workflow("Manual", {"n": 1})
        seen = []
        while not workflow.status.is_terminal:
            result, following = await workflow.next_step()
            seen.append((result, following, list(flows.LEDGER)))
            flows.LEDGER.clear()
        with pytest.raises(WorkflowFinishedError):
            await workflow.next_step()
        return seen

    assert asyncio.run(scenario()) == [
        ({"n": 2}, "mark", ["inc 1"]),
        (None, "double", ["mark two"]),
        (4, "return", ["double 2"]),
        (4, None, []),
    ]


def test_two_drivers_at_once_exclude_each_other(builder: Any) -> None:
    """Section 8.1: one wins, the other is told WorkflowBusyError and changes nothing."""
    from ruvon.providers import WorkflowBusyError

    async def scenario() -> None:
        workflow = await builder.create_workflow("Napping", {})
        other = await builder.load_workflow(workflow.id)
        results = await asyncio.gather(workflow.run(), other.run(), return_exceptions=True)
        assert [type(item).__name__ for item in results] == ["StepResult", "WorkflowBusyError"]
        assert isinstance(results[1], WorkflowBusyError)
        assert flows.LEDGER == ["a begins", "a ends"]

    asyncio.run(scenario())
