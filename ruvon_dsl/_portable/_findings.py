"""What keeps the functions of a definition from running on another machine: `ruvon validate --portable`.

A worker imports a function by its path and gives it state and arguments. Whatever else it uses belongs to the process that
it happens to run in: what it has changed in its module, the files below the current folder, the objects that were made
when it was defined. Such things are looked for in the text of the function and in the function itself. What it does in
functions that it calls is not seen.
"""

import ast
import builtins
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath
from types import FunctionType, ModuleType
from typing import Any, Final

from ruvon.ir import Diagnostic, Severity
from ruvon.ir._canonical import walk_nodes
from ruvon.ir._nodes import Call, Definition, HumanSource, Node, Wait
from ruvon.ir.expr._language import MUTATING_METHODS
from ruvon.ir.values import NotStorableError, class_table, codec_for
from ruvon_dsl._link._function_text import function_of, function_tree, places_changed
from ruvon_dsl._portable._codes import CAPTURED, LOCAL_FILE, MODULE_STATE

__all__ = ["portable_findings"]

_NOT_STATE: Final = (type, FunctionType, ModuleType)


def portable_findings(definition: Definition, load: Callable[[str], object]) -> list[Diagnostic]:
    """Warnings about the functions of a definition, each at the first node that calls the function.

    Args:
        definition: a linked definition.
        load: gives the object at a path.
    """
    seen: set[str] = set()
    found: list[Diagnostic] = []
    for node in walk_nodes(definition.graph):
        for path in _paths(node):
            if path in seen:
                continue
            seen.add(path)
            function = function_of(load(path))
            if function is not None:
                found.extend(_findings(node, path, function))
    return found


def _paths(node: Node) -> Iterator[str]:
    """The functions that a node calls."""
    action = node.action
    if isinstance(action, Call) and action.function is not None:
        yield action.function
    if isinstance(action, Wait) and isinstance(action.source, HumanSource):
        yield from (path for path in (action.source.ask, action.source.answer) if path is not None)
    if isinstance(action, Call | Wait) and action.compensation is not None:
        yield action.compensation.function


def _findings(node: Node, path: str, function: FunctionType) -> Iterator[Diagnostic]:
    name = path.rpartition(":")[2]

    def finding(code: str, message: str, reason: str, help_: str) -> Diagnostic:
        return Diagnostic(
            code=code,
            message=message,
            span=node.display.source,
            severity=Severity.WARNING,
            reason=reason,
            help=help_,
        )

    file = Path(function.__code__.co_filename).name

    for place, line in _changed_state(function):
        yield finding(
            MODULE_STATE,
            f"`{name}` changes `{place}`, which belongs to its module ({file}:{line})",
            "every process has a module of its own: what one worker writes there, another one does not see",
            "keep it in the state, or in a store that all of them share",
        )
    for place, line in _relative_files(function):
        yield finding(
            LOCAL_FILE,
            f"`{name}` uses the file {place!r}, which is looked for in the current folder ({file}:{line})",
            "a worker runs in a folder of its own, on a machine that need not have the file",
            "name the file absolutely on a disk that all workers share, or put its content into the state",
        )
    for place in _captured(function):
        yield finding(
            CAPTURED,
            f"`{name}` holds an object that cannot be stored: {place}",
            "it is made anew in each process that imports the function, so two steps do not share it",
            "make it in the body, or ask for it with `context.get`",
        )


def _changed_state(function: FunctionType) -> Iterator[tuple[str, int]]:
    """Module variables that the body assigns or changes in place, and where."""
    found = function_tree(function)
    if found is None:
        return
    tree, first = found
    outer = {name for name in function.__code__.co_names if name in function.__globals__}
    for node in ast.walk(tree):
        match node:
            case ast.Global(names=names):
                yield from ((name, node.lineno + first - 1) for name in names)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if method in MUTATING_METHODS:
                if name in outer and not isinstance(function.__globals__[name], _NOT_STATE):
                    yield name, node.lineno + first - 1
            case _:
                continue
    for name in sorted(outer):
        for place in places_changed(tree, name):
            yield ast.unparse(place), place.lineno + first - 1


def _relative_files(function: FunctionType) -> Iterator[tuple[str, int]]:
    """Relative paths that the body opens or makes a `Path` of, and where."""
    found = function_tree(function)
    if found is None:
        return
    tree, first = found
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str() as text), *_]) if text:
                called: Any = function.__globals__.get(name, getattr(builtins, name, None))
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=module), attr=name),
                args=[ast.Constant(value=str() as text), *_],
            ) if text:
                called = getattr(function.__globals__.get(module), name, None)
            case _:
                continue
        opens = called is open or (isinstance(called, type) and issubclass(called, Path))
        if opens and not PurePath(text).is_absolute() and not text.startswith("~"):
            yield text, node.lineno + first - 1


def _captured(function: FunctionType) -> Iterator[str]:
    """Defaults and variables of enclosing functions whose values cannot be stored."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    defaults = dict(zip(reversed(names), reversed(function.__defaults__ or ()), strict=False))
    defaults.update(function.__kwdefaults__ or {})
    for name, value in defaults.items():
        if not _is_storable(value):
            yield f"the default of its parameter `{name}` is a `{type(value).__name__}`"
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        value = cell.cell_contents
        if not isinstance(value, _NOT_STATE) and not callable(value) and not _is_storable(value):
            yield f"the variable `{name}` around it is a `{type(value).__name__}`"


def _is_storable(value: object) -> bool:
    if isinstance(value, _NOT_STATE):
        return True
    try:
        codec_for(object, class_table([type(value)])).encode(value, "")
    except NotStorableError:
        return False
    return True
