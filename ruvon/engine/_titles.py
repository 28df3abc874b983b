"""What a node is called in errors that a body can see.

An error's text is part of what a workflow computes (`str(err)`), and under CPython nobody knows that the second call of
`charge` is the node `charge_2`. So errors name a node by what its id was derived from, unless the author named it.
"""

import re
from typing import Final

from ruvon.ir._nodes import Call, HumanSource, Node, Parallel, SignalSource, Start, Wait

__all__ = ["title_of"]

_CALL_BASES: Final = {"HTTP": "http", "AI_INFERENCE": "infer", "WASM": "wasm"}


def title_of(node: Node) -> str:
    """The name that an author's error message may hold: the given name, else the function's or construct's."""
    base = _base(node)
    if isinstance(node.action, Parallel) or base is None:
        return base or node.id
    return base if re.fullmatch(rf"{re.escape(base)}(_\d+)?", node.id) else node.id


def _base(node: Node) -> str | None:
    match node.action:
        case Call(function=str(path)):
            return re.split(r"[:.]", path)[-1]
        case Call(type=kind):
            return _CALL_BASES.get(kind, kind.lower())
        case Start(child=child):
            return child
        case Wait(source=HumanSource()):
            return "human"
        case Wait(source=SignalSource()):
            return "receive"
        case Parallel():
            return "gather"  # a block's name is a no-op under CPython, so its errors do not know it
        case _:
            return None
