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
        self._next: dict[str, int] = {}
        """By base the number to try next: ids are never given back, so the numbers before it are taken for good."""

    def use(self, name: str) -> str:
        """A name the author gave; one that is taken already (which is reported elsewhere) gets a number."""
        if name in self._given:
            self._given.discard(name)
            return name
        return self.derive(name)

    def derive(self, base: str) -> str:
        """The base, or the base with the first free number behind it."""
        number = self._next.get(base, 1)
        name = base if number == 1 else f"{base}_{number}"
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._next[base] = number
        self._taken.add(name)
        return name


def variable_of(node: str, suffix: str) -> str:
    """The variable that belongs to a node: `<id>_result` with every character that no identifier holds made `_`."""
    cleaned = re.sub(r"\W", "_", f"{node}_{suffix}")
    return cleaned if cleaned.isidentifier() else f"_{cleaned}"
