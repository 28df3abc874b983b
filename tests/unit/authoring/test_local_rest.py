"""Children, restarts, flows, blocks, services and templates in `.local`."""

import asyncio

import pytest

from ruvon import HttpError, HttpResponse, InTurn, Restarted, World, WorldInputMissing, run_local
from tests.unit.authoring import flows as f
from tests.unit.authoring import flows_groups as groups
from tests.unit.authoring import flows_rest as rest
from tests.unit.authoring import flows_saga as sagas
from tests.unit.authoring.support import ran, result_of


def test_a_child_runs_its_own_body_by_value() -> None:
    """The child's state is a copy; its result comes out of the `await` and into `sub_workflow_results`."""
    assert result_of(sagas.parent, sagas.Parent()) == "HI! hi {'Child': 'HI!'}"


def test_a_childs_error_is_its_own() -> None:
    """The parent catches the child's class."""
    assert result_of(sagas.parent_of_failing, sagas.Parent()) == "child said 7"


def test_a_childs_result_may_be_scripted() -> None:
    """A scripted result is validated like a real one; the child's body does not run."""
    world = World(children={"Child": "scripted"})
    assert result_of(sagas.parent, sagas.Parent(), world).startswith("scripted hi")
    assert world.steps_called == ["Child"]


def test_an_external_child_must_be_scripted() -> None:
    """Its body is not here; the error says how to give its result."""
    assert isinstance(ran(sagas.parent_of_external, sagas.Parent()).error, WorldInputMissing)
    assert result_of(sagas.parent_of_external, sagas.Parent(), World(children={sagas.kyc: {"ok": True}})) is True


def test_a_childs_timeout_cancels_it() -> None:
    """`with_(timeout=)` raises `TimedOut` in the parent."""
    assert result_of(sagas.child_timeout, sagas.Parent()) == "`Sleeper` timed out"


def test_a_childs_calls_are_told_apart() -> None:
    """The record has the child's calls under its own path."""
    world = World()
    result_of(sagas.parent, sagas.Parent(), world)
    assert world.by_branch == {"": ["Child"], "Child": ["shout"]}


def test_spawned_and_scheduled_children_are_recorded() -> None:
    """One key gives one child; a schedule keeps its cron."""
    world = World()
    assert result_of(sagas.spawner, sagas.Parent(), world) == "same"
    assert [(item.workflow, item.cron) for item in world.spawned] == [("Child", None), ("Child", "0 9 * * MON")]


def test_without_a_world_spawning_is_an_error() -> None:
    """The error names the world."""
    outcome = asyncio.run(run_local(sagas.spawner, sagas.Parent()))
    assert isinstance(outcome.error, WorldInputMissing)


def test_restart_ends_the_run_with_the_next_state() -> None:
    """`run_local` gives the state of the next run, `.local` raises `Restarted`."""
    outcome = ran(sagas.restarting, f.Job())
    assert (outcome.restarted.n, outcome.error) == (1, None)
    with pytest.raises(Restarted) as caught:
        asyncio.run(sagas.restarting.local(f.Job()))
    assert caught.value.state.n == 1


def test_a_child_that_restarts_runs_on() -> None:
    """The parent waits for the run that ends."""
    assert result_of(sagas.parent_of_restarting, f.Job()) == "run 3"


def test_a_flow_runs_its_stages_and_leaves_the_loop_around_it() -> None:
    """`go` names the next stage, a turn without it ends the flow, BREAK leaves the loop."""
    assert result_of(rest.flowing, f.Job()) == ["route", "high", "low", "route", "low", "route"]


def test_the_first_go_of_a_turn_counts() -> None:
    """Where a turn reaches several, as both ends of a loop may, the later ones change nothing."""
    assert ran(rest.flow_twice, f.Job()).state.n == 20


def test_blocks_are_part_of_the_body() -> None:
    """A block's steps belong to the sequence that calls it."""
    world = World()
    assert result_of(rest.blocks, f.Job(), world) == 3
    assert world.by_branch == {"": ["add", "add"]}


def services_world(**changes: object) -> World:
    """A world in which every service of the flow replies."""
    replies = {
        "http": {
            "https://api.example/answer": {"ok": True},
            "POST https://api.example/plain": HttpResponse(404, {}, "none"),
        },
        "infer": {"model@1": {"ok": True}},
        "wasm": {"sha256:00": {"ok": True}},
        "secrets": {"TOKEN": "t"},
    }
    return World(**{**replies, **changes})  # type: ignore[arg-type]


def test_services_reply_from_the_world() -> None:
    """Bodies of `into=` are validated; an expected status is no error; plain responses are given as they are."""
    assert result_of(rest.services, f.Job(), services_world()) == "True 404 True True"


def test_a_failing_inference_gives_its_default() -> None:
    """`default=` stands in for any failure."""
    world = services_world(infer={"model@1": ValueError("no model")})
    assert result_of(rest.services, f.Job(), world) == "True 404 False True"


def test_an_unexpected_status_is_an_http_error() -> None:
    """A status of 400 or more that `expect=` does not name raises `HttpError`."""
    replies = {"https://api.example/answer": HttpResponse(503, {}, "busy")}
    error = ran(rest.services, f.Job(), services_world(http=replies)).error
    assert isinstance(error, HttpError)
    assert (error.status, error.body) == (503, "busy")


def test_a_body_is_read_as_json_into_the_model() -> None:
    """A scripted response is decoded like a real one."""
    replies = {
        "https://api.example/answer": HttpResponse(200, {}, '{"ok": true}'),
        "https://api.example/plain": HttpResponse(200, {}, ""),
    }
    assert result_of(rest.services, f.Job(), services_world(http=replies)) == "True 200 True True"


def test_http_is_retried() -> None:
    """A policy at the call repeats what failed."""
    world = World(http={"https://api.example/answer": InTurn(ConnectionError("down"), {"ok": True})})
    assert result_of(rest.http_retry, f.Job(), world) is True
    assert len(world.slept) == 1


def test_calls_and_waits_take_options() -> None:
    """Names, retries, defaults, required keys and compensations of one use."""
    world = World(
        http={"https://api.example/answer": InTurn(ConnectionError("down"), {"ok": True})},
        answers={"approve": [{"ok": False}, {"ok": False, "why": "so"}]},
        steps={groups.item: f.Declined(code=4), "undo_reserve": None},
    )
    outcome = ran(rest.options_in_saga, f.Job(), world)
    assert isinstance(outcome.error, f.Declined)
    assert world.steps_called == ["reserve", "Ask", "take_answer", "item"]
    assert [task for task, _ in world.refused] == ["approve"]
    assert [(item.step, item.error) for item in world.compensations] == [("Ask", None), ("reserve", None)]


def test_secrets_are_masked_in_text() -> None:
    """A secret shows stars."""
    assert result_of(rest.secrets, f.Job(), World(secrets={"TOKEN": "t"})) == "********** True"


def test_templates_read_the_names_of_the_body() -> None:
    """State and variables are there, filters work."""
    assert result_of(rest.templates, f.Job(n=4)) == "ADA 4"


def test_a_fake_may_be_a_function_of_what_it_names() -> None:
    """A fake names only the arguments that it wants."""
    world = World(steps={sagas.shout: lambda state: state.text * 2})
    assert result_of(sagas.parent, sagas.Parent(), world).startswith("hi!hi! hi")
