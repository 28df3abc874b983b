"""Drafts by hand: short ways to write nodes whose expressions are texts over the shop."""

from collections.abc import Iterable

from ruvon.ir import (
    END,
    Action,
    Assign,
    AssignOperation,
    Branch,
    Call,
    Decision,
    Definition,
    Diagnostic,
    Display,
    Fail,
    Graph,
    Handler,
    ImportRoots,
    Join,
    Loop,
    Node,
    Parallel,
    Return,
    Route,
    SignalSource,
    Span,
    TimerSource,
    Try,
    Wait,
)
from ruvon.ir.expr import Expr, names, parse
from ruvon_dsl._draft import Draft, SourceText
from ruvon_dsl._link import Linked, ModuleLookup, bind_names, link
from tests.unit.link import shop

SHOP = "tests.unit.link.shop"
_LINES = iter(range(1, 10_000_000))


def x(text: str) -> Expr:
    """An expression over variables and the shop; upper-case first letters are the shop's."""
    expr = parse(text, file="flow.py", line=next(_LINES))
    outside = {name for name in names(expr) if hasattr(shop, name)}
    bound, found = bind_names(expr, bound=names(expr) - outside, lookup=ModuleLookup(shop))
    assert found == []
    return bound


def at(path: str) -> str:
    """The path of something in the shop."""
    return f"{SHOP}:{path}"


def node(name: str, action: Action, following: str | None = END) -> Node:
    """A node on a line of its own."""
    ends = isinstance(action, Decision | Return | Fail)
    span = Span.at("flow.py", next(_LINES), 1)
    return Node(id=name, action=action, next=None if ends else following, display=Display(source=span))


def graph(*nodes: Node, entry: str | None = None) -> Graph:
    """A graph that begins with its first node."""
    return Graph(entry=entry or (nodes[0].id if nodes else END), nodes={item.id: item for item in nodes})


def chain(*steps: tuple[str, Action]) -> Graph:
    """Nodes one after the other; the last one leads to END."""
    ids = [name for name, _ in steps] + [END]
    return graph(*(node(name, action, ids[index + 1]) for index, (name, action) in enumerate(steps)))


def call(function: str, output: str | None = None, **args: str) -> Call:
    """A call of a function of the shop."""
    given = {name: x(text) for name, text in args.items()}
    return Call(function=at(function), args=given, output=None if output is None else x(output))


def put(target: str, value: str, operation: AssignOperation = AssignOperation.SET) -> Assign:
    """An assignment."""
    return Assign(target=x(target), value=x(value), operation=operation)


def when(*routes: tuple[str, str], default: str = END) -> Decision:
    """A decision over (condition, target) pairs."""
    return Decision(routes=tuple(Route(condition=x(c), target=t) for c, t in routes), default=default)


def give(value: str | None = None) -> Return:
    """A return."""
    return Return(value=None if value is None else x(value))


def each(item: str, over: str, body: Graph) -> Loop:
    """A loop over a list."""
    return Loop(over=x(over), item=x(item), body=body)


def receive(model: str, output: str | None = None) -> Wait:
    """A signal."""
    return Wait(source=SignalSource(model=at(model)), output=None if output is None else x(output))


def sleep(duration: str = "timedelta(days=1)", output: str | None = None) -> Wait:
    """A timer."""
    return Wait(source=TimerSource(duration=x(duration)), output=None if output is None else x(output))


def race(output: str | None, *branches: Branch) -> Parallel:
    """A first_of."""
    return Parallel(branches=branches, join=Join.FIRST, output=None if output is None else x(output))


def branch(
    label: str, inner: Graph, output: str | None = None, *, won: bool = False, after: tuple[str, ...] = ()
) -> Branch:
    """A branch."""
    return Branch(label=label, graph=inner, output=None if output is None else x(output), won=won, after=after)


def guard(body: Graph, *handlers: Handler, final: Graph | None = None) -> Try:
    """A try."""
    return Try(body=body, handlers=handlers, final=final)


def on(error: str, inner: Graph, name: str | None = None) -> Handler:
    """A handler of one class; names without a colon are the shop's."""
    return Handler(classes=(error if ":" in error else at(error),), name=name, graph=inner)


def raised(text: str | None = None) -> Fail:
    """A raise."""
    return Fail(error=None if text is None else x(text))


def draft(
    inner: Graph,
    *,
    result: str | None = None,
    state: str = f"{SHOP}:Order",
    variables: dict[str, str] | None = None,
    saga: bool = False,
    implicit: Iterable[str] = (),
) -> Draft:
    """A draft of a workflow over the shop's order."""
    outermost = {
        name: Node(
            id=name,
            action=item.action,
            next=item.next,
            automate_next=None if isinstance(item.action, Return | Fail) else True,
            display=item.display,
        )
        for name, item in inner.nodes.items()
    }
    definition = Definition(
        workflow_type="Shop",
        state=state,
        result=result,
        variables=variables or {},
        saga=saga,
        graph=Graph(entry=inner.entry, nodes=outermost),
    )
    span = Span.at("flow.py", 1, 1)
    return Draft(definition, SourceText("flow.py", ""), span=span, implicit=frozenset(implicit))


def linked(inner: Graph, **header: object) -> Linked:
    """The draft linked."""
    return link(draft(inner, **header), ImportRoots({"tests"}))  # type: ignore[arg-type]  # keyword arguments of draft


def codes(inner: Graph, **header: object) -> list[str]:
    """The codes of what linking finds, in order."""
    return [item.code for item in linked(inner, **header).diagnostics]


def findings(inner: Graph, **header: object) -> list[Diagnostic]:
    """What linking finds."""
    return list(linked(inner, **header).diagnostics)
