"""The frame of a function: what it binds, which branches it defines, which names it awaits too late."""

from collections.abc import Iterator

from ruvon.ir._spans import Span
from ruvon_dsl.python._context import BranchFunction, Frame
from ruvon_dsl.python._scopes import bound_names, statements_of, values_of
from ruvon_dsl.python._surface import Awaiting, Block, Dotted, Function

__all__ = ["frame_of"]


def frame_of(body: Block, parameters: dict[str, Span], outer: Frame | None) -> Frame:
    """The frame of a function with this body."""
    functions = [item for item in statements_of(body) if isinstance(item, Function)]
    bound = {**parameters, **bound_names(body)}
    for function in functions:
        bound.pop(function.name, None)
    frame = Frame(bound, outer)
    frame.branches = {function.name: BranchFunction(function) for function in functions}
    frame.body = body
    frame.late = frozenset(_late_awaits(body))
    return frame


def _late_awaits(body: Block) -> Iterator[str]:
    for statement in statements_of(body):
        for value in values_of(statement):
            if isinstance(value, Awaiting) and isinstance(value.value, Dotted):
                yield value.value.name
