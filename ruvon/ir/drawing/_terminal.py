"""The drawing as plain text for a terminal: reading order from top to bottom, arms of a decision indented below it.

A node is written where it is first reached; every later arrow to it is `→ name`. An arm that only one edge leads to is
written out below that edge, so that a structured workflow reads like its source.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from ruvon.ir._nodes import Definition
from ruvon.ir.drawing._picture import Box, Edge, Picture, Shape, picture

__all__ = ["to_terminal"]

_SIGNS: Final[dict[Shape, str]] = {
    "start": "●",
    "end": "◎",
    "exit": "↪",
    "step": "■",
    "wait": "◷",
    "child": "▣",
    "assign": "≔",
    "decision": "◆",
    "stop": "✖",
    "compound": "▤",
}


def to_terminal(definition: Definition) -> str:
    """Draw a definition as text; lines are not wrapped and carry no colour."""
    head = f"{definition.workflow_type} {definition.workflow_version}"
    return "\n".join([head, *_Outline(picture(definition)).lines("")]) + "\n"


class _Outline:
    """Writes one picture; remembers which boxes stand already."""

    def __init__(self, drawn: Picture) -> None:
        self._picture = drawn
        self._boxes = {box.id: box for box in drawn.boxes}
        self._incoming = Counter(edge.target for edge in drawn.edges)
        self._outgoing: dict[str, list[Edge]] = {}
        for edge in drawn.edges:
            self._outgoing.setdefault(edge.source, []).append(edge)
        self._written: set[str] = set()

    def lines(self, pad: str) -> Iterator[str]:
        for box in self._picture.boxes:
            mark = not box.kind and box.shape != "start"
            if box.id not in self._written and not mark:
                yield from self._chain(box, pad)

    def _chain(self, box: Box, pad: str) -> Iterator[str]:
        """A box and what follows it on a straight line."""
        current: Box | None = box
        while current is not None:
            self._written.add(current.id)
            yield from self._box(current, pad)
            edges = self._outgoing.get(current.id, [])
            current = None
            if len(edges) == 1:
                target = self._boxes[edges[0].target]
                if self._stands_alone(target):
                    current = target
                else:
                    yield f"{pad}└→ {_name(target)}"
            elif edges:
                yield from self._arms(edges, pad)

    def _arms(self, edges: list[Edge], pad: str) -> Iterator[str]:
        for index, edge in enumerate(edges):
            last = index == len(edges) - 1
            corner, below = ("└", "   ") if last else ("├", "│  ")
            target = self._boxes[edge.target]
            if self._stands_alone(target):
                yield f"{pad}{corner}─ {edge.text}"
                yield from self._chain(target, pad + below)
            else:
                yield f"{pad}{corner}─ {edge.text} → {_name(target)}"

    def _stands_alone(self, box: Box) -> bool:
        """Whether this arrow is the only one to the box, which has not been written yet; marks always are."""
        mark = not box.kind
        return mark or (box.id not in self._written and self._incoming[box.id] == 1)

    def _box(self, box: Box, pad: str) -> Iterator[str]:
        words = [box.title or "start", box.kind, box.detail]
        yield f"{pad}{_SIGNS[box.shape]} {'  '.join(word for word in words if word)}"
        for part in box.parts:
            yield f"{pad}│ {part.title}:"
            yield from _Outline(part.picture).lines(pad + "│   ")


def _name(box: Box) -> str:
    return box.title or "start"
