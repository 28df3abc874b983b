"""Graphs built by hand: directives, human takers, input, custom types, restart, drift, observers, creation."""

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from ruvon.engine import (
    DefinitionDriftError,
    InvalidInitialDataError,
    InvalidInputError,
    NotWaitingForInputError,
    UnknownStepTypeError,
    UnknownWorkflowTypeError,
)
from ruvon.ir import (
    END,
    Assign,
    Call,
    Compensation,
    Contract,
    Decision,
    Definition,
    Graph,
    HumanSource,
    Loop,
    Merge,
    MergeConflict,
    MergeStrategy,
    Node,
    Return,
    Route,
    TimerSource,
    Try,
    Wait,
)
from ruvon.ir.expr import parse
from ruvon.providers import DuplicateIdempotencyKeyError, WorkflowNotFoundError
from tests.support import engine_flows as flows
from tests.support import engine_steering as steering
from tests.support.engine_world import make_builder

PLACE = "tests.support.engine_steering"
DOC = "tests.support.engine_flows:Doc"


def call(name: str, function: str | None = None, following: str = END, **options: Any) -> Node:
    automate = options.pop("automate_next", True)
    path = f"{PLACE}:{function or name}"
    action = Call(function=path, args={"state": parse("state")}, **options)
    return Node(id=name, action=action, next=following, automate_next=automate)


def define(*nodes: Node, **options: Any) -> Definition:
    graph = Graph(entry=nodes[0].id, nodes={node.id: node for node in nodes})
    settings: dict[str, Any] = {"workflow_type": "Hand", "state": DOC, "strict_results": False, "graph": graph}
    return Definition(**{**settings, **options})


async def run(definition: Definition, data: dict[str, Any] | None = None, **options: Any) -> Any:
    builder = make_builder(**options)
    builder.register(definition)
    workflow = await builder.create_workflow(definition.workflow_type, data or {})
    await workflow.run()
    return workflow


def test_a_jump_goes_on_at_its_target_with_a_new_visit() -> None:
    """S4-024: the result merges before the jump; the graph may be left backwards."""
    made = define(
        call("one", following="jump"), call("jump", following="two"), call("two", following="last"), call("last", "one")
    )
    workflow = asyncio.run(run(made))
    assert flows.LEDGER == ["one", "jump", "one", "jump", "one"]
    assert (workflow.state.n, workflow.state.tags) == (3, ["jumped"])


def test_a_jump_into_a_loop_fails_the_step() -> None:
    """Section 8.6: never into a LOOP, PARALLEL or TRY."""
    loop = Loop(
        over=parse("[1]"),
        item=parse("i"),
        body=Graph(entry="inside", nodes={"inside": call("inside", "one", automate_next=None)}),
    )
    made = define(call("far", following="loop"), Node(id="loop", action=loop, next=END, automate_next=True))
    workflow = asyncio.run(run(made))
    assert type(workflow.error).__name__ == "JumpTargetError"


def test_visits_make_activations_of_a_cycle_differ() -> None:
    """Section 6: with a route back, the provider's idempotency must not swallow the second charge."""
    decision = Decision(routes=(Route(condition=parse("state.n < 3"), target="keys"),), default=END)
    made = define(call("keys", following="again"), Node(id="again", action=decision, automate_next=True))
    asyncio.run(run(made))
    assert len(set(flows.LEDGER)) == 3


def test_a_pause_waits_for_an_answer_that_the_next_step_takes() -> None:
    """S2-067, section 8.4: a plain step that raises the directive is complete."""

    async def scenario() -> Any:
        made = define(
            call("pause", following="take"), call("take", input_model=f"{PLACE}:Answer", following="two"), call("two")
        )
        workflow = await run(made)
        assert (workflow.status, workflow.current_step_name) == ("WAITING_HUMAN", "take")
        with pytest.raises(InvalidInputError):
            await workflow.next_step({"yes": "perhaps"})
        await workflow.next_step({"yes": True, "why": "because"})
        return workflow

    workflow = asyncio.run(scenario())
    assert flows.LEDGER == ["pause", "take True because", "two after {'text': 'because'}"]
    assert workflow.status == "COMPLETED"


def test_a_step_with_an_input_model_waits_whatever_automate_next_says() -> None:
    """Section 8.3: WAITING_HUMAN_INPUT."""

    async def scenario() -> Any:
        made = define(call("one", following="take_model"), call("take_model", input_model=f"{PLACE}:Answer"))
        workflow = await run(made)
        assert workflow.status == "WAITING_HUMAN_INPUT"
        await workflow.answer(steering.Answer(yes=False, why="no"))
        return workflow

    assert asyncio.run(scenario()).state.text == "no"


def test_a_step_without_function_merges_its_input() -> None:
    """Section 8.3."""

    async def scenario() -> Any:
        made = define(Node(id="form", action=Call(required_input=("n",)), next=END, automate_next=False))
        workflow = await run(made)
        with pytest.raises(InvalidInputError, match="`n` is required"):
            await workflow.next_step({"text": "x"})
        await workflow.next_step({"n": 8})
        return workflow

    assert asyncio.run(scenario()).state.n == 8


def test_input_belongs_to_the_first_step_that_runs() -> None:
    """Section 8.3: the second step does not get it."""

    async def scenario() -> Any:
        builder = make_builder()
        builder.register(define(call("take", following="one"), call("one")))
        workflow = await builder.create_workflow("Hand", {})
        await workflow.next_step({"yes": True, "why": "w"})
        return workflow

    asyncio.run(scenario())
    assert flows.LEDGER == ["take True w", "one"]


@pytest.mark.parametrize("taker", ["self", "next"])
def test_a_human_step_hands_the_answer_to_its_taker(taker: str) -> None:
    """Section 8.4: `answer_to` decides which function gets the answer."""
    if taker == "self":
        source = HumanSource(
            task=parse("'t'"), form=f"{PLACE}:Answer", answer=f"{PLACE}:take", answer_args={"state": parse("state")}
        )
        nodes = [Node(id="ask", action=Wait(source=source), next="two", automate_next=True), call("two")]
    else:
        source = HumanSource(
            task=parse("'t'"), ask=f"{PLACE}:pause", ask_args={"state": parse("state")}, answer_to="next"
        )
        taking = call("take", input_model=f"{PLACE}:Answer", following="two")
        nodes = [Node(id="ask", action=Wait(source=source), next="take", automate_next=True), taking, call("two")]

    async def scenario() -> Any:
        workflow = await run(define(*nodes))
        assert workflow.status == "WAITING_HUMAN"
        await workflow.answer({"yes": True, "why": "y"})
        return workflow

    workflow = asyncio.run(scenario())
    assert workflow.status == "COMPLETED", workflow.error
    assert flows.LEDGER[-2:] == ["take True y", "two after {'text': 'y'}"]


def test_a_directive_starts_a_child_and_waits() -> None:
    """S4-026: the child's result is the step's."""
    workflow = asyncio.run(run(define(call("spawn", following="two"), call("two"))))
    assert flows.LEDGER == ["spawn", "double 4", "child", "two after {'result': 8}"]
    assert workflow.status == "COMPLETED"


def test_a_saga_exception_undoes_everything_without_saga_mode() -> None:
    """Section 8.6: `SagaWorkflowException` always starts the rollback."""
    undo = Compensation(function=f"{PLACE}:undo")
    made = define(call("one", following="give_up", compensation=undo), call("give_up"))
    workflow = asyncio.run(run(made))
    assert flows.LEDGER == ["one", "undo {'n': 1} 1"]
    assert workflow.status == "FAILED_ROLLED_BACK"


def test_an_undo_by_hand_is_not_repeated_by_the_rollback() -> None:
    """Section 12.4: an explicit manual undo marks the entry undone."""
    undo = Compensation(function=f"{PLACE}:undo")
    made = define(call("one", following="undo", compensation=undo), call("undo", following="give_up"), call("give_up"))
    assert asyncio.run(run(made)).status == "FAILED_ROLLED_BACK"
    assert flows.LEDGER == ["one", "undo None 1"]


def test_a_failed_exception_passes_every_handler() -> None:
    """`WorkflowFailedException` is not catchable."""
    from ruvon.ir import Handler

    body = Graph(entry="stop", nodes={"stop": call("stop", automate_next=None)})
    handler = Handler(classes=("builtins:Exception",), graph=Graph(entry=END, nodes={}))
    made = define(Node(id="try", action=Try(body=body, handlers=(handler,)), next=END, automate_next=True))
    assert asyncio.run(run(made)).status == "FAILED"


def test_a_custom_step_type_has_fields_and_executes() -> None:
    """S1-024, S1-025, S1-026: fields are validated, `execute` runs, its dict merges."""

    async def scenario(config: dict[str, Any]) -> Any:
        builder = make_builder()
        builder.register_step_type(steering.Greet)
        builder.register(define(Node(id="hi", action=Call(type="GREET", config=config), next=END, automate_next=True)))
        workflow = await builder.create_workflow("Hand", {"n": 3})
        await workflow.run()
        return workflow

    assert asyncio.run(scenario({"greeting": parse("'Hey'"), "times": parse("state.n - 1")})).state.text == "Hey 3"
    assert flows.LEDGER == ["greet hi HeyHey"]
    assert "times" in str(asyncio.run(scenario({"times": parse("'many'")})).error)


def test_an_unknown_step_type_says_what_is_missing() -> None:
    """S1-023: a helpful error at build, not at run."""

    async def scenario() -> None:
        builder = make_builder()
        builder.register(define(Node(id="x", action=Call(type="STANDART"), next=END, automate_next=True)))
        with pytest.raises(UnknownStepTypeError, match="did you mean `STANDARD`"):
            await builder.create_workflow("Hand", {})

    asyncio.run(scenario())


def test_a_function_that_wants_a_dict_gets_one() -> None:
    """Section 11.2: `state: dict` receives a plain dict; undeclared keys stay in the result."""
    workflow = asyncio.run(run(define(call("wants_dict", following="two"), call("two"))))
    assert flows.LEDGER == ["dict", "two after {'b': 6, 'undeclared': 1}"]
    assert (workflow.state.a, workflow.state.b) == (5, 6)


def test_strict_results_refuse_undeclared_keys() -> None:
    """Section 7: an error under `strict_results`, with the step's name."""
    workflow = asyncio.run(run(define(call("wants_dict"), strict_results=True)))
    assert "undeclared" in str(workflow.error)


@pytest.mark.parametrize(
    ("merge", "n"),
    [(Merge(), 1), (Merge(conflict=MergeConflict.PREFER_EXISTING), 0), (Merge(strategy=MergeStrategy.DEEP), 1)],
)
def test_merge_conflicts_of_one_result(merge: Merge, n: int) -> None:
    """S4-025: existing means a field assigned before; defaults do not count."""
    assert asyncio.run(run(define(call("one", merge=merge)), {"n": 0})).state.n == n
    assert asyncio.run(run(define(call("one", merge=merge)))).state.n == 1


def test_a_result_of_a_definition_without_declared_one_is_the_final_state() -> None:
    """Section 8.6."""
    workflow = asyncio.run(run(define(call("one")), {"n": 1}))
    assert workflow.result == workflow.state


def test_code_that_no_longer_fits_parks_the_instance() -> None:
    """Law 5: DefinitionDriftError, nothing changed."""
    contract = Contract(parameters=(("state", DOC, True), ("gone", "int", True)), result="dict[str, object]")
    made = define(call("one"), contracts={f"{PLACE}:one": contract})
    with pytest.raises(DefinitionDriftError, match="no parameter `gone`"):
        asyncio.run(run(made))


def test_a_running_instance_keeps_its_definition() -> None:
    """S3-029, S3-031: a run paused at a step that a newer version lacks goes on there; new runs take the new one."""

    async def scenario() -> None:
        builder = make_builder()
        old = define(
            call("one", following="take"), call("take", input_model=f"{PLACE}:Answer", following="two"), call("two")
        )
        builder.register(old)
        workflow = await builder.create_workflow("Hand", {})
        await workflow.run()
        new = define(call("two"), workflow_version="2.0.0")
        fresh = make_builder(builder.persistence)
        fresh.register(new)
        again = await fresh.load_workflow(workflow.id)
        await again.answer({"yes": True, "why": "old"})
        assert (again.status, again.workflow_version) == ("COMPLETED", "1.0.0")
        assert flows.LEDGER[:2] == ["one", "take True old"]
        fresh.ids._next = 100
        other = await fresh.create_workflow("Hand", {})
        await other.run()
        assert other.workflow_version == "2.0.0"

    asyncio.run(scenario())


def test_import_roots_are_each_builders_own() -> None:
    """Law 7: what one builder may load, another may not."""
    from ruvon.builder import WorkflowBuilder

    made = define(call("one"))
    make_builder().register(made)
    closed = WorkflowBuilder(plugins=False)
    closed.register(made)
    with pytest.raises(DefinitionDriftError, match="not an allowed import root"):
        asyncio.run(closed.create_workflow("Hand", {}))


def test_initial_data_that_does_not_fit_names_the_field_and_stores_nothing() -> None:
    """S3-024."""

    async def scenario() -> int:
        builder = make_builder()
        with pytest.raises(InvalidInitialDataError, match=r"state\.n"):
            await builder.create_workflow("Three", {"n": "many"})
        return len(await builder.list_workflows())

    assert asyncio.run(scenario()) == 0


def test_an_idempotency_key_creates_one_instance() -> None:
    """S2-027: the first run is untouched."""

    async def scenario() -> None:
        builder = make_builder()
        first = await builder.create_workflow("Three", {"n": 1}, idempotency_key="k")
        with pytest.raises(DuplicateIdempotencyKeyError):
            await builder.create_workflow("Three", {"n": 2}, idempotency_key="k")
        again = await builder.create_workflow("Three", {"n": 2}, idempotency_key="k", if_exists="load")
        assert (again.id, again.state.n) == (first.id, 1)

    asyncio.run(scenario())


def test_unknown_types_and_ids_have_typed_errors() -> None:
    """S2-006: an unknown id is a ValueError too."""

    async def scenario() -> None:
        builder = make_builder()
        with pytest.raises(UnknownWorkflowTypeError, match="did you mean `Three`"):
            await builder.create_workflow("Thre", {})
        with pytest.raises(WorkflowNotFoundError):
            await builder.load_workflow("00000000-0000-0000-0000-00000000ffff")
        with pytest.raises(ValueError, match="no workflow with the id"):
            await builder.load_workflow("nonsense")

    asyncio.run(scenario())


def test_observers_are_told_after_the_commit_and_cannot_harm() -> None:
    """S2-046 to S2-059, S4-040: by keyword, with what the hook accepts; what they raise is logged."""
    told: list[tuple[Any, ...]] = []

    class Plain:
        async def on_step_executed(self, workflow_id: str, step_name: str) -> None:
            told.append(("step", step_name))
            raise RuntimeError("an observer is broken")

        def on_workflow_status_changed(self, old_status: str, new_status: str) -> None:
            told.append((old_status, new_status))

        async def on_workflow_completed(self, **everything: Any) -> None:
            told.append(("completed", sorted(everything)))

    workflow = asyncio.run(run(define(call("one"), call("two")), observers=[Plain()]))
    assert workflow.status == "COMPLETED"
    assert told == [
        ("step", "one"),
        ("ACTIVE", "COMPLETED"),
        ("completed", ["duration_ms", "final_state", "source", "workflow_id"]),
    ]


def test_restart_goes_on_under_the_same_id_with_a_fresh_history() -> None:
    """Section 12.9: the newest definition, a fresh history, the same id."""

    async def scenario() -> Any:
        builder = make_builder()
        restart = Call(type="RESTART", config={"state": parse("{'n': state.n + 10, 'text': 'again'}")})
        decision = Decision(routes=(Route(condition=parse("state.n < 20"), target="restart"),), default=END)
        nodes = [
            call("one", following="enough"),
            Node(id="enough", action=decision, automate_next=True),
            Node(id="restart", action=restart, next=END, automate_next=True),
        ]
        old = define(*nodes)
        builder.register(old)
        workflow = await builder.create_workflow("Hand", {})
        before = workflow.id
        builder.register(dataclasses.replace(old, workflow_version="2.0.0"))
        await workflow.run()
        assert workflow.id == before
        return workflow, await workflow.history()

    workflow, history = asyncio.run(scenario())
    assert (workflow.state.n, workflow.state.text) == (23, "again")
    assert workflow.workflow_version == "2.0.0"
    assert [item["kind"] for item in history] == ["restart", "step", "end"]


def test_while_loops_have_the_limit_that_is_written() -> None:
    """Section 6: LoopLimitError, which nothing catches."""
    loop = Loop(
        condition=parse("True"),
        max_iterations=3,
        body=Graph(entry="one", nodes={"one": call("one", automate_next=None)}),
    )
    workflow = asyncio.run(run(define(Node(id="loop", action=loop, next=END, automate_next=True))))
    assert (type(workflow.error).__name__, flows.LEDGER) == ("LoopLimitError", ["one"] * 3)


def test_timers_and_returns_by_hand() -> None:
    """A timer that is due already does not wait."""
    nodes = [
        Node(id="nap", action=Wait(source=TimerSource(duration=parse("timedelta(0)"))), next="set", automate_next=True),
        Node(id="set", action=Assign(target=parse("x"), value=parse("41 + 1")), next="return", automate_next=True),
        Node(id="return", action=Return(value=parse("x"))),
    ]
    assert asyncio.run(run(define(*nodes, variables={"x": "int"}, result="int"))).result == 42


def test_sync_twins_work_without_a_loop() -> None:
    """S4-050: one background loop."""
    builder = make_builder()
    builder.register(define(call("one")))
    workflow = builder.create_workflow_sync("Hand", {"n": 4})
    workflow.run_sync()
    assert workflow.state.n == 5


@pytest.mark.parametrize(
    ("call_it", "says"),
    [
        (lambda builder: builder.list_workflows(status="WAITNG"), "there is no status 'WAITNG'; it is one of ACTIVE"),
        (lambda builder: builder.list_workflows(limit=-1), "limit and offset are numbers from 0"),
        (lambda builder: builder.create_workflow("Three", {"n": 1}, if_exists="lod"), "'raise' or 'load', not 'lod'"),
    ],
)
def test_an_option_of_the_builder_that_means_nothing_is_refused(call_it: Callable[[Any], Any], says: str) -> None:
    """A misspelt status must not look like an empty store, nor a misspelt option like the default."""

    async def scenario() -> None:
        with pytest.raises(ValueError, match=says):
            await call_it(make_builder())

    asyncio.run(scenario())


def test_an_answer_for_a_step_that_is_not_there_says_where_the_workflow_stands() -> None:
    """Not the step that was asked for."""

    async def scenario() -> str:
        workflow = await make_builder().create_workflow("Three", {"n": 1})
        with pytest.raises(NotWaitingForInputError) as caught:
            await workflow.answer({}, step="nowhere")
        return str(caught.value)

    assert "ACTIVE at `inc`" in asyncio.run(scenario())
