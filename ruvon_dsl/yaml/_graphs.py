"""The graph that is being built, and what a name or END means at a place in it.

A `Scope` is one graph: the steps of its list and of the lists that join in it (routes, `else`). Jumps go to a step of the
same scope, or out of the parts of a TRY to a scope around; everything else is reported here, with the reason.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Protocol, TypeAlias, final

from ruvon.ir._nodes import BREAK, CONTINUE, END, Action, Display, Fail, Graph, Node, Return, Target
from ruvon.ir._spans import Span
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._context import FileContext
from ruvon_dsl.yaml._naming import near_names
from ruvon_dsl.yaml._tree import Block, Item, Jump
from ruvon_dsl.yaml._values import ScalarNode

__all__ = ["Lowerer", "Place", "Scope", "ScopeKind", "joined_lists", "loop_exit", "own_items"]

ScopeKind: TypeAlias = Literal["workflow", "branch", "loop", "try", "final"]


@final
@dataclass(slots=True)
class Scope:
    """One graph under construction."""

    kind: ScopeKind
    context: FileContext
    parent: "Scope | None" = None
    past_end: Target | None = None
    """Of a part of a TRY: where an edge goes that means its end, seen from a TRY inside it; None: a RETURN is needed."""
    supplies: frozenset[str] = frozenset()
    """The items of the loop or mapped PARALLEL whose body this is."""
    nodes: dict[str, Node] = field(default_factory=dict[str, Node])
    names: dict[str, Item] = field(default_factory=dict[str, Item])
    closed: dict[str, str] = field(default_factory=dict[str, str])
    """Steps inside PARALLELs that `dependencies` made of this list, with why no edge may lead to them."""

    @property
    def outermost(self) -> bool:
        """Whether this is the workflow's own graph, where `automate_next` counts."""
        return self.kind == "workflow"

    def seen(self, target: Target) -> Target | None:
        """A target of this graph as a TRY inside it must name it; None where only a RETURN does."""
        if target != END:
            return target
        return CONTINUE if self.kind == "loop" else self.past_end if self.kind == "try" else None

    def supplied(self) -> frozenset[str]:
        """The loop items that are bound here."""
        return self.supplies | (self.parent.supplied() if self.parent is not None else frozenset[str]())

    def add(
        self, node_id: str, action: Action, following: Target | None, item: Item, automate: bool | None = None
    ) -> str:
        """Add a node; `automate` overrides the item's own `automate_next`."""
        ends = isinstance(action, Return | Fail)
        flag = None if ends or not self.outermost else self.automate(item) if automate is None else automate
        self.nodes[node_id] = Node(
            id=node_id, action=action, next=following, automate_next=flag, display=_display(item)
        )
        return node_id

    def automate(self, item: Item) -> bool:
        """The step's `automate_next`, or the file's default."""
        flag = item.fields.flag("automate_next")
        if flag is None and item.route_of is not None:
            return self.automate(item.route_of)
        function = item.fields.node("function")
        if flag is None and isinstance(function, ScalarNode):
            flag = getattr(self.context.callees.get(id(function)), "automate_next", None)
        return self.context.defaults.automate_next if flag is None else flag

    def graph(self, entry: Target) -> Graph:
        """The finished graph."""
        return Graph(entry=entry, nodes=MappingProxyType(dict(self.nodes)))

    def take(self, items: Iterable[Item]) -> None:
        """Declare the steps that lie in this graph."""
        for item in items:
            if item.id:
                self.names[item.id] = item
            elif item.name is not None:
                self.names[item.name.text] = item


@final
@dataclass(frozen=True, slots=True)
class Place:
    """Where in a graph a list stands: the graph, and where its end leads."""

    scope: Scope
    after: Target
    """What follows the list; `END` in it means this."""

    def resolve(self, jump: Jump, entry: Callable[[Item, "Place"], Target]) -> Target:
        """The target of a jump; what cannot be reached is reported and becomes the end of the list."""
        if jump.target == END:
            return self.after
        if jump.target in {BREAK, CONTINUE}:
            return loop_exit(self.scope, jump.target, jump.span)
        scope: Scope | None = self.scope
        while scope is not None:
            if jump.target in scope.closed:
                self.scope.context.found.error(
                    codes.INTO_STRETCH,
                    scope.closed[jump.target],
                    jump.span,
                    "go to the step before them, or drop the `dependencies`",
                )
                return self.after
            if jump.target in scope.names:
                return entry(scope.names[jump.target], Place(scope, END))
            scope = scope.parent if scope.kind == "try" else None
        self._unknown(jump)
        return self.after

    def _unknown(self, jump: Jump) -> None:
        context = self.scope.context
        if jump.target in context.items:
            context.found.error(
                codes.UNREACHABLE_STEP,
                f"no edge can lead from here to `{jump.target}`, which lies in another loop, branch or TRY",
                jump.span,
                "jumps stay in their list and the lists that join it; out of a loop write `break`",
            )
        else:
            help_ = near_names(jump.target, context) or "name a step of this list, END, BREAK or CONTINUE"
            context.found.error(codes.UNKNOWN_STEP, f"there is no step `{jump.target}`", jump.span, help_)


class Lowerer(Protocol):
    """What the lowering of nested constructs asks of the lowering of lists."""

    @property
    def context(self) -> FileContext:
        """The file."""
        ...

    def graph(
        self,
        block: Block,
        kind: ScopeKind,
        parent: Scope | None,
        *,
        after: Target = END,
        past_end: Target | None = None,
        supplies: frozenset[str] = frozenset(),
    ) -> Graph:
        """A list as a graph of its own; `after` is where its end leads."""
        ...

    def open(self, scope: Scope, block: Block) -> None:
        """Declare the steps of a list in a scope."""
        ...

    def steps(self, block: Block, place: Place) -> Target:
        """A list that joins in the graph of `place`; gives its entry."""
        ...

    def entry(self, item: Item, place: Place) -> Target:
        """The node where a step begins."""
        ...


def loop_exit(scope: Scope, word: Target, span: Span) -> Target:
    """BREAK or CONTINUE, reported outside a loop."""
    inside: Scope | None = scope
    while inside is not None and inside.kind == "try":
        inside = inside.parent
    if inside is not None and inside.kind == "loop":
        return word
    where = " (a `finally` cannot leave its TRY)" if inside is not None and inside.kind == "final" else ""
    scope.context.found.error(
        codes.OUTSIDE_LOOP, f"{word} stands outside a loop{where}", span, "move it into the loop, or write `next: END`"
    )
    return END


def own_items(block: Block) -> Iterable[Item]:
    """The steps of a list and of the lists that join in the same graph."""
    for item in block.items:
        yield item
        for inner in item.flat_blocks():
            nested = item.on_error is not None or item.inner_id
            if not nested or inner is not item.blocks.get("else"):
                yield from own_items(inner)


def joined_lists(block: Block) -> Iterator[Block]:
    """A list and those that join in its graph."""
    yield block
    for item in block.items:
        for inner in item.flat_blocks():
            yield from joined_lists(inner)


def _display(item: Item) -> Display:
    fields = item.fields
    return Display(
        source=item.span,
        description=fields.text("description"),
        prompt=fields.text("prompt"),
        tags=tuple(node.text for node in fields.texts("tags")),
    )
