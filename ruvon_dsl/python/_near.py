"""Names that an author may have meant by one that is not there."""

from collections.abc import Callable, Collection
from difflib import get_close_matches
from types import ModuleType

from ruvon_dsl._link import ChildTarget, Missing, StepTarget, describe
from ruvon_dsl.python._context import Unit

__all__ = ["near_class", "near_work"]


def near_work(unit: Unit, name: str) -> str | None:
    """The step, workflow, block or waiting function whose name is nearest to `name`."""
    return _near(unit, name, _is_work)


def near_class(unit: Unit, name: str) -> str | None:
    """The class whose name is nearest to `name`."""
    return _near(unit, name, lambda value: isinstance(value, type))


def _near(unit: Unit, name: str, fits: Callable[[object], bool]) -> str | None:
    head, _, tail = name.rpartition(".")
    known = [item for item in _names(unit, head) if _fits(unit, f"{head}.{item}" if head else item, fits)]
    found = get_close_matches(tail, known, 1)
    return f"{head}.{found[0]}" if found and head else found[0] if found else None


def _names(unit: Unit, head: str) -> Collection[str]:
    """The names beside which `head` looks: those of a module that it names, or those of this module."""
    if unit.lookup is None:
        return [] if head else [*unit.names.declared, *unit.names.imports]
    if head:
        owner = unit.lookup(head)
        return vars(owner).keys() if isinstance(owner, ModuleType) else ()
    listed: Callable[[], Collection[str]] | None = getattr(unit.lookup, "names", None)
    return () if listed is None else listed()


def _fits(unit: Unit, name: str, fits: Callable[[object], bool]) -> bool:
    if unit.lookup is None:
        return True
    found = unit.lookup(name)
    return found is not Missing and fits(found)


def _is_work(value: object) -> bool:
    if isinstance(describe(value), StepTarget | ChildTarget):
        return True
    return callable(value) and not isinstance(value, type) and _is_ours(getattr(value, "__module__", None))


def _is_ours(module: object) -> bool:
    return isinstance(module, str) and module.partition(".")[0] == "ruvon"
