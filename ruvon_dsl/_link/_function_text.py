"""What the text of a step function, or of its call, shows: keys that it returns, what it changes, where options stand.

Hints for findings only: a text that is not there, or that does it another way, shows nothing.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from functools import lru_cache
from types import FunctionType

from ruvon.ir._spans import Span
from ruvon.ir.expr._language import MUTATING_METHODS

__all__ = [
    "first_change",
    "function_of",
    "function_tree",
    "keyword_span",
    "places_changed",
    "returned_keys",
    "written_fields",
]


def function_of(found: object) -> FunctionType | None:
    """The author's own function behind a step or compensation."""
    for name in ("__ruvon_step__", "__ruvon_compensation__"):
        declared: object = getattr(found, name, None)
        found = getattr(declared, "function", found)
    found = inspect.unwrap(found) if callable(found) else found
    return found if isinstance(found, FunctionType) else None


def returned_keys(function: FunctionType) -> list[str]:
    """The keys of the dict displays that the function returns."""
    found = function_tree(function)
    return [] if found is None else list(dict.fromkeys(_display_keys(found[0])))


def written_fields(function: FunctionType) -> list[str]:
    """The fields of its parameter `state` that the function assigns or changes in place."""
    found = function_tree(function)
    if found is None or any(_rebinds(node, "state") for node in ast.walk(found[0])):
        return []
    places = [_field(place) for place in places_changed(found[0], "state")]
    return list(dict.fromkeys(name for name in places if name is not None))


def keyword_span(text: str, call: Span, name: str) -> Span | None:
    """Where the Python expression at `call` gives the keyword argument `name`; None where it does not."""
    lines = text.splitlines()[call.start.line - 1 : call.end.line]
    if not lines:
        return None
    lines[-1] = lines[-1][: call.end.column - 1]
    lines[0] = lines[0][call.start.column - 1 :]
    try:
        tree = ast.parse("(" + "\n".join(lines) + ")", mode="eval")
    except (SyntaxError, ValueError, RecursionError):
        return None
    found = [item.value for item in ast.walk(tree) if isinstance(item, ast.keyword) and item.arg == name]
    return _placed(found[0], lines, call) if found else None


def _placed(node: ast.expr, lines: list[str], call: Span) -> Span:
    """The place of a part of a call's text in its file."""

    def place(line: int, offset: int) -> tuple[int, int]:
        before = len(lines[line - 1].encode()[: offset - (line == 1)].decode(errors="replace"))
        return call.start.line + line - 1, before + (call.start.column if line == 1 else 1)

    start, end = place(node.lineno, node.col_offset), place(node.end_lineno or 1, node.end_col_offset or 1)
    return Span.at(call.file, *start, *end)


def _field(place: ast.expr) -> str | None:
    """The field or key of `state` that a place below it belongs to."""
    name: str | None = None
    while isinstance(place, ast.Attribute | ast.Subscript):
        match place:
            case ast.Attribute(attr=str() as name) | ast.Subscript(slice=ast.Constant(value=str() as name)):
                pass
            case _:
                name = None
        place = place.value
    return name


@lru_cache(maxsize=256)
def function_tree(function: FunctionType) -> tuple[ast.Module, int] | None:
    """The function's own text as a tree, and its first line; None where the source is not there."""
    try:
        lines, first = inspect.getsourcelines(function)
        return ast.parse(textwrap.dedent("".join(lines))), first
    except (OSError, TypeError, SyntaxError):
        return None


def _display_keys(tree: ast.Module) -> Iterator[str]:
    """The literal keys of the dict displays that the function itself returns."""
    pending: list[ast.AST] = [statement for item in tree.body for statement in getattr(item, "body", ())]
    while pending:
        node = pending.pop(0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict):
            keys = [key.value for key in node.value.keys if isinstance(key, ast.Constant)]
            yield from (key for key in keys if isinstance(key, str))
        pending.extend(ast.iter_child_nodes(node))


def first_change(function: FunctionType, parameter: str) -> tuple[str, int] | None:
    """The first in-place change to something below a parameter: its text and line; None where there is none to see."""
    found = function_tree(function)
    if found is None:
        return None
    tree, first = found
    if any(_takes_over(node, parameter) for node in ast.walk(tree)):
        return None
    changes = sorted(places_changed(tree, parameter), key=lambda change: change.lineno)
    return (ast.unparse(changes[0]), changes[0].lineno + first - 1) if changes else None


def places_changed(tree: ast.AST, parameter: str) -> Iterator[ast.expr]:
    """The places below a name that are assigned or changed in place."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets) | ast.Delete(targets=targets):
                places = [place for target in targets for place in _flat(target)]
            case ast.AugAssign(target=target) | ast.AnnAssign(target=target, value=ast.expr()):
                places = [target]
            case ast.Call(func=ast.Attribute(value=value, attr=method)) if method in MUTATING_METHODS:
                places = [value] if isinstance(value, ast.Attribute | ast.Subscript) else []
            case _:
                continue
        yield from (place for place in places if _is_below(place, parameter))


def _flat(target: ast.expr) -> Iterator[ast.expr]:
    """The places of a target, those inside tuples one by one."""
    if isinstance(target, ast.Tuple | ast.List):
        for item in target.elts:
            yield from _flat(item)
    else:
        yield target.value if isinstance(target, ast.Starred) else target


def _takes_over(node: ast.AST, parameter: str) -> bool:
    """Whether the name comes to mean something else, or what it holds is returned, so that nothing is lost for sure."""
    match node:
        case ast.Return(value=ast.Name(id=name)):
            return name == parameter
        case _:
            return _rebinds(node, parameter)


def _rebinds(node: ast.AST, parameter: str) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == parameter


def _is_below(place: ast.expr, parameter: str) -> bool:
    below = False
    while isinstance(place, ast.Attribute | ast.Subscript):
        place, below = place.value, True
    return below and isinstance(place, ast.Name) and place.id == parameter
