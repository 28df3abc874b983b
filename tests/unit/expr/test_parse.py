"""Reading: what becomes of each spelling, where every part lies, and what is said about text outside the language."""

import ast
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruvon.ir import Span
from ruvon.ir.expr import (
    Attribute,
    Binary,
    Boolean,
    Call,
    Compare,
    Const,
    ConstValue,
    Expr,
    ExpressionError,
    FormatPart,
    FormatString,
    Name,
    Ref,
    Unary,
    from_ast,
    parse,
    print_expr,
    walk,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("timedelta(days=2)", timedelta(days=2)),
        ("timedelta(hours=36)", timedelta(days=1, hours=12)),
        ("Decimal('1.50')", Decimal("1.50")),
        ("Decimal(3)", Decimal(3)),
        ("date(2026, 1, 2)", date(2026, 1, 2)),
        ("datetime(2026, 1, 2, tzinfo=timezone.utc)", datetime(2026, 1, 2, tzinfo=UTC)),
        (
            "datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=2)))",
            datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=2))),
        ),
        ("time(8, 30)", time(8, 30)),
        ("UUID('00000000-0000-0000-0000-000000000007')", UUID(int=7)),
        ("-1", -1),
        ("-0.0", -0.0),
        ("1e999", float("inf")),
        ("float('nan')", float("nan")),
        ("'a' 'b'", "ab"),
        ("f'plain'", "plain"),
        ("f''", ""),
        ("1_000", 1000),
        ("0x10", 16),
    ],
)
def test_constant_constructors_become_constants(text: str, value: ConstValue) -> None:
    """A value type with constant arguments, a signed number or a joined text stands as its value."""
    assert parse(text) == Const(value)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a and (b and c)", "a and b and c"),
        ("(a and b) and c", "a and b and c"),
        ("a or (b and c) or d", "a or b and c or d"),
        ("not x in y", "not x in y"),
        ("x not in y", "x not in y"),
        ("-x ** 2", "-x ** 2"),
        ("(-1) ** 2", "(-1) ** 2"),
        ("2 ** -1", "2 ** -1"),
        ("a - (b - c)", "a - (b - c)"),
        ("(a - b) - c", "a - b - c"),
        ("(a if b else c) if d else e", "(a if b else c) if d else e"),
        ("[x for x in (a if b else c)]", "[x for x in (a if b else c)]"),
        ("sum((x for x in xs))", "sum(x for x in xs)"),
        ("x[(1)]", "x[1]"),
        ("x[1:]", "x[1:]"),
        ("(1).bit_length()", "(1).bit_length()"),
        ('"it\'s"', "'it\\'s'"),
        ("{**a, 'b': 1}", "{**a, 'b': 1}"),
        ("f'{a}' 'b' f'{c}'", "f'{a}b{c}'"),
        ("f'{x=}'", "f'x={x!r}'"),
        ("f\"{d['k']}\"", "f\"{d['k']}\""),
        ("f'{ {1: 2}[1] }'", "f'{ {1: 2}[1]}'"),
        ("(a,)", "(a,)"),
        ("a, b", "(a, b)"),
        ("[i for (i, j) in p]", "[i for i, j in p]"),
        ("timedelta(hours=1)", "timedelta(seconds=3600)"),
        ("timedelta()", "timedelta(0)"),
        ("datetime(2026, 1, 1, 9)", "datetime(2026, 1, 1, 9, 0)"),
        ("ref('shop.models:Receipt')(total=1)", "ref('shop.models:Receipt')(total=1)"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    """Every spelling has one canonical text, with parentheses only where they are needed."""
    assert print_expr(parse(text)) == canonical
    assert parse(canonical) == parse(text)


def test_short_names_are_references_and_printed_as_such() -> None:
    """With `refs`, a short or dotted name is a reference; with `names`, it is printed by its short name."""
    refs = {"Receipt": "shop.models:Receipt", "m.Line": "shop.models:Line"}
    expr = parse("Receipt(lines=[m.Line(x) for x in xs])", refs=refs)
    assert [node.path for node in walk(expr) if isinstance(node, Ref)] == ["shop.models:Receipt", "shop.models:Line"]
    names = {path: name for name, path in refs.items()}
    assert parse(print_expr(expr, names), refs=refs) == expr
    assert "ref('shop.models:Receipt')" in print_expr(expr)


def test_imports_of_the_language_are_its_functions() -> None:
    """A name that stands for a class of the language under its path is that class, and constants are folded."""
    refs = {"dt.timedelta": "datetime:timedelta", "D": "decimal:Decimal"}
    assert parse("dt.timedelta(days=1)", refs=refs) == Const(timedelta(days=1))
    assert parse("D('2')", refs=refs) == Const(Decimal(2))


def test_comprehension_variables_hide_references() -> None:
    """A comprehension's variable is not a reference, even if it has the name of one."""
    expr = parse("[Receipt for Receipt in state.xs]", refs={"Receipt": "shop:Receipt"})
    assert not [node for node in walk(expr) if isinstance(node, Ref)]


def _spans(text: str, line: int = 1, column: int = 1) -> list[tuple[str, str]]:
    expr = parse(text, file="f", line=line, column=column)
    return [(type(node).__name__, _shown(node.span)) for node in walk(expr)]


def _shown(span: Span | None) -> str:
    return "-" if span is None else f"{span.start.line}:{span.start.column}-{span.end.line}:{span.end.column}"


def test_spans_count_code_points_from_the_place_of_the_text() -> None:
    """Non-ASCII letters count one column each, and the text's own place is added on its first line."""
    assert _spans("grün + état.é", line=7, column=5) == [
        ("Binary", "7:5-7:18"),
        ("Name", "7:5-7:9"),
        ("Attribute", "7:12-7:18"),
        ("Name", "7:12-7:16"),
    ]


def test_spans_of_several_lines() -> None:
    """Lines after the first begin at column 1 of the file, also where the text has no parentheses of its own."""
    assert _spans("a and\n  'é' == b", line=3, column=10) == [
        ("Boolean", "3:10-4:11"),
        ("Name", "3:10-3:11"),
        ("Compare", "4:3-4:11"),
        ("Const", "4:3-4:6"),
        ("Name", "4:10-4:11"),
    ]


def test_spans_follow_a_map_of_lines() -> None:
    """A block text that its format indents gives the place of every line."""
    expr = parse("a or\nb", file="f", lines={1: (10, 7), 2: (11, 7)})
    assert [_shown(node.span) for node in walk(expr)] == ["10:7-11:8", "10:7-10:8", "11:7-11:8"]


def test_spans_after_leading_space_and_lines() -> None:
    """Space and empty lines before the text are counted."""
    assert _spans("  x") == [("Name", "1:3-1:4")]
    assert _spans("\n\n  x.y\n") == [("Attribute", "3:3-3:6"), ("Name", "3:3-3:4")]


def test_spans_inside_format_strings() -> None:
    """Parts of an f-string have their own place."""
    assert _spans("f'é{state.x} {y}'") == [
        ("FormatString", "1:1-1:18"),
        ("Attribute", "1:5-1:12"),
        ("Name", "1:5-1:10"),
        ("Name", "1:15-1:16"),
    ]


def test_spans_take_no_part_in_equality() -> None:
    """Two spellings of one expression are equal."""
    assert parse("a  +  b", line=9) == parse("a+b")


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("", ["RV0210"]),
        ("   \n ", ["RV0210"]),
        ("a +", ["RV0210"]),
        ("a = 1", ["RV0210"]),
        ("a; b", ["RV0210"]),
        ("a) + (b", ["RV0210"]),
        ("a)\n+ (b", ["RV0210"]),
        ("x for x in y\n", ["RV0210"]),
        ("'", ["RV0210"]),
        ("\x00", ["RV0212"]),
        ("'\ud800'", ["RV0212"]),
        ("'\\ud800'", ["RV0212"]),
        ("a\u202eb", ["RV0212"]),
        ("9" * 5000, ["RV0211"]),
        ("0x" + "f" * 5000, ["RV0211"]),
        ("(" * 500 + ")" * 500, ["RV0211"]),
        ("-" * 5000 + "1", ["RV0211"]),
        ("not " * 5000 + "1", ["RV0211"]),
        ("+".join(["a"] * 3000), ["RV0211"]),
        ("a" * 1_000_001, ["RV0211"]),
        ("[" + "1," * 40_000 + "]", ["RV0211"]),
        ("(lambda: 1) + (x := 2) + state._x + 3j", ["RV0214", "RV0215", "RV0222", "RV0219"]),
        ("date(2026, 2, 30)", ["RV0503"]),
        ("Decimal('x')", ["RV0503"]),
        ("timedelta(days=9999999999)", ["RV0503"]),
    ],
)
def test_every_finding_is_reported_with_a_place(text: str, codes: list[str]) -> None:
    """All findings of a text come at once, each with a span and a sentence."""
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert [item.code for item in caught.value.diagnostics] == codes
    assert all(item.span is not None and item.message for item in caught.value.diagnostics)


def test_the_fix_for_a_recorded_value_is_named() -> None:
    """`datetime.now()` is refused with `now()` in its help (SEMANTICS 4)."""
    with pytest.raises(ExpressionError) as caught:
        parse("datetime.now() - state.created")
    (finding,) = caught.value.diagnostics
    assert (finding.code, str(finding.span)) == ("RV0201", "<expression>:1:1")
    assert "now()" in finding.help


def test_outside_names_wait_for_the_linker_only_without_refs() -> None:
    """Before linking an unknown call is kept as it is; a closed text refuses it and suggests a function."""
    assert parse("Receipt(total=1)") == Call(Name("Receipt"), (), parse("f(total=1)").keywords)  # type: ignore[union-attr]
    with pytest.raises(ExpressionError, match="`sortd` is not a function"):
        parse("sortd(state.xs)", refs={})


def test_trees_of_python_can_be_given() -> None:
    """A front end that holds Python's tree converts it without text."""
    node = ast.parse("state.amount > 10 and not vip", mode="eval").body
    expr = from_ast(node, lambda _: None)
    assert expr == Boolean(
        "and",
        (Compare(Attribute(Name("state"), "amount"), (">",), (Const(10),)), Unary("not", Name("vip"))),
    )


def test_format_strings_keep_conversion_and_nested_spec() -> None:
    """Texts are joined and nested specifications kept."""
    assert parse("f'a{{' f'{x!r:>{w}}'") == FormatString(
        ("a{", FormatPart(Name("x"), "r", FormatString((">", FormatPart(Name("w"))))))
    )


def test_values_with_backslashes_in_format_strings_can_be_written() -> None:
    """What Python 3.11 cannot write inside an f-string has a spelling of its own."""
    expr = FormatString((FormatPart(Const("\n"), "r"), "x"))
    assert print_expr(expr) == "fstring(['\\n', 'r'], 'x')"
    assert parse(print_expr(expr)) == expr


@given(st.text(max_size=40) | st.text(st.sampled_from("()[]{}:.,'\"\\+-*/%=!<>&|^~ \nabf0_#@;λ"), max_size=40))
def test_no_text_raises_anything_else(text: str) -> None:
    """Any string gives a tree or findings."""
    found: Expr | tuple[object, ...]
    try:
        found = parse(text)
    except ExpressionError as error:
        found = error.diagnostics
    assert found


def test_binary_minus_of_literals_is_not_folded() -> None:
    """Only the sign of a literal is part of it; arithmetic stays an operation."""
    assert parse("1 - 2") == Binary("-", Const(1), Const(2))
    assert parse("--1") == Unary("-", Const(-1))
