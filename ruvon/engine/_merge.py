"""How what a step did to the state becomes a write set."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from ruvon.engine._state import StateType, Table
from ruvon.ir._nodes import Merge
from ruvon.models._shaping import shaped_result

if TYPE_CHECKING:
    from ruvon.engine._run import Run
    from ruvon.engine._scope import Scope

__all__ = ["merge_result", "step_writes"]

_DEFAULT = Merge()
_TEXT_KEYS = frozenset({str})


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
    if type(result) is dict and _TEXT_KEYS.issuperset(map(type, cast("dict[object, object]", result))):
        return cast("dict[str, object]", result)
    if isinstance(result, Mapping):
        return {str(key): value for key, value in cast("Mapping[object, object]", result).items()}
    return state.set_fields(result, table)


def _shaped(
    state: StateType, table: Table, updates: Mapping[str, object], merge: Merge, step: str
) -> Mapping[str, object]:
    """Apply strategy and conflict rule to one result; a field conflicts when it was assigned before."""
    return shaped_result(
        updates,
        state.given(table),
        lambda name: state.decode(name, table[name]),
        known=table,
        strategy=merge.strategy,
        conflict=merge.conflict,
        step=step,
    )
