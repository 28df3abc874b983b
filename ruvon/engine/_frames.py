"""Where an instance stands: strands of frames.

The position is a tree. A *strand* is a stack of frames that runs on its own: the workflow's body, or one branch of a
PARALLEL. The lowest frame of a strand is its body; above it stand the LOOPs and TRYs that it is inside, and on top
perhaps a PARALLEL (a `ForkFrame`) that holds further strands, or a rollback (an `UndoFrame`). A frame's `pc` is the node
it is at: the one to run next, or the compound node whose frame stands above.

Frames hold small numbers only. Whatever is a value (frozen loop items, collected results, branch results) lies in the
strand's scope under a hidden name, so that a commit never writes it again.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias, final

from ruvon.ir._nodes import Target

if TYPE_CHECKING:
    from ruvon.engine._error_records import ErrorRecord
    from ruvon.engine._program import ForkOp, GraphProgram, LoopOp, TryOp
    from ruvon.engine._scope import Scope
    from ruvon.providers import LogEntry

__all__ = [
    "BODY",
    "FINAL",
    "BodyFrame",
    "Exit",
    "ExitKind",
    "ForkFrame",
    "Frame",
    "GraphFrame",
    "LoopFrame",
    "Strand",
    "TryFrame",
    "UndoFrame",
    "WaitKind",
    "WaitState",
]

BODY: Final = -1
"""The part of a TRY that is its body; handlers count from 0."""
FINAL: Final = -2
"""The part of a TRY that is its `finally`."""


class ExitKind(Enum):
    """How control leaves frames other than by reaching their end."""

    RETURN = "return"
    FAIL = "fail"
    BREAK = "break"
    CONTINUE = "continue"
    GOTO = "goto"
    """An edge out of a TRY, or a jump, to a node of a graph around."""
    CANCEL = "cancel"
    REWIND = "rewind"
    """An operator's, once what came since is undone; nothing catches it."""


@final
@dataclass(frozen=True, slots=True)
class Exit:
    """A way out that unwinds frames, innermost first; pending in a TRY while its `finally` runs."""

    kind: ExitKind
    value: bytes | None = None
    """RETURN: the encoded value; REWIND: the edited state."""
    error: "ErrorRecord | None" = None
    """FAIL: the error; CANCEL: that of an instance whose timeout has passed."""
    target: str | None = None
    """GOTO: the node; REWIND: the log entry of the activation."""
    is_jump: bool = False
    """GOTO by a directive or an operator: the node gets a new visit."""
    rollback: bool = False
    """FAIL or CANCEL that undoes everything, whether or not saga is on."""
    reason: str = ""
    """CANCEL: why."""


class WaitKind(Enum):
    """What a strand is waiting for."""

    TIMER = "timer"
    SIGNAL = "signal"
    HUMAN = "human"
    INPUT = "input"
    CHILD = "child"
    TASK = "task"
    RETRY = "retry"


@final
@dataclass(slots=True)
class WaitState:
    """Why a strand does not go on by itself."""

    kind: WaitKind
    activation: str
    """The wait's id: an answer, a signal or a child's end may name it."""
    node: str
    due_us: int | None = None
    """When the timer rings, the retry is due, or the timeout passes."""
    name: str = ""
    """SIGNAL: the model's type text; HUMAN: the task; CHILD: the child's workflow type; TASK: the queue."""
    key: str | None = None
    """SIGNAL: the key; CHILD: the child's id; TASK: the task's id."""
    attempt: int = 1
    """RETRY: the attempt to make next."""
    since_us: int = 0
    """RETRY: when the activation began; its deadline counts from here. SIGNAL: when the wait began."""
    child_status: str | None = None
    """CHILD: the last status heard of it, where it waits for a person."""
    show: bytes | None = None
    """HUMAN: JSON of what the person is shown: task, role, assignee, data."""
    asked: bool = False
    """HUMAN, INPUT: a step has asked already (pause directive, `ask`); the answer goes on from here. TASK: a worker had it
    when its time to find one was over; a task that comes back from a dead worker has that time again."""
    unknown: bool = False
    """RETRY: the outcome of an attempt is unknown."""
    revision: int = 0
    """HUMAN, INPUT: when it began; with the activation it tells one wait from all others, after a restart too."""

    @property
    def answer_key(self) -> str:
        """What an answer is sent with, so that only one is taken."""
        return f"answer:{self.revision}:{self.activation}"


class GraphFrame:
    """A graph that is being run."""

    __slots__ = ("graph", "path", "pc", "previous", "visit")
    tag: ClassVar[str] = "b"

    def __init__(self, graph: "GraphProgram", path: str) -> None:
        self.graph = graph
        self.path = path
        """The prefix of the activations of its nodes: loop indices and branch labels around it."""
        self.pc: Target = graph.entry
        self.visit = 0
        """How often an edge led back, or a jump into, this graph; part of the activations after that."""
        self.previous = 0
        """The log entry of the step that finished last in this frame."""

    def activation(self, node_id: str) -> str:
        """The identity of the execution of a node of this frame that is current now."""
        return f"{self.path}{node_id}#{self.visit}" if self.visit else self.path + node_id


@final
class BodyFrame(GraphFrame):
    """The outermost graph of a strand."""

    __slots__ = ()
    tag = "b"


@final
class LoopFrame(GraphFrame):
    """A LOOP: which turn it is in. The frozen items lie in the scope."""

    __slots__ = ("base", "index", "items", "op")
    tag = "l"

    def __init__(self, op: "LoopOp", base: str, index: int = -1) -> None:
        super().__init__(op.body, f"{base}[{index}]/")
        self.op = op
        self.base = base
        """The LOOP's own activation."""
        self.index = index
        self.items: list[object] | range | None = None

    def turn(self, index: int) -> None:
        """Begin the turn with this index."""
        self.index = index
        self.path = f"{self.base}[{index}]/"
        self.pc = self.graph.entry
        self.visit = 0
        self.previous = 0


@final
class TryFrame(GraphFrame):
    """A TRY: which part it is in, and the way out that waits for its `finally`."""

    __slots__ = ("due_us", "exit", "handled", "mark", "op", "part")
    tag = "t"

    def __init__(self, op: "TryOp", path: str, mark: int) -> None:
        super().__init__(op.body, path)
        self.op = op
        self.part = BODY
        self.exit: Exit | None = None
        self.due_us: int | None = None
        """When its `finally`, which runs because the instance is ended early, is cut short; 0: it has been."""
        self.handled: ErrorRecord | None = None
        """The error that the current handler handles, for `raise` without an error."""
        self.mark = mark
        """The newest log entry when the TRY was entered: a saga scope undoes what came later."""

    def enter(self, part: int, graph: "GraphProgram") -> None:
        """Begin a handler or `finally`."""
        self.part = part
        self.graph = graph
        self.pc = graph.entry


@final
class ForkFrame:
    """A PARALLEL: its running branches, and which have ended."""

    __slots__ = (
        "base",
        "branches",
        "count",
        "done",
        "due_us",
        "failed",
        "items",
        "limit",
        "op",
        "starts",
        "stopping",
        "unbegun",
        "waiting_start",
        "winner",
    )
    tag: ClassVar[str] = "f"

    def __init__(self, op: "ForkOp", base: str, count: int) -> None:
        self.op = op
        self.base = base
        """The PARALLEL's own activation."""
        self.count = count
        self.branches: dict[int, Strand] = {}
        """Strands that are not at their end, by branch index."""
        self.done: set[int] = set()
        """Indices of branches that ended well."""
        self.failed: dict[int, ErrorRecord] = {}
        """Errors of branches that failed, in order of failure."""
        self.starts: dict[int, dict[str, bytes]] = {}
        """The state that branches with an `after` began with; made again after a reload."""
        self.waiting_start: list[int] = []
        """Branches to start, in reverse order."""
        self.unbegun = False
        """It was loaded, and branches that may run now have not been started again."""
        self.items: list[object] | range | None = None
        self.limit: int | None = None
        self.stopping = False
        """Nothing new starts; what runs comes to its end."""
        self.winner: int | None = None
        self.due_us: int | None = None


@final
class UndoFrame:
    """A rollback: undoes, newest first, what completed after `mark` below `prefix`; then `exit` goes on."""

    __slots__ = ("child_ended", "entries", "exit", "failed", "mark", "prefix", "undone")
    tag: ClassVar[str] = "u"

    def __init__(self, mark: int, prefix: str, leaving: Exit) -> None:
        self.mark = mark
        self.prefix = prefix
        self.exit = leaving
        self.entries: list[LogEntry] | None = None
        """What is left to undo, the next one last; read from the log when first needed."""
        self.child_ended: str | None = None
        """The status of the child that was asked to undo itself, when it has ended."""
        self.failed: list[str] = []
        """Nodes whose compensation failed."""
        self.undone = 0
        """How many compensations have been tried."""


Frame: TypeAlias = BodyFrame | LoopFrame | TryFrame | ForkFrame | UndoFrame


@final
@dataclass(slots=True, eq=False)
class Strand:
    """One line of execution: the body, or a branch."""

    scope: "Scope"
    frames: list[Frame] = field(default_factory=list["Frame"])
    fork: ForkFrame | None = None
    """The PARALLEL that it is a branch of."""
    owner: "Strand | None" = None
    """The strand on whose top that PARALLEL stands."""
    index: int = 0
    wait: WaitState | None = None
    attempt: int = 1
    """The attempt that the current CALL is about to make."""
    since_us: int = 0
    """When the activation of the current CALL began, where it is being retried; else 0."""
    unknown: bool = False
    """The outcome of an attempt of the current CALL is unknown."""
    ended: Exit | None = None
    """How the strand ended; a RETURN without value where it just reached its end."""
    running: bool = False
    """A task runs it right now."""
    in_body: bool = False
    """It is inside the body of a step, which may be cancelled."""
    interrupted: bool = False
    """The body was cancelled by the engine, not from outside."""
    stopped: bool = False
    """It is to leave as soon as its effect has ended."""
    unsure: bool = False
    """It was loaded standing at an effect, which a lost process may have performed already."""
    last: bool = False
    """It is to stop when the effect at which it was loaded has ended."""
    result: bytes = b"null"
    """The encoded result of the effect that completed last."""
    input: object = None
    """Input for the step that it runs next; see `ruvon.engine._inputs`."""
    answered: bool = False
    """The current step has got its answer; it does not wait again."""
    was_answered: bool = False
    """The body that runs takes an answer; it does not ask."""
    asked: bool = False
    """The function that asks has run."""

    @property
    def top(self) -> Frame:
        """The innermost frame."""
        return self.frames[-1]
