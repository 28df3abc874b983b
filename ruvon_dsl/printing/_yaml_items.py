"""Statements as the entries of YAML lists: flows flattened, every jump on the entry it belongs to.

YAML needs no `flow`: a step of the same graph may be named by `next`. A flow's stages therefore stand one after the
other in the list, and `follow`, the target behind the list, is written where a stage that is not the last one ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never, final

from ruvon.ir._nodes import Call, Decision, Fail, Loop, Node, Parallel, Return, Start, Target, Try, Wait
from ruvon_dsl.printing._names import base_name
from ruvon_dsl.printing._region import ends_run
from ruvon_dsl.printing._tree import Block, Choice, Exit, Flow, Go, Repeat, Single, Split, Statement, Trial

__all__ = ["Arm", "Entries", "Entry", "build", "naming_order"]


@final
@dataclass(slots=True)
class Entry:
    """One entry of a list of steps."""

    node: Node | None = None
    """None for an entry that is only a jump."""
    next: Target | None = None
    """The target that has to be written; of a jump its only content."""
    arms: "list[Arm]" = field(default_factory=list["Arm"])
    default: "Arm | None" = None
    body: "Entries | None" = None
    final: "Entries | None" = None
    handlers: "list[Entries]" = field(default_factory=list["Entries"])
    branches: "list[Entries]" = field(default_factory=list["Entries"])
    otherwise: "Arm | None" = None


Entries: TypeAlias = list[Entry]
Arm: TypeAlias = Target | Entries
"""A jump, or a list that joins by itself."""


def build(block: Block, follow: Target) -> Entries:
    """The entries of a block; `follow` is where its end leads."""
    entries: Entries = []
    for index, statement in enumerate(block):
        after = _head(block[index + 1 :], follow)
        match statement:
            case Exit(target=target) | Go(label=target):
                _jump(entries, target)
            case Flow(stages=stages):
                for number, stage in enumerate(stages):
                    made = build(stage.block, after)
                    following = stages[number + 1].label if number + 1 < len(stages) else None
                    _close(made, stage.block, after, following)
                    entries.extend(made)
            case _:
                entries.append(_entry(statement, after))
    return entries


def _head(block: Block, follow: Target) -> Target:
    """The target that the text at the beginning of a block means."""
    match block[0] if block else None:
        case None:
            return follow
        case Exit(target=target) | Go(label=target):
            return target
        case Flow(stages=stages):
            return stages[0].label
        case statement:
            return statement.node.id


def _jump(entries: Entries, target: Target) -> None:
    last = entries[-1] if entries else None
    if last is not None and last.node is not None and last.next is None and _goes_on(last.node):
        last.next = target
    else:
        entries.append(Entry(next=target))


def _goes_on(node: Node) -> bool:
    return not isinstance(node.action, Return | Fail) and not ends_run(node)


def _close(entries: Entries, block: Block, after: Target, following: str | None) -> None:
    """Write where a stage ends, unless the list goes on there by itself."""
    last = entries[-1]
    if following is None:
        return
    if last.next == following and last.node is not None and not isinstance(last.node.action, Decision):
        last.next = None
    elif last.next is None and last.node is not None and _goes_on(last.node) and not isinstance(block[-1], Exit | Go):
        last.next = after


def _arm(block: Block, follow: Target) -> Arm:
    match block:
        case (Exit(target=target),) | (Go(label=target),):
            return target
        case _:
            return build(block, follow)


def _entry(statement: Statement, after: Target) -> Entry:
    match statement:
        case Single(node=node):
            return Entry(node)
        case Choice(node=node, arms=arms, default=default):
            made = Entry(node, arms=[_arm(arm, after) for arm in arms])
            made.default = _arm(default, after) if default or not arms else None
            return made
        case Repeat(node=node, body=body, otherwise=otherwise):
            return Entry(node, body=build(body, "END"), otherwise=None if otherwise is None else _arm(otherwise, after))
        case Split(node=node, branches=branches, body=body):
            made = Entry(node, branches=[build(branch, "END") for branch in branches])
            made.body = None if body is None else build(body, "END")
            return made
        case Trial(node=node, body=body, handlers=handlers, otherwise=otherwise, final=final):
            tail = "END" if otherwise is None else after
            made = Entry(node, body=build(body, "END"), handlers=[build(handler, tail) for handler in handlers])
            made.final = None if final is None else build(final, "END")
            made.otherwise = None if otherwise is None else build(otherwise, after)
            return made
        case Exit() | Go() | Flow():
            raise AssertionError(statement)
        case _:
            assert_never(statement)


def naming_order(entries: Entries) -> Iterator[tuple[str, str]]:
    """Ids in the order in which the front end derives them, each with its base."""
    before: Node | None = None
    for entry in entries:
        node = entry.node
        if node is not None:
            follows = isinstance(node.action, Decision) and before is not None and _is_effect(before)
            yield node.id, f"{before.id}.route" if follows and before is not None else base_name(node)
        before = node
        inner = (entry.body, entry.final, *entry.handlers, *entry.branches, *entry.arms, entry.default, entry.otherwise)
        for part in inner:
            if isinstance(part, list):
                yield from naming_order(part)


def _is_effect(node: Node) -> bool:
    return isinstance(node.action, Call | Wait | Start | Loop | Parallel | Try)
