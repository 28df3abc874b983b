"""Programs that were made already, and which other types a definition starts."""

from typing import final

from ruvon.engine._program import Program
from ruvon.ir._canonical import walk_nodes
from ruvon.ir._nodes import Definition, Start

__all__ = ["ProgramCache", "child_types"]


@final
class ProgramCache:
    """Programs that were made already; engines over the same definitions and step types may share one."""

    __slots__ = ("by_definition", "by_digest", "learnt", "stored", "texts")

    def __init__(self) -> None:
        self.by_digest: dict[bytes, Program] = {}
        self.by_definition: dict[int, tuple[Definition, Program]] = {}
        """By the identity of the definition, which is kept with it so that the identity stays its own."""
        self.texts: dict[bytes, bytes] = {}
        """The stored text of each definition, by digest."""
        self.stored: dict[tuple[str, str | None], Definition] = {}
        """By type and version (None: the newest), definitions that were found in the store only."""
        self.learnt: set[bytes] = set()
        """Programs whose children were looked for in the store."""


def child_types(definition: Definition) -> list[tuple[str, str | None]]:
    """The types, with their pinned versions, that a definition starts."""
    return [
        (node.action.child, node.action.version)
        for node in walk_nodes(definition.graph)
        if isinstance(node.action, Start)
    ]
