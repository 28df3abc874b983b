"""Arguments of a call, bound to parameter names the way Python binds them.

The graph stores arguments by name, so that `charge(state, 5)` and `charge(state, amount=5)` are one definition. What
Python would refuse with a TypeError is found here, with the names of the function.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._spans import Span
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._link._codes import BAD_ARGUMENTS
from ruvon_dsl._link._targets import (
    BlockTarget,
    Parameter,
    ParameterKind,
    PlainFunctionTarget,
    PureTarget,
    StepTarget,
)

__all__ = ["Callee", "bind_arguments", "opaque_arguments"]

Callee = StepTarget | PlainFunctionTarget | PureTarget | BlockTarget

_BY_POSITION = (ParameterKind.POSITIONAL_ONLY, ParameterKind.POSITIONAL_OR_KEYWORD)
_BY_NAME = (ParameterKind.POSITIONAL_OR_KEYWORD, ParameterKind.KEYWORD_ONLY)


def bind_arguments(
    target: Callee, positional: Sequence[Expr], keywords: Mapping[str, Expr], span: Span | None
) -> tuple[Mapping[str, Expr], list[Diagnostic]]:
    """Bind the arguments of one call to the parameters of `target`.

    Args:
        target: What is called.
        positional: The arguments given by position, in order.
        keywords: The arguments given by name.
        span: The call, for arguments that are missing.

    Returns:
        The arguments by parameter name in the order of the parameters, and what Python would refuse.
    """
    found: list[Diagnostic] = []
    given: dict[str, Expr] = {}
    slots = [parameter for parameter in target.parameters if parameter.kind in _BY_POSITION]
    for parameter, argument in zip(slots, positional, strict=False):
        given[parameter.name] = argument
    for argument in positional[len(slots) :]:
        found.append(_too_many(target, len(slots), len(positional), argument.span or span))
        break
    for name, argument in keywords.items():
        found.extend(_take_keyword(target, given, name, argument, span))
    found.extend(_missing(target, given, span))
    order = {parameter.name: index for index, parameter in enumerate(target.parameters)}
    ordered = sorted(given.items(), key=lambda item: order.get(item[0], len(order)))
    return MappingProxyType(dict(ordered)), found


def opaque_arguments(positional: Sequence[Expr], keywords: Mapping[str, Expr]) -> Mapping[str, Expr]:
    """The arguments of a call whose function is unknown (parse without import): positions are the keys "0", "1", ..."""
    return MappingProxyType({**{str(index): value for index, value in enumerate(positional)}, **keywords})


def _take_keyword(
    target: Callee, given: dict[str, Expr], name: str, argument: Expr, span: Span | None
) -> list[Diagnostic]:
    where = argument.span or span
    if name in given:
        return [_finding(f"`{target.name}` gets `{name}` twice, by position and by name", where, "give it once")]
    names = [parameter.name for parameter in target.parameters if parameter.kind in _BY_NAME]
    open_ended = any(parameter.kind is ParameterKind.VAR_KEYWORD for parameter in target.parameters)
    if name in names or open_ended:
        given[name] = argument
        return []
    if name == "context" and isinstance(target, StepTarget | PlainFunctionTarget) and target.takes_context:
        return [_finding(f"`{target.name}` gets its `context` from the engine", where, "leave the argument out")]
    close = get_close_matches(name, names, 1)
    hint = f"did you mean `{close[0]}`?" if close else f"it takes {_listed(target.parameters)}"
    return [_finding(f"`{target.name}` has no parameter `{name}`", where, hint)]


def _missing(target: Callee, given: Mapping[str, Expr], span: Span | None) -> list[Diagnostic]:
    variable = (ParameterKind.VAR_POSITIONAL, ParameterKind.VAR_KEYWORD)
    absent = [
        parameter.name
        for parameter in target.parameters
        if parameter.required and parameter.kind not in variable and parameter.name not in given
    ]
    if not absent:
        return []
    names = ", ".join(f"`{name}`" for name in absent)
    plural = "s" if len(absent) > 1 else ""
    return [_finding(f"`{target.name}` is called without its argument{plural} {names}", span, f"give {names}")]


def _too_many(target: Callee, takes: int, got: int, span: Span | None) -> Diagnostic:
    if any(parameter.kind is ParameterKind.VAR_POSITIONAL for parameter in target.parameters):
        return _finding(
            f"`{target.name}` takes any number of arguments by position, which cannot be stored by name",
            span,
            "give the function one parameter that is a list",
        )
    plural = "s" if takes != 1 else ""
    return _finding(
        f"`{target.name}` takes {takes} argument{plural} by position and gets {got}",
        span,
        f"it takes {_listed(target.parameters)}",
    )


def _listed(parameters: Sequence[Parameter]) -> str:
    return ", ".join(f"`{parameter.name}`" for parameter in parameters) or "no arguments"


def _finding(message: str, span: Span | None, help_: str) -> Diagnostic:
    return Diagnostic(
        code=BAD_ARGUMENTS,
        message=message,
        span=span,
        help=help_,
        reason="Python would raise TypeError when the step is called",
    )
