"""Step calls in `.local`: by value, as a transaction on the state (S4-003, law 1)."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from ruvon import InTurn, OutsideRunError, Reply, TimedOut, World, WorldInputMissing, now, run_local
from ruvon.ir.values import InvalidValueError
from ruvon.models import ContextUnavailableError, UndeclaredKeyError
from tests.unit.authoring import flows as f
from tests.unit.authoring import flows_rest as rest
from tests.unit.authoring import flows_saga as sagas
from tests.unit.authoring.support import ran, result_of


def test_arguments_go_by_value() -> None:
    """A step that grows a list it was given does not grow the caller's."""
    assert result_of(f.arguments, f.Job(lines=[f.Line(sku="a")])) == 2 * 10 + 1


def test_assignments_then_returned_keys_merge() -> None:
    """A state step's own changes and the keys of its dict are both in the state afterwards."""
    outcome = ran(f.merging, f.Job())
    assert (outcome.state.n, outcome.state.text, outcome.state.notes) == (5, "assigned", ["one", "two"])
    assert outcome.result == 5 + 105


def test_a_raising_step_merges_nothing() -> None:
    """What a step did to the state before it raised is gone, also when the error is caught."""
    assert result_of(f.raising, f.Job()) == "51 0 []"


def test_undeclared_key_is_an_error_when_strict() -> None:
    """With strict results a returned key that is no field fails the step, and nothing of it merges."""
    outcome = ran(f.strict, f.Job())
    assert isinstance(outcome.error, UndeclaredKeyError)
    assert outcome.error.key == "totl"
    assert outcome.state == f.Job()


def test_undeclared_key_stays_in_the_result_when_lenient() -> None:
    """Without strict results the key is bound but no field, and the rest merges."""
    outcome = ran(f.lenient, f.Job())
    assert outcome.result == {"totl": 3}
    assert outcome.state.text == "lost"


def test_a_step_may_be_lenient_alone() -> None:
    """`@step(strict=False)` overrides the workflow."""
    outcome = ran(f.lenient_step, f.Job())
    assert outcome.result == {"n": 7, "other": 3}
    assert outcome.state.n == 7


def test_extra_allow_merges_undeclared_keys() -> None:
    """A model with `extra="allow"` takes any key."""
    assert result_of(rest.open_state, rest.Open()) == "{'other': 'kept'}"


def test_state_may_be_rebound_to_what_a_step_returns() -> None:
    """`state = await pay(state)` goes on with the state."""
    outcome = ran(f.rebinding, f.Job())
    assert outcome.result == outcome.state.n == 2


def test_a_dict_state_parameter_gets_a_plain_dict() -> None:
    """A function that annotates `state: dict` is given one, with all fields."""
    assert result_of(f.as_dict, f.Job()) == len(f.Job.model_fields)


def test_results_are_validated_against_the_declared_type() -> None:
    """A result that is not what the step declares fails the step."""
    outcome = ran(f.wrong, f.Job())
    assert isinstance(outcome.error, InvalidValueError)
    assert "valid integer" in str(outcome.error)


def test_a_scripted_result_is_validated_too() -> None:
    """A fake cannot return what the step could not."""
    assert isinstance(ran(f.slow_flow, f.Job(), World(steps={f.slow: "no"})).error, InvalidValueError)


def test_the_state_passed_under_another_name_is_a_copy() -> None:
    """A step that takes the whole state as `job` changes its copy only."""
    outcome = ran(f.passes_state, f.Job())
    assert outcome.result.n == 77
    assert type(outcome.result) is f.Job
    assert outcome.state.n == 0


def test_body_assignments_are_validated_and_converted() -> None:
    """An assignment in the body means what the model says, and `isinstance` keeps working."""
    outcome = ran(f.assigning, f.Job(lines=[f.Line(sku="a")]))
    assert outcome.result == "13 True Job"
    assert outcome.state.notes == ["in place"]
    assert outcome.state.lines == [f.Line(sku="a", qty=4)]


def test_an_invalid_assignment_raises() -> None:
    """A body cannot put into the state what the model refuses."""
    outcome = ran(f.assigning_badly, f.Job())
    assert str(outcome.error) == "`state.n` should be less than 1000, given 5000"
    assert outcome.state.n == 0


def test_an_invalid_change_inside_a_field_raises() -> None:
    """A nested change that does not fit is found when the body next awaits, and taken back."""
    outcome = ran(f.in_place_badly, f.Job(lines=[f.Line(sku="a")]))
    assert isinstance(outcome.error, InvalidValueError)
    assert outcome.state.lines[0].qty == 1


def test_retries_follow_the_policy_on_the_virtual_clock() -> None:
    """Three attempts with delays of 10 and 20 seconds, all with one idempotency key, in no time."""
    world = World()
    before = world.now
    outcome = ran(f.flaky_flow, f.Job(), world)
    assert str(outcome.error).startswith("x 3 ")
    assert world.slept == [timedelta(seconds=10), timedelta(seconds=20)]
    assert world.now - before == timedelta(seconds=30)


def test_a_retry_that_works_gives_its_result() -> None:
    """Replies are used in turn, one for each attempt."""
    keys: list[str] = []

    def fake(context: object) -> str:
        keys.append(context.idempotency_key)  # type: ignore[attr-defined]
        if len(keys) == 1:
            raise ValueError("once")
        return "done"

    assert result_of(f.flaky_flow, f.Job(), World(steps={f.flaky: fake})) == "done"
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_never_stops_retries() -> None:
    """An error of a class in `never` is final at once."""
    world = World(steps={f.flaky: KeyError("final")})
    assert isinstance(ran(f.flaky_flow, f.Job(), world).error, KeyError)
    assert world.slept == []


def test_replies_that_run_out_say_so() -> None:
    """A script that is too short ends the run and names the step."""
    outcome = ran(f.flaky_flow, f.Job(), World(steps={"flaky": InTurn(ValueError("one"))}))
    assert isinstance(outcome.error, WorldInputMissing)
    assert "one more reply" in str(outcome.error)


def test_a_slow_reply_times_out_on_the_virtual_clock() -> None:
    """A fake that takes longer than `timeout=` raises `TimedOut`, which is a `TimeoutError`."""
    world = World(steps={f.slow: Reply(3, takes=timedelta(minutes=1))})
    before = world.now
    outcome = ran(f.slow_flow, f.Job(), world)
    assert isinstance(outcome.error, TimedOut)
    assert isinstance(outcome.error, TimeoutError)
    assert world.now - before == timedelta(seconds=5)


def test_a_reply_in_time_takes_its_time() -> None:
    """The virtual clock moves by what a reply takes."""
    world = World(steps={f.slow: Reply(3, takes=timedelta(seconds=4))})
    before = world.now
    assert result_of(f.slow_flow, f.Job(), world) == 3
    assert world.now - before == timedelta(seconds=4)


def test_a_real_body_that_waits_is_limited_in_real_time() -> None:
    """A body that never ends is cancelled after its timeout."""
    assert isinstance(ran(f.really_slow_flow, f.Job()).error, TimedOut)


def test_context_gives_resources_time_ids_and_the_outbox() -> None:
    """Everything a context offers comes from the world."""
    ident = UUID(int=5)
    start = datetime(2030, 1, 2, tzinfo=UTC)
    world = World(resources={f.Gateway: f.Gateway("g")}, randoms=[0.25], ids=[ident], start=start)
    found = result_of(f.context_flow, f.Job(), world)
    assert found == f"asks_context 1 0.25 2030-01-02T00:00:00+00:00 {ident}"
    assert [(item.topic, item.event) for item in world.published] == [("topic", f.Ping(text="g"))]


def test_a_missing_resource_names_the_argument() -> None:
    """The error says how to give the resource."""
    error = ran(f.context_flow, f.Job()).error
    assert isinstance(error, ContextUnavailableError)
    assert "World(resources={Gateway: ...})" in str(error)


def test_events_of_a_failing_step_are_not_published() -> None:
    """The outbox is part of the step's transaction."""
    world = World(resources={f.Gateway: f.Gateway("g")}, randoms=(1 / 0 for _ in "x"))
    outcome = ran(f.context_flow, f.Job(), world)
    assert isinstance(outcome.error, ZeroDivisionError)
    assert world.published == []


def test_previous_step_result_is_the_last_steps() -> None:
    """A value result is shown under the key `result`."""
    assert result_of(f.previous_flow, f.Job()) == "{'result': 3}"


def test_a_step_cannot_call_another_step() -> None:
    """Steps are called by bodies; inside a step function there is no run."""
    error = ran(f.nested_call, f.Job()).error
    assert isinstance(error, OutsideRunError)
    assert "add.local(...)" in str(error)


def test_a_call_outside_any_run_says_what_to_do() -> None:
    """Awaiting a step on a plain event loop names `.local` and the engine."""

    async def main() -> None:
        await f.add(1)

    with pytest.raises(OutsideRunError, match=r"the step `add` was used outside a running workflow; .*add\.local"):
        asyncio.run(main())


def test_a_workflow_call_outside_any_run_says_what_to_do() -> None:
    """The same for a child."""

    async def main() -> None:
        await sagas.child(f.Ping(text="x"))

    with pytest.raises(OutsideRunError, match=r"the workflow `Child`.*\.local\(state, world\)"):
        asyncio.run(main())


def test_now_outside_any_run_says_what_to_do() -> None:
    """The recorded values belong to bodies."""
    with pytest.raises(OutsideRunError, match=r"context\.now\(\)"):
        now()


def test_recorded_values_come_from_the_world() -> None:
    """`now`, `new_id` and `random` are the world's."""
    world = World(ids=[UUID(int=1)], randoms=[0.5], start=datetime(2031, 5, 6, tzinfo=UTC))
    assert result_of(f.recorded, f.Job(), world) == f"2031-05-06T00:00:00+00:00 {UUID(int=1)} 0.5"


def test_unscripted_values_are_the_same_for_the_same_seed() -> None:
    """Two runs of one seed agree, another seed does not."""
    one, two, other = (result_of(f.recorded, f.Job(), World(seed=seed)) for seed in (1, 1, 2))
    assert one == two != other


def test_calls_are_recorded_in_order_with_their_arguments() -> None:
    """The record holds names, activations, and copies of the arguments."""
    world = World()
    result_of(f.merging, f.Job(), world)
    assert [(item.step, item.activation) for item in world.calls] == [
        ("returns_keys", "returns_keys"),
        ("note", "note"),
        ("note", "note#2"),
        ("add", "add"),
    ]
    assert world.calls[1].args == {"text": "one"}


def test_local_writes_the_final_state_into_the_object_passed() -> None:
    """After `.local` the caller's object shows what the body did."""
    job = f.Job()
    assert asyncio.run(f.merging.local(job, World())) == 110
    assert job.text == "assigned"


def test_run_local_leaves_the_object_passed_alone() -> None:
    """`run_local` copies, so that two runs can be compared."""
    job = f.Job()
    asyncio.run(run_local(f.merging, job))
    assert job == f.Job()


def test_a_step_runs_alone_with_local() -> None:
    """`step.local` gives the validated result and merges into the object passed."""
    job = f.Job()
    assert asyncio.run(f.returns_keys.local(job, 3)) == {"n": 3}
    assert (job.n, job.text) == (3, "assigned")
    assert asyncio.run(f.double.local(4)) == 8


def test_a_step_that_fails_alone_changes_nothing() -> None:
    """`step.local` is a transaction too."""
    job = f.Job()
    with pytest.raises(f.Declined):
        asyncio.run(f.fails_late.local(job))
    assert job == f.Job()


def test_a_world_around_step_local_supplies_resources() -> None:
    """`with world:` makes it the world of calls inside."""
    world = World(resources={f.Gateway: f.Gateway("g")}, randoms=[0.5])
    with world:
        found = asyncio.run(f.asks_context.local(f.Job(), "t"))
    assert found.startswith("asks_context 1 0.5 ")


def test_a_dict_state_works_like_a_model() -> None:
    """A workflow without a model has a dict, isolated in branches like any state."""
    outcome = ran(rest.dict_state, {})
    assert outcome.result == 3
    assert outcome.state == {"n": 4, "in_step": 4, "left": 1}


def test_a_function_named_by_path_is_a_step() -> None:
    """`step_ref` calls the undecorated function under the same rules."""
    assert result_of(rest.references, f.Job()) == 6


def test_a_custom_type_is_scripted_and_merges_its_dict() -> None:
    """The registry lies above this layer, so the world gives the result of a custom type."""
    world = World(steps={"RETRYABLE": {"n": 2}, "SCORED": {"ok": True}})
    assert result_of(rest.custom, f.Job(), world) == 2 + 1
    assert world.calls[0].args == {"function": "f", "max_retries": 5}
