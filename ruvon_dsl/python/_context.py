"""What every lowering module shares: the unit being compiled, the frame of its function, the place of a statement."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, final

from ruvon.ir._nodes import CONTINUE, TypeText
from ruvon.ir._spans import Span
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._link import Lookup
from ruvon_dsl.python._findings import Findings
from ruvon_dsl.python._names import Names
from ruvon_dsl.python._naming import NodeNames
from ruvon_dsl.python._source import Source
from ruvon_dsl.python._surface import Block, Function

if TYPE_CHECKING:
    from ruvon_dsl.python._pieces import Pieces

__all__ = ["NOWHERE", "RETURNS", "After", "BranchFunction", "Flow", "Frame", "Given", "Inlined", "Place", "Unit"]

After: TypeAlias = Literal["node", "end", "return"]
"""What follows a statement in its graph: a node (or a jump), nothing, or a bare `return` that is the edge END."""
RETURNS: Final = "<return>"
"""The END of the graph around means the end of the workflow or branch, which only a RETURN can say from inside."""
NOWHERE: Final = "<nowhere>"
"""The END of a `finally` graph cannot be said from inside."""


@final
@dataclass(slots=True)
class BranchFunction:
    """A nested `async def` and how often it was used."""

    function: Function
    used: list[Span] = field(default_factory=list[Span])


@final
@dataclass(slots=True)
class Frame:
    """The names of one function: the workflow's body, a branch."""

    bound: dict[str, Span]
    outer: "Frame | None" = None
    branches: dict[str, BranchFunction] = field(default_factory=dict[str, BranchFunction])
    body: Block | None = None
    fresh: dict[str, str] = field(default_factory=dict[str, str])
    """Kind (`list`, `dict` or nothing) of the names whose every value was made here; filled on demand."""
    late: frozenset[str] = frozenset()
    """Names that are awaited (`await t`), which is too late for work."""
    rename: dict[str, str] = field(default_factory=dict[str, str])
    """Names of an inlined block, and what they are called in the graph."""

    def has(self, name: str) -> bool:
        """Whether a name is a variable here."""
        return name in self.bound or (self.outer is not None and self.outer.has(name))

    def branch(self, name: str) -> BranchFunction | None:
        """The nested function of that name."""
        found = self.branches.get(name)
        return found if found is not None or self.outer is None else self.outer.branch(name)

    def names(self) -> set[str]:
        """All variables that can be read here."""
        return {*self.bound, *(self.outer.names() if self.outer is not None else ())}


@final
@dataclass(slots=True)
class Given:
    """What a `node(...)` on the line before, or the label of a stage, gives to a statement."""

    name: str | None = None
    max_iterations: int | None = None
    automate_next: bool | None = None
    span: Span | None = None
    first: bool = False
    """The name is for the first node of the statement (a stage's), not for its main one."""

    def for_effect(self) -> "Given":
        """What the effect in front of a statement's main node gets: everything or nothing."""
        return self if self.first else Given()


@final
@dataclass(frozen=True, slots=True)
class Place:
    """Where a statement stands."""

    frame: Frame
    outermost: bool = True
    """In the outermost graph of the workflow, whose nodes say whether they go on by themselves."""
    top: bool = True
    """In the outermost graph of the workflow or of a branch, where a bare `return` is the edge END."""
    in_loop: bool = False
    in_final: bool = False
    in_handler: bool = False
    past: str = RETURNS
    """What the END of this graph is for a handler inside it: CONTINUE, `node`, `RETURNS` or `NOWHERE`."""
    flow: "Flow | None" = None
    """The flow in one of whose stages this is, through `if`, `match` and `try`."""
    level: bool = False
    """In the graph of the stages itself, not of a TRY in one."""
    tail: bool = False
    """The end of this block is the end of its stage."""
    flows: frozenset[str] = frozenset()
    """The names of all flows around it, also those out of reach."""
    inlined: "Inlined | None" = None
    """The `@block` whose statements these are."""
    after: After = "end"
    """Whether anything follows the statement being lowered."""

    def in_turn(self) -> "Place":
        """The body of a LOOP here."""
        inlined = None if self.inlined is None else replace(self.inlined, loop=True)
        return replace(
            self,
            outermost=False,
            top=False,
            in_loop=True,
            past=CONTINUE,
            flow=None,
            level=False,
            tail=False,
            inlined=inlined,
        )

    def in_try(self, past: str, *, handler: bool = False, tail: bool = False) -> "Place":
        """The body or a handler of a TRY here."""
        inside = handler or self.in_handler
        return replace(
            self, outermost=False, top=False, past=past, in_handler=inside, level=False, tail=self.tail and tail
        )

    def in_finally(self) -> "Place":
        """The `finally` of a TRY here."""
        return replace(
            self,
            outermost=False,
            top=False,
            in_loop=False,
            in_final=True,
            past=NOWHERE,
            flow=None,
            level=False,
            tail=False,
        )

    def in_stage(self, flow: "Flow") -> "Place":
        """A stage of a flow here."""
        return replace(self, flow=flow, level=True, tail=True, flows=self.flows | {flow.name})

    def follows(self, after: After) -> After:
        """Whether the edge from here is END; the end of a stage is followed by what follows its flow."""
        if after == "return":
            return "end"
        if after == "end" and self.level and self.flow is not None:
            return self.flow.after
        return after

    def beyond(self, after: After) -> str:
        """What lies behind a TRY here, for what stands inside it."""
        return "node" if self.follows(after) == "node" else self.past


@final
@dataclass(frozen=True, slots=True)
class Inlined:
    """A `@block` around a statement: where its `return` goes."""

    name: str
    exit: str
    """The label of the edge to behind the block."""
    wanted: Expr | None
    """Where its result goes."""
    loop: bool = False
    """Inside a loop of the block, which a `return` cannot leave."""


@final
@dataclass(frozen=True, slots=True)
class Flow:
    """A flow around a statement."""

    name: str
    stages: frozenset[str]
    after: After
    left: frozenset[str]
    """Which of BREAK and CONTINUE the lines behind the flow ask for with `at.left`."""


@final
class Unit:
    """One workflow being compiled."""

    def __init__(
        self,
        source: Source,
        names: Names,
        lookup: Lookup | None,
        findings: Findings,
        lower: "Callable[[Unit, Block, Place, After, Given | None], Pieces]",
    ) -> None:
        self.source = source
        self.names = names
        self.lookup = lookup
        self.findings = findings
        self.ids = NodeNames(())
        self.automate = True
        self.state: TypeText = "dict[str, object]"
        self.variables: dict[str, TypeText] = {}
        self.inlining: tuple[str, ...] = ()
        """The blocks that are being inlined, outer first."""
        self.prefixes: set[str] = set()
        """Prefixes of the variables of inlined blocks."""
        self._lower = lower

    def of_module(self, source: Source, names: Names, lookup: Lookup | None, inlining: tuple[str, ...]) -> "Unit":
        """The same compilation, reading the text of a block, which may stand in another module."""
        other = Unit(source, names, lookup, self.findings, self._lower)
        other.ids, other.automate, other.state = self.ids, self.automate, self.state
        other.variables, other.prefixes, other.inlining = self.variables, self.prefixes, inlining
        return other

    def block(self, block: Block, place: Place, after: After = "end", given: Given | None = None) -> "Pieces":
        """Lower a block; handed in by the module that dispatches statements, which the topics cannot import."""
        return self._lower(self, block, place, after, given)

    def automation(self, place: Place, given: bool | None = None) -> bool | None:
        """`automate_next` of a node here."""
        if not place.outermost:
            return None
        return self.automate if given is None else given
