"""The join: write sets of branches merge into the state in branch order.

SHALLOW compares and replaces whole fields; DEEP goes into dicts and models key by key and replaces everything else. A path
written by two branches of which neither comes after the other is a conflict, also when both wrote the same value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast, final

from pydantic import BaseModel

from ruvon.authoring._local._layers import Layer, Table
from ruvon.ir.values import same
from ruvon.models import MergeConflictBehavior, MergeConflictError, MergeStrategy

__all__ = ["BranchWrites", "join", "write_set"]

Path: TypeAlias = tuple[Any, ...]


@final
@dataclass(frozen=True, slots=True)
class BranchWrites:
    """What one branch wrote: encoded fields, and the state that it began with."""

    label: str
    start: Table
    layer: Layer
    after: frozenset[str] = frozenset()
    """Labels of all branches that came before it, at any distance."""


def write_set(start: Mapping[str, bytes], end: Mapping[str, bytes]) -> Table:
    """The encoded fields that differ."""
    return {name: data for name, data in end.items() if start.get(name) != data}


def join(
    target: Layer, branches: Sequence[BranchWrites], strategy: MergeStrategy, conflict: MergeConflictBehavior
) -> None:
    """Merge the writes of branches into a layer, all or nothing.

    Raises:
        MergeConflictError: two branches wrote one path, and `conflict` refuses that.
    """
    writers: dict[Path, BranchWrites] = {}
    merged = target.fork()
    for branch in branches:
        for path, value in _writes(branch, strategy):
            other = _clash(writers, path, branch)
            if other is not None and conflict is MergeConflictBehavior.RAISE_ERROR:
                raise MergeConflictError(".".join(map(str, path)), (other.label, branch.label))
            if other is not None and conflict is MergeConflictBehavior.PREFER_EXISTING:
                continue
            writers[path] = branch
            _apply(merged, branch, path, value)
    target.write(write_set(target.table, merged.table))


def _clash(writers: Mapping[Path, BranchWrites], path: Path, branch: BranchWrites) -> BranchWrites | None:
    for known, other in writers.items():
        shorter = min(len(known), len(path))
        if known[:shorter] == path[:shorter] and other is not branch and other.label not in branch.after:
            return other
    return None


def _writes(branch: BranchWrites, strategy: MergeStrategy) -> Iterator[tuple[Path, Any]]:
    form = branch.layer.form
    changed = write_set(branch.start, branch.layer.table)
    if strategy is MergeStrategy.SHALLOW:
        for name in changed:
            yield (name,), None
        return
    old, new = form.values(branch.start), form.values(branch.layer.table)
    for name in changed:
        if name in old:
            yield from _leaves((name,), old[name], new[name])
        else:
            yield (name,), new[name]


def _leaves(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Any]]:
    """The paths below `path` whose values differ."""
    if same(old, new):
        return
    before, after = _parts(old), _parts(new)
    if before is None or after is None or type(old) is not type(new):
        yield path, new
        return
    for key, value in after.items():
        if key in before:
            yield from _leaves((*path, key), before[key], value)
        else:
            yield (*path, key), value


def _parts(value: Any) -> Mapping[Any, Any] | None:
    if isinstance(value, BaseModel):
        return value.__dict__
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


def _apply(target: Layer, branch: BranchWrites, path: Path, value: Any) -> None:
    name = cast("str", path[0])
    if len(path) == 1:
        target.write({name: branch.layer.table[name]})
        return
    whole = target.form.values(target.table)[name]
    inner: Any = whole
    for key in path[1:-1]:
        inner = _inside(inner)[key]
    _inside(inner)[path[-1]] = value
    target.write(target.form.apply(None, target.table, {name: whole}).changed)


def _inside(value: Any) -> dict[Any, Any]:
    """What a dict or a model holds, to be changed in place."""
    found: dict[Any, Any] = vars(value) if isinstance(value, BaseModel) else value
    return found
