"""`describe` and `bind_arguments`: what an object is to the compiler, and how a call's arguments are stored."""

from ruvon import step_ref
from ruvon.ir import Compensation, RetryPolicy
from ruvon.ir.expr import Const, Expr, Name, parse
from ruvon_dsl._link import (
    BlockTarget,
    ChildTarget,
    ClassTarget,
    ConstantTarget,
    OtherTarget,
    PlainFunctionTarget,
    PureTarget,
    StepTarget,
    bind_arguments,
    describe,
    opaque_arguments,
)
from tests.unit.link import shop
from tests.unit.link.drafts import at


def test_step_with_all_its_options() -> None:
    """A step's declaration is read in the graph's own terms."""
    target = describe(shop.charge)
    assert isinstance(target, StepTarget)
    assert (target.path, target.name, target.takes_state, target.takes_context) == (at("charge"), "charge", True, True)
    assert [item.name for item in target.parameters] == ["state", "amount"]
    assert target.retry == RetryPolicy(max_attempts=3, delay_us=2_000_000, never=(at("Rejected"),))
    assert target.timeout_us == 20_000_000
    assert target.compensation == Compensation(function=at("refund"))
    assert (target.state, target.result) == (shop.Order, shop.Receipt)


def test_kinds_of_targets() -> None:
    """Every kind of object has its target."""
    kinds = [shop.child, shop.kyc, shop.double, shop.both, shop.Order, shop.LIMIT, shop.plain, shop.refund, shop.SEEN]
    assert [type(describe(item)) for item in kinds] == [
        ChildTarget,
        ChildTarget,
        PureTarget,
        BlockTarget,
        ClassTarget,
        ConstantTarget,
        PlainFunctionTarget,
        OtherTarget,
        OtherTarget,
    ]


def test_child_takes_and_gives() -> None:
    """Own and external workflows say what they take and give."""
    assert describe(shop.child) == ChildTarget(workflow_type="Child", takes=shop.Ack, gives=shop.Receipt)
    assert describe(shop.kyc) == ChildTarget(workflow_type="KYC", takes=shop.Ack, gives=shop.Verdict)


def test_plain_function_with_state() -> None:
    """An undecorated function whose first parameter is `state` works on the state."""
    target = describe(shop.by_path)
    assert isinstance(target, PlainFunctionTarget)
    assert (target.path, target.takes_state, target.is_async) == (at("by_path"), True, True)


def test_step_reference_is_the_function_it_names() -> None:
    """`step_ref` gives the same path as the function itself."""
    target = describe(step_ref(at("by_path")))
    assert isinstance(target, StepTarget)
    assert target.path == at("by_path")


def test_step_reference_that_leads_nowhere() -> None:
    """A reference to nothing is described, not raised."""
    target = describe(step_ref("nowhere_at_all:f"))
    assert isinstance(target, OtherTarget)
    assert "leads nowhere" in target.kind


def bind(function: object, *positional: str, **keywords: str) -> tuple[dict[str, Expr], list[str]]:
    """Bind argument texts to a described function."""
    target = describe(function)
    assert isinstance(target, StepTarget | PlainFunctionTarget)
    given, found = bind_arguments(
        target, [parse(p) for p in positional], {k: parse(v) for k, v in keywords.items()}, None
    )
    return dict(given), [item.message for item in found]


def test_spelling_of_arguments_does_not_matter() -> None:
    """By position or by name, in any order: one mapping in the order of the parameters."""
    one = bind(shop.charge, "state", "5")
    assert one == bind(shop.charge, amount="5", state="state") == ({"state": Name("state"), "amount": Const(5)}, [])
    assert list(bind(shop.charge, amount="5", state="state")[0]) == ["state", "amount"]


def test_defaults_that_are_not_given_are_not_stored() -> None:
    """A default stays the function's business."""
    assert bind(shop.ship, "'a'") == ({"sku": Const("a")}, [])


def test_open_ended_functions_take_any_keyword() -> None:
    """`**extra` takes what is given."""
    assert bind(shop.ship, "'a'", colour="1")[1] == []


def test_what_python_would_refuse() -> None:
    """Missing, unknown, double and surplus arguments are named."""
    assert bind(shop.quote) == ({}, ["`quote` is called without its argument `items`"])
    assert bind(shop.quote, "a", "b")[1] == ["`quote` takes 1 argument by position and gets 2"]
    assert bind(shop.quote, "a", items="b")[1] == ["`quote` gets `items` twice, by position and by name"]
    assert bind(shop.quote, "a", itms="b")[1] == ["`quote` has no parameter `itms`"]
    assert bind(shop.charge, "state", "1", context="c")[1] == ["`charge` gets its `context` from the engine"]


def test_opaque_arguments_keep_their_places() -> None:
    """Without import, positions are the names."""
    assert dict(opaque_arguments([Const(1), Const(2)], {"x": Const(3)})) == {
        "0": Const(1),
        "1": Const(2),
        "x": Const(3),
    }
