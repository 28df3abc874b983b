"""Findings of the linker about shape, races, rollback and functions, on drafts by hand."""

import pytest

from ruvon.ir import (
    BREAK,
    Assign,
    Call,
    Compensation,
    Diagnostic,
    ImportRoots,
    Loop,
    Parallel,
    Severity,
    Span,
    Start,
    StartMode,
    Try,
)
from ruvon.ir.expr import Const
from ruvon_dsl._link import link
from tests.unit.link.drafts import (
    at,
    branch,
    call,
    chain,
    codes,
    draft,
    each,
    findings,
    give,
    graph,
    guard,
    linked,
    node,
    on,
    put,
    race,
    raised,
    receive,
    sleep,
    when,
    x,
)


def test_unset_variable_shows_both_paths() -> None:
    """The finding names where the variable is set and the path that leaves it out."""
    inner = graph(
        node("d", when(("state.paid", "a"), default="b")), node("a", put("v", "1"), "b"), node("b", put("w", "v"))
    )
    (found,) = findings(inner)
    assert (found.code, found.message) == ("RV0302", "`v` may not be set when it is used")
    assert [item.label for item in found.related] == ["`v` is set here", "but not when the condition is false"]


def test_path_of_the_inner_decision_does_not_stand_for_the_outer_one() -> None:
    """Where an inner decision has joined again, the path that is shown is the outer one's."""
    inner = graph(
        node("outer", when(("state.paid", "inner"), default="b")),
        node("inner", when(("state.owner is None", "x"), default="join")),
        node("x", put("y", "1"), "join"),
        node("join", put("z", "1"), "e"),
        node("b", put("v", "1"), "e"),
        node("e", put("w", "v")),
    )
    (found,) = findings(inner)
    assert found.related[1].label == "but not when the condition holds"


def test_variable_of_a_loop_that_may_have_no_turn() -> None:
    """A loop variable outlives its loop, but only where there was a turn."""
    inner = chain(("l", each("i", "state.items", chain(("s", sleep())))), ("u", put("w", "i")))
    (found,) = findings(inner)
    assert found.related[1].label == "but not when the loop has had no turn"


def test_handler_sees_any_prefix_of_the_body() -> None:
    """What the body sets may be missing in the handler."""
    body = chain(("a", call("quote", "v", items="state.items")), ("b", sleep()))
    inner = chain(("t", guard(body, on("Rejected", chain(("h", put("w", "v")))))))
    assert codes(inner) == ["RV0302"]


def test_name_of_an_error_ends_with_its_handler() -> None:
    """Python deletes the name at the end of the handler."""
    handler = on("Rejected", chain(("h", put("text", "str(err)"))), "err")
    inner = chain(("t", guard(chain(("s", sleep())), handler)), ("u", put("w", "err")))
    assert codes(inner) == ["RV0302"]


def test_finally_sees_the_way_it_serves() -> None:
    """What is set on the way of success stays set behind `finally`."""
    body = chain(("a", call("quote", "v", items="state.items")))
    inner = chain(("t", guard(body, final=chain(("f", sleep())))), ("u", put("w", "v")))
    assert codes(inner) == []


def test_error_of_the_front_end_silences_what_may_follow_from_it() -> None:
    """After a refused statement its variables are missing, so nothing is said about unset variables."""
    refused = Diagnostic(code="RV0104", message="refused", span=Span.at("flow.py", 9, 1))
    made = draft(chain(("u", put("w", "v"))))
    from dataclasses import replace

    result = link(replace(made, diagnostics=(refused,)), ImportRoots({"tests"}))
    assert [item.code for item in result.diagnostics if item.code == "RV0302"] == []
    assert result.digest is None


def test_unreachable_node_is_a_warning_that_names_the_first_of_a_chain() -> None:
    """Only the head of an unreachable chain is named."""
    inner = graph(node("a", sleep()), node("lost", sleep(), "after"), node("after", sleep()))
    found = findings(inner)
    assert [(item.code, item.severity, item.message) for item in found] == [
        ("RV0360", Severity.WARNING, "nothing leads to `lost`")
    ]


def test_handler_of_what_is_no_exception() -> None:
    """A model cannot be handled as an error."""
    assert codes(chain(("t", guard(chain(("s", sleep())), on("Order", chain(("h", sleep()))))))) == ["RV0362"]


def test_handler_behind_a_wider_one() -> None:
    """A handler whose classes an earlier one takes never runs."""
    first, second = on("Rejected", chain(("a", sleep()))), on("Late", chain(("b", sleep())))
    assert codes(chain(("t", guard(chain(("s", sleep())), first, second)))) == ["RV0361"]
    assert (
        codes(
            chain(
                (
                    "t",
                    guard(
                        chain(("s", sleep())), on("Late", chain(("a", sleep()))), on("Rejected", chain(("b", sleep())))
                    ),
                )
            )
        )
        == []
    )


def test_raise_of_what_is_no_error() -> None:
    """Only exceptions can be raised."""
    assert codes(chain(("f", raised("Ack(who='me')")))) == ["RV0362"]
    assert codes(chain(("f", raised("Rejected('no')")))) == []


def test_route_that_runs_on_into_another_route() -> None:
    """List order alone leads from one route's step into another's target."""
    inner = graph(
        node("d", when(("state.paid", "high"), ("state.owner is None", "low"))),
        node("high", sleep(), "low"),
        node("low", sleep()),
    )
    assert codes(inner, implicit=["high"]) == ["RV0453"]
    assert codes(inner) == []


WAITS = chain(("s", sleep()))
SETS = chain(("n", put("n", "1")))


@pytest.mark.parametrize(
    ("loop", "expected"),
    [
        (Loop(condition=x("state.paid"), body=WAITS), []),
        (Loop(condition=Const(True), body=SETS), ["RV0305"]),
        (Loop(condition=x("state.paid"), body=SETS), ["RV0305"]),
        (Loop(condition=x("state.paid"), body=SETS, max_iterations=10), []),
        (
            Loop(
                condition=x("state.paid"), body=graph(node("d", when(("state.owner is None", "s"))), node("s", sleep()))
            ),
            ["RV0305"],
        ),
        (Loop(condition=Const(True), body=graph(entry=BREAK)), []),
        (Loop(condition=Const(True), body=chain(("t", guard(chain(("s", sleep())), on("Rejected", graph()))))), []),
    ],
)
def test_loops_that_spin(loop: Loop, expected: list[str]) -> None:
    """A loop needs a durable step on every way between two turns that changes nothing."""
    assert codes(chain(("l", loop))) == expected


def test_cycle_of_decisions_spins() -> None:
    """A flat cycle without a step is a loop too."""
    inner = graph(node("a", when(("state.paid", "b"))), node("b", when(("state.owner is None", "a"))))
    assert codes(inner) == ["RV0305"]


def test_bare_step_in_a_race() -> None:
    """A step cannot be raced."""
    inner = chain(
        ("r", race(None, branch("a", chain(("q", call("pay", state="state")))), branch("b", chain(("s", sleep())))))
    )
    assert codes(inner) == ["RV0451"]


def test_branches_that_write_one_field() -> None:
    """Concurrent writes of one field are named; ordered ones are not."""
    one, two = (
        chain(("a", put("state.owner", "'a'")), ("s1", sleep())),
        chain(("b", put("state.owner", "'b'")), ("s2", sleep())),
    )
    assert codes(chain(("p", Parallel(branches=(branch("x", one), branch("y", two)))))) == ["RV0452"]
    assert codes(chain(("p", Parallel(branches=(branch("x", one), branch("y", two, after=("x",))))))) == []


def test_keys_that_steps_return_count_as_writes() -> None:
    """Two branches whose steps return the same declared key write the same field."""
    branches = (
        branch("x", chain(("a", call("pay", state="state")))),
        branch("y", chain(("b", call("pay", state="state")))),
    )
    assert codes(chain(("p", Parallel(branches=branches)))) == ["RV0452"]


def test_key_that_is_no_field() -> None:
    """A returned key must be a field of the state."""
    assert codes(chain(("a", call("pay_badly", state="state")))) == ["RV0506"]


def test_key_of_a_returned_display() -> None:
    """Without a TypedDict the displays that the step itself returns are read."""
    (found,) = findings(chain(("a", call("pay_plainly", state="state"))))
    assert (found.code, found.message) == (
        "RV0506",
        "`pay_plainly` returns the key `payd`, which is no field of `Order`",
    )


def test_change_to_the_state_under_another_name() -> None:
    """A step that changes its copy of the state in vain is found by its own text."""
    (found,) = findings(chain(("a", call("mark", order="state"))))
    assert (found.code, found.message) == (
        "RV0505",
        "its change to `order.notes` is lost; name the parameter `state` or return the value",
    )


def test_reading_the_whole_state_is_fine() -> None:
    """A step may be given the state as data."""
    assert codes(chain(("a", call("look", order="state")))) == []


def test_state_step_of_another_state() -> None:
    """A state step works on this workflow's class or a base of it."""
    assert codes(chain(("a", call("other_state", state="state")))) == ["RV0367"]


def test_compensation_that_wants_a_stranger() -> None:
    """A compensation gets the result and the step's arguments, nothing else."""
    undo = Call(
        function=at("quote"), args={"items": x("state.items")}, compensation=Compensation(function=at("undo_by_path"))
    )
    assert codes(chain(("a", undo)), saga=True) == ["RV0507"]


def test_compensation_that_takes_another_result() -> None:
    """The first parameter of a compensation takes what the step gives, or None where the outcome is unknown."""
    given = {"state": x("state"), "amount": x("state.amount")}
    unknown = Call(function=at("charge"), args=given, compensation=Compensation(function=at("refund"), attempted=True))
    (found,) = findings(chain(("a", unknown)), saga=True)
    assert (found.code, found.help) == ("RV0507", "annotate `receipt` as `Receipt | None`")
    known = Call(function=at("charge"), args=given, compensation=Compensation(function=at("refund")))
    assert codes(chain(("a", known)), saga=True) == []


def test_timeout_without_an_attempted_compensation() -> None:
    """In a saga a timeout leaves the outcome unknown; outside it the compensation itself is what matters."""
    paid = Call(
        function=at("charge"),
        args={"state": x("state"), "amount": x("state.amount")},
        timeout_us=5,
        compensation=Compensation(function=at("refund")),
    )
    assert codes(chain(("a", paid)), saga=True) == ["RV0454"]
    assert codes(chain(("a", paid))) == ["RV0457"]
    assert codes(chain(("t", Try(body=chain(("a", paid)), saga=True)))) == ["RV0454"]


def test_detached_child_in_a_saga() -> None:
    """A rollback does not reach a detached child."""
    start = Start(child="Child", data=x("Ack(who='me')"), mode=StartMode.DETACH)
    assert codes(chain(("a", start)), saga=True) == ["RV0456"]


def test_loser_without_compensation() -> None:
    """What a losing branch did stays done."""
    inner = race(
        None,
        branch("a", chain(("s", sleep()), ("q", call("pay", state="state")))),
        branch("b", chain(("r", receive("Ack")))),
    )
    assert codes(chain(("r0", inner)), saga=True) == ["RV0455"]


def test_function_that_is_not_there() -> None:
    """A path that leads nowhere is a finding at its step."""
    (found,) = findings(chain(("a", call("nowhere"))))
    assert (found.code, found.span is not None) == ("RV0358", True)


def test_code_outside_the_roots() -> None:
    """A definition may not name code outside the allowed packages."""
    (found,) = findings(chain(("a", Call(function="os:system", args={}))))
    assert (found.code, "never an import root" in found.message) == ("RV0358", True)


def test_broken_graph_goes_no_further() -> None:
    """What the verifier refuses has no digest and no definition."""
    result = linked(chain(("a", Assign(target=x("state"), value=Const(1)))))
    assert (result.definition, result.digest, [item.code for item in result.diagnostics]) == (None, None, ["RV0901"])


def test_digest_does_not_depend_on_places_or_order_of_nodes() -> None:
    """Two drafts that differ in spans and in the order of nodes have one digest."""
    one = graph(node("a", call("pay", state="state"), "b"), node("b", sleep()))
    other = graph(node("b", sleep()), node("a", call("pay", state="state"), "b"), entry="a")
    assert linked(one).digest == linked(other).digest is not None


def test_linked_definition_is_complete() -> None:
    """Types, contracts and schemas of everything named stand in the definition."""
    inner = graph(
        node("a", call("charge", "receipt", state="state", amount="double(state.amount)"), "r"),
        node("r", give("receipt")),
    )
    result = linked(inner, result=at("Receipt"))
    assert result.ok, result.diagnostics
    assert result.definition is not None
    assert sorted(result.definition.contracts) == [at("charge"), at("double")]
    assert {at("Order"), at("Item"), at("Receipt")} <= set(result.definition.types)
    assert sorted(result.definition.schemas) == [at("Order"), at("Receipt")]
    assert result.definition.contracts[at("charge")].parameters == (
        ("state", at("Order"), True),
        ("amount", "Decimal", True),
    )


def test_without_types_a_match_may_be_exhaustive() -> None:
    """In a parse without import nothing is said of what tests of one subject may leave out."""
    match = when(("isinstance(who, A)", "a"), ("isinstance(who, B)", "b"), default="e")
    inner = graph(
        node("d", match), node("a", put("v", "1"), "e"), node("b", put("v", "2"), "e"), node("e", put("w", "v"))
    )
    plain = graph(
        node("d", when(("state.paid", "a"), default="e")), node("a", put("v", "1"), "e"), node("e", put("w", "v"))
    )
    found = [
        [item.code for item in link(draft(flow), ImportRoots(), opaque=True).diagnostics] for flow in (inner, plain)
    ]
    assert found == [[], ["RV0302"]]


def test_opaque_linking_imports_nothing() -> None:
    """Without import there is a shape, and no digest."""
    inner = graph(node("a", Call(function="nowhere:f", args={"0": x("state.anything")}), "b"), node("b", put("v", "w")))
    result = link(draft(inner), ImportRoots(), opaque=True)
    assert (result.ok, result.digest, result.definition is not None) == (True, None, True)
