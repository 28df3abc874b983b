"""Stand-ins for bodies: those that a test gives, and one for each body that is only a placeholder.

A placeholder is a body of `...`, of a docstring alone, or one that only raises `NotImplementedError`. Its stand-in gives a
valid value of the declared type, always the same, so a program can be tried before its steps are written. A stand-in is
called once for each attempt, and must answer the same each time, as a step that bears a crash does.
"""

import ast
import inspect
import sys
import textwrap
import typing
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from difflib import get_close_matches
from functools import cache
from typing import Any, final

from ruvon.engine import StepCall
from ruvon.testing._errors import HarnessError
from ruvon.testing._examples import example_of
from ruvon.testing._stubs import Stub, name_of

__all__ = ["StandIns", "is_placeholder"]


@final
class StandIns:
    """Answers in place of bodies.

    Args:
        given: by step, what stands in: a function of the call's arguments (and `state`, `context`, where it names them), a
            value, or an exception to raise. A step is named by its node, by its function's name or path, or is the step.
        automatic: placeholders get a stand-in of their own.
    """

    def __init__(self, given: Mapping[Any, object] | None = None, *, automatic: bool = True) -> None:
        self._given = {name_of(step): _stub(does) for step, does in (given or {}).items()}
        self._automatic = automatic
        self.stood_in: set[str] = set()
        """The steps whose placeholders were stood in for, by the name of the function."""

    def __call__(self, call: StepCall, proceed: Callable[[], Any], /) -> Any:
        """The interceptor."""
        stub = next((self._given[name] for name in _names(call) if name in self._given), None)
        if stub is not None:
            return _own(stub.answer(call))
        function = _function(call.function) if self._automatic else None
        if function is None or not is_placeholder(function):
            return proceed()
        self.stood_in.add(function.__name__)
        return _own(_answer(call, function))

    def check(self, known: Iterable[str]) -> None:
        """Refuse a stand-in for what is no step.

        Args:
            known: the names of nodes and functions, and the functions' paths.

        Raises:
            HarnessError: there is no such step.
        """
        names = sorted(set(known))
        for name in self._given:
            if name not in names:
                near = get_close_matches(name, names, n=1)
                hint = (
                    f"did you mean `{near[0]}`?" if near else f"there are {', '.join(n for n in names if ':' not in n)}"
                )
                raise HarnessError(f"there is no step `{name}` to stand in for; {hint}")


def _stub(does: object) -> Stub:
    return Stub(does) if callable(does) else Stub(outcomes=[does])


def _names(call: StepCall) -> Iterable[str]:
    """What a call is known by, the most exact name first; a compensation has no name of its step's."""
    if call.function is not None:
        yield call.function
        yield call.function.rpartition(":")[2].rpartition(".")[2]
    if not call.compensates:
        yield call.step


def _own(value: Any) -> Any:
    return value if inspect.isawaitable(value) else deepcopy(value)


def _function(path: str | None) -> Any:
    module, _, name = (path or "").partition(":")
    found: Any = sys.modules.get(module)
    for part in name.split(".") if found is not None else ():
        found = getattr(found, part, None)
    for mark in ("__ruvon_step__", "__ruvon_compensation__"):
        declared = getattr(found, mark, None)
        if declared is not None:
            return declared.function
    return found if inspect.isfunction(found) else None


def _answer(call: StepCall, function: Any) -> object:
    hints = typing.get_type_hints(function, include_extras=True)
    result = hints.get("return")
    if result is None or result is inspect.Signature.empty:
        return None
    if "state" in hints and result is hints["state"]:
        return call.state
    return example_of(result, f"the result of `{call.step}`")


@cache
def is_placeholder(function: Any) -> bool:
    """Whether the body is `...`, a docstring alone, or only raises `NotImplementedError`."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return False
    node = next((item for item in tree.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)), None)
    return node is not None and _says_nothing(node.body)


def _says_nothing(body: list[ast.stmt]) -> bool:
    first = body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        body = body[1:]
    match body:
        case []:
            return True
        case [ast.Expr(value=ast.Constant(value=value))]:
            return value is Ellipsis
        case [*before, ast.Raise(exc=error)]:
            called = error.func if isinstance(error, ast.Call) else error
            quiet = all(isinstance(item, ast.Assign) for item in before)
            return quiet and isinstance(called, ast.Name) and called.id == "NotImplementedError"
        case _:
            return False
