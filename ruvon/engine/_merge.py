"""How what a step did to the state becomes a write set, and how write sets are joined."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from ruvon.engine._state import GIVEN, DictState, Table
from ruvon.ir._nodes import Merge, MergeConflict, MergeStrategy
from ruvon.models import MergeConflictError

if TYPE_CHECKING:
    from ruvon.engine._frames import Strand
    from ruvon.engine._run import Run

__all__ = ["deep_merged", "merge_branches", "merge_result", "view_changes"]


def view_changes(run: "Run", strand: "Strand", view: Any, step: str, *, plain: bool) -> Table:
    """The write set of a view that a step worked on."""
    state = run.program.types.state
    table = strand.scope.fields
    if not plain or isinstance(state, DictState):
        return state.changes(view, table)
    items = cast("Mapping[str, object]", view)
    before = state.as_dict(table)
    changed = {name: value for name, value in items.items() if name not in before or before[name] != value}
    return state.entries(changed, table, step, strict=False) if changed else {}


def merge_result(
    run: "Run", strand: "Strand", writes: Table, result: object, merge: Merge, step: str, *, strict: bool
) -> Table:
    """`writes` together with what a result adds: the declared keys of a mapping, the set fields of the state's class."""
    state = run.program.types.state
    if state.is_state(result):
        data: Mapping[str, object] = state.fields_set(result)
    elif isinstance(result, Mapping):
        data = {str(key): value for key, value in cast("Mapping[object, object]", result).items()}
    else:
        return writes
    table = {**strand.scope.fields, **writes} if writes else strand.scope.fields
    if merge.strategy is MergeStrategy.DEEP:
        data = _deepened(run, table, data)
    if merge.conflict is not MergeConflict.PREFER_NEW:
        data = _without_conflicts(run, strand, data, merge, step)
    return writes | state.entries(data, table, step, strict)


def _deepened(run: "Run", table: Table, data: Mapping[str, object]) -> dict[str, object]:
    state = run.program.types.state
    found: dict[str, object] = {}
    for name, value in data.items():
        found[name] = deep_merged(state.decode(name, table[name]), value) if name in table else value
    return found


def _without_conflicts(
    run: "Run", strand: "Strand", data: Mapping[str, object], merge: Merge, step: str
) -> dict[str, object]:
    """Apply the conflict rule to one result: a field conflicts when it was assigned before."""
    given = run.program.types.state.given(strand.scope.fields)
    taken = [name for name in data if name in given]
    if taken and merge.conflict is MergeConflict.RAISE_ERROR:
        raise MergeConflictError(taken[0], ("state", step))
    return {name: value for name, value in data.items() if name not in given}


def deep_merged(old: object, new: object) -> object:
    """`new` over `old`, dicts and models key by key, everything else (lists too) replaced."""
    if isinstance(old, dict) and isinstance(new, dict):
        merged = dict(cast("dict[object, object]", old))
        for key, value in cast("dict[object, object]", new).items():
            merged[key] = deep_merged(merged[key], value) if key in merged else value
        return merged
    if isinstance(old, BaseModel) and type(new) is type(old):
        given = new.__pydantic_fields_set__
        changes = {name: deep_merged(getattr(old, name), getattr(new, name)) for name in given}
        return old.model_copy(update=changes)
    if isinstance(old, BaseModel) and isinstance(new, dict):
        changes = {
            str(key): deep_merged(getattr(old, str(key), None), value)
            for key, value in cast("dict[object, object]", new).items()
        }
        return old.model_copy(update=changes)
    return new


def merge_branches(run: "Run", base: Table, branches: list[tuple[str, Table, frozenset[str]]], merge: Merge) -> Table:
    """The joined write set of branches, in branch order.

    Args:
        run: the run.
        base: the table at the fork.
        branches: label, write set, and the labels of the branches whose writes the branch saw.
        merge: who wins where two branches that did not see each other wrote one field.
    """
    joined: Table = {}
    writers: dict[str, list[str]] = {}
    for label, writes, seen in branches:
        for name, data in writes.items():
            if name == GIVEN:
                continue
            before = [item for item in writers.get(name, []) if item not in seen]
            writers.setdefault(name, []).append(label)
            if not before or joined[name] == data:
                joined[name] = data
            elif merge.strategy is MergeStrategy.DEEP:
                joined[name] = _deep_joined(run, base, joined, name, data)
            elif merge.conflict is MergeConflict.RAISE_ERROR:
                raise MergeConflictError(name, (before[-1], label))
            elif merge.conflict is MergeConflict.PREFER_NEW:
                joined[name] = data
    return joined


def _deep_joined(run: "Run", base: Table, joined: Table, name: str, data: bytes) -> bytes:
    state = run.program.types.state
    merged = deep_merged(state.decode(name, joined[name]), state.decode(name, data))
    return state.assign(name, merged, {**base, **joined})[name]
