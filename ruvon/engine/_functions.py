"""Functions of authors as the engine calls them: what they are given, whether they are awaited, whether they block.

Signatures are looked at once, when a program is made. A function made by `@step` says about itself what it takes; of a
plain function (YAML) the parameters named `state` and `context` are the engine's, the rest is the call's.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast, final

from ruvon.engine._values import Types
from ruvon.ir._nodes import Contract
from ruvon.ir.types import type_text
from ruvon.models._bodies import is_async, refuse_awaitable

__all__ = ["Function", "contract_problems", "describe_function"]

_STATE: Final = "state"
_CONTEXT: Final = "context"
_MISSING: Final = inspect.Parameter.empty


class _Declaration(Protocol):
    """What `@step` leaves on its object, as far as the engine reads it."""

    @property
    def function(self) -> Callable[..., Any]: ...
    @property
    def blocking(self) -> bool: ...
    @property
    def strict(self) -> bool | None: ...


@final
@dataclass(frozen=True, slots=True)
class Function:
    """A function ready to be called."""

    path: str
    call: Callable[..., Any]
    names: tuple[str, ...]
    """Parameters that a call gives, without `state`, `context` and `**rest`."""
    required: tuple[str, ...]
    takes_state: bool
    takes_context: bool
    plain_state: bool
    """`state` is annotated `dict`: it is given a plain dict."""
    takes_rest: bool
    """It has `**rest` and takes whatever input there is."""
    is_async: bool
    is_blocking: bool
    strict: bool | None
    result: object
    """The annotation of its result, or `object`."""

    @property
    def accepts_input(self) -> bool:
        """Whether it has parameters that input can fill."""
        return bool(self.names) or self.takes_rest

    def returned(self, made: Any, step: str) -> Any:
        """What a call gave; refused where the function is not `async` and it would have to be awaited."""
        if not self.is_async and inspect.isawaitable(made):
            raise refuse_awaitable(step, made)
        return made


def describe_function(path: str, found: object) -> Function:
    """What there is to know of a callable; TypeError where it is none.

    A workflow step, a compensation, or any plain function.
    """
    declaration = cast("_Declaration | None", getattr(found, "__ruvon_step__", None))
    if declaration is None:
        declaration = cast("_Declaration | None", getattr(found, "__ruvon_compensation__", None))
    function: Any = declaration.function if declaration is not None else found
    if not callable(function):
        raise TypeError(f"`{path}` is a {type(found).__name__}, not a function")
    parameters = inspect.signature(function).parameters
    hints = _hints(function)
    given = [item for item in parameters.values() if item.name not in (_STATE, _CONTEXT)]
    named = [item for item in given if item.kind not in (item.VAR_KEYWORD, item.VAR_POSITIONAL)]
    return Function(
        path=path,
        call=function,
        names=tuple(item.name for item in named),
        required=tuple(item.name for item in named if item.default is _MISSING),
        takes_state=_STATE in parameters,
        takes_context=_CONTEXT in parameters,
        plain_state=_is_dict(hints.get(_STATE)),
        takes_rest=any(item.kind is item.VAR_KEYWORD for item in given),
        is_async=is_async(function),
        is_blocking=bool(getattr(declaration, "blocking", False)),
        strict=getattr(declaration, "strict", None),
        result=object if hints.get("return", object) is Any else hints.get("return", object),
    )


def _is_dict(annotation: object) -> bool:
    return annotation is dict or getattr(annotation, "__origin__", None) in (dict, Mapping)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return inspect.get_annotations(function, eval_str=True)
    except (NameError, SyntaxError, TypeError):  # names that exist for type checkers only: such types are not checked
        return {}


def contract_problems(path: str, function: Function, contract: Contract, types: Types) -> list[str]:
    """How a deployed function differs from what the definition recorded of it; empty when it still fits.

    A new optional parameter fits; a removed, renamed or newly required one does not, nor does another type.
    """
    parameters = inspect.signature(function.call).parameters
    hints = _hints(function.call)
    problems: list[str] = []
    recorded = {name for name, _, _ in contract.parameters}
    for name, text, _ in contract.parameters:
        if name not in parameters and not function.takes_rest:
            problems.append(f"`{path}` has no parameter `{name}` any more")
        elif name in hints and name not in (_STATE, _CONTEXT) and not _same_type(hints[name], text):
            problems.append(f"the parameter `{name}` of `{path}` was `{text}`, it is now `{type_text(hints[name])}`")
    problems += [f"`{path}` now requires the parameter `{name}`" for name in function.required if name not in recorded]
    if "return" in hints and not _same_type(hints["return"], contract.result):
        problems.append(f"the result of `{path}` was `{contract.result}`, it is now `{type_text(hints['return'])}`")
    return problems


def _same_type(annotation: object, text: str) -> bool:
    try:
        return type_text(annotation) == text
    except Exception:
        return True
