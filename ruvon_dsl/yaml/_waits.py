"""SLEEP, RECEIVE and HUMAN_IN_LOOP, and who takes a person's answer (SEMANTICS 8.4)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from ruvon.ir._nodes import HumanSource, SignalSource, TimerSource, Wait
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._link import Missing, ParameterKind
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._calls import arguments_of, compensation_of_fields, declares_input, type_of
from ruvon_dsl.yaml._context import Callee, FileContext
from ruvon_dsl.yaml._graphs import Scope
from ruvon_dsl.yaml._tree import Item
from ruvon_dsl.yaml._values import ScalarNode

__all__ = ["lower_human", "lower_receive", "lower_sleep"]


def lower_sleep(context: FileContext, item: Item) -> Wait:
    """A timer: a span of time or a moment."""
    fields = item.fields
    duration, until = fields.node("duration"), fields.node("until")
    if (duration is None) == (until is None):
        has = "has both `duration` and `until`, which exclude each other" if until is not None else "has no `duration`"
        help_ = "keep one of them" if until is not None else "write `duration: 6h`, or `until:` with a moment"
        context.found.error(codes.KEY_CLASH, f"`{item.id}` {has}", item.span, help_)
    source = TimerSource(
        duration=None if duration is None else context.exprs.value(duration, timedelta),
        until=None if until is None else context.exprs.value(until, datetime),
    )
    return Wait(
        source=source,
        output=context.output(fields),
        compensation=compensation_of_fields(context, fields, None),
        merge=context.options.merge(fields),
    )


def lower_receive(context: FileContext, item: Item) -> Wait:
    """A typed message."""
    fields = item.fields
    key = fields.node("key")
    model = type_of(context, fields, "model")
    source = SignalSource(model=model or "object", key=None if key is None else context.exprs.value(key))
    timeout, on_timeout = _limits(context, item, _annotation(context, fields.node("model")))
    return Wait(
        source=source,
        output=context.output(fields),
        timeout=timeout,
        on_timeout=on_timeout,
        compensation=compensation_of_fields(context, fields, None),
        merge=context.options.merge(fields),
    )


def _annotation(context: FileContext, node: object) -> object:
    written = context.types.read(node) if isinstance(node, ScalarNode) else None
    return Missing if written is None else written.annotation


def _limits(context: FileContext, item: Item, expected: object) -> tuple[Expr | None, Expr | None]:
    fields = item.fields
    timeout, otherwise = fields.node("timeout"), fields.entry("on_timeout")
    limit = None if timeout is None else context.exprs.value(timeout, timedelta)
    if otherwise is None:
        return limit, None
    if limit is None:
        context.found.error(
            codes.KEY_CLASH, "`on_timeout` without a `timeout` is never used", otherwise.key.span, "add `timeout:`"
        )
    return limit, context.exprs.value(otherwise.value, expected)


def lower_human(context: FileContext, item: Item, scope: Scope, follower: Item | None) -> Wait:
    """A person's answer: the task, its form, and the functions that ask or take the answer."""
    fields, exprs = item.fields, context.exprs
    node = fields.node("function")
    callee = context.callee(node) if isinstance(node, ScalarNode) else None
    ask, answer = fields.node("ask"), fields.node("answer")
    taker = _taker(context, item, callee, follower, asks=ask is not None, answers=answer is not None)
    if isinstance(node, ScalarNode):
        if ask is not None or answer is not None:
            message = "`function` stands beside `ask` or `answer`, which say more exactly when it runs"
            context.found.error(codes.KEY_CLASH, message, node.span, "keep `ask` and `answer`")
        ask, answer = (node, None) if taker == "next" else (None, node)
    form_node = fields.node("form") or fields.node("input_model")
    form = type_of(context, fields, "form") or type_of(context, fields, "input_model")
    task = fields.node("task")
    show, role, assignee = (fields.node(name) for name in ("show", "role", "assignee"))
    source = HumanSource(
        task=e.Const(item.id, item.span) if task is None else exprs.value(task),
        form=form,
        required_input=tuple(text.text for text in fields.texts("required_input")),
        show=None if show is None else exprs.value(show),
        role=None if role is None else exprs.value(role),
        assignee=None if assignee is None else exprs.value(assignee),
        ask=_path(context, ask),
        ask_args=_arguments(context, item, ask, scope, "ask_inputs"),
        answer=_path(context, answer),
        answer_args=_arguments(context, item, answer, scope, "answer_inputs"),
        answer_to=taker,
    )
    timeout, on_timeout = _limits(context, item, _annotation(context, form_node))
    return Wait(
        source=source,
        output=context.output(fields),
        timeout=timeout,
        on_timeout=on_timeout,
        compensation=compensation_of_fields(context, fields, callee),
        merge=context.options.merge(fields),
    )


def _path(context: FileContext, node: object) -> str | None:
    if not isinstance(node, ScalarNode):
        return None
    callee = context.callee(node)
    return context.names.written(node.text) if callee is None else callee.path


def _arguments(context: FileContext, item: Item, node: object, scope: Scope, own: str) -> Mapping[str, Expr]:
    """The arguments of `ask` or `answer`; what the answer gives need not stand among them.

    They stand under the key of the function's own (`ask_inputs`), or under `inputs` where there is one function.
    """
    fields = item.fields
    if not isinstance(node, ScalarNode):
        if own in fields:
            message = f"`{own}` stands without `{own.partition('_')[0]}`"
            context.found.error(codes.KEY_CLASH, message, fields.span_of(own), "name the function, or write `inputs`")
        return MappingProxyType({})
    callee = context.callee(node)
    key = own if own in fields else "inputs"
    if callee is not None and not declares_input(item, callee) and fields.node(key) is None:
        return MappingProxyType({"state": e.Name("state", node.span)} if callee.takes_state else {})
    return MappingProxyType(dict(arguments_of(context, item, callee, scope, node, key=key)))


def _taker(
    context: FileContext, item: Item, callee: Callee | None, follower: Item | None, *, asks: bool, answers: bool
) -> str:
    """`self` or `next`, as stated or derived.

    Self, where the step declares an input or has no function; else next, where the following step declares one or the
    function cannot receive input; else self.
    """
    stated = item.fields.choice("answer_to")
    if stated is not None:
        return stated
    if item.fields.node("function") is None:
        return "next" if asks and not answers and not declares_input(item, None) else "self"
    if declares_input(item, callee) or _named_inputs(callee):
        return "self"
    if follower is not None and _follower_declares(context, follower):
        return "next"
    return "next" if callee is not None and not _open_ended(callee) else "self"


def _follower_declares(context: FileContext, follower: Item) -> bool:
    node = follower.fields.node("function")
    callee = context.callee(node) if isinstance(node, ScalarNode) else None
    return declares_input(follower, callee)


def _named_inputs(callee: Callee | None) -> bool:
    """Whether the function has named parameters beyond state and context."""
    if callee is None:
        return False
    variable = {ParameterKind.VAR_KEYWORD, ParameterKind.VAR_POSITIONAL}
    return any(parameter.name != "state" and parameter.kind not in variable for parameter in callee.parameters)


def _open_ended(callee: Callee) -> bool:
    """Whether the function can receive input it does not name (`**inputs`)."""
    return any(parameter.kind is ParameterKind.VAR_KEYWORD for parameter in callee.parameters)
