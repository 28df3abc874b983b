"""`describe`: from an object to the target it is for the compiler.

Decorators leave plain declarations on what they make (`ruvon.authoring`); this module reads them, resolves annotations
and turns authoring values (`Retry`, `timedelta`) into the graph's own. It imports nothing that the author did not.
"""

import inspect
import typing
from collections.abc import Callable, Mapping
from datetime import timedelta
from enum import Enum
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any, Final

from ruvon.authoring._declarations import CompensationDeclaration, StepDeclaration, WorkflowDeclaration
from ruvon.authoring._declarations import Parameter as DeclaredParameter
from ruvon.authoring._flow import is_block, is_pure
from ruvon.authoring._retry import Retry
from ruvon.ir._errors import RuvonError
from ruvon.ir._nodes import Compensation, RetryPolicy
from ruvon.ir._paths import canonical_path
from ruvon.ir.types import class_path
from ruvon_dsl._link._constants import constant_expr
from ruvon_dsl._link._targets import (
    BlockTarget,
    ChildTarget,
    ClassTarget,
    ConstantTarget,
    Missing,
    OtherTarget,
    Parameter,
    ParameterKind,
    PlainFunctionTarget,
    PureTarget,
    Site,
    StepTarget,
    Target,
)

__all__ = ["compensation_of", "describe", "duration_us", "hints_of", "plain_function", "retry_policy", "site_of"]

_KINDS: Final[Mapping[str, ParameterKind]] = {
    "positional": ParameterKind.POSITIONAL_OR_KEYWORD,
    "keyword": ParameterKind.KEYWORD_ONLY,
    "rest": ParameterKind.VAR_KEYWORD,
}
_MUTABLE: Final[tuple[type, ...]] = (list, dict, set)
_SUPPLIED: Final = frozenset({"context"})


def describe(value: object) -> Target:
    """What an object is to the compiler.

    Never raises: an annotation that cannot be resolved stands in the target as its text, and the check of types says so.
    """
    try:
        step = getattr(value, "__ruvon_step__", None)
    except (RuvonError, ImportError) as exc:
        return OtherTarget(value=value, kind=f"a reference that leads nowhere ({exc})")
    if isinstance(step, StepDeclaration):
        return _step(step, getattr(value, "path", None))
    workflow = getattr(value, "__ruvon_workflow__", None)
    if isinstance(workflow, WorkflowDeclaration):
        return _workflow(workflow)
    if isinstance(getattr(value, "__ruvon_compensation__", None), CompensationDeclaration):
        return OtherTarget(value=value, kind="a compensation")
    if isinstance(value, FunctionType):
        return _function(value)
    if isinstance(value, type):
        return ClassTarget(path=canonical_path(value) or class_path(value), cls=value)
    if constant_expr(value) is not None:
        return ConstantTarget(value=value)
    return OtherTarget(value=value, kind=_kind_of(value))


def plain_function(function: FunctionType, path: str | None = None) -> PlainFunctionTarget:
    """An undecorated function as a callee; `path` is what stands in the graph where it has no canonical one."""
    hints = hints_of(function)
    declared = list(inspect.signature(function).parameters.values())
    names = [item.name for item in declared]
    takes_state = bool(names) and names[0] == "state"
    return PlainFunctionTarget(
        path=canonical_path(function) or path or f"{function.__module__}:{function.__qualname__}",
        name=function.__name__,
        parameters=tuple(_parameter(item, hints) for item in declared if item.name not in _SUPPLIED),
        takes_state=takes_state,
        takes_context="context" in names,
        state=hints.get("state", Missing) if takes_state else Missing,
        result=result_of(hints),
        is_async=inspect.iscoroutinefunction(function),
        defined=site_of(function),
    )


def hints_of(function: Callable[..., object]) -> Mapping[str, object]:
    """A function's annotations as types; one that names something unknown stays the text it is."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return {name: _one_hint(function, hint) for name, hint in inspect.get_annotations(function).items()}


def result_of(hints: Mapping[str, object]) -> object:
    """The result annotation, without the coroutine around it; None stays None."""
    result = hints.get("return", Missing)
    return None if result is type(None) else result


def retry_policy(retry: Retry) -> RetryPolicy:
    """An authoring `Retry` as the graph stores it: microseconds and class paths."""
    return RetryPolicy(
        max_attempts=retry.max_attempts,
        delay_us=duration_us(retry.delay),
        backoff=float(retry.backoff),
        max_delay_us=None if retry.max_delay is None else duration_us(retry.max_delay),
        jitter=float(retry.jitter),
        on=tuple(class_path(cls) for cls in retry.on),
        never=tuple(class_path(cls) for cls in retry.never),
    )


def duration_us(duration: timedelta) -> int:
    """A duration in whole microseconds."""
    return duration // timedelta(microseconds=1)


def compensation_of(declaration: CompensationDeclaration | None) -> Compensation | None:
    """A declared compensation as the graph stores it."""
    if declaration is None:
        return None
    retry = None if declaration.retry is None else retry_policy(declaration.retry)
    return Compensation(function=declaration.path, attempted=declaration.attempted, retry=retry)


def site_of(value: object) -> Site | None:
    """Where a function, step or class is defined, as far as Python knows."""
    for name in ("__ruvon_step__", "__ruvon_workflow__"):
        declared = getattr(value, name, None)
        if isinstance(declared, StepDeclaration | WorkflowDeclaration) and declared.file:
            return Site(declared.file, declared.line)
    code = getattr(value, "__code__", None)
    return Site(code.co_filename, code.co_firstlineno) if isinstance(code, CodeType) else None


def _step(declaration: StepDeclaration, written: object) -> StepTarget:
    hints = hints_of(declaration.function)
    given = tuple(_declared(item, hints) for item in declaration.parameters)
    state = (Parameter("state", hints.get("state", Missing)),) if declaration.takes_state else ()
    return StepTarget(
        path=_step_path(declaration, written),
        name=declaration.name,
        parameters=(*state, *given),
        takes_state=declaration.takes_state,
        takes_context=declaration.takes_context,
        state=hints.get("state", Missing) if declaration.takes_state else Missing,
        result=result_of(hints),
        is_async=declaration.is_async,
        retry=None if declaration.retry is None else retry_policy(declaration.retry),
        timeout_us=None if declaration.timeout is None else duration_us(declaration.timeout),
        queue=declaration.queue,
        transaction=declaration.transaction,
        concurrency_key=declaration.concurrency_key,
        compensation=compensation_of(declaration.compensation),
        named=declaration.named,
        automate_next=declaration.automate_next,
        input_model=declaration.input_model,
        defined=Site(declaration.file, declaration.line) if declaration.file else None,
    )


def _step_path(declaration: StepDeclaration, written: object) -> str:
    """The canonical path; where a `step_ref` names the function otherwise and that is no canonical path, as written."""
    if isinstance(written, str) and ":" in written:
        return canonical_path(declaration.function) or written
    return declaration.path


def _workflow(declaration: WorkflowDeclaration) -> ChildTarget:
    if declaration.function is None:
        return ChildTarget(
            workflow_type=declaration.workflow_type,
            version=declaration.version,
            takes=Missing if declaration.takes is None else declaration.takes,
            gives=Missing if declaration.gives is None else declaration.gives,
        )
    hints = hints_of(declaration.function)
    return ChildTarget(
        workflow_type=declaration.workflow_type, takes=hints.get("state", Missing), gives=result_of(hints)
    )


def _function(function: FunctionType) -> Target:
    if is_block(function):
        hints = hints_of(function)
        return BlockTarget(
            path=canonical_path(function) or f"{function.__module__}:{function.__qualname__}",
            name=function.__name__,
            function=function,
            parameters=tuple(_parameter(item, hints) for item in inspect.signature(function).parameters.values()),
            result=result_of(hints),
        )
    if is_pure(function):
        hints = hints_of(function)
        return PureTarget(
            path=canonical_path(function) or f"{function.__module__}:{function.__qualname__}",
            name=function.__name__,
            parameters=tuple(_parameter(item, hints) for item in inspect.signature(function).parameters.values()),
            result=result_of(hints),
        )
    return plain_function(function)


def _declared(parameter: DeclaredParameter, hints: Mapping[str, object]) -> Parameter:
    annotation = hints.get(parameter.name, Missing)
    return Parameter(parameter.name, annotation, parameter.required, _KINDS[parameter.kind])


def _parameter(parameter: inspect.Parameter, hints: Mapping[str, object]) -> Parameter:
    kind = ParameterKind[parameter.kind.name]
    required = parameter.default is inspect.Parameter.empty
    return Parameter(parameter.name, hints.get(parameter.name, Missing), required, kind)


def _one_hint(function: Callable[..., object], hint: object) -> object:
    if not isinstance(hint, str):
        return hint
    namespace: Any = getattr(inspect.unwrap(function), "__globals__", {})
    probe: Any = type(
        "Probe", (), {"__annotations__": {"hint": hint}, "__module__": getattr(function, "__module__", "")}
    )
    try:
        return typing.get_type_hints(probe, globalns=namespace, include_extras=True)["hint"]
    except (NameError, TypeError, AttributeError, SyntaxError):
        return hint


def _kind_of(value: object) -> str:
    name = type(value).__name__
    match value:
        case ModuleType():
            return "a module"
        case BuiltinFunctionType():
            return "a function of Python's own"
        case _ if isinstance(value, _MUTABLE):
            return f"a {name}, which can change"
        case Enum():
            return "a combination of flags"
        case _:
            return f"an object of class `{name}`"
