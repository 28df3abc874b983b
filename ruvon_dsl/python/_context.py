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
from ruvon_dsl.python._surface import Block, Function, Statement

if TYPE_CHECKING:
    from ruvon_dsl.python._pieces import Pieces

__all__ = [
    "NOWHERE",
    "RETURNS",
    "After",
    "Behind",
    "BranchFunction",
    "Flow",
    "Frame",
    "Given",
    "Inlined",
    "Place",
    "Unit",
    "further",
]

After: TypeAlias = Literal["node", "end", "return"]
"""What follows a statement in its graph: a node (or a jump), nothing, or a bare `return` that is the edge END."""
Behind: TypeAlias = Literal["nothing", "jumps", "more"]
"""What stands between here and the end of a stage: nothing, only `go`s (of which the first that is reached counts), more."""
RETURNS: Final = "<return>"
"""The END of the graph around means the end of the workflow or branch, which only a RETURN can say from inside."""
NOWHERE: Final = "<nowhere>"
"""The END of a `finally` graph cannot be said from inside."""


def further(first: Behind, second: Behind) -> Behind:
    """What stands in two stretches together."""
    order: tuple[Behind, ...] = ("more", "jumps", "nothing")
    return next(item for item in order if item in {first, second})


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
    binders: dict[str, list[Statement]] = field(default_factory=dict[str, list[Statement]])
    """The statements that give each name a value; filled on demand, all at once."""
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


@final
@dataclass(slots=True)
class Given:
    """What a `node(...)` on the line before, or the label of a stage, gives to a statement."""

    name: str | None = None
    max_iterations: int | None = None
    automate_next: bool | None = None
    span: Span | None = None
    injected: bool = False
    """The DECISION is an injection rule."""
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
    behind: Behind = "more"
    """What stands between the end of this block and the end of its stage."""
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
            behind="more",
            inlined=inlined,
        )

    def in_try(self, past: str, *, handler: bool = False, behind: Behind = "nothing") -> "Place":
        """The body or a handler of a TRY here; `behind` is what stands between its end and the end of the TRY."""
        inside = handler or self.in_handler
        behind = further(self.behind, behind)
        return replace(self, outermost=False, top=False, past=past, in_handler=inside, level=False, behind=behind)

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
            behind="more",
        )

    def in_stage(self, flow: "Flow") -> "Place":
        """A stage of a flow here."""
        return replace(self, flow=flow, level=True, behind="nothing", flows=self.flows | {flow.name})

    def reach(self, name: str) -> "tuple[Flow, bool, Behind] | None":
        """A flow around by its name, whether this is in the graph of its stages, and what stands up to its stage's end."""
        flow, level, behind = self.flow, self.level, self.behind
        while flow is not None and flow.name != name:
            level, behind = level and flow.level, further(behind, flow.behind)
            flow = flow.around
        return None if flow is None else (flow, level, behind)

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
    ends: frozenset[str] = frozenset()
    """Stages in which nothing stands: other names of the end of the flow."""
    around: "Flow | None" = None
    """The flow in one of whose stages this one stands."""
    level: bool = False
    """It stands in the graph of the stages of `around` itself."""
    behind: Behind = "more"
    """What stands between its end and the end of the stage of `around`."""

    @property
    def exit(self) -> str:
        """The label of the edge to behind the flow."""
        return f"<end of {self.name}>"


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
