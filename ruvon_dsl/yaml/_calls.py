"""Calls: functions, HTTP, models, modules and custom types, with their arguments and options."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ruvon.ir._nodes import Call, Compensation, RetryPolicy
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon.ir.types import type_text
from ruvon_dsl._link import Parameter, ParameterKind, bind_arguments
from ruvon_dsl.yaml._check import Fields, is_null
from ruvon_dsl.yaml._context import Callee, FileContext
from ruvon_dsl.yaml._graphs import Scope
from ruvon_dsl.yaml._tree import Item
from ruvon_dsl.yaml._values import MappingNode, ScalarNode

__all__ = [
    "arguments_of",
    "declares_input",
    "input_model_of",
    "lower_call",
    "lower_restart",
    "options_of",
    "type_of",
]

_BUILT_IN: Final = frozenset({"STANDARD", "ASYNC", "DECISION"})


def lower_call(context: FileContext, item: Item, scope: Scope) -> Call:
    """A STANDARD or ASYNC step, a DECISION's function, or a custom type."""
    node = item.fields.node("function")
    callee = context.callee(node) if isinstance(node, ScalarNode) else None
    builtin = item.kind in _BUILT_IN
    function: str | None = None
    args: Mapping[str, Expr] = {}
    if isinstance(node, ScalarNode):
        function = context.names.written(node.text) if callee is None else callee.path
    if not builtin:
        args = _custom_arguments(context, item)
    elif isinstance(node, ScalarNode):
        args = arguments_of(context, item, callee, scope, node)
    call = replace(
        options_of(context, item.fields, callee),
        type="STANDARD" if builtin else item.kind,
        function=function,
        args=MappingProxyType(args),
        config=MappingProxyType({} if builtin else _custom_config(context, item)),
    )
    if item.kind == "ASYNC" and call.queue is None and not item.fields.is_off("queue"):
        call = replace(call, queue="default")
    return call


def _custom_arguments(context: FileContext, item: Item) -> Mapping[str, Expr]:
    """What a custom type is called with: `inputs` as they stand, or the state; its function is the type's own affair."""
    given = item.fields.node("inputs")
    return context.exprs.values(given) if isinstance(given, MappingNode) else {"state": e.Name("state", item.span)}


def _custom_config(context: FileContext, item: Item) -> dict[str, Expr]:
    """The fields of a custom type: every key that is not one of the common ones."""
    common = {key.name for key in item.fields.table.keys if not key.doc.startswith("Field of ")}
    known = [entry for name, entry in item.fields.entries.items() if name not in common]
    return {entry.key.text: context.exprs.value(entry.value) for entry in (*known, *item.fields.extra)}


def arguments_of(
    context: FileContext, item: Item, callee: Callee | None, scope: Scope, where: ScalarNode, *, key: str = "inputs"
) -> Mapping[str, Expr]:
    """The arguments of a function by parameter name; the state and loop items are passed by themselves."""
    node = item.fields.node(key)
    given = node if isinstance(node, MappingNode) else None
    if callee is None:
        return {} if given is None else context.exprs.values(given)
    types = {parameter.name: parameter.annotation for parameter in callee.parameters}
    keywords = {} if given is None else context.exprs.values(given, types)
    if callee.takes_state and "state" not in keywords:
        keywords["state"] = e.Name("state", where.span)
    supplied = scope.supplied()
    for parameter in callee.parameters:
        if parameter.name not in keywords and parameter.required and parameter.name in supplied:
            keywords[parameter.name] = e.Name(parameter.name, where.span)
    if item.passes and given is None:
        keywords.update(_item_argument(callee, item.passes, keywords, where))
    if declares_input(item, callee):
        callee = replace(callee, parameters=tuple(_optional(parameter) for parameter in callee.parameters))
    args, found = bind_arguments(callee, [], keywords, where.span)
    context.found.extend(found)
    return args


def _item_argument(callee: Callee, name: str, given: Mapping[str, Expr], where: ScalarNode) -> dict[str, Expr]:
    """The item of a mapped PARALLEL as an argument of its task function: by its name, or as the first own parameter."""
    if name in given:
        return {}
    own = [parameter for parameter in callee.parameters if parameter.name not in {"state", *given}]
    named = [parameter.name for parameter in own if parameter.kind is not ParameterKind.VAR_KEYWORD]
    if not own:
        return {}
    chosen = name if name in named or not named else named[0]
    return {chosen: e.Name(name, where.span)}


def _optional(parameter: Parameter) -> Parameter:
    """The parameter as one that the step's input may give."""
    variable = parameter.kind in {ParameterKind.VAR_KEYWORD, ParameterKind.VAR_POSITIONAL}
    return parameter if variable else replace(parameter, required=False)


def declares_input(item: Item, callee: Callee | None) -> bool:
    """Whether a step takes input: by its keys, or by the declaration of its function."""
    fields = item.fields
    if any(fields.node(name) is not None for name in ("input_model", "required_input", "form")):
        return True
    return input_model_of(callee) is not None


def input_model_of(callee: Callee | None) -> object | None:
    """The input model that `@step(input_model=)` declares."""
    return None if callee is None else getattr(callee, "input_model", None)


def type_of(context: FileContext, fields: Fields, name: str) -> str | None:
    """The canonical text of a type that a key names; one that is missing stays as it is written, and is reported once."""
    node = fields.node(name)
    if not isinstance(node, ScalarNode):
        return None
    written, path = context.types.read(node), context.names.written(node.text)
    if written is None:
        return path if path in context.names.reported else None
    return written.text


def options_of(context: FileContext, fields: Fields, callee: Callee | None) -> Call:
    """The options of a call as resolved: the step's keys over the declaration over the file's defaults."""
    defaults, options = context.defaults, context.options
    declared = input_model_of(callee)
    model = type_of(context, fields, "input_model")
    return Call(
        output=context.output(fields),
        into=type_of(context, fields, "output_model"),
        queue=_queue(context, fields, callee),
        retry=_retry(context, fields, callee),
        timeout_us=options.duration(fields, "timeout", (callee.timeout_us if callee else None) or defaults.timeout_us),
        queue_timeout_us=options.duration(fields, "queue_timeout", defaults.queue_timeout_us),
        deadline_us=options.duration(fields, "deadline", defaults.deadline_us),
        compensation=compensation_of_fields(context, fields, callee),
        input_model=type_text(declared) if model is None and declared is not None else model,
        required_input=tuple(node.text for node in fields.texts("required_input")),
        merge=options.merge(fields),
        transaction=_transaction(fields, callee),
        concurrency_key=_concurrency_key(fields, callee),
    )


def _transaction(fields: Fields, callee: Callee | None) -> bool:
    given = fields.flag("transaction")
    return getattr(callee, "transaction", False) if given is None else given


def _concurrency_key(fields: Fields, callee: Callee | None) -> str | None:
    if fields.is_off("concurrency_key"):
        return None
    return fields.text("concurrency_key") or getattr(callee, "concurrency_key", None)


def _queue(context: FileContext, fields: Fields, callee: Callee | None) -> str | None:
    if fields.is_off("queue"):
        return None
    return fields.text("queue") or (callee.queue if callee else None) or context.defaults.queue


def _retry(context: FileContext, fields: Fields, callee: Callee | None) -> RetryPolicy | None:
    entry = fields.entry("retry")
    if entry is None:
        return (callee.retry if callee else None) or context.defaults.retry
    return None if is_null(entry.value) else context.options.retry(entry.value)


def compensation_of_fields(context: FileContext, fields: Fields, callee: Callee | None) -> Compensation | None:
    """The compensation that a key gives, switches off, or leaves to the function's declaration."""
    entry = fields.entry("compensate_function")
    if entry is None:
        return callee.compensation if callee else None
    return None if is_null(entry.value) else context.options.compensation(entry.value)


def lower_restart(context: FileContext, item: Item) -> Call:
    """Begin again with a new state."""
    node = item.fields.node("data")
    data = e.Const(None, item.span) if node is None else context.exprs.value(node, context.state)
    return Call(type="RESTART", config=MappingProxyType({"data": data}))
