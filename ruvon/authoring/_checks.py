"""Mistakes that a decorator finds at once, each with its place and its remedy.

Only what the function itself shows is checked here, so that importing a step module stays cheap. What needs the body or
other functions is the compiler's: it reports everything of a file at once.
"""

import inspect
import linecache
import re
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any, Final, get_origin

from pydantic import BaseModel

from ruvon.authoring._declarations import Parameter, parameters_of, path_of
from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._errors import DefinitionError
from ruvon.ir._spans import Position, Span

__all__ = [
    "DeclarationError",
    "check_compensation",
    "check_cron",
    "check_pure",
    "check_step",
    "check_transaction",
    "check_workflow",
    "place_of",
]

_DEF: Final = re.compile(r"\s*(async\s+)?def\b")
_DECORATORS: Final = 40
"""Lines of decorators that are looked through for the `def` below them."""


class DeclarationError(DefinitionError):
    """A decorated function cannot be what the decorator makes of it; `diagnostics` has the one finding.

    Args:
        code: the finding's code.
        function: the decorated function, for its file and line.
        message: one sentence that names the author's own names.
        reason: what would go wrong at run time.
        help: what to write instead.
    """

    def __init__(self, code: str, function: object, message: str, reason: str = "", help: str = "") -> None:  # noqa: A002
        super().__init__([Diagnostic(code=code, message=message, span=_span_of(function), reason=reason, help=help)])
        self.add_note("\n".join(f"{word}: {part}" for word, part in (("why", reason), ("help", help)) if part))


def place_of(function: object) -> tuple[str, int]:
    """The file and line of a function's definition, as far as it has any."""
    code = getattr(inspect.unwrap(function) if callable(function) else function, "__code__", None)
    if isinstance(code, CodeType):
        return code.co_filename, code.co_firstlineno
    return "<unknown>", 1


def _span_of(function: object) -> Span:
    """The line of a function that says `def`, behind its decorators; the first one where there is none."""
    file, first = place_of(function)
    text = linecache.getline(file, first)
    lambda_ = getattr(function, "__name__", "") == "<lambda>"
    for line in range(first, first if lambda_ else first + _DECORATORS):
        candidate = linecache.getline(file, line)
        if _DEF.match(candidate):
            first, text = line, candidate
            break
    start = len(text) - len(text.lstrip()) + 1
    return Span(file, Position(first, start), Position(first, max(len(text.rstrip()), start) + 1))


def check_step(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """Check a function that is to be a step, and give its parameters.

    Raises:
        DeclarationError: it cannot be one.
    """
    _check_place(function, "step")
    _check_no_star(function, "step")
    parameters = parameters_of(function)
    _check_context(function, parameters)
    _check_state(function, parameters)
    return parameters


def check_transaction(function: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Check a step whose SQL is to be committed with it.

    Raises:
        DeclarationError: the two cannot share a transaction.
    """
    name = getattr(function, "__name__", "?")
    if not inspect.iscoroutinefunction(function):
        problem, remedy = "is not `async def`", f"write `async def {name}(...)` and await the statements"
    elif "context" not in inspect.signature(function).parameters:
        problem, remedy = "takes no `context`", "add the parameter `context: StepContext`"
    elif options.get("queue") is not None:
        problem, remedy = f"is run by workers of the queue `{options['queue']}`", "leave `queue=` out"
    else:
        return
    reason = "its SQL goes through `context.transaction`, in this process, and is committed with the step"
    raise DeclarationError("RV0252", function, f"`{name}` cannot have a transaction: it {problem}", reason, remedy)


def check_workflow(function: Callable[..., Any]) -> None:
    """Check a function that is to be a workflow's body.

    Raises:
        DeclarationError: it cannot be one.
    """
    name = getattr(function, "__name__", "?")
    _check_place(function, "workflow")
    if not inspect.iscoroutinefunction(function):
        raise DeclarationError(
            "RV0248",
            function,
            f"the workflow `{name}` is not `async def`",
            "`await` marks the places where a workflow may be stored and moved",
            f"write `async def {name}(...)`",
        )
    parameters = parameters_of(function)
    if [item.name for item in parameters] != ["state"] or parameters[0].kind != "positional":
        raise DeclarationError(
            "RV0249",
            function,
            f"the workflow `{name}` must have exactly one parameter, named `state`",
            "the engine stores and restores exactly one object, the state",
            f"put the other inputs into the state's class: `async def {name}(state: Order) -> Result:`",
        )
    _check_state(function, parameters)


def check_cron(function: Callable[..., Any], cron: str | None, timezone: str) -> None:
    """Check when a workflow is to be started.

    Raises:
        DeclarationError: no moments follow from it.
    """
    if cron is None:
        return
    from ruvon.cron import InvalidScheduleError, Plan  # noqa: PLC0415 - few workflows have a schedule

    try:
        Plan(cron, timezone)
    except InvalidScheduleError as exc:
        message, _, remedy = str(exc).partition("; ")
        reason = "it says when the workflow is started, and no moment follows from it"
        raise DeclarationError("RV0251", function, message, reason, remedy) from None


def check_pure(function: Callable[..., Any]) -> None:
    """Check a function that is to be called inside expressions.

    Raises:
        DeclarationError: it cannot be.
    """
    _check_place(function, "pure function")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise DeclarationError(
            "RV0250",
            function,
            f"the pure function `{getattr(function, '__name__', '?')}` must be a plain `def` that returns its value",
            "it is called in the middle of expressions, where nothing can wait",
            "if it needs to wait, make it a `@step`",
        )


def check_compensation(
    function: Callable[..., Any], step: Callable[..., Any], inputs: tuple[Parameter, ...], *, beside: bool = True
) -> None:
    """Check that a compensation lies beside its step and that its parameters can be given.

    Raises:
        DeclarationError: it does not.
    """
    name, of = getattr(function, "__name__", "?"), getattr(step, "__name__", "?")
    _check_place(function, "compensation")
    _check_no_star(function, "compensation")
    if beside and function.__module__ != step.__module__:
        raise DeclarationError(
            "RV0246",
            function,
            f"`{name}` compensates `{of}`, which is defined in another module, `{step.__module__}`",
            "if this module were not imported, the step would silently have no compensation",
            f"move `{name}` into `{step.__module__}`, or give it at the call: `{of}.with_(compensate=...)`",
        )
    parameters = parameters_of(function)
    _check_context(function, parameters)
    known = {item.name for item in inputs}
    open_ended = any(item.kind == "rest" for item in inputs)
    given = [item for item in parameters if item.name not in {"state", "context"} and item.kind != "rest"][1:]
    for item in given:
        if item.required and item.name not in known and not open_ended:
            raise DeclarationError(
                "RV0247",
                function,
                f"`{name}` wants `{item.name}`, but `{of}` has no such parameter",
                "a compensation is given the step's recorded result first, and its recorded arguments by name",
                f"`{of}` has the parameters: {', '.join(sorted(known)) or 'none'}",
            )


def _check_place(function: Callable[..., Any], what: str) -> None:
    name = getattr(function, "__name__", "?")
    qualname = getattr(function, "__qualname__", name)
    reason = f"a worker finds a {what} by its path, `{path_of(function)}`, which leads nowhere"
    if name == "<lambda>":
        raise DeclarationError(
            "RV0242", function, f"a lambda cannot be a {what}", reason, "write a module-level function with `def`"
        )
    if "<locals>" in qualname:
        raise DeclarationError(
            "RV0243",
            function,
            f"`{name}` is defined inside another function, so it cannot be a {what}",
            reason,
            f"move `{name}` to the top level of its module",
        )
    if "." in qualname:
        raise DeclarationError(
            "RV0241",
            function,
            f"`{name}` is a method; a {what} is a module-level function",
            "a worker finds it by name and has no object to call it on",
            "take what `self` holds from the context: `gateway = context.get(Gateway)`",
        )


def _check_no_star(function: Callable[..., Any], what: str) -> None:
    for item in inspect.signature(function).parameters.values():
        if item.kind is inspect.Parameter.VAR_POSITIONAL:
            raise DeclarationError(
                "RV0244",
                function,
                f"the {what} `{function.__name__}` takes `*{item.name}`",
                "arguments are recorded by the name of their parameter, and these have none",
                f"take a list: `{item.name}: list[...]`",
            )


def _check_context(function: Callable[..., Any], parameters: tuple[Parameter, ...]) -> None:
    annotations = function.__annotations__
    names = [item.name for item in parameters]
    for name in names:
        if name != "context" and _is_context(annotations.get(name)):
            raise DeclarationError(
                "RV0206",
                function,
                f"the context parameter of `{function.__name__}` is called `{name}`",
                "the engine finds it by its name, so a call would have to pass it",
                "call it `context` and put it second after `state`, or first",
            )
    if "context" in names and names.index("context") != (1 if names[0] == "state" else 0):
        raise DeclarationError(
            "RV0240",
            function,
            f"`context` stands in the wrong place in `{function.__name__}`",
            "the engine gives it, so a call's arguments would be counted differently from what the signature shows",
            "put it second after `state`, or first where there is no `state`",
        )


def _check_state(function: Callable[..., Any], parameters: tuple[Parameter, ...]) -> None:
    names = [item.name for item in parameters]
    if "state" not in names:
        return
    if names[0] != "state":
        raise DeclarationError(
            "RV0208",
            function,
            f"`state` is not the first parameter of `{function.__name__}`",
            "a step that works on the state names its first parameter `state`",
            "put it first, or give the parameter another name if it is not the workflow's state",
        )
    annotation = function.__annotations__.get("state")
    if not _may_be_state(function, annotation):
        raise DeclarationError(
            "RV0245",
            function,
            f"`state` of `{function.__name__}` is annotated {_shown(annotation)}, which is no pydantic model",
            "a parameter named `state` is given the workflow's state, of which it changes a copy",
            "annotate it with the state's class, or rename the parameter",
        )


def _resolved(function: Callable[..., Any], annotation: object) -> object:
    if not isinstance(annotation, str):
        return annotation
    return function.__globals__.get(annotation, annotation)


def _may_be_state(function: Callable[..., Any], annotation: object) -> bool:
    found = _resolved(function, annotation)
    if found is None:
        return "state" not in function.__annotations__
    origin = get_origin(found) or found
    if isinstance(origin, type):
        return issubclass(origin, BaseModel) or origin is dict or origin is object
    return True  # a forward reference, a TypeVar, Any: the linker sees the real type


def _is_context(annotation: object) -> bool:
    if isinstance(annotation, str):
        return annotation.rpartition(".")[2] == "StepContext"
    return isinstance(annotation, type) and annotation.__name__ == "StepContext"


def _shown(annotation: object) -> str:
    return f"`{annotation.__qualname__}`" if isinstance(annotation, type) else f"`{annotation}`"
