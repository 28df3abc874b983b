"""Which names must be written: the front ends' derivation of names, simulated on the statements to be printed.

`docs/lowering.md` ("Names") is the rule. A node whose id is what the rule would give it prints without a name; the rest
are named. Naming one node can change what others derive, so the simulation runs until nothing changes.
"""

import re
from collections.abc import Collection, Iterator
from typing import Final, assert_never

from ruvon.ir._nodes import (
    Assign,
    Call,
    Decision,
    Fail,
    HumanSource,
    Join,
    Loop,
    Node,
    Parallel,
    Return,
    SignalSource,
    Start,
    TimerSource,
    Try,
    Wait,
    WaitSource,
)
from ruvon_dsl.printing._tree import Block, Exit, Flow, Go, children

__all__ = ["base_name", "explicit_names", "function_name", "named_nodes", "result_name", "routed"]

_CALL_BASES: Final = {"HTTP": "http", "AI_INFERENCE": "infer", "WASM": "wasm"}
_ILLEGAL: Final = re.compile(r"\W")
_ROUTE: Final = ".route"


def function_name(path: str) -> str:
    """The name of the function at a path: `charge` of `shop.steps:charge`."""
    return re.split(r"[:.]", path)[-1]


def base_name(node: Node) -> str:
    """What the id of a node is derived from, where it does not follow an effect."""
    match node.action:
        case Call(function=str(path)):
            return function_name(path)
        case Call(type=kind):
            return _CALL_BASES.get(kind, kind.lower())
        case Wait(source=source):
            return _wait_base(source)
        case Start(child=child):
            return child
        case Assign():
            return "set"
        case Decision():
            return "if"
        case Loop(over=over):
            return "while" if over is None else "for"
        case Parallel(join=join):
            return "first_of" if join is Join.FIRST else "gather"
        case Try(saga=saga):
            return "saga" if saga else "try"
        case Return():
            return "return"
        case Fail():
            return "raise"
        case _:
            assert_never(node.action)


def _wait_base(source: WaitSource) -> str:
    match source:
        case HumanSource():
            return "human"
        case SignalSource():
            return "receive"
        case TimerSource():
            return "sleep"
        case _:
            assert_never(source)


def result_name(node_id: str) -> str:
    """The variable that holds a node's result where the source has none."""
    return f"{_ILLEGAL.sub('_', node_id)}_result"


def named_nodes(block: Block, given: Collection[str] = ()) -> frozenset[str]:
    """The ids that have to be written in Python.

    Args:
        block: All statements of the definition.
        given: Ids that the notation gives anyway (labels of stages).
    """
    return explicit_names([(node.id, base) for node, base in _in_order(block)], given)


def explicit_names(order: list[tuple[str, str]], given: Collection[str] = ()) -> frozenset[str]:
    """The ids that have to be written, from all ids in source order, each with what it would be derived from."""
    explicit = set(given) | {name for name, base in order if not _derivable(name, base)}
    while (wrong := _first_wrong(order, explicit)) is not None:
        explicit.add(wrong)
    return frozenset(explicit)


def _derivable(name: str, base: str) -> bool:
    rest = name.removeprefix(base)
    return name.startswith(base) and (not rest or re.fullmatch(r"_[1-9][0-9]*", rest) is not None)


def _first_wrong(order: list[tuple[str, str]], explicit: set[str]) -> str | None:
    taken = set(explicit)
    numbers: dict[str, int] = {}
    for name, base in order:
        if name in explicit:
            continue
        derived, number = base, numbers.get(base, 1)
        while derived in taken:
            number += 1
            derived = f"{base}_{number}"
        if derived != name:
            return name
        numbers[base] = number
        taken.add(derived)
    return None


def routed(block: Block) -> Iterator[tuple[Node, Node]]:
    """Each DECISION that directly follows an effect, with the effect: it derives `<effect>.route` and its options."""
    before: Node | None = None
    for statement in block:
        current = None if isinstance(statement, Exit | Go | Flow) else statement.node
        if current is not None and isinstance(current.action, Decision) and before is not None and _is_effect(before):
            yield current, before
        before = current
        for inner in children(statement):
            yield from routed(inner)


def _in_order(block: Block) -> Iterator[tuple[Node, str]]:
    before: Node | None = None
    for statement in block:
        if isinstance(statement, Exit | Go):
            continue
        if isinstance(statement, Flow):
            before = None
        else:
            node = statement.node
            follows = isinstance(node.action, Decision) and before is not None and _is_effect(before)
            yield node, f"{before.id}{_ROUTE}" if follows and before is not None else base_name(node)
            before = node
        for inner in children(statement):
            yield from _in_order(inner)


def _is_effect(node: Node) -> bool:
    return isinstance(node.action, Call | Wait | Start | Loop | Parallel | Try)
