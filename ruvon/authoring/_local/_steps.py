"""Step calls: by value, as a transaction on the state.

The function works on its own copy of the state. When it returns, its result is validated, its changes and the keys of a
returned dict are validated together and merge; when it raises, nothing does.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn, cast, final

from ruvon.authoring._declarations import StepDeclaration, resolved_hints
from ruvon.authoring._local._attempts import Attempt, Services, play, run_function, with_retries
from ruvon.authoring._local._layers import Layer, Table
from ruvon.authoring._local._run import Entry, LocalDriver, missing
from ruvon.authoring._local._scheduler import YIELD, Aborted
from ruvon.authoring._local._script import NOTHING, reply_of
from ruvon.authoring._local._sql import local_transaction
from ruvon.authoring._work import CustomRequest, StepRequest
from ruvon.ir._errors import RuvonError
from ruvon.ir._merging import MergeConflict, MergeStrategy
from ruvon.ir.values import copy_value, same, validate
from ruvon.ir.values._table import VIEW_OF
from ruvon.models import (
    JumpTargetError,
    MergeConflictBehavior,
    StepContext,
    UndeclaredKeyError,
    WorkflowDirective,
    WorkflowJumpDirective,
)
from ruvon.models import SagaWorkflowException as SagaError
from ruvon.models._recorded import copy_argument
from ruvon.models._shaping import shaped_result

__all__ = ["LocalDirectiveError", "bound_call", "perform_custom", "perform_step", "run_step", "wants_dict"]


class LocalDirectiveError(RuvonError):
    """A step raised a directive that a body says with a statement.

    Args:
        step: the step's name.
        directive: the directive's class.
        instead: the statement.
    """

    def __init__(self, step: str, directive: str, instead: str) -> None:
        self.step = step
        super().__init__(f"`{step}` raised {directive}, which a Python body does not need: {instead}")


@final
@dataclass(frozen=True, slots=True)
class _Done:
    """What an attempt gives when it works."""

    result: Any
    changed: Table
    services: Services


async def perform_step(driver: LocalDriver, request: StepRequest) -> Any:
    """Call a step."""
    declaration = request.declaration
    bound = bound_call(declaration, request.args, request.kwargs)
    result = await run_step(driver, declaration, bound)
    _mark_undone(driver, declaration, bound)
    return result


async def run_step(
    driver: LocalDriver, declaration: StepDeclaration, bound: Mapping[str, Any], validated_input: Any = None
) -> Any:
    """Run an activation of a step to its end: attempts, merge, record."""
    run, strand = driver.run, driver.strand
    on_state = declaration.takes_state and bound.get("state") is run.body
    args = {name: copy_argument(value) for name, value in bound.items() if name != "state" or not on_state}
    activation = driver.activation(declaration.name)
    driver.note(declaration.name, activation, {name: copy_argument(value) for name, value in args.items()})
    history = Attempt()
    progress: Mapping[str, Any] | None = None
    failure: str | None = None

    async def once(number: int) -> _Done:
        nonlocal progress, failure
        services = Services(
            driver,
            declaration.name,
            driver.key(activation),
            before=progress,
            error=failure,
            shares=declaration.transaction,
        )
        context = StepContext(
            run.workflow_id, declaration.name, services, attempt=number, validated_input=validated_input
        )
        try:
            async with local_transaction(driver.world, declaration) as services.sql:
                return await _attempt(driver, declaration, args, on_state, context, services)
        except Exception as exc:
            failure = f"{type(exc).__qualname__}: {exc}"
            raise
        finally:
            progress = services.progress or progress

    strand.busy += 1
    try:
        await YIELD  # the other branches make their first calls before any of them runs
    finally:
        strand.busy -= 1
    compensation = declaration.compensation
    try:
        done = await with_retries(driver, declaration.retry, history, once)
    except BaseException:
        if history.unknown and compensation is not None and compensation.attempted:
            run.record(Entry(declaration.name, activation, compensation, args, None, driver.scopes))
        raise
    driver.layer.write(done.changed)
    run.form.show(run.body, driver.layer)
    driver.world.published.extend(done.services.published)
    driver.previous = done.result
    if compensation is not None:
        run.record(Entry(declaration.name, activation, compensation, args, copy_value(done.result), driver.scopes))
    if on_state and _is_state(driver, done.result):
        return run.body
    return done.result


async def _attempt(
    driver: LocalDriver,
    declaration: StepDeclaration,
    args: Mapping[str, Any],
    on_state: bool,
    context: StepContext,
    services: Services,
) -> _Done:
    given = {name: copy_argument(value) for name, value in args.items()}
    state: Any = None
    if on_state:
        state = driver.run.form.argument(driver.layer.table, as_dict=wants_dict(declaration))
        given = {"state": state, **given}
    if declaration.takes_context:
        given["context"] = context
    try:
        value = await _called(driver, declaration, given)
    except WorkflowDirective as directive:
        _refuse(declaration, directive)
    result = _validated(declaration, value)
    changed = _write_set(driver, declaration, state, result) if on_state else {}
    return _Done(copy_value(result), changed, services)


async def _called(driver: LocalDriver, declaration: StepDeclaration, given: Mapping[str, Any]) -> Any:
    names = (declaration.name, declaration.function.__name__, declaration.path)
    entry = driver.world.fake_of(*names)
    if entry is not NOTHING:
        return await play(driver, reply_of(entry, given), declaration.name, declaration.timeout)
    if any(driver.world.steps.has(name) for name in names):
        raise missing(StepRequest(declaration, (), {}), f"one more reply in World(steps={{{names[0]!r}: ...}})")
    return await run_function(driver, declaration.function, given, declaration.name, declaration.timeout)


def _refuse(declaration: StepDeclaration, directive: WorkflowDirective) -> NoReturn:
    match directive:
        case SagaError():
            raise directive
        case WorkflowJumpDirective(target_step_name=target):
            raise JumpTargetError(declaration.name, target, "a Python body jumps with `flow` only") from None
        case _:
            name = type(directive).__name__
            instead = "call `human(...)`, a child workflow, or raise the error in the body"
            raise Aborted(LocalDirectiveError(declaration.name, name, instead))


def _validated(declaration: StepDeclaration, value: Any) -> Any:
    hints = resolved_hints(declaration.function)
    wanted = declaration.into if declaration.into is not None else hints.get("return", object)
    return validate(wanted, value, f"the result of {declaration.name}")


def wants_dict(declaration: StepDeclaration) -> bool:
    """Whether the function annotates `state` as a plain dict."""
    hint = resolved_hints(declaration.function).get("state")
    return hint is dict or getattr(hint, "__origin__", None) is dict


def _items(result: object) -> Iterable[tuple[Any, Any]]:
    """The keys of a returned mapping; nothing of any other result."""
    return cast("Any", result).items() if isinstance(result, Mapping) else ()


def _is_state(driver: LocalDriver, result: object) -> bool:
    own: object = getattr(driver.run.body, VIEW_OF, None)
    cls = type(result)
    return own is not None and getattr(cls, VIEW_OF, cls) is own


def _write_set(driver: LocalDriver, declaration: StepDeclaration, state: Any, result: Any) -> Table:
    """What the step changed and returned, validated together against the state as it is now."""
    form, table = driver.run.form, driver.layer.table
    updates: Mapping[str, object] = {str(key): item for key, item in _items(result)}
    own = _is_state(driver, cast("object", result))
    by_rule = (declaration.merge, declaration.conflict) != (MergeStrategy.SHALLOW, MergeConflictBehavior.PREFER_NEW)
    if by_rule and result is not state:
        if own:
            updates = {name: getattr(result, name) for name in form.fields if name in result.model_fields_set}
            updates |= result.model_extra or {}
        updates = _by_rule(driver, declaration, updates)
    merged = form.apply(state, table, updates)
    strict = driver.run.declaration.strict_results if declaration.strict is None else declaration.strict
    if merged.undeclared and strict:
        raise UndeclaredKeyError(declaration.name, next(iter(merged.undeclared)), form.name, form.fields)
    changed = merged.changed
    if own and not by_rule:
        changed = {**changed, **form.merge_instance({**table, **changed}, result)}
    return changed


def _by_rule(driver: LocalDriver, declaration: StepDeclaration, updates: Mapping[str, object]) -> Mapping[str, object]:
    """What of a result is written under the `merge` and `conflict` of its step."""
    form, table = driver.run.form, driver.layer.table
    values = form.values(table)
    return shaped_result(
        updates,
        form.given(table),
        values.__getitem__,
        known=values,
        strategy=declaration.merge,
        conflict=MergeConflict[declaration.conflict.name],
        step=declaration.name,
    )


def _mark_undone(driver: LocalDriver, declaration: StepDeclaration, bound: Mapping[str, Any]) -> None:
    """A step that is also a registered compensation was called by hand: the entry it undoes is done with."""
    for entry in reversed(driver.run.entries):
        compensation = entry.compensation
        if entry.undone or compensation is None or compensation.path != declaration.path:
            continue
        wanted = compensation.result_parameter
        if wanted is None or same(copy_value(bound.get(wanted)), entry.result):
            entry.undone = True
            return


@lru_cache(maxsize=4096)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """The signature of a call: the function's own, without `context`."""
    own = inspect.signature(function)
    return own.replace(parameters=[item for name, item in own.parameters.items() if name != "context"])


def bound_call(declaration: StepDeclaration, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """A call's arguments by name; defaults are left to the function."""
    bound = _signature(declaration.function).bind(*args, **kwargs)
    found: dict[str, Any] = {}
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            found.update(value)
        else:
            found[name] = value
    return found


async def perform_custom(driver: LocalDriver, request: CustomRequest) -> Any:
    """Run a step of a registered type: the registry lies above this layer, so its result is scripted."""
    name, run = request.declaration.name, driver.run
    config = {key: value if callable(value) else copy_value(value) for key, value in request.config.items()}
    activation = driver.activation(name)
    driver.note(name, activation, config)
    on_state = any(value is run.body for value in (*request.args, *request.kwargs.values()))

    async def once(_: int) -> Any:
        entry = driver.world.fake_of(name, request.type)
        if entry is NOTHING:
            raise missing(request, f"World(steps={{{name!r}: ...}})")
        state = driver.layer.snapshot()
        reply = reply_of(entry, {**config, "state": state, **request.kwargs}, first=state)
        return await play(driver, reply, name, request.declaration.timeout)

    value = await with_retries(driver, request.declaration.retry, Attempt(), once)
    result: Any = validate(request.into, value, f"the result of {name}") if request.into is not None else value
    if on_state and isinstance(result, dict):
        layer: Layer = driver.layer
        layer.write(run.form.apply(None, layer.table, cast("dict[str, object]", result)).changed)
        run.form.show(run.body, layer)
    driver.previous = copy_value(cast("object", result))
    return driver.previous
