"""Contexts, statuses, directives, results and errors."""

import pickle
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from ruvon.models import (
    TERMINAL_STATUSES,
    WAITING_STATUSES,
    ContextUnavailableError,
    HttpResponse,
    MergeConflictBehavior,
    MergeConflictError,
    Offline,
    SagaWorkflowException,
    StartSubWorkflowDirective,
    StepContext,
    StepResult,
    TimedOut,
    UndeclaredKeyError,
    WorkflowJumpDirective,
    WorkflowPauseDirective,
    WorkflowStatus,
    WorkflowStep,
    as_result_mapping,
    may_become,
)

ALL = list(WorkflowStatus)


class NoField:
    """What pydantic knows nothing of."""


def test_statuses_have_the_documented_names() -> None:
    """The value is the name that is stored and shown."""
    assert {item.value for item in ALL} == {
        "ACTIVE",
        "PENDING_ASYNC",
        "PENDING_SUB_WORKFLOW",
        "PAUSED",
        "WAITING_HUMAN",
        "WAITING_HUMAN_INPUT",
        "WAITING_CHILD_HUMAN_INPUT",
        "COMPENSATING",
        "COMPLETED",
        "FAILED",
        "FAILED_ROLLED_BACK",
        "FAILED_CHILD_WORKFLOW",
        "FAILED_WORKER_CRASH",
        "CANCELLED",
    }


@given(st.sampled_from(ALL))
def test_a_status_may_stay(status: WorkflowStatus) -> None:
    """Staying is always allowed."""
    assert may_become(status, status)


@given(st.sampled_from(sorted(WAITING_STATUSES)), st.sampled_from(ALL))
def test_a_live_workflow_may_become_anything_but_rolled_back(old: WorkflowStatus, new: WorkflowStatus) -> None:
    """FAILED_ROLLED_BACK is reached through COMPENSATING only."""
    assert may_become(old, new) is (new is not WorkflowStatus.FAILED_ROLLED_BACK)


@given(st.sampled_from(sorted(TERMINAL_STATUSES)), st.sampled_from(ALL))
def test_an_end_is_left_only_to_be_undone_or_to_go_on(old: WorkflowStatus, new: WorkflowStatus) -> None:
    """By a parent's rollback, a retry or a rewind; an ended workflow never becomes one that ended otherwise."""
    assert may_become(old, new) is (new is old or not new.is_terminal)


def test_terminal_and_waiting_do_not_overlap() -> None:
    """With ACTIVE and COMPENSATING they make up all statuses."""
    assert not TERMINAL_STATUSES & WAITING_STATUSES
    rest = set(ALL) - TERMINAL_STATUSES - WAITING_STATUSES
    assert rest == {WorkflowStatus.ACTIVE, WorkflowStatus.COMPENSATING}
    assert WorkflowStatus.FAILED.is_terminal
    assert WorkflowStatus.PAUSED.is_waiting


def test_directives_take_the_documented_arguments() -> None:
    """Names of arguments are part of the interface (S2-067)."""
    assert WorkflowJumpDirective(target_step_name="Ship").target_step_name == "Ship"
    assert WorkflowPauseDirective(result={"asked": True}).result == {"asked": True}
    child = StartSubWorkflowDirective(workflow_type="KYC", initial_data={"a": 1}, data_region="eu")
    assert (child.workflow_type, child.initial_data, child.data_region) == ("KYC", {"a": 1}, "eu")
    cause = ValueError("no stock")
    saga = SagaWorkflowException(step="Reserve", error=cause)
    assert (saga.step, saga.error, saga.__cause__) == ("Reserve", cause, cause)


def test_a_step_result_unpacks() -> None:
    """`result, next_step = await workflow.next_step()`."""
    result, next_step = StepResult({"a": 1}, "Ship")
    assert (result, next_step) == ({"a": 1}, "Ship")


def test_prefer_old_is_prefer_existing() -> None:
    """Both names are documented and mean one thing."""
    assert MergeConflictBehavior["PREFER_OLD"] is MergeConflictBehavior["PREFER_EXISTING"]


class Thing(BaseModel):
    n: int = 1


@pytest.mark.parametrize(
    ("result", "shown"),
    [(None, None), ({"a": 1}, {"a": 1}), (Thing(), {"n": 1}), (5, {"result": 5}), ([1], {"result": [1]})],
)
def test_previous_results_are_shown_as_mappings(result: object, shown: object) -> None:
    """Dicts as they are, models by field, the rest under one key."""
    assert as_result_mapping(result) == shown


def test_a_context_made_by_hand_has_what_it_was_given() -> None:
    """Tests of step functions build a context without an engine (S1-064)."""
    context = StepContext("w1", "Charge", previous_step_result={"a": 1}, loop_index=2, loop_item="x")
    assert (context.workflow_id, context.previous_step_result, context.loop_index) == ("w1", {"a": 1}, 2)
    assert context.idempotency_key == "w1/Charge"
    with pytest.raises(ContextUnavailableError, match="made by hand"):
        context.get(Thing)


class Greet(WorkflowStep):
    type: str = "GREET"
    greeting: str = "Hello"


def test_a_custom_step_type_has_typed_fields() -> None:
    """A wrong key or value is refused when the step is loaded (S1-025)."""
    assert Greet(name="g", greeting="Hi").greeting == "Hi"
    with pytest.raises(ValidationError, match="Extra inputs"):
        Greet(name="g", greting="Hi")  # type: ignore[call-arg]


def test_timeouts_and_offline_are_pythons_own_errors() -> None:
    """`except TimeoutError` and `except ConnectionError` mean what they say."""
    assert isinstance(TimedOut("charge", timedelta(seconds=5)), TimeoutError)
    assert str(TimedOut("charge", timedelta(seconds=5))) == "`charge` did not end within 0:00:05"
    assert isinstance(Offline("api.example"), ConnectionError)


def test_errors_build_their_own_sentences() -> None:
    """Each names the remedy."""
    assert "did you mean `total`?" in str(UndeclaredKeyError("charge", "totl", "Order", ("total", "vip")))
    assert "say who wins with conflict=" in str(MergeConflictError("a", ("left", "right")))


def test_responses_read_json_and_are_values() -> None:
    """`HttpResponse.json` is computed from the text."""
    response = HttpResponse(200, {"a": "b"}, '{"n": [1]}')
    assert response.json == {"n": [1]}
    assert pickle.loads(pickle.dumps(response)) == response


def test_a_step_type_is_checked_where_it_is_written() -> None:
    """`WorkflowStep` itself is built when it is first used; a subclass is complete at once, and a bad one fails there."""

    class Greet(WorkflowStep):
        greeting: str = "Hello"

    assert Greet.__pydantic_complete__
    assert WorkflowStep(name="a", type="B").name == "a"
    with pytest.raises(PydanticSchemaGenerationError):
        type("Bad", (WorkflowStep,), {"__annotations__": {"field": NoField}})
