"""Ids of nodes: the given names first, then derived ones in source order, a step before what is inside it.

Lowering needs every name before it makes the first edge, because a route may lead forward.
"""

from typing import Final

from ruvon.ir._diagnostics import Related
from ruvon.ir._nodes import RESERVED_TARGETS
from ruvon_dsl._link import PlainFunctionTarget, StepTarget
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._context import FileContext
from ruvon_dsl.yaml._dependencies import has_dependencies, plan
from ruvon_dsl.yaml._tree import Block, Item, walk_items
from ruvon_dsl.yaml._values import ScalarNode

__all__ = ["assign_ids"]

_BASES: Final = {
    "HTTP": "http",
    "AI_INFERENCE": "infer",
    "WASM": "wasm",
    "HUMAN_IN_LOOP": "human",
    "SLEEP": "sleep",
    "RECEIVE": "receive",
    "ASSIGN": "set",
    "DECISION": "if",
    "PARALLEL": "gather",
    "FORK": "gather",
    "RACE": "first_of",
    "RETURN": "return",
    "FAIL": "raise",
    "BREAK": "break",
    "CONTINUE": "continue",
}
_EDGES: Final = frozenset({"BREAK", "CONTINUE", "GOTO"})
_PURE: Final = frozenset({"ASSIGN", "RETURN", "FAIL"}) | _EDGES


def assign_ids(block: Block, context: FileContext) -> None:
    """Give every item of a file its ids."""
    for item in walk_items(block):
        if item.name is not None:
            _explicit(item, item.name, context)
    _derive(block, context)


def _explicit(item: Item, name: ScalarNode, context: FileContext) -> None:
    text = name.text.strip()
    if not text or text in RESERVED_TARGETS or text != name.text:
        word = f"`{text}` is reserved" if text in RESERVED_TARGETS else "the name is empty or has blanks around it"
        context.found.error(codes.BAD_NAME, f"{word}; it cannot name a step", name.span, "choose another name")
        return
    if text in context.taken:
        context.found.error(
            codes.DUPLICATE_NAME,
            f"two steps are named `{text}`",
            name.span,
            "names are unique in the whole file, inner lists included",
            related=(context.related[text],) if text in context.related else (),
            reason="a jump, a retry and the audit log could not tell them apart",
        )
        return
    item.id = text
    context.taken.add(text)
    context.items[text] = item
    context.related[text] = Related(name.span, "the first one")


def _derive(block: Block, context: FileContext) -> None:
    """Derived ids of one list and what is inside it."""
    starts = (
        plan(block, lambda item: known_name(item, context), context.found).starts if has_dependencies(block) else {}
    )
    before: Item | None = None
    for index, item in enumerate(block.items):
        if index in starts:
            block.gathers[starts[index]] = context.fresh_id("gather")
        _derive_item(item, before, context)
        before = item


def _derive_item(item: Item, before: Item | None, context: FileContext) -> None:
    if not item.id and item.kind not in _EDGES:
        follows = (
            before is not None and before.kind not in _PURE and not before.rules and before.acts and not before.decides
        )
        if item.kind == "DECISION" and not item.acts and follows and before is not None and before.id:
            item.id = context.fresh_id(f"{before.id}.route")
            item.route_of = before
        elif item.kind == "ASSIGN" and item.assigns:
            item.id = context.fresh_id("set")
        else:
            item.id = context.fresh_id(_base(item, context))
        context.items.setdefault(item.id, item)
    for number, part in enumerate(item.assigns):
        part.id = item.id if number == 0 else context.fresh_id("set")
    if item.on_error is not None:
        item.try_id = context.fresh_id(f"{item.id}.try")
    saga_inside = item.kind == "TRY" and item.fields.flag("saga") and (item.handlers or "finally" in item.blocks)
    if item.kind == "TRY" and item.handlers and {"else", "finally"} <= set(item.blocks):
        item.inner_id = context.fresh_id(f"{item.id}.try")
    if saga_inside:
        item.saga_id = context.fresh_id(f"{item.id}.saga")
    for block in item.inner_blocks():
        _derive(block, context)
    for rule in item.rules:
        rule.id = context.fresh_id(f"{item.id}.inject")
    if item.decides:
        item.route_id = item.id if not item.acts else context.fresh_id(f"{item.id}.route")
    for block in item.flat_blocks():
        _derive(block, context)


def _base(item: Item, context: FileContext) -> str:
    fields = item.fields
    if item.kind == "LOOP":
        return "while" if fields.node("while_condition") is not None else "for"
    if item.kind == "TRY":
        alone = not item.handlers and "finally" not in item.blocks
        return "saga" if fields.flag("saga") and alone else "try"
    if item.kind in {"SUB_WORKFLOW", "FIRE_AND_FORGET", "CRON_SCHEDULE"}:
        text = fields.text("workflow_type") or "child"
        child = context.names.child(text)
        return text if child is None else child.workflow_type
    function = fields.node("function")
    if isinstance(function, ScalarNode) and item.kind in {"STANDARD", "ASYNC", "DECISION"}:
        return function_base(function, context)
    if item.kind in _BASES:
        return _BASES[item.kind]
    return function_base(function, context) if isinstance(function, ScalarNode) else item.kind.lower()


def known_name(item: Item, context: FileContext) -> str:
    """The name that other steps of the list use for a step, before and after ids are derived."""
    if item.id:
        return item.id
    return item.name.text if item.name is not None else "" if item.kind in _EDGES else _base(item, context)


def function_base(node: ScalarNode, context: FileContext) -> str:
    """The name a call of a function derives: the step's own name, or the last word of the path."""
    if id(node) not in context.callees:
        context.callees[id(node)] = context.names.target(node)
    match context.callees[id(node)]:
        case StepTarget(name=name) | PlainFunctionTarget(name=name):
            return name
        case _:
            return node.text.replace(":", ".").rpartition(".")[2] or node.text


def near_names(text: str, context: FileContext) -> str:
    """`did you mean ...?` for the name of a step."""
    return context.found.closest(text, [*context.taken, *RESERVED_TARGETS])
