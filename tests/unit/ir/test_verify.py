"""Every rule of the verifier, each broken once."""

import dataclasses

import pytest
from hypothesis import given

from ruvon.ir import (
    BREAK,
    END,
    Action,
    Assign,
    Branch,
    Call,
    Decision,
    Definition,
    Fail,
    Graph,
    Handler,
    HumanSource,
    IRError,
    Join,
    Loop,
    Node,
    OnFailure,
    Parallel,
    RetryPolicy,
    Return,
    Route,
    SignalSource,
    Start,
    StartMode,
    TimerSource,
    Try,
    Wait,
    require_valid,
    verify,
)
from tests.support._flat_graphs import flat_definitions
from tests.support.definitions import DEFINITIONS, e, graph, node

F = Call(function="m:f")
BODY = graph(node("f", F))
TWO = graph(node("f", F, "g"), node("g", F))
RETURNING = graph(node("r", Return()))


def whole(*nodes: Node) -> Definition:
    """A definition of these nodes."""
    return Definition(workflow_type="W", graph=graph(*nodes))


def only(action: Action, **kwargs: object) -> Definition:
    """A definition of one node with this action."""
    return whole(node("a", action, top=True, **kwargs))  # type: ignore[arg-type]


def branch(label: str, **kwargs: object) -> Branch:
    """A branch of one call, its node named after the label."""
    return Branch(label=label, graph=graph(node(f"n{label}", F)), **kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", DEFINITIONS)
def test_sound_definitions_have_no_problems(name: str) -> None:
    """The hand-made definitions keep every rule."""
    assert verify(DEFINITIONS[name]) == ()


@given(flat_definitions())
def test_generated_definitions_have_no_problems(definition: Definition) -> None:
    """The strategies build sound definitions only, so that other suites may rely on them."""
    assert verify(definition) == ()


BROKEN: list[tuple[str, Definition]] = [
    ("no workflow_type", dataclasses.replace(whole(), workflow_type="")),
    ("`history` must be", dataclasses.replace(whole(), history=0)),
    ("the entry of the workflow leads to `x`", Definition(workflow_type="W", graph=Graph(entry="x", nodes={}))),
    ("its id is `b`", Definition(workflow_type="W", graph=Graph(entry="a", nodes={"a": node("b", F, top=True)}))),
    ("not allowed as a node id", whole(node("END", F, top=True))),
    ("stands twice", only(Loop(condition=e("True"), body=graph(node("a", F))))),
    ("leads to `x`", only(F, following="x")),
    ("leads to BREAK outside a LOOP", only(F, following=BREAK)),
    ("`next` must be given", whole(Node(id="a", action=F, automate_next=True))),
    ("`next` must be absent", whole(Node(id="a", action=Return(), next=END))),
    ("`automate_next` must be given", whole(node("a", F))),
    ("`automate_next` must be absent", only(Loop(condition=e("True"), body=graph(node("b", F, top=True))))),
    ("needs a function", only(Call())),
    ("has no config", only(Call(function="m:f", config={"x": e("1")}))),
    ("`timeout_us` must be greater", only(Call(function="m:f", timeout_us=0))),
    ("`retry.max_attempts`", only(Call(function="m:f", retry=RetryPolicy(max_attempts=0)))),
    ("is not a variable", only(Call(function="m:f", output=e("1 + 1")))),
    ("may not rebind `state`", only(Assign(target=e("state"), value=e("1")))),
    ("now(), new_id() or random()", only(Call(function="m:f", args={"x": e("now()")}))),
    ("now(), new_id() or random()", only(Assign(target=e("x"), value=e("[now()]")))),
    ("either a duration or a moment", only(Wait(source=TimerSource()))),
    ("no timeout of its own", only(Wait(source=TimerSource(duration=e("x")), timeout=e("x")))),
    ("`on_timeout` needs a timeout", only(Wait(source=SignalSource(model="m:M"), on_timeout=e("None")))),
    ("`answer_to`", only(Wait(source=HumanSource(task=e("'t'"), answer_to="both")))),
    ("names the child", only(Start(child=""))),
    ("`cron` belongs to a schedule", only(Start(child="C", cron=e("'* * * * *'")))),
    ("`cron` belongs to a schedule", only(Start(child="C", mode=StartMode.SCHEDULE))),
    ("`key` belongs to a detached", only(Start(child="C", key=e("'k'")))),
    ("either `over` or a condition", only(Loop(body=BODY))),
    ("`item` belongs to `over`", only(Loop(over=e("x"), body=BODY))),
    ("`index` belongs to `over`", only(Loop(condition=e("x"), index="i", body=BODY))),
    ("`max_iterations` must be", only(Loop(condition=e("x"), body=BODY, max_iterations=0))),
    ("belongs to a collecting LOOP", only(Loop(condition=e("x"), body=BODY, output=e("y")))),
    ("exactly one effect", only(Loop(over=e("x"), item=e("i"), body=TWO, collect=True, output=e("y")))),
    ("a name or a tuple of names", only(Loop(over=e("x"), item=e("i.a"), body=BODY))),
    ("either branches or", only(Parallel())),
    ("either branches or", only(Parallel(branches=(branch("a1"),), over=e("x"), item=e("i"), body=BODY))),
    ("`tolerate` belongs", only(Parallel(branches=(branch("b"),), tolerate=e("0.1")))),
    ("has branches, not a list", only(Parallel(join=Join.FIRST, over=e("x"), item=e("i"), body=BODY))),
    ("no limit, batch size", only(Parallel(join=Join.FIRST, branches=(branch("b"),), limit=e("1")))),
    ("no `after` and no `output`", only(Parallel(join=Join.FIRST, branches=(branch("b", output=e("x")),)))),
    ("two branches have one label", only(Parallel(branches=(branch("b"), Branch(label="b", graph=BODY))))),
    ("comes after `z`", only(Parallel(branches=(branch("b", after=("z",)),)))),
    ("named as a winner outside a RACE", only(Parallel(branches=(branch("b", won=True),)))),
    ("has an output, and so has", only(Parallel(branches=(branch("b", output=e("x")),), output=e("y")))),
    (
        "has an output, and so has",
        only(Parallel(branches=(branch("b", output=e("x")),), on_failure=OnFailure.COLLECT)),
    ),
    ("wait for each other", only(Parallel(branches=(branch("b", after=("c",)), branch("c", after=("b",)))))),
    ("a saga scope has neither", only(Try(body=BODY, saga=True, final=graph(node("g", F))))),
    ("a TRY has a handler", only(Try(body=BODY))),
    ("at least one class", only(Try(body=BODY, handlers=(Handler(classes=(), graph=graph()),)))),
    ("a RETURN inside `finally`", only(Try(body=BODY, final=RETURNING))),
    (
        "leads to `a`, which is no node",
        only(Try(body=BODY, final=Graph(entry="a", nodes={}))),
    ),
    ("an empty `finally`", only(Try(body=BODY, final=graph()))),
    (
        "`on_break` leads where `next` does",
        whole(node("a", Loop(condition=e("x"), body=BODY, on_break="g"), "g", top=True), node("g", F, top=True)),
    ),
    (
        "leads past its nodes",
        Definition(workflow_type="W", graph=Graph(entry=END, nodes={"a": node("a", F, top=True)})),
    ),
    (
        "may not bind it",
        only(Parallel(branches=(Branch(label="b", graph=graph(node("f", Call(function="m:f", output=e("x"))))),))),
    ),
    ("a cause needs an error", whole(node("a", Fail(cause=e("x"))))),
    (
        "leads to `out`",
        whole(node("a", Loop(condition=e("x"), body=graph(node("b", F, "out"))), top=True), node("out", F, top=True)),
    ),
    ("leads to `z`", whole(node("a", Decision(routes=(Route(condition=e("x"), target="z"),), default=END), top=True))),
]


@pytest.mark.parametrize(("says", "definition"), BROKEN, ids=[f"{i}-{says[:30]}" for i, (says, _) in enumerate(BROKEN)])
def test_each_rule_is_held(says: str, definition: Definition) -> None:
    """A definition that breaks a rule gets a problem that says so, and is refused."""
    problems = verify(definition)

    assert any(says in problem for problem in problems), problems
    with pytest.raises(IRError):
        require_valid(definition)


def test_edges_may_leave_nested_tries() -> None:
    """Out of a TRY an edge may lead to a node of the graph around it, also through two TRYs."""
    inner = Try(body=graph(node("f", F, "out")), final=graph(node("g", F)))
    outer = Try(body=graph(node("inner", inner)), handlers=(Handler(classes=("builtins:Exception",), graph=graph()),))
    definition = whole(node("outer", outer, "out", top=True), node("out", F, top=True))

    assert verify(definition) == ()
