"""Where a compiled name lives: in the environment, or in a frame some levels out."""

from typing import Any, final

from ruvon.ir.expr._operators import Code

__all__ = ["Scopes"]


@final
class Scopes:
    """The comprehensions around a place, innermost last; each has the slots of its variables."""

    __slots__ = ("_levels",)

    def __init__(self, levels: tuple[dict[str, int], ...] = ()) -> None:
        self._levels = levels

    @property
    def in_loop(self) -> bool:
        """Whether the place can be reached many times in one evaluation."""
        return bool(self._levels)

    def inside(self, names: frozenset[str]) -> "Scopes":
        """The scopes inside a comprehension that binds these names."""
        return Scopes((*self._levels, {name: slot for slot, name in enumerate(sorted(names))}))

    def slot(self, name: str) -> int:
        """The slot of a variable of the innermost comprehension."""
        return self._levels[-1][name]

    def is_local(self, name: str) -> bool:
        """Whether a comprehension around the place binds the name."""
        return any(name in level for level in self._levels)

    def load(self, name: str) -> Code:
        """The closure that reads a name."""
        for out, level in enumerate(reversed(self._levels)):
            if name in level:
                return _local(level[name], out)
        return _outer(name)


def _outer(name: str) -> Code:
    def load(f: Any) -> Any:
        try:
            return f.names[name]
        except KeyError:
            raise NameError(f"name {name!r} is not defined", name=name) from None

    return load


def _local(slot: int, out: int) -> Code:
    match out:
        case 0:
            return lambda f: f.vars[slot]
        case 1:
            return lambda f: f.parent.vars[slot]
        case _:
            return _far(slot, out)


def _far(slot: int, out: int) -> Code:
    def load(f: Any) -> Any:
        for _ in range(out):
            f = f.parent
        return f.vars[slot]

    return load
