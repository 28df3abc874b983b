"""How what a step did to the state becomes a write set."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from ruvon.engine._state import StateType, Table
from ruvon.ir._nodes import Merge, MergeConflict, MergeStrategy
from ruvon.models import MergeConflictError

if TYPE_CHECKING:
    from ruvon.engine._run import Run
    from ruvon.engine._scope import Scope

__all__ = ["deep_merged", "merge_result", "step_writes"]

_DEFAULT = Merge()


def step_writes(
    run: "Run", scope: "Scope", view: Any, result: object, merge: Merge, step: str, *, merges: bool, strict: bool
) -> Table:
    """The write set of a step: what it did to its view, then what its result adds.

    Args:
        run: the run.
        scope: whose state the step worked on.
        view: what it worked on, or None where it took no state.
        result: what it returned.
        merge: how the result joins the state.
        step: the step's name, for messages.
        merges: whether a returned mapping merges.
        strict: whether undeclared keys are refused.
    """
    state = run.program.types.state
    updates = _updates(state, result, scope.fields) if merges and result is not None and result is not view else None
    if updates is None:
        return state.apply(view, scope.fields, None, step, strict) if view is not None else {}
    if merge is not _DEFAULT and merge != _DEFAULT:
        updates = _shaped(state, scope.fields, updates, merge, step)
    return state.apply(view, scope.fields, updates, step, strict)


def merge_result(run: "Run", scope: "Scope", result: object, merge: Merge, step: str, *, strict: bool) -> Table:
    """The write set of a result alone."""
    return step_writes(run, scope, None, result, merge, step, merges=True, strict=strict)


def _updates(state: StateType, result: object, table: Table) -> Mapping[str, object] | None:
    """The keys that a result merges: those of a mapping, or the set fields of the state's own class."""
    if isinstance(result, Mapping):
        return {str(key): value for key, value in cast("Mapping[object, object]", result).items()}
    return state.set_fields(result, table)


def _shaped(
    state: StateType, table: Table, updates: Mapping[str, object], merge: Merge, step: str
) -> Mapping[str, object]:
    """Apply strategy and conflict rule to one result; a field conflicts when it was assigned before."""
    if merge.strategy is MergeStrategy.DEEP:
        updates = {
            name: deep_merged(state.decode(name, table[name]), value) if name in table else value
            for name, value in updates.items()
        }
    if merge.conflict is MergeConflict.PREFER_NEW:
        return updates
    given = state.given(table)
    taken = [name for name in updates if name in given]
    if taken and merge.conflict is MergeConflict.RAISE_ERROR:
        raise MergeConflictError(taken[0], ("state", step))
    return {name: value for name, value in updates.items() if name not in given}


def deep_merged(old: object, new: object) -> object:
    """`new` over `old`, dicts and models key by key, everything else (lists too) replaced."""
    if isinstance(old, dict) and isinstance(new, dict):
        merged = dict(cast("dict[object, object]", old))
        for key, value in cast("dict[object, object]", new).items():
            merged[key] = deep_merged(merged[key], value) if key in merged else value
        return merged
    if isinstance(old, BaseModel) and isinstance(new, BaseModel) and type(new) is type(old):
        given = new.model_fields_set
        return old.model_copy(update={name: deep_merged(getattr(old, name), getattr(new, name)) for name in given})
    if isinstance(old, BaseModel) and isinstance(new, dict):
        items = cast("dict[str, object]", new).items()
        return old.model_copy(update={name: deep_merged(getattr(old, name, None), value) for name, value in items})
    return new
