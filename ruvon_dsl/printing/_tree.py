"""Statements: what the structuring pass makes of a graph and both printers write.

A block is a sequence of statements. Falling off its end leads where the block around it says; every other way out is an
`Exit` (`return`, `break`, `continue`) or a `Go` to a stage of a flow. Each node of the graph stands in exactly one
statement, so no printer can write a step twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, assert_never, final

from ruvon.ir._nodes import Node, Target

__all__ = [
    "Block",
    "Choice",
    "Exit",
    "Flow",
    "Go",
    "Repeat",
    "Single",
    "Split",
    "Stage",
    "Statement",
    "Trial",
    "children",
    "nodes_of",
]


@final
@dataclass(frozen=True, slots=True)
class Single:
    """A node without parts: CALL, WAIT, START, ASSIGN, RETURN, FAIL."""

    node: Node


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """A DECISION: one block for each route, in order, and one for the default."""

    node: Node
    arms: "tuple[Block, ...]"
    default: "Block"


@final
@dataclass(frozen=True, slots=True)
class Repeat:
    """A LOOP; `otherwise` is its else part, None where breaking and running out lead to the same place."""

    node: Node
    body: "Block"
    otherwise: "Block | None" = None


@final
@dataclass(frozen=True, slots=True)
class Split:
    """A PARALLEL: a block for each branch, or the body of a mapped one."""

    node: Node
    branches: "tuple[Block, ...]" = ()
    body: "Block | None" = None


@final
@dataclass(frozen=True, slots=True)
class Trial:
    """A TRY; with `otherwise` its handlers go past the else part when they fall off their end."""

    node: Node
    body: "Block"
    handlers: "tuple[Block, ...]" = ()
    otherwise: "Block | None" = None
    final: "Block | None" = None


@final
@dataclass(frozen=True, slots=True)
class Exit:
    """An edge to END, BREAK or CONTINUE that does not fall off the block.

    `leaves` is false inside a flow, where Python's own `break` and `continue` would only end the turn.
    """

    target: Target
    leaves: bool


@final
@dataclass(frozen=True, slots=True)
class Go:
    """An edge to a stage of this flow or of one around it."""

    label: str


@final
@dataclass(frozen=True, slots=True)
class Stage:
    """One case of a flow; its first node has the stage's label."""

    label: str
    block: "Block"


@final
@dataclass(frozen=True, slots=True)
class Flow:
    """A region that nested statements cannot express; the first stage is where it begins."""

    stages: tuple[Stage, ...]


Statement: TypeAlias = Single | Choice | Repeat | Split | Trial | Exit | Go | Flow
Block: TypeAlias = tuple[Statement, ...]


def children(statement: Statement) -> "tuple[Block, ...]":
    """The blocks inside a statement, in source order."""
    match statement:
        case Single() | Exit() | Go():
            return ()
        case Choice(arms=arms, default=default):
            return (*arms, default)
        case Repeat(body=body, otherwise=otherwise):
            return (body, *_given(otherwise))
        case Split(branches=branches, body=body):
            return (*branches, *_given(body))
        case Trial(body=body, handlers=handlers, otherwise=otherwise, final=final):
            return (body, *handlers, *_given(otherwise), *_given(final))
        case Flow(stages=stages):
            return tuple(stage.block for stage in stages)
        case _:
            assert_never(statement)


def nodes_of(block: Block) -> Iterator[Node]:
    """All nodes of a block in source order, a compound statement before its parts."""
    for statement in block:
        if not isinstance(statement, Exit | Go | Flow):
            yield statement.node
        for inner in children(statement):
            yield from nodes_of(inner)


def _given(block: Block | None) -> tuple[Block, ...]:
    return () if block is None else (block,)
