"""The join: write sets of branches merge into the state in branch order.

SHALLOW compares and replaces whole fields; DEEP goes into dicts and models key by key and replaces everything else. A path
written by two branches of which neither comes after the other is a conflict, also when both wrote the same value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from ruvon.authoring._local._layers import Layer, Table
from ruvon.authoring._parallel import MergeFunction
from ruvon.ir.values import copy_value
from ruvon.ir.values._changes import Path, changed_parts, with_changes
from ruvon.models import MergeConflictBehavior, MergeConflictError, MergeStrategy

__all__ = ["BranchWrites", "join", "merge_by", "write_set"]

Change: TypeAlias = tuple[Path, object]


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
        for name, changes in _writes(branch, strategy):
            kept = [change for change in changes if not _loses(writers, (name, *change[0]), branch, conflict)]
            writers.update(((name, *path), branch) for path, _ in kept)
            if kept:
                _apply(merged, branch, name, kept)
    target.write(write_set(target.table, merged.table))


def _loses(
    writers: Mapping[Path, BranchWrites], path: Path, branch: BranchWrites, conflict: MergeConflictBehavior
) -> bool:
    """Whether what another branch wrote at a path stays."""
    other = _clash(writers, path, branch)
    if other is not None and conflict is MergeConflictBehavior.RAISE_ERROR:
        raise MergeConflictError(".".join(map(str, path)), (other.label, branch.label))
    return other is not None and conflict is MergeConflictBehavior.PREFER_EXISTING


def _clash(writers: Mapping[Path, BranchWrites], path: Path, branch: BranchWrites) -> BranchWrites | None:
    for known, other in writers.items():
        shorter = min(len(known), len(path))
        if known[:shorter] == path[:shorter] and other is not branch and other.label not in branch.after:
            return other
    return None


def merge_by(target: Layer, function: MergeFunction, results: Sequence[Any]) -> None:
    """Merge what the author's function makes of the results of branches."""
    merged = function([copy_value(result) for result in results])
    target.write(target.form.apply(None, target.table, merged).changed)


def _writes(branch: BranchWrites, strategy: MergeStrategy) -> Iterator[tuple[str, list[Change]]]:
    """The fields that a branch wrote, and what changed in each; SHALLOW writes a field as a whole."""
    form = branch.layer.form
    changed = write_set(branch.start, branch.layer.table)
    old, new = form.values(branch.start), form.values(branch.layer.table)
    for name in changed:
        if strategy is MergeStrategy.SHALLOW or name not in old:
            yield name, [((), new[name])]
        else:
            yield name, list(changed_parts(old[name], new[name]))


def _apply(target: Layer, branch: BranchWrites, name: str, changes: list[Change]) -> None:
    if changes == [((), changes[0][1])]:
        target.write({name: branch.layer.table[name]})
        return
    new = target.form.values(branch.layer.table)[name]
    try:
        value = with_changes(target.form.values(target.table).get(name), changes)
    except LookupError:  # another branch replaced what this one changed a part of
        value = new
    target.write(target.form.apply(None, target.table, {name: value}).changed)
