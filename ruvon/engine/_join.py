"""The join of branches: their write sets in branch order, each against the state that the branch began with.

SHALLOW compares and replaces whole fields. DEEP is a three-way merge: what a branch changed, key by key in dicts and
models, is done to the joined value, so that what it left alone stays as another branch made it. A path, or one below it,
that was written by two branches of which neither saw the other is a conflict, also where both wrote the same value.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from ruvon.engine._state import StateType, Table
from ruvon.ir._nodes import Merge, MergeConflict, MergeStrategy
from ruvon.ir.values._changes import Path, changed_parts, with_changes
from ruvon.models import MergeConflictError

__all__ = ["BranchWrites", "merge_branches"]


@final
@dataclass(frozen=True, slots=True)
class BranchWrites:
    """What one branch wrote."""

    label: str
    start: Table
    """The state that it began with."""
    own: Table
    """Every field that it wrote, as it left it."""
    seen: frozenset[str] = frozenset()
    """Labels of the branches whose writes it saw."""

    @property
    def writes(self) -> Table:
        """The fields that are not what they were at its start."""
        return {name: data for name, data in self.own.items() if self.start.get(name) != data}


def merge_branches(state: StateType, base: Table, branches: Iterable[BranchWrites], merge: Merge) -> Table:
    """The joined write set of branches, in branch order.

    Args:
        state: how the state is kept.
        base: the table at the fork.
        branches: what each wrote.
        merge: who wins where two branches that did not see each other wrote one field, or one path below it.

    Raises:
        MergeConflictError: two did, and the rule is to refuse that.
    """
    if merge.strategy is MergeStrategy.DEEP:
        return _deep(state, base, branches, merge.conflict)
    joined: Table = {}
    writers: dict[str, BranchWrites] = {}
    for branch in branches:
        for name, data in branch.writes.items():
            other = writers.get(name)
            if other is None or other.label in branch.seen or not _keeps(merge.conflict, (name,), other, branch):
                writers[name] = branch
                joined[name] = data
    return joined


def _keeps(conflict: MergeConflict, path: Path, other: BranchWrites, branch: BranchWrites) -> bool:
    """Whether what another branch wrote stays."""
    if conflict is MergeConflict.RAISE_ERROR:
        raise MergeConflictError(".".join(map(str, path)), (other.label, branch.label))
    return conflict is MergeConflict.PREFER_EXISTING


def _deep(state: StateType, base: Table, branches: Iterable[BranchWrites], conflict: MergeConflict) -> Table:
    joined: Table = {}
    writers: dict[str, dict[Path, BranchWrites]] = {}
    for branch in branches:
        for name, data in branch.writes.items():
            known = writers.setdefault(name, {})
            new = state.decode(name, data)
            parts = (
                list(changed_parts(state.decode(name, branch.start[name]), new))
                if name in branch.start
                else [((), new)]
            )
            kept = [part for part in parts if not _loses(known, name, part[0], branch, conflict)]
            known.update((path, branch) for path, _ in kept)
            if kept:
                now = {**base, **joined}
                try:
                    value = with_changes(state.decode(name, now[name]), kept) if name in now else new
                except LookupError:  # another branch replaced what this one changed a part of
                    value = new
                joined |= state.apply(None, now, {name: value}, branch.label, strict=False)
    return joined


def _loses(
    known: dict[Path, BranchWrites], name: str, path: Path, branch: BranchWrites, conflict: MergeConflict
) -> bool:
    for written, other in known.items():
        shorter = min(len(written), len(path))
        if written[:shorter] == path[:shorter] and other is not branch and other.label not in branch.seen:
            return _keeps(conflict, (name, *path), other, branch)
    return False
