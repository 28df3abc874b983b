"""LOOP: what a loop goes over, what it binds, and its body."""

import re
from dataclasses import replace
from typing import Final

from ruvon.ir._nodes import Graph, Loop, Target
from ruvon.ir._verify import single_effect
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._language import FUNCTION_NAMES
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._check import Fields
from ruvon_dsl.yaml._context import FileContext
from ruvon_dsl.yaml._graphs import Lowerer, Place
from ruvon_dsl.yaml._stretches import hoist_output
from ruvon_dsl.yaml._tree import Block, Item
from ruvon_dsl.yaml._values import ScalarNode

__all__ = ["DEFAULT_TURNS", "item_names", "iteration", "lower_loop", "names_of"]

DEFAULT_TURNS: Final = 1_000
"""Turns of a WHILE without `max_iterations`."""
_IN: Final = re.compile(r"\s+in\s+")


def lower_loop(low: Lowerer, item: Item, following: Target, place: Place) -> tuple[Loop, Target]:
    """A LOOP and what follows its last turn: the `else` part, where there is one."""
    context, fields = low.context, item.fields
    target, over = iteration(context, fields)
    condition = fields.node("while_condition")
    _check_sort(context, item, over=over is not None, condition=condition is not None)
    following_turns = following
    if "else" in item.blocks:
        following_turns = low.steps(item.blocks["else"], Place(place.scope, following))
    if item.exhausted is not None:
        following_turns = place.resolve(item.exhausted, low.entry)
    on_break = following if following_turns != following else None
    body = low.graph(item.blocks.get("loop_body", Block([], item.span)), "loop", place.scope, supplies=names_of(target))
    output = context.output(fields)
    if output is not None:
        _check_collects(context, item, body)
    loop = Loop(
        over=over,
        item=target if over is not None else None,
        index=fields.text("index_var_name") if over is not None else None,
        condition=context.exprs.bare(condition) if over is None and isinstance(condition, ScalarNode) else None,
        body=_without_output(body) if output is not None else body,
        max_iterations=_turns(fields, counted=over is None),
        on_break=on_break,
        collect=output is not None,
        output=output,
    )
    return loop, following_turns


def _check_sort(context: FileContext, item: Item, *, over: bool, condition: bool) -> None:
    """A loop goes over a list or has a condition, not both; only items are counted."""
    fields, found = item.fields, context.found
    mode = fields.choice("mode")
    if over and condition:
        message = f"`{item.id}` has both `iterate_over` and `while_condition`"
        found.error(codes.KEY_CLASH, message, item.span, "keep one of them")
    elif not over and not condition:
        _nothing_to_repeat(context, item)
    elif mode is not None and (mode == "WHILE") == over:
        message = f"`{item.id}` needs `{'while_condition' if over else 'iterate_over'}` for the mode {mode}"
        found.error(codes.KEY_CLASH, message, fields.span_of("mode"), "leave `mode` out; the other keys say it")
    entry = fields.entry("index_var_name")
    if entry is not None and not over:
        message = f"`{entry.key.text}` counts the items of a list, and `{item.id}` goes over none"
        found.error(codes.KEY_CLASH, message, entry.key.span, "count in a variable: `set: {n: =n + 1}`")


def _nothing_to_repeat(context: FileContext, item: Item) -> None:
    node = item.fields.node("item_var_name")
    if not item.short or not isinstance(node, ScalarNode):
        message = f"`{item.id}` says neither what it goes over nor how long it goes on"
        help_ = "add `iterate_over: state.items` or `while_condition: state.count < 10`"
        context.found.error(codes.MISSING_KEY, message, item.span, help_)
        return
    name, _, rest = node.text.strip().partition(" ")
    rest = rest.strip().partition(" ")[2].strip() if rest else ""
    name = name if name.isidentifier() and name not in FUNCTION_NAMES else "item"
    message = f"`for: {node.text}` does not say which list it goes over"
    context.found.error(codes.MISSING_KEY, message, node.span, f"write `for: {name} in {rest or 'state.items'}`")


def _turns(fields: Fields, *, counted: bool) -> int | None:
    if fields.is_off("max_iterations"):
        return None
    return fields.count("max_iterations") or (DEFAULT_TURNS if counted else None)


def _check_collects(context: FileContext, item: Item, body: Graph) -> None:
    if single_effect(body) is None:
        context.found.error(
            codes.BAD_OUTPUT,
            f"`{item.id}` collects the results of its turns, so its body is exactly one step that gives one",
            item.fields.span_of("output"),
            "collect in the body instead: `append: {found: =value}`",
        )


def _without_output(body: Graph) -> Graph:
    """The body of a collecting loop: the turn's result goes to the list, not to a variable of its own."""
    return hoist_output(body)[0]


def iteration(context: FileContext, fields: Fields) -> tuple[Expr, Expr | None]:
    """The target of the item and the list, from `iterate_over` and `item_var_name` or from `for: x in xs`."""
    over = fields.node("iterate_over")
    name = fields.node("item_var_name")
    if isinstance(name, ScalarNode) and over is None and (found := _IN.search(name.text)):
        over = replace(
            name,
            text=name.text[found.end() :],
            source=_shifted(name, found.end()),
            span=name.at(found.end(), len(name.text)),
        )
        name = replace(name, text=name.text[: found.start()])
    target: Expr = e.Name("item")
    listless = over is None and fields.table.name == "a for"  # reported by `_check_sort`
    if isinstance(name, ScalarNode) and not listless:
        if _are_names(name.text):
            target = context.exprs.target(name) or target
        else:
            context.found.error(
                codes.BAD_NAME,
                f"`{name.text}` is no name for an item",
                name.span,
                "write a name, or several separated by commas",
            )
    return target, context.exprs.bare(over) if isinstance(over, ScalarNode) else None


def _shifted(node: ScalarNode, offset: int) -> tuple[str, ...]:
    """The lines of the file for the rest of a plain scalar of one line; nothing for other scalars."""
    if len(node.source) != 1 or not node.plain:
        return ()
    return (node.source[0][offset:],)


def _are_names(text: str) -> bool:
    words = text.replace("(", " ").replace(")", " ").split(",")
    return all(word.strip().isidentifier() for word in words if word.strip() or len(words) == 1)


def names_of(target: Expr) -> frozenset[str]:
    match target:
        case e.Name(id=name):
            return frozenset({name})
        case e.Tuple(items=items):
            return frozenset(name for part in items for name in names_of(part))
        case _:
            return frozenset()


def item_names(fields: Fields) -> frozenset[str]:
    """The names that a loop or mapped PARALLEL binds, read from the text alone."""
    text = fields.text("item_var_name") or "item"
    words = _IN.split(text)[0].replace("(", " ").replace(")", " ").split(",")
    index = fields.text("index_var_name")
    return frozenset(word.strip() for word in words if word.strip().isidentifier()) | (
        {index} if index else frozenset[str]()
    )
