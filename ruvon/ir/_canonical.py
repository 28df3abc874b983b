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
from functools import cache, lru_cache
from typing import Any, Final, TypeAlias, cast

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
    cls: type = type(value)
    if cls in _LEAVES:
        return value
    if cls in _EXPR_CLASSES:
        return print_expr(cast("Expr", value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        tree: dict[str, object] = {"kind": _KIND_OF[cls]} if cls in _KIND_OF else {}
        added = _added_fields(cls)
        for name, is_float in _digested_fields(cls).items():
            item = getattr(value, name)
            if name in added and item == added[name]:
                continue
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
def _hints(cls: type) -> Mapping[str, object]:
    return typing.get_type_hints(cls)


@cache
def _digested_fields(cls: type) -> Mapping[str, bool]:
    """The fields that are part of the digest, each with whether it is a float (`2` and `2.0` are one value there)."""
    hints = _hints(cls)
    return {field.name: hints[field.name] is float for field in dataclasses.fields(cls) if field.compare}


@cache
def _added_fields(cls: type) -> Mapping[str, object]:
    """The defaults of fields that are written only where they say something else."""
    return {field.name: field.default for field in dataclasses.fields(cls) if "left_out" in field.metadata}


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
        tree = _at("the file", _object, orjson.loads(data))
        if tree.get("format") != FORMAT:
            raise IRError([f'this is not a Ruvon definition: `"format": "{FORMAT}"` is missing'])
        beside = _at("beside", _object, tree.get("beside") or {})
        shown = _at("display", _object, beside.get("display") or {})
        definition = from_tree(tree.get("definition"), display=shown)
        contracts = cast(
            "Mapping[str, nodes.Contract]", _part(_CONTRACTS, beside, "contracts") or types.MappingProxyType({})
        )
        schemas = cast("Mapping[str, Mapping[str, object]]", _at("schemas", _object, beside.get("schemas") or {}))
        definition = dataclasses.replace(
            definition,
            contracts=contracts,
            schemas=types.MappingProxyType(schemas),
            description=_part(str | None, beside, "description"),
            tags=_part(tuple[str, ...], beside, "tags") or (),
            owner=_part(str | None, beside, "owner"),
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


def _display_from(tree: object) -> Display:
    items = _object(tree)
    if items.keys() <= {"source"}:  # nearly every one
        return Display(source=_at("source", _span_from, items.get("source")))
    return Display(
        source=_at("source", _span_from, items.get("source")),
        description=_part(str | None, items, "description"),
        prompt=_part(str | None, items, "prompt"),
        tags=_part(tuple[str, ...], items, "tags") or (),
    )


def _span_from(tree: object) -> Span | None:
    match tree:
        case None:
            return None
        case [str(file), int(line), int(column), int(end_line), int(end_column)]:
            return Span(file, Position(line, column), Position(end_line, end_column))
        case _:
            raise _MismatchError("a file and four numbers are expected")


# --- tree in ----------------------------------------------------------------------------------------------------------


class _MismatchError(Exception):
    """A tree does not have the shape of a definition; `path` says where, innermost part first."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        self.path: list[str] = []
        super().__init__(problem)

    def __str__(self) -> str:
        return f"{''.join(reversed(self.path)).removeprefix('.')}: {self.problem}"


_Builder: TypeAlias = Callable[[object], Any]
"""From a tree to a value."""


def from_tree(tree: object, *, display: Mapping[str, object] | None = None) -> Definition:
    """Build a definition from its tree.

    Raises:
        IRError: the tree does not have the shape of a definition.
    """
    try:
        version = _at("definition", _object, tree).get("ir_version")
        if isinstance(version, int) and version > nodes.IR_VERSION:
            known = nodes.IR_VERSION
            raise IRError([f"the definition has ir_version {version}; this Ruvon reads up to {known}: upgrade"])
        definition = cast("Definition", _at("definition", _builder(Definition), tree))
        if display:
            shown = {name: _at(name, _display_from, item) for name, item in display.items()}
            definition = dataclasses.replace(definition, graph=_with_display(definition.graph, shown))
    except _MismatchError as exc:
        raise IRError([str(exc)]) from None
    return definition


def _object(tree: object) -> dict[str, object]:
    if not isinstance(tree, dict):
        raise _MismatchError("an object is expected")
    return cast("dict[str, object]", tree)


def is_expression_hint(hint: object) -> bool:
    """Whether a field's type is an expression (the union of all its node classes)."""
    return hint == Expr


def _at(name: str, build: _Builder, tree: object) -> Any:
    """Build the part `name` of something."""
    try:
        return build(tree)
    except _MismatchError as exc:
        exc.path.append(f".{name}")
        raise


def _part(hint: object, items: Mapping[str, object], name: str) -> Any:
    """A part that may be missing."""
    return _at(name, _builder(hint), items[name]) if items.get(name) is not None else None


@cache
def _builder(hint: object) -> _Builder:
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


def _build_expr(tree: object) -> object:
    if not isinstance(tree, str):
        raise _MismatchError(f"an expression is a text, not {type(tree).__name__}")
    try:
        return _expression(tree)
    except ExpressionError as exc:
        raise _MismatchError(str(exc)) from None


@lru_cache(maxsize=4096)
def _expression(text: str) -> Expr:
    """A stored expression; expressions are values, so all that have one text may be one."""
    return parse(text, file="<definition>")


def _union_builder(members: tuple[type, ...]) -> _Builder:
    by_kind = {_KIND_OF[member]: member for member in members}

    def build(tree: object) -> object:
        items = _object(tree)
        kind = items.get("kind")
        if not isinstance(kind, str) or kind not in by_kind:
            raise _MismatchError(f"`kind` is {kind!r}, expected one of {', '.join(sorted(by_kind))}")
        return _builder(by_kind[kind])({key: item for key, item in items.items() if key != "kind"})

    return build


def _optional_builder(args: tuple[object, ...]) -> _Builder:
    members = [arg for arg in args if arg is not type(None)]
    build_inner = _builder(Expr if set(members) == set(_EXPR_CLASSES) else members[0])
    return lambda tree: None if tree is None else build_inner(tree)


def _tuple_builder(args: tuple[object, ...]) -> _Builder:
    variadic = len(args) == 2 and args[1] is Ellipsis
    builders = [_builder(args[0])] if variadic else [_builder(arg) for arg in args]

    def build(tree: object) -> object:
        items = cast("list[object]", tree) if isinstance(tree, list) else None
        if items is None or not (variadic or len(items) == len(args)):
            raise _MismatchError("a list is expected")
        found: list[object] = []
        try:
            for build_one, item in zip(builders * len(items) if variadic else builders, items, strict=True):
                found.append(build_one(item))
        except _MismatchError as exc:
            exc.path.append(f"[{len(found)}]")
            raise
        return tuple(found)

    return build


def _literal_builder(args: tuple[object, ...]) -> _Builder:
    def build(tree: object) -> object:
        if tree not in args:
            raise _MismatchError(f"{tree!r} is none of {args}")
        return tree

    return build


def _mapping_builder(value_hint: object) -> _Builder:
    build_one = _builder(value_hint)

    def build(tree: object) -> object:
        return types.MappingProxyType({key: _at(key, build_one, item) for key, item in _object(tree).items()})

    return build


def _dataclass_builder(cls: type) -> _Builder:
    names = frozenset(_digested_fields(cls))
    # A plain default means that an older file may lack the field; a factory or no default means that it is always there.
    required = {f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING and f.compare}
    builders: dict[str, _Builder] = {}

    def build(tree: object) -> object:
        items = _object(tree)
        if not builders:  # only now: a graph is a part of its own parts
            hints = _hints(cls)
            builders.update({name: _builder(hints[name]) for name in names})
        if not items.keys() <= names:
            raise _MismatchError(f"unknown field `{min(items.keys() - names)}`")
        if len(items) < len(names) and (missing := sorted(required - items.keys())):
            raise _MismatchError(f"the field `{missing[0]}` is missing")
        made: dict[str, object] = {}
        name = ""
        try:
            for name, item in items.items():
                made[name] = builders[name](item)
        except _MismatchError as exc:
            exc.path.append(f".{name}")
            raise
        return cls(**made)

    return build


def _enum_builder(cls: type[Enum]) -> _Builder:
    def build(tree: object) -> object:
        try:
            return cls(tree)
        except ValueError:
            raise _MismatchError(f"{tree!r} is none of {[item.value for item in cls]}") from None

    return build


def _scalar_builder(cls: type) -> _Builder:
    def build(tree: object) -> object:
        if cls is object:
            return tree
        fits = type(tree) is cls or (cls is float and type(tree) is int)
        if not fits:
            raise _MismatchError(f"{cls.__name__} is expected, not {type(tree).__name__}")
        return float(cast("int", tree)) if cls is float else tree

    return build


# --- walks ------------------------------------------------------------------------------------------------------------


_NESTING: Final[frozenset[type]] = frozenset({Loop, Parallel, Try})
"""The actions that hold graphs; most nodes hold none, and every pass walks over all of them."""


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
        if type(node.action) in _NESTING:
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
