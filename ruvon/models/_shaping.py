"""How one result joins a state: the strategy, and who wins where a field was assigned before.

The engine and `.local` share it, so that they cannot differ.
"""

from collections.abc import Callable, Collection, Mapping
from typing import cast

from pydantic import BaseModel

from ruvon.ir._merging import MergeConflict, MergeStrategy
from ruvon.models._errors import MergeConflictError

__all__ = ["deep_merged", "shaped_result"]


def shaped_result(
    updates: Mapping[str, object],
    given: Collection[str],
    old: Callable[[str], object],
    *,
    known: Collection[str],
    strategy: MergeStrategy,
    conflict: MergeConflict,
    step: str,
) -> Mapping[str, object]:
    """What of a result is written.

    Args:
        updates: the fields that the result sets.
        given: the fields that were ever assigned; a default is no assignment.
        old: the present value of a field.
        known: the fields that have a value.
        strategy: SHALLOW replaces a field, DEEP merges dicts and models key by key.
        conflict: who wins for a field that was assigned before.
        step: the step's name, for messages.

    Raises:
        MergeConflictError: a field was assigned before, and `conflict` refuses that.
    """
    if strategy is MergeStrategy.DEEP:
        updates = {name: deep_merged(old(name), value) if name in known else value for name, value in updates.items()}
    if conflict is MergeConflict.PREFER_NEW:
        return updates
    taken = [name for name in updates if name in given]
    if taken and conflict is MergeConflict.RAISE_ERROR:
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
