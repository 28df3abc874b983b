"""Corners of lists, parts and headers, each found by a generated workflow or a real file."""

import pytest

from ruvon.ir._diagnostics import Severity
from ruvon.ir._nodes import END, Call, Definition, HumanSource, Loop, Parallel, Return, Start, StartMode, Try, Wait
from ruvon.ir._paths import ImportRoots
from ruvon.ir._verify import verify
from ruvon.ir.expr import parse
from ruvon_dsl import compile_source
from tests.unit.yaml_front_end.surroundings import STEPS, lower

HEAD = "workflow_type: Example\nmodule: yaml_shop\ninitial_state_model: Order\n"
names = pytest.mark.parametrize


def definition(steps: str, head: str = HEAD) -> Definition:
    """The sound definition of some steps; errors fail the test."""
    (draft,) = lower(f"{head}steps: {steps}")
    assert [item.message for item in draft.diagnostics if item.severity is Severity.ERROR] == []
    assert verify(draft.definition) == ()
    return draft.definition


def findings(text: str) -> list[tuple[str, int]]:
    """Code and line of everything that compiling a text says."""
    roots = ImportRoots(folders=[STEPS])
    found = compile_source(text, kind="yaml", roots=roots).diagnostics
    return [(item.code, item.span.start.line if item.span else 0) for item in found]


def messages(steps: str) -> list[str]:
    """What compiling some steps says."""
    return [item.message for draft in lower(f"{HEAD}steps: {steps}") for item in draft.diagnostics]


# --- parts without steps, and where parts end -------------------------------------------------------------------------


def test_else_of_a_loop_joins_what_follows() -> None:
    """The end of a loop's else part goes to the step behind the loop, which is also where a break goes."""
    made = definition(
        "[{name: L, for: x, in: state.items, steps: [break], else: [{name: E, function: check}]},"
        " {name: A, function: pack}]"
    )
    loop = made.graph.nodes["L"]

    assert isinstance(loop.action, Loop)
    assert (loop.next, loop.action.on_break, made.graph.nodes["E"].next) == ("E", "A", "A")


def test_else_of_a_try_joins_what_follows() -> None:
    """The end of a TRY's else part goes to the step behind the TRY."""
    made = definition(
        "[{name: T, type: TRY, steps: [{function: check}], except: [{error: ValueError, steps: []}],"
        " else: [{name: E, function: ship}]}, {name: A, function: pack}]"
    )

    assert (made.graph.nodes["T"].next, made.graph.nodes["E"].next) == ("E", "A")


@names("otherwise", ["[]", "[{goto: A}]"])
def test_else_of_a_loop_without_steps_is_none(otherwise: str) -> None:
    """Where the else part leads to what follows anyway, there is no second edge."""
    made = definition(
        f"[{{name: L, for: x, in: state.items, steps: [break], else: {otherwise}}}, {{name: A, function: pack}}]"
    )
    loop = made.graph.nodes["L"]

    assert isinstance(loop.action, Loop)
    assert (loop.next, loop.action.on_break) == ("A", None)


@names("final", ["[]", "[{goto: END}]"])
def test_finally_without_steps_is_none(final: str) -> None:
    """A `finally` that does nothing is no part of the TRY."""
    made = definition(
        "[{name: T, type: TRY, steps: [{function: check}], except: [{error: ValueError, steps: []}],"
        f" finally: {final}}}]"
    )
    action = made.graph.nodes["T"].action

    assert isinstance(action, Try)
    assert action.final is None


def test_saga_with_an_empty_finally_is_one_scope() -> None:
    """`finally: []` makes no second TRY around a saga scope."""
    made = definition("[{name: T, type: TRY, saga: true, steps: [{function: check}], finally: []}]")
    action = made.graph.nodes["T"].action

    assert isinstance(action, Try)
    assert action.saga
    assert set(action.body.nodes) == {"check"}


def test_a_workflow_may_have_no_steps() -> None:
    """`steps: []` is a workflow that ends at once; a file without `steps` is not."""
    assert definition("[]").graph.entry == END
    assert findings(HEAD) == [("RV0811", 1)]
    assert findings(HEAD + "steps:\n") == [("RV0840", 4)]
    assert findings(HEAD + "steps: {}\n") == [("RV0840", 4)]


# --- branches of one step ---------------------------------------------------------------------------------------------


def test_output_of_a_branch_of_one_step_is_the_branchs() -> None:
    """`branches: {a: [{.., output: x}]}` binds at the join, as a task does."""
    made = definition(
        "[{name: P, type: PARALLEL, branches: {a: [{function: reserve, inputs: {item: '=state.items[0]'},"
        " output: state.risk}], b: [{function: check}]}}]"
    )
    action = made.graph.nodes["P"].action

    assert isinstance(action, Parallel)
    assert [branch.output for branch in action.branches] == [parse("state.risk"), None]


def test_output_of_a_branch_cannot_be_bound_twice() -> None:
    """A branch with an `output`, whose only step has another, is reported."""
    assert messages(
        "[{name: P, type: PARALLEL, branches: {a: {steps: [{function: quote, inputs: {items: =state.items},"
        " output: x}], output: y}}}]"
    ) == ["the result of the branch `a` is bound twice"]


def test_a_mapped_step_that_writes_the_state_ends_in_a_return() -> None:
    """The body of a mapped PARALLEL that binds its result inside the branch yields no result."""
    made = definition(
        "[{name: P, type: PARALLEL, iterate_over: state.items, steps: [{name: R, function: reserve,"
        " inputs: {item: =item}, output: 'state.risk'}]}]"
    )
    action = made.graph.nodes["P"].action

    assert isinstance(action, Parallel)
    assert action.body is not None
    assert action.body.nodes["R"].next == "return"
    assert action.body.nodes["return"].action == Return()


def test_a_mapped_steps_variable_is_nobodys() -> None:
    """A variable of the branch alone is reported, with what to write instead."""
    (draft,) = lower(
        f"{HEAD}steps: [{{name: P, type: PARALLEL, iterate_over: state.items, task:"
        " {function: reserve, inputs: {item: =item}, output: sku}}]"
    )

    assert [(item.code, item.help) for item in draft.diagnostics] == [
        ("RV0827", "give the step around it the `output`: the list of all results")
    ]


# --- keys that printers need ------------------------------------------------------------------------------------------


def test_human_functions_with_arguments_of_their_own() -> None:
    """`ask_inputs` and `answer_inputs` tell the arguments of two functions apart; the state is added to both."""
    made = definition(
        "[{name: H, type: HUMAN_IN_LOOP, ask: plain, answer: plain, ask_inputs: {a: 1}, answer_inputs: {b: 2}}]"
    )
    action = made.graph.nodes["H"].action

    assert isinstance(action, Wait)
    assert isinstance(action.source, HumanSource)
    assert action.source.ask_args == {"state": parse("state"), "a": parse("1")}
    assert action.source.answer_args == {"state": parse("state"), "b": parse("2")}


def test_arguments_of_a_function_that_is_not_there() -> None:
    """`ask_inputs` without `ask` is reported."""
    assert messages("[{name: H, type: HUMAN_IN_LOOP, answer: plain, ask_inputs: {a: 1}}]") == [
        "`ask_inputs` stands without `ask`"
    ]


@names("kind", ["FIRE_AND_FORGET", "CRON_SCHEDULE", "SUB_WORKFLOW"])
def test_every_start_takes_the_options_of_a_start(kind: str) -> None:
    """Result type, retry, timeout and merge keys stand on each kind of start."""
    cron = ", cron_expression: 0 9 * * *" if kind == "CRON_SCHEDULE" else ""
    made = definition(
        f"[{{name: S, type: {kind}, workflow_type: Other, gives: Receipt, retry: 2, timeout: 3s,"
        f" merge_strategy: DEEP{cron}}}]"
    )
    action = made.graph.nodes["S"].action

    assert isinstance(action, Start)
    assert (action.mode is StartMode.SCHEDULE) == bool(cron)
    assert (action.result, action.timeout_us, action.merge.strategy.value) == ("yaml_shop:Receipt", 3_000_000, "DEEP")
    assert action.retry is not None


def test_takes_makes_a_mapping_the_childs_state() -> None:
    """With `takes`, a mapping in `initial_data` is a constructor call of that class."""
    made = definition("[{name: S, type: SUB_WORKFLOW, workflow_type: Other, takes: Item, initial_data: {sku: a}}]")
    action = made.graph.nodes["S"].action

    assert isinstance(action, Start)
    assert action.data == parse("ref('yaml_shop:Item')(sku='a')")


def test_takes_is_checked() -> None:
    """What `takes` says is compared with the data that is given."""
    text = "steps: [{name: S, type: SUB_WORKFLOW, workflow_type: Other, takes: Item, initial_data: =state}]\n"

    assert [code for code, _ in findings(HEAD + text)] == ["RV0367"]


@names("step", ["type: SLEEP, duration: 3s", "type: RECEIVE, model: Paid"])
def test_waits_take_compensation_and_merge(step: str) -> None:
    """A wait may be undone and merged like a call."""
    made = definition(f"[{{name: W, {step}, compensate_function: refund, merge_strategy: DEEP}}]")
    action = made.graph.nodes["W"].action

    assert isinstance(action, Wait)
    assert action.compensation is not None
    assert action.merge.strategy.value == "DEEP"


def test_a_handler_may_be_one_jump() -> None:
    """`goto` is an edge without a node, so a handler can lead to a step of the list around it."""
    made = definition(
        "[{name: T, type: TRY, steps: [{function: check}], except: [{error: ValueError, steps: [{goto: B}]}]},"
        " {name: A, function: pack}, {name: B, function: ship}]"
    )
    action = made.graph.nodes["T"].action

    assert isinstance(action, Try)
    assert (action.handlers[0].graph.entry, dict(action.handlers[0].graph.nodes)) == ("B", {})


# --- what follows from one mistake ------------------------------------------------------------------------------------

USING = (
    "steps: [{function: charge, inputs: {amount: =state.amount}}, {name: P, function: pack},"
    " {if: state.amount > 3, then: [{function: F}]}, {set: {x: =Item(sku=state.order_id)}}, {return: =x}]\n"
)


@names(
    ("head", "line"),
    [
        ("workflow_type: A\nmodule: yaml_shoq\ninitial_state_model: Order\nuses: {F: yaml_shop.plain}\n", 2),
        ("workflow_type: A\nmodule: yaml_shop\ninitial_state_model: Ordre\nuses: {F: yaml_shop.plain}\n", 3),
        ("workflow_type: A\nmodule: yaml_shop\ninitial_state_model: Order\nuses: {F: yaml_shop.plane}\n", 4),
    ],
    ids=["module", "state", "uses"],
)
def test_what_the_header_cannot_load_is_said_once(head: str, line: int) -> None:
    """A module, class or short name of the header that is not there gives one finding, and nothing that follows."""
    assert findings(head + USING) == [("RV0823", line)]


def test_a_broken_header_does_not_hide_the_shape() -> None:
    """What needs no code is still reported beside a module that is not there."""
    text = "workflow_type: A\nmodule: nowhere_at_all\nsteps: [{functoin: check}]\n"

    assert sorted(findings(text)) == [("RV0810", 3), ("RV0811", 3), ("RV0823", 2)]


@names("function", ["chekc", "yaml_shop.chekc", "Item"])
def test_a_wrong_function_is_said_once(function: str) -> None:
    """The linker does not repeat what the front end said about a function."""
    assert len(findings(f"{HEAD}steps: [{{name: A, function: {function}}}]\n")) == 1


def test_a_call_is_a_call() -> None:
    """A step of a sound file stays a CALL with its state argument."""
    action = definition("[{name: A, function: check}]").graph.nodes["A"].action

    assert isinstance(action, Call)
    assert action.args == {"state": parse("state")}


# --- documented words that mean something else here -------------------------------------------------------------------


@names(
    ("word", "strategy", "conflict"),
    [
        ("shallow", "SHALLOW", "PREFER_NEW"),
        ("replace", "SHALLOW", "PREFER_NEW"),
        ("overwrite_existing", "SHALLOW", "PREFER_NEW"),
        ("preserve_existing", "SHALLOW", "PREFER_EXISTING"),
        ("deep", "DEEP", "PREFER_NEW"),
    ],
)
def test_documented_merge_words(word: str, strategy: str, conflict: str) -> None:
    """Each documented strategy that has a meaning here has the documented one."""
    action = definition(f"[{{name: A, function: check, merge_strategy: {word}}}]").graph.nodes["A"].action

    assert isinstance(action, Call)
    assert (action.merge.strategy.value, action.merge.conflict.value) == (strategy, conflict)


def test_append_is_no_merge_strategy() -> None:
    """`append` is refused with the two ways to say it."""
    (draft,) = lower(f"{HEAD}steps: [{{name: A, function: check, merge_strategy: append}}]")

    assert [item.code for item in draft.diagnostics] == ["RV0826"]
    assert "merge_function_path" in draft.diagnostics[0].help


@names(("key", "says"), [("automate_start: true", "run()"), ("schedule: 0 9 * * *", "registry")])
def test_keys_that_belong_elsewhere(key: str, says: str) -> None:
    """A documented key of the header that is none here says where the thing is said."""
    (draft,) = lower(f"{HEAD}{key}\nsteps: [{{name: A, function: check}}]")

    assert [item.code for item in draft.diagnostics] == ["RV0810"]
    assert says in draft.diagnostics[0].help


@names("step", ["set: {all: 1}", "function: check, output: 'min, x'", "for: max, in: state.items, steps: []"])
def test_functions_of_expressions_are_no_variables(step: str) -> None:
    """A variable that expressions could not read is refused, as it is in Python."""
    (draft,) = lower(f"{HEAD}steps: [{{name: A, {step}}}]")

    assert "RV0815" in [item.code for item in draft.diagnostics]
