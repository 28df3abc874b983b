"""Hand-made definitions that between them use every action, every option and every edge of the IR."""

from collections.abc import Mapping

from ruvon.ir import (
    BREAK,
    CONTINUE,
    END,
    Action,
    Assign,
    AssignOperation,
    Branch,
    Call,
    CommitMode,
    Compensation,
    Contract,
    Decision,
    Definition,
    Display,
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
    Span,
    Start,
    StartMode,
    TimerSource,
    Try,
    Wait,
)
from ruvon.ir.expr import Expr, parse
from ruvon.ir.types import FieldEntry, TypeEntry

__all__ = ["DEFINITIONS", "e", "everything", "graph", "minimal", "node", "order"]

REFS = {"Rejected": "shop.errors:Rejected", "Receipt": "shop.models:Receipt"}


def e(text: str) -> Expr:
    """An expression from its text."""
    return parse(text, refs=REFS)


def node(name: str, action: Action, following: str | None = END, *, top: bool = False, stops: bool = False) -> Node:
    """A node; `top` for the outermost graph, where `automate_next` is given."""
    ends = isinstance(action, Decision | Return | Fail)
    automatic = (not stops) if top and not isinstance(action, Return | Fail) else None
    return Node(id=name, action=action, next=None if ends else following, automate_next=automatic)


def graph(*nodes: Node, entry: str | None = None) -> Graph:
    """A graph that begins with its first node."""
    return Graph(entry=entry or (nodes[0].id if nodes else END), nodes={item.id: item for item in nodes})


def minimal() -> Definition:
    """The smallest definition: it does nothing and ends."""
    return Definition(workflow_type="Nothing", graph=graph())


def order() -> Definition:
    """A small order: quote, approval for large ones, two checks at once, a loop, a receipt."""
    return Definition(
        workflow_type="Order",
        workflow_version="1.2.0",
        state="shop.models:Order",
        result="shop.models:Receipt",
        saga=True,
        variables={"offer": "shop.models:Quote", "verdict": "shop.models:Verdict", "item": "shop.models:Item"},
        types={"shop.models:Item": TypeEntry("model", (FieldEntry("sku", "str", required=True),))},
        graph=graph(
            node(
                "quote",
                Call(function="shop:quote", args={"items": e("state.items")}, output=e("offer")),
                "quote.route",
                top=True,
            ),
            node("quote.route", _decision("offer.total > 10000 and not state.vip", "human", "gather"), top=True),
            node("human", _approval(), "human.route", top=True),
            node("human.route", _decision("not verdict.approved", "raise", "gather"), top=True),
            node("raise", Fail(error=e("Rejected(verdict.reason)"))),
            node("gather", _checks(), "for", top=True),
            node("for", Loop(over=e("state.items"), item=e("item"), body=_reserve()), "return", top=True),
            node("return", Return(value=e("Receipt(order_id=state.order_id, total=offer.total)"))),
        ),
    )


def _decision(condition: str, target: str, default: str) -> Decision:
    return Decision(routes=(Route(condition=e(condition), target=target),), default=default)


def _approval() -> Wait:
    source = HumanSource(task=e("'finance.approve'"), form="shop.models:Verdict", role=e("'finance'"))
    return Wait(source=source, output=e("verdict"), timeout=e("timedelta(days=2)"))


def _checks() -> Parallel:
    fraud = graph(node("check_fraud", Call(function="shop:check_fraud", args={"state": e("state")})))
    address = graph(node("check_address", Call(function="shop:check_address", args={"state": e("state")})))
    return Parallel(branches=(Branch(label="check_fraud", graph=fraud), Branch(label="check_address", graph=address)))


def _reserve() -> Graph:
    undo = Compensation(function="shop:release")
    return graph(
        node("reserve", Call(function="shop:reserve", args={"item": e("item")}, compensation=undo), "reserve.route"),
        node("reserve.route", _decision("item.quantity > 3", BREAK, END)),
    )


def everything() -> Definition:
    """One definition that holds every action with every option set to something other than its default."""
    retry = RetryPolicy(
        max_attempts=5,
        delay_us=250_000,
        backoff=1.5,
        max_delay_us=60_000_000,
        jitter=0.25,
        on=("builtins:ConnectionError",),
        never=("shop.errors:Rejected",),
    )
    return Definition(
        workflow_type="Everything",
        workflow_version="9",
        state="shop.models:Order",
        result="str | None",
        strict_results=False,
        history=1000,
        commit=CommitMode.ITERATION,
        timeout_us=5_400_000_000,
        variables={"x": "int", "found": "list[str]"},
        graph=graph(*_calls(retry), *_waits(), *_starts(retry), *_structures(retry), *_ends()),
        contracts={
            "shop:charge": Contract(parameters=(("state", "shop.models:Order", True),), result="None", is_async=True)
        },
        schemas={"shop.models:Order": {"type": "object"}},
        description="All of it.",
        tags=("a", "b"),
        owner="shop",
    )


def _calls(retry: RetryPolicy) -> tuple[Node, ...]:
    call = Call(
        function="shop:charge",
        args={"state": e("state"), "amount": e("Decimal('1.5')")},
        output=e("state.payment"),
        queue="slow",
        retry=retry,
        timeout_us=20_000_000,
        queue_timeout_us=1_000_000,
        deadline_us=3_600_000_000,
        compensation=Compensation(function="shop:refund", attempted=True, retry=retry),
        input_model="shop.models:Verdict",
        required_input=("reason",),
        merge=Merge(strategy=MergeStrategy.DEEP, conflict=MergeConflict.PREFER_EXISTING),
    )
    http = Call(
        type="HTTP",
        config={"method": e("'GET'"), "url": e("f'https://{state.host}/x'")},
        into="shop.models:Quote",
        output=e("(x, y)"),
    )
    return (node("Charge card", call, "http", top=True, stops=True), node("http", http, "sleep", top=True))


def _waits() -> tuple[Node, ...]:
    source = HumanSource(
        task=e("'t'"),
        required_input=("a",),
        show=e("{'a': 1}"),
        role=e("'r'"),
        assignee=e("state.owner"),
        ask="shop:ask",
        ask_args={"state": e("state")},
        answer_to="next",
    )
    answered = HumanSource(
        task=e("'u'"), form="shop.models:Verdict", answer="shop:take", answer_args={"state": e("state")}
    )
    undo = Compensation(function="shop:refund")
    return (
        node("sleep", Wait(source=TimerSource(duration=e("state.every"))), "until", top=True),
        node("until", Wait(source=TimerSource(until=e("state.due"))), "receive", top=True),
        node(
            "receive",
            Wait(
                source=SignalSource(model="shop.models:Verdict", key=e("state.id")),
                timeout=e("timedelta(hours=8)"),
                on_timeout=e("None"),
                output=e("x"),
            ),
            "ask",
            top=True,
        ),
        node("ask", Wait(source=source, compensation=undo), "answer", top=True),
        node("answer", Wait(source=answered, merge=Merge(conflict=MergeConflict.RAISE_ERROR)), "KYC", top=True),
    )


def _starts(retry: RetryPolicy) -> tuple[Node, ...]:
    schedule = Start(
        child="Report",
        mode=StartMode.SCHEDULE,
        cron=e("'0 9 * * MON'"),
        timezone=e("'Europe/Rome'"),
        schedule_name=e("'weekly'"),
        overlap="skip",
        catch_up=2,
    )
    child = Start(
        child="KYC",
        version="2",
        data=e("{'name': state.name}"),
        output=e("level"),
        result="str",
        data_region=e("'eu'"),
        retry=retry,
        timeout_us=1_000,
        merge=Merge(strategy=MergeStrategy.DEEP),
    )
    return (
        node("KYC", child, "Mail", top=True),
        node("Mail", Start(child="Mail", mode=StartMode.DETACH, key=e("state.id")), "Report", top=True),
        node("Report", schedule, "set", top=True),
    )


def _structures(retry: RetryPolicy) -> tuple[Node, ...]:
    turn = graph(
        node("add", Assign(target=e("found"), value=e("x"), operation=AssignOperation.APPEND), "turn.if"),
        node("turn.if", Decision(routes=(Route(condition=e("x > 1"), target=CONTINUE),), default=BREAK)),
    )
    attempt = Try(
        body=graph(node("risky", Call(function="shop:risky", retry=retry), "after_try")),
        handlers=(Handler(classes=("builtins:ValueError",), name="err", graph=Graph(entry="gather", nodes={})),),
        final=graph(node("tidy", Call(function="shop:tidy"))),
    )
    mapped = Parallel(
        over=e("state.items"),
        item=e("item"),
        index="i",
        body=graph(node("pack", Call(function="shop:pack", args={"item": e("item")}))),
        limit=e("8"),
        on_failure=OnFailure.COLLECT,
        tolerate=e("0.1"),
        merge=Merge(strategy=MergeStrategy.DEEP, conflict=MergeConflict.PREFER_NEW, function="shop:merge"),
        timeout_us=5_000_000,
        output=e("packed"),
    )
    first = graph(node("stock", Call(function="shop:stock")))
    second = graph(node("label", Call(function="shop:label")))
    race = Parallel(
        join=Join.FIRST,
        branches=(
            Branch(
                label="lead", won=True, graph=graph(node("ack", Wait(source=SignalSource(model="shop.models:Ack"))))
            ),
            Branch(
                label="late", graph=graph(node("wait", Wait(source=TimerSource(duration=e("timedelta(seconds=1)")))))
            ),
        ),
        output=e("winner"),
    )
    collected = Loop(
        over=e("state.items"),
        item=e("(a, b)"),
        body=graph(node("price", Call(function="shop:price", args={"item": e("a")}))),
        collect=True,
        output=e("prices"),
    )
    return (
        node("set", Assign(target=e("state.total"), value=e("now()")), "while", top=True),
        node("while", Loop(condition=e("x < 3"), body=turn, max_iterations=7, on_break="try"), "collect", top=True),
        node("collect", collected, "try", top=True),
        node("try", attempt, "gather", top=True),
        node("after_try", Assign(target=e("x"), value=e("1")), "gather", top=True),
        node(
            "gather",
            Parallel(
                branches=(
                    Branch(label="s", graph=first, output=e("lot")),
                    Branch(label="l", graph=second, after=("s",)),
                ),
                batch_size=e("2"),
            ),
            "mapped",
            top=True,
        ),
        node("mapped", mapped, "race", top=True),
        node("race", race, "saga", top=True),
        node("saga", Try(saga=True, body=graph(node("pay", Call(function="shop:pay")))), "if", top=True),
    )


def _ends() -> tuple[Node, ...]:
    return (
        node(
            "if",
            Decision(
                routes=(
                    Route(condition=e("x == 1"), target="return"),
                    Route(condition=e("x == 2"), target="raise"),
                    Route(condition=e("x == 3"), target="again"),
                ),
                default="Charge card",
                injected=True,
            ),
            top=True,
        ),
        node("return", Return(value=e("'ok'"))),
        node("raise", Fail(error=e("Rejected('no')"), cause=e("winner"))),
        Node(
            id="again",
            action=Fail(),
            display=Display(source=Span.at("shop.py", 3, 5), description="once more", prompt="why?", tags=("t",)),
        ),
    )


DEFINITIONS: Mapping[str, Definition] = {"minimal": minimal(), "order": order(), "everything": everything()}
