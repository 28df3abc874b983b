"""Questions about trees and rewritings of them."""

from datetime import timedelta

import pytest
from hypothesis import given

from ruvon.ir.expr import (
    Attribute,
    Const,
    Expr,
    ExpressionError,
    Name,
    Ref,
    attribute_paths,
    children,
    impure_calls,
    is_target,
    names,
    parse,
    print_expr,
    rebuild,
    refs,
    substitute,
    transform,
    walk,
)
from tests.unit.expr.strategies import expressions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("state.amount > limit", {"state", "limit"}),
        ("[x + y for x in xs]", {"xs", "y"}),
        ("[x for x in x]", {"x"}),
        ("[y for x in xs for y in x]", {"xs"}),
        ("{k: v for k, v in d.items() if k != z}", {"d", "z"}),
        ("len(xs) + sum(xs)", {"xs"}),
        ("isinstance(v, (int, str))", {"v"}),
        ("sorted(xs, key=len)", {"xs"}),
        ("timezone.utc", set[str]()),
        ("date.fromisoformat(t)", {"t"}),
        ("f'{a:{b}}'", {"a", "b"}),
        ("Receipt(total=t)", {"t"}),
    ],
)
def test_names_are_what_is_read_from_outside(text: str, expected: set[str]) -> None:
    """Comprehension variables, called functions and named classes are not among them."""
    assert names(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("state.amount + state.line.qty", {"state.amount", "state.line.qty"}),
        ("state.note.upper()", {"state.note"}),
        ("[x.qty for x in state.lines]", {"state.lines"}),
        ("state.lines[0].qty", {"state.lines"}),
        ("state", set[str]()),
    ],
)
def test_attribute_paths(text: str, expected: set[str]) -> None:
    """The longest dotted chains that start at an outside name."""
    assert attribute_paths(parse(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x", True),
        ("state.a.b", True),
        ("xs[0].y", True),
        ("(a, state.b)", True),
        ("((a, b), c)", True),
        ("xs[1:]", False),
        ("()", False),
        ("f(x).y", False),
        ("1", False),
        ("a + b", False),
        ("(a, b).c", False),
    ],
)
def test_targets(text: str, expected: bool) -> None:
    """A name, a path from a name, or a tuple of those can be assigned to."""
    assert is_target(parse(text)) is expected


def test_references_and_impure_calls_are_found() -> None:
    """Paths of references, and the recorded calls as nodes."""
    expr = parse("ref('a:B')(at=now(), key=f'{new_id()}')")
    assert refs(expr) == {"a:B"}
    assert [print_expr(call) for call in impure_calls(expr)] == ["now()", "new_id()"]


def test_substitution_replaces_free_names_and_paths_only() -> None:
    """A variable of a comprehension is left alone; the longest chain is replaced."""
    expr = parse("limit + m.MAX + sum(limit for limit in xs) + [y for y in limit][0]")
    mapping: dict[str, Expr] = {"limit": Const(5), "m.MAX": Const(7)}
    assert print_expr(substitute(expr, mapping)) == "5 + 7 + sum(limit for limit in xs) + [y for y in 5][0]"


def test_substitution_gives_canonical_trees() -> None:
    """A constructor that becomes constant is folded, and equal operators are flattened."""
    assert substitute(parse("timedelta(days=n)"), {"n": Const(2)}) == Const(timedelta(days=2))
    assert print_expr(substitute(parse("a and x"), {"x": parse("b and c")})) == "a and b and c"
    assert substitute(parse("-x"), {"x": Const(3)}) == Const(-3)


def test_substitution_reports_what_python_refuses() -> None:
    """A constructor that becomes constant and is wrong is a finding, not a crash."""
    with pytest.raises(ExpressionError, match="RV0503"):
        substitute(parse("date(2026, m, 1)"), {"m": Const(13)})


def test_transform_goes_from_inside_out() -> None:
    """Every part is changed after its own parts."""
    expr = transform(parse("a.b + a.c"), lambda part: Name(f"{part.id}1") if isinstance(part, Name) else part)
    assert print_expr(expr) == "a1.b + a1.c"


@given(expressions())
def test_rebuilding_with_the_same_parts_changes_nothing(expr: Expr) -> None:
    """Law: `rebuild` with the identity gives an equal tree, and `children` are what it visits."""
    seen: list[Expr] = []

    def keep(part: Expr) -> Expr:
        seen.append(part)
        return part

    assert rebuild(expr, keep) == expr
    assert sorted(map(repr, seen)) == sorted(map(repr, children(expr)))


@given(expressions())
def test_walking_visits_every_part_once(expr: Expr) -> None:
    """Law: the walk has the node and the walks of its parts, in order."""
    expected = [expr, *(node for part in children(expr) for node in walk(part))]
    assert list(walk(expr)) == expected


def test_nodes_are_values() -> None:
    """Trees can be compared and used as keys."""
    assert {parse("a.b"): 1}[Attribute(Name("a"), "b")] == 1
    assert Const(1) != Const(True)
    assert Const(0.0) != Const(-0.0)
    assert Ref("a:b") == parse("ref('a:b')")
