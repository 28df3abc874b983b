"""Steps as written, between the YAML text and the graph.

An `Item` is one entry of a list of steps, whichever of its spellings the author chose: a short `if` and a DECISION are
the same here. Keys have been checked; names, targets and expressions are still texts with their places.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, final

from ruvon.ir._nodes import AssignOperation
from ruvon.ir._spans import Span
from ruvon_dsl.yaml._check import Fields
from ruvon_dsl.yaml._values import ScalarNode, YamlNode

__all__ = ["Arm", "AssignPart", "Block", "BranchItem", "Exit", "HandlerItem", "Item", "Jump", "RuleItem", "walk_items"]


@final
@dataclass(slots=True)
class Jump:
    """The name of a step, or END, BREAK, CONTINUE."""

    target: str
    span: Span


@final
@dataclass(slots=True)
class Block:
    """A list of steps."""

    items: "list[Item]"
    span: Span
    gathers: dict[int, str] = field(default_factory=dict[int, str])
    """Ids of the PARALLELs that the list's `dependencies` make, by number of the stretch."""


Exit: TypeAlias = Jump | Block


@final
@dataclass(slots=True)
class Arm:
    """A condition and where it leads."""

    condition: ScalarNode
    exit: Exit


@final
@dataclass(slots=True)
class HandlerItem:
    """One entry of `except`."""

    classes: list[tuple[str, Span]]
    name: str | None
    block: Block


@final
@dataclass(slots=True)
class RuleItem:
    """One rule of a dynamic injection."""

    fields: Fields
    block: Block
    id: str = ""


@final
@dataclass(slots=True)
class BranchItem:
    """A task, or a labelled list of steps, of a PARALLEL."""

    label: str | None
    block: Block
    span: Span
    after: list[ScalarNode] = field(default_factory=list[ScalarNode])
    output: YamlNode | None = None
    won: bool = False
    task: bool = False
    """Written as a task: exactly one step, whose `output` is the branch's."""


@final
@dataclass(slots=True)
class AssignPart:
    """One assignment of an ASSIGN."""

    operation: AssignOperation
    target: YamlNode
    value: YamlNode
    id: str = ""


@final
@dataclass(slots=True, eq=False)
class Item:
    """One step as written; `id` and the ids of the nodes beside it are given by the naming pass."""

    kind: str
    """The documented type name, upper case; a custom type's name as registered."""
    fields: Fields
    span: Span
    name: ScalarNode | None = None
    short: bool = False
    id: str = ""
    route_of: "Item | None" = None
    """The step right before, whose `.route` this DECISION is."""
    route_id: str = ""
    try_id: str = ""
    saga_id: str = ""
    inner_id: str = ""
    """TRY with `except`, `else` and `finally`: the id of the TRY inside, which has all but the `finally`."""
    arms: list[Arm] = field(default_factory=list[Arm])
    default: Exit | None = None
    exhausted: "Jump | None" = None
    """LOOP: where it leads when its turns are over, where `else` names a step."""
    next: Jump | None = None
    on_error: Jump | None = None
    dependencies: list[ScalarNode] | None = None
    blocks: dict[str, Block] = field(default_factory=dict[str, Block])
    handlers: list[HandlerItem] = field(default_factory=list[HandlerItem])
    branches: list[BranchItem] = field(default_factory=list[BranchItem])
    rules: list[RuleItem] = field(default_factory=list[RuleItem])
    passes: str = ""
    """Of the task function of a mapped PARALLEL: the item that it is called with."""
    assigns: list[AssignPart] = field(default_factory=list[AssignPart])

    @property
    def decides(self) -> bool:
        """Whether the item is followed by a DECISION of its own, or is one."""
        return bool(self.arms) or self.default is not None or self.kind == "DECISION"

    @property
    def acts(self) -> bool:
        """Whether the item has an action besides its decision."""
        return self.kind != "DECISION" or self.fields.node("function") is not None

    def exits(self) -> "Iterator[Exit]":
        """Where the item's decision leads: arms in order, then the default."""
        for arm in self.arms:
            yield arm.exit
        if self.default is not None:
            yield self.default

    def inner_blocks(self) -> "Iterator[Block]":
        """Lists that become nested graphs: loop bodies, branches, parts of a TRY; not those of routes and `else`."""
        for name, block in self.blocks.items():
            if name != "else":
                yield block
        for handler in self.handlers:
            yield handler.block
        for branch in self.branches:
            yield branch.block

    def flat_blocks(self) -> "Iterator[Block]":
        """Lists that lie in the same graph as the item: injected steps, arms, `else`."""
        for rule in self.rules:
            yield rule.block
        for exit_ in self.exits():
            if isinstance(exit_, Block):
                yield exit_
        if "else" in self.blocks:
            yield self.blocks["else"]


def walk_items(block: Block) -> Iterator[Item]:
    """Every item of a list and of the lists inside it."""
    for item in block.items:
        yield item
        for inner in (*item.inner_blocks(), *item.flat_blocks()):
            yield from walk_items(inner)
