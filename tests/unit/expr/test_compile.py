"""Running: what an expression is given at run time, what it may read, and how it is shared."""

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict

from ruvon.ir.expr import (
    Attribute,
    Call,
    Environment,
    ExpressionAccessError,
    ExpressionError,
    Name,
    compile_expr,
    evaluate,
    parse,
)
from tests.unit.expr.world import REFS, STATE, Line, Status, environment


class _Fixed:
    """Records fixed values."""

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    def new_id(self) -> UUID:
        return UUID(int=1)

    def random(self) -> float:
        return 0.25


def _render(text: str, names: Mapping[str, object]) -> str:
    return text.replace("{{ n }}", str(names["n"]))


def _run(text: str, **names: object) -> object:
    env = Environment(
        names,
        recorder=_Fixed(),
        secrets={"KEY": "s3cret"}.__getitem__,
        templates=_render,
        resolve={path: {"Status": Status, "Line": Line}.get(name) for name, path in REFS.items()}.__getitem__,
    )
    return compile_expr(parse(text, refs=REFS))(env)


def test_recorded_values_come_from_the_recorder() -> None:
    """`now()`, `new_id()` and `random()` take the values the engine records."""
    assert _run("(now(), new_id(), random())") == (datetime(2026, 1, 1, tzinfo=UTC), UUID(int=1), 0.25)


def test_secrets_and_templates_come_from_the_environment() -> None:
    """Their literal text is given to the environment's services."""
    assert _run('secret("KEY") + template("a {{ n }}")', n=3) == "s3creta 3"


@pytest.mark.parametrize("text", ["now()", "new_id()", "random()", "secret('A')", "template('a')", "ref('a:b')()"])
def test_services_that_are_missing_are_named(text: str) -> None:
    """An environment without a service says which argument is missing."""
    with pytest.raises(ExpressionAccessError, match="made without"):
        compile_expr(parse(text))(Environment({}))


@dataclass(slots=True)
class _Slotted:
    x: int


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    a: int


class _View:
    """A reader of the state."""

    def expression_attribute(self, name: str) -> object:
        if name == "amount":
            return Decimal(5)
        raise AttributeError(f"no {name}")


class _Failure(Exception):
    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("v.x", _Slotted(3), 3),
        ("v.a + v.b", _Open.model_validate({"a": 1, "b": 2}), 3),
        ("v.amount", _View(), Decimal(5)),
        ("v.reason + str(v) + v.args[0]", _Failure("x"), "xxx"),
        ("v.name + v.value", Status.OPEN, "OPENopen"),
        ("v.amount", SimpleNamespace(amount=7), 7),
        ("v.total", STATE.lines[0], Decimal("7.00")),
        ("v.city", STATE.address, "Köln"),
        ("v.year", datetime(2026, 1, 1, tzinfo=UTC), 2026),
        ("v['a'].b", {"a": SimpleNamespace(b=1)}, 1),
    ],
)
def test_data_can_be_read(text: str, value: object, expected: object) -> None:
    """Fields of models (also extra ones), dataclasses with slots, views, errors, enums and plain objects."""
    assert compile_expr(parse(text))(Environment({"v": value})) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("v.secret_code", STATE.lines[0]),
        ("v.model_dump", STATE),
        ("v.model_fields", STATE),
        ("v.upper", "text"),
        ("v.path", os),
        ("v.system('x')", os),
        ("v.real", 5),
        ("v.gi_frame", (item for item in [1])),
        ("v.model_fields", type(STATE)),
        ("v.OPEN", type(STATE)),
        ("v[0]", list),
        ("v.mro()", list),
        ("v.format(1)", SimpleNamespace(format=print)),
        ("v.with_traceback", _Failure("x")),
    ],
)
def test_code_cannot_be_reached(text: str, value: object) -> None:
    """Properties, methods, modules, classes and generators are refused whatever an environment holds."""
    with pytest.raises((ExpressionAccessError, ExpressionError)):
        compile_expr(parse(text))(Environment({"v": value}))


def test_trees_built_by_hand_are_checked_too() -> None:
    """The compiler does not trust a tree that was never text."""
    for tree in (Attribute(Name("v"), "__class__"), Call(Name("eval")), Call(Attribute(Name("v"), "mro"))):
        with pytest.raises(ExpressionError):
            compile_expr(tree)


def test_missing_names() -> None:
    """A name outside the scope is a finding at compile time with a scope, and Python's own error without."""
    with pytest.raises(ExpressionError, match="RV0202"):
        compile_expr(parse("a + b"), ["a"])
    for text in ("b + 1", "b.c"):
        with pytest.raises(NameError, match="name 'b' is not defined"):
            compile_expr(parse(text))(Environment({}))


def test_one_compiled_expression_serves_many_threads() -> None:
    """Nothing of one evaluation is kept in the compiled expression."""
    compiled = compile_expr(parse("sum(x * n for x in range(200) if x % n == 0) + state.count"))
    expected = {n: sum(x * n for x in range(200) if x % n == 0) + 3 for n in range(1, 40)}
    with ThreadPoolExecutor(4) as pool:
        found = dict(pool.map(lambda n: (n, compiled(Environment({"n": n, "state": STATE}))), [*range(1, 40)] * 5))
    assert found == expected


def test_one_place_may_meet_values_of_many_types() -> None:
    """The memory of the last type at a place never lets another type through."""
    compiled = compile_expr(parse("v.x"))
    assert compiled(Environment({"v": _Slotted(1)})) == 1
    assert compiled(Environment({"v": SimpleNamespace(x=2)})) == 2
    assert compiled(Environment({"v": STATE.point})) == 3
    with pytest.raises(ExpressionAccessError):
        compiled(Environment({"v": type("Code", (), {"x": property(lambda _: 1)})()}))
    assert compiled(Environment({"v": _Slotted(4)})) == 4


def test_late_binding_of_inner_generators_is_that_of_python() -> None:
    """Inner generators see outer variables as they are when they are read."""
    text = "[list(z) for z in [zip((x + y for y in [1, 2])) for x in [10, 20]]]"
    assert evaluate(text, {}) == eval(text)  # noqa: S307 - CPython is the oracle


@pytest.mark.parametrize(
    ("amount", "expected"),
    [(10001, True), (10000, False)],
)
def test_the_documented_condition(amount: int, expected: bool) -> None:
    """The specification's own example (S2-070)."""
    assert evaluate("state.amount > 10000", {"state": SimpleNamespace(amount=amount)}) is expected
    assert evaluate("state.amount > 10000", {"state": {"amount": amount}}) is expected


def test_plain_dicts_read_like_models_in_evaluate() -> None:
    """Keys can be read as attributes or items; a missing key is an AttributeError; results are plain dicts."""
    context: dict[str, object] = {"state": {"a": {"b": 1}}}
    assert evaluate("state.a.b + state['a']['b']", context) == 2
    assert type(evaluate("state", context)) is dict
    with pytest.raises(AttributeError):
        evaluate("state.missing", context)


def test_evaluate_refuses_references() -> None:
    """A text evaluated for a provider can name no definitions (S2-072)."""
    with pytest.raises(ExpressionError, match="RV0228"):
        evaluate("ref('os:system')('id')", {})


def test_enum_members_of_classes_can_be_read() -> None:
    """Members by name and by key, and looping over an enum."""
    compiled = compile_expr(parse("[Status.OPEN, Status['CLOSED'], *[s for s in Status]]", refs=REFS))
    assert compiled(environment()) == [Status.OPEN, Status.CLOSED, Status.OPEN, Status.CLOSED]


def test_times_without_zone_do_not_ask_the_machine() -> None:
    """What depends on the machine's time zone is refused."""
    for text in ("v.timestamp()", "v.astimezone(timezone.utc)"):
        with pytest.raises(ExpressionAccessError, match="time zone"):
            compile_expr(parse(text))(Environment({"v": datetime(2026, 1, 1)}))  # noqa: DTZ001 - naive on purpose
