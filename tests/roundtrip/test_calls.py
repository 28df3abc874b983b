"""Every call form that the Python printer writes, alone and among branches, is read back (law 2)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

import pytest

from ruvon.ir import (
    END,
    Assign,
    Branch,
    Call,
    Compensation,
    Definition,
    Graph,
    HumanSource,
    Join,
    Loop,
    Merge,
    MergeConflict,
    MergeStrategy,
    Node,
    OnFailure,
    Parallel,
    RetryPolicy,
    SignalSource,
    Start,
    StartMode,
    TimerSource,
    Wait,
    verify,
)
from ruvon.ir.expr import Const, Name, parse
from tests.support.roundtrip import assert_python_shape
from tests.support.workflows import ODD_NAMES, shop_roots

Effect: TypeAlias = Call | Wait | Start
T = TypeVar("T", Call, Wait, Start, HumanSource)

E = parse
SHOP = "tests.support.shop:"
NOTE = f"{SHOP}Note"
MERGES = (
    Merge(strategy=MergeStrategy.DEEP),
    Merge(conflict=MergeConflict.PREFER_EXISTING),
    Merge(conflict=MergeConflict.RAISE_ERROR),
    Merge(function=f"{SHOP}plain"),
    Merge(strategy=MergeStrategy.DEEP, conflict=MergeConflict.RAISE_ERROR, function=f"{SHOP}double"),
)
RETRY = RetryPolicy(
    max_attempts=7,
    delay_us=5,
    backoff=3.5,
    max_delay_us=90_000_000,
    jitter=0.5,
    on=(f"{SHOP}Busy", "ruvon.models:TimedOut"),
    never=("builtins:KeyError",),
)
UNDO = Compensation(function=f"{SHOP}plain", attempted=True, retry=RetryPolicy(max_attempts=9))
COMMON: dict[str, tuple[object, ...]] = {
    "queue": ("net", "it's"),
    "retry": (RETRY,),
    "timeout_us": (5, 90_000_000),
    "queue_timeout_us": (5,),
    "deadline_us": (5,),
    "compensation": (UNDO, Compensation(function=f"{SHOP}release")),
    "input_model": (NOTE,),
    "required_input": (("a",), ("a", 'b "c"')),
    "merge": MERGES,
}
STEP = Call(function=f"{SHOP}touch", args={"state": Name("state")})
PLAIN = Call(function=f"{SHOP}plain", args={"state": Name("state")})
ADD = Call(function=f"{SHOP}add", args={"left": E("state.amount"), "right": E("2")})
HTTP = Call(type="HTTP", config={"method": E("'GET'"), "url": E("f'https://x/{state.name}'")})
INFER = Call(type="AI_INFERENCE", config={"model": E("'m@1'"), "data": E("{'a': state.amount}"), "threshold": E("0.5")})
WASM = Call(type="WASM", config={"module": E("'sha256:0'"), "entry": E("'run'")})
CUSTOM = Call(type="AUDIT", args={"state": Name("state")}, config={"level": E("3"), "max-size": E("state.amount")})
SIGNAL = Wait(source=SignalSource(model=NOTE))
HUMAN = HumanSource(task=E("'review'"))
CHILD = Start(child="Sub", data=E(f"ref('{SHOP}Job')(amount=1)"), result=f"{SHOP}Done")
CRON = Start(child="Sub", mode=StartMode.SCHEDULE, cron=E("'0 9 * * *'"))
WAITING: dict[str, tuple[object, ...]] = {"compensation": (UNDO,), "merge": MERGES}
LATE: dict[str, Any] = {"timeout": E("timedelta(days=1)")}


def _changed(action: T, options: dict[str, tuple[object, ...]]) -> Iterator[T]:
    yield action
    for name, values in options.items():
        for value in values:
            yield replace(action, **{name: value})  # type: ignore[arg-type]


def _calls() -> Iterator[Call]:
    yield from _changed(STEP, {**COMMON, "into": (NOTE, "list[int]")})
    yield from _changed(PLAIN, COMMON)
    yield from _changed(replace(ADD, queue="net"), {"concurrency_key": ("left", "state.name")})
    for function in ("book", "book_plainly"):
        yield from _changed(replace(STEP, function=SHOP + function), {"transaction": (True,)})
    yield from _changed(ADD, {"timeout_us": (1,)})
    yield Call(function=f"{SHOP}quote", args={"amount": E("1")}, retry=None)
    yield Call(function=f"{SHOP}reserve", args={"amount": E("1")}, compensation=None)
    yield Call(function=f"{SHOP}label", required_input=("text",), args={"amount": E("1")})
    for service in (HTTP, INFER, WASM):
        yield from _changed(service, {**COMMON, "into": (NOTE,)})
    yield from _changed(replace(HTTP, queue="net"), {"concurrency_key": ("url", "state.name")})
    yield from _changed(replace(INFER, queue="net"), {"concurrency_key": ("data.a", "state.name")})
    yield from _changed(replace(WASM, queue="net"), {"concurrency_key": ("module", "state.name")})
    yield from _changed(replace(CUSTOM, queue="net"), {"concurrency_key": ("level", "state.name")})
    yield from _changed(CUSTOM, {**COMMON, "into": (NOTE,), "function": (f"{SHOP}plain",)})


def _humans() -> Iterator[Wait]:
    fields: dict[str, tuple[object, ...]] = {
        "task": (E("state.name"),),
        "form": (NOTE,),
        "required_input": (("a",), ("a", "b")),
        "show": (E("{'amount': state.amount}"), E("state")),
        "role": (E("'clerk'"),),
        "assignee": (E("state.name"),),
        "ask": (f"{SHOP}add", f"{SHOP}plain"),
        "answer": (f"{SHOP}add", f"{SHOP}plain"),
        "answer_to": ("next",),
    }
    for source in _changed(HUMAN, fields):
        ask, answer = (
            {"state": Name("state")} if path == f"{SHOP}plain" else {} for path in (source.ask, source.answer)
        )
        yield Wait(source=replace(source, ask_args=ask, answer_args=answer))
    given = {"state": Name("state"), "amount": E("state.amount"), "odd key": E("1")}
    yield Wait(source=replace(HUMAN, ask=f"{SHOP}ask", ask_args=given, answer=f"{SHOP}bump", answer_args=given))
    asked = Wait(source=HUMAN)
    yield from _changed(asked, {**WAITING, "timeout": (E("state.wait"),)})
    yield replace(asked, **LATE, on_timeout=E("{'a': 1}"))
    yield replace(asked, **LATE, on_timeout=Const(None))


def _waits() -> Iterator[Wait]:
    yield from _humans()
    for source in (TimerSource(duration=E("timedelta(hours=1)")), TimerSource(until=E("state.when"))):
        yield from _changed(Wait(source=source), WAITING)
    yield from _changed(SIGNAL, {**WAITING, "source": (SignalSource(model=NOTE, key=E("state.name")),)})
    yield replace(SIGNAL, **LATE)
    yield replace(SIGNAL, **LATE, on_timeout=E(f"ref('{NOTE}')(text='late')"))
    yield replace(SIGNAL, **LATE, on_timeout=Const(None))


def _starts() -> Iterator[Start]:
    options: dict[str, tuple[object, ...]] = {
        "version": ("2",),
        "data": (None, E("state"), E("{'a': 1}"), Const(None)),
        "data_region": (E("'eu'"), E("state.name")),
        "retry": (RETRY,),
        "timeout_us": (5,),
        "merge": MERGES,
    }
    yield from _changed(CHILD, {**options, "result": (None, "None", "dict[str, object]")})
    detached = replace(CHILD, mode=StartMode.DETACH, result=None)
    yield from _changed(detached, {**options, "key": (E("state.name"),)})
    timed: dict[str, tuple[object, ...]] = {
        "timezone": (E("'Europe/Rome'"),),
        "schedule_name": (E("'weekly'"),),
        "overlap": ("skip",),
        "catch_up": (0, 2),
    }
    yield from _changed(CRON, {**options, **timed})


EFFECTS: list[Effect] = [*_calls(), *_waits(), *_starts()]
RACERS: list[Effect] = [*_waits(), *_starts()]
NAMES = ("Charge card", "a.b", "class")


def _definition(*nodes: Node) -> Definition:
    graph = Graph(entry=nodes[0].id, nodes={node.id: node for node in nodes})
    return Definition(workflow_type="W", state=f"{SHOP}Order", graph=graph)


def assert_comes_back(*nodes: Node) -> None:
    """Nodes are valid, and the Python that is printed of them is read back as the same definition."""
    definition = _definition(*nodes)
    assert verify(definition) == ()
    assert_python_shape(definition, shop_roots())


def _one(name: str, action: Effect) -> Graph:
    return Graph(entry=name, nodes={name: Node(id=name, action=action, next=END)})


@pytest.mark.parametrize("action", EFFECTS)
def test_a_call_comes_back_with_every_option(action: Effect) -> None:
    """As a statement, under derived and odd names, bound and not, with and without its own `automate_next`."""
    first = Node(id="Review it", action=action, next="x.y", automate_next=True)
    bound = replace(action, output=Name("found"))
    assert_comes_back(first, Node(id="x.y", action=bound, next=END, automate_next=False))


@pytest.mark.parametrize("action", EFFECTS)
def test_a_call_comes_back_from_a_gather(action: Effect) -> None:
    """As a branch that is one call, its name and options kept."""
    branches = (
        Branch(label="Charge card", graph=_one("Charge card", action)),
        Branch(label="mine", graph=_one("a.b", action), after=("Charge card",)),
    )
    mapped = Parallel(over=E("state.lines"), item=Name("line"), body=_one("In each", action))
    assert_comes_back(
        Node(id="gather", action=Parallel(branches=branches), next="Each", automate_next=True),
        Node(id="Each", action=mapped, next="All", automate_next=True),
        Node(
            id="All",
            action=Loop(
                over=E("state.lines"), item=Name("one"), body=_one("In all", action), collect=True, output=Name("every")
            ),
            next=END,
            automate_next=True,
        ),
    )


@pytest.mark.parametrize("action", RACERS)
def test_a_wait_comes_back_from_a_race(action: Effect) -> None:
    """As a branch of `first_of`, under its own label, another one, and as a named winner."""
    branches = (
        Branch(label="First of all", graph=_one("First of all", action)),
        Branch(label="mine", graph=_one("other", action)),
        Branch(label="lead", graph=_one("third", action), won=True),
    )
    race = Parallel(branches=branches, join=Join.FIRST, output=Name("won"))
    assert_comes_back(Node(id="first_of", action=race, next=END, automate_next=True))


@pytest.mark.parametrize("merge", MERGES)
@pytest.mark.parametrize("join", Join)
def test_the_options_of_a_group_come_back(merge: Merge, join: Join) -> None:
    """Merge rules and the timeout of `gather` and `first_of`."""
    branches = (Branch(label="a", graph=_one("a", SIGNAL)), Branch(label="b", graph=_one("b", CHILD)))
    group = Parallel(branches=branches, join=join, merge=merge, timeout_us=5_000_000)
    assert_comes_back(Node(id="Group", action=group, next=END, automate_next=True))


def test_the_other_options_of_a_gather_come_back() -> None:
    """Windows, barriers and collected failures."""
    body = _one("add", ADD)
    mapped = Parallel(over=E("state.lines"), item=Name("line"), body=body, limit=E("state.amount"))
    collecting: dict[str, Any] = {"on_failure": OnFailure.COLLECT, "output": Name("batch")}
    assert_comes_back(
        Node(id="gather", action=mapped, next="Second", automate_next=True),
        Node(
            id="Second",
            action=replace(mapped, body=_one("B", ADD), limit=None, batch_size=E("2"), tolerate=E("0.1"), **collecting),
            next=END,
            automate_next=True,
        ),
    )


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_nameassert_comes_back(name: str) -> None:
    """Names that are no identifiers, on a call and on a wait."""
    assert_comes_back(
        Node(id=name, action=SIGNAL, next=f"{name} again", automate_next=True),
        Node(id=f"{name} again", action=STEP, next=END, automate_next=True),
    )


CONSTANTS = (
    None, True, 3, -3, 10**30, 1.5, -0.0, 1e300, "text", "it's \"both\"\n", "", b"\x00b", Decimal("1.50"), Decimal("-0"),
    UUID("12345678-1234-5678-1234-567812345678"), timedelta(days=1, microseconds=5), timedelta(seconds=-5),
    date(2024, 2, 29), time(1, 30), time(1, 30, tzinfo=UTC), datetime(2024, 1, 1, 12), datetime(2024, 1, 1, tzinfo=UTC),  # noqa: DTZ001
    datetime(2024, 1, 1, 5, 6, 7, 8, tzinfo=timezone(timedelta(hours=5, minutes=30))),
)  # fmt: skip


@pytest.mark.parametrize("value", CONSTANTS, ids=repr)
def test_a_constantassert_comes_back(value: object) -> None:
    """Everything that can be stored, assigned and as an argument."""
    constant = Const(value)  # type: ignore[arg-type]
    given = Call(function=f"{SHOP}anything", args={"value": constant})
    assert_comes_back(
        Node(id="set", action=Assign(target=Name("x"), value=constant), next="anything", automate_next=True),
        Node(id="anything", action=given, next="human", automate_next=True),
        Node(id="human", action=Wait(source=replace(HUMAN, show=constant)), next=END, automate_next=True)
        if value is not None
        else Node(id="human", action=Wait(source=HUMAN), next=END, automate_next=True),
    )


@pytest.mark.parametrize(
    "text",
    [
        "template('{{ state.name | upper }}')",
        "[template('{{ state.name }}'), 1]",
        "ref('tests.support.shop:Note')(text=template('{% if state.flag %}a{% endif %}'), amount=2)",
        "template('a') + state.name",
    ],
)
def test_a_templateassert_comes_back(text: str) -> None:
    """A template, alone and inside an expression, assigned and as an argument."""
    given = Call(function=f"{SHOP}anything", args={"value": E(text)})
    assert_comes_back(
        Node(id="set", action=Assign(target=Name("x"), value=E(text)), next="anything", automate_next=True),
        Node(id="anything", action=given, next=END, automate_next=True),
    )
