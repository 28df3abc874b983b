"""Random programs over `tests.support.shop`: statement trees with types that fit, bounded loops and scripted input.

A program is built as the statements of the printers' tree and lowered by `tests.support.relower`, so neither a front end nor
a printer takes part in making it. Variables are definitely assigned where they are read; a variable's name tells its type.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from ruvon.ir import (
    BREAK,
    CONTINUE,
    END,
    Assign,
    AssignOperation,
    Branch,
    Call,
    Compensation,
    Decision,
    Definition,
    Fail,
    Graph,
    Handler,
    HumanSource,
    ImportRoots,
    Join,
    Loop,
    Merge,
    MergeConflict,
    Node,
    Parallel,
    RetryPolicy,
    Return,
    Route,
    Severity,
    SignalSource,
    Start,
    TimerSource,
    Try,
    Wait,
    walk_nodes,
)
from ruvon.ir.expr import Expr, Name, parse
from ruvon_dsl._draft import Draft, SourceText
from ruvon_dsl._link import link
from ruvon_dsl.printing._declare import bound_by
from ruvon_dsl.printing._names import base_name
from ruvon_dsl.printing._tree import Block, Choice, Exit, Repeat, Single, Split, Statement, Trial
from tests.support.relower import relower
from tests.support.shop import Note, Order, Stop

__all__ = ["Program", "programs", "shop_roots"]

SHOP = "tests.support.shop:"
ORDER, NOTE, DONE, REJECTED = f"{SHOP}Order", f"{SHOP}Note", f"{SHOP}Done", f"{SHOP}Rejected"
_KINDS = ("number", "text", "note", "items")
_EMPTY = Graph(entry=END, nodes={})
_NAMES = ("Charge card", "Route", "a.b", "yes", "step-1", "Prüfung")
_COMPENSATIONS = {
    "reserve": Compensation(function=f"{SHOP}release"),
    "charge": Compensation(function=f"{SHOP}refund", attempted=True),
}


def shop_roots() -> ImportRoots:
    """Import roots for the support module."""
    roots = ImportRoots()
    roots.allow_package("tests")
    return roots


@dataclass(frozen=True)
class Program:
    """A workflow that can be linked, printed and run."""

    draft: Definition
    """As a front end would lower it: no types, no contracts."""
    initial: Order
    """The initial state; copy it before a run."""
    world: Mapping[str, Any]
    """Arguments of `ruvon.World`: answers by task, signals in order."""

    @property
    def definition(self) -> Definition:
        """The linked definition."""
        linked = link(Draft(self.draft, SourceText("<program>", "")), shop_roots())
        errors = [f"{item.code} {item.message}" for item in linked.diagnostics if item.severity is Severity.ERROR]
        assume(not errors)  # a shape that the verifier refuses is no example
        assert linked.definition is not None
        return linked.definition


@st.composite
def programs(draw: st.DrawFn, *, max_statements: int = 6) -> Program:
    """Whole programs."""
    builder = _Builder(draw)
    value = draw(st.booleans())
    frame = _Frame(result=value)
    block = builder.block(frame, draw(st.integers(1, max_statements)), depth=0)
    if value and not _ends(block):
        block = (*block, builder.returning(frame))
    graph = relower(block)
    mixed = draw(st.integers(0, 9)) == 0
    nodes = {
        name: node
        if isinstance(node.action, Return | Fail)
        else replace(node, automate_next=not mixed or draw(st.booleans()))
        for name, node in graph.nodes.items()
    }
    bound = {name for node in walk_nodes(graph) for name in bound_by(node)}
    definition = Definition(
        workflow_type="Generated",
        state=ORDER,
        result="int" if value else "None",
        saga=draw(st.booleans()),
        variables={name: text for name, text in builder.variables.items() if name in bound},
        graph=Graph(entry=graph.entry, nodes=nodes),
    )
    lines = draw(st.lists(st.integers(0, 9), max_size=3))
    initial = Order(amount=draw(st.integers(0, 20)), flag=draw(st.booleans()), lines=lines)
    return Program(
        definition, initial, {"answers": {"review": [Note(text="yes", amount=3)] * 60}, "signals": _signals(draw)}
    )


def _signals(draw: st.DrawFn) -> list[object]:
    few = draw(st.lists(st.sampled_from([Note(text="n", amount=2), Stop(by="s")]), max_size=3))
    return [*few, *([Note(text="last", amount=1)] * 60)]


@dataclass
class _Frame:
    """What may be read and done at a place."""

    names: dict[str, list[str]] = field(default_factory=lambda: {kind: [] for kind in _KINDS})
    result: bool = False
    """The scope returns an int."""
    in_loop: bool = False
    in_branch: bool = False
    writes: tuple[str, ...] = ("amount", "name", "flag")
    """State fields that may be assigned here; a branch has its own."""
    errors: list[str] = field(default_factory=list[str])
    outermost: bool = True
    final: bool = False
    outside: frozenset[str] = frozenset()
    """Names that are bound around the branch, which it may read and not bind."""

    def branch(self, **changes: Any) -> "_Frame":
        """A copy for a branch."""
        outside = frozenset(name for names in self.names.values() for name in names)
        made = self.inner(in_branch=True, in_loop=False, outermost=True, outside=outside | self.outside, **changes)
        made.names["items"] = []
        return made

    def inner(self, **changes: Any) -> "_Frame":
        """A copy for a nested block: what it binds is not bound behind it."""
        copied = {kind: list(names) for kind, names in self.names.items()}
        return replace(self, names=copied, errors=list(self.errors), **changes)


class _Builder:
    """Draws statements."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._ids: set[str] = set()
        self._count = 0
        self.variables: dict[str, str] = {}

    # --- names and nodes ----------------------------------------------------------------------------------------------

    def _pick(self, *items: Any) -> Any:
        return self._draw(st.sampled_from(items))

    def _id(self, action: object, before: Statement | None) -> str:
        base = base_name(Node(id="?", action=action))  # type: ignore[arg-type]
        follows = before is not None and isinstance(before, Single | Repeat | Split | Trial)
        if (
            isinstance(action, Decision)
            and follows
            and isinstance(before.node.action, Call | Wait | Start | Loop | Parallel | Try)
        ):
            base = f"{before.node.id}.route"
        if self._draw(st.integers(0, 11)) == 0:
            base = self._pick(*_NAMES)
        name, number = base, 1
        while name in self._ids:
            number += 1
            name = f"{base}_{number}"
        self._ids.add(name)
        return name

    def _node(self, action: Any, before: Statement | None = None) -> Node:
        return Node(id=self._id(action, before), action=action)

    def _fresh(self, kind: str, frame: _Frame) -> Name:
        known = [name for name in frame.names[kind] if name not in frame.outside]
        if known and self._draw(st.integers(0, 2)) == 0:
            return Name(self._pick(*known))
        self._count += 1
        name = f"{kind}{self._count}"
        return Name(name)

    def _bind(self, target: Name, kind: str, frame: _Frame) -> None:
        if target.id not in frame.names[kind]:
            frame.names[kind].append(target.id)

    # --- expressions --------------------------------------------------------------------------------------------------

    def number(self, frame: _Frame, depth: int = 0) -> Expr:
        """An int expression."""
        leaves = ["state.amount", "len(state.lines)", "1", "3", "7", *frame.names["number"]]
        leaves += [f"{name}.amount" for name in frame.names["note"]]
        leaves += [f"len({name})" for name in frame.names["items"]]
        if depth >= 2 or self._draw(st.booleans()):
            return parse(self._pick(*leaves))
        left, right = (f"({self._text(self.number(frame, depth + 1))})" for _ in range(2))
        shape = self._pick(
            "({0} + {1})", "({0} - {1})", "({0} * 2 % 100)", "min({0}, {1})", "max({0}, {1})", "ref('tests.support.shop:double')({0})",
            "({0} if {1} > 2 else 4)", "sum([{0}, {1}])", "abs({0} - {1})",
        )  # fmt: skip
        return parse(shape.format(left, right))

    def _text(self, expr: Expr) -> str:
        from ruvon.ir.expr import print_expr

        return print_expr(expr)

    def text(self, frame: _Frame) -> Expr:
        """A str expression."""
        plain = ["state.name", "'a'", "'=x'", "'{{ y }}'", "'yes'", "state.name.upper()", *frame.names["text"]]
        if self._draw(st.booleans()):
            return parse(self._pick(*plain))
        inner = self._text(self.number(frame, 1))
        other = self._pick("state.name", *frame.names["text"])
        return parse(self._pick(f"str({inner})", f"f'{{{other}}}-{{{inner}}}'" if "'" not in inner else other))

    def condition(self, frame: _Frame) -> Expr:
        """A bool expression."""
        left, right = (f"({self._text(self.number(frame, 1))})" for _ in range(2))
        shape = self._pick(
            "{0} > {1}",
            "{0} % 2 == 0",
            "state.flag == ({0} > 2)",
            "{0} > 2 and {1} < 9",
            "{0} in (1, 2, 3)",
            "state.name != 'b'",
        )
        return parse(shape.format(left, right))

    # --- blocks -------------------------------------------------------------------------------------------------------

    def block(self, frame: _Frame, size: int, depth: int) -> Block:
        """Some statements."""
        made: list[Statement] = []
        for _ in range(size):
            found = self._statements(frame, depth, made[-1] if made else None)
            made.extend(found)
            if _ends(tuple(made)):
                break
        return tuple(made)

    def _inner(self, frame: _Frame, depth: int, least: int = 0) -> Block:
        return self.block(frame, self._draw(st.integers(least, 3)), depth + 1)

    def _statements(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        simple = [self._call, self._call, self._assign, self._assign, self._wait, self._child, self._grow]
        nested = [
            self._if,
            self._if,
            self._for,
            self._while,
            self._try,
            self._try,
            self._gather,
            self._mapped,
            self._race,
            self._collect,
            self._saga,
        ]
        options = simple + (nested if depth < 3 else [])
        if depth > 0 and not frame.final:
            options += [self._leave]
        return self._pick(*options)(frame, depth, before)

    # --- simple statements --------------------------------------------------------------------------------------------

    def _effect(self, action: Any, before: Statement | None, kind: str | None, frame: _Frame) -> Block:
        """An effect whose result is bound, or not."""
        if kind is None or self._draw(st.integers(0, 3)) == 0:
            return (Single(self._node(action, before)),)
        target = self._fresh(kind, frame)
        node = self._node(replace(action, output=target), before)
        self._bind(target, kind, frame)
        return (Single(node),)

    def _step(self, name: str, frame: _Frame) -> tuple[Call, str | None]:
        state = {"state": Name("state")}
        match name:
            case "touch":
                return Call(function=f"{SHOP}touch", args=state), None
            case "bump":
                return Call(function=f"{SHOP}bump", args={**state, "by": self.number(frame)}), None
            case "charge":
                return self._undoable("charge", {**state, "amount": self.number(frame)}), "note"
            case "reserve":
                return self._undoable("reserve", {"amount": self.number(frame)}), "note"
            case "label":
                return Call(
                    function=f"{SHOP}label", args={"text": self.text(frame), "amount": self.number(frame)}
                ), "text"
            case "add":
                args = {
                    "left": self.number(frame),
                    **({"right": self.number(frame)} if self._draw(st.booleans()) else {}),
                }
                return Call(function=f"{SHOP}add", args=args), "number"
            case "quote":
                retry = self._pick(RetryPolicy(max_attempts=2), None, RetryPolicy(max_attempts=4, delay_us=500_000))
                return Call(function=f"{SHOP}quote", args={"amount": self.number(frame)}, retry=retry), "number"
            case _:
                return Call(function=f"{SHOP}check", args={"amount": self.number(frame)}), "number"

    def _undoable(self, name: str, args: dict[str, Expr]) -> Call:
        return Call(function=f"{SHOP}{name}", args=args, compensation=_COMPENSATIONS[name])

    def _call(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        values = ("add", "quote", "label", "reserve", "check")
        name = self._pick(*values, *(() if frame.in_branch else ("touch", "bump", "charge")))
        action, kind = self._step(name, frame)
        if self._draw(st.integers(0, 9)) == 0:
            action = replace(action, timeout_us=self._pick(1_500_000, 60_000_000))
        if kind == "number" and "amount" in frame.writes and self._draw(st.integers(0, 4)) == 0:
            return (Single(self._node(replace(action, output=parse("state.amount")), before)),)
        return self._effect(action, before, kind, frame)

    def _assign(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        if frame.writes and self._draw(st.booleans()):
            name = self._pick(*frame.writes)
            value = {"amount": self.number, "name": self.text, "flag": self.condition}[name](frame)
            return (Single(self._node(Assign(target=parse(f"state.{name}"), value=value))),)
        kind = self._pick("number", "text")
        value = self.number(frame) if kind == "number" else self.text(frame)
        target = self._fresh(kind, frame)
        self.variables[target.id] = {"number": "int", "text": "str"}[kind]
        node = self._node(Assign(target=target, value=value))
        self._bind(target, kind, frame)
        return (Single(node),)

    def _grow(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        """A fresh list, or an append to one."""
        if frame.names["items"]:
            target = Name(self._pick(*frame.names["items"]))
            action = Assign(target=target, value=self.number(frame), operation=AssignOperation.APPEND)
            return (Single(self._node(action)),)
        self._count += 1
        target = Name(f"items{self._count}")
        self.variables[target.id] = "list[int]"
        node = self._node(Assign(target=target, value=parse("[]")))
        self._bind(target, "items", frame)
        return (Single(node),)

    def _wait(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        match self._pick("sleep", "receive", "human"):
            case "sleep":
                return (Single(self._node(Wait(source=TimerSource(duration=parse("timedelta(seconds=5)"))), before)),)
            case "receive":
                return self._effect(Wait(source=SignalSource(model=NOTE)), before, "note", frame)
            case _:
                source = HumanSource(task=parse("'review'"), form=NOTE, show=parse("{'amount': state.amount}"))
                timeout = self._pick(None, parse("timedelta(days=2)"))
                default = None if timeout is None else self._pick(None, parse(f"ref('{NOTE}')(text='late')"))
                return self._effect(Wait(source=source, timeout=timeout, on_timeout=default), before, "note", frame)

    def _child(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        amount = self._text(self.number(frame))
        data = parse(f"ref('{SHOP}Job')(amount={amount})")
        return self._effect(Start(child="Sub", data=data, result=DONE), before, "note", frame)

    def returning(self, frame: _Frame) -> Statement:
        """The end of the scope."""
        return Single(self._node(Return(value=self.number(frame))))

    def _leave(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        ways = ["fail", "return"] + (["break", "continue"] if frame.in_loop else [])
        match self._pick(*ways):
            case "break":
                return (Exit(BREAK, leaves=True),)
            case "continue":
                return (Exit(CONTINUE, leaves=True),)
            case "fail":
                error = parse(f"ref('{self._pick(REJECTED, SHOP + 'Declined')}')({self._text(self.text(frame))})")
                return (Single(self._node(Fail(error=error))),)
            case _:
                if frame.result:
                    return (self.returning(frame),)
                return (Exit(END, leaves=True),) if frame.outermost else (Single(self._node(Return())),)

    # --- compound statements ------------------------------------------------------------------------------------------

    def _if(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        conditions = [self.condition(frame) for _ in range(self._pick(1, 1, 2))]
        node = self._node(
            Decision(routes=tuple(Route(condition=item, target="?") for item in conditions), default="?"), before
        )
        frames = [frame.inner() for _ in range(len(conditions) + 1)]
        arms = tuple(self._inner(inner, depth, least=1) for inner in frames[:-1])
        default = self._inner(frames[-1], depth) if self._draw(st.booleans()) else ()
        falls = [inner for inner, arm in zip(frames, [*arms, default], strict=True) if not _ends(arm)]
        for kind in _KINDS:
            shared = [set(inner.names[kind]) for inner in falls] or [set(frame.names[kind])]
            frame.names[kind] = (
                [name for name in falls[0].names[kind] if all(name in names for names in shared)]
                if falls
                else frame.names[kind]
            )
        return (Choice(node, arms, default),)

    def _for(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        over = parse(self._pick("state.lines", "[1, 2]", "[line for line in state.lines if line > 2]", "range(2)"))
        self._count += 1
        item = Name(f"number{self._count}")
        node = self._node(Loop(over=over, item=item, body=_EMPTY, max_iterations=self._pick(None, None, 50)))
        inner = frame.inner(in_loop=True, outermost=False)
        self._bind(item, "number", inner)
        body = self._inner(inner, depth)
        return (self._with_else(node, body, frame, depth),)

    def _with_else(self, node: Node, body: Block, frame: _Frame, depth: int) -> Statement:
        if _breaks(body) and self._draw(st.booleans()):
            otherwise = self._inner(frame.inner(), depth, least=1)
            if not _ends(otherwise):
                return Repeat(node, body, otherwise)
        return Repeat(node, body)

    def _while(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        self._count += 1
        counter = f"turns{self._count}"
        self.variables[counter] = "int"
        start = Single(self._node(Assign(target=Name(counter), value=parse("0"))))
        more = self._text(self.condition(frame))
        limit = self._pick(1, 3)
        condition = parse(f"{counter} < {limit} and ({more})")
        node = self._node(Loop(condition=condition, body=_EMPTY, max_iterations=self._pick(None, 1000)))
        step = Single(self._node(Assign(target=Name(counter), value=parse(f"{counter} + 1"))))
        inner = frame.inner(in_loop=True, outermost=False)
        durable = Single(self._node(self._step("add", inner)[0], step))
        body = (step, durable, *self._inner(inner, depth))
        return start, self._with_else(node, body, frame, depth)

    def _try(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        final = self._draw(st.integers(0, 3)) == 0
        caught = self._pick(("builtins:Exception",), (REJECTED,), (f"{SHOP}Declined", "builtins:ValueError"))
        handler = Handler(classes=caught, name=self._pick(None, f"error{self._count}"), graph=_EMPTY)
        node = self._node(Try(body=_EMPTY, handlers=(handler,), final=_EMPTY if final else None))
        tried = frame.inner(outermost=False)
        body = (Single(self._node(self._step("check", tried)[0])), *self._inner(tried, depth))
        handled = self._handler(frame.inner(outermost=False), handler, depth)
        last = None
        if final:
            quiet = frame.inner(outermost=False, in_loop=False, final=True)
            last = tuple(item for item in self._call(quiet, depth, None))
        if _ends(body) and _ends(handled):
            body = (*self._assign(frame.inner(), depth, None), *body[:-1])
        return (Trial(node, body, (handled,), None, last),)

    def _handler(self, frame: _Frame, handler: Handler, depth: int) -> Block:
        made: Block = ()
        if handler.name is not None and "name" in frame.writes:
            value = parse(f"str({handler.name})")
            made = (Single(self._node(Assign(target=parse("state.name"), value=value))),)
        return (*made, *self._inner(frame, depth))

    def _saga(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        node = self._node(Try(body=_EMPTY, saga=True))
        inner = frame.inner(outermost=False)
        body = self._inner(inner, depth, least=1)
        if _ends(body):
            inner = frame.inner(outermost=False)
            body = self._assign(inner, depth, None)
        frame.names = inner.names
        return (Trial(node, body),)

    # --- concurrency --------------------------------------------------------------------------------------------------

    def _gather(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        count = self._draw(st.integers(2, 3))
        bound = self._draw(st.booleans())
        node = self._node(Parallel(branches=()))
        branches: list[Branch] = []
        blocks: list[Block] = []
        outputs: list[tuple[Name, str]] = []
        for index in range(count):
            branch, block, kind = self._branch(frame, depth, index, bound=bound)
            if bound:
                self._count += 1
                target = Name(f"{kind}{self._count}")
                branch = replace(branch, output=target)
                outputs.append((target, kind))
            if branches and not branch_is_call(block) and self._draw(st.integers(0, 3)) == 0:
                branch = replace(branch, after=(branches[0].label,))
            branches.append(branch)
            blocks.append(block)
        for target, kind in outputs:
            self._bind(target, kind, frame)
        limit = self._pick(None, None, parse("2"))
        return (Split(replace(node, action=Parallel(branches=tuple(branches), limit=limit)), tuple(blocks)),)

    def _branch(self, frame: _Frame, depth: int, index: int, *, bound: bool) -> tuple[Branch, Block, str]:
        if self._draw(st.booleans()):
            action, kind = self._step(self._pick("add", "quote", "reserve"), frame)
            node = self._node(action)
            return Branch(label=node.id, graph=_EMPTY), (Single(node),), kind or "number"
        self._count += 1
        label = f"branch{self._count}"
        writes = (("amount",), ("name",), ("flag",))[index]
        inner = frame.branch(result=bound, writes=writes)
        block = _completing(self._inner(inner, depth, least=1))
        if bound and not _ends(block):
            block = (*block, self.returning(inner))
        elif (
            not bound
            and len(block) == 1
            and isinstance(block[0], Single)
            and isinstance(block[0].node.action, Call | Wait | Start)
        ):
            block = (*block, Single(self._node(Return())))
        return Branch(label=label, graph=_EMPTY), block, "number"

    def _mapped(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        self._count += 1
        item = Name(f"number{self._count}")
        node = self._node(Parallel(over=parse("state.lines"), item=item, body=_EMPTY))
        inner = frame.branch(result=True, writes=())
        self._bind(item, "number", inner)
        if self._draw(st.booleans()):
            action, _ = self._step(self._pick("add", "quote", "check"), inner)
            body: Block = (Single(self._node(action)),)
        else:
            body = _completing(self._inner(inner, depth, least=1))
            body = body if _ends(body) else (*body, self.returning(inner))
        self._count += 1
        output = self._pick(None, Name(f"results{self._count}"))
        action = replace(node.action, limit=self._pick(None, parse("2")), output=output)
        return (Split(replace(node, action=action), (), body),)

    def _collect(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        self._count += 2
        item, output = Name(f"number{self._count}"), Name(f"collected{self._count - 1}")
        node = self._node(Loop(over=parse("state.lines"), item=item, body=_EMPTY, collect=True, output=output))
        inner = frame.inner()
        self._bind(item, "number", inner)
        action, _ = self._step(self._pick("add", "quote", "check"), inner)
        return (Repeat(node, (Single(self._node(action)),)),)

    def _race(self, frame: _Frame, depth: int, before: Statement | None) -> Block:
        self._count += 1
        output = Name(f"won{self._count}")
        merge = Merge(conflict=self._pick(MergeConflict.RAISE_ERROR, MergeConflict.PREFER_NEW))
        race = self._node(Parallel(branches=(), join=Join.FIRST, output=output, merge=merge))
        sources = [
            SignalSource(model=NOTE),
            SignalSource(model=f"{SHOP}Stop"),
            TimerSource(duration=parse("timedelta(hours=1)")),
        ]
        waits = [self._node(Wait(source=source)) for source in sources[: self._draw(st.integers(2, 3))]]
        own = self._pick("", "", " part")
        branches = tuple(Branch(label=f"{wait.id}{own}", graph=_EMPTY) for wait in waits)
        split = Split(
            replace(race, action=replace(race.action, branches=branches)), tuple((Single(wait),) for wait in waits)
        )
        condition = parse(f"isinstance({output.id}, ref('{NOTE}'))")
        node = self._node(Decision(routes=(Route(condition=condition, target="?"),), default="?"), split)
        inner = frame.inner()
        self._bind(output, "note", inner)
        arm = self._assign(inner, depth, None)
        return split, Choice(node, (arm,), ())


def _completing(block: Block) -> Block:
    """Without an error at its end: a branch that always fails makes all that follows dead code."""
    match block[-1] if block else None:
        case Single(node=Node(action=Fail())):
            return block[:-1]
        case Choice(node=node, arms=arms, default=default):
            return (*block[:-1], Choice(node, tuple(_completing(arm) for arm in arms), _completing(default)))
        case _:
            return block


def branch_is_call(block: Block) -> bool:
    """Whether a branch is written as a call, whose arguments Python reads before the branches it comes after."""
    return len(block) == 1 and isinstance(block[0], Single)


def _ends(block: Block) -> bool:
    match block[-1] if block else None:
        case Exit():
            return True
        case Single(node=node):
            return isinstance(node.action, Return | Fail)
        case Choice(arms=arms, default=default):
            return bool(default) and _ends(default) and all(_ends(arm) for arm in arms)
        case Trial(body=body, handlers=handlers):
            return _ends(body) and all(_ends(handler) for handler in handlers)
        case _:
            return False


def _breaks(block: Block) -> bool:
    for statement in block:
        if isinstance(statement, Exit) and statement.target == BREAK:
            return True
        match statement:
            case Choice(arms=arms, default=default):
                if any(_breaks(arm) for arm in (*arms, default)):
                    return True
            case Trial(body=body, handlers=handlers):
                if any(_breaks(part) for part in (body, *handlers)):
                    return True
            case Repeat(otherwise=otherwise) if otherwise:
                if _breaks(otherwise):
                    return True
            case _:
                pass
    return False
