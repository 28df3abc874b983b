"""`dependencies`: from a partial order of steps to sequences and PARALLELs.

A step without `dependencies` depends on the one before it in the list; with it, on exactly the steps named. A *cut* is a
step that is comparable to every other one: all of them must precede or follow it. Cuts form a chain; what lies between
two cuts (and is no chain, else it would be cuts) becomes one PARALLEL with a branch per step, `after` holding the direct
dependencies inside. Cuts do not depend on how the steps are listed, so two listings of one order give one graph.

A DECISION whose targets name it as their only dependency forms one unit with them; the rules for the unit are those of
a step. Assumes checked items; guarantees that the units of the plan respect every dependency, or reports why not.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, final

from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._findings import Findings
from ruvon_dsl.yaml._tree import Block, Item, Jump

__all__ = ["MAX_DEPENDENT_STEPS", "Plan", "Unit", "has_dependencies", "plan"]

Label = Callable[[Item], str]
MAX_DEPENDENT_STEPS: Final = 1_000
"""Steps of one list that are ordered by dependencies; the order takes time and space that grow with the square."""


@final
@dataclass(slots=True)
class Unit:
    """A step, or a DECISION with the targets that depend on it alone."""

    index: int
    """Where it stands in the list."""
    item: Item
    targets: list[Item] = field(default_factory=list[Item])
    after: set[int] = field(default_factory=set[int])
    """The units it directly depends on, by index."""

    @property
    def items(self) -> list[Item]:
        """The step and its targets."""
        return [self.item, *self.targets]


@final
@dataclass(slots=True)
class Plan:
    """Cuts and stretches in the order in which they run; a stretch has two units or more."""

    sections: list[list[Unit]]

    @property
    def starts(self) -> dict[int, int]:
        """Where in the list each stretch begins (its first unit), with the stretch's number."""
        stretches = [section for section in self.sections if len(section) > 1]
        return {min(unit.index for unit in section): number for number, section in enumerate(stretches)}


def has_dependencies(block: Block) -> bool:
    """Whether a step of the list has the key `dependencies`."""
    return any(item.dependencies is not None for item in block.items)


def plan(block: Block, label: Label, found: Findings) -> Plan:
    """Order the steps of a list by their dependencies.

    Args:
        block: The list.
        label: The name of a step.
        found: Where unknown names, cycles and late targets are reported.

    Returns:
        The sections in order; where the dependencies are wrong, the steps one by one as they are listed.
    """
    if len(block.items) > MAX_DEPENDENT_STEPS:
        message = f"more than {MAX_DEPENDENT_STEPS:,} steps are ordered by `dependencies` in one list"
        found.error(codes.TOO_LARGE, message, block.span, "split the list into sub-workflows")
        return Plan([[Unit(index, item)] for index, item in enumerate(block.items)])
    places = {label(item): index for index, item in reversed(list(enumerate(block.items))) if label(item)}
    direct = [_direct(item, index, places, found) for index, item in enumerate(block.items)]
    owner, sound = _owners(block, label, places, direct, found)
    units = _units(block, direct, owner)
    order = _sorted(units, found)
    if order is None or not sound:
        return Plan([[Unit(index, item)] for index, item in enumerate(block.items)])
    return Plan(_sections(order, _ancestors(order)))


def _direct(item: Item, index: int, places: Mapping[str, int], found: Findings) -> set[int]:
    if item.dependencies is None:
        return {index - 1} if index else set()
    wanted: set[int] = set()
    for name in item.dependencies:
        place = places.get(name.text)
        if place is None:
            hint = found.closest(name.text, list(places), "dependencies name steps of the same list")
            found.error(
                codes.UNKNOWN_DEPENDENCY, f"there is no step `{name.text}` in this list to depend on", name.span, hint
            )
        else:
            wanted.add(place)
    return wanted


def _owners(
    block: Block, label: Label, places: Mapping[str, int], direct: list[set[int]], found: Findings
) -> tuple[dict[int, int], bool]:
    """For each target that belongs to a DECISION the DECISION's index, and whether all targets are sound."""
    owner: dict[int, int] = {}
    sound = True
    for index, item in enumerate(block.items):
        for exit_ in item.exits():
            place = places.get(exit_.target) if isinstance(exit_, Jump) else None
            if place is None or place == index or not isinstance(exit_, Jump):
                continue
            target = block.items[place]
            if target.dependencies is None or _precedes(place, index, direct):
                continue
            others = sorted(direct[place] - {index})
            if others or index not in direct[place]:
                sound = False
                names = ", ".join(f"`{label(block.items[other])}`" for other in others) or "other steps"
                found.error(
                    codes.LATE_TARGET,
                    f"`{label(target)}` is a route of `{label(item)}` and also waits for {names}",
                    exit_.span,
                    f"make `{label(item)}` depend on {names}, and `{label(target)}` on `{label(item)}` alone",
                )
            elif owner.get(place, index) == index:
                owner[place] = index
    return owner, sound


def _precedes(early: int, late: int, direct: list[set[int]]) -> bool:
    """Whether `late` depends on `early`, directly or not."""
    seen: set[int] = set()
    pending = [late]
    while pending:
        for index in direct[pending.pop()]:
            if index == early:
                return True
            if index not in seen:
                seen.add(index)
                pending.append(index)
    return False


def _units(block: Block, direct: list[set[int]], owner: Mapping[int, int]) -> list[Unit]:
    def root(index: int) -> int:
        seen: set[int] = set()
        while index in owner and index not in seen:
            seen.add(index)
            index = owner[index]
        return index

    units = {index: Unit(index, item) for index, item in enumerate(block.items) if root(index) == index}
    for index, item in enumerate(block.items):
        unit = units[root(index)]
        if unit.item is not item:
            unit.targets.append(item)
        unit.after |= {root(other) for other in direct[index]} - {unit.index}
    return list(units.values())


def _sorted(units: list[Unit], found: Findings) -> list[Unit] | None:
    """The units in an order that respects their dependencies, list order first; None for a cycle."""
    waiting = {unit.index: unit for unit in units}
    order: list[Unit] = []
    done: set[int] = set()
    while waiting:
        ready = next((unit for unit in waiting.values() if unit.after <= done), None)
        if ready is None:
            _report_cycle(waiting, found)
            return None
        order.append(ready)
        done.add(ready.index)
        del waiting[ready.index]
    return order


def _report_cycle(waiting: Mapping[int, Unit], found: Findings) -> None:
    path: list[int] = []
    index = next(iter(waiting))
    while index not in path:
        path.append(index)
        index = min(other for other in waiting[index].after if other in waiting)
    circle = path[path.index(index) :]
    names = [_name(waiting[place].item) for place in [*circle, circle[0]]]
    item = waiting[circle[0]].item
    span = item.dependencies[0].span if item.dependencies else item.span
    message = f"the dependencies run in a circle: {' needs '.join(names)}"
    found.error(codes.CYCLE, message, span, "take one of these dependencies out")


def _name(item: Item) -> str:
    return f"`{item.id or (item.name.text if item.name is not None else item.kind)}`"


def _ancestors(order: list[Unit]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for unit in order:
        found[unit.index] = set(unit.after).union(*(found[other] for other in unit.after))
    return found


def _sections(order: list[Unit], ancestors: Mapping[int, set[int]]) -> list[list[Unit]]:
    """Cuts alone, the units between them together, in list order."""
    descendants = {unit.index: 0 for unit in order}
    for unit in order:
        for other in ancestors[unit.index]:
            descendants[other] += 1
    sections: list[list[Unit]] = []
    stretch: list[Unit] = []
    for unit in order:
        if len(ancestors[unit.index]) + descendants[unit.index] == len(order) - 1:
            sections += [*_closed(stretch), [unit]]
            stretch = []
        else:
            stretch.append(unit)
    return [*sections, *_closed(stretch)]


def _closed(stretch: list[Unit]) -> Iterator[list[Unit]]:
    if stretch:
        yield sorted(stretch, key=lambda unit: unit.index)
