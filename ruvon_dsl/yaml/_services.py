"""HTTP, AI_INFERENCE and WASM: the fields of the request as `Call.config`, the rest as the options of every call."""

from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ruvon.ir._nodes import Call
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._link import CONFIG_TYPES, Missing
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._calls import options_of
from ruvon_dsl.yaml._check import Fields, check_fields
from ruvon_dsl.yaml._context import FileContext
from ruvon_dsl.yaml._findings import listed
from ruvon_dsl.yaml._keys import Key
from ruvon_dsl.yaml._keys_services import HTTP_CONFIG
from ruvon_dsl.yaml._tree import Item
from ruvon_dsl.yaml._values import Entry, MappingNode, ScalarNode, SequenceNode, YamlNode

__all__ = ["lower_http", "lower_model_call"]

_OTHER_WORDS: Final = {"status_code": "status"}
"""Documented words for parts of the answer that have another name here."""


def _config(context: FileContext, item: Item, *sources: Fields) -> dict[str, Expr]:
    """The fields that are given, in the order of the graph."""
    found: dict[str, Expr] = {}
    for name in CONFIG_TYPES[item.kind]:
        for fields in sources:
            node = fields.node(name)
            if node is not None and name not in found:
                found[name] = _field(context, fields, name, node)
    source = item.fields.node("input_source")
    if isinstance(source, ScalarNode):
        found["data"] = _input_source(context, source, clash="data" in found)
    return found


def _field(context: FileContext, fields: Fields, name: str, node: YamlNode) -> Expr:
    key = next(key for key in fields.table.keys if key.name == name)
    if key.choices:
        return _words(context, key, node)
    result = fields.node("output_model") if name == "default" else None
    written = context.types.read(result) if isinstance(result, ScalarNode) else None
    return context.exprs.value(node, Missing if written is None else written.annotation)


def _words(context: FileContext, key: Key, node: YamlNode) -> Expr:
    """A constant word, or a list of them, in its canonical spelling; expressions are left to the linker."""
    if isinstance(node, SequenceNode):
        return e.List(tuple(_words(context, key, part) for part in node.items), node.span)
    value = context.exprs.value(node)
    if not isinstance(value, e.Const):
        return value
    word = str(value.value).lower()
    if word not in key.choices:
        message = f"`{key.name}` is {value.value!r}, not one of {listed(key.choices)}"
        context.found.error(codes.WRONG_KIND, message, node.span, "write one of them")
    return e.Const(_OTHER_WORDS.get(word, word), node.span)


def _input_source(context: FileContext, node: ScalarNode, *, clash: bool) -> Expr:
    """`input_source: readings` is the state's field, as documented; everything else is an expression."""
    if clash:
        message = "`input_source` and `data` both say what the model gets"
        context.found.error(codes.KEY_CLASH, message, node.span, "keep one of them")
    names = node.text.split(".")
    plain = all(name.isidentifier() for name in names)
    if plain and names[0] not in {"state", *context.exprs.bound}:
        node = replace(node, text=f"state.{node.text}", source=())
    return context.exprs.bare(node)


def lower_http(context: FileContext, item: Item) -> Call:
    """A HTTP step, its request in the step or under `http_config`."""
    fields = item.fields
    inner = fields.node("http_config")
    sources = [fields]
    if isinstance(inner, MappingNode):
        grouped = check_fields(inner, HTTP_CONFIG, context.found)
        sources.append(grouped)
        _merge_grouped(context, fields, grouped)
        fields = _combined(fields, grouped)
    config = _config(context, item, *sources)
    if "url" not in config:
        context.found.error(codes.MISSING_KEY, f"`{item.id}` has no `url`", item.span, "add `url: https://...`")
    config.setdefault("method", e.Const("GET", item.span))
    config |= {name: _as_tuple(config[name]) for name in ("expect", "includes") if name in config}
    method = config["method"]
    if isinstance(method, e.Const) and isinstance(method.value, str):
        config["method"] = e.Const(method.value.upper(), method.span)
    return replace(options_of(context, fields, None), type="HTTP", config=MappingProxyType(config))


def _as_tuple(value: Expr) -> Expr:
    """A list or single constant as the tuple that Python writes: `[404]` and `404` are `(404,)`."""
    match value:
        case e.List(items=items, span=span):
            return e.Tuple(items, span)
        case e.Const(value=int() | str(), span=span):
            return e.Tuple((value,), span)
        case _:
            return value


def _merge_grouped(context: FileContext, outer: Fields, inner: Fields) -> None:
    for name, entry in inner.entries.items():
        if name in outer.entries:
            message = f"`{entry.key.text}` is given in the step and in its `http_config`"
            context.found.error(codes.KEY_CLASH, message, entry.key.span, "keep one of them")


def _combined(outer: Fields, inner: Fields) -> Fields:
    merged: dict[str, Entry] = {**inner.entries, **outer.entries}
    return replace(outer, entries=MappingProxyType(merged))


def lower_model_call(context: FileContext, item: Item) -> Call:
    """An AI_INFERENCE or WASM step."""
    call = options_of(context, item.fields, None)
    node = item.fields.node("timeout_ms")
    if isinstance(node, ScalarNode) and isinstance(node.value, int | float):
        if "timeout" in item.fields:
            context.found.error(
                codes.KEY_CLASH, "`timeout` and `timeout_ms` are one limit", node.span, "keep one of them"
            )
        call = replace(call, timeout_us=max(1, round(node.value * 1000)))
    config = _config(context, item, item.fields)
    return replace(call, type=item.kind, config=MappingProxyType(config))
