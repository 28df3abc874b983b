"""What came of a run, in a form that two roads can be compared by: exact types, order, errors with their chain, calls."""

from dataclasses import dataclass, field, is_dataclass, replace
from enum import Enum
from typing import Any

from pydantic import BaseModel

__all__ = ["Outcome", "differences", "error_shape", "shape"]


def shape(value: object) -> object:
    """A value with its exact type and the order of its dicts, comparable and printable."""
    kind = type(value)
    name = getattr(kind, "__ruvon_view_of__", kind).__qualname__
    match value:
        case BaseModel():
            fields = [(key, shape(item)) for key, item in value.__dict__.items()]
            extra = [(key, shape(item)) for key, item in (value.__pydantic_extra__ or {}).items()]
            return (_class_name(value), fields, extra)
        case dict():
            return (name, [(shape(key), shape(item)) for key, item in value.items()])
        case list() | tuple():
            return (name, [shape(item) for item in value])
        case set() | frozenset():
            return (name, sorted((shape(item) for item in value), key=repr))
        case Enum():
            return (name, value.name)
        case BaseException():
            return error_shape(value)
        case _ if is_dataclass(value):
            names = getattr(kind, "__dataclass_fields__", {})
            return (name, [(key, shape(getattr(value, key))) for key in names])
        case _:
            return (name, repr(value))


def _class_name(value: BaseModel) -> str:
    """A view of a model is a class of its own, below the author's class."""
    found = type(value)
    while found.__name__.endswith("View") and len(found.__mro__) > 1:
        found = found.__mro__[1]
    return found.__qualname__


def error_shape(error: BaseException | None) -> object:
    """Class, message, arguments and chain of an error."""
    if error is None:
        return None
    return (type(error).__qualname__, str(error), [shape(item) for item in error.args], error_shape(error.__cause__))


@dataclass
class Outcome:
    """How a run ended and what it did."""

    end: str
    state: object
    result: object
    error: object
    calls: list[list[str]]
    """The calls of each sequence, in order; the sequences are sorted, because their names differ between the roads."""
    undone: list[str]
    """Every call of a compensation, in order."""
    commits: int = 0
    repeated: list[str] = field(default_factory=list[str])
    """Calls of activations that had been committed before; must be empty."""
    late: bool = False
    """A call took long enough to time out; if that is lost before it is recorded, the repetition may be in time."""


def differences(left: Outcome, right: Outcome, *, repeats: bool = False) -> list[str]:
    """What two outcomes disagree about, as text; with `repeats` a compensation may have been called again."""
    names = ("end", "state", "result", "error", "undone", "calls")
    if repeats:
        left, right = (replace(item, undone=_once(item.undone)) for item in (left, right))
    pairs = [(name, getattr(left, name), getattr(right, name)) for name in names]
    return [_difference(name, one, two) for name, one, two in pairs if one != two]


def _more(one: list[Any], two: list[Any]) -> list[Any]:
    return [item for item in one if one.count(item) > two.count(item)]


def _once(undone: list[str]) -> list[str]:
    return [item for number, item in enumerate(undone) if number == 0 or undone[number - 1] != item]


def _difference(name: str, one: Any, two: Any) -> str:
    """The parts of two values that the other one does not have."""
    if name == "calls":
        one, two = _more(one, two), _more(two, one)
    if name == "state" and one[0] == two[0]:
        one, two = [item for item in one[1] if item not in two[1]], [item for item in two[1] if item not in one[1]]
    return f"{name}:\n   {one}\n   {two}"
