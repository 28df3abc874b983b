"""`@block`: its statements are inlined where it is awaited, with variables of their own.

A block is a function of its module, so it sees none of the caller's variables: its parameters become assignments, its
variables get its name in front, and its `return` becomes an edge to behind it. Nothing of it is left in the graph.
"""

import inspect
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import FunctionType, ModuleType
from typing import final

import libcst as cst

from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._draft import SourceText
from ruvon_dsl._link import BlockTarget, Lookup, Missing, ModuleLookup, describe
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._callees import RESULT, Wanted, callee_of
from ruvon_dsl.python._context import Given, Inlined, Place, Unit
from ruvon_dsl.python._findings import Findings
from ruvon_dsl.python._frames import frame_of
from ruvon_dsl.python._lower_assign import assign_piece
from ruvon_dsl.python._lower_values import lower_value
from ruvon_dsl.python._names import Names, read_names
from ruvon_dsl.python._parse_blocks import BlockReader
from ruvon_dsl.python._pieces import Piece, Pieces, Stages, falls
from ruvon_dsl.python._source import Source, read_source
from ruvon_dsl.python._surface import Argument, Awaiting, Dotted, Function, Invocation

__all__ = ["BlockUse", "block_of", "inline"]


@final
@dataclass(frozen=True, slots=True)
class BlockUse:
    """One awaited call of a block, and where the block's text is."""

    name: str
    call: Invocation
    source: Source
    names: Names
    lookup: Lookup | None
    node: cst.FunctionDef


def block_of(unit: Unit, awaiting: Awaiting, place: Place) -> BlockUse | None:
    """The block that an await calls; None where it calls anything else, or where it is reported."""
    call = awaiting.value
    callee = callee_of(unit, call.function) if isinstance(call, Invocation) else None
    if callee is None or callee.base is None or callee.method is not None or not isinstance(call, Invocation):
        return None
    base = callee.base
    if place.frame.has(base.parts[0]) or unit.names.ruvon(base.parts) is not None:
        return None
    declared = unit.names.declared.get(base.name)
    if declared is not None and declared.kind == "block" and declared.node is not None:
        return BlockUse(base.name, call, unit.source, unit.names, unit.lookup, declared.node)
    found = unit.lookup(base.name) if unit.lookup is not None else Missing
    target = describe(found) if found is not Missing else None
    return _elsewhere(unit, base, call, target) if isinstance(target, BlockTarget) else None


def _elsewhere(unit: Unit, base: Dotted, call: Invocation, target: BlockTarget) -> BlockUse | None:
    """A block of another module, whose text is read."""
    function = target.function
    module = sys.modules.get(function.__module__) if isinstance(function, FunctionType) else None
    source = None if module is None else _text_of(module)
    names = None if source is None else read_names(source.module)
    declared = None if names is None else names.declared.get(target.name)
    if module is None or source is None or names is None or declared is None or declared.node is None:
        message = f"the source of the block `{base.name}` cannot be read"
        unit.findings.error(codes.BLOCK, message, call.span, help="define it in a module that is a file")
        return None
    return BlockUse(base.name, call, source, names, ModuleLookup(module), declared.node)


def _text_of(module: ModuleType) -> Source | None:
    try:
        file = inspect.getsourcefile(module) or ""
        text = inspect.getsource(module)
    except (OSError, TypeError):
        return None
    return read_source(SourceText(file, text), Findings())


def inline(unit: Unit, use: BlockUse, place: Place, given: Given, wanted: Wanted) -> tuple[Pieces, Expr | None] | None:
    """The statements of a block at its call, and where its result is; None where it is reported."""
    if use.name in unit.inlining:
        unit.findings.error(
            codes.BLOCK,
            f"the block `{use.name}` awaits itself",
            use.call.span,
            help="write a loop, or make it a workflow and await it as a child",
        )
        return None
    function = _read(unit, use)
    own = unit.of_module(use.source, use.names, use.lookup, (*unit.inlining, use.name))
    prefix = _prefix(unit, place, use.name.rpartition(".")[2])
    before = _parameters(unit, use, function, place, prefix, given)
    if before is None:
        return None
    output: Expr | None = e.Name(f"{prefix}_result", use.call.span) if wanted is RESULT else wanted
    frame = frame_of(function.body, {item.name: item.span for item in function.parameters}, None)
    frame.rename = {name: f"{prefix}_{name}" for name in frame.bound if name != "state"}
    inlined = Inlined(use.name, f"<{prefix}>", output)
    inner = replace(
        place, frame=frame, top=False, in_loop=False, flow=None, level=False, behind="more", inlined=inlined
    )
    after = place.follows(place.after)
    body = own.block(function.body, inner, "node" if output is not None else after)
    if output is not None and falls(body):
        body = (*body, assign_piece(own, output, e.Const(None), use.call.span, inner, Given()))
    return (*before, Stages(prefix, ((prefix, body),), use.call.span, inlined.exit)), output


def _read(unit: Unit, use: BlockUse) -> Function:
    findings = use.source.findings
    use.source.findings = unit.findings
    reader = BlockReader(use.source, use.names)
    reader.check_parameters(use.node, "block")
    function = reader.function(use.node)
    use.source.findings = findings
    return function


def _prefix(unit: Unit, place: Place, name: str) -> str:
    prefix = name
    number = 2
    while prefix in unit.prefixes or place.frame.has(f"{prefix}_result"):
        prefix = f"{name}_{number}"
        number += 1
    unit.prefixes.add(prefix)
    return prefix


def _parameters(
    unit: Unit, use: BlockUse, function: Function, place: Place, prefix: str, given: Given
) -> tuple[Piece, ...] | None:
    """The parameters as assignments; the state is passed by being there."""
    bound = _bound(function, use.call)
    if bound is None:
        names = ", ".join(f"`{item.name}`" for item in function.parameters) or "nothing"
        unit.findings.error(
            codes.BLOCK, f"the block `{use.name}` takes {names}", use.call.span, help="give each parameter once"
        )
        return None
    pieces: list[Piece] = []
    for parameter in function.parameters:
        arg = bound[parameter.name]
        value = lower_value(unit, arg.value, place.frame, use.call.span)
        if parameter.name == "state":
            if value != e.Name("state"):
                message = f"the block `{use.name}` takes the workflow's state as `state`"
                unit.findings.error(codes.BLOCK, message, arg.span, help="pass `state`, or rename the parameter")
            continue
        target = e.Name(f"{prefix}_{parameter.name}", arg.span)
        pieces.append(assign_piece(unit, target, value, arg.span, place, given))
    return tuple(pieces)


def _bound(function: Function, call: Invocation) -> Mapping[str, Argument] | None:
    names = [item.name for item in function.parameters]
    found: dict[str, Argument] = {}
    for index, arg in enumerate(call.args):
        name = arg.keyword if arg.keyword is not None else names[index] if index < len(names) else None
        if arg.star or name not in names or name in found:
            return None
        found[name] = arg
    return found if len(found) == len(names) else None
