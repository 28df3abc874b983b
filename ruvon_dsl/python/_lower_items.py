"""What a `for` binds: an item, or with `enumerate` an index and an item."""

from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr

__all__ = ["counted", "unbracketed"]


def counted(over: Expr, target: Expr) -> tuple[Expr, str | None, Expr]:
    """`for i, x in enumerate(xs)` as list, index and item; a target in brackets takes the pairs as they are."""
    match over, target:
        case (
            e.Call(function=e.Name(id="enumerate"), args=(items,), keywords=()),
            e.Tuple(items=(e.Name(id=index), item)),
        ):
            return items, index, unbracketed(item)
        case _:
            return over, None, unbracketed(target)


def unbracketed(target: Expr) -> Expr:
    """A target with tuples where it has brackets."""
    match target:
        case e.Tuple(items=items, span=span) | e.List(items=items, span=span):
            return e.Tuple(tuple(unbracketed(item) for item in items), span)
        case _:
            return target
