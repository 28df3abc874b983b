"""Ids of nodes: given names first, then derived ones in source order, every one unique in the definition."""

import re
from collections.abc import Iterable
from typing import final

from ruvon.ir._nodes import RESERVED_TARGETS

__all__ = ["NodeNames", "variable_of"]


@final
class NodeNames:
    """Gives out ids; a name that is reserved, or given by the author, is never derived."""

    def __init__(self, given: Iterable[str]) -> None:
        self._given: set[str] = set(given)
        self._taken: set[str] = {*RESERVED_TARGETS, *self._given}

    def use(self, name: str) -> str:
        """A name the author gave; one that is taken already (which is reported elsewhere) gets a number."""
        if name in self._given:
            self._given.discard(name)
            return name
        return self.derive(name)

    def derive(self, base: str) -> str:
        """The base, or the base with the first free number behind it."""
        name = base
        number = 2
        while name in self._taken:
            name = f"{base}_{number}"
            number += 1
        self._taken.add(name)
        return name


def variable_of(node: str, suffix: str) -> str:
    """The variable that belongs to a node: `<id>_result` with every character that no identifier holds made `_`."""
    cleaned = re.sub(r"\W", "_", f"{node}_{suffix}")
    return cleaned if cleaned.isidentifier() else f"_{cleaned}"
