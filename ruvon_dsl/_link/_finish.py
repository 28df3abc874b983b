"""The last pass: what the whole graph says about types, functions and forms is written into the definition.

Assumes a draft whose names are bound and whose flow types have settled. Guarantees a definition that depends only on the
graph and the code it names: variables typed, every class fingerprinted, every function's contract recorded, everything in
sorted order.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Never

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from ruvon.ir._canonical import walk_nodes
from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._nodes import (
    Call,
    Contract,
    Definition,
    HumanSource,
    Node,
    Parallel,
    RetryPolicy,
    SignalSource,
    Start,
    Try,
    Wait,
)
from ruvon.ir._reads import expressions_of
from ruvon.ir._spans import Span
from ruvon.ir.expr import refs
from ruvon.ir.types import UnresolvedTypeError, type_table
from ruvon.ir.types._shape import is_plain_class
from ruvon_dsl._link._bindings import all_variables
from ruvon_dsl._link._codes import UNRESOLVED
from ruvon_dsl._link._describe import describe
from ruvon_dsl._link._resolve import Resolver
from ruvon_dsl._link._targets import (
    ClassTarget,
    Missing,
    OtherTarget,
    Parameter,
    PlainFunctionTarget,
    PureTarget,
    StepTarget,
)
from ruvon_dsl._link._unions import members_of, text_of, union_of, without_literals

__all__ = ["finish", "functions_of"]


def finish(
    definition: Definition, resolver: Resolver, bound: Mapping[str, Mapping[str, object]], span: Span | None
) -> tuple[Definition, list[Diagnostic]]:
    """Fill variables, types, contracts and schemas.

    Args:
        definition: The draft's definition.
        resolver: Where its paths are found.
        bound: For each variable the types that nodes give it.
        span: Where a finding about the whole definition points to.
    """
    variables = _variables(definition, bound)
    places = all_variables(definition)
    annotations = {text: resolver.type_of(text, span) for text in _type_texts(definition)}
    for name, text in variables.items():
        if text not in annotations:
            annotations[text] = resolver.type_of(text, places.get(name) or span)
    found: list[Diagnostic] = []
    results = _results(definition, resolver)
    try:
        types = type_table([*annotations.values(), *results, *_classes(definition, resolver)])
    except UnresolvedTypeError as exc:
        found.append(Diagnostic(code=UNRESOLVED, message=exc.problem, span=span, help=exc.remedy))
        types = {}
    filled = replace(
        definition,
        variables=MappingProxyType(variables),
        types=MappingProxyType(types),
        contracts=MappingProxyType(_contracts(definition, resolver)),
        schemas=MappingProxyType(_schemas(_shown_texts(definition), annotations)),
    )
    return filled, found


def _variables(definition: Definition, bound: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    texts = dict(definition.variables)
    for name, types in bound.items():
        if name not in texts:
            type_ = without_literals(union_of(*types.values()))
            texts[name] = "object" if type_ is Any or type_ is Never else text_of(_stored(type_))
    return dict(sorted(texts.items()))


def _stored(type_: object) -> object:
    """The type that values are stored as: the items of a display that stayed empty may be anything."""
    members = [
        dict[object, object] if member == dict[Never, Never] else list[object] if member == list[Never] else member
        for member in members_of(type_)
    ]
    return union_of(*members)


def _type_texts(definition: Definition) -> list[str]:
    """The texts of all types that values of this definition are stored as, those of variables left out."""
    texts = [definition.state, *([definition.result] if definition.result else [])]
    for node in walk_nodes(definition.graph):
        match node.action:
            case Call(into=into, input_model=model):
                texts.extend(text for text in (into, model) if text)
            case Wait(source=SignalSource(model=model)):
                texts.append(model)
            case Wait(source=HumanSource(form=form)) if form:
                texts.append(form)
            case Start(result=result) if result:
                texts.append(result)
            case _:
                continue
    return list(dict.fromkeys(texts))


def _shown_texts(definition: Definition) -> list[str]:
    """The types that editors and forms show: state, result, and what people enter and send."""
    texts = [definition.state, *([definition.result] if definition.result else [])]
    for node in walk_nodes(definition.graph):
        match node.action:
            case Wait(source=HumanSource(form=str() as form)):
                texts.append(form)
            case Wait(source=SignalSource(model=model)):
                texts.append(model)
            case Call(input_model=str() as model):
                texts.append(model)
            case _:
                continue
    return sorted(dict.fromkeys(texts))


def _results(definition: Definition, resolver: Resolver) -> list[object]:
    found: list[object] = []
    for node in walk_nodes(definition.graph):
        if isinstance(node.action, Call) and node.action.function is not None:
            target = resolver.callee(node.action.function, node.display.source)
            if target is not None and target.result is not Missing:
                found.append(target.result)
    return found


def _classes(definition: Definition, resolver: Resolver) -> list[object]:
    """Classes that expressions build or test for, and exceptions that handlers, retries and FAILs name."""
    paths: dict[str, Span | None] = {}
    for node in walk_nodes(definition.graph):
        span = node.display.source
        for expr in expressions_of(node):
            paths.update(dict.fromkeys(sorted(refs(expr)), span))
        if isinstance(node.action, Try):
            for handler in node.action.handlers:
                paths.update(dict.fromkeys(handler.classes, span))
        for policy in _retries(node):
            paths.update(dict.fromkeys((*policy.on, *policy.never), span))
    return [cls for path, span in paths.items() for cls in resolver.classes((path,), span)]


def _retries(node: Node) -> Iterator[RetryPolicy]:
    policies: tuple[RetryPolicy | None, ...] = ()
    match node.action:
        case Call(retry=retry, compensation=compensation):
            policies = (retry, None if compensation is None else compensation.retry)
        case Start(retry=retry):
            policies = (retry,)
        case Wait(compensation=compensation):
            policies = (None if compensation is None else compensation.retry,)
        case _:
            return
    yield from (policy for policy in policies if policy is not None)


def functions_of(definition: Definition) -> dict[str, Span | None]:
    """The paths of all functions that a definition names, with the first place that names each."""
    found: dict[str, Span | None] = {}
    for node in walk_nodes(definition.graph):
        match node.action:
            case Call(function=function, compensation=compensation):
                paths = [function, None if compensation is None else compensation.function]
            case Wait(source=HumanSource(ask=ask, answer=answer), compensation=compensation):
                paths = [ask, answer, None if compensation is None else compensation.function]
            case Parallel(merge=merge):
                paths = [merge.function]
            case _:
                paths = []
        for path in paths:
            if path is not None:
                found.setdefault(path, node.display.source)
    return found


def _contracts(definition: Definition, resolver: Resolver) -> dict[str, Contract]:
    contracts: dict[str, Contract] = {}
    paths = set(functions_of(definition))
    for node in walk_nodes(definition.graph):
        for expr in expressions_of(node):
            paths |= refs(expr)
    for path in sorted(paths):
        contract = _contract(path, resolver)
        if contract is not None:
            contracts[path] = contract
    return contracts


def _contract(path: str, resolver: Resolver) -> Contract | None:
    """A function's contract; None for a class, and for what was not found (which was reported before)."""
    found = resolver.known(path)
    target = describe(found)
    if isinstance(target, OtherTarget):
        declared = getattr(found, "__ruvon_compensation__", None)
        target = describe(getattr(declared, "function", found))
    match target:
        case StepTarget() | PlainFunctionTarget():
            return Contract(
                parameters=_parameters(target.parameters), result=_text(target.result), is_async=target.is_async
            )
        case PureTarget():
            return Contract(parameters=_parameters(target.parameters), result=_text(target.result))
        case ClassTarget() | _:
            return None


def _parameters(parameters: Iterable[Parameter]) -> tuple[tuple[str, str, bool], ...]:
    return tuple((item.name, _text(item.annotation), item.required) for item in parameters)


def _text(annotation: object) -> str:
    return "object" if annotation is Missing else text_of(annotation)


def _schemas(texts: Iterable[str], annotations: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    schemas: dict[str, Mapping[str, object]] = {}
    for text in texts:
        annotation: Any = annotations[text]
        whole = is_plain_class(annotation) and getattr(annotation, "__pydantic_complete__", False) is True
        schema = _model_schema(annotation) if whole else _schema(annotation)
        if schema is not None:
            schemas[text] = schema
    return schemas


@lru_cache(maxsize=256)
def _model_schema(model: type) -> Mapping[str, object] | None:
    """The schema of a complete model, which does not change any more; many definitions share one state."""
    return _schema(model)


def _schema(annotation: Any) -> Mapping[str, object] | None:
    """The JSON Schema of a type; None where it cannot say it: editors do without, the engine never reads schemas."""
    try:
        return TypeAdapter[Any](annotation).json_schema()
    except PydanticUserError:
        return None
