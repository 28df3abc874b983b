"""Lowered statements before they are wired: nodes in blocks, and the wiring of blocks into graphs.

Lowering goes forward, because ids are given in source order; edges are drawn backward, because a node must know what
follows it. Pieces are what lies between: each knows its node, not yet its `next`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TypeAlias, assert_never, final

from ruvon.ir._nodes import (
    CONTINUE,
    END,
    Action,
    Assign,
    Call,
    Decision,
    Display,
    Fail,
    Graph,
    Handler,
    Loop,
    Node,
    Parallel,
    Return,
    Route,
    Start,
    Target,
    Try,
    TypePath,
    Wait,
)
from ruvon.ir._spans import Span
from ruvon.ir.expr._nodes import Expr

__all__ = [
    "Attempt",
    "Catching",
    "Choose",
    "Leave",
    "Piece",
    "Pieces",
    "Stages",
    "Step",
    "Stop",
    "Turns",
    "falls",
    "goes_on",
    "graph_of",
    "is_effect",
]


@final
@dataclass(frozen=True, slots=True)
class Step:
    """One node that goes on to what follows it."""

    id: str
    action: Call | Wait | Start | Assign | Parallel | Decision
    span: Span
    automate: bool | None


@final
@dataclass(frozen=True, slots=True)
class Stop:
    """RETURN or FAIL."""

    id: str
    action: Return | Fail
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Leave:
    """An edge without a node: `break`, `continue`, a bare `return`, `at.go(...)`."""

    target: Target
    span: Span
    stage: bool = False
    """The target is the label of a stage of the flow around it."""


@final
@dataclass(frozen=True, slots=True)
class Choose:
    """DECISION: arms that join behind it."""

    id: str
    arms: tuple[tuple[Expr, "Pieces"], ...]
    default: "Pieces"
    span: Span
    automate: bool | None
    injected: bool = False


@final
@dataclass(frozen=True, slots=True)
class Turns:
    """LOOP; `action` has an empty body, which is wired from `body`."""

    id: str
    action: Loop
    body: "Pieces"
    orelse: "Pieces"
    span: Span
    automate: bool | None
    leaves: bool
    """Whether a `break` in the body leaves it."""


@final
@dataclass(frozen=True, slots=True)
class Catching:
    """One handler of an `Attempt`."""

    classes: tuple[TypePath, ...]
    name: str | None
    body: "Pieces"


@final
@dataclass(frozen=True, slots=True)
class Attempt:
    """TRY."""

    id: str
    body: "Pieces"
    catches: tuple[Catching, ...]
    orelse: "Pieces"
    final: "Pieces | None"
    saga: bool
    span: Span
    automate: bool | None


@final
@dataclass(frozen=True, slots=True)
class Stages:
    """A flow: its stages are nodes of the graph around it."""

    entry: str
    stages: tuple[tuple[str, "Pieces"], ...]
    span: Span
    exit: str
    """The label of the edge to behind the flow, which `go(END)` takes, or of an inlined block its `return`."""


Piece: TypeAlias = Step | Stop | Leave | Choose | Turns | Attempt | Stages
Pieces: TypeAlias = tuple[Piece, ...]


def is_effect(piece: Piece) -> bool:
    """Whether the piece is one effect node (CALL, WAIT, START), the kind whose result is a branch's result."""
    return isinstance(piece, Step) and isinstance(piece.action, Call | Wait | Start)


def falls(pieces: Pieces) -> bool:
    """Whether control can come to the end of the pieces."""
    return all(_falls(piece) for piece in pieces)


def goes_on(piece: Piece) -> bool:
    """Whether the graph has an edge from the piece to what follows it, be it that nothing ever takes it."""
    match piece:
        case Stop() | Leave() | Step(action=Call(type="RESTART")):
            return False
        case Choose(arms=arms, default=default):
            return any(not body or goes_on(body[-1]) for body in (default, *(body for _, body in arms)))
        case Stages(stages=stages, exit=out):
            return any(not body or goes_on(body[-1]) or _ends_flow(body, out) for _, body in stages)
        case Step() | Turns() | Attempt():
            return True
        case _:
            assert_never(piece)


def _falls(piece: Piece) -> bool:
    match piece:
        case Stop() | Leave():
            return False
        case Step(action=Call(type="RESTART")):
            return False
        case Step():
            return True
        case Choose(arms=arms, default=default):
            return falls(default) or any(falls(body) for _, body in arms)
        case Turns(action=action, orelse=orelse, leaves=leaves):
            endless = action.condition is not None and _is_true(action.condition)
            return leaves or (not endless and falls(orelse))
        case Attempt():
            return _attempt_falls(piece)
        case Stages(stages=stages, exit=out):
            return any(_ends_flow(body, out) for _, body in stages)
        case _:
            assert_never(piece)


def _is_true(condition: Expr) -> bool:
    return getattr(condition, "value", None) is True


def _attempt_falls(piece: Attempt) -> bool:
    if piece.final is not None and not falls(piece.final):
        return False
    main = falls(piece.body) and falls(piece.orelse)
    return main or any(falls(catch.body) for catch in piece.catches)


def _ends_flow(body: Pieces, out: str) -> bool:
    """Whether a stage can end its flow (or block): it falls off, or goes to the exit."""
    return falls(body) or any(_goes_out(piece, out) for piece in body)


def _goes_out(piece: Piece, out: str) -> bool:
    match piece:
        case Leave(target=target):
            return target == out
        case Choose(arms=arms, default=default):
            return any(_goes_out(item, out) for body in (*(body for _, body in arms), default) for item in body)
        case Attempt():
            parts = (piece.body, piece.orelse, *(catch.body for catch in piece.catches))
            return any(_goes_out(item, out) for part in parts for item in part)
        case Turns(orelse=orelse):
            return any(_goes_out(item, out) for item in orelse)
        case Stages(stages=stages):
            return any(_goes_out(item, out) for _, body in stages for item in body)
        case _:
            return False


# --- wiring -----------------------------------------------------------------------------------------------------------


def graph_of(pieces: Pieces, past: Target = END) -> Graph:
    """The graph of a body; `past` is what its END means for a handler that has to go past its TRY (see `lowering.md`)."""
    nodes: dict[str, Node] = {}
    entry = _Wiring(nodes, past, {}).block(pieces, END)
    return Graph(entry=entry, nodes=MappingProxyType(nodes))


@final
class _Wiring:
    """Wires the blocks of one graph."""

    def __init__(self, nodes: dict[str, Node], past: Target, stages: Mapping[str, Target]) -> None:
        self.nodes = nodes
        self.past = past
        self.stages = stages

    def block(self, pieces: Pieces, follow: Target) -> Target:
        """Wire pieces in front of `follow`; the first one's id, or `follow` where there is none."""
        for piece in reversed(pieces):
            follow = self._piece(piece, follow)
        return follow

    def _add(self, name: str, action: Action, follow: Target | None, span: Span, automate: bool | None) -> Target:
        self.nodes[name] = Node(
            id=name, action=action, next=follow, automate_next=automate, display=Display(source=span)
        )
        return name

    def _piece(self, piece: Piece, follow: Target) -> Target:
        match piece:
            case Leave(target=target, stage=stage):
                return self.stages.get(target, target) if stage else target
            case Stop(id=name, action=action, span=span):
                return self._add(name, action, None, span, None)
            case Step(id=name, action=Decision() as action, span=span, automate=automate):
                return self._add(name, replace(action, default=follow), None, span, automate)
            case Step(id=name, action=action, span=span, automate=automate):
                restart = isinstance(action, Call) and action.type == "RESTART"
                return self._add(name, action, END if restart else follow, span, automate)
            case Choose():
                routes = tuple(
                    Route(condition=condition, target=self.block(body, follow)) for condition, body in piece.arms
                )
                default = self.block(piece.default, follow)
                action = Decision(routes=routes, default=default, injected=piece.injected)
                return self._add(piece.id, action, None, piece.span, piece.automate)
            case Turns():
                return self._turns(piece, follow)
            case Attempt():
                return self._attempt(piece, follow)
            case Stages():
                return self._flow(piece, follow)
            case _:
                assert_never(piece)

    def _turns(self, piece: Turns, follow: Target) -> Target:
        after = self.block(piece.orelse, follow)
        on_break = follow if piece.orelse and after != follow else None
        action = replace(piece.action, body=graph_of(piece.body, CONTINUE), on_break=on_break)
        return self._add(piece.id, action, after, piece.span, piece.automate)

    def _attempt(self, piece: Attempt, follow: Target) -> Target:
        after = self.block(piece.orelse, follow)
        inner = self.past if after == END else after
        body = self._nested(piece.body, END, inner)
        skip = END if not piece.orelse else self.past if follow == END else follow
        beyond = self.past if follow == END else follow
        handlers = tuple(
            Handler(classes=item.classes, name=item.name, graph=self._nested(item.body, skip, beyond))
            for item in piece.catches
        )
        final = None if piece.final is None else graph_of(piece.final)
        action = Try(body=body, handlers=handlers, final=final, saga=piece.saga)
        return self._add(piece.id, action, after, piece.span, piece.automate)

    def _nested(self, pieces: Pieces, follow: Target, past: Target) -> Graph:
        nodes: dict[str, Node] = {}
        entry = _Wiring(nodes, past, self.stages).block(pieces, follow)
        return Graph(entry=entry, nodes=MappingProxyType(nodes))

    def _flow(self, piece: Stages, follow: Target) -> Target:
        """Stages refer to each other, so entries come first: a stage's label is the id of its first node."""
        entries: dict[str, Target] = {piece.exit: follow}
        bodies = dict(piece.stages)
        for label, body in piece.stages:
            entries[label] = _stage_entry(label, body, bodies, {**self.stages, **entries}, follow)
        outer = self.stages
        self.stages = {**outer, **entries}
        for _, body in piece.stages:
            self.block(body, follow)
        self.stages = outer
        return entries.get(piece.entry, follow)


def _stage_entry(
    label: str, body: Pieces, bodies: Mapping[str, Pieces], known: Mapping[str, Target], follow: Target
) -> Target:
    """Where a stage begins; one that only goes on is another name of where it goes."""
    seen: set[str] = set()
    while label not in seen:
        seen.add(label)
        if not body:
            return follow
        first = body[0]
        match first:
            case Leave(target=target, stage=True):
                if target not in bodies:
                    return known.get(target, target)
                label, body = target, bodies[target]
            case Leave(target=target):
                return target
            case Stages(entry=entry, stages=stages):
                inner = dict(stages)
                behind = _stage_entry(label, body[1:], bodies, known, follow)
                return _stage_entry(entry, inner.get(entry, ()), inner, {**known, first.exit: behind}, behind)
            case _:
                return first.id
    return follow
