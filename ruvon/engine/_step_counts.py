"""How often each step ran and how long it took, counted from the logs of runs.

A log says when something ended, not when it began: nobody commits a "started". But a step could begin when what stands
before it in its line of the log was done. Its time is counted from then, so it holds the wait for a worker, for a person
who steps a run on by hand, and the delays of retries. That costs those who run workflows nothing.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, final

import orjson

from ruvon.ir import Definition, walk_nodes
from ruvon.ir._nodes import Parallel
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceRecord, LogEntry

__all__ = ["StepCounts"]

_DONE: Final = frozenset({"step", "wait"})
_OVER: Final = frozenset({"step", "wait", "error", "cancelled"})
_BEGUN: Final = frozenset({"start", "retry"})
_INSIDE: Final = re.compile(r"\]/")
_NOT_THE_NAME: Final = re.compile(r"^e\d+:|#\d+$|!\d+$")


@final
@dataclass(slots=True)
class _Count:
    """What is counted of one step, or of the runs of one type."""

    started: int = 0
    completed: int = 0
    failed: int = 0
    retries: int = 0
    took_us: list[int] = field(default_factory=list[int])
    """Of each that completed."""

    def row(self, workflow_type: str, step: str | None) -> dict[str, Any]:
        """As people and tools read it; times in seconds, None where nothing completed."""
        took = sorted(self.took_us)
        return {
            "workflow_type": workflow_type,
            "step": step,
            "started": self.started,
            "completed": self.completed,
            "failed": self.failed,
            "retries": self.retries,
            "mean_s": sum(took) / len(took) / 1_000_000 if took else None,
            "p50_s": _share(took, 50),
            "p95_s": _share(took, 95),
            "longest_s": _share(took, 100),
        }


def _share(took: list[int], percent: int) -> float | None:
    """The least time that so many percent of the sorted times do not exceed, in seconds."""
    if not took:
        return None
    return took[max(-(-len(took) * percent // 100), 1) - 1] / 1_000_000


@final
class StepCounts:
    """Counts over runs, by workflow type and step; give it each run once."""

    def __init__(self) -> None:
        self._runs: dict[str, _Count] = {}
        self._steps: dict[tuple[str, str], _Count] = {}
        self._forks: dict[bytes, frozenset[str]] = {}

    def add(self, record: InstanceRecord, definition: Definition, log: Iterable[LogEntry]) -> None:
        """Count one run.

        Args:
            record: the run.
            definition: its definition; tells branches, which go on side by side, from turns of a loop.
            log: its log, oldest first. A run that keeps only a part of it is counted by that part.
        """
        self._add_run(record)
        forks = self._forks.get(record.digest)
        if forks is None:
            forks = frozenset(node.id for node in walk_nodes(definition.graph) if isinstance(node.action, Parallel))
            self._forks[record.digest] = forks
        line = _Line(record.created_us, forks)
        seen, going_on = set[str](), dict[str, int | None]()
        for entry in log:
            began_us = line.began_us(entry)
            if not entry.node or entry.kind not in _OVER | _BEGUN:
                continue
            count = self._of(record.workflow_type, entry.node)
            if entry.activation not in seen:
                seen.add(entry.activation)
                count.started += 1
            since_us = going_on.setdefault(entry.activation, began_us)
            count.retries += entry.kind == "retry"
            count.failed += entry.kind == "error"
            if entry.kind in _DONE:
                count.completed += 1
                if since_us is not None:
                    count.took_us.append(max(entry.at_us - since_us, 0))
            if entry.kind in _OVER:
                del going_on[entry.activation]
        self._add_standing(record, seen)

    def _add_run(self, record: InstanceRecord) -> None:
        count, status = self._runs.setdefault(record.workflow_type, _Count()), WorkflowStatus(record.status)
        count.started += 1
        if status is WorkflowStatus.COMPLETED:
            count.completed += 1
            count.took_us.append(record.updated_us - record.created_us)
        elif status.is_terminal and status is not WorkflowStatus.CANCELLED:
            count.failed += 1

    def _add_standing(self, record: InstanceRecord, seen: set[str]) -> None:
        """Steps that have begun and of which the log says nothing yet."""
        if WorkflowStatus(record.status).is_terminal:
            return
        waits: list[dict[str, Any]] = orjson.loads(record.waiting_for) if record.waiting_for else []
        for wait in waits:
            if wait["id"] not in seen:
                self._of(record.workflow_type, wait["step"]).started += 1

    def _of(self, workflow_type: str, step: str) -> _Count:
        return self._steps.setdefault((workflow_type, step), _Count())

    def rows(self) -> list[dict[str, Any]]:
        """A row for the runs of each type, whose `step` is None, and behind it one for each of its steps, by name."""
        found: list[dict[str, Any]] = []
        steps: Mapping[tuple[str, str], _Count] = dict(sorted(self._steps.items()))
        for kind, runs in sorted(self._runs.items()):
            found.append(runs.row(kind, None))
            found += [count.row(kind, step) for (whose, step), count in steps.items() if whose == kind]
        return found


@final
class _Line:
    """Where the lines of a run stand: that of the body, and those of the branches beside each other.

    The activation of a step inside a branch begins with the place of the branch, such as `gather[ship]/`.
    """

    def __init__(self, created_us: int, forks: frozenset[str]) -> None:
        self._created_us = created_us
        self._forks = forks
        self._last = dict[str, int | None]()
        """When the newest entry was written, by line: all of the run, then each branch by its place."""
        self._entered = dict[str, int | None]()
        """When what has an inside was entered, by its activation: a fork, a loop."""

    def began_us(self, entry: LogEntry) -> int | None:
        """When what an entry tells of could begin at the earliest; called for every entry, in order.

        None where the entries that would tell are not kept.
        """
        if not self._last:
            self._last[""] = self._created_us if entry.seq == 1 else None
        place, within = "", self._last[""]
        lines = [""]
        for found in _INSIDE.finditer(entry.activation):
            inside = entry.activation[: found.end()]
            base = inside.rpartition("[")[0]
            entered = self._entered.setdefault(base, within)
            if self._is_fork(base):
                place, within = inside, self._last.get(inside, entered)
                lines.append(place)
        for line in lines:
            self._last[line] = entry.at_us
        return self._entered.get(entry.activation, within)

    def _is_fork(self, base: str) -> bool:
        name = base.rpartition("/")[2]
        while (bare := _NOT_THE_NAME.sub("", name)) != name:
            name = bare
        return name in self._forks
