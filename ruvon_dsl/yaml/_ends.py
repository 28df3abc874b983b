"""ASSIGN, RETURN and FAIL."""

from ruvon.ir._nodes import Assign, AssignOperation, Fail, Return, Target
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._link import Missing
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._context import FileContext
from ruvon_dsl.yaml._graphs import Scope
from ruvon_dsl.yaml._tree import Item
from ruvon_dsl.yaml._values import ScalarNode

__all__ = ["lower_assigns", "lower_fail", "lower_return"]


def lower_assigns(context: FileContext, item: Item, following: Target, scope: Scope) -> None:
    """One ASSIGN node for each assignment of the step, in order."""
    for number, part in reversed(list(enumerate(item.assigns))):
        target = context.exprs.target(part.target) or e.Name("_")
        if part.operation is AssignOperation.SET:
            context.noted(part.target, target)
        expected = context.exprs.type_of_target(target, context.state) if part.operation.value == "set" else Missing
        value = context.exprs.value(part.value, expected)
        following = scope.add(
            part.id or item.id, Assign(target=target, value=value, operation=part.operation), following, item
        )
        if number == 0:
            return
    scope.add(item.id, Assign(target=e.Name("_"), value=e.Const(None)), following, item)


def lower_return(context: FileContext, item: Item, scope: Scope) -> Return:
    """A RETURN; a mapping is read as the workflow's result type where it ends the workflow."""
    node = item.fields.node("value")
    inside: Scope | None = scope
    while inside is not None and inside.kind in {"try", "loop"}:
        inside = inside.parent
    in_workflow = inside is not None and inside.kind == "workflow"
    return Return(value=None if node is None else context.exprs.value(node, context.result if in_workflow else Missing))


def lower_fail(context: FileContext, item: Item) -> Fail:
    """A FAIL: a class, a constructor call, or nothing to raise the handled error again."""
    node, message, cause = (item.fields.node(name) for name in ("error", "message", "cause"))
    error = _error(context, node) if isinstance(node, ScalarNode) else None
    if message is not None:
        text = context.exprs.value(message)
        if isinstance(error, e.Call) and not error.args and not error.keywords:
            error = e.Call(error.function, (text,), (), error.span)
        else:
            help_ = (
                "write `error: ClassName` beside it" if error is None else "write the text as an argument of the call"
            )
            context.found.error(
                codes.KEY_CLASH, "`message` is the argument of a class named by `error`", message.span, help_
            )
    return Fail(error=error, cause=context.exprs.bare(cause) if isinstance(cause, ScalarNode) else None)


def _error(context: FileContext, node: ScalarNode) -> Expr:
    error = context.exprs.bare(node)
    match error:
        case e.Ref():
            return e.Call(error, (), (), error.span)
        case e.Name() if context.names.opaque and error.id not in context.exprs.bound:
            return e.Call(error, (), (), error.span)
        case e.Const():
            if not context.found.failed:
                message = f"`{node.text}` is no error"
                context.found.error(
                    codes.BAD_VALUE, message, node.span, 'name an exception class, or call one: `Rejected("why")`'
                )
            return error
        case _:
            return error
