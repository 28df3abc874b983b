"""Outside names in expressions: what they become, and what may not stand there."""

import datetime as dt
import sys
from types import ModuleType

import pytest

from ruvon.ir.expr import Attribute, Call, Const, Name, Ref, Tuple, parse, print_expr
from ruvon_dsl._link import Missing, ModuleLookup, bind_names, constant_expr, language_name
from tests.unit.link import shop
from tests.unit.link.drafts import SHOP


def bound(text: str, *variables: str) -> str:
    """The bound expression as text; there must be no findings."""
    expr, found = bind_names(parse(text), bound=variables, lookup=ModuleLookup(shop, builtins=True))
    assert found == []
    return print_expr(expr)


def codes(text: str, *variables: str) -> list[str]:
    """The findings of binding."""
    _, found = bind_names(parse(text), bound=variables, lookup=ModuleLookup(shop, builtins=True))
    return [item.code for item in found]


def test_class_becomes_a_reference_by_its_path() -> None:
    """A class is stored by the path of its definition."""
    expr, _ = bind_names(parse("Receipt(order_id='a', total=x)"), bound={"x"}, lookup=ModuleLookup(shop))
    assert isinstance(expr, Call)
    assert expr.function == Ref(f"{SHOP}:Receipt")


def test_pure_function_becomes_a_reference() -> None:
    """A @pure function is stored by its path."""
    assert SHOP in bound("double(x)", "x")


def test_upper_case_and_final_constants_are_inlined() -> None:
    """Constants stand in the definition as their values."""
    assert bound("LIMIT + 1") == "10 + 1"
    assert bound("floor") == "Decimal('0.5')"
    assert bound("PAUSES") == bound("(timedelta(days=1), timedelta(days=3))")


def test_enum_member_is_an_attribute_of_its_class() -> None:
    """A member is named through its class, from wherever it was imported."""
    expr, found = bind_names(parse("Color.RED"), bound=(), lookup=ModuleLookup(shop))
    assert (expr, found) == (Attribute(Ref(f"{SHOP}:Color"), "RED"), [])


def test_frozen_model_is_rebuilt_by_its_constructor() -> None:
    """A frozen model stands as a call with the fields that were set."""
    text = bound("LIMITS")
    assert "floor=Decimal('1')" in text
    assert "names=('a',)" in text


def test_attribute_of_a_constant_is_read_by_the_expression() -> None:
    """A field of a constant model is an attribute of the rebuilt model."""
    assert bound("LIMITS.floor").endswith(".floor")


def test_variables_hide_outside_names() -> None:
    """A variable of the same name is the variable."""
    assert bound("LIMIT + 1", "LIMIT") == "LIMIT + 1"


def test_comprehension_variables_hide_outside_names() -> None:
    """A comprehension's own variable is no outside name, except in its first iterable."""
    assert bound("[LIMIT for LIMIT in PAUSES]").startswith("[LIMIT for LIMIT in (timedelta(")


def test_value_types_are_known_under_any_alias() -> None:
    """`import datetime as dt` does not change what is stored."""
    module = ModuleType("aliases")
    module.__dict__.update({"dt": dt, "Span": dt.timedelta})
    lookup = ModuleLookup(module, builtins=True)
    for text in ("dt.timedelta(days=2)", "Span(days=2)"):
        assert bind_names(parse(text), bound=(), lookup=lookup) == (Const(dt.timedelta(days=2)), [])
    assert bind_names(parse("dt.timezone.utc"), bound=(), lookup=lookup)[0] == Attribute(Name("timezone"), "utc")


def test_language_names_of_objects() -> None:
    """Builtins and value types are known, the author's classes are not."""
    assert (language_name(len), language_name(dt.date), language_name(shop.Order)) == ("len", "date", None)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("plain(state.amount)", "RV0350"),
        ("lower_limit", "RV0351"),
        ("SEEN", "RV0351"),
        ("LOOSE", "RV0351"),
        ("POLICY", "RV0351"),
        ("quote(state.items)", "RV0354"),
        ("child(x)", "RV0354"),
        ("both('a')", "RV0354"),
        ("nothing_there", "RV0202"),
        ("nothing.at.all", "RV0202"),
        ("new_id", "RV0202"),
    ],
)
def test_what_may_not_stand_in_an_expression(text: str, code: str) -> None:
    """Each kind of wrong name has its own finding."""
    assert codes(text, "x") == [code]


def test_plain_function_is_reported_with_its_definition() -> None:
    """The finding points to the function and offers both ways out."""
    _, (found,) = bind_names(parse("plain(1)"), bound=(), lookup=ModuleLookup(shop))
    assert found.related[0].span.file == shop.__file__
    assert "@pure" in found.help
    assert "@step" in found.help


def test_unknown_name_suggests_a_near_one() -> None:
    """A misspelt name gets a suggestion."""
    _, (found,) = bind_names(parse("Recipt"), bound=(), lookup=ModuleLookup(shop))
    assert found.help == "did you mean `Receipt`?"


def test_shadowed_function_of_the_language() -> None:
    """A function of the author's that is called like a builtin is refused."""
    module = ModuleType("shadows")
    module.__dict__["len"] = shop.plain
    _, (found,) = bind_names(parse("len(x)"), bound={"x"}, lookup=ModuleLookup(module))
    assert found.code == "RV0353"


def test_constructor_that_python_refuses() -> None:
    """An impossible constant under an alias is found when it is folded."""
    module = ModuleType("aliases")
    module.__dict__["D"] = dt.date
    _, (found,) = bind_names(parse("D(2026, 2, 30)"), bound=(), lookup=ModuleLookup(module))
    assert found.code == "RV0352"


def test_without_lookup_names_stay() -> None:
    """A parse without import leaves every name as it is written."""
    expr = parse("Receipt(order_id='a')")
    assert bind_names(expr, bound=(), lookup=None) == (expr, [])


def test_missing_names_of_a_module() -> None:
    """A dotted name that breaks off in the middle is missing."""
    assert ModuleLookup(shop)("Color.GREEN") is Missing
    assert ModuleLookup(shop)("len") is Missing
    assert ModuleLookup(shop, builtins=True)("len") is len


@pytest.mark.parametrize("value", [1, "a", None, (1, (2,)), shop.Color.RED, range(3), dt.timedelta(1), b"x"])
def test_constants_print_and_parse_back(value: object) -> None:
    """What a constant becomes is canonical: its text parses to the same tree."""
    expr = constant_expr(value)
    assert expr is not None
    assert parse(print_expr(expr)) == expr


@pytest.mark.parametrize("value", [[1], {}, {1}, object(), (1, []), sys, shop.LOOSE, lambda: 0])
def test_what_can_change_is_no_constant(value: object) -> None:
    """Mutable values, modules and functions are no constants."""
    assert constant_expr(value) is None


def test_frozenset_is_rebuilt_in_one_order() -> None:
    """The members of a constant set stand in a fixed order, whatever the hash seed."""
    expr = constant_expr(frozenset({"b", "a", "c"}))
    assert expr == Call(Name("frozenset"), (Tuple((Const("a"), Const("b"), Const("c"))),))
