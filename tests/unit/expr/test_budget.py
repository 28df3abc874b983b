"""The budget: what an evaluation may cost, where it is asked, and that it costs straight-line code next to nothing."""

import time
from collections.abc import Iterator
from decimal import Decimal

import pytest

from ruvon.ir.expr import Budget, Environment, ExpressionBudgetError, compile_expr, evaluate, parse

_BOMBS = [
    "2 ** 10 ** 9",
    "10 ** (10 ** 8)",
    "(10 ** 5) ** (10 ** 5)",
    "1 << 10 ** 9",
    "pow(2, 10 ** 9)",
    "pow(7 ** 20000, 7 ** 20000, 7 ** 20000)",
    "'x' * 10 ** 9",
    "10 ** 9 * 'x'",
    "b'x' * 10 ** 9",
    "[0] * 10 ** 9",
    "(1,) * 10 ** 9",
    "[[[0] * 1000] * 1000] * 1000",
    "list(range(10 ** 9))",
    "tuple(range(10 ** 9))",
    "set(range(10 ** 9))",
    "sum(range(10 ** 9))",
    "max(range(10 ** 9))",
    "min(range(10 ** 9))",
    "sorted(range(10 ** 9))",
    "any(range(0, 1, 1)) or all(range(1, 10 ** 9))",
    "dict(enumerate(range(10 ** 9)))",
    "dict.fromkeys(range(10 ** 9))",
    "list(zip(range(10 ** 9), range(10 ** 9)))",
    "list(reversed(range(10 ** 9)))",
    "[*range(10 ** 9)]",
    "max(*range(10 ** 9))",
    "bytes(10 ** 9)",
    "[x for x in range(10 ** 9)]",
    "{x for x in range(10 ** 9)}",
    "{x: x for x in range(10 ** 9)}",
    "sum(1 for x in range(10 ** 9))",
    "sum(1 for x in range(10 ** 5) for y in range(10 ** 5))",
    "0.5 in range(10 ** 12)",
    "range(10 ** 12).count(0.5)",
    "range(10 ** 12).index(0.5)",
    "(0, 'x') in enumerate(range(10 ** 12))",
    "f'{1:>999999999}'",
    "f'{1.0:.999999999f}'",
    "f'{1:{10 ** 9}}'",
    'f\'{"x":{"<" + "9" * 9}}\'',
    "format(1, '999999999')",
    "'%999999999d' % 1",
    "'%.999999999f' % 1.0",
    "'%*d' % (999999999, 1)",
    "'x'.ljust(10 ** 9)",
    "'x'.rjust(10 ** 9)",
    "'x'.center(10 ** 9)",
    "'x'.zfill(10 ** 9)",
    "b'x'.zfill(10 ** 9)",
    "'\\t\\t'.expandtabs(10 ** 9)",
    "('x' * 10000).replace('x', 'y' * 10000)",
    "('x' * 10000).join(['y'] * 10000)",
    "(1).to_bytes(10 ** 9, 'big')",
    "int(Decimal('1e999999'))",
    "round(Decimal('1e999999'))",
    "round(1, -10 ** 9)",
    "f'{Decimal(\"1e9999999\"):f}'",
    "'%d' % Decimal('1e999999')",
    "Decimal('1e-999999').as_integer_ratio()",
    "sum([[0] * 1000 for _ in range(1000)], [])",
    "sum([[0] * 1000] * 1000, [])",
    "[b for a in ['x' * 1000] for b in [a * 1000] for c in [b + b]]",
    "['x' * 100000 for _ in range(100000)]",
    "[x for x in ['x' * 900000] for y in range(1000) if x + 'y']",
    "[x[:] for x in [[0] * 100000] for _ in range(1000)]",
    "[x == x[:] for x in [[0] * 1000] for _ in range(10000)]",
    "[0 in x for x in [[1] * 10000] for _ in range(90000)]",
    "len(repr([b for a in [[0] * 1000] for b in [[a] * 1000]]))",
    "str([d for a in [[0] * 100] for b in [[a] * 100] for c in [[b] * 100] for d in [[c] * 100]])",
    "[e for a in [[0, 0]] for b in [[a, a]] for c in [[b, b]] for d in [[c] * 99] for e in [[d] * 9999]]",
    "{(e, e) for a in [(0,) * 99] for b in [(a,) * 99] for c in [(b,) * 99] for e in [(c,) * 99]}",
    "[list(a) for a in [zip(*[range(10 ** 9)] * 3)]]",
    "[n for m in [3 ** 1000] for n in [m ** 1000]]",
    "' '.join('x' for _ in range(10 ** 7))",
    "'%(a)d' % {'a': Decimal('1e999999')}",
    "[x & x for x in [set(range(9000))] for _ in range(90000)]",
    "[x - x for x in [set(range(9000))] for _ in range(90000)]",
    "[x // 3 ** 9000 for x in [7 ** 20000] for _ in range(90000)]",
    "[x % 3 ** 9000 for x in [7 ** 20000] for _ in range(90000)]",
    "[x.isalpha() for x in ['x' * 500000] for _ in range(90000)]",
    "[x.count('y') for x in ['x' * 500000] for _ in range(90000)]",
    "[x.issubset(x) for x in [set(range(9000))] for _ in range(90000)]",
]


@pytest.mark.parametrize("text", _BOMBS)
def test_bombs_end_in_the_budget(text: str) -> None:
    """What would take all time or memory is refused before it does."""
    started = time.process_time()
    with pytest.raises(ExpressionBudgetError):
        evaluate(text, {})
    assert time.process_time() - started < 5


def test_doubling_through_clauses_ends_in_the_budget() -> None:
    """A collection that holds another one twice, level by level, is counted with everything in it."""
    clauses = " ".join(f"for a{level + 1} in [[a{level}, a{level}]]" for level in range(60))
    with pytest.raises(ExpressionBudgetError):
        evaluate(f"[repr(a60) for a0 in [[1]] {clauses}]", {})


def test_text_doubling_through_clauses_ends_in_the_budget() -> None:
    """The same for texts and for integers that grow with every clause."""
    for first, grow in (("'x'", "{0} + {0}"), ("9", "{0} * {0}")):
        clauses = " ".join(f"for a{level + 1} in [{grow.format(f'a{level}')}]" for level in range(60))
        with pytest.raises(ExpressionBudgetError):
            evaluate(f"[1 for a0 in [{first}] {clauses}]", {})


def test_deep_values_of_formats_inside_loops_are_counted() -> None:
    """Writing a large value out many times is counted each time."""
    with pytest.raises(ExpressionBudgetError):
        evaluate("[len(f'{x}') for x in [[0] * 10000] for _ in range(1000)]", {})


@pytest.mark.parametrize("text", ["zip(range(10 ** 9))", "enumerate(range(10 ** 9))", "reversed(range(10 ** 9))"])
def test_lazy_results_count_when_they_are_used(text: str) -> None:
    """Whoever goes through a lazy result stays within the budget of its evaluation."""
    result = evaluate(text, {})
    assert isinstance(result, Iterator)
    with pytest.raises(ExpressionBudgetError):
        list(result)


def test_every_evaluation_starts_anew() -> None:
    """The budget is that of one evaluation, however often the same environment is used."""
    compiled = compile_expr(parse("sum(x for x in state)"))
    env = Environment({"state": list(range(60))}, budget=Budget(steps=150))
    assert [compiled(env) for _ in range(5)] == [1770] * 5


def test_the_budget_is_counted_exactly_for_loops() -> None:
    """A loop of as many turns as there are steps passes, and one more does not."""
    env = Environment({}, budget=Budget(steps=10))
    assert len(compile_expr(parse("[x for x in range(10)]"))(env)) == 10
    with pytest.raises(ExpressionBudgetError, match="11 steps, more than the 10"):
        compile_expr(parse("[x for x in range(11)]"))(env)


@pytest.mark.parametrize(
    "text",
    [
        "sum(range(50000))",
        "len([x * x for x in range(20000)])",
        "'x' * 100000",
        "', '.join(str(x) for x in range(5000))",
        "sorted(range(20000), reverse=True)[0]",
        "2 ** 4000 > 1",
        "any(x > 3 for x in range(10 ** 9))",
        "max(x for x in range(1000))",
        "10 ** 12 in range(10 ** 15)",
        "range(10 ** 15)[10 ** 14]",
        "len(range(10 ** 15))",
        "f'{1:>1000}'",
    ],
)
def test_ordinary_work_passes(text: str) -> None:
    """The default budget is large enough for everyday data, and lazy work costs only what is done."""
    assert evaluate(text, {}) == eval(text)  # noqa: S307 - CPython is the oracle


def test_the_error_says_what_and_how_much() -> None:
    """The sentence names the need and the limit, and survives copying between processes."""
    with pytest.raises(ExpressionBudgetError) as caught:
        evaluate("'x' * 2000000", {})
    assert str(caught.value).startswith("the expression needs 2,000,000 characters or items, more than the 1,000,000")
    copy = caught.value.__reduce__()
    assert str(copy[0](*copy[1])) == str(caught.value)


def test_decimals_with_large_exponents_are_usable() -> None:
    """Only writing them out in full is refused."""
    assert evaluate("Decimal('1e999') > Decimal(3)", {}) is True
    assert evaluate("str(Decimal('1e99999'))", {}) == "1E+99999"
    assert evaluate("int(Decimal('1e30'))", {}) == int(Decimal("1e30"))
