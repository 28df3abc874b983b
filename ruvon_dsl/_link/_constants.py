"""Python values as constant expressions: what a definition can hold of a module's constants."""

import dataclasses
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Final, cast
from uuid import UUID

from pydantic import BaseModel

from ruvon.ir._paths import canonical_path
from ruvon.ir._spans import Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr

__all__ = ["constant_expr"]

_VALUES: Final = (bool, int, float, str, bytes, Decimal, timedelta, datetime, date, time, UUID, type(None))


def constant_expr(value: object, span: Span | None = None) -> Expr | None:
    """The expression that stands for a constant, or None where a definition cannot hold it.

    Literals and value types are themselves, an enum member is an attribute of its class, a tuple, a range and a
    frozenset are rebuilt, a frozen model or dataclass is a call of its class with the fields that were set.
    """
    match value:
        case Enum():
            return _member(value, span)
        case datetime() | time() if value.tzinfo is not None and type(value.tzinfo) is not timezone:
            return None
        case None | bool() | int() | float() | str() | bytes() | Decimal() | timedelta() | date() | time() | UUID():
            return e.Const(value, span) if type(value) in _VALUES else None
        case tuple():
            items = cast("tuple[object, ...]", value)
            return _sequence(items, span) if type(items) is tuple else None
        case frozenset():
            inner = _sequence(tuple(sorted(cast("frozenset[object]", value), key=repr)), span)
            return None if inner is None else e.Call(e.Name("frozenset", span), (inner,), (), span)
        case range():
            bounds = (value.start, value.stop, value.step)
            return e.Call(e.Name("range", span), tuple(e.Const(item, span) for item in bounds), (), span)
        case BaseModel():
            return _model(value, span)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return _dataclass(value, span)
        case _:
            return None


def _member(value: Enum, span: Span | None) -> Expr | None:
    path = canonical_path(type(value))
    name = getattr(value, "_name_", None)
    if path is None or not isinstance(name, str) or name not in type(value).__members__:
        return None
    return e.Attribute(e.Ref(path, span), name, span)


def _sequence(values: tuple[object, ...], span: Span | None) -> e.Tuple | None:
    items: list[Expr] = []
    for value in values:
        item = constant_expr(value, span)
        if item is None:
            return None
        items.append(item)
    return e.Tuple(tuple(items), span)


def _model(value: BaseModel, span: Span | None) -> Expr | None:
    fields = type(value).model_fields
    by_alias = any(info.validation_alias or info.alias for info in fields.values())
    if not value.model_config.get("frozen") or by_alias or value.model_extra:
        return None
    given = {name: getattr(value, name) for name in fields if name in value.model_fields_set}
    return _constructed(type(value), given, span)


def _dataclass(value: object, span: Span | None) -> Expr | None:
    parameters = getattr(type(value), "__dataclass_params__", None)
    if not getattr(parameters, "frozen", False) or not dataclasses.is_dataclass(value):
        return None
    given = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
    return _constructed(type(value), given, span)


def _constructed(cls: type, given: dict[str, object], span: Span | None) -> Expr | None:
    path = canonical_path(cls)
    if path is None:
        return None
    keywords: list[e.Keyword] = []
    for name, part in given.items():
        built = constant_expr(part, span)
        if built is None:
            return None
        keywords.append(e.Keyword(name, built))
    return e.Call(e.Ref(path, span), (), tuple(keywords), span)
