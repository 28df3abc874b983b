"""Definitions as JSON: one exact tree, its canonical bytes, and the digest that names a definition.

The tree is derived from the node classes themselves, so a field cannot be forgotten: a dataclass is an object of all
its fields with defaults written out, an enum its value, an expression its canonical text, a member of a union an object
with its `kind`. The canonical bytes sort every key and carry only what changes behaviour; `dump` adds what people want
to see (descriptions, positions, contracts, schemas) in a part of its own that takes no part in the digest.

Loading is strict: an unknown key, a wrong type or a later `ir_version` is an `IRError` that says where.
"""

import dataclasses
import hashlib
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from typing import Any, Final, cast

import orjson

from ruvon.ir import _nodes as nodes
from ruvon.ir._errors import IRError
from ruvon.ir._nodes import Definition, Display, Graph, Loop, Node, Parallel, Try
from ruvon.ir._spans import Position, Span
from ruvon.ir.expr import Expr, ExpressionError, parse, print_expr

__all__ = ["canonical_json", "digest", "dump", "from_tree", "graphs_of", "load", "to_tree", "walk_nodes"]

FORMAT: Final = "ruvon-definition"

KINDS: Final[Mapping[str, type]] = {
    "call": nodes.Call,
    "wait": nodes.Wait,
    "start": nodes.Start,
    "assign": nodes.Assign,
    "decision": nodes.Decision,
    "loop": nodes.Loop,
    "parallel": nodes.Parallel,
    "try": nodes.Try,
    "return": nodes.Return,
    "fail": nodes.Fail,
    "timer": nodes.TimerSource,
    "signal": nodes.SignalSource,
    "human": nodes.HumanSource,
}
_KIND_OF: Mapping[type, str] = {cls: kind for kind, cls in KINDS.items()}
_EXPR_CLASSES: Final[frozenset[type]] = frozenset(typing.get_args(Expr))
_LEAVES: Final[frozenset[type]] = frozenset({str, int, bool, float, type(None)})
_CONTRACTS: Final = Mapping[str, nodes.Contract]
_UNIONS: Final[Mapping[object, tuple[type, ...]]] = {
    nodes.Action: typing.get_args(nodes.Action),
    nodes.WaitSource: typing.get_args(nodes.WaitSource),
}


# --- tree out ---------------------------------------------------------------------------------------------------------


def to_tree(definition: Definition) -> dict[str, object]:
    """The digested part of a definition as plain JSON values, every default written out."""
    return cast("dict[str, object]", _plain(definition))


def canonical_json(definition: Definition) -> bytes:
    """The canonical bytes: `to_tree` with sorted keys and no spaces. Equal definitions have equal bytes."""
    return orjson.dumps(to_tree(definition), option=orjson.OPT_SORT_KEYS)


def digest(definition: Definition) -> bytes:
    """SHA-256 of the canonical bytes: 32 bytes that name the definition."""
    return hashlib.sha256(canonical_json(definition)).digest()


def _plain(value: object) -> object:
    cls = type(value)
    if cls in _LEAVES:
        return value
    if cls in _EXPR_CLASSES:
        return print_expr(cast("Expr", value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        tree: dict[str, object] = {"kind": _KIND_OF[cls]} if cls in _KIND_OF else {}
        for name, is_float in _digested_fields(cls).items():
            item = getattr(value, name)
            tree[name] = float(item) if is_float else _plain(item)
        return tree
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in cast("Mapping[str, object]", value).items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in cast("tuple[object, ...]", value)]
    return value


@cache
def _digested_fields(cls: type) -> Mapping[str, bool]:
    """The fields that are part of the digest, each with whether it is a float (`2` and `2.0` are one value there)."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] is float for field in dataclasses.fields(cls) if field.compare}


# --- file form --------------------------------------------------------------------------------------------------------


def dump(definition: Definition, *, indent: bool = False) -> bytes:
    """The file form: the digested tree, the digest as text, and beside them what is for people and for checks."""
    tree = {
        "format": FORMAT,
        "digest": digest(definition).hex(),
        "definition": to_tree(definition),
        "beside": {
            "description": definition.description,
            "tags": list(definition.tags),
            "owner": definition.owner,
            "contracts": {path: _plain(item) for path, item in sorted(definition.contracts.items())},
            "schemas": dict(sorted(definition.schemas.items())),
            "display": {node.id: shown for node in walk_nodes(definition.graph) if (shown := _display(node.display))},
        },
    }
    return orjson.dumps(tree, option=orjson.OPT_SORT_KEYS | (orjson.OPT_INDENT_2 if indent else 0))


def load(data: bytes | str) -> Definition:
    """Read the file form back.

    Raises:
        IRError: the text is not a definition, was made by a later version, or does not have the digest it claims.
    """
    try:
        tree = _object(orjson.loads(data), "the file")
        if tree.get("format") != FORMAT:
            raise IRError([f'this is not a Ruvon definition: `"format": "{FORMAT}"` is missing'])
        beside = _object(tree.get("beside") or {}, "beside")
        definition = from_tree(tree.get("definition"), display=_object(beside.get("display") or {}, "display"))
        contracts = cast("Mapping[str, nodes.Contract]", _build(_CONTRACTS, beside.get("contracts") or {}, "contracts"))
        schemas = cast("Mapping[str, Mapping[str, object]]", _object(beside.get("schemas") or {}, "schemas"))
        definition = dataclasses.replace(
            definition,
            contracts=contracts,
            schemas=types.MappingProxyType(schemas),
            description=_build(str | None, beside.get("description"), "description"),
            tags=_build(tuple[str, ...], beside.get("tags") or [], "tags"),
            owner=_build(str | None, beside.get("owner"), "owner"),
        )
    except orjson.JSONDecodeError as exc:
        raise IRError([f"this is not JSON: {exc}"]) from None
    except _MismatchError as exc:
        raise IRError([str(exc)]) from None
    claimed = tree.get("digest")
    if claimed is not None and digest(definition).hex() != claimed:
        raise IRError([f"the definition was changed after it was written: it does not have the digest {claimed}"])
    return definition


def _display(display: Display) -> dict[str, object]:
    shown: dict[str, object] = {}
    if display.source is not None:
        start, end = display.source.start, display.source.end
        shown["source"] = [display.source.file, start.line, start.column, end.line, end.column]
    for name in ("description", "prompt"):
        if (text := getattr(display, name)) is not None:
            shown[name] = text
    if display.tags:
        shown["tags"] = list(display.tags)
    return shown


def _display_from(tree: dict[str, object], where: str) -> Display:
    source: tuple[str, int, int, int, int] | None = None
    if tree.get("source") is not None:
        source = _build(tuple[str, int, int, int, int], tree["source"], f"{where}.source")
    return Display(
        source=Span(source[0], Position(source[1], source[2]), Position(source[3], source[4])) if source else None,
        description=_build(str | None, tree.get("description"), f"{where}.description"),
        prompt=_build(str | None, tree.get("prompt"), f"{where}.prompt"),
        tags=_build(tuple[str, ...], tree.get("tags") or [], f"{where}.tags"),
    )


# --- tree in ----------------------------------------------------------------------------------------------------------


class _MismatchError(Exception):
    """A tree does not have the shape of a definition; the text says where."""


def from_tree(tree: object, *, display: Mapping[str, object] | None = None) -> Definition:
    """Build a definition from its tree.

    Raises:
        IRError: the tree does not have the shape of a definition.
    """
    try:
        version = _object(tree, "definition").get("ir_version")
        if isinstance(version, int) and version > nodes.IR_VERSION:
            known = nodes.IR_VERSION
            raise IRError([f"the definition has ir_version {version}; this Ruvon reads up to {known}: upgrade"])
        definition = cast("Definition", _build(Definition, tree, "definition"))
        if display:
            shown = {name: _display_from(_object(item, name), name) for name, item in display.items()}
            definition = dataclasses.replace(definition, graph=_with_display(definition.graph, shown))
    except _MismatchError as exc:
        raise IRError([str(exc)]) from None
    return definition


def _object(tree: object, where: str) -> dict[str, object]:
    if not isinstance(tree, dict):
        raise _MismatchError(f"{where}: an object is expected")
    return cast("dict[str, object]", tree)


def is_expression_hint(hint: object) -> bool:
    """Whether a field's type is an expression (the union of all its node classes)."""
    return hint == Expr


def _build(hint: object, tree: object, where: str) -> Any:
    return _builder(hint)(tree, where)


@cache
def _builder(hint: object) -> Callable[[object, str], object]:
    if is_expression_hint(hint):
        return _build_expr
    for union, members in _UNIONS.items():
        if hint == union:
            return _union_builder(members)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _optional_builder(args)
    if origin is tuple:
        return _tuple_builder(args)
    if origin is typing.Literal:
        return _literal_builder(args)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping_builder(args[1])
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _dataclass_builder(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum_builder(hint)
    return _scalar_builder(cast("type", hint))


def _build_expr(tree: object, where: str) -> object:
    if not isinstance(tree, str):
        raise _MismatchError(f"{where}: an expression is a text, not {type(tree).__name__}")
    try:
        return parse(tree, file=where)
    except ExpressionError as exc:
        raise _MismatchError(f"{where}: {exc}") from None


def _union_builder(members: tuple[type, ...]) -> Callable[[object, str], object]:
    by_kind = {_KIND_OF[member]: member for member in members}

    def build(tree: object, where: str) -> object:
        items = _object(tree, where)
        kind = items.get("kind")
        if not isinstance(kind, str) or kind not in by_kind:
            raise _MismatchError(f"{where}: `kind` is {kind!r}, expected one of {', '.join(sorted(by_kind))}")
        return _build(by_kind[kind], {key: item for key, item in items.items() if key != "kind"}, where)

    return build


def _optional_builder(args: tuple[object, ...]) -> Callable[[object, str], object]:
    members = [arg for arg in args if arg is not type(None)]
    inner = Expr if set(members) == set(_EXPR_CLASSES) else members[0]
    build_inner = _builder(inner)
    return lambda tree, where: None if tree is None else build_inner(tree, where)


def _tuple_builder(args: tuple[object, ...]) -> Callable[[object, str], object]:
    variadic = len(args) == 2 and args[1] is Ellipsis

    def build(tree: object, where: str) -> object:
        items = cast("list[object]", tree) if isinstance(tree, list) else None
        if items is None or not (variadic or len(items) == len(args)):
            raise _MismatchError(f"{where}: a list is expected")
        hints = [args[0]] * len(items) if variadic else list(args)
        pairs = zip(hints, items, strict=True)
        return tuple(_build(hint, item, f"{where}[{i}]") for i, (hint, item) in enumerate(pairs))

    return build


def _literal_builder(args: tuple[object, ...]) -> Callable[[object, str], object]:
    def build(tree: object, where: str) -> object:
        if tree not in args:
            raise _MismatchError(f"{where}: {tree!r} is none of {args}")
        return tree

    return build


def _mapping_builder(value_hint: object) -> Callable[[object, str], object]:
    def build(tree: object, where: str) -> object:
        items = _object(tree, where)
        return types.MappingProxyType({key: _build(value_hint, item, f"{where}.{key}") for key, item in items.items()})

    return build


def _dataclass_builder(cls: type) -> Callable[[object, str], object]:
    hints = typing.get_type_hints(cls)
    names = _digested_fields(cls)
    # A plain default means that an older file may lack the field; a factory or no default means that it is always there.
    required = {f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING and f.compare}

    def build(tree: object, where: str) -> object:
        items = _object(tree, where)
        if unknown := sorted(items.keys() - set(names)):
            raise _MismatchError(f"{where}: unknown field `{unknown[0]}`")
        if missing := sorted(required - items.keys()):
            raise _MismatchError(f"{where}: the field `{missing[0]}` is missing")
        return cls(**{name: _build(hints[name], item, f"{where}.{name}") for name, item in items.items()})

    return build


def _enum_builder(cls: type[Enum]) -> Callable[[object, str], object]:
    def build(tree: object, where: str) -> object:
        try:
            return cls(tree)
        except ValueError:
            raise _MismatchError(f"{where}: {tree!r} is none of {[item.value for item in cls]}") from None

    return build


def _scalar_builder(cls: type) -> Callable[[object, str], object]:
    def build(tree: object, where: str) -> object:
        if cls is object:
            return tree
        fits = type(tree) is cls or (cls is float and type(tree) is int)
        if not fits:
            raise _MismatchError(f"{where}: {cls.__name__} is expected, not {type(tree).__name__}")
        return float(cast("int", tree)) if cls is float else tree

    return build


# --- walks ------------------------------------------------------------------------------------------------------------


def graphs_of(node: Node) -> tuple[tuple[str, Graph], ...]:
    """The graphs nested in a node, each with the name of its part (`body`, `finally`, a branch label, ...)."""
    match node.action:
        case Loop(body=body):
            return (("body", body),)
        case Parallel(branches=branches, body=body):
            return (*((branch.label, branch.graph) for branch in branches), *((("body", body),) if body else ()))
        case Try(body=body, handlers=handlers, final=final):
            parts = [("body", body), *((f"except {i}", handler.graph) for i, handler in enumerate(handlers))]
            return (*parts, *((("finally", final),) if final else ()))
        case _:
            return ()


def walk_nodes(graph: Graph) -> list[Node]:
    """All nodes of a graph and of the graphs nested in it, each before the nodes inside it."""
    found: list[Node] = []
    for node in graph.nodes.values():
        found.append(node)
        for _, inner in graphs_of(node):
            found.extend(walk_nodes(inner))
    return found


def _with_display(graph: Graph, shown: Mapping[str, Display]) -> Graph:
    found = {name: _node_with_display(node, shown) for name, node in graph.nodes.items()}
    return dataclasses.replace(graph, nodes=found)


def _node_with_display(node: Node, shown: Mapping[str, Display]) -> Node:
    action = node.action
    match action:
        case Loop(body=body):
            action = dataclasses.replace(action, body=_with_display(body, shown))
        case Parallel(branches=branches, body=body):
            action = dataclasses.replace(
                action,
                branches=tuple(dataclasses.replace(b, graph=_with_display(b.graph, shown)) for b in branches),
                body=_with_display(body, shown) if body else None,
            )
        case Try(body=body, handlers=handlers, final=final):
            action = dataclasses.replace(
                action,
                body=_with_display(body, shown),
                handlers=tuple(dataclasses.replace(h, graph=_with_display(h.graph, shown)) for h in handlers),
                final=_with_display(final, shown) if final else None,
            )
        case _:
            pass
    return dataclasses.replace(node, action=action, display=shown.get(node.id, node.display))
