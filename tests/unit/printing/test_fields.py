"""Every field of the graph has a spelling in both forms: changing it changes the printed text (law 2)."""

import dataclasses
from collections.abc import Iterator

import pytest

from ruvon.ir import (
    END,
    Assign,
    AssignOperation,
    Branch,
    Call,
    CommitMode,
    Compensation,
    Decision,
    Definition,
    Fail,
    Graph,
    Handler,
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
    Return,
    Route,
    SignalSource,
    Start,
    StartMode,
    TimerSource,
    Try,
    Wait,
)
from ruvon.ir.expr import Name, parse
from ruvon_dsl.printing import to_python, to_yaml

E = parse
EMPTY = Graph(entry=END, nodes={})
MERGES = (
    Merge(strategy=MergeStrategy.DEEP),
    Merge(conflict=MergeConflict.PREFER_EXISTING),
    Merge(function="m:f"),
)
RETRY = RetryPolicy(max_attempts=7, delay_us=5, backoff=3.0, max_delay_us=9, jitter=0.5, on=("m:E",), never=("m:F",))
UNDO = Compensation(function="m:undo", attempted=True, retry=RetryPolicy(max_attempts=9))
ONE = Graph(entry="n", nodes={"n": Node(id="n", action=Call(function="m:g"), next=END)})
TWO = Graph(
    entry="p",
    nodes={
        "p": Node(id="p", action=Call(function="m:p"), next="q"),
        "q": Node(id="q", action=Call(function="m:q"), next=END),
    },
)
STEP = Call(function="m:f")
SIGNAL = Wait(source=SignalSource(model="m:M"))
HUMAN = HumanSource(task=E("'t'"))
ASKED = Wait(source=HUMAN)
CHILD = Start(child="C", data=E("state"))
CRON = Start(child="C", data=E("state"), mode=StartMode.SCHEDULE, cron=E("'* * * * *'"))
ITERATE = Loop(over=E("state.xs"), item=Name("x"), body=TWO)
WHILE = Loop(condition=E("state.a"), body=TWO)
STATIC = Parallel(branches=(Branch(label="n", graph=ONE), Branch(label="b", graph=TWO)))
MAPPED = Parallel(over=E("state.xs"), item=Name("x"), body=ONE)
RACE = dataclasses.replace(STATIC, join=Join.FIRST)
GUARD = Try(body=ONE, handlers=(Handler(classes=("m:E",), graph=EMPTY),))


def _with_branch(**changes: object) -> Parallel:
    first, second = STATIC.branches
    return dataclasses.replace(STATIC, branches=(first, dataclasses.replace(second, **changes)))


CHANGES: dict[str, tuple[object, list[object]]] = {
    "Call": (
        STEP,
        [
            dataclasses.replace(STEP, **{name: value})
            for name, value in (
                ("type", "CUSTOM"),
                ("function", "m:other"),
                ("args", {"a": E("1")}),
                ("output", Name("x")),
                ("into", "m:M"),
                ("queue", "q"),
                ("retry", RETRY),
                ("timeout_us", 5),
                ("queue_timeout_us", 5),
                ("deadline_us", 5),
                ("compensation", UNDO),
                ("input_model", "m:M"),
                ("required_input", ("a",)),
                ("transaction", True),
                ("concurrency_key", "state.n"),
                *(("merge", merge) for merge in MERGES),
            )
        ]
        + [Call(type="CUSTOM", function="m:f", config={"a": E("1")})],
    ),
    "Compensation": (
        dataclasses.replace(STEP, compensation=UNDO),
        [
            dataclasses.replace(STEP, compensation=dataclasses.replace(UNDO, **{name: value}))
            for name, value in (("function", "m:other"), ("attempted", False), ("retry", None))
        ],
    ),
    "RetryPolicy": (
        dataclasses.replace(STEP, retry=RETRY),
        [
            dataclasses.replace(STEP, retry=dataclasses.replace(RETRY, **{field.name: field.default}))
            for field in dataclasses.fields(RetryPolicy)
        ],
    ),
    "Wait": (
        SIGNAL,
        [
            dataclasses.replace(SIGNAL, **{name: value})
            for name, value in (
                ("source", TimerSource(duration=E("timedelta(1)"))),
                ("output", Name("x")),
                ("timeout", E("timedelta(1)")),
                ("compensation", UNDO),
                *(("merge", merge) for merge in MERGES),
            )
        ]
        + [dataclasses.replace(SIGNAL, timeout=E("timedelta(1)"), on_timeout=E("1"))],
    ),
    "TimerSource": (
        Wait(source=TimerSource(duration=E("timedelta(1)"))),
        [Wait(source=TimerSource(until=E("state.when")))],
    ),
    "SignalSource": (
        SIGNAL,
        [Wait(source=SignalSource(model="m:N")), Wait(source=SignalSource(model="m:M", key=E("'k'")))],
    ),
    "HumanSource": (
        ASKED,
        [
            Wait(source=dataclasses.replace(HUMAN, **{name: value}))
            for name, value in (
                ("task", E("'u'")),
                ("form", "m:M"),
                ("required_input", ("a",)),
                ("show", E("1")),
                ("role", E("'r'")),
                ("assignee", E("'a'")),
                ("ask", "m:f"),
                ("answer", "m:f"),
                ("answer_to", "next"),
            )
        ]
        + [
            Wait(source=dataclasses.replace(HUMAN, ask="m:f", ask_args={"a": E("1")})),
            Wait(source=dataclasses.replace(HUMAN, answer="m:f", answer_args={"a": E("1")})),
        ],
    ),
    "Start": (
        CHILD,
        [
            dataclasses.replace(CHILD, **{name: value})
            for name, value in (
                ("child", "D"),
                ("version", "2"),
                ("data", E("1")),
                ("mode", StartMode.DETACH),
                ("output", Name("x")),
                ("result", "m:M"),
                ("data_region", E("'eu'")),
                ("retry", RETRY),
                ("timeout_us", 5),
                *(("merge", merge) for merge in MERGES),
            )
        ]
        + [CRON, dataclasses.replace(CHILD, mode=StartMode.DETACH, key=E("'k'"))],
    ),
    "Start (schedule)": (
        CRON,
        [
            dataclasses.replace(CRON, **{name: value})
            for name, value in (
                ("cron", E("'1 * * * *'")),
                ("timezone", E("'Z'")),
                ("schedule_name", E("'n'")),
                ("overlap", "skip"),
                ("catch_up", 2),
            )
        ],
    ),
    "Assign": (
        Assign(target=Name("x"), value=E("[1]")),
        [
            Assign(target=Name("y"), value=E("[1]")),
            Assign(target=Name("x"), value=E("[2]")),
            *(
                Assign(target=Name("x"), value=E("[1]"), operation=item)
                for item in AssignOperation
                if item.value != "set"
            ),
        ],
    ),
    "Decision": (
        Decision(routes=(Route(condition=E("state.a"), target=END),), default=END),
        [
            Decision(routes=(Route(condition=E("state.b"), target=END),), default=END),
            Decision(routes=(), default=END),
            Decision(routes=(Route(condition=E("state.a"), target=END),), default=END, injected=True),
        ],
    ),
    "Loop": (
        ITERATE,
        [
            WHILE,
            *(
                dataclasses.replace(ITERATE, **{name: value})
                for name, value in (
                    ("over", E("state.ys")),
                    ("item", Name("y")),
                    ("index", "i"),
                    ("body", ONE),
                    ("max_iterations", 5),
                )
            ),
            dataclasses.replace(ITERATE, body=ONE, collect=True, output=Name("x")),
        ],
    ),
    "Parallel": (
        STATIC,
        [
            MAPPED,
            RACE,
            *(
                dataclasses.replace(STATIC, **{name: value})
                for name, value in (
                    ("limit", E("2")),
                    ("batch_size", E("2")),
                    ("on_failure", OnFailure.COLLECT),
                    ("timeout_us", 5),
                    ("output", Name("x")),
                    *(("merge", merge) for merge in MERGES),
                )
            ),
            dataclasses.replace(STATIC, on_failure=OnFailure.COLLECT, tolerate=E("0.1")),
            *(
                dataclasses.replace(MAPPED, **{name: value})
                for name, value in (("over", E("state.ys")), ("item", Name("y")), ("index", "i"), ("body", TWO))
            ),
        ],
    ),
    "Branch": (
        STATIC,
        [
            _with_branch(label="c"),
            _with_branch(after=("n",)),
            _with_branch(output=Name("x")),
            _with_branch(graph=EMPTY),
            dataclasses.replace(RACE, branches=tuple(dataclasses.replace(item, won=True) for item in RACE.branches)),
        ],
    ),
    "Try": (
        GUARD,
        [Try(body=ONE, final=TWO), Try(body=ONE, saga=True), Try(body=TWO, handlers=GUARD.handlers)],
    ),
    "Handler": (
        GUARD,
        [
            Try(body=ONE, handlers=(Handler(classes=("m:F",), graph=EMPTY),)),
            Try(body=ONE, handlers=(Handler(classes=("m:E", "m:F"), graph=EMPTY),)),
            Try(body=ONE, handlers=(Handler(classes=("m:E",), name="err", graph=EMPTY),)),
            Try(body=ONE, handlers=(Handler(classes=("m:E",), graph=TWO),)),
        ],
    ),
    "Return": (Return(), [Return(value=E("1"))]),
    "Fail": (Fail(error=E("err")), [Fail(), Fail(error=E("err"), cause=E("other"))]),
}


def _definition(action: object) -> Definition:
    ends = isinstance(action, Decision | Return | Fail)
    node = Node(
        id="it",
        action=action,
        next=None if ends else END,
        automate_next=None if isinstance(action, Return | Fail) else True,
    )  # type: ignore[arg-type]
    return Definition(workflow_type="W", state="m:S", graph=Graph(entry="it", nodes={"it": node}))


def _cases() -> Iterator[tuple[str, object, object]]:
    for name, (plain, changed) in CHANGES.items():
        for index, action in enumerate(changed):
            yield pytest.param(plain, action, id=f"{name} {index}")  # type: ignore[misc]


@pytest.mark.parametrize(("plain", "changed"), list(_cases()))
@pytest.mark.parametrize("printer", [to_python, to_yaml], ids=["python", "yaml"])
def test_every_field_of_an_action_is_printed(printer, plain: object, changed: object) -> None:  # type: ignore[no-untyped-def]
    """Two actions that differ in one field differ in the printed text."""
    assert printer(_definition(plain)) != printer(_definition(changed))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("workflow_type", "V"), ("workflow_version", "2"), ("state", "m:T"), ("result", "int"), ("saga", True),
        ("strict_results", False), ("history", 5), ("commit", CommitMode.ITERATION), ("variables", {"unused": "int"}),
        ("graph", Graph(entry="that", nodes={"that": Node(id="that", action=STEP, next=END, automate_next=True)})),
        ("graph", Graph(entry="it", nodes={"it": Node(id="it", action=STEP, next=END, automate_next=False)})),
    ],
)  # fmt: skip
@pytest.mark.parametrize("printer", [to_python, to_yaml], ids=["python", "yaml"])
def test_every_field_of_a_definition_is_printed(printer, field: str, value: object) -> None:  # type: ignore[no-untyped-def]
    """Two definitions that differ in one field differ in the printed text."""
    plain = _definition(STEP)
    assert printer(plain) != printer(dataclasses.replace(plain, **{field: value}))
