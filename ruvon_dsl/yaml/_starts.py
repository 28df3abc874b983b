"""SUB_WORKFLOW, FIRE_AND_FORGET and CRON_SCHEDULE."""

from typing import Final

from ruvon.ir._nodes import Start, StartMode
from ruvon.ir.expr._nodes import Expr
from ruvon.ir.types import UnresolvedTypeError, type_text
from ruvon_dsl._link import Missing
from ruvon_dsl.yaml._calls import type_of
from ruvon_dsl.yaml._check import is_null
from ruvon_dsl.yaml._context import FileContext
from ruvon_dsl.yaml._tree import Item
from ruvon_dsl.yaml._values import ScalarNode

__all__ = ["lower_start"]

_MODES: Final = {
    "SUB_WORKFLOW": StartMode.AWAIT,
    "FIRE_AND_FORGET": StartMode.DETACH,
    "CRON_SCHEDULE": StartMode.SCHEDULE,
}


def lower_start(context: FileContext, item: Item) -> Start:
    """Start another workflow; its types are known where the file's modules declare it."""
    fields = item.fields
    written = fields.text("workflow_type") or ""
    child = context.names.child(written)
    retry = fields.entry("retry")
    data = fields.node("initial_data")
    takes = _takes(context, item, Missing if child is None else child.takes)
    if takes is not Missing:
        context.takes[item.id] = takes
    return Start(
        child=written if child is None else child.workflow_type,
        version=fields.text("version") or (None if child is None else child.version),
        data=None if data is None else context.exprs.value(data, takes),
        mode=_MODES[item.kind],
        output=context.output(fields),
        result=_result(context, item, Missing if child is None else child.gives),
        key=_value(context, item, "key"),
        cron=_value(context, item, "cron_expression"),
        timezone=_value(context, item, "timezone"),
        schedule_name=_value(context, item, "schedule_name"),
        overlap=fields.choice("overlap"),
        catch_up=fields.count("catch_up"),
        data_region=_value(context, item, "data_region"),
        retry=None if retry is None or is_null(retry.value) else context.options.retry(retry.value),
        timeout_us=context.options.duration(fields, "timeout"),
        merge=context.options.merge(fields),
    )


def _value(context: FileContext, item: Item, name: str) -> Expr | None:
    node = item.fields.node(name)
    return None if node is None else context.exprs.value(node)


def _takes(context: FileContext, item: Item, declared: object) -> object:
    """The class of the child's initial state: as written, or as the child declares it."""
    node = item.fields.node("takes")
    written = context.types.read(node) if isinstance(node, ScalarNode) else None
    return declared if written is None else written.annotation


def _result(context: FileContext, item: Item, gives: object) -> str | None:
    """The type of an awaited child's result: as written, or as the child declares it."""
    written = type_of(context, item.fields, "output_model")
    if written is not None or gives is Missing or gives is None or item.kind != "SUB_WORKFLOW":
        return written
    try:
        return type_text(gives)
    except UnresolvedTypeError:
        return None
