"""The graph that both front ends compile to and the engine executes: frozen, final, without behaviour.

A `Definition` holds one `Graph`; a graph has an entry and nodes; a node has an id (unique in the whole definition), one
action and its next target. Graphs nest in exactly three actions: LOOP, PARALLEL and TRY. Edges are explicit and go to a
node of the same graph, to `END`, to `BREAK` or `CONTINUE` of the innermost LOOP (through TRYs), or, out of a TRY only, to
a node of a graph around it. Concrete nodes are never subclassed, so a `match` over `Action` closed with `assert_never`
covers everything; the only open set is `Call.type`, an entry of the step-type registry.

Durations are integer microseconds (`_us`). Paths are `module:Qualname`. Types are canonical type texts
(`list[shop.models:Item]`). `display` and the fields of `Display` never take part in the digest.

What two shapes mean that has no field of its own:

* the result of a branch (PARALLEL) or of a collecting loop's turn is the value of its RETURN; a body that is exactly
  one effect node (CALL, WAIT, START) with the edge `END` yields that node's result; any other body yields None;
* a state call is a CALL whose argument `state` is exactly the name `state`: its function works on a copy, and what it
  assigns and returns merges.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Final, TypeAlias, final

from ruvon.ir._merging import MergeConflict, MergeStrategy
from ruvon.ir._spans import Span
from ruvon.ir.expr._nodes import Expr
from ruvon.ir.types._entries import TypeEntry

__all__ = [
    "BREAK",
    "CONTINUE",
    "END",
    "IR_VERSION",
    "RESERVED_TARGETS",
    "Action",
    "Assign",
    "AssignOperation",
    "Branch",
    "Call",
    "CommitMode",
    "Compensation",
    "Contract",
    "Decision",
    "Definition",
    "Display",
    "Fail",
    "Graph",
    "Handler",
    "HumanSource",
    "Join",
    "Loop",
    "Merge",
    "MergeConflict",
    "MergeStrategy",
    "Node",
    "OnFailure",
    "Parallel",
    "RetryPolicy",
    "Return",
    "Route",
    "SignalSource",
    "Start",
    "StartMode",
    "Target",
    "TimerSource",
    "Try",
    "TypePath",
    "TypeText",
    "Wait",
    "WaitSource",
]

IR_VERSION: Final = 1

Target: TypeAlias = str
"""A node id, or one of the reserved names `END`, `BREAK`, `CONTINUE`."""
TypeText: TypeAlias = str
"""Canonical text of a type, such as `list[shop.models:Item] | None`."""
TypePath: TypeAlias = str
"""The path of a class or function, `module:Qualname`."""

END: Final[Target] = "END"
BREAK: Final[Target] = "BREAK"
CONTINUE: Final[Target] = "CONTINUE"
RESERVED_TARGETS: Final = frozenset({END, BREAK, CONTINUE})


class StartMode(Enum):
    """AWAIT waits for the child's result, DETACH goes on at once, SCHEDULE registers a recurring start."""

    AWAIT = "await"
    DETACH = "detach"
    SCHEDULE = "schedule"


class AssignOperation(Enum):
    """SET replaces the target's value; APPEND, EXTEND and UPDATE grow a list or dict in place of rewriting it."""

    SET = "set"
    APPEND = "append"
    EXTEND = "extend"
    UPDATE = "update"


class Join(Enum):
    """ALL waits for every branch, FIRST for the first one to finish."""

    ALL = "all"
    FIRST = "first"


class OnFailure(Enum):
    """CANCEL raises a branch's first failure, COLLECT records it in the branch's place and goes on."""

    CANCEL = "cancel"
    COLLECT = "collect"


class CommitMode(Enum):
    """STEP commits after every effect, ITERATION once per turn of the outermost loop."""

    STEP = "step"
    ITERATION = "iteration"


LEFT_OUT: Final = MappingProxyType({"left_out": True})
"""Marks a field that was added later: its default is not written, so that what was stored before keeps its digest."""


def _empty() -> Mapping[str, Expr]:
    return MappingProxyType({})


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """When and how often a failed attempt is repeated; attempts are recorded transitions, not in-process loops."""

    max_attempts: int = 3
    delay_us: int = 1_000_000
    backoff: float = 2.0
    max_delay_us: int | None = None
    jitter: float = 0.0
    on: tuple[TypePath, ...] = ("builtins:Exception",)
    never: tuple[TypePath, ...] = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Compensation:
    """The function that undoes a completed step; with `attempted` also one whose outcome is unknown."""

    function: TypePath
    attempted: bool = False
    retry: RetryPolicy | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """How results join the state (CALL, START) or branches each other (PARALLEL)."""

    strategy: MergeStrategy = MergeStrategy.SHALLOW
    conflict: MergeConflict = MergeConflict.PREFER_NEW
    function: TypePath | None = None
    """A merge function of the author's instead of the strategy (PARALLEL `merge_function_path`)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Run a function or a registered step type. Labels: STANDARD, ASYNC (with a queue), HTTP, AI_INFERENCE, WASM, custom."""

    type: str = "STANDARD"
    function: TypePath | None = None
    args: Mapping[str, Expr] = field(default_factory=_empty)
    """Arguments by parameter name; `state: state` makes it a state call."""
    config: Mapping[str, Expr] = field(default_factory=_empty)
    """The step type's own fields; evaluated when the step runs."""
    output: Expr | None = None
    """Target of the result: a variable, `state.field`, a path, or a tuple of them."""
    into: TypeText | None = None
    """The type the result is validated as, where the function's annotation does not say (`http(into=)`)."""
    queue: str | None = None
    retry: RetryPolicy | None = None
    timeout_us: int | None = None
    queue_timeout_us: int | None = None
    deadline_us: int | None = None
    compensation: Compensation | None = None
    input_model: TypeText | None = None
    required_input: tuple[str, ...] = ()
    merge: Merge = Merge()
    transaction: bool = field(default=False, metadata=LEFT_OUT)
    """The function's SQL runs in the database transaction that commits the step."""
    concurrency_key: str | None = field(default=None, metadata=LEFT_OUT)
    """An argument, a field of the step type, or a path into one or into the state: its queue may limit how many with one
    value run at a time."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TimerSource:
    """Wait for a span of time, or until a moment; exactly one is set. Label: SLEEP."""

    duration: Expr | None = None
    until: Expr | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class SignalSource:
    """Wait for a typed message from the instance's mailbox. Label: RECEIVE."""

    model: TypeText
    key: Expr | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HumanSource:
    """Wait for a person's answer. Label: HUMAN_IN_LOOP."""

    task: Expr
    form: TypeText | None = None
    """The type the answer is validated as; None takes any mapping (and `required_input` its keys)."""
    required_input: tuple[str, ...] = ()
    show: Expr | None = None
    role: Expr | None = None
    assignee: Expr | None = None
    ask: TypePath | None = None
    """A step function that runs on arrival and asks (taker `next`)."""
    ask_args: Mapping[str, Expr] = field(default_factory=_empty)
    answer: TypePath | None = None
    """A step function that is run once with the answer (taker `self`)."""
    answer_args: Mapping[str, Expr] = field(default_factory=_empty)
    answer_to: str = "self"
    """`self`, or `next`: the step that follows takes the answer."""


WaitSource: TypeAlias = TimerSource | SignalSource | HumanSource


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Wait for a timer, a signal or a person."""

    source: WaitSource
    output: Expr | None = None
    timeout: Expr | None = None
    """Longest wait, a timedelta; None waits for ever."""
    on_timeout: Expr | None = None
    """The value taken when the timeout passes; None raises `TimedOut`."""
    compensation: Compensation | None = None
    merge: Merge = Merge()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start another workflow. Labels: SUB_WORKFLOW (await), FIRE_AND_FORGET (detach), CRON_SCHEDULE (schedule)."""

    child: str
    """The child's workflow type."""
    version: str | None = None
    data: Expr | None = None
    mode: StartMode = StartMode.AWAIT
    output: Expr | None = None
    result: TypeText | None = None
    """The declared result type of the child, where known."""
    key: Expr | None = None
    """Idempotency key of a detached child."""
    cron: Expr | None = None
    timezone: Expr | None = None
    schedule_name: Expr | None = None
    overlap: str | None = None
    catch_up: int | None = None
    data_region: Expr | None = None
    retry: RetryPolicy | None = None
    timeout_us: int | None = None
    merge: Merge = Merge()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Assign:
    """Evaluate an expression and assign it to a variable, a state field or a path below one."""

    target: Expr
    value: Expr
    operation: AssignOperation = AssignOperation.SET


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One outgoing edge of a DECISION: taken when its condition is the first that is true."""

    condition: Expr
    target: Target


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Conditions tried in order, then `default`. The node's `next` is None."""

    routes: tuple[Route, ...]
    default: Target
    injected: bool = False
    """Lowered from a dynamic injection rule; the audit log says so."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """ITERATE over a frozen list (`over`, `item`) or WHILE (`condition`). Each turn runs `body` from its entry.

    The body's END and CONTINUE start the next turn. Exhaustion goes to the node's `next`; BREAK to `on_break`, or to
    `next` where that is None (`for ... else` is the reason for the second edge).
    """

    over: Expr | None = None
    item: Expr | None = None
    """Target of the item: a name or a tuple of names."""
    index: str | None = None
    condition: Expr | None = None
    body: "Graph"
    max_iterations: int | None = None
    on_break: Target | None = None
    collect: bool = False
    output: Expr | None = None
    """Target of the list of the turns' results; set exactly when `collect` is."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One branch of a PARALLEL: sees the state of the fork and of the branches it comes `after`."""

    label: str
    graph: "Graph"
    after: tuple[str, ...] = ()
    """Labels of the branches that must end first."""
    output: Expr | None = None
    """Target, outside the branch, that the branch's result is bound to at the join."""
    won: bool = False
    """The branch's result is wrapped as `Won(label, value)` (`named("lead", ...)`)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """Static (`branches`) or mapped (`over`, `item`, `body`) concurrency. Label PARALLEL, FORK with `after`, or RACE."""

    branches: tuple[Branch, ...] = ()
    over: Expr | None = None
    item: Expr | None = None
    index: str | None = None
    body: "Graph | None" = None
    join: Join = Join.ALL
    limit: Expr | None = None
    """Sliding window: at most so many branches at once."""
    batch_size: Expr | None = None
    """Barrier: the next so many start when the last so many have ended."""
    on_failure: OnFailure = OnFailure.CANCEL
    tolerate: Expr | None = None
    """With COLLECT: the share of failures (0 to 1) beyond which the node fails."""
    merge: Merge = Merge(conflict=MergeConflict.RAISE_ERROR)
    timeout_us: int | None = None
    output: Expr | None = None
    """Target of all results: a tuple (static), a list (mapped), a `Batch` (COLLECT), or the winner's value (RACE)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """What to do when the body fails with an error of one of these classes (matched by path in the error's MRO)."""

    classes: tuple[TypePath, ...]
    name: str | None = None
    """The variable that holds the error inside the handler."""
    graph: "Graph"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """Run `body`; on an error the first matching handler; `final` always. With `saga`, undo what completed inside first."""

    body: "Graph"
    handlers: tuple[Handler, ...] = ()
    final: "Graph | None" = None
    saga: bool = False


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """End the branch or the workflow with a value."""

    value: Expr | None = None


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """Raise an error; None raises the handled one again."""

    error: Expr | None = None
    cause: Expr | None = None


Action: TypeAlias = Call | Wait | Start | Assign | Decision | Loop | Parallel | Try | Return | Fail


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Display:
    """What people see of a node and the digest does not: where it was written, and its words."""

    source: Span | None = None
    description: str | None = None
    prompt: str | None = None
    tags: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One place in a graph. `next` is None exactly for DECISION, RETURN and FAIL."""

    id: str
    action: Action
    next: Target | None = None
    automate_next: bool | None = None
    """Go on by itself after this step; None inside LOOP, PARALLEL and TRY graphs, where everything goes on by itself."""
    display: Display = field(default=Display(), compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Nodes by id and where to begin; an empty graph has the entry `END` (or `BREAK`, `CONTINUE`)."""

    entry: Target
    nodes: Mapping[str, Node]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a named function looked like when the definition was linked: parameters in order and the result type."""

    parameters: tuple[tuple[str, TypeText, bool], ...]
    """Name, type and whether it is required."""
    result: TypeText
    is_async: bool = False


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One version of a workflow, linked: what the engine executes and what the digest is taken of."""

    workflow_type: str
    workflow_version: str = "1.0.0"
    state: TypeText = "dict[str, object]"
    result: TypeText | None = None
    """Declared result type; None (YAML without one) makes the final state the result."""
    saga: bool = False
    strict_results: bool = True
    history: int | None = None
    """Log rows kept; None keeps all."""
    commit: CommitMode = CommitMode.STEP
    timeout_us: int | None = field(default=None, metadata=LEFT_OUT)
    """Microseconds from the start of a run to its end; None: for ever. Not written where there is none."""
    variables: Mapping[str, TypeText] = field(default_factory=lambda: MappingProxyType({}))
    """The types of the variables, declared or inferred by the linker."""
    types: Mapping[TypePath, TypeEntry] = field(default_factory=lambda: MappingProxyType({}))
    graph: Graph
    ir_version: int = IR_VERSION
    # Beside the digest: for law 5, editors and people.
    contracts: Mapping[TypePath, Contract] = field(default_factory=lambda: MappingProxyType({}), compare=False)
    schemas: Mapping[TypePath, Mapping[str, object]] = field(
        default_factory=lambda: MappingProxyType({}), compare=False, repr=False
    )
    description: str | None = field(default=None, compare=False)
    tags: tuple[str, ...] = field(default=(), compare=False)
    owner: str | None = field(default=None, compare=False)
