"""The type checker: types of every kind of expression, findings, narrowing, and what fits where."""

import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, computed_field
from typing_extensions import TypedDict

from ruvon.ir import Severity
from ruvon.ir.expr import Checked, TypeEnv, check, describe, expect, fits, parse


class Level(Enum):
    """An enum of texts."""

    LOW = "low"
    HIGH = "high"


class Line(BaseModel):
    """A model in a list."""

    name: str
    qty: int
    price: Decimal
    note: str | None = None


@dataclass
class Address:
    """A dataclass."""

    city: str
    number: int = 1


class Options(TypedDict, total=False):
    """A dict with known keys."""

    color: str
    size: int


class Refused(Exception):
    """An error with data."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class Basket(BaseModel):
    """A model with its own truth."""

    def __bool__(self) -> bool:
        """Decides truth."""
        return False


class State(BaseModel):
    """The state."""

    amount: Decimal
    count: int
    price: float
    vip: bool
    note: str
    owner: str | None
    limit: Decimal | None
    line: Line | None
    status: Literal["open", "closed"]
    level: Level
    tags: list[str]
    labels: set[str]
    lines: list[Line]
    rates: dict[str, Decimal]
    pairs: list[tuple[int, str]]
    due: date
    at: datetime
    wait: timedelta
    key: UUID
    address: Address
    options: Options
    basket: Basket
    either: Line | Address
    number: Annotated[int, Field(gt=0)]
    anything: Any

    @computed_field
    def total(self) -> Decimal:
        """Computed, so it counts as data."""
        return self.amount

    @property
    def shouted(self) -> str:
        """A property, so it is code."""
        return self.note


def double(value: int) -> int:
    """A pure function."""
    return value * 2


async def work(value: int) -> int:
    """Not a pure function."""
    return value


_BY_NAME = {item.__name__: item for item in (Level, Line, Address, Options, Refused, double, work)}
REFS = {name: f"shop:{name}" for name in _BY_NAME}
ENV = TypeEnv(
    {"state": State, "n": int, "charge": Awaitable[bool], "err": Refused},
    resolve=lambda path: _BY_NAME[path.removeprefix("shop:")],
)


def _check(text: str, env: TypeEnv = ENV, *, condition: bool = False) -> Checked:
    return check(parse(text, refs=REFS), env, condition=condition)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("state", "State"),
        ("state.amount", "Decimal"),
        ("state.total", "Decimal"),
        ("state.number", "int"),
        ("state.owner", "str | None"),
        ("state.owner or 'nobody'", "str"),
        ("state.amount * 2", "Decimal"),
        ("state.amount > 10_000 and not state.vip", "bool"),
        ("state.count / 2", "float"),
        ("state.count // 2", "int"),
        ("state.count + state.price", "float"),
        ("state.due + state.wait", "date"),
        ("state.at - state.at", "timedelta"),
        ("state.wait / state.wait", "float"),
        ("state.wait * 2", "timedelta"),
        ("state.due.year", "int"),
        ("state.at.date()", "date"),
        ("state.wait.total_seconds()", "float"),
        ("state.key.hex", "str"),
        ("state.tags[0]", "str"),
        ("state.tags[1:]", "list[str]"),
        ("state.rates['x']", "Decimal"),
        ("state.rates.get('x')", "Decimal | None"),
        ("state.rates.get('x', Decimal(0))", "Decimal"),
        ("state.rates.items()", "Iterator[tuple[str, Decimal]]"),
        ("state.pairs[0][1]", "str"),
        ("state.options['color']", "str"),
        ("state.options.get('size')", "int | None"),
        ("state.level.value", "'low' | 'high'"),
        ("Level.LOW", "Level.LOW"),
        ("Level('low')", "Level"),
        ("[line.qty for line in state.lines]", "list[int]"),
        ("[line.price * line.qty for line in state.lines if line.qty]", "list[Decimal]"),
        ("{line.name: line for line in state.lines}", "dict[str, Line]"),
        ("{line.qty for line in state.lines}", "set[int]"),
        ("sum(line.qty for line in state.lines)", "int"),
        ("sum((line.price for line in state.lines), Decimal(0))", "Decimal"),
        ("sum(line.price for line in state.lines)", "Decimal | int"),
        ("max(state.count, 5)", "int"),
        ("min(line.price for line in state.lines)", "Decimal"),
        ("sorted(state.labels)", "list[str]"),
        ("list(enumerate(state.tags))", "list[tuple[int, str]]"),
        ("list(zip(state.tags, state.lines))", "list[tuple[str, Line]]"),
        ("[a for a, b in state.pairs]", "list[int]"),
        ("len(state.tags)", "int"),
        ("round(state.price)", "int"),
        ("round(state.amount, 2)", "Decimal"),
        ("state.note.upper()", "str"),
        ("state.note.split(',')", "list[str]"),
        ("', '.join(state.tags)", "str"),
        ("f'{state.amount:.2f}'", "str"),
        ("'%s' % state.amount", "str"),
        ("Line(name='a', qty=1, price=state.amount)", "Line"),
        ("Address('x')", "Address"),
        ("double(3)", "int"),
        ("Refused('x')", "Refused"),
        ("now()", "datetime"),
        ("new_id()", "UUID"),
        ("secret('KEY')", "str"),
        ("timezone.utc", "timezone"),
        ("date.fromisoformat(state.note)", "date"),
        ("state.anything.x.y + 1", "an unknown type"),
        ("state.owner if state.vip else None", "str | None"),
        ("state.owner.upper() if state.owner else 'x'", "str"),
        ("state.owner is not None and state.owner.upper()", "False | str"),
        ("[1, 'a']", "list[int | str]"),
        ("(1, state.note)", "tuple[1, str]"),
        ("{'a': 1, **state.rates}", "dict[str, int | Decimal]"),
        ("[*state.tags, 'x']", "list[str]"),
        ("state.tags + ['x']", "list[str]"),
        ("not state.tags", "bool"),
        ("err.reason", "an unknown type"),
        ("err.args", "tuple"),
        ("str(err)", "str"),
        ("isinstance(state.either, Line) and state.either.qty > 1", "bool"),
        ("len(state.labels) + sum(1 for x in state.labels)", "int"),
        ("-state.amount", "Decimal"),
        ("~state.count", "int"),
        ("divmod(7, 2)", "an unknown type"),
        ("Decimal(state.note)", "Decimal"),
    ],
)
def test_types(text: str, shown: str) -> None:
    """The type of each expression, in short form, without findings."""
    checked = _check(text)
    assert [item.message for item in checked.diagnostics] == []
    assert describe(checked.type) == shown


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("stat.amount", ["RV0202"]),
        ("len", ["RV0230"]),
        ("state.amonut", ["RV0504"]),
        ("state.line.qty", ["RV0502"]),
        ("state.owner.upper()", ["RV0502"]),
        ("state.owner + 'x'", ["RV0502"]),
        ("state.limit > 3", ["RV0502"]),
        ("state.limit * 2", ["RV0502"]),
        ("-state.limit", ["RV0502"]),
        ("len(state.owner)", ["RV0502"]),
        ("[x for x in state.owner]", ["RV0502"]),
        ("state.amount * 0.05", ["RV0501"]),
        ("state.amount + state.price", ["RV0501"]),
        ("state.note + 1", ["RV0501"]),
        ("state.count + '1'", ["RV0501"]),
        ("state.due - state.at", ["RV0501"]),
        ("state.due < state.at", ["RV0501"]),
        ("state.note < 3", ["RV0501"]),
        ("state.line < state.line", ["RV0501"]),
        ("state.address < state.address", ["RV0501"]),
        ("state.count << 0.5", ["RV0501"]),
        ("state.tags + (1,)", ["RV0501"]),
        ("1 in state.note", ["RV0501"]),
        ("-state.note", ["RV0501"]),
        ("sum(state.tags)", ["RV0501"]),
        ("sum((line.price for line in state.lines), 0.0)", ["RV0501"]),
        ("sum(line.price if line.qty else None for line in state.lines)", ["RV0502"]),
        ("state.status == 'opne'", ["RV0523"]),
        ("state.level == 'low'", ["RV0523"]),
        ("state.count == '3'", ["RV0523"]),
        ("state.status in ('opened', 'shut')", ["RV0523"]),
        ("state.count in state.tags", ["RV0523"]),
        ("state.count == None", ["RV0523"]),
        ("state.count is 3", ["RV0521"]),
        ("state.note is state.owner", ["RV0521"]),
        ("[x for x in state.labels]", ["RV0522"]),
        ("list(state.labels)", ["RV0522"]),
        ("', '.join(state.labels)", ["RV0522"]),
        ("f'{state.labels}'", ["RV0522"]),
        ("[*state.labels]", ["RV0522"]),
        ("{x: 1 for x in state.labels}", ["RV0522"]),
        ("list(enumerate(state.labels))", ["RV0522"]),
        ("[x for x in state.count]", ["RV0525"]),
        ("state.count[0]", ["RV0525"]),
        ("state.tags['a']", ["RV0525"]),
        ("state.pairs[0][2]", ["RV0525"]),
        ("state.address[0]", ["RV0525"]),
        ("len(state.count)", ["RV0525"]),
        ("state.shouted", ["RV0520"]),
        ("state.note.upper", ["RV0520"]),
        ("Line.qty", ["RV0520"]),
        ("state.options.color", ["RV0504"]),
        ("state.options['colour']", ["RV0504"]),
        ("state.either.qty", ["RV0504"]),
        ("Level.MIDDLE", ["RV0504"]),
        ("Level('middle')", ["RV0503"]),
        ("Line(name='a', qty=1)", ["RV0503"]),
        ("Line(name='a', qty=1, price=2, prise=3)", ["RV0503"]),
        ("Line(name=1, qty=1, price=2)", ["RV0503"]),
        ("Line(name='a', qty=1, price='2')", ["RV0503"]),
        ("Line(name=state.owner, qty=1, price=2)", ["RV0502"]),
        ("Line('a', 1, 2)", ["RV0503"]),
        ("Address(1)", ["RV0503"]),
        ("Address()", ["RV0503"]),
        ("Address('x', street='y')", ["RV0503"]),
        ("double('x')", ["RV0503"]),
        ("double()", ["RV0503"]),
        ("Refused()", ["RV0503"]),
        ("work(1)", ["RV0524"]),
        ("state.tags.upper()", ["RV0224"]),
        ("{state.tags}", ["RV0527"]),
        ("{state.tags: 1}", ["RV0527"]),
        ("[a for a, b, c in state.pairs]", ["RV0528"]),
        ("[a for a, b in [1]]", ["RV0528"]),
        ("now() - state.at", ["RV0233"]),
        ("state.note and state.amonut or state.owner.upper()", ["RV0504", "RV0502"]),
    ],
)
def test_findings(text: str, codes: list[str]) -> None:
    """Each mistake gives its code, a place, and a sentence that names the author's own names."""
    found = _check(text).diagnostics
    assert [item.code for item in found][: len(codes)] == codes
    assert all(item.span is not None for item in found)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("state.basket", "RV0306"),
        ("not state.basket", "RV0306"),
        ("state.vip and state.basket", "RV0306"),
        ("charge", "RV0524"),
        ("state.vip or charge", "RV0524"),
    ],
)
def test_conditions(text: str, code: str) -> None:
    """Truth that can only be a mistake is found where the whole is a condition."""
    assert [item.code for item in _check(text, condition=True).diagnostics] == [code]


@pytest.mark.parametrize(
    ("text", "sentence", "advice"),
    [
        ("state.amount * 0.05", "`state.amount` is Decimal, `0.05` is float", "write `Decimal('0.05')`"),
        ("state.amonut", "State has no field `amonut`", "did you mean `amount`?"),
        ("state.owner.upper()", "`state.owner` may be None here", "narrow it first: `state.owner is not None and ...`"),
        (
            "state.status == 'opne'",
            "`state.status` is 'open' | 'closed' and never equals 'opne', so this is always false",
            "did you mean `open`?",
        ),
        (
            "state.level == 'low'",
            "`state.level` is Level and never equals 'low', so this is always false",
            "compare with a member of Level",
        ),
        (
            "[x for x in state.labels]",
            "`state.labels` is a set, whose order changes with each process",
            "write `sorted(state.labels)`",
        ),
        ("Line(name='a', qty=1, price=2, prise=3)", "Line has no field `prise`", "did you mean `price`?"),
        (
            "state.options.color",
            "`state.options` is a dict, so `color` is a key of it",
            "write `state.options['color']`",
        ),
    ],
)
def test_sentences(text: str, sentence: str, advice: str) -> None:
    """What is said and what is advised."""
    found = _check(text).diagnostics[0]
    assert (found.message, found.help) == (sentence, advice)


@pytest.mark.parametrize(
    ("text", "true", "false"),
    [
        ("state.owner", {"state.owner": "str"}, {"state.owner": "str | None"}),
        ("not state.owner", {"state.owner": "str | None"}, {"state.owner": "str"}),
        ("state.owner is None", {"state.owner": "None"}, {"state.owner": "str"}),
        ("state.owner is not None", {"state.owner": "str"}, {"state.owner": "None"}),
        ("state.owner != None", {"state.owner": "str"}, {"state.owner": "None"}),
        ("state.line", {"state.line": "Line"}, {"state.line": "None"}),
        ("isinstance(state.either, Line)", {"state.either": "Line"}, {"state.either": "Address"}),
        ("isinstance(state.owner, (str, int))", {"state.owner": "str"}, {"state.owner": "None"}),
        ("state.status == 'open'", {"state.status": "'open'"}, {"state.status": "'closed'"}),
        ("state.status != 'open'", {"state.status": "'closed'"}, {"state.status": "'open'"}),
        ("state.level == Level.LOW", {"state.level": "Level.LOW"}, {"state.level": "Level.HIGH"}),
        ("state.level is Level.LOW", {"state.level": "Level.LOW"}, {"state.level": "Level.HIGH"}),
        ("state.status in ('open',)", {"state.status": "'open'"}, {"state.status": "'closed'"}),
        (
            "state.owner and state.line",
            {"state.owner": "str", "state.line": "Line"},
            {},
        ),
        (
            "state.owner is None or state.line is None",
            {},
            {"state.owner": "str", "state.line": "Line"},
        ),
        ("state.vip", {"state.vip": "True"}, {"state.vip": "False"}),
        ("n > 3", {}, {}),
        ("state.anything is None", {"state.anything": "None"}, {}),
    ],
)
def test_narrowing(text: str, true: Mapping[str, str], false: Mapping[str, str]) -> None:
    """What a condition says about paths, where it is true and where it is false."""
    checked = _check(text, condition=True)
    assert checked.diagnostics == ()
    shown = [
        {path: describe(kind) for path, kind in known.items()}
        for known in (checked.narrowing_true, checked.narrowing_false)
    ]
    for wanted, given in ((true, shown[0]), (false, shown[1])):
        for path, kind in wanted.items():
            assert given[path] == kind
        assert set(given) <= {*wanted, "state.anything", "state.owner", "state.line"}


def test_narrowed_paths_of_the_place_are_used() -> None:
    """What a statement before has established is known in the expression, and a loop variable hides it."""
    env = ENV.narrow({"state.owner": str})
    assert _check("state.owner.upper()", env).ok
    assert not _check("[state.owner.upper() for state in [state]]", env).ok


def test_without_a_resolver_references_are_unknown() -> None:
    """Phase one has no classes; nothing is reported about what cannot be known."""
    assert check(parse("ref('a:B')(x=1).y + 1"), TypeEnv({})).diagnostics == ()


def test_a_missing_reference_is_a_finding() -> None:
    """A path the resolver does not know is not among what the definition uses."""
    (found,) = check(parse("ref('a:B')"), TypeEnv({}, resolve=dict[str, object]().__getitem__)).diagnostics
    assert found.code == "RV0228"


def test_comparisons_that_are_always_the_same_are_warnings() -> None:
    """They do not stop a definition."""
    checked = _check("state.status == 'opne'")
    assert checked.ok
    assert checked.diagnostics[0].severity is Severity.WARNING


@pytest.mark.parametrize(
    ("text", "wanted", "code"),
    [
        ("state.note", Decimal, "RV0526"),
        ("state.owner", str, "RV0502"),
        ("state.owner", str | None, None),
        ("3", Decimal, None),
        ("3.5", Decimal, "RV0526"),
        ("'open'", Literal["open", "closed"], None),
        ("'opne'", Literal["open", "closed"], "RV0526"),
        ("'low'", Level, None),
        ("state.lines", list[Line], None),
        ("state.lines", list[Address], "RV0526"),
        ("state.lines", Sequence[Line], None),
        ("[x for x in state.tags]", list[int], "RV0526"),
        ("{'name': 'a'}", Line, None),
        ("state.anything", int, None),
        ("state.due", datetime, "RV0526"),
        ("state.at", date, None),
        ("zip(state.tags, state.tags)", list[tuple[str, str]], "RV0526"),
        ("(1, 'a')", tuple[int, str], None),
        ("(1, 'a', 2)", tuple[int, str], "RV0526"),
        ("state.vip", int, None),
        ("None", None, None),
        ("state.rates", Mapping[str, Decimal], None),
    ],
)
def test_what_fits_where(text: str, wanted: object, code: str | None) -> None:
    """Whether a value can stand where a type is expected."""
    found = expect(_check(text), wanted)
    assert (found.code if found else None) == code
    assert fits(_check(text).type, wanted) is (code is None)


def test_sentence_of_a_mismatch() -> None:
    """It names the expression, its type and what is expected."""
    found = expect(_check("state.note"), Decimal)
    assert found is not None
    assert found.message == "`state.note` is str, where Decimal is expected"


@pytest.mark.parametrize(
    ("first", "even", "odd"),
    [
        ("state.vip", "({x} or state.owner) and state.vip", "({x} and state.owner is None) or state.owner"),
        ("state.vip", "state.owner is None or ({x})", "state.owner and ({x})"),
        ("state.note", "({x} if state.owner else state.note)", "({x} if state.vip else state.note)"),
        ("state.tags", "[y for y in {x} if y]", "[y for y in state.tags if {x}]"),
        ("1", "double({x})", "double(value={x})"),
    ],
)
def test_nested_expressions_are_checked_in_time(first: str, even: str, odd: str) -> None:
    """No part is looked at more than a few times, however deep conditions and calls are nested."""
    text = first
    for level in range(32):
        text = (odd if level % 2 else even).format(x=text)
    started = time.monotonic()
    assert _check(text, condition=True).ok
    assert time.monotonic() - started < 5
